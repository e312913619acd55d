"""rotki's generic files: events, and trades.

Times are Unix milliseconds, or as people write them, in UTC. Assets are symbols, or identifiers
such as `eip155:1/erc20:0xdAC1…1ec7`; the best known of these get the code that accounts have for
them, of the others the contract is the code. The fee is beside the amounts. Trades of files before
2024 have a base and a quote currency: of which of them Buy Amount is, tells whether the base was
bought or sold. Source: rotki's documentation and its importers.
"""

import re
from datetime import datetime
from decimal import Decimal

from transactions.imports.formats import cells
from transactions.imports.formats.accounts import AccountFile, Context, Line, Told, move, swap
from transactions.imports.formats.cells import Unreadable, shown

# Type in small letters -> whether it goes out, and ours.
TYPES = {
    "deposit": (False, "deposit"),
    "withdrawal": (True, "withdrawal"),
    "income": (False, "income"),
    "receive": (False, "receive"),
    "staking": (False, "reward"),
    "airdrop": (False, "airdrop"),
    "interest": (False, "interest"),
    "mining": (False, "mining"),
    "gift": (False, "gift"),
    "loss": (True, "lost"),
    "spend": (True, "cost"),
    "send": (True, "send"),
    "donation": (True, "donation"),
    "fee": (True, "fee"),
}
# Tokens of Ethereum, as their issuers name them.
KNOWN = {
    "0xdac17f958d2ee523a2206206994597c13d831ec7": "USDT",
    "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48": "USDC",
    "0x6b175474e89094c44da98b954eedeac495271d0f": "DAI",
    "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2": "WETH",
    "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599": "WBTC",
    "0x1f9840a85d5af5bf1d1762f925bdaddc4201f984": "UNI",
    "0x514910771af9ca656af840dff83e8264ecf986ca": "LINK",
    "0xb8c77482e45f1f44de1745f52c74426c631bdd52": "BNB",
    "0x9f8f72aa9304c8b593d555f12ef6589cc3a579a2": "MKR",
    "0x7fc66500c84a76ad7e9c93437bfc5ac33e2ddae9": "AAVE",
    "0x7d1afa7b718fb893db30a3abc0cfc608aacfebb0": "MATIC",
}
_identifier = re.compile(
    r"eip155:(?P<chain>[0-9]+)/(?:erc20|erc721|erc1155):"
    r"(?P<contract>0x[0-9a-fA-F]{40})(?:/(?P<number>[0-9]+))?"
).fullmatch


def time_of(line: Line, context: Context) -> datetime:
    """Milliseconds, or seconds where there are too few digits for them, or written out."""
    text = line["timestamp"]
    if not text.isdecimal():
        return context.time(text, "Timestamp")
    try:
        return cells.unix_time(text[:-3] if len(text) > 11 else text, "Timestamp")
    except Unreadable:
        raise Unreadable(
            f"Timestamp {shown(text)} is not a time in Unix milliseconds from "
            f"{cells.FIRST_YEAR} to {cells.LAST_YEAR}. Write it like 1658912400000."
        ) from None


def code(text: str) -> str:
    """An NFT's has its number, since each of a contract is another."""
    found = _identifier(text)
    if not found:
        return text
    if found["chain"] != "1":  # of which the same contract is another token
        return text
    name = KNOWN.get(found["contract"].lower(), found["contract"])
    return f"{name}#{found['number']}" if found["number"] else name


def read_event(line: Line, context: Context) -> Told:
    kind = line["type"].casefold()
    if kind not in TYPES:
        raise Unreadable(
            f"Type {shown(line['type'])} is not known. Write one of: {', '.join(TYPES)}."
        )
    is_out, type_ = TYPES[kind]
    amount = cells.amount(line["amount"], "Amount")
    return Told(
        time_of(line, context),
        [
            *move(amount, code(line["currency"]), "Currency", is_out=is_out),
            *move(fee_of(line), code(line["fee currency"]), "Fee Currency", is_fee=True),
        ],
        type=type_,
        note=cells.note_text(line["description"], "Description"),
        wallet=line["location"],
    )


def fee_of(line: Line) -> Decimal | None:
    """rotki writes None where there is none."""
    return None if line["fee"] == "None" else cells.amount(line["fee"], "Fee")


def read_trade(line: Line, context: Context) -> Told:
    currencies = line["receive currency"], line["spend currency"]
    return _trade(line, context, "receive amount", "spend amount", *currencies)


def read_old_trade(line: Line, context: Context) -> Told:
    base, quote = line["base currency"], line["quote currency"]
    kind = line["type"].casefold()
    if kind not in ("buy", "sell"):
        raise Unreadable(f"Type {shown(line['type'])} is not known. Write Buy or Sell.")
    currencies = (base, quote) if kind == "buy" else (quote, base)
    return _trade(line, context, "buy amount", "sell amount", *currencies)


def _trade(
    line: Line, context: Context, received: str, spent: str, received_code: str, spent_code: str
) -> Told:
    amounts = [cells.amount(line[name], name.title()) for name in (received, spent)]
    if not all(amounts):
        raise Unreadable(f"{received.title()} or {spent.title()} is 0, and a trade has both.")
    return Told(
        time_of(line, context),
        swap(
            amounts[0],
            code(received_code),
            amounts[1],
            code(spent_code),
            fee_of(line),
            code(line["fee currency"]),
        ),
        type="trade",
        note=cells.note_text(line["description"], "Description"),
        wallet=line["location"],
    )


FEES = frozenset({"location", "fee", "fee currency", "description", "timestamp"})
EVENTS = AccountFile(
    "rotki-events",
    "rotki generic events",
    FEES | {"type", "currency", "amount"},
    read_event,
    wallet_columns=("location",),
    date_column="timestamp",
)
TRADES = AccountFile(
    "rotki-trades",
    "rotki generic trades",
    FEES | {"spend currency", "receive currency", "receive amount", "spend amount"},
    read_trade,
    wallet_columns=("location",),
    date_column="timestamp",
)
OLD_TRADES = AccountFile(
    "rotki-trades-old",
    "rotki generic trades, before 2024",
    FEES | {"base currency", "quote currency", "type", "buy amount", "sell amount"},
    read_old_trade,
    wallet_columns=("location",),
    date_column="timestamp",
)
