"""What Etherscan's pages download since 2025: "Download Page Data", as CSV.

The amount has its unit in the same cell, `0.456 ETH` or `1 wei`, without a direction. Times are
UTC. Source: files that people published, and the column names in tools that read it.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from contacts.networks import NETWORKS
from transactions.imports.formats import cells, etherscan
from transactions.imports.formats.cells import Unreadable, shown
from transactions.imports.formats.etherscan import (
    EVM_NETWORKS,
    FORMER_SYMBOLS,
    ExplorerFile,
    Line,
    bearers_of,
)
from transactions.imports.formats.etherscan_json import WEI
from transactions.imports.formats.reader import Record, records
from transactions.imports.rows import Row, Table

COLUMNS = {
    "txid": ("transaction hash", "parent transaction hash", "txhash"),
    "parent": ("parent transaction hash",),
    "status": ("status",),
    "method": ("method", "type"),
    "block": ("blockno", "block"),
    "time": ("datetime (utc)", "datetime"),
    "sender": ("from",),
    "receiver": ("to",),
    "nametag": ("from_nametag",),
    "value": ("amount", "value"),
    "fee": ("txn fee",),
    # Of what is searched for there are tokens too, whose contract is not told.
    "asset": ("asset", "token"),
}
GWEI = 9
COINS = {NETWORKS[slug].symbol.upper() for slug in EVM_NETWORKS} | set(FORMER_SYMBOLS)
_with_unit = re.compile(r"([0-9][0-9,.]*(?:[eE]-?[0-9]+)?) ?([A-Za-z]*)").fullmatch


def columns_of(header: tuple[str, ...]) -> set[str]:
    names = {name.casefold() for name in header}
    return {ours for ours, theirs in COLUMNS.items() if names & set(theirs)}


def amount_of(text: str) -> tuple[str, str]:
    """Whole coins, and what they are called."""
    found = _with_unit(text)
    if not found:
        raise Unreadable(f"Amount {shown(text)} is not an amount and its unit, as in 0.5 ETH.")
    decimals = {"wei": WEI, "gwei": GWEI}.get(found[2].casefold(), 0)
    if found[2] and not decimals and found[2].upper() not in COINS:
        raise Unreadable(
            f"Amount {shown(text)} is not of a network's own coin. Import the file of token "
            "transfers, which tells the contract."
        )
    value = cells.amount(found[1], "Amount", thousands=True)
    if value is None:
        raise Unreadable("Amount is empty. Export the file again.")
    return f"{value.scaleb(-decimals):f}" if value else "0", "" if decimals else found[2]


def picker(header: tuple[str, ...]) -> Callable[[list[str]], Line]:
    names = [name.casefold() for name in header]
    places = {
        ours: names.index(known)
        for ours, theirs in COLUMNS.items()
        for known in theirs[::-1]
        if known in names
    }

    def line_of(record: list[str]) -> Line:
        found = {name: record[place].strip() for name, place in places.items()}
        blank = dict.fromkeys(Line._fields, "")
        line = {name: cell for name, cell in found.items() if name in blank}
        amount, coin = amount_of(found["value"])
        return Line(**blank | line | {"amount": amount, "token_symbol": coin})

    return line_of


def coin_in_lines(table: Table) -> str:
    """Of the first amount that says it."""
    line_of = picker(table.header)
    for record in records(table):
        with suppress(Unreadable):
            if isinstance(record, Record) and (coin := line_of(record.cells).token_symbol):
                return coin
    return ""


def check_coin(line: Line, network: str) -> None:
    if line.token_symbol and network not in bearers_of(line.token_symbol):
        raise Unreadable(
            f"the amount is in {line.token_symbol}, which is not the coin of {network}. Import "
            "the line with the network that it is of."
        )


def transaction_row(record: Record, line: Line, own: str, network: str) -> Row:
    check_coin(line, network)
    return etherscan.transaction_row(record, line, own, network)


def internal_row(record: Record, line: Line, own: str, network: str) -> Row:
    check_coin(line, network)
    is_failed = line.status.casefold().startswith(("fail", "error"))
    line = line._replace(status="1" if is_failed else "0")
    return etherscan.internal_row(record, line, own, network)


page = partial(
    ExplorerFile, picker=picker, columns=columns_of, has_one_amount=True, coin_of=coin_in_lines
)
SIDES = {"txid", "time", "sender", "receiver", "nametag", "value"}
TRANSACTIONS = page(
    "etherscan-page-transactions",
    "Etherscan page: transactions",
    frozenset(SIDES | {"fee", "status"}),
    frozenset({"parent", "asset"}),
    transaction_row,
    has_one_row_each=True,
)
INTERNAL = page(
    "etherscan-page-internal",
    "Etherscan page: internal transactions",
    frozenset(SIDES | {"parent"}),
    frozenset({"fee", "asset"}),
    internal_row,
)
