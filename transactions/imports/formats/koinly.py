"""Koinly's own export of its transactions, which is not its universal template.

Times are UTC. Currencies bear Koinly's number behind their code, such as `BTC;1`; where one file
has two numbers for a code, they are two assets. Wallets bear what they are connected to, such as
`Cold;eth`. A transfer between two wallets is one line with both. Deleted lines are marked. Numbers
have the decimal mark of the account's country, which one of them tells of the whole file. Source:
the column names in tools that read it.
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
    "exchange": "trade",
    "buy": "trade",
    "sell": "trade",
    "trade": "trade",
    "transfer": "self",
    "crypto_transfer": "self",
    "crypto_deposit": "receive",
    "crypto_withdrawal": "send",
    "fiat_deposit": "deposit",
    "fiat_withdrawal": "withdrawal",
    "deposit": "deposit",
    "withdrawal": "withdrawal",
}
TAGS = {
    "reward": "reward",
    "staking": "reward",
    "mining": "mining",
    "airdrop": "airdrop",
    "fork": "fork",
    "lending interest": "interest",
    "loan interest": "interest",
    "interest": "interest",
    "income": "income",
    "other income": "income",
    "gift": "gift",
    "donation": "donation",
    "cost": "cost",
    "lost": "lost",
    "fee": "fee",
}
# Some generations begin these with other words.
COLUMNS = {
    "date (utc)": "date",
    "label": "tag",
    "sending wallet": "from wallet",
    "sent amount": "from amount",
    "sent currency": "from currency",
    "receiving wallet": "to wallet",
    "received amount": "to amount",
    "received currency": "to currency",
}


AMOUNTS = ("from amount", "to amount", "fee amount")
# What a wallet is connected to, behind its name.
_connection = re.compile(r";[\w-]+$").sub


def columns(header: tuple[str, ...]) -> tuple[str, ...]:
    names = (name.casefold().removesuffix(" (read-only)") for name in header)
    return tuple(COLUMNS.get(name, name) for name in names)


def code(text: str, ambiguous: frozenset[str]) -> str:
    """Without Koinly's number, but for codes that several assets of the file have."""
    name = text.partition(";")[0].strip()
    return text.strip() if name in ambiguous else name


def read_line(ambiguous: frozenset[str], marks: Marks, line: Line, context: Context) -> Told:
    sent, received, fee = (marks.amount(line[name], name.capitalize()) for name in AMOUNTS)
    tag = line.get("tag", "")
    known = TAGS.get(tag.casefold().replace("_", " "), "")
    kind = known or TYPES.get(line["type"].casefold(), "")
    labels = (tag,) if tag and not known else ()
    own, other = (_connection("", line[name]) for name in ("from wallet", "to wallet"))
    movements = swap(
        received,
        code(line["to currency"], ambiguous),
        sent,
        code(line["from currency"], ambiguous),
        fee,
        code(line["fee currency"], ambiguous),
    )
    if own and other and own != other:
        movements = [replace(one, wallet=other) if one.amount > 0 else one for one in movements]
    return Told(
        context.time(line["date"], "Date"),
        movements,
        id=line.get("txhash", "") or line.get("id", ""),
        type=kind,
        note=cells.note_text(line.get("description", ""), "Description"),
        labels=tuple(cells.line_text(text, "Tag", cells.MAX_LABEL) for text in labels),
        wallet=own or other,
    )


def is_deleted(line: Line) -> bool:
    return line.get("deleted", "").casefold() in ("true", "1", "yes")


def _as_its_lines_tell(known: AccountFile, table: Table) -> AccountFile:
    numbers: dict[str, set[str]] = {}
    for line in known.lines(table):
        for name in ("to currency", "from currency", "fee currency"):
            asset, _, number = line[name].partition(";")
            numbers.setdefault(asset.strip(), set()).update({number.strip()} - {""})
    ambiguous = frozenset(asset for asset, found in numbers.items() if len(found) > 1)
    marks = marks_of(line[name] for line in known.lines(table) for name in AMOUNTS)
    return replace(known, read_line=partial(read_line, ambiguous, marks))


EXPORT = AccountFile(
    "koinly",
    "Koinly's own export",
    frozenset(
        {
            *("date", "type", "from wallet", "from amount", "from currency"),
            *("to wallet", "to amount", "to currency", "fee amount", "fee currency"),
        }
    ),
    partial(read_line, frozenset(), Marks()),
    wallet_columns=("from wallet", "to wallet"),
    columns=columns,
    passes_over=is_deleted,
    fitted=_as_its_lines_tell,
)
