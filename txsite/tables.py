"""What every list shares: its order with a tie-break, keyset pages, and its column heads.

A page is a place in an ordering, not a number: `cursor` names the row before or after it,
so rows that are inserted or deleted meanwhile are neither skipped nor repeated.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import urlencode

import django_tables2
from django import forms
from django.db.models import Expression, F, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.http import QueryDict
from django.utils.html import conditional_escape, escape, strip_tags
from django.utils.safestring import SafeString, mark_safe

PER_PAGE = 50
MAX_PER_PAGE = 200
MAX_CURSOR = 2_000
MAX_COUNT = 10_000  # up to which a list is counted unasked
MAX_ID = 2**63 - 1

LAST = "last"

Kind = Literal["time", "text", "number"]
Thing = TypeVar("Thing")
READ_CURSOR = "The place in the list cannot be read. Start again at the first page."


@dataclass(frozen=True)
class Ordering:
    """One thing that a list can be sorted by; ties are broken by `then`, a time, and the id.

    `expression` is never null, and short enough to stand in a URL.
    """

    expression: Expression | F
    kind: Kind
    newest_first: bool = False  # what the first click on the column head gives
    then: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        return ("sort_value", self.then, "pk") if self.then else ("sort_value", "pk")


def literal(name: str) -> str:
    """A name as a filter takes it: `-`, `=` and `none` have a meaning of their own."""
    return f"={name}" if name.startswith(("-", "=")) or name.lower() == "none" else name


class CursorError(ValueError):
    """The cursor is not one that this list gave out; the message is for people."""


@dataclass(frozen=True)
class Place:
    """Where a page starts: after or before a (sort value, time where that counts, id)."""

    forward: bool
    value: Any = None
    pk: int | None = None  # None with a value: before every row of this value
    then: datetime | None = None

    @property
    def values(self) -> tuple[Any, ...]:
        # A day is the place before all rows of its first moment; ids begin at 1.
        last = self.pk or 0
        return (self.value, last) if self.then is None else (self.value, self.then, last)


@dataclass(frozen=True)
class Page:
    """The rows of a page, in order, and the cursors of its neighbours.

    `rest` is what else the list's URL holds, as a query.
    """

    rows: list[Any]
    previous: str | None
    next: str | None
    rest: str = ""

    @property
    def links(self) -> dict[str, str]:
        """The first and the last page of the list, and those beside this one."""
        begin = f"?{self.rest}&" if self.rest else "?"
        cursors = {"previous": self.previous, "next": self.next, "last": LAST}
        links = {name: f"{begin}cursor={cursor}" for name, cursor in cursors.items()}
        return {"first": f"?{self.rest}", **links}


@dataclass(frozen=True)
class RowCount:
    """How many rows a list has; `number` at least, where they were not all counted."""

    number: int
    is_exact: bool = True

    @classmethod
    def of(cls, rows: "Rows", limit: int | None = MAX_COUNT) -> "RowCount":
        """All, or with a `limit` so many as take no time."""
        number = rows.count(None if limit is None else limit + 1)
        if limit is None or number <= limit:
            return cls(number)
        return cls(limit, is_exact=False)


def encode(sort: str, ordering: Ordering, forward: bool, row: Any) -> str:
    """The cursor of the place after (or before) a row that has `sort_value`."""
    value = row.sort_value
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    then = [getattr(row, ordering.then).isoformat()] if ordering.then else []
    told = [sort, "n" if forward else "p", text, row.pk, *then]
    packed = json.dumps(told, separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def decode(cursor: str, sort: str, ordering: Ordering) -> Place:
    """The place that a cursor names: `last`, a day in a list by time, or one given out."""
    if cursor == LAST:
        return Place(forward=False)
    descending = sort.startswith("-")
    try:
        day = date.fromisoformat(cursor)
    except ValueError:
        return decode_given_out(cursor, sort, ordering)
    if ordering.kind != "time":
        raise CursorError("Jumping to a day needs the list sorted by time.")
    return Place(forward=True, value=start_of(day, after=descending))


def start_of(day: date, *, after: bool) -> datetime:
    """The first moment of a UTC day, or with `after` the first one after it."""
    try:
        return datetime.combine(day + timedelta(days=1 if after else 0), time(), UTC)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def decode_given_out(cursor: str, sort: str, ordering: Ordering) -> Place:
    try:
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        of_sort, direction, text, pk, *times = json.loads(packed.decode())
        value = parse_value(text, ordering.kind)
        then = [parse_value(one, "time") for one in times]
    except (TypeError, ValueError, binascii.Error, InvalidOperation, RecursionError):
        raise CursorError(READ_CURSOR) from None
    if type(pk) is not int or not 0 <= pk <= MAX_ID or direction not in ("n", "p"):
        raise CursorError(READ_CURSOR)
    if of_sort != sort:
        raise CursorError("This place belongs to another sort order. Start at the first page.")
    if len(then) != bool(ordering.then):
        raise CursorError(READ_CURSOR)
    return Place(direction == "n", value, pk, *then)


def parse_value(text: Any, kind: Kind) -> Any:
    """The sort value that a cursor carries as text; ValueError when it is none."""
    if not isinstance(text, str) or "\0" in text:
        raise ValueError(text)
    text.encode()  # a lone surrogate is no text
    if kind == "time":
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        return moment.astimezone(UTC) if 1 < moment.year < 9999 else moment.replace(tzinfo=UTC)
    if kind == "number":
        number = Decimal(text)
        if not number.is_finite() or abs(number.adjusted()) > 120:
            raise ValueError(text)
        return number
    return text


class Rows(Protocol):
    """What a page is read of: rows that have their id as `pk` and their `sort_value`."""

    def first(
        self, ordering: Ordering, place: Place | None, *, ascending: bool, limit: int
    ) -> list[Any]:
        """The first ones beyond the place, in order; ties by the id."""

    def count(self, limit: int | None) -> int:
        """How many there are; with a `limit`, counted up to that."""


@dataclass(frozen=True)
class QuerySetRows:
    """Rows of a model, as they are."""

    queryset: QuerySet

    def first(
        self, ordering: Ordering, place: Place | None, *, ascending: bool, limit: int
    ) -> list[Any]:
        rows = self.queryset.annotate(sort_value=ordering.expression)
        if place is not None and place.value is not None:
            rows = rows.filter(beyond(place, ordering.key, ascending=ascending))
        key = ordering.key if ascending else [f"-{name}" for name in ordering.key]
        return list(rows.order_by(*key)[:limit])

    def count(self, limit: int | None) -> int:
        return self.queryset.order_by()[:limit].count()


def read_page(rows: Rows, sort: str, ordering: Ordering, place: Place | None, size: int) -> Page:
    """The page of so many `rows` at `place` (None: the first), in one query; a day takes two.

    `sort` is the name of the ordering, with a leading `-` when descending.
    """
    forward = place is None or place.forward
    ascending = sort.startswith("-") != forward
    found = rows.first(ordering, place, ascending=ascending, limit=size + 1)
    more = len(found) > size
    found = found[:size]
    if not found and place is not None:
        # Nothing lies beyond the place any more: the end of the list is the answer there.
        return Page([], LAST, None) if forward else read_page(rows, sort, ordering, None, size)
    if place is None or place.value is None:
        behind = False
    elif place.pk is None:
        behind = bool(rows.first(ordering, place, ascending=not ascending, limit=1))
    else:
        behind = True  # the row that the cursor was taken from
    if not forward:
        found.reverse()
    has_previous, has_next = (behind, more) if forward else (more, behind)
    return Page(
        found,
        encode(sort, ordering, False, found[0]) if has_previous else None,
        encode(sort, ordering, True, found[-1]) if has_next else None,
    )


def beyond(place: Place, key: Sequence[str], *, ascending: bool) -> Expression:
    """Rows after the place in an order by these fields, of which the last is the id."""
    lookup = TupleGreaterThan if ascending else TupleLessThan
    return lookup(Tuple(*map(F, key)), place.values)


class FixedField(forms.Field):
    """A field that nothing changes, so that each form need not copy it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "FixedField":
        return self


class TextField(FixedField, forms.CharField):
    pass


class NumberField(FixedField, forms.IntegerField):
    pass


class ChoiceField(FixedField, forms.ChoiceField):
    pass


class ListForm(forms.Form):
    """What every list's URL may hold beside its filters: `sort`, `per_page`, `cursor`, `count`.

    `known` are the filters' names: any other parameter is an error, and so is a second value
    for those of them in `once`. `unavailable` says of orderings that need something of the
    filter what that is.
    """

    sort = TextField(required=False, max_length=50)
    per_page = NumberField(required=False, min_value=1, max_value=MAX_PER_PAGE)
    cursor = TextField(required=False, max_length=MAX_CURSOR)
    count = ChoiceField(required=False, choices=[("exact", "exact")])
    # Of every page, and answered before the list is asked.
    min_revision = TextField(required=False)

    def __init__(
        self,
        query: QueryDict,
        orderings: Mapping[str, Ordering],
        default: str,
        known: Iterable[str] = (),
        once: Iterable[str] = (),
        unavailable: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(query)
        self.query, self.orderings, self.default = query, orderings, default
        self.known, self.once = set(known), [*self.fields, *once]
        self.unavailable = unavailable or {}

    def clean_sort(self) -> str:
        sort = self.cleaned_data["sort"] or self.default
        if sort.removeprefix("-") in self.unavailable:
            raise forms.ValidationError(self.unavailable[sort.removeprefix("-")])
        if sort.removeprefix("-") not in self.orderings:
            names = ", ".join(self.orderings)
            raise forms.ValidationError(f"The list cannot be sorted by “{sort}”, only by {names}.")
        return sort

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in self.query:
            if name not in self.known and name not in self.fields:
                self.add_error(None, f"There is no filter “{name[:100]}”. Remove it.")
        for name in self.once:
            if len(self.query.getlist(name)) > 1:
                field = name if name in self.fields else None
                self.add_error(field, f"“{name}” is given more than once. Keep one.")
        if "sort" in cleaned and cleaned.get("cursor"):
            self.clean_place(cleaned)
        return cleaned

    def clean_place(self, cleaned: dict[str, Any]) -> None:
        sort = cleaned["sort"]
        try:
            cleaned["place"] = decode(
                cleaned["cursor"], sort, self.orderings[sort.removeprefix("-")]
            )
        except CursorError as error:
            self.add_error("cursor", str(error))

    @property
    def per_page_value(self) -> int:
        return self.cleaned_data["per_page"] or PER_PAGE

    @property
    def ordering(self) -> Ordering:
        return self.orderings[self.cleaned_data["sort"].removeprefix("-")]

    def page(self, rows: QuerySet | Rows) -> Page:
        """The page that the URL asks for; only after `is_valid()`."""
        rows = QuerySetRows(rows) if isinstance(rows, QuerySet) else rows
        sort, place = self.cleaned_data["sort"], self.cleaned_data.get("place")
        page = read_page(rows, sort, self.ordering, place, self.per_page_value)
        return replace(page, rest=self.without("cursor"))

    def without(self, *names: str) -> str:
        """The URL's query but for these parameters."""
        pairs = ((name, values) for name, values in self.query.lists() if name not in names)
        return urlencode(list(pairs), doseq=True)


def shallow(thing: Thing) -> Thing:
    """As `copy` makes it, which takes five times as long."""
    copied = object.__new__(type(thing))
    copied.__dict__.update(thing.__dict__)
    return copied


class FixedColumn(django_tables2.Column):
    """A column that nothing changes, so that each table need not copy all of it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "FixedColumn":
        return shallow(self)


class ListTable(django_tables2.Table):
    """A table whose order and page are its queryset's: it only declares and draws columns.

    A column that can be sorted names its ordering in `attrs={"th": {"data-sort": …}}`.
    """

    def __init__(self, rows: list[Any], place: ListForm | None = None, **kwargs: Any) -> None:
        """`place` is what was asked for of the list; without it the table cannot be sorted."""
        super().__init__(rows, orderable=False, **kwargs)
        self.place = place
        self.titles = {one.name: conditional_escape(one.header) for one in self.columns}

    def body(self) -> SafeString:
        """The rows, as `cells` of the columns draw them."""
        heads = {name: self.cell_head(name) for name in self.titles}
        rows = []
        for row in self.rows:
            attributes = "".join(
                f' {name}="{escape(str(value))}"'
                for name, value in row.attrs.items()
                if name != "class"
            )
            cells = "".join(
                f"{heads[column.name]}{conditional_escape(cell)}</td>\n"
                for column, cell in row.items()
            )
            rows.append(f"<tr{attributes}>\n{cells}</tr>")
        return mark_safe("".join(rows))  # noqa: S308 (every value is escaped)

    def cell_head(self, name: str) -> str:
        """The beginning of each cell of a column, with its title for narrow screens."""
        title = self.titles[name]
        if "<" in title:
            title = escape(strip_tags(title))
        return f'<td class="col-{name}" data-title="{title}">'

    def head(self) -> SafeString:
        """The column heads; a click asks for the same list in another order."""
        rest = self.place.without("sort", "cursor") if self.place is not None else ""
        link = f"?{rest}&" if rest else "?"
        heads = (self.head_of(column, link) for column in self.columns)
        return mark_safe("".join(heads))  # noqa: S308 (every value is escaped)

    def head_of(self, column: Any, link: str) -> str:
        begin = f'<th scope="col" class="col-{column.name}"'
        title = self.titles[column.name]
        name = column.column.attrs.get("th", {}).get("data-sort", "")
        if self.place is None or name not in self.place.orderings:
            return f"{begin}>{title}</th>\n"
        sort = self.place.cleaned_data.get("sort", "")
        order, turned = "none", f"{'-' * self.place.orderings[name].newest_first}{name}"
        if sort.removeprefix("-") == name:
            descending = sort.startswith("-")
            order = "descending" if descending else "ascending"
            turned = f"{'' if descending else '-'}{name}"
        return (
            f'{begin} aria-sort="{order}"><a href="{escape(link)}sort={turned}" rel="nofollow">'
            f"{title}</a></th>\n"
        )
