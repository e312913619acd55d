from django.db import migrations

from txsite.triggers import record_changes


class Migration(migrations.Migration):
    """Commits that change contacts and addresses are numbered."""

    dependencies = [("contacts", "0002_rules"), ("txsite", "0001_revisions")]

    operations = [record_changes(f"contacts_{name}") for name in ("contact", "address")]
