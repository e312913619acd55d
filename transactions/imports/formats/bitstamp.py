"""Bitstamp's transactions, in both generations of the export.

The older one has amounts with their unit in one cell and months as news agencies write them
(`Sept. 3, 2021, 12:13 AM`); the newer one has an ID, and the units in columns of their own. Times
are UTC unless the account was set otherwise. Amounts have no sign, so that the type must say which
way they went. Source: files that people published.
"""

import re

from transactions.imports.formats import cells
from transactions.imports.formats.accounts import (
    AccountFile,
    Context,
    Line,
    Told,
    amount_and_unit,
    move,
    nothing_moved,
    swap,
)
from transactions.imports.formats.cells import Unreadable, shown
from transactions.imports.rows import Movement

ACCOUNT = "Bitstamp"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
TYPES = {
    "deposit": "deposit",
    "crypto deposit": "deposit",
    "card deposit": "deposit",
    "credit card deposit": "deposit",
    "withdrawal": "withdrawal",
    "crypto withdrawal": "withdrawal",
    "ripple deposit": "deposit",
    "ripple payment": "withdrawal",
    "ripple withdrawal": "withdrawal",
    "staking reward": "reward",
    "referral reward": "income",
    "earn interest": "interest",
    "interest": "interest",
    "lending reward": "interest",
}
# Between accounts that are all one wallet here.
WITHIN = {
    "sub account transfer",
    "inter account transfer",
    "intersubaccounttransfer",
    "staked assets",
    "staking",
    "unstaking",
    "started generating rewards",
    "stopped generating rewards",
}
_news_time = re.compile(
    r"([A-Za-z]{3})[a-z]*\.? ([0-9]{1,2}), ([0-9]{4}), "
    r"(?:([0-9]{1,2})(?::([0-9]{2}))? ?([APap])\.?[Mm]\.?|(midnight|noon))"
).fullmatch


def time_of(text: str, context: Context):  # type: ignore[no-untyped-def]
    found = _news_time(text)
    if not found:
        return context.time(text, "Datetime")
    name, day, year, hour, minute, half, word = found.groups()
    if name.casefold() not in MONTHS:
        raise Unreadable(f"Datetime {shown(text)} has no month that is known.")
    is_late = word == "noon" or (half or "").upper() == "P"
    hours = int(hour or 12) % 12 + (12 if is_late else 0)
    month = MONTHS.index(name.casefold()) + 1
    return context.time(f"{year}-{month:02}-{day:0>2} {hours:02}:{minute or '00'}:00", "Datetime")


def read_old(line: Line, context: Context) -> Told:
    sides = (amount_and_unit(line[name], name.title()) for name in sides_of(line["type"]))
    type_, movements = _moved(line["type"], line["sub type"], *sides)
    return Told(time_of(line["datetime"], context), movements, type=type_)


def read_new(line: Line, context: Context) -> Told:
    def side(name: str) -> tuple:
        amount = cells.number(line.get(name, ""), name.title())
        return amount, line.get(f"{name} currency", "")

    sides = map(side, sides_of(line["type"]))
    type_, movements = _moved(line["type"], line["subtype"], *sides)
    timestamp = time_of(line["datetime"], context)
    return Told(timestamp, movements, id=line["id"], type=type_)


def sides_of(kind: str) -> tuple[str, ...]:
    """What else a transfer within has in Value is where it went, as `Main Account -> Savings`."""
    return ("amount",) if kind.casefold() in WITHIN else ("amount", "value", "fee")


def _moved(kind: str, subtype: str, *sides: tuple) -> tuple[str, list[Movement]]:
    nothing = (None, "")
    (amount, unit), (value, currency), (fee, fee_unit) = (*sides, nothing, nothing)[:3]
    if amount is None:
        raise Unreadable("Amount is empty. Export the file again.")
    way = subtype.casefold()
    if currency and way in ("buy", "sell"):
        both = (amount, unit, value, currency) if way == "buy" else (value, currency, amount, unit)
        return "trade", swap(*both, fee, fee_unit)
    if kind.casefold() in WITHIN:
        return "self", nothing_moved(move(amount, unit, "Amount"))
    type_ = TYPES.get(kind.casefold(), "other")
    if type_ == "other" and not amount.is_signed():
        raise Unreadable(
            f"Type {shown(kind)} with {shown(subtype)} does not say which way the amount went, "
            "which has no sign. Please report it."
        )
    is_out = type_ == "withdrawal" and amount > 0
    return type_, [
        *move(amount, unit, "Amount", is_out=is_out),
        *move(fee, fee_unit or unit, "Fee", is_fee=True),
    ]


NEW = AccountFile(
    "bitstamp",
    "Bitstamp transactions",
    frozenset({"id", "account", "type", "subtype", "datetime", "amount", "amount currency"}),
    read_new,
    account=ACCOUNT,
    is_utc=False,
    has_unique_ids=True,
)
OLD = AccountFile(
    "bitstamp-old",
    "Bitstamp transactions, before 2023",
    frozenset({"type", "datetime", "account", "amount", "value", "rate", "fee", "sub type"}),
    read_old,
    account=ACCOUNT,
    is_utc=False,
)
