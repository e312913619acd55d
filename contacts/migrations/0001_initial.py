
import contacts.models
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Contact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, validators=[django.core.validators.RegexValidator('^[^\\x00-\\x1f\\x7f]*$', 'Use one line of text without control characters.')])),
                ('note', models.TextField(blank=True, max_length=10000)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
            ],
            options={
                'ordering': [django.db.models.functions.text.Lower('name'), 'id'],
                'constraints': [models.UniqueConstraint(django.db.models.functions.text.Lower('name'), name='contact_name_is_unique', violation_error_message='There is a contact of this name already.'), models.CheckConstraint(condition=models.Q(('name__regex', '^[^[:cntrl:][:space:]]([^[:cntrl:]]*[^[:cntrl:][:space:]])?$')), name='contact_name_is_clean', violation_error_message='A name is one line of text, not empty, without spaces around it.')],
            },
        ),
        migrations.CreateModel(
            name='Address',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('family', models.CharField(choices=contacts.models.family_choices, max_length=32)),
                ('value', models.CharField(max_length=128)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('contact', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='addresses', to='contacts.contact')),
            ],
            options={
                'verbose_name_plural': 'addresses',
                'ordering': ['family', 'value'],
                'constraints': [models.UniqueConstraint(fields=('family', 'value'), name='address_is_unique', violation_error_message='This address is known already.'), models.CheckConstraint(condition=models.Q(('value__regex', '^[!-~]+$')), name='address_has_no_space'), models.CheckConstraint(condition=models.Q(models.Q(('family', 'evm'), _negated=True), ('value__regex', '^0x[0-9a-f]{40}$'), _connector='OR'), name='address_evm_is_normalised')],
            },
        ),
    ]
