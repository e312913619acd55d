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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from itertools import groupby

from contacts.networks import NETWORKS
from transactions.imports.formats import cells
from transactions.imports.formats.cells import ZERO, Unreadable, shown
from transactions.imports.formats.electrum import lines_of
from transactions.imports.formats.reader import Line, Record, line_of, records, rows_of
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
_is_hash = re.compile(r"(0x)?[0-9a-fA-F]{60,70}|\w{80,}").fullmatch
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
            own = Account(table, options).own.get("evm", set())
            if own:
                text += " An account of Ethereum or the like is best called by its address."
            suggestion = own.pop() if len(own) == 1 else ""
            found.append(Question("wallet", text, suggestion=suggestion))
        if (coin := coin_without_network(table)) and not options.network:
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

        broken = broken_in(table, read)
        nobody: dict[int, str] = {}  # lines to what is no address

        def read_whole(record: Record) -> Row:
            row, line = read(record), line_of(record, table.header)
            moved, address = row.movements[0], line["address"] or line["addresses"]
            if address and " " not in address and moved.amount < 0 and not moved.counterparty:
                nobody[record.line] = address
            lines = broken.get(line["transaction id"])
            if lines and _receipt(row):
                raise Unreadable(
                    f"it may have come in with what cannot be read (line {lines}), and such lines "
                    "count together. Correct that, and import all of them."
                )
            return row

        told = []
        if options.network and account.network != options.network:
            told.append(
                f"Its fees tell that it is of {NETWORKS[account.network].name}, so what was said "
                f"({NETWORKS[options.network].name}) was passed over."
            )

        def rows() -> Iterator[Row | Rejected]:
            yield from received_at_once(rows_of(table, read_whole))
            if nobody:
                told.append(without_recipient(nobody))

        return Reading(options, rows(), told)


def without_recipient(nobody: dict[int, str]) -> str:
    line, address = next(iter(nobody.items()))
    others = f", and of {len(nobody) - 1:,} other lines" if len(nobody) > 1 else ""
    return (
        f"The recipient of line {line}{others} was left out: {shown(address)} is no address, as "
        "in files that mask theirs. Where it is mistyped, correct it and import the file again."
    )


def broken_in(table: Table, read: Callable[[Record], Row]) -> dict[str, str]:
    """Transactions -> the numbers of their lines that cannot be read, and of those beside them
    whose transaction cannot be told."""
    broken: dict[str, list[int]] = {}
    before, unknown = "", list[int]()
    for record in records(table):
        txid = line_of(record, table.header)["transaction id"] if isinstance(record, Record) else ""
        if isinstance(record, Rejected) or not _is_hash(txid):
            broken.setdefault(before, []).append(record.line)
            unknown.append(record.line)
            continue
        if unknown:
            broken.setdefault(txid, []).extend(unknown)
        before, unknown = txid, []
        try:
            read(record)
        except Unreadable:
            broken.setdefault(txid, []).append(record.line)
    return {txid: ", ".join(map(str, sorted(lines))) for txid, lines in broken.items()}


def received_at_once(rows: Iterable[Row | Rejected]) -> Iterator[Row | Rejected]:
    """The first of several lines of what came in has it all."""
    for key, alike in groupby(rows, _receipt):
        first, *others = alike
        if key and others and isinstance(first, Row):
            moved = [row.movements[0] for row in (first, *others) if isinstance(row, Row)]
            total = cells.total((one.amount for one in moved), "Amount")
            yield replace(first, movements=(replace(moved[0], amount=total),))
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


def network_of_units(units: set[str], said: str) -> str:
    """The network that fees in these units are of; empty where there is none, or several."""
    found = {network_of_fee(unit, said) for unit in units} - {""}
    return found.pop() if len(found) == 1 else ""


def network_of_fee(unit: str, said: str) -> str:
    return CODES.get(unit.upper(), "") or network_of(unit, said)


def coin_without_network(table: Table) -> str:
    """The ticker of a coin that can be a token of Ethereum as well, in a file without fees."""
    if is_oldest(table) or network_of_units({line["fee unit"] for line in lines_of(table)}, ""):
        return ""
    units = (line["amount unit"] for line in lines_of(table) if not line["fee unit"])
    return next((one for one in units if network_of(one) in OTHER_EVM), "")


class Account:
    """What a file's lines tell of the account: its network, empty where none does, what its fees
    are in, its own addresses, and which of its transactions have several lines."""

    FAMILIES = ("evm", "solana")  # whose accounts have one address

    def __init__(self, table: Table, options: Options) -> None:
        self.said = options.network
        self.units = {line.get("fee unit", "").upper() for line in lines_of(table)}
        self.network = network_of_units(self.units, self.said) or self.said
        self.own: dict[str, set[str]] = {}
        self._calls: set[str] = set()  # that sent
        self._received: set[str] = set()  # at an own address, among others
        for family in self.FAMILIES:
            if not self.network or NETWORKS[self.network].family == family:
                self.own[family] = self._own_of(table, options, family)
        if not self.own:
            return
        lines = (one for one in lines_of(table) if "address" in one)
        for (txid, kind), alike in groupby(
            lines, lambda one: (one["transaction id"], kind_of(one))
        ):
            addresses = [line["address"] for line in alike]
            if len(addresses) > 1 and kind in OUT:
                self._calls.add(txid)
            elif len(addresses) > 1 and self.own.get("evm", set()).intersection(
                normalised(one, "evm") for one in addresses
            ):
                self._received.add(txid)

    def way(self, line: Line, network: str, amount: Decimal) -> int:
        """1 where the line's amount came in, -1 where it went out, 0 where it did neither."""
        kind, family = kind_of(line), NETWORKS[network].family
        if kind not in OUT | IN:
            return 0
        if family not in self.own:
            return 1 if kind in IN else -1
        own, address = self.own[family], address_of(line["address"], network)
        if kind in IN:
            # A token's own account of Solana is another address, and ours.
            went_on = family == "evm" and line["transaction id"] in self._received
            return -1 if went_on and address not in own | {""} else 1
        if line["fee"]:  # the first line of a call: what it paid itself
            return 0 if address in own else -1
        if amount and not own and line["transaction id"] in self._calls:
            raise Unreadable(
                f"it cannot be told whether Address {shown(line['address'])} is the wallet's own, "
                "so that this came back from the call, or another, to which it went. Import the "
                "file with the wallet's own address as the wallet."
            )
        return 1 if address in own else -1

    def _own_of(self, table: Table, options: Options, family: str) -> set[str]:
        """Where the coin came in, or at least something did; the wallet's, if called after it.

        Raises FileError where the coin came in at others alone.
        """
        of_coin, of_any = set(), set()
        for line in lines_of(table):
            if kind_of(line) in IN and (address := normalised(line.get("address", ""), family)):
                of_any.add(address)
                if self._is_coin(line["amount unit"]):
                    of_coin.add(address)
        said = normalised(options.wallet, family)
        if said and of_coin and said not in of_coin:
            raise FileError(
                f"The file's account received at {min(of_coin)}, and not at {said}. Import it with "
                "that address as the wallet."
            )
        if family == "solana":  # of which each token has an account of its own
            return of_any | ({said} if said else set())
        return {said} if said else of_coin or of_any

    def _is_coin(self, unit: str) -> bool:
        network = network_of_fee(unit, self.said)
        return bool(network) and network == (self.network or network)


def kind_of(line: Line) -> str:
    return line["type"].upper()


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
    way = account.way(line, network, amount)
    address, label = line["address"], line["label"]
    return _row(record, line, timestamp, network, amount, asset, fee, way, address, label)


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
    way = 1 if kind_of(line) in IN else -1 if kind_of(line) in OUT else 0
    total = amount.copy_abs()
    return _row(record, line, timestamp, network, total, NATIVE, paid, way, address, "")


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
    way: int,
    address: str,
    label: str,
) -> Row:
    kind = kind_of(line)
    if kind not in OUT | IN | MOVES_NOTHING:
        raise Unreadable(f"Type {shown(line['type'])} is not known. Please report it.")
    moved = amount if way > 0 else ZERO
    if way < 0 and amount:
        moved = amount.copy_negate()
    counterparty = address_of(address, network) if way < 0 else ""
    movements = [Movement(moved, asset, "transfer", counterparty)]
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
