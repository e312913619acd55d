
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.math
import django.db.models.functions.text
import django.db.models.lookups
import transactions.models
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('contacts', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Asset',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('native', 'Native coin'), ('token', 'Token'), ('nft', 'NFT'), ('exchange', 'At an exchange'), ('fiat', 'Currency')], max_length=8)),
                ('network', models.CharField(help_text='Network, exchange or “fiat”.', max_length=64)),
                ('code', models.CharField(blank=True, help_text='Contract or code.', max_length=128)),
                ('token_id', models.CharField(blank=True, max_length=80)),
                ('symbol', models.CharField(max_length=100, validators=[django.core.validators.RegexValidator('^[^\\x00-\\x1f\\x7f]*$', 'Use one line of text without control characters.')])),
                ('name', models.CharField(blank=True, max_length=200, validators=[django.core.validators.RegexValidator('^[^\\x00-\\x1f\\x7f]*$', 'Use one line of text without control characters.')])),
                ('is_edited', models.BooleanField(default=False, editable=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
            ],
            options={
                'ordering': [django.db.models.functions.text.Lower('symbol'), 'id'],
                'indexes': [models.Index(django.db.models.functions.text.Lower('symbol'), name='asset_symbol')],
                'constraints': [models.UniqueConstraint(fields=('network', 'code', 'token_id', 'kind'), name='asset_is_unique'), models.CheckConstraint(condition=models.Q(models.Q(('code', ''), ('kind', 'native'), ('token_id', '')), models.Q(('kind', 'token'), ('token_id', ''), models.Q(('code', ''), _negated=True)), models.Q(('kind', 'nft'), models.Q(('code', ''), _negated=True), models.Q(('token_id', ''), _negated=True)), models.Q(('kind', 'exchange'), ('token_id', ''), models.Q(('code', ''), _negated=True)), models.Q(('kind', 'fiat'), ('network', 'fiat'), ('token_id', ''), models.Q(('code', ''), _negated=True)), _connector='OR'), name='asset_identity_fits_kind'), models.CheckConstraint(condition=models.Q(models.Q(('symbol', ''), _negated=True), models.Q(('network', ''), _negated=True)), name='asset_has_symbol_and_network')],
            },
        ),
        migrations.CreateModel(
            name='ImportBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('file_name', models.CharField(max_length=255)),
                ('sha256', models.CharField(db_index=True, max_length=64)),
                ('size', models.PositiveBigIntegerField(help_text='Bytes.')),
                ('format', models.CharField(blank=True, max_length=64)),
                ('options', models.JSONField(blank=True, default=dict)),
                ('made_at', models.DateTimeField(auto_now_add=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('status', models.CharField(choices=[('waiting', 'Waiting for answers'), ('running', 'Running'), ('imported', 'Imported'), ('failed', 'Failed')], default='running', max_length=8)),
                ('error', models.TextField(blank=True)),
                ('told', models.JSONField(blank=True, default=list, help_text='Found out from the file itself.')),
                ('new', models.PositiveIntegerField(default=0)),
                ('known', models.PositiveIntegerField(default=0)),
                ('changed', models.PositiveIntegerField(default=0)),
                ('rejected', models.PositiveIntegerField(default=0)),
                ('content', models.BinaryField(help_text='The upload, until it is imported.', null=True)),
                ('made_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'import',
                'ordering': ['-made_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='Label',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, validators=[django.core.validators.RegexValidator('^[^\\x00-\\x1f\\x7f]*$', 'Use one line of text without control characters.')])),
                ('colour', models.CharField(choices=[('grey', 'Grey'), ('red', 'Red'), ('orange', 'Orange'), ('yellow', 'Yellow'), ('green', 'Green'), ('teal', 'Teal'), ('blue', 'Blue'), ('purple', 'Purple'), ('pink', 'Pink'), ('brown', 'Brown')], default='grey', max_length=8)),
                ('description', models.TextField(blank=True, max_length=1000)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
            ],
            options={
                'ordering': [django.db.models.functions.text.Lower('name'), 'id'],
                'constraints': [models.UniqueConstraint(django.db.models.functions.text.Lower('name'), name='label_name_is_unique', violation_error_message='There is a label of this name already.'), models.CheckConstraint(condition=models.Q(('name__regex', '^[^[:cntrl:][:space:]]([^[:cntrl:]]*[^[:cntrl:][:space:]])?$')), name='label_name_is_clean', violation_error_message='A name is one line of text, not empty, without spaces around it.'), models.CheckConstraint(condition=models.Q(('colour__in', ['grey', 'red', 'orange', 'yellow', 'green', 'teal', 'blue', 'purple', 'pink', 'brown'])), name='label_colour_is_known')],
            },
        ),
        migrations.CreateModel(
            name='Transaction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('network', models.CharField(blank=True, max_length=64, null=True)),
                ('txid', models.CharField(blank=True, max_length=128, null=True, validators=[django.core.validators.RegexValidator('^[!-~]+$')])),
                ('external_id', models.CharField(blank=True, max_length=200, null=True)),
                ('timestamp', models.DateTimeField(help_text='UTC; first seen, while pending.')),
                ('status', models.CharField(choices=[('ok', 'OK'), ('failed', 'Failed'), ('pending', 'Pending')], default='ok', max_length=7)),
                ('type', models.CharField(choices=[('send', 'Send'), ('receive', 'Receive'), ('self', 'Self transfer'), ('trade', 'Trade'), ('call', 'Call'), ('deposit', 'Deposit'), ('withdrawal', 'Withdrawal'), ('reward', 'Reward'), ('staking', 'Staking'), ('airdrop', 'Airdrop'), ('mining', 'Mining'), ('interest', 'Interest'), ('fork', 'Fork'), ('income', 'Income'), ('gift', 'Gift'), ('donation', 'Donation'), ('cost', 'Cost'), ('lost', 'Lost'), ('fee', 'Fee'), ('other', 'Other')], max_length=10)),
                ('method', models.CharField(blank=True, max_length=200)),
                ('block', models.BigIntegerField(blank=True, null=True)),
                ('note', models.TextField(blank=True, max_length=10000)),
                ('is_edited', models.BooleanField(default=False, editable=False, help_text='A person has changed note or contact.')),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('contact', models.ForeignKey(blank=True, help_text='Set by a person; otherwise the contacts of the addresses count.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='transactions', to='contacts.contact')),
            ],
            options={
                'ordering': ['-timestamp', '-id'],
            },
        ),
        migrations.CreateModel(
            name='TransactionLabel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('label', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='transactions.label')),
                ('transaction', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='transactions.transaction')),
            ],
        ),
        migrations.AddField(
            model_name='transaction',
            name='labels',
            field=models.ManyToManyField(blank=True, related_name='transactions', through='transactions.TransactionLabel', to='transactions.label'),
        ),
        migrations.CreateModel(
            name='Wallet',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('address', 'On-chain address'), ('hd', 'HD wallet'), ('exchange', 'Exchange account')], max_length=8)),
                ('name', models.CharField(blank=True, help_text='An address may go without.', max_length=200, validators=[django.core.validators.RegexValidator('^[^\\x00-\\x1f\\x7f]*$', 'Use one line of text without control characters.')])),
                ('venue', models.SlugField(blank=True, help_text='Whose asset codes the account uses, such as kraken; set when it is made.', max_length=64)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('address', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='wallet', to='contacts.address')),
            ],
            options={
                'ordering': [django.db.models.functions.text.Lower('name'), 'id'],
            },
        ),
        migrations.AddField(
            model_name='transaction',
            name='source_wallet',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='own_records', to='transactions.wallet'),
        ),
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('timestamp', models.DateTimeField()),
                ('amount', transactions.models.AmountField()),
                ('kind', models.CharField(choices=[('transfer', 'Transfer'), ('fee', 'Fee')], default='transfer', max_length=8)),
                ('ordinal', models.PositiveSmallIntegerField(default=0, help_text='Tells genuine repeats of one movement apart.')),
                ('asset', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='transactions.asset')),
                ('counterparty', models.ForeignKey(blank=True, db_index=False, help_text='The address on the other side; empty when unknown.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='contacts.address')),
                ('transaction', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='entries', to='transactions.transaction')),
                ('wallet', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='transactions.wallet')),
            ],
            options={
                'verbose_name_plural': 'entries',
                'ordering': ['kind', 'id'],
            },
        ),
        migrations.CreateModel(
            name='ImportLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(help_text='Line of the file, from 1.')),
                ('outcome', models.CharField(choices=[('new', 'New'), ('known', 'Already known'), ('changed', 'Changed'), ('rejected', 'Rejected')], max_length=8)),
                ('detail', models.TextField(blank=True, help_text='What changed, or why not and what to do.')),
                ('raw', models.TextField()),
                ('batch', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='transactions.importbatch')),
                ('transaction', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='import_lines', to='transactions.transaction')),
            ],
            options={
                'ordering': ['batch', 'number'],
                'indexes': [models.Index(fields=['batch', 'outcome', 'number'], name='import_line_outcome')],
                'constraints': [models.UniqueConstraint(fields=('batch', 'number'), name='import_line_is_unique')],
            },
        ),
        migrations.AddConstraint(
            model_name='transactionlabel',
            constraint=models.UniqueConstraint(fields=('transaction', 'label'), name='transaction_has_label_once'),
        ),
        migrations.AddConstraint(
            model_name='wallet',
            constraint=models.UniqueConstraint(django.db.models.functions.text.Lower('name'), condition=models.Q(('name', ''), _negated=True), name='wallet_name_is_unique', violation_error_message='There is a wallet of this name already.'),
        ),
        migrations.AddConstraint(
            model_name='wallet',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('address__isnull', False), ('kind', 'address'), ('venue', '')), models.Q(('address__isnull', True), ('kind', 'hd'), models.Q(('name', ''), _negated=True)), models.Q(('address__isnull', True), ('kind', 'exchange'), models.Q(('name', ''), _negated=True), models.Q(('venue', ''), _negated=True)), _connector='OR'), name='wallet_identity_fits_kind', violation_error_message='An on-chain wallet has an address; an HD wallet has a name; an exchange account has a name and a venue.'),
        ),
        migrations.AddConstraint(
            model_name='wallet',
            constraint=models.CheckConstraint(condition=models.Q(('name__regex', '^([^[:cntrl:][:space:]]([^[:cntrl:]]*[^[:cntrl:][:space:]])?)?$')), name='wallet_name_is_clean'),
        ),
        migrations.AddIndex(
            model_name='transaction',
            index=models.Index(fields=['timestamp', 'id'], name='transaction_time'),
        ),
        migrations.AddIndex(
            model_name='transaction',
            index=models.Index(fields=['type', 'timestamp', 'id'], name='transaction_type_time'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.UniqueConstraint(fields=('network', 'txid'), name='transaction_txid_is_unique'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.UniqueConstraint(fields=('source_wallet', 'external_id'), name='transaction_external_id_is_unique'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.UniqueConstraint(fields=('id', 'timestamp'), name='transaction_has_one_time'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('external_id__isnull', True), ('network__isnull', False), ('source_wallet__isnull', True), ('txid__isnull', False)), models.Q(('external_id__isnull', False), ('network__isnull', True), ('source_wallet__isnull', False), ('txid__isnull', True)), _connector='OR'), name='transaction_has_one_identity'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('txid__regex', '^[!-~]+$'), ('network__regex', '^[a-z0-9-]+$'), models.Q(('external_id', ''), _negated=True)), name='transaction_identity_is_written_well'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['ok', 'failed', 'pending'])), name='transaction_status_is_known'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('type__in', ['send', 'receive', 'self', 'trade', 'call', 'deposit', 'withdrawal', 'reward', 'staking', 'airdrop', 'mining', 'interest', 'fork', 'income', 'gift', 'donation', 'cost', 'lost', 'fee', 'other'])), name='transaction_type_is_known'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('block__isnull', True), ('block__gte', 0), _connector='OR'), name='transaction_block'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=django.db.models.lookups.LessThanOrEqual(django.db.models.functions.text.Length('note'), models.Value(10000)), name='transaction_note_fits'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(fields=['wallet', 'timestamp', 'transaction'], name='entry_wallet_time'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(fields=['asset', 'timestamp', 'transaction'], name='entry_asset_time'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(fields=['counterparty', 'timestamp', 'transaction'], name='entry_counterparty_time'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.UniqueConstraint(fields=('transaction', 'wallet', 'asset', 'kind', 'counterparty', 'amount', 'ordinal'), name='entry_is_unique', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(('kind', 'transfer'), models.Q(('amount__lte', 0), ('counterparty__isnull', True), ('kind', 'fee')), _connector='OR'), name='entry_fee_is_paid', violation_error_message='A fee is negative or zero and has no counterparty.'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(django.db.models.lookups.LessThan(django.db.models.functions.math.Abs('amount'), models.Value(Decimal('1E+78'))), django.db.models.lookups.LessThanOrEqual(transactions.models.MinScale('amount'), models.Value(30))), name='entry_amount_fits', violation_error_message='An amount has at most 78 digits before the point and 30 after it.'),
        ),
    ]
