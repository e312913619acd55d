"""Blockpit's transactions: the template for imports, and its own export.

Times are UTC, `31.01.2024 13:45:00` or ISO. Each line names its account and has two sides and a
fee, of which any may be empty. Source: Blockpit's template, and tools that write it.
"""

import re
from dataclasses import replace
from functools import partial

from transactions.imports.formats import cells
from transactions.imports.formats.accounts import (
    AccountFile,
    Context,
    Line,
    Marks,
    Told,
    marks_of,
    swap,
)
from transactions.imports.rows import Table

TYPES = {
    "trade": "trade",
    "swap": "trade",
    "deposit": "deposit",
    "unlabeled deposit": "deposit",
    "withdrawal": "withdrawal",
    "unlabeled withdrawal": "withdrawal",
    "airdrop": "airdrop",
    "mining": "mining",
    "staking": "reward",
    "masternode": "reward",
    "reward": "reward",
    "bounty": "income",
    "bounties": "income",
    "payment": "cost",
    "income": "income",
    "lending": "interest",
    "lending interest": "interest",
    "interest": "interest",
    "gift": "gift",
    "gift received": "gift",
    "gift sent": "gift",
    "donation": "donation",
    "hard fork": "fork",
    "hardfork": "fork",
    "lost": "lost",
    "stolen": "lost",
    "fee": "fee",
    "margin fee": "fee",
    "derivative fee": "fee",
    "cashback": "income",
    "salary": "income",
    "non-taxable in": "other",
    "non-taxable out": "other",
}
COLUMNS = {
    "timestamp": "date",
    "source name": "integration name",
    "integration": "integration name",
    "transaction type": "label",
    "trx. id": "transaction id",
    "note": "comment",
    "comments": "comment",
}
_extra = re.compile(r" \((?:optional|utc)\)$").sub


def columns(header: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for name in header:
        plain = _extra("", name.casefold())
        ours = COLUMNS.get(plain, plain)
        found.append(plain if ours in found else ours)
    return tuple(found)


AMOUNTS = ("incoming", "outgoing", "fee")
# A side without which the line is not what it says.
NEEDED = {"deposit": "incoming", "withdrawal": "outgoing"}


def read_line(marks: Marks, line: Line, context: Context) -> Told:
    label = line["label"].casefold()
    side = NEEDED.get(label)
    if side and not line[f"{side} amount"]:
        raise cells.Unreadable(
            f"a {label} without {side.title()} Amount. Write the amount in its column."
        )
    received, sent, fee = (
        marks.amount(line[f"{name} amount"], f"{name.title()} Amount") for name in AMOUNTS
    )
    return Told(
        context.time(line["date"], "Date"),
        swap(
            received,
            line["incoming asset"],
            sent,
            line["outgoing asset"],
            fee,
            line.get("fee asset", ""),
        ),
        id=line.get("transaction id", "") or line.get("blockpit id", ""),
        type=TYPES.get(label, "other"),
        note=cells.note_text(line.get("comment", ""), "Comment"),
        wallet=line["integration name"],
    )


def _as_its_lines_tell(known: AccountFile, table: Table) -> AccountFile:
    lines = known.lines(table)
    marks = marks_of(line[f"{name} amount"] for line in lines for name in AMOUNTS)
    return replace(known, read_line=partial(read_line, marks))


TRANSACTIONS = AccountFile(
    "blockpit",
    "Blockpit transactions",
    frozenset(
        {
            *("date", "integration name", "label", "outgoing asset", "outgoing amount"),
            *("incoming asset", "incoming amount"),
        }
    ),
    partial(read_line, Marks()),
    wallet_columns=("integration name",),
    columns=columns,
    fitted=_as_its_lines_tell,
)
