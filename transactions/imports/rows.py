"""What a format reads out of a file, before any database is asked.

A format yields one `Row` or `Rejected` for every line of its file that is a record.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import BinaryIO, Literal, Protocol

AssetKind = Literal["native", "token", "nft", "code"]
EntryKind = Literal["transfer", "fee"]
Status = Literal["ok", "failed", "pending"]


class FileError(Exception):
    """The file as a whole cannot be imported; the message says where, why and what to do."""


class UnknownColumns(FileError):
    """The file's columns are those of no known format."""


@dataclass(frozen=True)
class AssetName:
    """An asset as a file names it.

    `native`, `token` and `nft` are on the row's network; `code` is an exchange's or a
    currency's code, which the importer turns into fiat or an asset of the wallet's venue.
    """

    kind: AssetKind
    code: str = ""  # contract for token and nft, code for code, empty for native
    token_id: str = ""
    symbol: str = ""
    name: str = ""


# Not frozen: there are many, and to make a frozen one takes three times as long.
@dataclass(slots=True)
class Movement:
    """One signed movement in one wallet; positive came in. A fee is negative or zero."""

    amount: Decimal
    asset: AssetName
    kind: EntryKind = "transfer"
    counterparty: str = ""  # an address, normalised for the network's family; empty = unknown
    wallet: str = ""  # another than the row's, where one row has both sides of a transfer
    is_whole: bool = False  # the sum of what moved, though its file tells more beside it


# Not frozen: there are many, and to make a frozen one takes three times as long.
@dataclass(slots=True)
class Row:
    """One record of a file. Several rows may tell of one transaction."""

    line: int  # 1-based line of the file on which the record starts
    raw: str  # the record as it stands in the file, without its line end
    timestamp: datetime  # aware, UTC
    movements: tuple[Movement, ...]
    network: str = ""  # on-chain: slug, with txid; off-chain: both empty, with external_id
    txid: str = ""
    external_id: str = ""
    wallet: str = ""  # a wallet that the row itself names; empty = the import's wallet
    status: Status = "ok"
    type: str = ""  # only where the file says more than the movements tell
    method: str = ""
    block: int | None = None
    note: str = ""
    labels: tuple[str, ...] = ()
    contact: str = ""
    wallet_name: str = ""  # what the wallet, told by its address, is called
    looks: tuple[tuple[str, str, str], ...] = ()  # label, colour, description


@dataclass(frozen=True)
class Rejected:
    """A record that cannot be read: why, and what to do."""

    line: int
    raw: str
    reason: str


@dataclass(frozen=True)
class Options:
    """What a person says about a file; empty or None = not said."""

    wallet: str = ""  # own address (normalised), or the name of an exchange account or HD wallet
    network: str = ""  # slug
    timezone: tzinfo | None = None
    encoding: str = ""  # of a file that is neither UTF-8 nor UTF-16
    date_order: str = ""  # dmy or mdy, where a date such as 5/9/2017 does not say itself
    # When the file came: the time of what it shows as pending, however often it is read.
    brought_at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))


@dataclass(frozen=True)
class Question:
    """Something a file lacks: the option it goes to, and the answers that fit the file."""

    option: Literal["wallet", "network", "timezone", "date_order", "encoding"]
    text: str
    choices: tuple[str, ...] = ()  # empty = free text
    suggestion: str = ""
    line: str = ""  # one of the file's, as an example
    examples: tuple[tuple[str, str], ...] = ()  # an answer, empty for any, and that line read by it


@dataclass(frozen=True)
class Table:
    """A file opened as a table: its header and where its records begin."""

    file: BinaryIO
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    header_line: int
    file_name: str = ""
    objects: tuple[dict[str, str], ...] | None = None  # the records of a JSON file
    quotes_badly: bool = False  # a quote that is not closed as it should be is text
    is_quoted_whole: bool = False  # each line is one cell, as a spreadsheet can make of it
    unnamed: int = 0  # columns at the end which the header in the file lacks, and lines may lack


@dataclass
class Reading:
    """A file being read: its options complete, its records still to come."""

    options: Options
    records: Iterator[Row | Rejected]
    told: list[str] = field(default_factory=list)  # what was found out from the file itself


class Format(Protocol):
    """One kind of file."""

    @property
    def name(self) -> str:
        """A slug, for --format."""

    @property
    def title(self) -> str:
        """Its name for people."""

    def matches(self, header: tuple[str, ...]) -> bool:
        """Whether these column names are this format's."""

    def questions(self, table: Table, options: Options) -> list[Question]:
        """What the file lacks and the options do not say, empty when it can be read.

        Raises FileError where file and options contradict each other.
        """

    def read(self, table: Table, options: Options) -> Reading:
        """Read the records, lazily; FileError when the structure breaks, at its line."""
