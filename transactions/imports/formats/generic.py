"""The generic CSV: the columns of Koinly's universal format and some of our own.

A record tells what left a wallet, what came in and what it cost. With a network and the wallet's
address it is an on-chain transaction; without a network, one of a named account. Described for
people in docs/import-formats.md.
"""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from io import StringIO
from operator import itemgetter
from typing import NamedTuple

from contacts.addresses import families_of, looks_like_address
from contacts.networks import NETWORKS
from transactions.imports.formats import cells
from transactions.imports.formats.accounts import Context, coin
from transactions.imports.formats.cells import ZERO, Unreadable, shown
from transactions.imports.formats.reader import Record, records, rows_of
from transactions.imports.rows import (
    AssetName,
    FileError,
    Movement,
    Options,
    Question,
    Reading,
    Row,
    Status,
    Table,
)
from txsite.spreadsheets import unprotected

KOINLY_COLUMNS = (
    "Date",
    "Sent Amount",
    "Sent Currency",
    "Received Amount",
    "Received Currency",
    "Fee Amount",
    "Fee Currency",
    "Net Worth Amount",
    "Net Worth Currency",
    "Label",
    "Description",
    "TxHash",
)
OWN_COLUMNS = (
    "Wallet",
    "Network",
    "Sent Contract",
    "Received Contract",
    "Fee Contract",
    "Counterparty",
    "Status",
    "Type",
    "Method",
    "Labels",
    "Contact",
    "Note",
    "Account",
    "Block",
    "Whole",
    "Wallet Name",
    "Sent Name",
    "Received Name",
    "Fee Name",
    "Label Colours",
    "Label Descriptions",
    "Number",
)
# As in the ledger; a test holds them equal.
TYPES = (
    "send",
    "receive",
    "self",
    "trade",
    "call",
    "deposit",
    "withdrawal",
    "reward",
    "staking",
    "airdrop",
    "mining",
    "interest",
    "fork",
    "income",
    "gift",
    "donation",
    "cost",
    "lost",
    "fee",
    "other",
)
COLOURS = ("grey", "red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown")
MAX_DESCRIPTION = 1_000
CODE_ALONE = "-"  # in the place of a contract: the asset is known by its code
WHOLE = "yes"
_numbered = re.compile(r"([0-9]+) of ([0-9]+), line ([0-9]+) of ([0-9]+)").fullmatch
STATUSES: dict[str, Status] = {"": "ok", "ok": "ok", "failed": "failed", "pending": "pending"}
# Koinly's words for what we call otherwise; its other words are types of ours or become labels.
KOINLY_TYPES = {
    "loan interest": "interest",
    "lending interest": "interest",
    "other income": "income",
    "buy": "trade",
    "sell": "trade",
}
# What Koinly tags, of our types.
TYPE_OF_LABEL = {
    **{type_: type_ for type_ in ("reward", "airdrop", "mining", "fork", "gift", "donation")},
    **{type_: type_ for type_ in ("income", "cost", "lost")},
    "interest": "lending interest",
}
# What files for Koinly call a column too.
SYNONYMS = {"tag": "label"}
FORMER_SYMBOLS = {"MATIC": "POL"}


def _key(title: str) -> str:
    """A column's name as it is compared: `Sent Amount` and `sent_amount` are the same."""
    key = title.casefold().replace(" ", "_")
    return SYNONYMS.get(key, key)


TITLES = {_key(title): title for title in (*KOINLY_COLUMNS, *OWN_COLUMNS)}


class Line(NamedTuple):
    """The cells that a row is made of; empty where the file has no such column."""

    date: str
    sent_amount: str
    sent_currency: str
    sent_contract: str
    received_amount: str
    received_currency: str
    received_contract: str
    fee_amount: str
    fee_currency: str
    fee_contract: str
    label: str
    description: str
    txhash: str
    wallet: str
    network: str
    counterparty: str
    status: str
    type: str
    method: str
    labels: str
    contact: str
    note: str
    account: str
    block: str
    whole: str
    wallet_name: str
    sent_name: str
    received_name: str
    fee_name: str
    label_colours: str
    label_descriptions: str
    number: str


class Place(NamedTuple):
    """Where a row happened: on a network, or (empty) in the books of a named account."""

    network: str
    wallet: str  # the address as we store it, or the account's name


class Leg(NamedTuple):
    """One of a row's three amounts; positive, None where the file leaves it out."""

    amount: Decimal | None
    asset: AssetName


DESCRIPTION = Line._fields.index("description")


def line_picker(header: tuple[str, ...]) -> Callable[[list[str]], Line]:
    """A function from a record's cells to its `Line`."""
    positions = {_key(title): position for position, title in enumerate(header)}
    # A column that the file lacks is read from one empty cell put after the last.
    pick = itemgetter(*(positions.get(name, len(header)) for name in Line._fields))

    def line_of(record: list[str]) -> Line:
        found = pick([*record, ""])
        line = Line._make(map(str.strip, found))
        # What is at the end of a note is the note's.
        return line._replace(description=found[DESCRIPTION]) if line.description else line

    return line_of


@lru_cache(maxsize=1_000)
def place_of(network: str, wallet: str, said: Options) -> Place:
    """Where a row with these cells is; `said` fills what it leaves empty."""
    wallet = cells.line_text(wallet, "Wallet") or said.wallet
    if not wallet:
        raise Unreadable("Wallet is empty. Name the wallet there, or choose one for the file.")
    if not network and not looks_like_address(wallet):
        return Place("", wallet)
    network = network.lower() or said.network
    if not network:
        raise Unreadable(
            f"Wallet {shown(wallet)} is an address, and Network does not say of which network. "
            "Write it there, or choose one for the file."
        )
    if network not in NETWORKS:
        raise Unreadable(
            f"Network {shown(network)} is not known. Write one of: {', '.join(NETWORKS)}."
        )
    if not looks_like_address(wallet):
        return Place(network, wallet)  # a wallet of many addresses, which has a name
    return Place(network, _own_address(wallet, network))


def _own_address(wallet: str, network: str) -> str:
    try:
        return cells.address(wallet, NETWORKS[network].family, "Wallet")
    except Unreadable as problem:
        raise Unreadable(
            f"{problem} A row with a Network ({network}) needs the wallet's address; for a named "
            "account leave Network empty."
        ) from None


def leg_of(place: Place, amount: str, currency: str, contract: str, name: str, side: str) -> Leg:
    """`side` is Sent, Received or Fee, as in the columns' names."""
    value = cells.amount(amount, f"{side} Amount")
    if (not value and not currency) or (value is None and side == "Fee"):
        return Leg(None, AssetName("code"))
    if value is None:
        raise Unreadable(f"{side} Currency is {shown(currency)}, but {side} Amount is empty.")
    if not currency:
        raise Unreadable(f"{side} Amount is {shown(amount)}, but {side} Currency is empty.")
    return Leg(value, asset_of(place.network, currency, contract, name, side))


@lru_cache(maxsize=10_000)
def asset_of(network: str, currency: str, contract: str, name: str, side: str) -> AssetName:
    """On a network a token is known by its contract, at an account by its code."""
    asset = _asset_of(network, currency, contract, side)
    return replace(asset, name=cells.line_text(name, f"{side} Name")) if name else asset


def _asset_of(network: str, currency: str, contract: str, side: str) -> AssetName:
    if not network and contract not in ("", CODE_ALONE):
        raise Unreadable(
            f"{side} Contract needs a Network. Write both, or leave both empty for a named account."
        )
    if not network or contract == CODE_ALONE:
        return coin(currency, f"{side} Currency")
    symbol = cells.line_text(currency, f"{side} Currency", cells.MAX_LABEL)
    if contract:
        contract, _, number = contract.partition("/")
        code = cells.address(contract, NETWORKS[network].family, f"{side} Contract")
        if number and not (number.isdecimal() and len(number) <= cells.MAX_INTEGER_DIGITS):
            raise Unreadable(f"{side} Contract {shown(number)} is not the number of a token.")
        return AssetName("nft" if number else "token", code, number, symbol=symbol)
    native = NETWORKS[network].symbol
    if FORMER_SYMBOLS.get(symbol.upper(), symbol.upper()) != native.upper():
        raise Unreadable(
            f"{side} Currency {shown(symbol)} is not the coin of {network} ({native}), and a token "
            f"is known only by its contract. Write it in {side} Contract, or leave Network empty "
            "and import for a named account."
        )
    return AssetName("native")


def movements_of(
    sent: Leg, received: Leg, fee: Leg, counterparty: str, failed: bool
) -> tuple[Movement, ...]:
    """Signed movements; a zero is kept only where nothing else says what the row is about."""
    transfers = [
        Movement(ZERO if failed else amount, leg.asset, "transfer", counterparty)
        for leg, amount in ((sent, _negative(sent.amount)), (received, received.amount))
        if amount is not None
    ]
    moved = [movement for movement in transfers if movement.amount]
    # A fee of 0 beside what moved is left out, as files write it that know of none.
    has_fee = fee.amount if transfers else fee.amount is not None
    fees = [Movement(_negative(fee.amount) or ZERO, fee.asset, "fee")] if has_fee else []
    return tuple((moved or transfers[:1]) + fees)


def _negative(amount: Decimal | None) -> Decimal | None:
    return amount.copy_negate() if amount else amount


def txid_of(text: str, network: str) -> str:
    """The transaction's id in the form of its network."""
    if not text:
        raise Unreadable("TxHash is empty. A row with a Network needs its transaction's hash.")
    family = NETWORKS[network].family
    if family == "evm":
        is_first = text.lower().startswith("genesis_")  # as explorers call what was there at first
        return text.lower() if is_first else cells.evm_txid(text, "TxHash")
    if family == "solana":
        return cells.base58_txid(text, "TxHash")
    return cells.wallet_txid(text, "TxHash")


def fingerprint(clock: str, legs: tuple[Leg, ...]) -> str:
    """SHA-256 of what a row without an id moved, and when by its own clock.

    Texts and prices stay out: one that was edited at the source must not double the money. So
    does the wallet, which the id is only ever looked up in, and which can be renamed.
    """
    amounts = ("" if leg.amount is None else f"{leg.amount:f}" for leg in legs)
    codes = (leg.asset.code for leg in legs)
    canonical = "\x1f".join([clock, *amounts, *codes])
    return hashlib.sha256(canonical.encode()).hexdigest()


def type_and_labels(line: Line) -> tuple[str, tuple[str, ...]]:
    """Koinly's Label becomes the type where it is one of ours, and a label where it is not."""
    type_ = line.type.lower()
    if type_ and type_ not in TYPES:
        raise Unreadable(f"Type {shown(line.type)} is not known. Write one of: {', '.join(TYPES)}.")
    labels = parts_of(line.labels)
    meant = KOINLY_TYPES.get(line.label.lower(), line.label.lower())
    if meant in TYPES and type_ in ("", meant):
        type_ = meant
    else:
        labels.append(unprotected(line.label))
    unique: dict[str, str] = {}
    for label in filter(None, labels):
        text = cells.plain_line(label, "A label", cells.MAX_LABEL)
        unique.setdefault(text.casefold(), text)
    return type_, tuple(unique.values())


def parts_of(cell: str) -> list[str]:
    return [_unmasked(part.strip()) for part in f" {unprotected(cell)} ".split(" | ")]


def looks_of(line: Line) -> tuple[tuple[str, str, str], ...]:
    """Colours and descriptions, which stand in the order of the labels."""
    labels = parts_of(line.labels)
    told = [parts_of(line.label_colours), parts_of(line.label_descriptions)]
    for column, parts in zip(("Label Colours", "Label Descriptions"), told, strict=True):
        if len(parts) != len(labels) and any(parts):
            raise Unreadable(
                f"{column} has {len(parts)} parts, and Labels {len(labels)}. Write one for each, "
                "or leave it empty."
            )
    colours, descriptions = (parts if any(parts) else [""] * len(labels) for parts in told)
    for colour in filter(None, colours):
        if colour not in COLOURS:
            raise Unreadable(
                f"Label Colours {shown(colour)} is none. Write one of: {', '.join(COLOURS)}."
            )
    if any(len(text) > MAX_DESCRIPTION for text in descriptions):
        raise Unreadable(
            f"Label Descriptions has one of more than {MAX_DESCRIPTION:,} characters. Shorten it."
        )
    looks = zip(labels, colours, descriptions, strict=True)
    return tuple(look for look in looks if look[0] and (look[1] or look[2]))


def wallet_name_of(line: Line, place: Place) -> str:
    name = cells.line_text(line.wallet_name, "Wallet Name")
    if not name or looks_like_address(place.wallet):
        return name
    raise Unreadable(
        f"Wallet Name is for a wallet that is told by its address, and {shown(place.wallet)} is a "
        "name. Leave it empty."
    )


def _unmasked(label: str) -> str:
    """A label in which a stroke, or a backslash, has a backslash before it."""
    return re.sub(r"\\([\\|])", r"\1", label)


def note_of(line: Line) -> str:
    description = cells.note_text(line.description, "Description")
    note = cells.note_text(line.note, "Note")
    if not (description and note) or note == description:
        return description or note
    return cells.within_note(f"{description}\n{note}", "The note")


@dataclass(frozen=True)
class GenericFile:
    """The format itself."""

    name: str = "generic"
    title: str = "Generic CSV (Koinly universal)"

    def matches(self, header: tuple[str, ...]) -> bool:
        keys = {_key(title) for title in header}
        pairs = ({f"{side}_amount", f"{side}_currency"} for side in ("sent", "received", "fee"))
        return "date" in keys and any(pair <= keys for pair in pairs)

    def questions(self, table: Table, options: Options) -> list[Question]:
        _check_columns(table)
        _check_options(options)
        return [
            question
            for question in (_wallet_question(table, options), _network_question(table, options))
            if question
        ]

    def read(self, table: Table, options: Options) -> Reading:
        if questions := self.questions(table, options):
            raise FileError(" ".join(question.text for question in questions))
        complete = _check_options(options)
        line_of = line_picker(table.header)
        _check_end(table, line_of)
        repeats: Counter[tuple[str, int]] = Counter()

        def read(record: Record) -> Row:
            return _row(record, line_of(record.cells), complete, repeats)

        return Reading(complete, rows_of(table, read))


def _check_end(table: Table, line_of: Callable[[list[str]], Line]) -> None:
    """A file that numbers its lines has all of them: `3 of 3, line 2 of 2` is the last."""
    if "number" not in map(_key, table.header):
        return
    last = None
    for record in records(table):
        last = record
    number = line_of(last.cells).number if isinstance(last, Record) else ""
    found = _numbered(number)
    if not found or found[1] != found[2] or found[3] != found[4]:
        raise FileError(
            f"The file ends with line {shown(number)}, so that its end is missing: it was cut "
            "short. Download it again, or take the column Number out to import what is there."
        )


def without_numbers(text: str) -> str:
    """Our own CSV without the numbers of its lines, of which only some are here."""
    header, *rows = csv.reader(StringIO(text, newline=""))
    if "Number" not in header:
        return text
    place, out = header.index("Number"), StringIO()
    csv.writer(out).writerows([*row[:place], *row[place + 1 :]] for row in [header, *rows])
    return out.getvalue()


def _row(record: Record, line: Line, said: Options, repeats: Counter[tuple[str, int]]) -> Row:
    timestamp = Context(said.timezone or UTC, said.date_order).time(line.date, "Date")
    clock = cells.clock_in(line.date, timestamp, said.timezone or UTC)
    place = place_of(line.network, line.wallet, said)
    legs = _legs(line, place)
    status = STATUSES.get(line.status.lower())
    if status is None:
        raise Unreadable(f"Status {shown(line.status)} is not known. Write ok, failed or pending.")
    movements = movements_of(*legs, _counterparty(line, place), status == "failed")
    is_named = place.network or line.txhash
    if not movements or not (is_named or any(leg.amount for leg in legs)):
        raise Unreadable("nothing moved: all amounts are empty or 0. Write what was moved.")
    type_, labels = type_and_labels(line)
    if line.whole not in ("", WHOLE):
        raise Unreadable(f"Whole {shown(line.whole)} is not known. Write {WHOLE}, or nothing.")
    if line.whole:
        movements = tuple(replace(one, is_whole=True) for one in movements)
    account = "" if place.network else cells.line_text(line.account, "Account")
    if account and account != place.wallet:
        # Whose id it is, which is not whose money moved.
        movements = tuple(replace(one, wallet=place.wallet) for one in movements)
    return Row(
        line=record.line,
        raw=record.raw,
        timestamp=timestamp,
        movements=movements,
        network=place.network,
        txid=txid_of(line.txhash, place.network) if place.network else "",
        wallet=account or (place.wallet if line.wallet else ""),
        block=_block(line.block),
        status=status,
        type=type_,
        method=cells.line_text(line.method, "Method"),
        note=note_of(line),
        labels=labels,
        contact=cells.line_text(line.contact, "Contact"),
        wallet_name=wallet_name_of(line, place),
        looks=looks_of(line) if line.label_colours or line.label_descriptions else (),
        # The last to be asked for, since a row that turns out to be unreadable is not numbered.
        external_id="" if place.network else _external_id(line, clock, legs, place, repeats),
    )


def _block(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise Unreadable(f"Block {shown(text)} is not a block number.")
    return int(text)


def _legs(line: Line, place: Place) -> tuple[Leg, Leg, Leg]:
    return (
        leg_of(
            place, line.sent_amount, line.sent_currency, line.sent_contract, line.sent_name, "Sent"
        ),
        leg_of(
            place,
            line.received_amount,
            line.received_currency,
            line.received_contract,
            line.received_name,
            "Received",
        ),
        leg_of(place, line.fee_amount, line.fee_currency, line.fee_contract, line.fee_name, "Fee"),
    )


def _counterparty(line: Line, place: Place) -> str:
    if line.counterparty and not place.network:
        raise Unreadable(
            "Counterparty is an address on a network, and this row has none. Leave it empty, or "
            "name who it was in Contact."
        )
    if not line.counterparty:
        return ""
    return cells.address(line.counterparty, NETWORKS[place.network].family, "Counterparty")


def _external_id(
    line: Line,
    clock: str,
    legs: tuple[Leg, ...],
    place: Place,
    repeats: Counter[tuple[str, int]],
) -> str:
    """The source's id; without one, what the row says and its number among identical rows.

    Equal rows are told apart, since a statement can hold several equal fills of one second.
    """
    if line.txhash:
        return cells.line_text(line.txhash, "TxHash")
    digest = fingerprint(clock, legs)
    # Fifteen digits tell a file's rows apart and keep the memory of a long file small.
    repeated = (place.wallet.casefold(), int(digest[:15], 16))
    repeats[repeated] += 1
    return f"row:{digest}#{repeats[repeated]}"


def _check_columns(table: Table) -> None:
    """A mistyped column would lose its amounts without a word, so none may be unknown."""
    keys = Counter(_key(title) for title in table.header if title)
    for title in table.header:
        if keys[_key(title)] > 1:
            raise FileError(
                f"Line {table.header_line}: the column {shown(TITLES.get(_key(title), title))} "
                "stands there twice. Remove one of them."
            )
        if title and _key(title) not in TITLES:
            near = get_close_matches(_key(title), TITLES, 1)
            hint = f"Did you mean '{TITLES[near[0]]}'? " if near else ""
            raise FileError(
                f"Line {table.header_line}: the column {shown(title)} is not known. {hint}Rename "
                f"or remove it; the columns are: {', '.join(TITLES.values())}."
            )


def _check_options(options: Options) -> Options:
    """The options with the wallet's address as we store it."""
    if options.network and options.network not in NETWORKS:
        raise FileError(
            f"{shown(options.network)} is not a network that is known. Choose one of: "
            f"{', '.join(NETWORKS)}."
        )
    if not (options.wallet and options.network):
        return options
    try:
        return replace(options, wallet=_own_address(options.wallet, options.network))
    except Unreadable as problem:
        raise FileError(str(problem)) from None


def _wallet_question(table: Table, options: Options) -> Question | None:
    if options.wallet or _names_every_wallet(table):
        return None
    return Question(
        "wallet",
        "Which wallet is the file of? Give the account's name, such as Kraken, or your address.",
    )


def _names_every_wallet(table: Table) -> bool:
    if "wallet" not in map(_key, table.header):
        return False
    line_of = line_picker(table.header)
    return all(
        line_of(record.cells).wallet for record in records(table) if isinstance(record, Record)
    )


def _network_question(table: Table, options: Options) -> Question | None:
    if options.network or not looks_like_address(options.wallet):
        return None
    if "network" in map(_key, table.header):
        return None
    families = families_of(options.wallet)
    return Question(
        "network",
        f"On which network did this happen? {shown(options.wallet)} is an address.",
        tuple(slug for slug, network in NETWORKS.items() if network.family in families),
    )


GENERIC = GenericFile()
