"""Trezor Suite's transactions: Export, as CSV, in its three generations.

A line is an output: of a transaction with several the fee stands in one of them, and never on
what came in. What several outputs brought in came in at once, as other wallets have it.
`Timestamp` is in Unix seconds; the oldest generation has `Date & Time` instead, whose
zone is asked for. Tokens are told by their symbol alone; the network is that of the account, whose
coin the fees are in. Source: files that people published.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from itertools import groupby

from contacts.networks import NETWORKS
from transactions.imports.formats import cells
from transactions.imports.formats.cells import ZERO, Unreadable, shown
from transactions.imports.formats.electrum import lines_of
from transactions.imports.formats.reader import Line, Record, line_of, rows_of
from transactions.imports.formats.wallets import (
    NATIVE,
    address_of,
    asset_of,
    label_or_note,
    network_of,
    txid_of,
)
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

NEW = {"timestamp", "type", "transaction id", "fee", "address", "amount", "amount unit"}
OLDEST = {"date & time", "type", "transaction id", "addresses", "fee", "total"}
OUT, IN = {"SENT"}, {"RECV", "RECEIVED"}
MOVES_NOTHING = {"SELF", "FAILED", "JOINT", "CONTRACT", "UNKNOWN"}
OTHER_EVM = {slug for slug, one in NETWORKS.items() if one.family == "evm"} - {"ethereum"}
_token_id = re.compile(r"ID ([0-9]+)").fullmatch
_with_unit = re.compile(r"([+-]?[0-9][0-9.,]*) ?([A-Za-z]*)").fullmatch


class TransactionsFile:
    """The format itself."""

    name = "trezor"
    title = "Trezor Suite transactions"
    quotes_badly = True  # a quote in a label is doubled only where there is a delimiter too

    def matches(self, header: tuple[str, ...]) -> bool:
        names = {name.casefold() for name in header}
        return names >= NEW or names >= OLDEST

    def questions(self, table: Table, options: Options) -> list[Question]:
        found = []
        if not options.wallet:
            text = "Which wallet is the file of? Give it a name, such as Trezor."
            found.append(Question("wallet", text))
        if (coin := coin_without_network(table)) and not options.network:
            text = (
                f"On which network is the {coin} of the file? No fee tells whether it is its own "
                "coin or a token."
            )
            found.append(Question("network", text, (network_of(coin), "ethereum")))
        if is_oldest(table) and not options.timezone:
            example = next((line["date & time"] for line in lines_of(table)), "")
            text = f"In which time zone was the file exported? It has times such as {example}."
            found.append(Question("timezone", text))
        if is_oldest(table) and not options.date_order and cells.is_order_open(times_of(table)):
            example = next(time for time in times_of(table) if cells.is_order_open([time]))
            text = f"Is {example} a day before a month, or a month before a day?"
            found.append(Question("date_order", text, ("dmy", "mdy")))
        return found

    def read(self, table: Table, options: Options) -> Reading:
        if questions := self.questions(table, options):
            raise FileError(" ".join(question.text for question in questions))
        zone = options.timezone or UTC
        network = "" if is_oldest(table) else network_of_fees(table) or options.network
        order = cells.order_of(times_of(table)) or options.date_order

        def read(record: Record) -> Row:
            line = line_of(record, table.header)
            if is_oldest(table):
                return old_row(record, line, zone, order)
            return new_row(record, line, network)

        return Reading(options, received_at_once(rows_of(table, read)))


def received_at_once(rows: Iterable[Row | Rejected]) -> Iterator[Row | Rejected]:
    """The first of several lines of what came in has it all."""
    for key, alike in groupby(rows, _receipt):
        first, *others = alike
        if key and others and isinstance(first, Row):
            moved = [row.movements[0] for row in (first, *others) if isinstance(row, Row)]
            # A chain's coins are too few for more digits than a sum has.
            total = cells.number(f"{sum((one.amount for one in moved), ZERO):f}", "Amount")
            yield replace(first, movements=(replace(moved[0], amount=total or ZERO),))
            yield from (replace(row, movements=()) for row in others if isinstance(row, Row))
        else:
            yield from (first, *others)


def _receipt(row: Row | Rejected) -> tuple[str, str] | None:
    if isinstance(row, Rejected) or len(row.movements) > 1:
        return None
    (moved,) = row.movements
    return (row.network, row.txid) if moved.asset == NATIVE and moved.amount > 0 else None


def is_oldest(table: Table) -> bool:
    return "date & time" in {name.casefold() for name in table.header}


def times_of(table: Table) -> list[str]:
    return [line.get("date & time", "") for line in lines_of(table)]


def network_of_fees(table: Table) -> str:
    """The network that all fees of the file are of; empty where there is none, or several."""
    found = {network_of(line.get("fee unit", "")) for line in lines_of(table)} - {""}
    return found.pop() if len(found) == 1 else ""


def coin_without_network(table: Table) -> str:
    """The ticker of a coin that can be a token of Ethereum as well, in a file without fees."""
    if is_oldest(table) or network_of_fees(table):
        return ""
    units = (line["amount unit"] for line in lines_of(table) if not line["fee unit"])
    return next((one for one in units if network_of(one) in OTHER_EVM), "")


def new_row(record: Record, line: Line, network_of_file: str) -> Row:
    network = (
        network_of(line.get("fee unit", "")) or network_of_file or network_of(line["amount unit"])
    )
    if not network:
        raise Unreadable(
            f"Amount unit {shown(line['amount unit'])} is not a coin that is known here, and no "
            "line names the coin of a fee. It cannot be told on which network it was."
        )
    amount, asset = _amount(line["amount"], line["amount unit"], network)
    fee = cells.amount(line["fee"], "Fee", thousands=True)
    timestamp = cells.unix_time(line["timestamp"], "Timestamp")
    return _row(
        record, line, timestamp, network, amount, asset, fee, line["address"], line["label"]
    )


def old_row(record: Record, line: Line, zone: tzinfo, order: str) -> Row:
    found = _with_unit(line["total"])
    network = network_of(found[2]) if found else ""
    if not found or not network:
        raise Unreadable(f"Total {shown(line['total'])} is not an amount of a coin known here.")
    fee = _with_unit(line["fee"])
    amount = cells.number(found[1], "Total", thousands=True) or ZERO
    paid = cells.amount(fee[1], "Fee", thousands=True) if fee else None
    timestamp = cells.written_time(line["date & time"], "Date & Time", zone, order)
    address = line["addresses"].split()[0] if len(line["addresses"].split()) == 1 else ""
    return _row(record, line, timestamp, network, amount.copy_abs(), NATIVE, paid, address, "")


def _amount(text: str, unit: str, network: str) -> tuple[Decimal, AssetName]:
    """An NFT's amount is its number, such as `ID 123`; there is one of it."""
    token = _token_id(text)
    if token:
        # Called as its code, which is all that our export has of it.
        code = cells.line_text(f"{unit}#{token[1]}", "Amount unit", cells.MAX_LABEL).upper()
        return Decimal(1), AssetName("code", code, symbol=code)
    amount = cells.number(text, "Amount", thousands=True)
    if amount is None:
        raise Unreadable("Amount is empty. Export the file again.")
    return amount.copy_abs(), asset_of(unit, network, "Amount unit")


def _row(
    record: Record,
    line: Line,
    timestamp: datetime,
    network: str,
    amount: Decimal,
    asset: AssetName,
    fee: Decimal | None,
    address: str,
    label: str,
) -> Row:
    kind = line["type"].upper()
    if kind not in OUT | IN | MOVES_NOTHING:
        raise Unreadable(f"Type {shown(line['type'])} is not known. Please report it.")
    if kind in OUT:
        moved = amount.copy_negate() if amount else ZERO
    else:
        moved = amount if kind in IN else ZERO
    movements = [
        Movement(moved, asset, "transfer", address_of(address, network) if kind in OUT else "")
    ]
    if fee and kind not in IN:
        movements.append(Movement(fee.copy_negate(), NATIVE, "fee"))
    labels, note = label_or_note(label, "Label")
    return Row(
        line=record.line,
        raw=record.raw,
        timestamp=timestamp,
        movements=tuple(movements),
        network=network,
        txid=txid_of(line["transaction id"], network, "Transaction ID"),
        status="failed" if kind == "FAILED" else "ok",
        type="self" if kind in ("SELF", "JOINT") else "",
        labels=labels,
        note=note,
    )


TRANSACTIONS = TransactionsFile()
