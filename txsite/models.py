"""What happened to the ledger, as the database itself records it."""

from django.db import models


class Change(models.Model):
    """One commit that changed the ledger. Only the database writes these.

    Not managed, since tests empty managed tables: numbers must never begin anew.
    """

    revision = models.BigIntegerField(unique=True)
    committed_at = models.DateTimeField()
    actor = models.TextField(help_text="User, command or database role.")
    via = models.TextField(help_text="page, admin, import, command or SQL.")
    tables = models.JSONField(help_text="Rows touched, by table and operation.")

    class Meta:
        managed = False
        db_table = "txsite_change"
        default_permissions = ()

    def __str__(self) -> str:
        return f"change {self.revision}"

    @property
    def summary(self) -> list[str]:
        """What was touched, in words: “3 entries inserted”."""
        return [in_words(what, count) for what, count in self.tables.items()]


DONE = {"insert": "added", "update": "changed", "delete": "removed", "truncate": "all removed"}
NAMES = {
    "transactions_transactionlabel": "labels of transactions",
    "transactions_importbatch": "imports",
    "transactions_importline": "import lines",
    "transactions_entry": "entries",
    "contacts_address": "addresses",
}


def in_words(what: str, count: int | None) -> str:
    table, _, operation = what.rpartition(" ")
    name = NAMES.get(table) or f"{table.partition('_')[2]}s"
    return f"{name}: {DONE[operation]}" if count is None else f"{count:,} {name} {DONE[operation]}"
