"""CSV files of Etherscan and its siblings: Polygonscan, BscScan, Arbiscan, Basescan, Snowtrace…

An address's page gives four files, each of which lacks what the others have: transactions,
internal transactions, token transfers (ERC-20) and those of NFTs (ERC-721 and ERC-1155). Times are
UTC, amounts are in whole coins. Column names differ by explorer and year, and one contains the
price of the day, so they are matched by pattern.
"""

import hashlib
import re
import secrets
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from operator import itemgetter
from typing import NamedTuple

from contacts.addresses import AddressError, normalise
from contacts.networks import NETWORKS
from transactions.imports.formats import cells
from transactions.imports.formats.cells import ZERO, Unreadable, shown
from transactions.imports.formats.reader import Record, records, rows_of
from transactions.imports.rows import (
    AssetName,
    FileError,
    Movement,
    Options,
    Question,
    Reading,
    Rejected,
    Row,
    Status,
    Table,
)

FAMILY = "evm"
MAX_TOKEN_ID = 78  # digits of a uint256
GENESIS = "GENESIS"  # what explorers call the sender, and the hash, of what was there at first
EVM_NETWORKS = tuple(slug for slug, network in NETWORKS.items() if network.family == FAMILY)
SLUG_OF_CHAIN = {str(NETWORKS[slug].chain_id): slug for slug in EVM_NETWORKS}
FORMER_SYMBOLS = {"MATIC": "POL"}  # explorers' files keep the name of their day
NATIVE = AssetName("native")
# Rollups whose fee has a part beside gas used times its price.
DATA_FEES = frozenset(
    {
        *("optimism", "base", "blast", "unichain", "world-chain", "opbnb"),
        *("scroll", "mantle", "metis", "celo"),
    }
)

# Our name for each column, and how the explorers write it; `symbol` is the native coin's.
COLUMNS = {
    "txid": r"txhash|transaction hash",
    "block": r"blockno",
    "unix": r"unixtimestamp",
    "time": r"datetime(?: ?\(utc\))?",
    "parent": r"parenttxfrom",
    "sender": r"from",
    "receiver": r"to|txto",
    "contract": r"contractaddress",
    "received": r"value_in\((?P<symbol>.+)\)",
    "sent": r"value_out\((?P<symbol>.+)\)",
    "fee": r"txnfee\((?!usd\))(?P<symbol>.+)\)",
    "status": r"status",
    "error": r"errcode",
    "method": r"method",
    "note": r"privatenote",
    "chain": r"chainid",
    "amount": r"tokenvalue|value",
    "token_name": r"tokenname",
    "token_symbol": r"tokensymbol",
    "token_id": r"token ?id",
    "quantity": r"quantity",
}
PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in COLUMNS.items()}

_address_in_name = re.compile(r"(?<![0-9a-z])0x[0-9a-f]{40}(?![0-9a-z])", re.IGNORECASE)
_american_time = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}) ([0-9]{1,2}):([0-9]{2}):([0-9]{2}) ([AP]M)"
).fullmatch
_is_address = re.compile(r"0x[0-9a-f]{40}").fullmatch
_moves = re.compile("[1-9]").search
_is_count = re.compile("[0-9][0-9,]*").fullmatch


class Line(NamedTuple):
    """The cells that a row is made of; empty where the file has no such column."""

    txid: str
    block: str
    unix: str
    time: str
    sender: str
    receiver: str
    contract: str
    received: str
    sent: str
    fee: str
    status: str
    error: str
    method: str
    note: str
    chain: str
    amount: str
    token_name: str
    token_symbol: str
    token_id: str
    quantity: str
    place: str  # which of the transaction's transfers it is


class Sides(NamedTuple):
    """Who a line is between, from the own address's point of view."""

    own_sent: bool
    own_received: bool
    other: str  # the own address, where it sent to itself


def columns_of(header: tuple[str, ...]) -> dict[str, int]:
    """Our names of the columns, with their positions."""
    return {
        name: position
        for position, title in enumerate(header)
        for name, pattern in PATTERNS.items()
        if pattern.fullmatch(title)
    }


def line_picker(header: tuple[str, ...]) -> Callable[[list[str]], Line]:
    """A function from a record's cells to its `Line`."""
    columns = columns_of(header)
    for name, pattern in PATTERNS.items():
        alike = [title for title in header if pattern.fullmatch(title)]
        if len(alike) > 1:
            raise FileError(
                f"The columns {shown(alike[0])} and {shown(alike[1])} mean the same ({name}). "
                "Remove one of them."
            )
    # A column that the file lacks is read from one empty cell put after the last.
    pick = itemgetter(*(columns.get(name, len(header)) for name in Line._fields))

    def line_of(record: list[str]) -> Line:
        return Line._make(map(str.strip, pick([*record, ""])))

    return line_of


def nft_picker(header: tuple[str, ...]) -> Callable[[list[str]], Line]:
    """As `line_picker`; old lines have the quantity behind the token's number, without a title."""
    named = line_picker(header)
    if header[-1] != "Quantity":
        return named
    place = columns_of(header)["token_id"] + 1
    shifted = line_picker((*header[:place], "Quantity", *header[place:-1]))

    def line_of(record: list[str]) -> Line:
        is_shifted = _is_count(record[place]) and not _is_count(record[-1])
        return shifted(record) if is_shifted else named(record)

    return line_of


def is_genesis(sender: str) -> bool:
    return sender.upper() == GENESIS


def sides_of(line: Line, own: str) -> Sides:
    """Raises `Unreadable` where the own address is on neither side."""
    sender = "" if is_genesis(line.sender) else cells.address(line.sender, FAMILY, "From")
    receiver = cells.address(line.receiver, FAMILY, "To") or cells.address(
        line.contract, FAMILY, "ContractAddress"
    )
    if own not in (sender, receiver):
        raise Unreadable(
            f"this line is between {sender or 'nobody'} and {receiver or 'nobody'}; neither is the "
            f"own address {own}. Import it with the address whose file it is."
        )
    return Sides(sender == own, receiver == own, receiver if sender == own else sender)


def timestamp_of(line: Line) -> datetime:
    """Unix seconds where there are any, which the time in words must not contradict."""
    if not line.unix:
        return _written_time(line.time)
    if "-" in line.unix:
        return cells.time(line.unix, "UnixTimestamp")  # as Blockscout has it
    moment = cells.unix_time(line.unix, "UnixTimestamp")
    if line.time and line.time != str(moment)[:19]:
        _check_same_time(moment, line)
    return moment


def _written_time(text: str) -> datetime:
    """`2024-01-31 13:45:00`, or `1/31/2024 1:45:00 PM` as the explorers wrote until 2022."""
    american = _american_time(text)
    if american:
        month, day, year, hour, minute, second, half = american.groups()
        hours = int(hour) % 12 + (12 if half == "PM" else 0)
        text = f"{year}-{month:0>2}-{day:0>2} {hours:02}:{minute}:{second}"
    return cells.time(text, "DateTime")


def _check_same_time(moment: datetime, line: Line) -> None:
    try:
        written = _written_time(line.time)
    except Unreadable:
        raise Unreadable(
            f"DateTime {shown(line.time)} is not as explorers write it. A spreadsheet has changed "
            "the file, and amounts lose digits there too: export it again, and import it as it is."
        ) from None
    if written != moment:
        raise Unreadable(
            f"UnixTimestamp {line.unix} is {moment:%Y-%m-%d %H:%M:%S} UTC, but DateTime says "
            f"{shown(line.time)}. Export the file again; a spreadsheet may have changed it."
        )


def block_of(line: Line) -> int | None:
    if line.block in cells.UNKNOWN:
        return None
    if not (line.block.isascii() and line.block.isdigit()) or len(line.block) > 15:
        raise Unreadable(f"Blockno {shown(line.block)} is not a block number.")
    return int(line.block)


def amount_of(line: Line, sides: Sides) -> Decimal:
    """What the own address received, or sent (negative), in the native coin."""
    received = cells.amount(line.received, "Value_IN")
    sent = cells.amount(line.sent, "Value_OUT")
    if received is None and sent is None:
        raise Unreadable("Value_IN and Value_OUT are both empty. Export the file again.")
    if sides.own_sent and sides.own_received:
        return ZERO
    if (received and not sides.own_received) or (sent and not sides.own_sent):
        raise Unreadable(
            "Value_IN and Value_OUT do not fit From, To and the own address. Import the line with "
            "the address whose file it is."
        )
    return received or (sent.copy_negate() if sent else ZERO)


def method_of(line: Line) -> str:
    method = cells.line_text(line.method, "Method")
    if method and method != "-":
        return method
    return "contract creation" if line.contract and not line.receiver else ""


def transaction_row(record: Record, line: Line, own: str, network: str) -> Row:
    sides = sides_of(line, own)
    failed = _failed(line)
    amount = amount_of(line, sides)
    # A failed transaction prints an amount that never moved; its fee was paid all the same.
    movements = [Movement(ZERO if failed else amount, NATIVE, "transfer", sides.other)]
    # Incoming rows print the sender's fee; it is not ours.
    if sides.own_sent and (fee := cells.amount(line.fee, "TxnFee")) is not None:
        movements.append(Movement(fee.copy_negate() if fee else ZERO, NATIVE, "fee"))
    return _row(
        record,
        line,
        network,
        tuple(movements),
        status="failed" if failed else "ok",
        method=method_of(line),
    )


def _failed(line: Line) -> bool:
    if not line.status and not line.error:
        return False
    if line.status.lower() not in ("", "ok", "success") and not line.status.lower().startswith(
        ("error", "fail")
    ):
        raise Unreadable(f"Status {shown(line.status)} is neither empty nor an error.")
    return line.status.lower().startswith(("error", "fail")) or line.error not in ("", "-")


def internal_row(record: Record, line: Line, own: str, network: str) -> Row:
    """A failed internal call moved nothing; whether its transaction failed, the file lacks."""
    sides = sides_of(line, own)
    if line.status not in ("0", "1"):
        raise Unreadable(f"Status {shown(line.status)} is neither 0 (fine) nor 1 (failed).")
    failed = line.status == "1" or line.error not in ("", "-")
    amount = amount_of(line, sides)
    movement = Movement(ZERO if failed else amount, NATIVE, "transfer", sides.other)
    return _row(record, line, network, (movement,))


def token_row(record: Record, line: Line, own: str, network: str) -> Row:
    """One token transfer. The file prints no fee, so it stays unknown."""
    sides = sides_of(line._replace(contract=""), own)
    amount = cells.amount(line.amount, "TokenValue", thousands=True)
    if amount is None:
        raise Unreadable("TokenValue is empty. Export the file again.")
    if sides.own_sent:
        amount = ZERO if sides.own_received or not amount else amount.copy_negate()
    token = _token(line.contract, line.token_symbol, line.token_name)
    return _row(record, line, network, (Movement(amount, token, "transfer", sides.other),))


def nft_row(record: Record, line: Line, own: str, network: str) -> Row:
    """One transfer of an NFT, or of several equal ones (ERC-1155)."""
    sides = sides_of(line._replace(contract=""), own)
    amount = cells.amount(line.quantity or line.amount or "1", "Quantity", thousands=True)
    if not line.token_id.isdecimal() or len(line.token_id) > MAX_TOKEN_ID:
        raise Unreadable(f"TokenId {shown(line.token_id)} is not the number of a token.")
    if amount is None:  # of a kind of which there is one
        amount = Decimal(1)
    if amount and sides.own_sent:
        amount = ZERO if sides.own_received else amount.copy_negate()
    token = replace(
        _token(line.contract, line.token_symbol, line.token_name),
        kind="nft",
        token_id=line.token_id,
    )
    movement = Movement(amount, token, "transfer", sides.other)
    return _row(record, line, network, (movement,))


@lru_cache(maxsize=1_000)
def _token(contract: str, symbol: str, name: str) -> AssetName:
    code = cells.address(contract, FAMILY, "ContractAddress")
    if not code:
        raise Unreadable("ContractAddress is empty, and a token is known by nothing else.")
    symbol = cells.token_text(symbol, cells.MAX_LABEL) or f"{code[:6]}…{code[-4:]}"
    return AssetName("token", code, "", symbol, cells.token_text(name, cells.MAX_NAME))


def _row(
    record: Record,
    line: Line,
    network: str,
    movements: tuple[Movement, ...],
    status: Status = "ok",
    method: str = "",
) -> Row:
    return Row(
        line=record.line,
        raw=record.raw,
        timestamp=timestamp_of(line),
        movements=movements,
        network=network,
        txid=_txid(line.txid),
        status=status,
        method=method,
        block=block_of(line),
        note=cells.note_text(line.note, "PrivateNote"),
    )


def _txid(text: str) -> str:
    if text[:8].upper() == f"{GENESIS}_":
        return text.lower()
    return cells.evm_txid(text, "Transaction hash")


class Told:
    """The transactions that a file has told of, in little memory: of a million, 25 MB.

    Each is told apart by ten bytes of a keyed BLAKE2: two name an array, which has the others as a
    number. Two of a million are alike in one file of a trillion.
    """

    def __init__(self) -> None:
        self.key = secrets.token_bytes(16)
        self.hashes: defaultdict[bytes, array[int]] = defaultdict(partial(array, "Q"))

    def add(self, network: str, txid: str) -> bool:
        """Whether it was not told of before."""
        text = f"{network} {txid}".encode()
        digest = hashlib.blake2b(text, digest_size=10, key=self.key).digest()
        alike, number = self.hashes[digest[:2]], int.from_bytes(digest[2:])
        if number in alike:
            return False
        alike.append(number)
        return True


def coin_in_header(table: Table) -> str:
    """Snowtrace writes ETH on every network, but gives each line's chain id."""
    columns = columns_of(table.header)
    position = columns.get("received")
    if position is None or "chain" in columns:
        return ""
    found = PATTERNS["received"].fullmatch(table.header[position])
    return found["symbol"].strip() if found else ""


def bearers_of(symbol: str) -> tuple[str, ...]:
    """The networks whose coin is called so."""
    known = FORMER_SYMBOLS.get(symbol.upper(), symbol).upper()
    return tuple(slug for slug in EVM_NETWORKS if NETWORKS[slug].symbol.upper() == known)


@dataclass(frozen=True)
class ExplorerFile:
    """One of the explorers' files: the columns that it must and must not have, and its rows.

    `picker` makes of a header what makes a `Line` of a record's cells. With `has_one_amount` the
    file says what was moved, and the addresses tell which way. `coin_of` finds the symbol of the
    coin that the file's amounts are in, where it tells. With `lacks_data_fee` the fees are without
    what rollups take for data. With `has_waiting` what is in no block yet is shown without a time.
    `unnamed` are the columns that lines have beyond their header; with `repeats_columns` one may
    stand there twice. With `has_fee_once` a transaction's first line has its fee, and others repeat
    it or a part of it. `warning` is told.
    """

    name: str
    title: str
    needs: frozenset[str]
    lacks: frozenset[str]
    row: Callable[[Record, Line, str, str], Row]
    has_one_row_each: bool = False  # a transaction has one row only
    picker: Callable[[tuple[str, ...]], Callable[[list[str]], Line]] = line_picker
    columns: Callable[[tuple[str, ...]], Iterable[str]] = columns_of
    has_one_amount: bool = False
    coin_of: Callable[[Table], str] = coin_in_header
    lacks_data_fee: bool = False
    has_waiting: bool = False
    unnamed: tuple[str, ...] = ()
    repeats_columns: bool = False
    has_fee_once: bool = False
    warning: str = ""

    def matches(self, header: tuple[str, ...]) -> bool:
        columns = set(self.columns(header))
        return (
            self.needs <= columns and not self.lacks & columns and bool(columns & {"unix", "time"})
        )

    def questions(self, table: Table, options: Options) -> list[Question]:
        _, _, questions = self._completed(table, options)
        return questions

    def read(self, table: Table, options: Options) -> Reading:
        complete, told, questions = self._completed(table, options)
        if questions:
            raise FileError(" ".join(question.text for question in questions))
        return Reading(complete, self._rows(table, options, complete), told)

    def _rows(self, table: Table, options: Options, complete: Options) -> Iterator[Row | Rejected]:
        line_of = self.picker(table.header)
        own = complete.wallet
        has_chain = "chain" in columns_of(table.header)
        told = Told()

        def read(record: Record) -> Row:
            line = line_of(record.cells)
            if self.has_waiting and not (line.unix or line.time or line.block):
                line = line._replace(unix=f"{options.brought_at:%Y-%m-%d %H:%M:%SZ}")
            network = complete.network
            if has_chain:
                network = _network_of_chain(line.chain, record.line, options.network)
            if self.has_one_amount:
                line = sided(line, own)
            if self.lacks_data_fee and network in DATA_FEES:
                line = line._replace(fee="")
            if self.has_fee_once and not told.add(network, _txid(line.txid)):
                line = line._replace(fee="")
            key = _txid(line.txid) if self.has_one_row_each else _key(line)
            is_told = bool(key) and not told.add(network, key)
            row = self.row(record, line, own, network)
            if is_told:
                what = "transaction" if self.has_one_row_each else "transfer"
                raise Unreadable(
                    f"an earlier line told of this {what} already. Remove one of them."
                )
            return row

        return rows_of(table, read)

    def _completed(
        self, table: Table, options: Options
    ) -> tuple[Options, list[str], list[Question]]:
        """The options with what the file itself tells, what that was, and what is still open."""
        told = [self.warning] if self.warning else []
        questions: list[Question] = []
        symbol = self.coin_of(table)
        network = _said_network(options, symbol) or _found_network(table, symbol, told, questions)
        line_of = self.picker(table.header)
        wallet = _said_wallet(options) or _found_wallet(table, line_of, told, questions)
        if self.lacks_data_fee and network in DATA_FEES:
            told.append(
                f"Fees on {network} have a part for data that the answer lacks, so they stay "
                "unknown. The explorer's CSV file tells them."
            )
        return replace(options, wallet=wallet, network=network), told, questions


def _key(line: Line) -> str:
    """What tells one transfer of a transaction from its others, where pages may overlap."""
    parts = (line.txid, line.sender, line.receiver, line.amount, line.contract, line.token_id)
    return " ".join([line.place, *parts]) if line.place else ""


def _network_of_chain(chain: str, line: int, said: str) -> str:
    network = SLUG_OF_CHAIN.get(chain)
    if network is None:
        raise Unreadable(f"ChainId {shown(chain)} is not a network that is known here.")
    if said and network != said:
        raise FileError(
            f"Line {line} is of {network} (ChainId {chain}), not of {said}. Leave the network "
            "away, or choose the right one."
        )
    return network


def sided(line: Line, own: str) -> Line:
    """The amount as what came in, or went out."""
    if not (line.amount or line.token_symbol or line.token_id):
        raise Unreadable("Value is empty, so that what was moved is not known. Export it again.")
    receiver = (line.receiver or line.contract).lower()
    return line._replace(
        received=line.amount if receiver == own else "0",
        sent=line.amount if line.sender.lower() == own else "0",
    )


def _said_wallet(options: Options) -> str:
    try:
        return normalise(options.wallet, FAMILY) if options.wallet else ""
    except AddressError as problem:
        raise FileError(
            f"An explorer's file is about an address, and {shown(options.wallet)} is none: "
            f"{problem}"
        ) from None


def _said_network(options: Options, symbol: str) -> str:
    if options.network and options.network not in EVM_NETWORKS:
        raise FileError(
            f"{shown(options.network)} is not a network of this kind of file. Choose one of: "
            f"{', '.join(EVM_NETWORKS)}."
        )
    bearers = bearers_of(symbol)
    if options.network and bearers and options.network not in bearers:
        raise FileError(
            f"The file's amounts are in {symbol}, which is not the coin of {options.network}. "
            f"Choose one of: {', '.join(bearers)}."
        )
    return options.network


def _found_network(table: Table, symbol: str, told: list[str], questions: list[Question]) -> str:
    bearers = bearers_of(symbol)
    if len(bearers) == 1:
        told.append(f"Network {bearers[0]}: the file's amounts are in its coin {symbol}.")
        return bearers[0]
    if network := _first_chain(table):
        told.append(f"Network {network}, from the file's ChainId.")
        return network
    of = f"Several networks have the coin {symbol}." if bearers else "The file does not say."
    questions.append(
        Question("network", f"Which network is the file of? {of}", bearers or EVM_NETWORKS)
    )
    return ""


def _first_chain(table: Table) -> str:
    if "chain" not in columns_of(table.header):
        return ""
    line_of = line_picker(table.header)
    chains = (line_of(r.cells).chain for r in records(table) if isinstance(r, Record))
    return next((SLUG_OF_CHAIN[chain] for chain in chains if chain in SLUG_OF_CHAIN), "")


def _found_wallet(
    table: Table,
    line_of: Callable[[list[str]], Line],
    told: list[str],
    questions: list[Question],
) -> str:
    """The address that every line is about, and that the file's name may bear."""
    everywhere, lines = _addresses_in_every_line(table, line_of)
    named = {found.lower() for found in _address_in_name.findall(table.file_name)}
    if len(named & everywhere) == 1:
        (own,) = named & everywhere
        told.append(f"Own address {own}, from the file's name.")
        return own
    if len(everywhere) == 1 and not named and lines > 1:
        (own,) = everywhere
        told.append(f"Own address {own}: every line is from or to it.")
        return own
    questions.append(
        Question(
            "wallet",
            "Which address is the file of? Give your own address; the file does not say.",
            tuple(sorted(everywhere)),
        )
    )
    return ""


def _addresses_in_every_line(
    table: Table, line_of: Callable[[list[str]], Line]
) -> tuple[set[str], int]:
    """The addresses that every readable line can be about, and how many such lines there are."""
    has_amounts = "received" in columns_of(table.header)
    everywhere: set[str] = set()
    lines = 0
    for record in records(table):
        if isinstance(record, Rejected):
            continue
        try:
            possible = _possible_owners(line_of(record.cells), has_amounts)
        except Unreadable:
            continue  # it will be rejected
        if not possible:
            continue
        everywhere = everywhere & possible if lines else possible
        lines += 1
    return everywhere, lines


def _possible_owners(line: Line, has_amounts: bool) -> set[str]:
    """Value_IN and Value_OUT tell whose side a line shows; a token's amount does not.

    Empty for a line that will be rejected for its addresses; whether their capitals are right
    is found out later.
    """
    sender = line.sender.lower()
    receiver = (line.receiver or (line.contract if has_amounts else "")).lower()
    if _moves(line.received) and not _moves(line.sent):
        possible = {receiver}
    elif _moves(line.sent) and not _moves(line.received):
        possible = {sender}
    else:
        possible = {sender, receiver}
    return {address for address in possible if _is_address(address)}


TRANSACTIONS = ExplorerFile(
    "etherscan-transactions",
    "Etherscan family: transactions",
    frozenset({"txid", "sender", "receiver", "contract", "received", "sent", "fee", "status"}),
    frozenset({"parent"}),
    transaction_row,
    has_one_row_each=True,
    unnamed=("PrivateNote",),
)
INTERNAL = ExplorerFile(
    "etherscan-internal",
    "Etherscan family: internal transactions",
    frozenset({"txid", "parent", "sender", "receiver", "received", "sent", "status"}),
    frozenset({"fee"}),
    internal_row,
    unnamed=("PrivateNote",),
)
TOKENS = ExplorerFile(
    "etherscan-erc20",
    "Etherscan family: token transfers (ERC-20)",
    frozenset({"txid", "sender", "receiver", "contract", "amount", "token_symbol"}),
    frozenset({"token_id", "received", "fee"}),
    token_row,
)
NFTS = ExplorerFile(
    "etherscan-nft",
    "Etherscan family: NFT transfers (ERC-721, ERC-1155)",
    frozenset({"txid", "sender", "receiver", "contract", "token_id"}),
    frozenset({"received", "fee"}),
    nft_row,
    picker=nft_picker,
    unnamed=("Quantity",),
)
