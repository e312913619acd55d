"""Questions that pages, filters and commands ask about the ledger."""

from django.db import connection, models
from django.db.models import Prefetch, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Exact

from contacts.querysets import NamedQuerySet
from txsite.prepared import fetch


class WalletQuerySet(NamedQuerySet):
    pass


class AssetQuerySet(models.QuerySet):
    def with_symbol(self, symbol: str) -> "AssetQuerySet":
        """Every asset that bears this symbol, whatever its case."""
        return self.filter(Exact(Lower("symbol"), Lower(Value(symbol))))


class LabelQuerySet(NamedQuerySet):
    pass


MANY = 100_000


def known_number() -> int | None:
    """How many transactions the ledger has, as commits have kept count; None in a transaction
    that has written, of whose rows nothing is told yet."""
    rows = fetch(
        "SELECT number FROM transactions_transactioncount "
        "WHERE pg_current_xact_id_if_assigned() IS NULL"
    )
    return rows[0][0] if rows else None


class TransactionQuerySet(models.QuerySet):
    def are_many(self) -> bool:
        """Whether the ledger is a large one, as PostgreSQL last estimated it."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT reltuples > %s FROM pg_class WHERE oid = %s::regclass",
                [MANY, self.model._meta.db_table],
            )
            return bool(cursor.fetchone()[0])

    def for_list(self) -> "TransactionQuerySet":
        """Transactions with all that a row of the list shows, in three queries."""
        entry = self.model._meta.get_field("entries").related_model
        label = self.model._meta.get_field("labels").related_model
        entries = entry.objects.select_related(
            "wallet__address", "asset", "counterparty__contact", "counterparty__wallet"
        ).order_by("id")
        return self.select_related("contact", "source_wallet__address").prefetch_related(
            Prefetch("entries", entries), Prefetch("labels", label.objects.order_by(Lower("name")))
        )


class ImportBatchQuerySet(models.QuerySet):
    def for_list(self) -> "ImportBatchQuerySet":
        """Imports without their files' contents, newest first."""
        return self.defer("content", "made", "names", "balances").select_related("made_by")
