"""What the files of exchanges and portfolio programs have in common.

They are about accounts, not addresses: assets are known by the account's codes, and many lines
have no id, or one that a spreadsheet has rounded (`1.55983E+14`). Those get one from what they
moved and when, with their number among equal lines, so that genuine repeats stay apart and an
overlapping file adds nothing.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from transactions.imports.formats import cells
from transactions.imports.formats.cells import ZERO, Unreadable, shown
from transactions.imports.formats.reader import Line, Record, line_of, records, rows_of
from transactions.imports.rows import (
    AssetName,
    FileError,
    Movement,
    Options,
    Question,
    Reading,
    Rejected,
    Row,
    Status,
    Table,
)

_contract = re.compile(r"0[xX][0-9a-fA-F]{40}").fullmatch
_ruined = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+[0-9]+").fullmatch
_with_comma = re.compile(
    r"(?![1-9][0-9]{0,2},[0-9]{3}$)(?:[0-9]+|[1-9][0-9]{0,2}(?:\.[0-9]{3})+),[0-9]+"
).fullmatch
_with_point = re.compile(
    r"(?![1-9][0-9]{0,2}\.[0-9]{3}$)(?:[0-9]+|[1-9][0-9]{0,2}(?:,[0-9]{3})+)\.[0-9]+"
).fullmatch
_number_and_unit = re.compile(r"(\S+) (\S.*)").fullmatch


class Told(NamedTuple):
    """What one line tells. `id` is the source's own; `group` makes one where several lines are
    one transaction; with neither the line is known by what it moved, and when; but on a network by
    its `txid`."""

    timestamp: datetime
    movements: Sequence[Movement]
    id: str = ""
    group: str = ""
    type: str = ""
    note: str = ""
    labels: tuple[str, ...] = ()
    wallet: str = ""
    status: Status = "ok"
    network: str = ""
    txid: str = ""
    block: int | None = None
    contact: str = ""


@dataclass(frozen=True)
class Context:
    """What holds for all lines of a file."""

    zone: tzinfo
    date_order: str
    network: str = ""  # of lines that may be on one, and do not say which

    def time(self, text: str, column: str) -> datetime:
        with suppress(Unreadable):  # as most files write it, which leaves nothing open
            return cells.time(text, column, self.zone)
        if not self.date_order and cells.is_order_open([text]):
            raise Unreadable(
                f"{column} {shown(text)} can be two days. Write it like 2024-01-31 13:45:00."
            )
        order = self.date_order or cells.order_of([text])
        return cells.written_time(text, column, self.zone, order)


@dataclass(frozen=True)
class AccountFile:
    """A format: the columns that it has and lacks, and how one line is read.

    `account` is what the account is called unless a person names it; without one it is asked,
    where none of `wallet_columns` names it in some line. `date_column` is given where the time
    zone, or the order of day and month, may have to be asked for; of others that are not in UTC a
    person may say the zone. `columns` names the columns of
    a header that bears one name several times. `fitted` makes of the format what it is for one
    file, where that file's name or contents say more than its columns do; it may raise FileError.
    """

    name: str
    title: str
    needs: frozenset[str]
    read_line: Callable[[Line, Context], Told]
    lacks: frozenset[str] = frozenset()
    one_of: frozenset[str] = frozenset()  # and some of these
    has_no_other: bool = False  # columns than those that it needs
    account: str = ""
    wallet_columns: tuple[str, ...] = ()
    date_column: str = ""
    is_utc: bool = True
    zone: tzinfo | None = None  # another that the file itself names
    zone_varies: bool = False  # from file to file of one account
    columns: Callable[[tuple[str, ...]], tuple[str, ...]] = tuple
    passes_over: Callable[[Line], bool] = lambda line: False
    has_unique_ids: bool = False  # in the column `id`
    takes_network: bool = False  # that a person says for its lines
    date_order: str = ""
    told: tuple[str, ...] = ()  # what whoever imports the file should know of how it is read
    fitted: Callable[["AccountFile", Table], "AccountFile"] = lambda known, table: known

    def matches(self, header: tuple[str, ...]) -> bool:
        found = {name.casefold() for name in self.columns(header)}
        has_one = bool(found & self.one_of) or not self.one_of
        fits = found == self.needs if self.has_no_other else found >= self.needs
        return fits and has_one and not found & self.lacks

    @property
    def repeats_columns(self) -> bool:
        return self.columns is not tuple

    def questions(self, table: Table, options: Options) -> list[Question]:
        return self.fitted(self, table)._questions(table, options)

    def _questions(self, table: Table, options: Options) -> list[Question]:
        found = []
        if not (options.wallet or self.account or self._names_every_wallet(table)):
            found.append(Question("wallet", "Which account is the file of? Give it a name."))
        if self.date_column:
            found += self._questions_about_times(table, options)
        return found

    def _questions_about_times(self, table: Table, options: Options) -> list[Question]:
        times = [line[self.date_column] for line in self.lines(table) if line[self.date_column]]
        found = []
        if not (self.is_utc or self.zone or options.timezone):
            text = (
                "In which time zone are the times of the file? It does not say; the first is "
                f"{times[0] if times else 'missing'}."
            )
            found.append(Question("timezone", text))
        if cells.is_order_open(times) and not (options.date_order or self.date_order):
            example = next(time for time in times if cells.is_order_open([time]))
            text = f"Is {example} a day before a month, or a month before a day?"
            found.append(Question("date_order", text, ("dmy", "mdy")))
        return found

    def read(self, table: Table, options: Options) -> Reading:
        return self.fitted(self, table)._read(table, options)

    def _read(self, table: Table, options: Options) -> Reading:
        if questions := self._questions(table, options):
            raise FileError(" ".join(question.text for question in questions))
        order = options.date_order or self.date_order
        if self.date_column and not self.date_order:
            times = [line[self.date_column] for line in self.lines(table)]
            order = cells.order_of(times) or order
        network = options.network if self.takes_network else ""
        zone = UTC if self.is_utc else self.zone or options.timezone or UTC
        context = Context(zone, order, network)
        complete = replace(options, wallet=options.wallet or self.account, network=network)
        return Reading(complete, self._rows(table, context), list(self.told))

    def _names_every_wallet(self, table: Table) -> bool:
        lines = (line for line in self.lines(table) if not self.passes_over(line))
        return bool(self.wallet_columns) and all(
            any(line[name] for name in self.wallet_columns) for line in lines
        )

    def lines(self, table: Table) -> Iterator[Line]:
        columns = self.columns(table.header)
        return (line_of(one, columns) for one in records(table) if isinstance(one, Record))

    def _rows(self, table: Table, context: Context) -> Iterator[Row | Rejected]:
        seen: dict[str, int] = {}
        clocks: dict[int, str] = {}
        columns = self.columns(table.header)

        def read(record: Record) -> Row | None:
            line = line_of(record, columns)
            if self.passes_over(line):
                return None
            if self.has_unique_ids:  # also of a line that cannot be read
                seen.setdefault(line["id"], record.line)
            told = self.read_line(line, context)
            if _ruined(told.id or told.group):
                # A spreadsheet has rounded it, so that others have the same now.
                told = told._replace(id="", group="")
            if not (told.txid or told.id or told.group):
                date = line.get(self.date_column, "")
                clock_zone = UTC if self.zone_varies else context.zone
                clocks[record.line] = cells.clock_in(date, told.timestamp, clock_zone)
            if not told.movements:
                raise Unreadable("nothing moved: all amounts are empty or 0. Write what was moved.")
            return self._row(record, told, seen)

        return with_own_ids((row for row in rows_of(table, read) if row is not None), clocks)

    def _row(self, record: Record, told: Told, seen: dict[str, int]) -> Row:
        first = seen.get(told.id, record.line) if told.id else record.line
        if first != record.line:
            raise Unreadable(
                f"ID {shown(told.id)} was there in line {first} already, and one id is one "
                "transaction. Find out which is right, and give the other another id."
            )
        return Row(
            line=record.line,
            raw=record.raw,
            timestamp=told.timestamp,
            movements=tuple(told.movements),
            network=told.network,
            txid=told.txid,
            external_id="" if told.txid else cells.line_text(told.id, "The id") or told.group,
            wallet=cells.line_text(told.wallet, "The account"),
            status=told.status,
            type=told.type,
            note=told.note,
            labels=told.labels,
            block=told.block,
            contact=told.contact,
        )


def with_own_ids(
    rows: Iterable[Row | Rejected], clocks: dict[int, str]
) -> Iterator[Row | Rejected]:
    """Gives an id to those that have none; whichever end a file begins at, the same one.

    `clocks` tell what each such line's clock showed, and are taken out as they are used.
    """
    repeats: Counter[str] = Counter()
    for _, at_once in groupby(rows, lambda one: isinstance(one, Row) and one.timestamp):
        same = list(at_once)
        without = [one for one in same if isinstance(one, Row) and one.line in clocks]
        without.sort(key=lambda row: (row.type, row.note))
        ids = {row.line: own_id(row, clocks.pop(row.line), repeats) for row in without}
        for one in same:
            if isinstance(one, Row) and one.line in ids:
                one = replace(one, external_id=ids[one.line])
            yield one


def own_id(row: Row, clock: str, repeats: Counter[str]) -> str:
    """SHA-256 of what a row moved and when, by its own clock, and its number among equal ones of
    the file. Whoever corrects the time zone of a file does not count it twice."""
    moved = sorted(f"{one.kind} {one.amount:f} {one.asset.code}" for one in row.movements)
    canonical = "\x1f".join([clock, *moved])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"{row.wallet.casefold()} {digest}"
    repeats[key] += 1
    return f"row:{digest}#{repeats[key]}"


def coin(code: str, column: str) -> AssetName:
    """An asset by the code that the account has for it; a contract has no other name."""
    name = cells.line_text(code, column, cells.MAX_LABEL).upper()
    if not name:
        raise Unreadable(f"{column} is empty. Write which asset was moved.")
    return AssetName("code", name, symbol="" if _contract(code) else name)


def move(
    amount: Decimal | None, code: str, column: str, *, is_out: bool = False, is_fee: bool = False
) -> list[Movement]:
    """One movement; none where the amount is 0 or unknown. A fee, given as a cost, goes out."""
    if not amount:
        return []
    if is_out or is_fee:
        amount = amount.copy_negate()
    if is_fee and amount > 0:
        # What a source gives back of a fee is no fee.
        return [Movement(amount, coin(code, column))]
    return [Movement(amount, coin(code, column), "fee" if is_fee else "transfer")]


def swap(
    received: Decimal | None,
    received_code: str,
    sent: Decimal | None,
    sent_code: str,
    fee: Decimal | None,
    fee_code: str,
) -> list[Movement]:
    """What one line of both sides and a fee moved; each amount without its sign."""
    return [
        *move(sent, sent_code, "The currency of what was sent", is_out=True),
        *move(received, received_code, "The currency of what was received"),
        *move(fee, fee_code, "The currency of the fee", is_fee=True),
    ]


def amount_and_unit(text: str, column: str) -> tuple[Decimal | None, str]:
    """`2.00000000 ETH` in one cell; None where it is empty."""
    if not text:
        return None, ""
    found = _number_and_unit(text)
    if not found:
        raise Unreadable(f"{column} {shown(text)} is not an amount and its unit, as in 1.5 BTC.")
    return cells.number(found[1], column), found[2]


class Marks(NamedTuple):
    """Which marks a file's numbers have before their decimals, where one of them tells it; where
    some have the one and some the other, each has to tell its own."""

    has_commas: bool = False
    has_points: bool = False

    def amount(self, text: str, column: str) -> Decimal | None:
        if self.has_commas and (not self.has_points or _with_comma(text)):
            return cells.amount(cells.pointed(text, column), column)
        return cells.amount(text, column, thousands=self.has_points and not self.has_commas)


def marks_of(texts: Iterable[str]) -> Marks:
    """One number whose comma, or point, groups no thousands tells it of the whole file."""
    has_commas = has_points = False
    for text in texts:
        has_commas = has_commas or bool(_with_comma(text))
        has_points = has_points or bool(_with_point(text))
    return Marks(has_commas, has_points)


def nothing_moved(movements: Sequence[Movement]) -> list[Movement]:
    """What a failed line leaves of its movements: that it concerned the asset."""
    return [replace(movements[0], amount=ZERO, kind="transfer")] if movements else []
