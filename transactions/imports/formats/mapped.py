"""Any other table, by a mapping of its columns that a person has made.

A mapping says which column is the date, the amount and so on, how decimals and dates are written,
and of which header it is: a file with the same columns is read with it again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from transactions.imports.formats import cells
from transactions.imports.formats.accounts import (
    AccountFile,
    Context,
    Line,
    Told,
    move,
    swap,
)
from transactions.imports.rows import FileError

# Ours -> for people. An amount with a sign, or what was sent and what was received apart.
FIELDS = {
    "date": "Date and time",
    "amount": "Amount, with a sign",
    "currency": "Currency of the amount",
    "sent_amount": "Amount sent",
    "sent_currency": "Currency sent",
    "received_amount": "Amount received",
    "received_currency": "Currency received",
    "fee_amount": "Fee",
    "fee_currency": "Currency of the fee",
    "id": "Transaction’s id",
    "note": "Note",
    "labels": "Labels (separated by commas)",
    "wallet": "Account",
}
PAIRS = ("amount", "sent_amount", "received_amount", "fee_amount")
DECIMALS = {".": "1,234.56", ",": "1.234,56"}
DATE_ORDERS = {"": "2024-01-31, or as the file shows", "dmy": "31/01/2024", "mdy": "01/31/2024"}
PREFIX = "mapping:"


@dataclass(frozen=True)
class Mapping:
    """`columns` is field -> column, `header` the names of all columns of the file: others are not
    read by it. Empty where nobody said them."""

    name: str
    header: tuple[str, ...]
    columns: dict[str, str] = field(default_factory=dict)
    decimal: str = "."
    date_order: str = ""
    currency: str = ""  # of the amounts whose own is in no column, or in an empty cell

    def problems(self) -> list[str]:
        """What keeps it from reading a file, in sentences."""
        found = []
        names = {name.casefold() for name in self.header or self.columns.values()}
        unknown = [one for one in self.columns.values() if one.casefold() not in names]
        if not self.name.strip() or len(self.name) > 50 or not self.name.isprintable():
            found.append("Give the mapping a name of at most 50 characters.")
        if unknown:
            found.append(f"The file has no column {cells.shown(unknown[0])}.")
        if any(one not in FIELDS for one in self.columns):
            found.append(f"The fields are: {', '.join(FIELDS)}.")
        if self.decimal not in DECIMALS or self.date_order not in DATE_ORDERS:
            found.append("Choose how decimals and dates are written.")
        if len(self.currency) > cells.MAX_LABEL or not self.currency.isprintable():
            found.append(f"A currency has at most {cells.MAX_LABEL} characters, such as EUR.")
        if "date" not in self.columns:
            found.append("Say which column is the date.")
        if not set(PAIRS[:3]) & self.columns.keys():
            found.append("Say which column is the amount.")
        for pair in PAIRS:
            currency = pair.replace("amount", "currency")
            if pair in self.columns and currency not in self.columns and not self.currency:
                found.append(
                    f"Say which column is: {FIELDS[currency].lower()}; or in which currency all "
                    "amounts are."
                )
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "header": list(self.header),
            "columns": self.columns,
            "decimal": self.decimal,
            "date_order": self.date_order,
            "currency": self.currency,
        }


def mapping_of(document: Any) -> Mapping:
    """From JSON; FileError where it is none."""
    try:
        mapping = Mapping(
            str(document["name"]),
            tuple(map(str, document.get("header", ()))),
            {str(key): str(value) for key, value in document["columns"].items()},
            str(document.get("decimal", ".")),
            str(document.get("date_order", "")),
            str(document.get("currency") or "").strip(),
        )
    except (AttributeError, KeyError, TypeError):
        raise FileError(
            'A mapping is a JSON object such as {"name": "My bank", "columns": {"date": "Day", '
            '"amount": "Sum", "currency": "Unit"}}.'
        ) from None
    known = [one.name for one in fields(Mapping)]
    problems = mapping.problems()
    if unknown := [key for key in document if key not in known]:
        # A mistyped one would say nothing, and a number could be read as another.
        problems.append(f"A mapping has no {cells.shown(unknown[0])}, but {', '.join(known)}.")
    if problems:
        raise FileError(" ".join(problems))
    return mapping


def format_of(mapping: Mapping) -> AccountFile:
    """The format that reads files of this header."""
    column_of = {name: column.casefold() for name, column in mapping.columns.items()}

    def cell(line: Line, name: str) -> str:
        return line.get(column_of[name], "") if name in column_of else ""

    def unit(line: Line, name: str) -> str:
        return cell(line, name.replace("amount", "currency")) or mapping.currency

    def amount(line: Line, name: str) -> Decimal | None:
        column, currency = mapping.columns.get(name, name), unit(line, name)
        return cells.money(cell(line, name), column, currency, has_commas=mapping.decimal == ",")

    def received(line: Line) -> Decimal | None:
        value = amount(line, "received_amount")
        if value is not None and value < 0:
            column = mapping.columns["received_amount"]
            raise cells.Unreadable(
                f"{column} {cells.shown(f'{value:f}')} was received, and is negative. Write what "
                "went out in the column of what was sent."
            )
        return value

    def size(line: Line, name: str) -> Decimal | None:
        """What goes out is written with a minus or without."""
        value = amount(line, name)
        return value.copy_abs() if value is not None else None

    def read_line(line: Line, context: Context) -> Told:
        labels = {part.strip().casefold(): part.strip() for part in cell(line, "labels").split(",")}
        return Told(
            context.time(cell(line, "date"), mapping.columns["date"]),
            [
                *move(amount(line, "amount"), unit(line, "amount"), "The currency"),
                *swap(
                    received(line),
                    unit(line, "received_amount"),
                    size(line, "sent_amount"),
                    unit(line, "sent_amount"),
                    size(line, "fee_amount"),
                    unit(line, "fee_amount"),
                ),
            ],
            id=cell(line, "id"),
            note=cells.note_text(cell(line, "note"), "The note"),
            labels=tuple(
                cells.line_text(one, "A label", cells.MAX_LABEL) for one in labels.values() if one
            ),
            wallet=cell(line, "wallet"),
        )

    return AccountFile(
        f"{PREFIX}{mapping.name}",
        mapping.name,
        frozenset(name.casefold() for name in mapping.header or mapping.columns.values()),
        read_line,
        has_no_other=bool(mapping.header),
        wallet_columns=(column_of["wallet"],) if "wallet" in column_of else (),
        date_column=column_of["date"],
        is_utc=False,
        date_order=mapping.date_order,
    )


def formats_of(mappings: Iterable[Mapping]) -> tuple[AccountFile, ...]:
    return tuple(map(format_of, mappings))
