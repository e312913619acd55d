"""Any other table, by a mapping of its columns that a person has made.

A mapping says which column is the date, the amount and so on, how decimals and dates are written,
and of which header it is: a file with the same columns is read with it again. A line with a
transaction's hash whose network is known is the transaction that other files know by that hash; any
other is one of a named account.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from functools import partial
from typing import Any

from contacts.networks import NETWORKS
from transactions.imports.formats import cells, generic
from transactions.imports.formats.accounts import (
    AccountFile,
    Context,
    Line,
    Told,
    coin,
    move,
    nothing_moved,
    swap,
)
from transactions.imports.formats.cells import ZERO, Unreadable, shown
from transactions.imports.formats.wallets import NETWORK_OF, asset_of, txid_of
from transactions.imports.rows import FileError, Movement, Status

# Ours -> for people. An amount with a sign, or what was sent and what was received apart.
FIELDS = {
    "date": "Date and time",
    "clock": "Time of day, if apart",
    "amount": "Amount, with a sign",
    "way": "In or out, if without a sign",
    "currency": "Currency of the amount",
    "sent_amount": "Amount sent",
    "sent_currency": "Currency sent",
    "received_amount": "Amount received",
    "received_currency": "Currency received",
    "fee_amount": "Fee",
    "fee_currency": "Currency of the fee",
    "type": "Type",
    "status": "Status",
    "txid": "Transaction’s hash (txid)",
    "network": "Network",
    "block": "Block",
    "counterparty": "Address of the other side",
    "contact": "Contact",
    "id": "Id in the account’s books",
    "note": "Note",
    "labels": "Labels (with commas)",
    "wallet": "Account, or your address",
}
PAIRS = ("amount", "sent_amount", "received_amount", "fee_amount")
DECIMALS = {".": "1,234.56", ",": "1.234,56"}
DATE_ORDERS = {"": "2024-01-31, or as the file shows", "dmy": "31/01/2024", "mdy": "01/31/2024"}
PREFIX = "mapping:"
# Words of tables of all kinds, for what we call otherwise.
IN = {
    *("in", "incoming", "received", "receive", "deposit", "credit", "buy", "+"),
    *("eingang", "erhalten", "einzahlung", "gutschrift", "haben", "kauf"),
}
OUT = {
    *("out", "outgoing", "sent", "send", "withdrawal", "withdraw", "debit", "sell", "-"),
    *("ausgang", "gesendet", "auszahlung", "lastschrift", "soll", "verkauf"),
}
TYPES = {
    **{type_: type_ for type_ in generic.TYPES},
    **generic.KOINLY_TYPES,
    **dict.fromkeys(("exchange", "swap", "convert", "conversion", "kauf", "verkauf"), "trade"),
    **dict.fromkeys(("sent", "outgoing", "out"), "send"),
    **dict.fromkeys(("received", "incoming", "in"), "receive"),
    **dict.fromkeys(("withdraw", "auszahlung"), "withdrawal"),
    **dict.fromkeys(("staking reward", "rewards"), "reward"),
    "einzahlung": "deposit",
    "gebühr": "fee",
    "transfer": "",  # of which its movements tell more
}
WORDS: dict[Status, tuple[str, ...]] = {
    "ok": (
        *("", "ok", "completed", "complete", "confirmed", "success", "successful", "succeeded"),
        *(
            "done",
            "executed",
            "filled",
            "settled",
            "credited",
            "finished",
            "abgeschlossen",
            "ausgeführt",
        ),
    ),
    "pending": ("pending", "processing", "unconfirmed", "confirming", "ausstehend"),
    "failed": (
        *("failed", "failure", "error", "rejected", "declined", "cancelled", "canceled"),
        *("expired", "reverted", "dropped", "fehlgeschlagen", "abgelehnt", "storniert"),
    ),
}
STATUSES = {word: status for status, words in WORDS.items() for word in words}


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


# By slug, name and ticker, and by the kind of token after which exchanges call them.
NETWORKS_CALLED = {
    **{_plain(ticker): slug for ticker, slug in NETWORK_OF.items() if slug in NETWORKS},
    **{_plain(network.name): slug for slug, network in NETWORKS.items()},
    **{_plain(slug): slug for slug in NETWORKS},
    "erc20": "ethereum",
    "trc20": "tron",
    "bep20": "bsc",
}


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
    network: str = ""  # of the lines whose own is so

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
        if self.network and self.network not in NETWORKS:
            found.append(f"The networks are: {', '.join(NETWORKS)}.")
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
            "network": self.network,
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
            str(document.get("network") or ""),
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


@dataclass(frozen=True, slots=True)
class MappedLine:
    """A line's cells by our names of them."""

    line: Line
    mapping: Mapping

    def __getitem__(self, name: str) -> str:
        column = self.mapping.columns.get(name)
        text = self.line[column.casefold()] if column else ""
        is_unknown = text in cells.UNKNOWN and name not in ("way", "note")
        return "" if is_unknown else text

    @property
    def when(self) -> str:
        return f"{self['date']} {self['clock']}".strip()

    def column(self, name: str) -> str:
        return self.mapping.columns.get(name, name)

    def quoted(self, name: str) -> str:
        return f"{self.column(name)} {shown(self[name])}"

    def unit(self, name: str) -> str:
        return self[name.replace("amount", "currency")] or self.mapping.currency

    def amount(self, name: str) -> Decimal | None:
        has_commas = self.mapping.decimal == ","
        return cells.money(self[name], self.column(name), self.unit(name), has_commas=has_commas)

    def size(self, name: str) -> Decimal | None:
        """What goes out is written with a minus or without."""
        value = self.amount(name)
        return value.copy_abs() if value is not None else None


def read_line(mapping: Mapping, record: Line, context: Context) -> Told:
    line = MappedLine(record, mapping)
    network = network_of(line, context) if line["txid"] else ""
    type_ = TYPES.get(line["type"].casefold())
    labels = line["labels"].split(",") + ([line["type"]] if type_ is None else [])
    return Told(
        context.time(line.when, line.column("date")),
        movements_of(line, network),
        id=line["id"] or line["txid"],
        type=type_ or "",
        note=note_of(line, network),
        labels=tuple(
            cells.line_text(one, "A label", cells.MAX_LABEL)
            for one in {part.strip().casefold(): part.strip() for part in labels}.values()
            if one
        ),
        wallet=line["wallet"],
        status=status_of(line),
        network=network,
        txid=txid_of(line["txid"], network, line.column("txid")) if network else "",
        block=block_of(line),
        contact=cells.line_text(line["contact"], "The contact"),
    )


def movements_of(line: MappedLine, network: str) -> list[Movement]:
    moved = [
        *move(signed(line), line.unit("amount"), "The currency"),
        *swap(
            received(line),
            line.unit("received_amount"),
            line.size("sent_amount"),
            line.unit("sent_amount"),
            line.size("fee_amount"),
            line.unit("fee_amount"),
        ),
    ]
    if status_of(line) == "failed":
        fees = [one for one in moved if one.kind == "fee" and network]
        moved = nothing_moved([one for one in moved if one.kind != "fee"]) + fees
    return on_network(line, moved or nothing(line), network) if network else moved


def signed(line: MappedLine) -> Decimal | None:
    """The amount that has a sign, or whose way another column tells."""
    value = line.amount("amount")
    way, type_ = line["way"].casefold(), TYPES.get(line["type"].casefold())
    if not value:
        return value
    if "way" not in line.mapping.columns:
        if value > 0 and type_ in ("send", "withdrawal"):
            raise Unreadable(
                f"{line.quoted('amount')} has no minus, and {line.quoted('type')} went out. Write "
                f"the minus, or say in the mapping which column is: {FIELDS['way'].lower()}."
            )
        return value
    if way not in IN | OUT:
        raise Unreadable(f"{line.quoted('way')} tells no way. Write in or out.")
    if value < 0 and way in IN:
        raise Unreadable(
            f"{line.quoted('amount')} has a minus, and {line.quoted('way')} came in. Correct one "
            "of them."
        )
    return value.copy_abs().copy_negate() if way in OUT else value


def received(line: MappedLine) -> Decimal | None:
    value = line.amount("received_amount")
    if value is not None and value < 0:
        raise Unreadable(
            f"{line.quoted('received_amount')} was received, and is negative. Write what went out "
            "in the column of what was sent."
        )
    return value


def nothing(line: MappedLine) -> list[Movement]:
    """What a transaction was about that moved nothing."""
    units = [line.unit(name) for name in PAIRS[:3] if line[name]]
    return [Movement(ZERO, coin(unit, "The currency")) for unit in units[:1]]


def on_network(line: MappedLine, moved: list[Movement], network: str) -> list[Movement]:
    """The same with the network's own coin, and the address of the other side."""
    family = NETWORKS[network].family
    other = cells.address(line["counterparty"], family, line.column("counterparty"))
    return [
        replace(
            one,
            asset=asset_of(one.asset.code, network, "The currency"),
            counterparty="" if one.kind == "fee" else other,
        )
        for one in moved
    ]


def network_of(line: MappedLine, context: Context) -> str:
    """The line's own, or the one that was said of the file; empty where nobody says one."""
    named = _plain(line["network"])
    if line["network"] and named not in NETWORKS_CALLED:
        raise Unreadable(
            f"{line.quoted('network')} is not a network that is known. Write one of: "
            f"{', '.join(NETWORKS)}; or leave it empty."
        )
    return NETWORKS_CALLED.get(named) or context.network or line.mapping.network


def status_of(line: MappedLine) -> Status:
    status = STATUSES.get(line["status"].casefold())
    if status is None:
        raise Unreadable(f"{line.quoted('status')} is not known. Write ok, failed or pending.")
    return status


def note_of(line: MappedLine, network: str) -> str:
    """The note, and what has no place beside a transaction of an account."""
    texts = {"": line["note"]}
    if not network:
        texts |= {"network ": line["network"], "address ": line["counterparty"]}
        texts |= {"txid ": line["txid"]} if line["id"] else {}
    note = "\n".join(f"{name}{text}" for name, text in texts.items() if text)
    return cells.note_text(note, "The note")


def block_of(line: MappedLine) -> int | None:
    text = line["block"]
    if text and not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Unreadable(f"{line.quoted('block')} is not a block's number. Write digits alone.")
    return int(text) if text else None


def format_of(mapping: Mapping) -> AccountFile:
    """The format that reads files of this header."""
    columns = mapping.columns
    return AccountFile(
        f"{PREFIX}{mapping.name}",
        mapping.name,
        frozenset(name.casefold() for name in mapping.header or columns.values()),
        partial(read_line, mapping),
        has_no_other=bool(mapping.header),
        wallet_columns=(columns["wallet"].casefold(),) if "wallet" in columns else (),
        date_column=columns["date"].casefold(),
        is_utc=False,
        date_order=mapping.date_order,
        takes_network="txid" in columns,
    )


def formats_of(mappings: Iterable[Mapping]) -> tuple[AccountFile, ...]:
    return tuple(map(format_of, mappings))
