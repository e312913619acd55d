"""Questions that pages ask about contacts and addresses."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import connection, models
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Greatest, Lower
from django.db.models.lookups import Exact

# Before anything a ledger can hold: sorts contacts without transactions last.
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class NamedQuerySet(models.QuerySet):
    """Rows with a name that is unique whatever its case."""

    def named(self, name: str) -> "NamedQuerySet":
        """The row of this name, whatever its case: compared as the constraint compares."""
        return self.filter(Exact(Lower("name"), Lower(Value(name))))

    def by_name(self, names: Iterable[str]) -> dict[str, Any]:
        """The row of each of these names that has one, compared as the constraint compares."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, lower(name) FROM unnest(%s::text[]) name", [list(names)])
            keys = dict(cursor.fetchall())
        found = self.annotate(key=Lower("name")).filter(key__in=set(keys.values()))
        rows = {row.key: row for row in found.order_by("key")}
        return {name: rows[key] for name, key in keys.items() if key in rows}


class ContactQuerySet(NamedQuerySet):
    def with_activity(self) -> "ContactQuerySet":
        """Contacts with `address_count`, `transaction_count` and `last_activity`.

        A transaction is with the contact that a person has set for it; without one it is
        with the contacts of its entries' counterparties, each of which counts it once.
        `last_activity` is the timestamp of the latest, NEVER when there is none.
        """
        own, by_address = Q(transactions__isnull=False), "addresses__entries__transaction"
        # Of a transaction that has a contact of its own the addresses say nothing.
        theirs = Q(**{f"{by_address}__isnull": False, f"{by_address}__contact__isnull": True})
        return self.annotate(
            address_count=self._of_each(Q(addresses__isnull=False), Count("addresses"), 0),
            transaction_count=self._of_each(own, Count("transactions"), 0)
            + self._of_each(theirs, Count(by_address, distinct=True), 0),
            last_activity=Greatest(
                self._of_each(own, Max("transactions__timestamp"), NEVER),
                self._of_each(theirs, Max(f"{by_address}__timestamp"), NEVER),
            ),
        )

    def _of_each(self, condition: Q, figure: Any, otherwise: Any) -> Coalesce:
        """A figure over what belongs to each contact, in a subquery of its own."""
        of_one = self.model._base_manager.filter(condition, pk=OuterRef("pk")).values("pk")
        figures = of_one.annotate(figure=figure).values("figure")
        return Coalesce(Subquery(figures), Value(otherwise))

    def matching(self, text: str) -> "ContactQuerySet":
        """Contacts of which every word stands in the name, the note or an address."""
        found = self
        for word in text.split():
            found = found.filter(
                Q(name__icontains=word)
                | Q(note__icontains=word)
                | Q(
                    pk__in=self.model._base_manager.filter(addresses__value__icontains=word).values(
                        "pk"
                    )
                )
            )
        return found

    def completing(self, text: str) -> QuerySet[Any, str]:
        """Names that contain the text, whatever its case; those that begin with it first."""
        begins = models.Case(models.When(name__istartswith=text, then=Value(0)), default=Value(1))
        return (
            self.filter(name__icontains=text)
            .order_by(begins, Lower("name"), "pk")
            .values_list("name", flat=True)
        )


class AddressQuerySet(models.QuerySet):
    def with_counts(self) -> "AddressQuerySet":
        """Addresses with `transaction_count`: transactions with an entry to or from each."""
        of_one = self.model._base_manager.filter(pk=OuterRef("pk")).values("pk")
        count = of_one.annotate(figure=Count("entries__transaction", distinct=True))
        return self.annotate(transaction_count=Subquery(count.values("figure")))
