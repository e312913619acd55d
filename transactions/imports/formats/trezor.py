"""Trezor Suite's transactions: Export, as CSV, in its three generations.

A line is an output: of a transaction with several the fee stands in one of them, and never on
what came in. What several outputs brought in came in at once, as other wallets have it.
`Timestamp` is in Unix seconds; the oldest generation has `Date & Time` instead, whose
zone is asked for. Tokens are told by their symbol, or by their contract where they have none; the
network is that of the account, whose coin the fees are in.

Every line has the type of its transaction, and the address that it went to: what a call brought
back to the account says SENT as well, with the account's own address. What is no payment, such as
the text of an OP_RETURN output, stands in `Other`, without an amount. Source: Trezor Suite's own
code, and files that people published.
"""

import re
from collections import Counter
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
    normalised,
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
# Whose accounts the oldest generation was of.
COINS = ("bitcoin", "ethereum", "litecoin", "bitcoin-cash", "dogecoin", "dash", "zcash", "xrp")
OTHER_EVM = {slug for slug, one in NETWORKS.items() if one.family == "evm"} - {"ethereum"}
# What Suite called coins for a time; the last two are symbols of tokens there too.
CODES = {"BSC": "bsc", "BASE": "base", "ARB": "arbitrum", "OP": "optimism"}
TOKENS_TOO = {"ARB", "OP"}
_token_id = re.compile(r"ID ([0-9]+)").fullmatch
_contract = re.compile(r"0x[0-9a-f]{40}", re.IGNORECASE).fullmatch
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
            own = own_address(table, options, "evm")
            if own:
                text += " An account of Ethereum or the like is best called by its address."
            found.append(Question("wallet", text, suggestion=own))
        if (coin := coin_without_network(table, options)) and not options.network:
            text = (
                f"On which network is the {coin} of the file? No fee tells whether it is its own "
                "coin or a token."
            )
            found.append(Question("network", text, (network_of(coin), "ethereum")))
        if is_oldest(table) and not options.network and not all(units_of_totals(table)):
            text = "On which network is the account of the file? Its amounts are without a unit."
            found.append(Question("network", text, COINS))
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
        account = Account(table, options)
        order = cells.order_of(times_of(table)) or options.date_order

        def read(record: Record) -> Row:
            line = line_of(record, table.header)
            if is_oldest(table):
                return old_row(record, line, zone, order, options.network)
            return new_row(record, line, account)

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


def units_of_totals(table: Table) -> list[str]:
    found = (_with_unit(line.get("total", "")) for line in lines_of(table))
    return [one[2] for one in found if one]


def times_of(table: Table) -> list[str]:
    return [line.get("date & time", "") for line in lines_of(table)]


def network_of_fees(table: Table, options: Options) -> str:
    """The network that all fees of the file are of; empty where there is none, or several.

    Raises FileError where they are of another network than what was said.
    """
    said = options.network
    units = {line.get("fee unit", "") for line in lines_of(table)}
    found = {network_of_fee(unit, said): unit for unit in units}
    found.pop("", None)
    if len(found) != 1:
        return ""
    (network, unit) = found.popitem()
    if said and network != said:
        raise FileError(
            f"The file's fees are in {unit}, so it is of {NETWORKS[network].name} and not of "
            f"{NETWORKS[said].name}. Import it without the network."
        )
    return network


def network_of_fee(unit: str, said: str) -> str:
    return CODES.get(unit.upper(), "") or network_of(unit, said)


def coin_without_network(table: Table, options: Options) -> str:
    """The ticker of a coin that can be a token of Ethereum as well, in a file without fees."""
    if is_oldest(table) or network_of_fees(table, options):
        return ""
    units = (line["amount unit"] for line in lines_of(table) if not line["fee unit"])
    return next((one for one in units if network_of(one) in OTHER_EVM), "")


class Account:
    """What a file's lines tell of the account: its network, empty where none does, what its fees
    are in, its own address, and which transactions are calls."""

    FAMILIES = ("evm", "solana")  # whose accounts have one address

    def __init__(self, table: Table, options: Options) -> None:
        self.said = options.network
        self.network = network_of_fees(table, options) or self.said
        self.units = {line.get("fee unit", "").upper() for line in lines_of(table)}
        self._own = {family: own_address(table, options, family) for family in self.FAMILIES}
        sent = (line["transaction id"] for line in lines_of(table) if line["type"].upper() in OUT)
        alike = ((txid, sum(1 for _ in lines)) for txid, lines in groupby(sent))
        self._calls = {txid for txid, count in alike if count > 1}

    def is_in(self, line: Line, network: str) -> bool:
        """Whether the line's amount came in; what is neither sent nor received did not."""
        kind = line["type"].upper()
        family = NETWORKS[network].family
        if family not in self.FAMILIES or kind not in OUT | IN:
            return kind in IN
        own, address = self._own[family], address_of(line["address"], network)
        # The first line of a call has its fee, and is what the call itself paid.
        if not own and line["transaction id"] in self._calls and not line["fee"]:
            raise Unreadable(
                f"it cannot be told whether Address {shown(line['address'])} is the wallet's own, "
                "so that this came back from the call, or another, to which it went. Import the "
                "file with the wallet's own address as the wallet."
            )
        if kind in OUT:
            return bool(own) and address == own
        # A token's own account of Solana is another address, and ours.
        return not (family == "evm" and own and address and address != own)


def own_address(table: Table, options: Options, family: str) -> str:
    """The one that the wallet is called after, or at which the file's account mostly received;
    empty where that does not tell one."""
    if own := normalised(options.wallet, family):
        return own
    found = Counter(
        normalised(line.get("address", ""), family)
        for line in lines_of(table)
        if line["type"].upper() in IN
    )
    del found[""]
    (_, most), (_, next_most) = [*found.most_common(2), ("", 0), ("", 0)][:2]
    return found.most_common(1)[0][0] if most > next_most else ""


def new_row(record: Record, line: Line, account: Account) -> Row:
    network = (
        network_of_fee(line["fee unit"], account.said)
        or account.network
        or network_of(line["amount unit"])
    )
    if not network:
        raise Unreadable(
            f"Amount unit {shown(line['amount unit'])} is not a coin that is known here, and no "
            "line names the coin of a fee. It cannot be told on which network it was."
        )
    if not line["timestamp"]:
        raise Unreadable("it was not confirmed yet. Export the file again once it is.")
    amount, asset = _amount(line, network, account)
    fee = cells.amount(line["fee"], "Fee")
    timestamp = cells.unix_time(line["timestamp"], "Timestamp")
    is_in = account.is_in(line, network)
    address, label = line["address"], line["label"]
    return _row(record, line, timestamp, network, amount, asset, fee, is_in, address, label)


def old_row(record: Record, line: Line, zone: tzinfo, order: str, said: str) -> Row:
    found = _with_unit(line["total"])
    network = network_of(found[2], said) if found and found[2] else said
    if not found or not network:
        raise Unreadable(f"Total {shown(line['total'])} is not an amount of a coin known here.")
    fee = _with_unit(line["fee"])
    amount = cells.number(found[1], "Total") or ZERO
    paid = cells.amount(fee[1], "Fee") if fee else None
    timestamp = cells.written_time(line["date & time"], "Date & Time", zone, order)
    address = line["addresses"].split()[0] if len(line["addresses"].split()) == 1 else ""
    is_in = line["type"].upper() in IN
    total = amount.copy_abs()
    return _row(record, line, timestamp, network, total, NATIVE, paid, is_in, address, "")


def _amount(line: Line, network: str, account: Account) -> tuple[Decimal, AssetName]:
    """An NFT's amount is its number, such as `ID 123`; there is one of it."""
    text, unit = line["amount"], line["amount unit"]
    if not text and not unit and line.get("other"):
        return ZERO, NATIVE  # the text of an output that pays nobody
    token = _token_id(text)
    if token:
        # Called as its code, which is all that our export has of it.
        code = cells.line_text(f"{unit}#{token[1]}", "Amount unit", cells.MAX_LABEL).upper()
        return Decimal(1), AssetName("code", code, symbol=code)
    amount = cells.number(text, "Amount")
    if amount is None:
        raise Unreadable("Amount is empty. Export the file again.")
    code = unit.upper()
    if code in account.units and CODES.get(code) == network:
        if code in TOKENS_TOO and not line["fee unit"]:
            raise Unreadable(
                f"Amount unit {shown(unit)} is what the file calls its coin, and a token's symbol "
                "too: which of them it was is not known. Export the file with a newer Trezor Suite."
            )
        return amount.copy_abs(), NATIVE
    if NETWORKS[network].family == "evm" and _contract(unit):
        return amount.copy_abs(), AssetName("token", unit.lower())
    return amount.copy_abs(), asset_of(unit, network, "Amount unit")


def _row(
    record: Record,
    line: Line,
    timestamp: datetime,
    network: str,
    amount: Decimal,
    asset: AssetName,
    fee: Decimal | None,
    is_in: bool,
    address: str,
    label: str,
) -> Row:
    kind = line["type"].upper()
    if kind not in OUT | IN | MOVES_NOTHING:
        raise Unreadable(f"Type {shown(line['type'])} is not known. Please report it.")
    is_out = kind in OUT | IN and not is_in
    moved = amount if is_in else ZERO
    if is_out and amount:
        moved = amount.copy_negate()
    movements = [Movement(moved, asset, "transfer", address_of(address, network) if is_out else "")]
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
