"""The list's filters: read from the URL, and told in words.

Each value of a filter is a `Term`. A repeated parameter means any of its values, a leading
`-` excludes every transaction that has such an entry, label or contact, a leading `=` takes
the rest literally, and `none` means "has none". All conditions on entries hold for one and
the same entry.
"""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import django_filters
from django import forms
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Left, Lower
from django.http import QueryDict
from django.utils.functional import cached_property

from contacts.addresses import AddressError, families_of, normalise, recognise
from contacts.models import Address, Contact
from transactions.conditions import TRANSACTIONS, Term, conditions, looked_up, names_of
from transactions.models import (
    MAX_DECIMALS,
    MAX_INTEGER_DIGITS,
    Asset,
    Label,
    Status,
    Transaction,
    TransactionType,
    Wallet,
)
from transactions.ways import SumRows, TimeRows, by_time, moved
from txsite.tables import FixedField, ListForm, Ordering, QuerySetRows, Rows, shallow

MAX_VALUES = 50
MAX_LENGTH = 200
MAX_WORDS = 20
MAX_TOLD = 8_000  # characters of a query string, as long as servers take them
NONE = "none"

ORDERINGS = {
    "time": Ordering(F("timestamp"), "time", newest_first=True),
    "type": Ordering(F("type"), "text", then="timestamp"),
    "status": Ordering(F("status"), "text", then="timestamp"),
    "note": Ordering(Lower(Left("note", 100)), "text"),
}
SUM_KINDS = {"amount": "transfer", "fee": "fee"}  # the orders by a sum, and of which entries


class TermsWidget(forms.TextInput):
    """Reads every value that the URL has for a name."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return [value for value in data.getlist(name) if value.strip()]


class TermsField(FixedField):
    """Several values of one filter; `find` turns the text of each into what is looked for.

    `find` raises ValidationError with words for the person who typed the text; a text after
    `=` goes to `find_literal` where the filter has one.
    """

    widget = TermsWidget

    def __init__(
        self,
        find: Callable[[str], Any],
        *,
        find_literal: Callable[[str], Any] | None = None,
        has_none: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.find, self.find_literal, self.has_none = find, find_literal, has_none

    def clean(self, values: list[str]) -> list[Term]:
        if len(values) > MAX_VALUES:
            raise forms.ValidationError(f"At most {MAX_VALUES} values, not {len(values)}.")
        return [self.term(value) for value in values]

    def term(self, raw: str) -> Term:
        if len(raw) > MAX_LENGTH:
            raise forms.ValidationError(
                f"At most {MAX_LENGTH} characters, not {len(raw):,}. Shorten it."
            )
        ProhibitNullCharactersValidator()(raw)
        text = unicodedata.normalize("NFC", raw).strip()
        is_excluded = text.startswith("-")
        text = text.removeprefix("-").strip()
        if self.has_none and text.lower() == NONE:
            return Term(raw, is_excluded, None, NONE)
        is_literal = text.startswith("=")
        text = text.removeprefix("=").strip()
        if not text:
            raise forms.ValidationError(f"“{raw}” says nothing to look for.")
        find = self.find_literal if is_literal and self.find_literal else self.find
        return Term(raw, is_excluded, find(text), text)


class WordsField(TermsField):
    """Texts to search for, each a list of words."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(lambda text: [looked_up(word) for word in text.split()], **kwargs)

    def clean(self, values: list[str]) -> list[Term]:
        terms = super().clean(values)
        if sum(len(term.found) for term in terms) > MAX_WORDS:
            raise forms.ValidationError(f"At most {MAX_WORDS} words at once. Search for fewer.")
        return terms


class DayField(FixedField, forms.DateField):
    """A UTC day, written 2024-01-31."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            input_formats=["%Y-%m-%d"],
            widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
            error_messages={"invalid": "Write a day as 2024-01-31."},
            **kwargs,
        )


class AmountValueField(FixedField, forms.CharField):
    """An absolute amount: digits with a point, as exact as the ledger's."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_INTEGER_DIGITS + MAX_DECIMALS + 1, **kwargs)
        self.widget.attrs["inputmode"] = "decimal"

    def clean(self, value: Any) -> Decimal | None:
        text = super().clean(value)
        if not text:
            return None
        whole, _, decimals = text.partition(".")
        is_number = (whole + decimals).isascii() and (whole + decimals).isdigit()
        if not is_number or len(whole) > MAX_INTEGER_DIGITS or len(decimals) > MAX_DECIMALS:
            raise forms.ValidationError("Write an amount as 1234.56, without sign or spaces.")
        return Decimal(text)


def find_wallet(text: str) -> list[int]:
    wallets = Wallet.objects.named(text)
    for family in families_of(text):
        wallets |= Wallet.objects.filter(
            address__family=family, address__value=normalise(text, family)
        )
    return found_ids(wallets, f"No wallet has the name or address “{text}”.")


def find_asset(text: str) -> list[int]:
    if text.lower().startswith("id:"):
        number = text[3:]
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise forms.ValidationError(f"“{text}” is not an asset's number: write id:12.")
        return found_ids(Asset.objects.filter(pk=int(number)), f"There is no asset {number}.")
    return find_symbol(text)


def find_symbol(text: str) -> list[int]:
    return found_ids(Asset.objects.with_symbol(text), f"No asset has the symbol “{text}”.")


def find_address(text: str) -> list[int]:
    families = families_of(text)
    if not families:
        try:
            recognise(text)
        except AddressError as error:
            raise forms.ValidationError(str(error)) from None
    addresses = Q()
    for family in families:
        addresses |= Q(family=family, value=normalise(text, family))
    return list(Address.objects.filter(addresses).order_by().values_list("pk", flat=True))


def find_label(text: str) -> list[int]:
    return found_ids(Label.objects.named(text), f"No label is called “{text}”.")


def find_contact(text: str) -> list[int]:
    return found_ids(Contact.objects.named(text), f"No contact is called “{text}”.")


def found_ids(rows: QuerySet[Any], otherwise: str) -> list[int]:
    ids = list(rows.order_by().values_list("pk", flat=True))
    if not ids:
        raise forms.ValidationError(otherwise)
    return ids


def choice(choices: Iterable[tuple[str, str]]) -> Callable[[str], str]:
    """A `find` for one of a few words."""
    known = {value for value, _ in choices}

    def find(text: str) -> str:
        if text.lower() not in known:
            raise forms.ValidationError(f"“{text}” is none of {', '.join(sorted(known))}.")
        return text.lower()

    return find


class FixedFilter(django_filters.Filter):
    """A filter that nothing changes: its field is made once, and not copied for each list."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "FixedFilter":
        return shallow(self)


class TermsFilter(FixedFilter):
    """A filter whose value is a list of terms; `TransactionFilter` asks the question."""

    field_class: type[TermsField] = TermsField


class WordsFilter(TermsFilter):
    field_class: type[TermsField] = WordsField


class DayFilter(FixedFilter):
    field_class = DayField


class AmountFilter(FixedFilter):
    field_class = AmountValueField


DIRECTIONS = [("in", "In"), ("out", "Out")]


# Filters each of which has an index.
PLAIN = {"wallet", "asset", "address", "type", "status", "label"}
DAYS = {"date_after", "date_before"}


class TransactionFilter(django_filters.FilterSet):
    """Which transactions: every filter of `/transactions/`, with its order and place.

    `is_valid()` must be asked before `qs`: a bare `qs` of an invalid filter would be every row.
    """

    wallet = TermsFilter(find=find_wallet, has_none=True)
    address = TermsFilter(find=find_address, has_none=True)
    asset = TermsFilter(find=find_asset, find_literal=find_symbol, has_none=True)
    direction = TermsFilter(find=choice(DIRECTIONS))
    amount_min = AmountFilter(label="Amount from")
    amount_max = AmountFilter(label="Amount to")
    type = TermsFilter(find=choice(TransactionType.choices))
    status = TermsFilter(find=choice(Status.choices))
    label = TermsFilter(find=find_label, has_none=True)
    contact = TermsFilter(find=find_contact, has_none=True)
    date_after = DayFilter(label="From day")
    date_before = DayFilter(label="To day")
    q = WordsFilter(label="Search")

    class Meta:
        model = Transaction
        fields: list[str] = []

    def get_form_class(self) -> Any:
        return form_class()

    @property
    def qs(self) -> QuerySet[Transaction]:
        """The transactions; never those of a filter that could not be read."""
        if self.is_bound and not self.is_valid():
            return self.queryset.none()
        return super().qs

    def filter_queryset(self, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:
        return queryset.filter(conditions(self.form.cleaned_data, TRANSACTIONS))

    @property
    def asked(self) -> set[str]:
        """The names of the filters that narrow the list."""
        return names_of(self.form.cleaned_data)

    @property
    def looked_at(self) -> int:
        """How many conditions an index alone does not tell: each row has to be looked at."""
        names, asked = self.asked - DAYS, self.form.cleaned_data
        plain = {name for name in names & PLAIN if all(map(is_told, asked[name]))}
        return max(len(names) - 1, len(names - plain))

    @cached_property
    def by_time(self) -> TimeRows:
        """The same transactions in the order of time, found by what narrows them down."""
        return TimeRows(by_time(self.form.cleaned_data))

    def in_order(self, sort: str) -> Rows:
        """The same transactions for a list that is sorted by this."""
        name = sort.removeprefix("-")
        if name == "time":
            return self.by_time
        if name in SUM_KINDS:
            return SumRows(self.form.cleaned_data, one_asset(self)[0], SUM_KINDS[name])
        return QuerySetRows(self.qs)


@cache
def form_class() -> type[forms.Form]:
    """Made once: nothing of it depends on what is asked."""
    form: type[forms.Form] = super(TransactionFilter, TransactionFilter()).get_form_class()
    return form


def is_told(term: Term) -> bool:
    """Whether an index leads to what is asked for: it does not to all else, or to what has none."""
    return not term.is_excluded and term.found is not None


NEEDS_ONE_ASSET = "Sorting by amount or fee needs exactly one asset: filter by it first."


def list_form(query: QueryDict, filterset: TransactionFilter) -> ListForm:
    """The order and the place that the URL asks for.

    The list is sorted by amount (signed, fees left out) or by fee only within one asset,
    since amounts of different assets have no order.
    """
    assets = one_asset(filterset)
    by_asset = (
        {
            name: Ordering(moved(kind), "number", newest_first=name == "amount", then="timestamp")
            for name, kind in SUM_KINDS.items()
        }
        if assets
        else {}
    )
    return ListForm(
        query,
        {**ORDERINGS, **by_asset},
        default="-time",
        known=filterset.filters,
        once=[name for name, one in filterset.filters.items() if not isinstance(one, TermsFilter)],
        unavailable={} if assets else dict.fromkeys(SUM_KINDS, NEEDS_ONE_ASSET),
    )


def one_asset(filterset: TransactionFilter) -> list[int]:
    """The only asset that the filter asks for, as a list; empty when it is not only one."""
    terms = filterset.form.cleaned_data.get("asset", []) if filterset.is_valid() else []
    wanted = [term for term in terms if not term.is_excluded]
    if len(wanted) == 1 and wanted[0].found and len(wanted[0].found) == 1:
        return wanted[0].found
    return []


@dataclass(frozen=True)
class Part:
    """One part of a filter, in words, and the query string without it."""

    words: str
    without: str


WORDS = {
    "sort": "sorted by {}",
    "date_after": "from {}",
    "date_before": "to {}",
    "amount_min": "amount at least {}",
    "amount_max": "amount at most {}",
}


def told(query: QueryDict) -> list[Part]:
    """The filter in words, part by part; also of a filter that cannot be read, unless huge."""
    parts = [
        (name, value)
        for name in query
        if name not in ("per_page", "cursor", "count", "min_revision")
        and (name != "sort" or is_by_asset(query))
        for value in query.getlist(name)
        if value.strip()
    ]
    if len(parts) > MAX_VALUES or len(query.urlencode()) > MAX_TOLD:
        return []
    return [Part(in_words(name, value), without(query, name, value)) for name, value in parts]


def is_by_asset(query: QueryDict) -> bool:
    return query.get("sort", "").removeprefix("-") in SUM_KINDS


def in_words(name: str, value: str) -> str:
    text = value.strip()[:MAX_LENGTH]
    if name in WORDS:
        return WORDS[name].format(text)
    is_excluded = text.startswith("-")
    text = text.removeprefix("-").strip()
    if text.lower() == NONE and name in ("wallet", "address", "asset", "label", "contact"):
        return (
            f"has {'a' if name in ('wallet', 'label', 'contact') else 'an'} {name}"
            if is_excluded
            else f"no {name}"
        )
    title = "text" if name == "q" else name
    return f"{title} is {'not ' if is_excluded else ''}{text.removeprefix('=').strip()}"


def without(query: QueryDict, name: str, value: str) -> str:
    """The query string less one value of one parameter, from the first page."""
    rest = query.copy()
    values = rest.getlist(name)
    values.remove(value)
    rest.setlist(name, values)
    rest.pop("cursor", None)
    if name == "asset" and is_by_asset(rest):
        del rest["sort"]
    return "?" + rest.urlencode()
