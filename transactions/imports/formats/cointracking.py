"""CoinTracking's trade table: Enter Coins, Export, as CSV; and its template for imports.

Three columns are called `Cur.`, each after the amount that it is of. The fee is beside both
amounts. Dates are written as the account was set, sometimes in several ways in one file, in the
account's time zone, which the file does not say; numbers have the account's decimal mark. A German
account has German titles and types. Source: files that people published.
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

FEES = (
    "Fees were counted beside the amounts. What CoinTracking imported itself has them in the "
    "amounts already, or in lines of their own (Other Fee): where balances are too low by the "
    "fees, empty the column Fee and import that."
)
AMOUNTS = ("buy", "sell", "fee")
_moves = re.compile("[1-9]").search
CURRENCY = ("cur.", "cur", "currency")
GERMAN = {
    "typ": "type",
    "kauf": "buy",
    "verkauf": "sell",
    "gebühr": "fee",
    "börse": "exchange",
    "gruppe": "group",
    "kommentar": "comment",
    "datum": "date",
}
TEMPLATE = {"buy amount": "buy", "sell amount": "sell", "trade-group": "group"}
TYPES = {
    "trade": "trade",
    "swap (non taxable)": "trade",
    "deposit": "deposit",
    "withdrawal": "withdrawal",
    "staking": "reward",
    "masternode": "reward",
    "reward / bonus": "reward",
    "mining": "mining",
    "mining (commercial)": "mining",
    "airdrop": "airdrop",
    "airdrop (non taxable)": "airdrop",
    "interest income": "interest",
    "lending income": "interest",
    "income": "income",
    "income (non taxable)": "income",
    "other income": "income",
    "gift": "gift",
    "gift/tip": "gift",
    "gift/tip (in)": "gift",
    "donation": "donation",
    "spend": "cost",
    "lost": "lost",
    "stolen": "lost",
    "other fee": "fee",
    "margin fee": "fee",
    "settlement fee": "fee",
    "other expense": "cost",
    "minting": "reward",
    "dividends income": "income",
    "hard fork": "fork",
    "fork": "fork",
    "lp rewards": "reward",
    "borrowing fee": "fee",
    "margin trade": "trade",
    "derivatives / futures trade": "trade",
    "expense (non taxable)": "cost",
    "handel": "trade",
    "derivate / futures trade": "trade",
    "swap (steuerfrei)": "trade",
    "einzahlung": "deposit",
    "auszahlung": "withdrawal",
    "einnahme": "income",
    "ausgabe": "cost",
    "geschenk": "gift",
    "spende": "donation",
    "verloren": "lost",
    "gestohlen": "lost",
    "sonstige gebühr": "fee",
    "margin gebühr": "fee",
    "settlement gebühr": "fee",
    "borrowing gebühr": "fee",
    "belohnung / bonus": "reward",
    "mining (kommerziell)": "mining",
    "airdrop (steuerfrei)": "airdrop",
    "zinsen": "interest",
    "lending einnahme": "interest",
    "dividenden einnahme": "income",
    "sonstige einnahme": "income",
    "einnahme (steuerfrei)": "income",
    "sonstige ausgabe": "cost",
    "ausgabe (steuerfrei)": "cost",
    "schenkung": "gift",
    "verlust": "lost",
}


def columns(header: tuple[str, ...]) -> tuple[str, ...]:
    """As in the English table, each currency named after the amount that it follows."""
    plain = (name.casefold().removesuffix(" (optional)") for name in header)
    names = [(GERMAN | TEMPLATE).get(name, name) for name in plain]
    return tuple(
        f"{names[place - 1]} currency" if place and name in CURRENCY else name
        for place, name in enumerate(names)
    )


def read_line(marks: Marks, line: Line, context: Context) -> Told:
    bought, sold, fee = (marks.amount(line[name], name.title()) for name in AMOUNTS)
    labels = [line["group"]] if line.get("group") else []
    return Told(
        context.time(line["date"], "Date"),
        swap(
            bought,
            line["buy currency"],
            sold,
            line["sell currency"],
            fee,
            line.get("fee currency", ""),
        ),
        id=line["tx-id"] or line["tx hash"] or line["trade id"],
        type=TYPES.get(line["type"].casefold(), "other"),
        note=cells.note_text(line.get("comment", ""), "Comment"),
        labels=tuple(cells.line_text(text, "Group", cells.MAX_LABEL) for text in labels),
        wallet=line["exchange"],
    )


def _as_its_lines_tell(known: AccountFile, table: Table) -> AccountFile:
    marks = marks_of(line[name] for line in known.lines(table) for name in AMOUNTS)
    has_fees = any(_moves(line["fee"]) for line in known.lines(table))
    read = partial(read_line, marks)
    return replace(known, read_line=read, told=(FEES,) if has_fees else ())


TRADES = AccountFile(
    "cointracking",
    "CoinTracking trades",
    frozenset({"type", "buy", "buy currency", "sell", "sell currency", "exchange", "date"}),
    partial(read_line, Marks()),
    wallet_columns=("exchange",),
    date_column="date",
    is_utc=False,
    columns=columns,
    fitted=_as_its_lines_tell,
)
