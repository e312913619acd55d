"""Ways to the transactions of a filter in the order of time.

PostgreSQL walks an index that ends in (timestamp, transaction) from the place where a page begins,
and stops when the page is full. So a filter is asked as several queries that each have such an
index: one for each address of a contact, say, of which a page needs the first rows alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from contacts.models import Address
from transactions.conditions import (
    ENTRIES,
    TRANSACTIONS,
    Root,
    Term,
    Word,
    by_address,
    can_be_without,
    conditions,
    has_entry,
    has_label,
    is_at,
    is_some,
    names_of,
    one_entry,
    own_texts,
    wanted,
)
from transactions.models import BY_AMOUNT, AmountField, EntrySum, TransactionLabel, Wallet
from txsite.prepared import fetch_values
from txsite.tables import Ordering, Place, beyond

MAX_WAYS = 50
FEW = 1_000  # transactions that are named one by one


class Found(NamedTuple):
    sort_value: Any
    pk: int


class FoundSum(NamedTuple):
    sort_value: Decimal
    timestamp: datetime
    pk: int


@dataclass(frozen=True)
class Way:
    """Some of the transactions: those that begin at the root and fit the condition.

    `entries` are such that they tell of the same transactions, where those are many; `as_many` are
    rows of which there are as many, and which an index alone counts.
    """

    root: Root
    condition: Q
    entries: Q | None = None
    as_many: QuerySet[Any] | None = None

    def rows(self) -> QuerySet[Any]:
        """(timestamp, id) of each, without order; of entries some of them more than once."""
        return self.root.filter(self.condition).values_list("timestamp", self.root.key)

    def keys(self) -> QuerySet[Any]:
        """Each once."""
        return self.rows().distinct() if self.root is ENTRIES else self.rows()

    def narrowed(self, asked: dict[str, Any], *, but: str) -> "Way":
        """By all else that is asked, `but` what the way itself stands for."""
        entries = self.entries
        if entries is not None:
            entries &= conditions(asked, ENTRIES, but=but)
        return Way(self.root, self.condition & conditions(asked, self.root, but=but), entries)

    def first(self, place: Place | None, *, ascending: bool, limit: int) -> QuerySet[Any]:
        rows = self.keys()
        if place is not None and place.value is not None:
            rows = rows.filter(beyond(place, ("timestamp", self.root.key), ascending=ascending))
        sign = "" if ascending else "-"
        return rows.order_by(f"{sign}timestamp", f"{sign}{self.root.key}")[:limit]

    def some(self, limit: int) -> QuerySet[Any]:
        """So many of them, whichever; entries are made distinct along an index, those first that
        are shown most."""
        if self.as_many is not None:
            return self.as_many[:limit]
        key = ("-timestamp", f"-{self.root.key}") if self.root is ENTRIES else ()
        return self.keys().order_by(*key)[:limit]

    def is_surely(self, limit: int) -> bool:
        """Whether there are at least so many, where twice as many entries tell it at once."""
        if self.entries is None:
            return False
        found = ENTRIES.filter(self.entries).values_list("transaction_id", flat=True)
        return len(set(found[: 2 * limit])) >= limit


@dataclass(frozen=True)
class TimeRows:
    """The transactions of several ways, each once."""

    ways: list[Way]

    def first(
        self, ordering: Ordering, place: Place | None, *, ascending: bool, limit: int
    ) -> list[Found]:
        parts = [way.first(place, ascending=ascending, limit=limit) for way in self.ways]
        found = {Found(*row) for row in fetch_values(together(parts))}
        return sorted(found, reverse=not ascending)[:limit]

    def count(self, limit: int | None) -> int:
        """How many there are; `limit` is counted up to."""
        if limit is not None and any(way.is_surely(limit) for way in self.ways):
            return limit
        parts = [way.keys() for way in self.ways]
        if limit is not None:
            parts = [way.some(limit) for way in self.ways]
        number = parts[0].union(*parts[1:]).count() if len(parts) > 1 else parts[0].count()
        return number if limit is None else min(number, limit)


def moved(kind: str) -> Coalesce:
    """The exact sum of a transaction's movements (or fees), over its entries of one asset."""
    total = Sum("amount", filter=Q(kind=kind))
    return Coalesce(total, Value(Decimal(0)), output_field=AmountField())


SUM_KEY = ("sort_value", "timestamp", "transaction_id")


@dataclass(frozen=True)
class SumRows:
    """The transactions that have an asset, to be sorted by what of it they moved, or paid as a fee:
    by the exact sum of their entries of one kind, where they have none by zero.
    """

    asked: dict[str, Any]
    asset: int
    kind: str

    def first(
        self, ordering: Ordering, place: Place | None, *, ascending: bool, limit: int
    ) -> list[FoundSum]:
        start = place if place is not None and place.value is not None else None
        if asks_only(self.asked, "asset"):
            return self.along_indexes(start, ascending, limit)
        # That there is such an entry has not to be asked again.
        but = "" if one_entry(self.asked, but="asset") else "entry"
        rest = conditions(self.asked, ENTRIES, but=but)
        entries = ENTRIES.filter(Q(asset=self.asset) & rest)
        rows = entries.values(*SUM_KEY[1:]).annotate(sort_value=ordering.expression)
        return read_sums([from_place(rows, start, ascending)], ascending, limit)

    def along_indexes(self, start: Place | None, ascending: bool, limit: int) -> list[FoundSum]:
        """A single entry is its own sum, and the sums of several are kept."""
        of_kind = Q(asset=self.asset, kind=self.kind)
        of_it = Q(transaction_id=OuterRef("transaction_id"))
        sums = EntrySum.objects.filter(of_kind)
        alone = ENTRIES.filter(of_kind & Q(~Exists(sums.filter(of_it))))
        parts = [
            from_place(rows.annotate(sort_value=BY_AMOUNT), start, ascending)
            for rows in (alone, sums)
        ]
        found = read_sums(parts, ascending, limit)
        if len(found) == limit and is_before(found[-1].sort_value, 0, ascending):
            return found
        if start is not None and is_before(0, start.value, ascending):
            return found
        # Those that have entries of the other kind alone are at zero.
        none = ENTRIES.filter(Q(asset=self.asset) & ~Q(kind=self.kind))
        none = none.filter(Q(~Exists(ENTRIES.filter(of_kind & of_it)))).distinct()
        if start is not None and start.value == 0:
            start = Place(forward=True, value=start.then, pk=start.pk)
        else:
            start = None
        none = from_place(none, start, ascending, SUM_KEY[1:])
        rows = fetch_values(none[:limit])
        found += [FoundSum(Decimal(0), *row) for row in rows]
        return sorted(found, reverse=not ascending)[:limit]

    def count(self, limit: int | None) -> int:
        return TimeRows(by_time(self.asked)).count(limit)


def from_place(
    rows: QuerySet[Any], start: Place | None, ascending: bool, key: Sequence[str] = SUM_KEY
) -> QuerySet[Any]:
    if start is not None:
        rows = rows.filter(beyond(start, key, ascending=ascending))
    return rows.order_by(*(name if ascending else f"-{name}" for name in key)).values_list(*key)


def read_sums(parts: list[QuerySet[Any]], ascending: bool, limit: int) -> list[FoundSum]:
    """The first ones of all parts, which have none in common."""
    rows = fetch_values(together([part[:limit] for part in parts]))
    return sorted((FoundSum(*row) for row in rows), reverse=not ascending)[:limit]


def is_before(value: Decimal | int, other: Decimal | int, ascending: bool) -> bool:
    return value < other if ascending else value > other


def together(parts: list[QuerySet[Any]]) -> QuerySet[Any]:
    return parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]


def by_time(asked: dict[str, Any]) -> list[Way]:
    """What narrows the transactions down decides how they are found."""
    few = few_of(asked)
    if few is not None:
        return [Way(TRANSACTIONS, Q(pk__in=few) & conditions(asked, TRANSACTIONS))]
    found = of_entries(asked) or of_contacts(asked) or of_words(asked)
    if found:
        return found
    return [Way(TRANSACTIONS, conditions(asked, TRANSACTIONS), as_many=with_label(asked))]


def asks_only(asked: dict[str, Any], name: str) -> bool:
    """Whether one value of this filter is all that is asked."""
    return names_of(asked) == {name} and len(asked[name]) == 1


def with_label(asked: dict[str, Any]) -> QuerySet[Any] | None:
    """The rows of one label, where nothing else is asked: a transaction has it once."""
    labels = ids_of(asked["label"])
    if len(labels) != 1 or not asks_only(asked, "label"):
        return None
    return TransactionLabel.objects.filter(label=labels[0]).order_by().values_list("pk")


def few_of(asked: dict[str, Any]) -> list[int] | None:
    """The transactions with a contact or a word, where those are few and more is asked."""
    contacts = ids_of(asked["contact"])
    # What is shorter than the index's parts is everywhere.
    words = [word for word in words_of(asked) if len(word.text) > 2]
    if is_some(contacts) + len(words) + bool(one_entry(asked)) < 2:
        return None
    for ways in [ways_of_contacts(contacts), *map(ways_of_word, words)]:
        found = few_ids(ways) if ways else None
        if found is not None:
            return sorted(found)
    return None


def few_ids(ways: list[Way]) -> set[int] | None:
    """The transactions of all ways; None where they are many, or may be."""
    found: set[int] = set()
    rest = []
    for way in ways:
        if way.entries is None:
            rest.append(way.rows()[: FEW + 1])
            continue
        # Twice as many entries tell whether they are few, and then which.
        rows = ENTRIES.filter(way.entries).values_list("transaction_id", flat=True)
        ids = list(rows[: 2 * FEW + 1])
        if len(ids) > 2 * FEW:
            return None
        found.update(ids)
    found.update(pk for _, pk in (together(rest) if rest else ()))
    return found if len(found) <= FEW else None


def of_entries(asked: dict[str, Any]) -> list[Way]:
    """One for each wallet, asset or address: whichever is asked for in the fewest values."""
    if can_be_without(asked):
        return []
    found = {
        "wallet": [Q(wallet=pk) for pk in ids_of(asked["wallet"])],
        "asset": [Q(asset=pk) for pk in ids_of(asked["asset"])],
        "address": at_addresses(ids_of(asked["address"])),
    }
    found = {name: ways for name, ways in found.items() if 0 < len(ways) <= MAX_WAYS}
    if not found:
        return []
    name = min(found, key=lambda one: len(found[one]))
    rest = one_entry(asked, but=name) & conditions(asked, ENTRIES, but="entry")
    return [Way(ENTRIES, way & rest) for way in found[name]]


def of_contacts(asked: dict[str, Any]) -> list[Way]:
    ways = ways_of_contacts(ids_of(asked["contact"]))
    return [way.narrowed(asked, but="contact") for way in ways]


def of_words(asked: dict[str, Any]) -> list[Way]:
    """Where there is one word: several have to stand in the same transaction."""
    words = words_of(asked)
    ways = ways_of_word(words[0]) if len(words) == 1 else []
    return [way.narrowed(asked, but="q") for way in ways]


def ways_of_contacts(contacts: Any) -> list[Way]:
    """Through the contact of its own, and through each address of the contacts."""
    if not is_some(contacts):
        return []
    addresses = Address.objects.filter(contact__in=contacts)
    found = list(addresses.order_by().values_list("pk", flat=True)[: MAX_WAYS + 1])
    own = Way(TRANSACTIONS, TRANSACTIONS.has(contact__in=contacts))
    has_none = ENTRIES.has(contact__isnull=True)
    if len(found) > MAX_WAYS:
        theirs = Q(counterparty__contact__in=contacts) & has_none
        return [own, Way(TRANSACTIONS, by_address(TRANSACTIONS, addresses), theirs)]
    return [own, *(Way(ENTRIES, Q(counterparty=pk) & has_none) for pk in found)]


def ways_of_word(word: Word) -> list[Way]:
    """Each place where the word can stand."""
    ways = [Way(TRANSACTIONS, one) for one in own_texts(TRANSACTIONS, word.text)]
    if is_some(word.labels):
        ways.append(Way(TRANSACTIONS, has_label(TRANSACTIONS, word.labels)))
    ways += ways_of_contacts(word.contacts)
    if isinstance(word.addresses, list) and len(word.addresses) <= MAX_WAYS:
        ways += [Way(ENTRIES, Q(counterparty=pk)) for pk in word.addresses]
        ways += [Way(ENTRIES, Q(wallet=pk)) for pk in word.wallets]
    else:
        ways.append(Way(TRANSACTIONS, has_entry(TRANSACTIONS, is_at(word))))
    return ways


def at_addresses(addresses: list[int]) -> list[Q]:
    """Entries to and from each address, and those of the wallet that it is."""
    found = []
    for pk in addresses:
        ours = Subquery(Wallet.objects.filter(address=pk).order_by().values("pk"))
        found += [Q(counterparty=pk), Q(wallet=ours)]
    return found


def ids_of(terms: list[Term]) -> list[int]:
    """What a filter names; nothing where `none` will do as well."""
    named = [term.found for term in wanted(terms)]
    return [] if None in named else [pk for ids in named for pk in ids]


def words_of(asked: dict[str, Any]) -> list[Word]:
    """All of which are asked for; none where one of several texts will do."""
    terms = wanted(asked["q"])
    return terms[0].found if len(terms) == 1 else []
