from django.db import migrations

from txsite.triggers import record_changes


class Migration(migrations.Migration):
    """Commits that change label records are numbered."""

    dependencies = [("transactions", "0006_label_records"), ("txsite", "0001_revisions")]

    operations = [record_changes("transactions_labelrecord")]
