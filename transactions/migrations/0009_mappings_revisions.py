from django.db import migrations

from txsite.triggers import record_changes


class Migration(migrations.Migration):
    """Commits that change mappings are numbered."""

    dependencies = [("transactions", "0008_mappings"), ("txsite", "0001_revisions")]

    operations = [record_changes("transactions_importmapping")]
