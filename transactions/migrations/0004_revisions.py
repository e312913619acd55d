from django.db import migrations

from txsite.triggers import record_changes

LEDGER = (
    "wallet",
    "asset",
    "label",
    "transaction",
    "transactionlabel",
    "entry",
    "importbatch",
    "importline",
)


class Migration(migrations.Migration):
    """Commits that change what happened are numbered."""

    dependencies = [("transactions", "0003_type_is_told"), ("txsite", "0001_revisions")]

    operations = [record_changes(f"transactions_{name}") for name in LEDGER]
