"""The kinds of file that can be imported, one module a source. No database is asked here."""

from typing import BinaryIO

from transactions.imports.formats import (
    binance,
    bitstamp,
    blockpit,
    blockscout,
    btcpay,
    coinbase,
    cointracking,
    electrum,
    etherscan,
    etherscan_json,
    etherscan_page,
    generic,
    koinly,
    kraken,
    ledgerlive,
    reader,
    rotki,
    sparrow,
    trezor,
)
from transactions.imports.rows import FileError, Format, Table

FORMATS: tuple[Format, ...] = (
    etherscan.TRANSACTIONS,
    etherscan.INTERNAL,
    etherscan.TOKENS,
    etherscan.NFTS,
    etherscan_page.TRANSACTIONS,
    etherscan_page.INTERNAL,
    etherscan_json.TRANSACTIONS,
    etherscan_json.INTERNAL,
    etherscan_json.TOKENS,
    etherscan_json.NFTS,
    blockscout.TRANSACTIONS,
    blockscout.INTERNAL,
    blockscout.TOKENS,
    blockscout.ALL,
    sparrow.WALLET,
    electrum.HISTORY,
    btcpay.TRANSACTIONS,
    trezor.TRANSACTIONS,
    ledgerlive.OPERATIONS,
    kraken.LEDGERS,
    coinbase.HISTORY,
    binance.STATEMENT,
    binance.WITHDRAWALS,
    binance.DEPOSITS,
    bitstamp.NEW,
    bitstamp.OLD,
    cointracking.TRADES,
    koinly.EXPORT,
    blockpit.TRANSACTIONS,
    rotki.EVENTS,
    rotki.TRADES,
    rotki.OLD_TRADES,
    generic.GENERIC,
)


def open_table(
    file: BinaryIO,
    file_name: str,
    format_name: str = "",
    mapped: tuple[Format, ...] = (),
    encoding: str = "",
) -> tuple[Format, Table]:
    """The file's format, recognised by its columns, and the file opened as a table.

    With `format_name` only that format is tried; `mapped` are those of a person's own mappings;
    `encoding` is that of a file that does not tell it. The file must be seekable and stays open; it
    is read again from its beginning whenever its table is asked something. Raises FileError.
    """
    candidates = tuple(known for known in FORMATS + mapped if format_name in ("", known.name))
    if not candidates:
        names = ", ".join(known.name for known in FORMATS)
        raise FileError(f"There is no format '{format_name}'. Choose one of: {names}.")
    return reader.open_table(file, file_name, candidates, encoding)
