"""Kraken's ledgers: History, Export, "Ledgers", as CSV.

One line is one movement, in UTC; the lines of one trade share `refid`. The fee is extra, in the
line's own asset unless `feecurrency` is another, and `balance` is the one before plus `amount`
minus `fee`, which checks the file. Whoever exports chooses the columns: `balance`, `aclass`,
`subtype` and others may be left out. A withdrawal that failed comes back with its fee, which is
negative then. Lines without a `txid` are pending, and stand there once more when they are done.
Read off files that people published; Kraken documents the columns in its support pages.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from decimal import Decimal

from transactions.imports.formats import cells
from transactions.imports.formats.accounts import Context
from transactions.imports.formats.cells import ZERO, Unreadable, shown
from transactions.imports.formats.reader import Record, records
from transactions.imports.rows import (
    AssetName,
    Movement,
    Options,
    Question,
    Reading,
    Rejected,
    Row,
    Table,
)

WALLET = "Kraken"
_with_days = re.compile(r"([A-Z0-9]{2,}?)[0-9]{2}").fullmatch
NEEDS = frozenset({"txid", "refid", "time", "type", "asset", "amount", "fee"})
# Kraken's own names of assets; the newer ones are as everybody's.
ASSETS = {
    "XXBT": "BTC",
    "XBT": "BTC",
    "XETH": "ETH",
    "ETH2": "ETH",
    "FLOWH": "FLOW",
    "XXDG": "DOGE",
    "XDG": "DOGE",
    "XLTC": "LTC",
    "XXRP": "XRP",
    "XXLM": "XLM",
    "XXMR": "XMR",
    "XZEC": "ZEC",
    "XETC": "ETC",
    "XREP": "REP",
    "XMLN": "MLN",
    "XICN": "ICN",
    "XDAO": "DAO",
    "XNMC": "NMC",
    "XXVN": "VEN",
    "ZEUR": "EUR",
    "ZUSD": "USD",
    "ZGBP": "GBP",
    "ZCAD": "CAD",
    "ZJPY": "JPY",
    "ZAUD": "AUD",
}
# What is staked, on hold or in a fund is the same asset of the same account.
SUFFIXES = ("S", "M", "F", "P", "B", "HOLD")
TOKENISED = "T"  # a share's token is not the share, so it keeps its ending
TYPES = {
    "deposit": "deposit",
    "withdrawal": "withdrawal",
    "trade": "trade",
    "spend": "trade",
    "receive": "trade",
    "sale": "trade",
    "conversion": "trade",
    "collateralconversion": "trade",
    "settled": "trade",
    "staking": "reward",
    "reward": "reward",
    "dividend": "income",
    "nft_rebate": "income",
    "invite bonus": "income",
    "margin trade": "trade",
    "nft trade": "trade",
    "nfttrade": "trade",
    "transfer": "self",
    "airdrop": "airdrop",
    "fork": "fork",
    "rollover": "fee",
}
# An account's own `earn` and `transfer` lines say more in their subtype.
SUBTYPES = {
    "reward": "reward",
    "bonus": "reward",
    "airdrop": "airdrop",
    "fork": "fork",
    "delistingconversion": "trade",
}


class LedgersFile:
    """The format itself."""

    name = "kraken"
    title = "Kraken ledgers"

    def matches(self, header: tuple[str, ...]) -> bool:
        return set(map(str.casefold, header)) >= NEEDS

    def questions(self, table: Table, options: Options) -> list[Question]:
        return []

    def read(self, table: Table, options: Options) -> Reading:
        """The account is called Kraken unless the options name it."""
        told: list[str] = []
        complete = replace(options, wallet=options.wallet or WALLET, network="")
        return Reading(complete, _rows(table, told), told)


def _rows(table: Table, told: list[str]) -> Iterator[Row | Rejected]:
    columns = {name.casefold(): place for place, name in enumerate(table.header)}
    balances: dict[tuple[str, str], Decimal] = {}
    seen: dict[str, int] = {}
    pending = checked = 0
    mismatches: list[str] = []
    for record in records(table):
        if isinstance(record, Rejected):
            yield record
            continue
        line = {name: record.cells[place].strip() for name, place in columns.items()}
        if not line["txid"]:
            pending += 1
            continue
        first = seen.setdefault(line["txid"], record.line)
        if first != record.line:
            yield Rejected(
                record.line,
                record.raw,
                f"Line {record.line}: txid {shown(line['txid'])} was there in line {first} "
                "already, and each movement has one of its own. Take the line out.",
            )
            continue
        try:
            row = _row(record, line)
            expected, balance = _check(line, balances)
        except Unreadable as problem:
            yield Rejected(record.line, record.raw, f"Line {record.line}: {problem}")
            continue
        yield row
        if expected is not None and balance is not None:
            checked += 1
            if expected != balance:
                mismatches.append(f"{record.line} ({balance:f} where {expected:f} follows)")
    if checked and not mismatches:
        of = "the one line" if checked == 1 else f"all {checked:,} lines"
        told.append(f"The running balance agrees in {of} that can be checked.")
    if mismatches:
        shown_ = ", ".join(mismatches[:5]) + (", …" if len(mismatches) > 5 else "")
        told.append(
            f"The running balance does not follow from the line before in line {shown_}: lines "
            "are missing between. Export the whole time span, and import that too."
        )
    if "balance" not in columns:
        told.append(
            "The file has no running balance, so that nothing tells whether lines are missing."
        )
    if pending:
        told.append(
            f"{pending:,} pending lines were passed over: Kraken repeats each when it is done."
        )


def _row(record: Record, line: dict[str, str]) -> Row:
    asset = _asset(line["asset"])
    amount = cells.number(line["amount"], "amount")
    if amount is None:
        raise Unreadable("amount is empty. Export the file again.")
    fee = cells.number(line["fee"], "fee") or ZERO
    movements = [Movement(amount, asset)] if amount or not fee else []
    if fee:
        # What a source gives back of a fee is no fee.
        paid_in = _asset(line.get("feecurrency") or line["asset"])
        movements.append(Movement(fee.copy_negate(), paid_in, "fee" if fee > 0 else "transfer"))
    type_ = _type(line["type"], line.get("subtype"))
    if not line["refid"] and type_ == "trade":
        raise Unreadable("refid is empty. It tells which lines are one trade: export again.")
    return Row(
        line=record.line,
        raw=record.raw,
        timestamp=Context(UTC, "").time(line["time"], "time"),
        movements=tuple(movements),
        external_id=cells.line_text(line["refid"] or line["txid"], "refid"),
        type=type_,
    )


def _asset(name: str) -> AssetName:
    """By the name that everybody knows it by: `XXBT` is BTC, `DOT28.S` is DOT."""
    code, _, suffix = name.upper().partition(".")
    if code and suffix == TOKENISED:
        code, suffix = name.upper(), ""
    if suffix and suffix not in SUFFIXES:
        raise Unreadable(
            f"asset {shown(name)} has an ending that is not known here. Please report it."
        )
    # What was staked for a number of days, such as DOT28.S; other digits are the asset's own.
    if suffix == "S" and (staked := _with_days(code)):
        code = staked[1]
    code = cells.line_text(ASSETS.get(code, code), "asset", cells.MAX_LABEL)
    if not code:
        raise Unreadable("asset is empty. Export the file again.")
    return AssetName("code", code, symbol=code)


def _type(type_: str, subtype: str | None) -> str:
    """As in the ledger; `earn` moves what is staked, but for its rewards.

    Only the subtype tells these apart, and what a transfer was: where there is none, it follows
    from what moved.
    """
    kind = type_.casefold()
    if (subtype is None and kind == "earn") or (not subtype and kind == "transfer"):
        return ""
    told = SUBTYPES.get((subtype or "").casefold())
    return told or ("self" if kind == "earn" else TYPES.get(kind, "other"))


def _check(
    line: dict[str, str], balances: dict[tuple[str, str], Decimal]
) -> tuple[Decimal | None, Decimal | None]:
    """The balance that follows from the same asset's line before, and the one that is there."""
    key = (line["asset"], line.get("wallet", ""))
    balance = cells.number(line.get("balance", ""), "balance")
    amount, fee = (cells.number(line[name], name) or ZERO for name in ("amount", "fee"))
    if line.get("feecurrency", "") not in ("", line["asset"]):
        fee = ZERO  # which another balance paid
    before = balances.get(key)
    if balance is not None:
        balances[key] = balance
    return (None if before is None else before + amount - fee), balance


LEDGERS = LedgersFile()
