"""Binance's files: the statement of all movements, and the histories of deposits and withdrawals.

The statement has one signed movement a line, without an id. Movements of a trade within one
second are one transaction of that second, and so are those of two seconds of which one alone lacks
what was given or what was taken; others are each one. A trade of which a line cannot be read is
left out whole, since what is left of it would look like another. What Earn rewards stands there
twice in the newest statements, and counts in Spot. Deposits and withdrawals stand in the statement
too, so import the statement, or those two files, not both. The time zone is in the title of the
column (`UTC_Time`, `Date(UTC+8)`) or, of newer files, in the file's name (`…(UTC--6).csv`). Older
histories of both kinds have the same columns: a fee, which no deposit costs, or the file's name
tells them apart. Source: files that people published, and Binance's help pages.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import partial
from typing import NamedTuple

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
from transactions.imports.formats.reader import Record, line_of, records
from transactions.imports.rows import FileError, Movement, Status, Table

ACCOUNT = "Binance"
SECOND = timedelta(seconds=1)
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
    "convert",
    "futures convert",
    "asset conversion transfer",
    "token swap - redenomination/rebranding",
    "large otc trading",
    "otc trading",
    "small assets exchange bnb",
    "small assets exchange bnb (spot)",
    "bnb fee deduction",
    "buy crypto",
    "buy crypto with fiat",
    "buy crypto with card",
    "sell crypto to fiat",
    "auto-invest transaction",
    "eth 2.0 staking",
    "eth 2.0 staking withdrawals",
    "beth to wbeth wrapping",
    "wbeth to beth unwrapping",
    "stablecoins auto-conversion",
    "leverage token redemption",
    "swap farming transaction",
    "liquid swap sell",
}
FEES = {"fee", "transaction fee", "bnb fee deduction"}
# What Earn says of a reward that stands in Spot, where it is paid.
MIRRORED = "- rewards income"
# What an operation says, by a word in it; the first that fits.
TYPES = {
    "pool distribution": "mining",
    "savings distribution": "interest",
    "earnings": "reward",
    "voucher": "income",
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
    "subscription": "self",
    "redemption": "self",
    "purchase": "self",
    "transfer": "self",
    "fork": "fork",
    "subscribe": "self",
    "liquid swap": "self",
    "liquidity farming": "self",
    "p2p": "trade",
    "crypto box": "gift",
    "funding fee": "fee",
    "spending": "cost",
    "merchant acquiring": "cost",
    "copy portfolio": "self",
    "fiat ocbs": "deposit",
}
# Of what goes to others and comes from them in one operation, the sign tells.
BOTH_WAYS = ("send", "receive", "recieve", "binance pay")
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
# A statement's columns in Spanish, Portuguese and French; what is in them is the same.
IN_ENGLISH = {
    "tiempo": "time",
    "tempo": "time",
    "durée": "time",
    "cuenta": "account",
    "conta": "account",
    "compte": "account",
    "operación": "operation",
    "operação": "operation",
    "opération": "operation",
    "moneda": "coin",
    "moeda": "coin",
    "jeton": "coin",
    "cambio": "change",
    "alterar": "change",
    "observación": "remark",
    "observação": "remark",
    "remarque": "remark",
}
_short_year = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{2} .*").fullmatch
_time_column = re.compile(r"utc_time|(?:date|time) ?(?:\(utc.*\))?").fullmatch
_zone = re.compile(
    r"\(UTC(?:([+-]{0,2})([0-9]{1,2})(?:[:._]?([0-9]{2}))?)?\)", re.IGNORECASE
).search
_ways = re.compile(r"deposit|withdraw", re.IGNORECASE).findall


def first(line: Line, *names: str) -> str:
    return next((line[name] for name in names if line.get(name)), "")


def _time(line: Line, context: Context) -> datetime:
    column = time_column(line)
    text = line[column]
    return context.time(f"20{text}" if _short_year(text) else text, column or "Time")


def columns(header: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(IN_ENGLISH.get(name.casefold(), name) for name in header)


def time_column(names: Iterable[str]) -> str:
    return next((name for name in names if _time_column(name)), "")


def zone_of(text: str) -> tzinfo | None:
    """The zone of `(UTC)`, `(UTC+8)` or `(UTC--6)`; None where none is named."""
    found = _zone(text)
    if not found:
        return None
    signs, hours, minutes = found.groups(default="")
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if offset >= timedelta(days=1):
        return None
    return timezone(-offset if signs.endswith("-") else offset)


def _in_its_zone(known: AccountFile, table: Table) -> AccountFile:
    column = time_column(map(str.casefold, columns(table.header)))
    zone = UTC if column == "utc_time" else zone_of(column) or zone_of(table.file_name)
    return replace(known, date_column=column, is_utc=False, zone=zone, zone_varies=True)


def _of_its_way(known: AccountFile, table: Table) -> AccountFile:
    read_line = read_withdrawal if _is_out(table) else read_deposit
    return replace(_in_its_zone(known, table), read_line=read_line)


def _is_out(table: Table) -> bool:
    """Whether a history is of withdrawals."""
    names = set(map(str.casefold, table.header))
    if not names & FEE_COLUMNS:
        return False
    ways = set(map(str.casefold, _ways(table.file_name)))
    if "fee" in names or ways == {"withdraw"} or (ways != {"deposit"} and _has_fees(table)):
        return True
    if ways == {"deposit"}:
        return False
    raise FileError(
        "The file can be of deposits or of withdrawals: the columns of both are the same, and no "
        "line has a fee, which only a withdrawal costs. Write 'deposit' or 'withdraw' into the "
        "file's name, and import it again."
    )


def _has_fees(table: Table) -> bool:
    lines = (line_of(one, table.header) for one in records(table) if isinstance(one, Record))
    return any(line["transactionfee"].strip("0.-") for line in lines)


class Trades(NamedTuple):
    """What a file's lines tell of its trades, by the text of a line's time.

    `delays` is how long after the second of its trade a line is: Binance writes the lines of a
    trade one after another, sometimes over the turn of a second. `broken` are the numbers of lines
    that cannot be read and may be of the same trade.
    """

    delays: Mapping[str, timedelta] = {}
    broken: Mapping[str, str] = {}


def _with_its_trades(known: AccountFile, table: Table) -> AccountFile:
    return replace(_in_its_zone(known, table), read_line=partial(read_statement, trades_of(table)))


def trades_of(table: Table) -> Trades:
    texts: dict[datetime, set[str]] = {}
    sides: dict[datetime, set[tuple[bool, str]]] = {}  # whether something went out, and what
    broken: dict[datetime, list[int]] = {}
    before, without_time = datetime.min, list[int]()
    for record in records(table):
        line = line_of(record, columns(table.header)) if isinstance(record, Record) else Line()
        operation = line["operation"].casefold()
        try:
            moment = _time(line, Context(UTC, "dmy"))
        except Unreadable:
            # It is between the lines beside it, which stand in the order of their times.
            broken.setdefault(before, []).append(record.line)
            without_time.append(record.line)
            continue
        broken.setdefault(moment, []).extend(without_time)
        before, without_time = moment, []
        try:
            change = cells.number(line["change"], "Change")
        except Unreadable:
            change = None
        if change is None:  # also of no trade, since its cells can be those of other columns
            broken[moment].append(record.line)
        if operation not in TRADES:
            continue
        texts.setdefault(moment, set()).add(line[time_column(line)])
        side = sides.setdefault(moment, set())
        if change and not (operation in FEES and change < 0):
            side.add((change < 0, line["coin"].upper()))
    # In a statement of one coin alone no trade can be told to be whole.
    has_pairs = len({coin for side in sides.values() for _, coin in side}) > 1
    delays = {
        text: moment - first
        for moment, first in (begun(sides).items() if has_pairs else ())
        for text in texts[moment]
        if moment != first
    }
    left_out = {
        text: ", ".join(map(str, sorted(lines)))
        for run in runs(sorted(sides))
        if (lines := _broken_beside(run, broken, in_all=not has_pairs))
        for moment in run
        for text in texts[moment]
    }
    return Trades(delays, left_out)


def runs(moments: list[datetime]) -> Iterator[list[datetime]]:
    """Seconds one after another, any two of which could be of one trade."""
    run: list[datetime] = []
    for moment in moments:
        if run and moment - run[-1] > SECOND:
            yield run
            run = []
        run.append(moment)
    if run:
        yield run


def _broken_beside(
    run: list[datetime], broken: Mapping[datetime, list[int]], *, in_all: bool
) -> set[int]:
    near = broken if in_all else (run[0] - SECOND, *run, run[-1] + SECOND)
    return {line for moment in near for line in broken.get(moment, ())}


def begun(sides: Mapping[datetime, set[tuple[bool, str]]]) -> dict[datetime, datetime]:
    """Each second -> the one that its trade is of, which can be the one before or after."""
    first = {moment: moment for moment in sides}
    ways = {moment: {is_out for is_out, _ in side} for moment, side in sides.items()}
    halves = sorted(moment for moment, way in ways.items() if len(way) < 2)
    joined: set[datetime] = set()
    for moment in halves:  # two of which make a trade
        after = moment + SECOND
        is_half = moment not in joined and len(ways.get(after, ())) == 1
        if is_half and len(ways[moment] | ways[after]) == 2:
            first[after] = moment
            joined |= {moment, after}
    for moment in halves:  # the others belong to the trade beside them
        if moment not in joined:
            beside = (moment - SECOND, moment + SECOND)
            first[moment] = next((first[one] for one in beside if one in first), moment)
    return first


def read_statement(trades: Trades, line: Line, context: Context) -> Told:
    operation = line["operation"].casefold()
    change = cells.number(line["change"], "Change")
    if not change:
        raise Unreadable(f"Change {shown(line['change'])} is no movement. Export the file again.")
    timestamp = _time(line, context)
    is_trade = operation in TRADES
    if is_trade:
        if lines := trades.broken.get(line[time_column(line)]):
            raise Unreadable(
                f"it may be of one trade with what cannot be read (line {lines}), and a trade "
                "counts as a whole. Correct that, and import all of these lines together."
            )
        timestamp -= trades.delays.get(line[time_column(line)], timedelta())
    is_fee = operation in FEES and change < 0
    movements = [Movement(change, coin(line["coin"], "Coin"), "fee" if is_fee else "transfer")]
    if operation.endswith(MIRRORED) and line["account"].casefold() == "earn":
        return Told(timestamp, nothing_moved(movements), type="self")
    if operation == "transfer":  # which Remark can say to be a payment
        operation += f" {line['remark'].casefold()}"
    return Told(
        timestamp,
        movements,
        group=f"trade:{timestamp:%Y-%m-%dT%H:%M:%S}" if is_trade else "",
        type="trade" if is_trade else _type(operation, is_out=change < 0),
        note=cells.note_text(line["remark"], "Remark"),
    )


def _type(operation: str, *, is_out: bool) -> str:
    if any(word in operation for word in BOTH_WAYS):
        return "send" if is_out else "receive"
    return next((ours for word, ours in TYPES.items() if word in operation), "other")


def read_withdrawal(line: Line, context: Context) -> Told:
    return _read_transfer(line, context, is_out=True)


def read_deposit(line: Line, context: Context) -> Told:
    return _read_transfer(line, context, is_out=False)


def _read_transfer(line: Line, context: Context, *, is_out: bool) -> Told:
    amount = cells.amount(line["amount"], "Amount")
    fee = cells.amount(first(line, "transactionfee", "fee"), "Fee")
    movements = [
        *move(amount, line["coin"], "Coin", is_out=is_out),
        *move(fee, line["coin"], "Coin", is_fee=True),
    ]
    status = STATUSES.get(line["status"].casefold())
    if status is None:
        raise Unreadable(f"Status {shown(line['status'])} is not known. Please report it.")
    txid = first(line, "txid", "transaction id")
    if txid.casefold() in ("internal transfer", "off-chain transfer"):  # which many have
        txid = ""
    if status == "pending" and not txid:
        raise Unreadable(
            f"Status is {shown(line['status'])}, and there is no TXID by which it would be known "
            "once it is done. Export the file again then."
        )
    told = [f"{name} {line[key]}" for name, key in NOTED.items() if line.get(key)]
    return Told(
        _time(line, context),
        nothing_moved(movements) if status == "failed" else movements,
        id=txid,
        type="withdrawal" if is_out else "deposit",
        note=cells.note_text(", ".join(told), "The note"),
        status=status,
    )


NOTED = {"Network": "network", "Address": "address"}
MOVED = frozenset({"coin", "amount", "address", "status", "txid"})
FEE_COLUMNS = frozenset({"transactionfee", "fee"})

STATEMENT = AccountFile(
    "binance",
    "Binance statement",
    frozenset({"account", "operation", "coin", "change"}),
    partial(read_statement, Trades()),
    account=ACCOUNT,
    columns=columns,
    fitted=_with_its_trades,
)
WITHDRAWALS = AccountFile(
    "binance-withdrawals",
    "Binance withdrawals",
    MOVED,
    read_withdrawal,
    one_of=FEE_COLUMNS,
    account=ACCOUNT,
    fitted=_of_its_way,
)
DEPOSITS = AccountFile(
    "binance-deposits",
    "Binance deposits",
    MOVED,
    read_deposit,
    lacks=FEE_COLUMNS,
    account=ACCOUNT,
    fitted=_of_its_way,
)
