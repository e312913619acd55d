"""Sparrow's list of a wallet's transactions: Transactions, Export, as CSV.

`Value` is signed and net: what a spend paid as a fee is in it. An empty `Fee` of a spend is
unknown, as it is in files before 2023, which have none; of what came in it is the sender's. Times
are UTC since the header says so (April 2024), before they are local. Bitcoin amounts always have a
decimal point or comma, satoshis never, and newer headers name the unit. Source:
`WalletTransactions.java` in Sparrow's repository.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from transactions.imports.formats import cells
from transactions.imports.formats.cells import Unreadable, shown
from transactions.imports.formats.reader import Record, records
from transactions.imports.formats.wallets import OnceEach
from transactions.imports.rows import (
    AssetName,
    FileError,
    Movement,
    Options,
    Question,
    Reading,
    Rejected,
    Row,
    Table,
)

NETWORK = "bitcoin"
SATOSHIS = -8  # the power of ten that one is of a bitcoin
NATIVE = AssetName("native")
UNCONFIRMED = "Unconfirmed"
UNIT = r"(?: \((?P<unit>btc|sats)\))?"
# Our name for each column, and how Sparrow writes it.
COLUMNS = {
    "date": r"date(?P<is_utc> \(utc\))?",
    "label": r"label",
    "value": rf"value{UNIT}",
    "balance": rf"balance{UNIT}",
    "fee": rf"fee{UNIT}",
    "txid": r"txid",
}
MATCHERS = {name: re.compile(pattern, re.IGNORECASE).fullmatch for name, pattern in COLUMNS.items()}

_grouped = re.compile(r"-?[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+|(?:\.[0-9]{3})+)").fullmatch


def columns_of(header: tuple[str, ...]) -> dict[str, int]:
    """Our name of each column that is there -> its place."""
    return {
        name: place
        for place, title in enumerate(header)
        for name, matches in MATCHERS.items()
        if matches(title)
    }


class WalletFile:
    """The format itself."""

    name = "sparrow"
    title = "Sparrow transactions"

    def matches(self, header: tuple[str, ...]) -> bool:
        return columns_of(header).keys() >= {"date", "label", "value", "balance", "txid"}

    def questions(self, table: Table, options: Options) -> list[Question]:
        found = []
        if not options.wallet:
            text = "Which wallet is the file of? Give it the name that it has in Sparrow."
            found.append(Question("wallet", text))
        if not (_is_utc(table) or options.timezone):
            text = (
                "In which time zone was the file exported? This generation of it has the times "
                f"of the computer, such as {_first_time(table)}."
            )
            found.append(Question("timezone", text))
        return found

    def read(self, table: Table, options: Options) -> Reading:
        if options.network not in ("", NETWORK):
            raise FileError(f"Sparrow's wallets are on {NETWORK}, not on {options.network}.")
        if questions := self.questions(table, options):
            raise FileError(" ".join(question.text for question in questions))
        unit = _unit(table)
        zone = UTC if _is_utc(table) else options.timezone or UTC
        told = [f"Amounts are in {'satoshis' if unit == SATOSHIS else 'bitcoin'}."]
        complete = replace(options, network=NETWORK)
        return Reading(complete, _rows(table, unit, zone, options.brought_at), told)


def _is_utc(table: Table) -> bool:
    return any("(utc)" in title.casefold() for title in table.header)


def _lines(table: Table) -> Iterator[Record | Rejected]:
    """The records, without the remark on exchange rates at the end."""
    return (record for record in records(table) if not record.raw.startswith("#"))


def _first_time(table: Table) -> str:
    place = columns_of(table.header)["date"]
    times = (one.cells[place] for one in _lines(table) if isinstance(one, Record))
    return next((time for time in times if time != UNCONFIRMED), "")


def _unit(table: Table) -> int:
    """The power of ten of the amounts: as the header says, or as they are written."""
    place = columns_of(table.header)["value"]
    said = MATCHERS["value"](table.header[place])
    if said and said["unit"]:
        return SATOSHIS if said["unit"].casefold() == "sats" else 0
    values = [one.cells[place].strip() for one in _lines(table) if isinstance(one, Record)]
    if any(map(_has_decimals, values)):
        return 0
    if any("." in value for value in values):
        example = next(value for value in values if "." in value)
        raise FileError(
            f"Values such as {cells.shown(example)} can be bitcoin or satoshis: a spreadsheet has "
            "written the file anew. Export it from Sparrow again, and import that."
        )
    return SATOSHIS


def _has_decimals(value: str) -> bool:
    """A mark before groups of three digits is none of a bitcoin amount, which has eight decimals:
    a spreadsheet has written satoshis so."""
    return ("," in value or "." in value) and not _grouped(value)


def _rows(table: Table, unit: int, zone: tzinfo, now: datetime) -> Iterator[Row | Rejected]:
    columns, once = columns_of(table.header), OnceEach()
    for record in _lines(table):
        if isinstance(record, Rejected):
            yield record
            continue
        line = {name: record.cells[place].strip() for name, place in columns.items()}
        try:
            once.check(line["txid"], record.line)
            yield _row(record, line, unit, zone, now)
        except Unreadable as problem:
            yield Rejected(record.line, record.raw, f"Line {record.line}: {problem}")


def _row(record: Record, line: dict[str, str], unit: int, zone: tzinfo, now: datetime) -> Row:
    is_pending = line["date"] == UNCONFIRMED
    value = _bitcoin(line["value"], "Value", unit)
    if value is None:
        raise Unreadable("Value is empty. Export the file again.")
    fee = _bitcoin(line.get("fee", ""), "Fee", unit) if value < 0 else None
    moved = cells.total([value, fee], "Value") if fee else value
    if moved > 0 > value:
        raise Unreadable(f"Fee {shown(line['fee'])} is more than Value {shown(line['value'])}.")
    label = cells.note_text(line["label"], "Label")
    is_label = len(label) <= cells.MAX_LABEL and "\n" not in label
    movements = [Movement(moved, NATIVE)]
    if fee:
        movements.append(Movement(fee.copy_negate(), NATIVE, "fee"))
    return Row(
        line=record.line,
        raw=record.raw,
        timestamp=now if is_pending else cells.time(line["date"], "Date", zone),
        movements=tuple(movements),
        network=NETWORK,
        txid=cells.wallet_txid(line["txid"], "Txid"),
        status="pending" if is_pending else "ok",
        type="self" if fee and not moved else "",
        labels=(cells.line_text(label, "Label", cells.MAX_LABEL),) if label and is_label else (),
        note="" if is_label else label,
    )


def _bitcoin(text: str, column: str, unit: int) -> Decimal | None:
    """Bitcoin; a comma before the decimals, which is one of Sparrow's settings, is a point."""
    if unit == 0 and "," in text and _grouped(text):
        raise Unreadable(
            f"{column} {shown(text)} is no amount of bitcoin, which has eight decimals: a "
            "spreadsheet has written it anew. Export the file again."
        )
    if unit == 0 and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    value = cells.number(text, column, thousands=unit != 0)
    if unit and ("." in text or (value and value % 1)):
        raise Unreadable(f"{column} {shown(text)} is no number of satoshis. Export the file again.")
    # Satoshis are few enough for any precision.
    return value.scaleb(unit) if value else value


WALLET = WalletFile()
