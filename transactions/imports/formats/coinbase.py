"""Coinbase's transaction history: Statements, "Transaction history", as CSV.

Up to seven lines stand before the header. Times are UTC. Older files have no `ID`, and no sign:
what goes out is told by the type; newer ones sign what was sent. The second side of a conversion
is only in `Notes`, but for the newest files, where each side has a line and both have one `ID`; a
file of one asset has one of them. In some both have `Notes` and an `ID` each.
Prices, fees and totals are in the currency of the account, which the oldest files name in the
titles of columns (`EUR Subtotal`); those of before 2020 have one amount, fee included. Of a buy or
sale the total is what the account paid or got, whatever subtotal and fee add up to: the rest of it
is spread. What was traded for anything but that currency is only in `Notes`, its fee included, and
the columns are what it was worth; the newest files have no such Notes, so that it counts in that
currency. Source: files that people published.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from transactions.imports.formats import cells
from transactions.imports.formats.accounts import (
    AccountFile,
    Context,
    Line,
    Told,
    move,
    nothing_moved,
    swap,
)
from transactions.imports.formats.cells import Unreadable, shown
from transactions.imports.formats.reader import Record, line_of, records
from transactions.imports.rows import Movement, Rejected, Table

WORTH = (
    "Advanced trades whose Notes do not tell what they were for were counted in the currency of "
    "their prices. Where they were for another, such as USDC, write 'Bought 1 ETH for 2000 USDC' "
    "into Notes."
)
HALVES = (
    "Conversions of which the file has one side were counted with that side alone: the other is in "
    "a file of all assets. Import that too."
)
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
    "donation": "donation",
    "exchange deposit": "withdrawal",
    "pro deposit": "withdrawal",
    "prime deposit": "withdrawal",
    "admin debit": "other",
    "card spend": "cost",
    "subscription": "cost",
}
IN = {
    "receive": "receive",
    "deposit": "deposit",
    "exchange withdrawal": "deposit",
    "pro withdrawal": "deposit",
    "prime withdrawal": "deposit",
    "staking income": "reward",
    "rewards income": "reward",
    "reward income": "reward",
    "inflation reward": "reward",
    "interest income": "interest",
    "interest payout": "interest",
    "learning reward": "income",
    "coinbase earn": "income",
    "card buy back": "income",
    "credit card reward": "income",
    "referral reward": "income",
    "subscription rebate": "income",
    "subscription rebates (24 hours)": "income",
    "incentives rewards payout": "income",
    "airdrop": "airdrop",
    "fork": "fork",
}
# Two lines of what is given and taken, which the sign tells.
SELF = {
    "retail staking transfer",
    "retail unstaking transfer",
    "retail eth2 deprecation",
    "asset migration",
    "wrap asset",
}
SIGNED = {"retail simple dust": "trade", "retail simple price improvement": "income"}
# With the fee in it.
TOTALS = (
    "total (inclusive of fees and/or spread)",
    "total (inclusive of fees)",
    "amount transacted (inclusive of coinbase fees)",
    "total",
)
# One line of what stays in the account.
WITHIN = {"vault withdrawal", "cash to savings", "savings to cash"}
_converted = re.compile(
    r"Converted (?P<quantity>[0-9][0-9,.]*) (?P<asset>\S+) to (?P<amount>[0-9][0-9,.]*) "
    r"(?P<currency>\S+)",
    re.IGNORECASE,
).match
_traded = re.compile(
    r"(?:Bought|Sold) (?P<quantity>\S+) (?P<asset>\S+) for [^\w\s]? ?(?P<amount>[0-9][0-9,.]*) "
    r"(?P<currency>\w+)",
    re.IGNORECASE,
).match
_given = re.compile(r"Received .* from Coinbase (?:Earn|Rewards|Referral)\b", re.IGNORECASE).match
_pair = re.compile(r"\b[A-Z0-9]{2,}-[A-Z0-9]{2,}\b|\bfor\b").search
MARKS = {".": {}, ",": str.maketrans(",.", ".,")}
_priced_in = re.compile(r"([a-z]{3}) spot price at transaction").fullmatch


def first(line: Line, *names: str) -> str:
    return next((line[name] for name in names if line.get(name)), "")


Side = tuple[Decimal | None, str, str, str]  # quantity, asset, type and Notes of one line


class Fits(NamedTuple):
    """What all lines of a file tell together."""

    mark: str = ""  # the decimal mark of its Notes, empty where none tells it, or some tell others
    sides: frozenset[str] = frozenset()  # the ids of conversions of which a line is one side
    given: frozenset[tuple[str, str]] = frozenset()  # of what was given: time and Notes
    broken: tuple[tuple[int, str], ...] = ()  # conversions that cannot be read: line and asset


def read_line(fits: Fits, line: Line, context: Context) -> Told:
    kind = line["transaction type"].casefold()
    quantity = cells.number(line["quantity transacted"], "Quantity Transacted")
    if quantity is None:
        raise Unreadable("Quantity Transacted is empty. Export the file again.")
    id_ = line.get("id", "")
    is_side = kind == "convert" and id_ in fits.sides
    if is_side:
        type_, movements = "trade", move(quantity, line["asset"], "Asset")
    else:
        type_, movements = _moved(kind, quantity, line, fits)
    return Told(
        context.time(line["timestamp"], "Timestamp"),
        movements,
        id="" if is_side else id_,
        group=cells.line_text(id_, "ID") if is_side else "",
        type=type_,
        note=cells.note_text(line["notes"] or _with_whom(line), "Notes"),
    )


def _with_whom(line: Line) -> str:
    """What the newest files say in columns of their own, and older ones in Notes."""
    named = {"To": line["recipient address"], "From": line["sender address"]}
    return ", ".join(f"{word} {address}" for word, address in named.items() if address)


def _moved(kind: str, quantity: Decimal, line: Line, fits: Fits) -> tuple[str, list[Movement]]:
    asset, size = line["asset"], quantity.copy_abs()
    if kind in TRADES:
        return "trade", _trade(kind, line, size, fits.mark)
    if kind == "convert":
        return "trade", _conversion(line, size, fits)
    if kind in IN and not quantity.is_signed():
        is_given = kind == "receive" and _given(line["notes"])
        return "income" if is_given else IN[kind], move(size, asset, "Asset")
    if kind in WITHIN:
        return "self", nothing_moved(move(size, asset, "Asset"))
    type_ = "self" if kind in SELF else SIGNED.get(kind, "other")
    if kind in OUT or quantity.is_signed():
        return OUT.get(kind, type_), move(size, asset, "Asset", is_out=True)
    if "id" in line:  # such a file signs what goes out
        return type_, move(size, asset, "Asset")
    raise Unreadable(
        f"Transaction Type {shown(line['transaction type'])} is not known, and this generation of "
        "the file does not sign amounts. Please report it."
    )


def is_advanced(kind: str) -> bool:
    return kind.startswith("advance")


def _trade(kind: str, line: Line, size: Decimal, mark: str) -> list[Movement]:
    paid, currency, cost = _paid(kind, line, size, mark)
    if TRADES[kind]:
        return swap(size, line["asset"], paid, currency, cost, currency)
    return swap(paid, currency, size, line["asset"], cost, currency)


def _paid(
    kind: str, line: Line, size: Decimal, mark: str
) -> tuple[Decimal | None, str, Decimal | None]:
    """The other side of a trade, its currency, and the fee where it is not in there."""
    currency, prefix = _currency(line)
    traded = _traded(line["notes"])
    if traded and traded["currency"].upper() != currency.upper():
        return _other_side(traded, line, size, mark), traded["currency"], None
    if not traded and is_advanced(kind) and _pair(line["notes"]):
        raise Unreadable(
            f"Notes {shown(line['notes'])} do not say what it was traded for, which stands nowhere "
            "else. Write 'Bought 1 ETH for 2000 USDC' there."
        )
    fee = cells.money(first(line, "fees and/or spread", f"{prefix}fees"), "Fees", currency)
    fee = fee.copy_abs() if fee else None
    text = first(line, *(f"{prefix}{name}" for name in TOTALS))
    total = cells.money(text, "Total", currency)
    if total is not None:
        return _without_fee(total.copy_abs(), fee, is_buy=TRADES[kind]), currency, fee
    subtotal = cells.money(line[f"{prefix}subtotal"], "Subtotal", currency)
    if subtotal is None:
        raise Unreadable(
            "Subtotal and Total are empty, and stand nowhere else: what the trade cost is unknown. "
            "Write the Total."
        )
    return subtotal.copy_abs(), currency, fee


def _without_fee(total: Decimal, fee: Decimal | None, *, is_buy: bool) -> Decimal:
    """What was paid for a buy, or got for a sale, beside its fee: both make up the total."""
    if not fee:
        return total
    if is_buy and fee > total:
        raise Unreadable(
            f"Fees {fee:f} are more than Total {total:f}, which has them in it. Correct one of "
            "them."
        )
    return cells.total([total, fee.copy_negate() if is_buy else fee], "Total")


def _currency(line: Line) -> tuple[str, str]:
    """The account's currency, and what the titles of its columns begin with."""
    if currency := first(line, "price currency", "spot price currency"):
        return currency, ""
    code = next((found[1] for found in map(_priced_in, line) if found), "")
    return code.upper(), f"{code} " if code else ""


def _conversion(line: Line, size: Decimal, fits: Fits) -> list[Movement]:
    found = _converted(line["notes"])
    if not found:
        raise Unreadable(
            f"Notes {shown(line['notes'])} do not say what the conversion brought, which stands "
            "nowhere else. Write 'Converted 1 BTC to 30 ETH' there."
        )
    is_of_what_came = _is_of_what_came(line, size, found)
    for number, asset in fits.broken if "id" in line else ():
        if not asset or (is_of_what_came and asset == found["asset"].upper()):
            raise Unreadable(
                f"it may be one conversion with what cannot be read (line {number}), and count "
                "twice later. Correct that, and import both."
            )
    if is_of_what_came:
        given = _in_words(found["quantity"], found["amount"], size, fits.mark)
        return swap(size, line["asset"], given, found["asset"], None, "")
    bought = _other_side(found, line, size, fits.mark)
    return swap(bought, found["currency"].rstrip("."), size, line["asset"], None, "")


def _is_of_what_came(line: Line, size: Decimal, said: re.Match[str]) -> bool:
    """Whether the line is of the asset that the conversion brought, as some files have it."""
    asset = line["asset"].upper()
    is_its = said["currency"].rstrip(".").upper() == asset != said["asset"].upper()
    return is_its and bool(_marks(said["quantity"], said["amount"], size))


def _is_told_before(fits: Fits, line: Line) -> bool:
    """Whether another line has both sides of the same conversion."""
    said = _converted(line["notes"])
    if line["transaction type"].casefold() != "convert" or not said or line["id"] in fits.sides:
        return False
    with suppress(Unreadable):
        quantity = cells.number(line["quantity transacted"], "")
        is_other = quantity is not None and _is_of_what_came(line, quantity.copy_abs(), said)
        return is_other and _key(line) in fits.given
    return False


def _key(line: Line) -> tuple[str, str]:
    return line["timestamp"], line["notes"]


def _other_side(said: re.Match[str], line: Line, size: Decimal, mark: str) -> Decimal | None:
    if said["asset"].upper() != line["asset"].upper():
        raise Unreadable(
            f"Notes are about {shown(said['asset'])}, and the line is of {shown(line['asset'])}: "
            "which of them was given is not known. Write the asset that Notes begin with."
        )
    return _in_words(said["amount"], said["quantity"], size, mark)


def _in_words(text: str, quantity: str, size: Decimal, mark: str) -> Decimal | None:
    """An amount out of Notes, of which some accounts have those with decimal commas: the quantity
    there, which is the line's own, tells; where it is whole, other lines of the file do."""
    found = {
        marks: cells.number(text.translate(MARKS[marks]), "Notes", thousands=True)
        for marks in _marks(text, quantity, size)
    }
    if mark in found:
        return found[mark]
    if len(set(found.values())) > 1:
        values = " or ".join(f"{one:f}" for one in found.values() if one is not None)
        raise Unreadable(
            f"{shown(text)} in Notes can mean {values}, and no other line of the file tells. Write "
            "it there without a mark of thousands."
        )
    return next(iter(found.values())) if found else cells.number(text, "Notes")


def _marks(text: str, quantity: str, size: Decimal) -> list[str]:
    """The decimal marks with which the quantity is the line's, and the text a number."""
    found = []
    for name, marks in MARKS.items():
        with suppress(Unreadable):
            told = cells.number(quantity.translate(marks), "Notes", thousands=True)
            cells.number(text.translate(marks), "Notes", thousands=True)
            found += [name] if told == size else []
    return found


def _as_its_lines_tell(known: AccountFile, table: Table) -> AccountFile:
    marks: set[str] = set()
    given: set[tuple[str, str]] = set()
    lines_of: dict[str, list[Side]] = {}
    is_worth, has_signs = False, "sender address" in map(str.casefold, table.header)
    for record in records(table):
        line = line_of(record, table.header) if isinstance(record, Record) else Line()
        kind = line["transaction type"].casefold()
        said = _converted(line["notes"]) or _traded(line["notes"])
        is_worth = is_worth or (is_advanced(kind) and not said and not _pair(line["notes"]))
        with suppress(Unreadable):
            sides = lines_of.setdefault(line["id"], [])
            sides.append((None, line["asset"].upper(), kind, line["notes"]))
            quantity = cells.number(line["quantity transacted"], "")
            if quantity is None:
                continue
            sides[-1] = (quantity, *sides[-1][1:])
            has_signs = has_signs or quantity.is_signed()
            if said:
                fitting = _marks(said["amount"], said["quantity"], quantity.copy_abs())
                marks.update(fitting if len(fitting) == 1 else [])
                if said["asset"].upper() == line["asset"].upper():
                    given.add(_key(line))
    mark = marks.pop() if len(marks) == 1 else ""
    pairs = {id_ for id_, lines in lines_of.items() if id_ and _is_pair(lines)}
    halves = {id_ for id_, lines in lines_of.items() if id_ and has_signs and _is_half(lines)}
    fits = Fits(mark, frozenset(pairs | halves), frozenset(given))
    fits = fits._replace(broken=tuple(_broken(table, fits)))
    told = tuple(text for text, is_so in ((WORTH, is_worth), (HALVES, bool(halves))) if is_so)
    passes_over = partial(_is_told_before, fits)
    return replace(known, read_line=partial(read_line, fits), passes_over=passes_over, told=told)


def _is_pair(lines: list[Side]) -> bool:
    """Whether they are a conversion's two sides: one asset that went out, another that came in; of
    which one may not be readable."""
    if len(lines) != 2 or lines[0][1] == lines[1][1]:
        return False
    signs = {one.is_signed() for one, *_ in lines if one}
    known = sum(one is not None for one, *_ in lines)
    return all(kind == "convert" for _, _, kind, _ in lines) and len(signs) == known


def _broken(table: Table, fits: Fits) -> Iterator[tuple[int, str]]:
    for record in records(table):
        if isinstance(record, Rejected):
            yield record.line, ""
            continue
        line = line_of(record, table.header)
        try:
            if line["transaction type"].casefold() == "convert":
                read_line(fits, line, Context(UTC, "dmy"))
        except Unreadable:
            yield record.line, line["asset"].upper()


def _is_half(lines: list[Side]) -> bool:
    """Whether it is one of two sides, whose sign tells which, and the other is in another file."""
    return len(lines) == 1 and lines[0][2:] == ("convert", "")


HISTORY = AccountFile(
    "coinbase",
    "Coinbase transaction history",
    frozenset({"timestamp", "transaction type", "asset", "quantity transacted"}),
    partial(read_line, Fits()),
    account="Coinbase",
    date_column="timestamp",
    has_unique_ids=True,
    fitted=_as_its_lines_tell,
)
