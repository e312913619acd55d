"""Binance's files: the statement of all movements, and the histories of deposits and withdrawals.

The statement is in UTC and has one signed movement a line, without an id. Movements of a trade
within one second are one transaction of that second; others are each one. Deposits and
withdrawals stand in the statement too, so import the statement, or those two files, not both.
Source: files that people published, and Binance's help pages.
"""

import re

from transactions.imports.formats import cells
from transactions.imports.formats.accounts import (
    AccountFile,
    Context,
    Line,
    Told,
    coin,
    move,
    nothing_moved,
)
from transactions.imports.formats.cells import Unreadable, shown
from transactions.imports.rows import Movement, Status

ACCOUNT = "Binance"
TRADES = {
    "buy",
    "sell",
    "fee",
    "transaction related",
    "transaction buy",
    "transaction sold",
    "transaction spend",
    "transaction revenue",
    "transaction fee",
    "binance convert",
    "large otc trading",
    "otc trading",
    "small assets exchange bnb",
    "buy crypto",
    "buy crypto with fiat",
    "auto-invest transaction",
}
FEES = {"fee", "transaction fee"}
# What an operation says, by a word in it; the first that fits.
TYPES = {
    "withdraw": "withdrawal",
    "deposit": "deposit",
    "airdrop": "airdrop",
    "distribution": "airdrop",
    "interest": "interest",
    "reward": "reward",
    "mining": "mining",
    "cashback": "income",
    "rebate": "income",
    "referral": "income",
    "commission": "income",
    "voucher": "income",
    "subscription": "self",
    "redemption": "self",
    "purchase": "self",
    "transfer": "self",
    "fork": "fork",
}
STATUSES: dict[str, Status] = {
    "": "ok",
    "completed": "ok",
    "success": "ok",
    "successful": "ok",
    "credited": "ok",
    "processing": "pending",
    "pending": "pending",
    "email sent": "pending",
    "awaiting approval": "pending",
    "confirming": "pending",
    "failed": "failed",
    "failure": "failed",
    "rejected": "failed",
    "cancelled": "failed",
    "canceled": "failed",
}
_short_year = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{2} .*").fullmatch


def first(line: Line, *names: str) -> str:
    return next((line[name] for name in names if line.get(name)), "")


def _time(text: str, column: str, context: Context):  # type: ignore[no-untyped-def]
    return context.time(f"20{text}" if _short_year(text) else text, column)


def read_statement(line: Line, context: Context) -> Told:
    operation = line["operation"].casefold()
    change = cells.number(line["change"], "Change", thousands=True)
    if not change:
        raise Unreadable(f"Change {shown(line['change'])} is no movement. Export the file again.")
    timestamp = _time(first(line, "utc_time", "time"), "UTC_Time", context)
    is_fee = operation in FEES and change < 0
    asset = coin(line["coin"], "Coin")
    return Told(
        timestamp,
        [Movement(change, asset, "fee" if is_fee else "transfer")],
        group=f"trade:{timestamp:%Y-%m-%dT%H:%M:%S}" if operation in TRADES else "",
        type="trade" if operation in TRADES else _type(operation),
        note=cells.note_text(line.get("remark", ""), "Remark"),
    )


def _type(operation: str) -> str:
    return next((ours for word, ours in TYPES.items() if word in operation), "other")


def read_transfer(line: Line, context: Context) -> Told:
    """A deposit or a withdrawal; the latter's file has a column of its fee."""
    is_out = "transactionfee" in line or "fee" in line
    amount = cells.amount(line["amount"], "Amount", thousands=True)
    fee = cells.amount(first(line, "transactionfee", "fee"), "Fee", thousands=True)
    movements = [
        *move(amount, line["coin"], "Coin", is_out=is_out),
        *move(fee, line["coin"], "Coin", is_fee=True),
    ]
    status = STATUSES.get(line["status"].casefold())
    if status is None:
        raise Unreadable(f"Status {shown(line['status'])} is not known. Please report it.")
    told = [f"{name} {line[key]}" for name, key in NOTED.items() if line.get(key)]
    return Told(
        _time(first(line, "date(utc)", "date(utc+0)", "time"), "Date(UTC)", context),
        nothing_moved(movements) if status == "failed" else movements,
        id=first(line, "txid", "transaction id"),
        type="withdrawal" if is_out else "deposit",
        note=cells.note_text(", ".join(told), "The note"),
        status=status,
    )


NOTED = {"Network": "network", "Address": "address"}
MOVED = frozenset({"coin", "network", "amount", "status", "txid"})

STATEMENT = AccountFile(
    "binance",
    "Binance statement",
    frozenset({"account", "operation", "coin", "change"}),
    read_statement,
    account=ACCOUNT,
)
WITHDRAWALS = AccountFile(
    "binance-withdrawals",
    "Binance withdrawals",
    MOVED | {"transactionfee"},
    read_transfer,
    account=ACCOUNT,
)
DEPOSITS = AccountFile(
    "binance-deposits",
    "Binance deposits",
    MOVED,
    read_transfer,
    lacks=frozenset({"transactionfee", "fee"}),
    account=ACCOUNT,
)
