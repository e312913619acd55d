"""Coinbase's transaction history: Statements, "Transaction history", as CSV.

Up to seven lines stand before the header. Times are UTC. Older files have no `ID`, and no sign:
what goes out is told by the type; newer ones sign what was sent. The second side of a conversion
is only in `Notes`. Prices, fees and totals are in the currency of the account; the spread of a
conversion is in the amounts already. Source: files that people published.
"""

import re
from decimal import Decimal

from transactions.imports.formats import cells
from transactions.imports.formats.accounts import (
    AccountFile,
    Context,
    Line,
    Told,
    move,
    swap,
)
from transactions.imports.formats.cells import Unreadable, shown
from transactions.imports.rows import Movement

# Type in small letters -> ours. With a side in fiat, out, in; of others the sign tells.
TRADES = {
    "buy": True,
    "advanced trade buy": True,
    "advance trade buy": True,
    "sell": False,
    "advanced trade sell": False,
    "advance trade sell": False,
}
OUT = {
    "send": "send",
    "withdrawal": "withdrawal",
    "exchange deposit": "withdrawal",
    "pro deposit": "withdrawal",
    "admin debit": "other",
    "card spend": "cost",
}
IN = {
    "receive": "receive",
    "deposit": "deposit",
    "exchange withdrawal": "deposit",
    "pro withdrawal": "deposit",
    "staking income": "reward",
    "rewards income": "reward",
    "reward income": "reward",
    "inflation reward": "reward",
    "interest income": "interest",
    "learning reward": "income",
    "coinbase earn": "income",
    "card buy back": "income",
    "subscription rebate": "income",
    "incentives rewards payout": "income",
    "airdrop": "airdrop",
    "fork": "fork",
}
_converted = re.compile(
    r"Converted ([0-9][0-9,.]*) (\S+) to ([0-9][0-9,.]*) (\S+)", re.IGNORECASE
).match


def first(line: Line, *names: str) -> str:
    return next((line[name] for name in names if line.get(name)), "")


def read_line(line: Line, context: Context) -> Told:
    kind = line["transaction type"].casefold()
    quantity = cells.number(line["quantity transacted"], "Quantity Transacted", thousands=True)
    if quantity is None:
        raise Unreadable("Quantity Transacted is empty. Export the file again.")
    type_, movements = _moved(kind, quantity, line)
    return Told(
        cells.time(line["timestamp"], "Timestamp"),
        movements,
        id=line.get("id", ""),
        type=type_,
        note=cells.note_text(line.get("notes", ""), "Notes"),
    )


def _moved(kind: str, quantity: Decimal, line: Line) -> tuple[str, list[Movement]]:
    asset, size = line["asset"], quantity.copy_abs()
    if kind in TRADES:
        return "trade", _trade(line, size, is_buy=TRADES[kind])
    if kind == "convert":
        return "trade", _conversion(line, size)
    if kind in IN and not quantity.is_signed():
        return IN[kind], move(size, asset, "Asset")
    if kind in OUT or quantity.is_signed():
        return OUT.get(kind, "other"), move(size, asset, "Asset", is_out=True)
    if "id" in line:  # such a file signs what goes out
        return "other", move(size, asset, "Asset")
    raise Unreadable(
        f"Transaction Type {shown(line['transaction type'])} is not known, and this generation of "
        "the file does not sign amounts. Please report it."
    )


def _trade(line: Line, size: Decimal, *, is_buy: bool) -> list[Movement]:
    currency = first(line, "price currency", "spot price currency")
    subtotal = cells.money(line.get("subtotal", ""), "Subtotal")
    fee = cells.money(first(line, "fees and/or spread", "fees"), "Fees")
    paid = subtotal.copy_abs() if subtotal else None
    cost = fee.copy_abs() if fee else None
    if is_buy:
        return swap(size, line["asset"], paid, currency, cost, currency)
    return swap(paid, currency, size, line["asset"], cost, currency)


def _conversion(line: Line, size: Decimal) -> list[Movement]:
    found = _converted(line["notes"])
    if not found:
        raise Unreadable(
            f"Notes {shown(line['notes'])} do not say what the conversion brought, which stands "
            "nowhere else. Write 'Converted 1 BTC to 30 ETH' there."
        )
    bought = cells.number(found[3], "Notes", thousands=True)
    return swap(bought, found[4].rstrip("."), size, line["asset"], None, "")


HISTORY = AccountFile(
    "coinbase",
    "Coinbase transaction history",
    frozenset({"timestamp", "transaction type", "asset", "quantity transacted", "notes"}),
    read_line,
    account="Coinbase",
    has_unique_ids=True,
)
