"""What Etherscan's pages download since 2025: "Download Page Data", as CSV.

The amount has its unit in the same cell, `0.456 ETH` or `1 wei`, without a direction. Times are
UTC. Source: the column names in tools that read it.
"""

import re
from collections.abc import Callable
from functools import partial

from contacts.networks import NETWORKS
from transactions.imports.formats import cells, etherscan
from transactions.imports.formats.cells import Unreadable, shown
from transactions.imports.formats.etherscan import (
    EVM_NETWORKS,
    FORMER_SYMBOLS,
    ExplorerFile,
    Line,
)
from transactions.imports.formats.etherscan_json import WEI

COLUMNS = {
    "txid": ("transaction hash", "parent transaction hash"),
    "parent": ("parent transaction hash",),
    "status": ("status",),
    "method": ("method", "type"),
    "block": ("blockno", "block"),
    "time": ("datetime (utc)", "datetime"),
    "sender": ("from",),
    "receiver": ("to",),
    "nametag": ("from_nametag",),
    "value": ("amount",),
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


def amount_of(text: str) -> str:
    """Whole coins."""
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
    return f"{value.scaleb(-decimals):f}" if value else "0"


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
        return Line(**blank | line | {"amount": amount_of(found["value"])})

    return line_of


def internal_row(record, line: Line, own: str, network: str):  # type: ignore[no-untyped-def]
    is_failed = line.status.casefold().startswith(("fail", "error"))
    line = line._replace(status="1" if is_failed else "0")
    return etherscan.internal_row(record, line, own, network)


page = partial(ExplorerFile, picker=picker, columns=columns_of, has_one_amount=True)
SIDES = {"txid", "time", "sender", "receiver", "nametag", "value"}
TRANSACTIONS = page(
    "etherscan-page-transactions",
    "Etherscan page: transactions",
    frozenset(SIDES | {"fee", "status"}),
    frozenset({"parent", "asset"}),
    etherscan.transaction_row,
    has_one_row_each=True,
)
INTERNAL = page(
    "etherscan-page-internal",
    "Etherscan page: internal transactions",
    frozenset(SIDES | {"parent"}),
    frozenset({"fee", "asset"}),
    internal_row,
)
