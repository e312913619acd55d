"""What a transaction must be to be asked for.

Each condition can be asked of a transaction, or of an entry about its transaction: a query may
begin with either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Abs
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from contacts.models import Address, Contact
from transactions.models import Entry, Label, Transaction, TransactionLabel, Wallet

MAX_IDS = 2_000  # of addresses, labels or contacts that are named one by one


@dataclass(frozen=True)
class Term:
    """One value of a filter, as typed and as understood.

    `found` is what the field made of it: ids, a choice or a text; None means `none`.
    """

    raw: str
    is_excluded: bool
    found: Any
    words: str


@dataclass(frozen=True)
class Root:
    """What a query begins with, and how its rows lead to the transaction."""

    model: type[Model]
    key: str  # the transaction's id
    prefix: str  # before the transaction's fields

    def has(self, **wanted: Any) -> Q:
        """A condition on the transaction's own fields."""
        return Q(**{f"{self.prefix}{name}": value for name, value in wanted.items()})

    def filter(self, condition: Q) -> QuerySet[Any]:
        return self.model._default_manager.filter(condition).order_by()


TRANSACTIONS = Root(Transaction, "pk", "")
ENTRIES = Root(Entry, "transaction_id", "transaction__")


def conditions(asked: dict[str, Any], root: Root, *, but: str = "") -> Q:
    """All that a filter asks for, `but` what the filter of this name does.

    `entry` is the name of all that is asked of one entry; what is excluded is asked in any case.
    """
    matches = during(asked["date_after"], asked["date_before"])
    matches &= no_excluded_entry(asked, root)
    if but != "entry":
        matches &= entry_matches(asked, root)
    for name, condition in CONDITIONS.items():
        matches &= any_of([] if name == but else wanted(asked[name]), root, condition)
        matches &= none_of(asked[name], root, condition)
    return matches


def names_of(asked: dict[str, Any]) -> set[str]:
    """The filters that are asked for."""
    return {name for name, terms in asked.items() if terms not in (None, [])}


def wanted(terms: list[Term]) -> list[Term]:
    return [term for term in terms if not term.is_excluded]


def any_of(terms: list[Term], root: Root, condition: Callable[[Root, Any], Q]) -> Q:
    return Q(*(condition(root, term.found) for term in terms), _connector=Q.OR)


def none_of(terms: list[Term], root: Root, condition: Callable[[Root, Any], Q]) -> Q:
    return Q(*(~condition(root, term.found) for term in terms if term.is_excluded))


def during(first: Any, last: Any) -> Q:
    """Inclusive UTC days; entries have the transaction's time."""
    condition = Q()
    if first:
        condition &= Q(timestamp__gte=datetime.combine(first, time(), UTC))
    if last and last.year < 9999:
        condition &= Q(timestamp__lt=datetime.combine(last + timedelta(days=1), time(), UTC))
    return condition


# --- Of one entry ---------------------------------------------------------------------------------


def entries_of(root: Root) -> QuerySet[Entry]:
    return Entry.objects.filter(transaction=OuterRef(root.key))


# What one entry must be, for each filter that asks about entries.
ENTRY_CONDITIONS: dict[str, Callable[[Any], Q]] = {
    "wallet": lambda ids: Q(wallet__in=ids),
    "asset": lambda ids: Q(asset__in=ids),
    "address": lambda ids: (
        Q(counterparty__in=ids) | Q(wallet__in=Wallet.objects.filter(address__in=ids))
    ),
    "direction": lambda way: (
        Q(kind="transfer") & (Q(amount__gt=0) if way == "in" else Q(amount__lt=0))
    ),
}


def one_entry(asked: dict[str, Any], *, but: str = "") -> Q:
    """What one and the same entry must be, `but` what the filter of this name asks for."""
    condition = amount_within(asked["amount_min"], asked["amount_max"])
    for name in ENTRY_CONDITIONS:
        terms = wanted(asked[name]) if name != but else []
        condition &= Q(*(entry_is(name, term) for term in terms), _connector=Q.OR)
    return condition


def can_be_without(asked: dict[str, Any]) -> bool:
    """Whether a transaction without any entry will do: it has no wallet, asset or address."""
    if amount_within(asked["amount_min"], asked["amount_max"]):
        return False
    terms = [wanted(asked[name]) for name in ENTRY_CONDITIONS if wanted(asked[name])]
    return all(any(term.found is None for term in of_one) for of_one in terms)


def entry_matches(asked: dict[str, Any], root: Root) -> Q:
    """One entry that meets every condition on entries."""
    condition = one_entry(asked)
    if not condition:
        return Q()
    matches = has_entry(root, condition)
    return matches | ~has_entry(root, Q()) if can_be_without(asked) else matches


def no_excluded_entry(asked: dict[str, Any], root: Root) -> Q:
    matches = Q()
    for name in ENTRY_CONDITIONS:
        for term in asked[name]:
            if term.is_excluded and term.found is None:
                matches &= has_some(root, name)
            elif term.is_excluded:
                matches &= ~has_entry(root, entry_is(name, term))
    return matches


class Probe(Exists):
    """Looked up row by row: PostgreSQL does not first collect all that there are, which takes
    longer than a page where those are many."""

    template = "EXISTS(%(subquery)s OFFSET 0)"


def has_entry(root: Root, condition: Q, exists: type[Exists] = Exists) -> Q:
    return Q(exists(entries_of(root).filter(condition)))


def has_some(root: Root, name: str) -> Q:
    """An entry with a `name`: each has a wallet and an asset, but not always an address."""
    return has_entry(root, Q(counterparty__isnull=False) if name == "address" else Q())


def entry_is(name: str, term: Term) -> Q:
    if term.found is not None:
        return ENTRY_CONDITIONS[name](term.found)
    if name == "address":
        with_address = Entry.objects.filter(
            transaction=OuterRef("transaction"), counterparty__isnull=False
        )
        return ~Q(Exists(with_address))
    return Q(pk__in=[])


def amount_within(least: Decimal | None, most: Decimal | None) -> Q:
    """Absolute amounts of movements; fees are left out."""
    condition = Q(kind="transfer") if least is not None or most is not None else Q()
    if least is not None:
        condition &= Q(GreaterThanOrEqual(Abs("amount"), Value(least)))
    if most is not None:
        condition &= Q(LessThanOrEqual(Abs("amount"), Value(most)))
    return condition


# --- Of the transaction ---------------------------------------------------------------------------


def has_label(root: Root, labels: Any) -> Q:
    on_it = TransactionLabel.objects.filter(transaction=OuterRef(root.key))
    return ~Q(Exists(on_it)) if labels is None else Q(Exists(on_it.filter(label__in=labels)))


def has_contact(root: Root, contacts: Any) -> Q:
    """A person's choice counts first; without one, the contacts of the entries' addresses."""
    if contacts is None:
        theirs = has_entry(root, Q(counterparty__contact__isnull=False))
        return root.has(contact__isnull=True) & ~theirs
    return root.has(contact__in=contacts) | by_address(
        root, Address.objects.filter(contact__in=contacts)
    )


def by_address(root: Root, addresses: Any) -> Q:
    """With the contact of one of these addresses, which no contact of its own overrides."""
    is_one_of_many = root is ENTRIES and not isinstance(addresses, list)
    at_one = has_entry(root, Q(counterparty__in=addresses), Probe if is_one_of_many else Exists)
    return root.has(contact__isnull=True) & at_one


@dataclass(frozen=True)
class Word:
    """A word, and the labels, contacts, addresses and wallets that have it: ids, or where there
    are too many to name a query of them."""

    text: str
    labels: Any
    contacts: Any
    addresses: Any
    wallets: Any


# So many characters are looked up in the index, which takes longer with each; few addresses have
# them, and those are looked at.
LOOKED_FOR = 16
LOOKED_UP = """
    (SELECT 'labels', id FROM transactions_label
        WHERE UPPER(name::text) LIKE UPPER(%(pattern)s) LIMIT %(limit)s)
    UNION ALL (SELECT 'contacts', id FROM contacts_contact
        WHERE length(name) >= %(least)s AND UPPER(name::text) LIKE UPPER(%(pattern)s)
        LIMIT %(limit)s)
    UNION ALL (SELECT 'addresses', id FROM contacts_address
        WHERE UPPER(value::text) LIKE UPPER(%(beginning)s)
            AND position(UPPER(%(text)s) IN UPPER(value::text)) > 0 LIMIT %(limit)s)
    UNION ALL (SELECT 'wallets', wallet.id
        FROM contacts_address address JOIN transactions_wallet wallet
        ON wallet.address_id = address.id
        WHERE UPPER(address.value::text) LIKE UPPER(%(pattern)s) LIMIT %(limit)s)
"""


def looked_up(text: str) -> Word:
    """Where the word stands; `UPPER` as in the indexes of its parts, and in what Django asks."""
    # A letter may be three in capitals. Most names are shorter than a txid, and are not looked at.
    told: dict[str, str | int] = {"text": text, "limit": MAX_IDS + 1, "least": len(text) // 3}
    for name, part in (("pattern", text), ("beginning", text[:LOOKED_FOR])):
        told[name] = f"%{connection.ops.prep_for_like_query(part)}%"
    with connection.cursor() as cursor:
        cursor.execute(LOOKED_UP, told)
        rows = cursor.fetchall()
    ids: dict[str, list[int]] = {"labels": [], "contacts": [], "addresses": [], "wallets": []}
    for kind, pk in rows:
        ids[kind].append(pk)
    known = {
        kind: found if len(found) <= MAX_IDS else all_with(kind, text)
        for kind, found in ids.items()
    }
    return Word(text, **known)


def all_with(kind: str, text: str) -> QuerySet[Any]:
    """A query of the ids of all, of this kind, that have the word."""
    rows: dict[str, QuerySet[Any]] = {
        "labels": Label.objects.filter(name__icontains=text),
        "contacts": Contact.objects.filter(name__icontains=text),
        "addresses": Address.objects.filter(value__icontains=text),
        "wallets": Wallet.objects.filter(address__value__icontains=text),
    }
    return rows[kind].order_by().values("pk")


def own_texts(root: Root, text: str) -> list[Q]:
    """The id begins with the word, in capitals or small letters too, or the note has it."""
    small, written = text.lower(), sorted({text, text.lower(), text.upper()})
    txids = {text, small} if small.startswith("0x") else {*written, f"0x{small}"}
    begins = [root.has(external_id__startswith=one) for one in written]
    begins += [root.has(txid__startswith=one) for one in sorted(txids)]
    # Notes alone are in the index of their parts.
    noted = ~root.has(note="") & root.has(note__icontains=text)
    return [Q(*begins, _connector=Q.OR), noted]


def has_word(root: Root, word: Word) -> Q:
    """The word stands somewhere: in the id, a note, a label, a contact or an address."""
    matches = Q(*own_texts(root, word.text), _connector=Q.OR)
    if is_some(word.contacts):
        matches |= has_contact(root, word.contacts)
    if is_some(word.labels):
        matches |= has_label(root, word.labels)
    if is_some(word.addresses):
        matches |= has_entry(root, is_at(word))
    return matches


def is_some(found: Any) -> bool:
    """Whether a word was found in any; a query of too many is not asked for it."""
    return not isinstance(found, list) or bool(found)


def is_at(word: Word) -> Q:
    """An entry at an address that has the word: of too many, each entry's own is looked at."""
    other = Q(counterparty__in=word.addresses)
    own = Q(wallet__in=word.wallets)
    if not isinstance(word.addresses, list):
        other = Q(counterparty__value__icontains=word.text)
    if not isinstance(word.wallets, list):
        own = Q(wallet__address__value__icontains=word.text)
    return other | own


def says(root: Root, words: list[Word]) -> Q:
    """Every word stands somewhere."""
    return Q(*(has_word(root, word) for word in words))


# What a transaction must be, for each filter that asks about it as a whole.
CONDITIONS: dict[str, Callable[[Root, Any], Q]] = {
    "type": lambda root, found: root.has(type=found),
    "status": lambda root, found: root.has(status=found),
    "label": has_label,
    "contact": has_contact,
    "q": says,
}
