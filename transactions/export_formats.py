"""The ledger's transactions as files: what each format makes of a row of `export_rows`.

Texts are protected from spreadsheets, which our own import takes away again. Amounts are text,
exact to the last digit.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import groupby
from operator import attrgetter
from tempfile import TemporaryFile
from typing import IO

from openpyxl import Workbook  # type: ignore[import-untyped]
from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]

from contacts.networks import NETWORKS
from transactions.export_rows import Row, ToldAsset, ToldEntry
from transactions.imports.formats.generic import KOINLY_COLUMNS, OWN_COLUMNS, TYPE_OF_LABEL, WHOLE
from txsite.spreadsheets import protected

Cells = dict[str, str]

COLUMNS = (*KOINLY_COLUMNS, *OWN_COLUMNS)
FULL_COLUMNS = (
    *("Number", "Time (UTC)", "Network", "TxHash", "Account", "Status", "Type", "Method", "Block"),
    *("Wallet", "Wallet Name", "Kind", "Amount", "Asset", "Asset Name", "Contract", "Token ID"),
    *("Counterparty", "Counterparty Contact", "Contact", "Labels", "Note"),
)
SENT, RECEIVED, FEE = (
    (f"{side} Amount", f"{side} Currency", f"{side} Contract", f"{side} Name")
    for side in ("Sent", "Received", "Fee")
)
CHUNK = 64 * 1024
_unfit = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # in no workbook
MAX_CELL = 32_767  # what a cell of a spreadsheet holds
CUT = " … (cut here: a cell holds no more; the CSV has all of it)"


def joined(labels: Sequence[str]) -> str:
    return " | ".join([one.replace("\\", "\\\\").replace("|", "\\|") for one in labels])


def magnitude(amount: str) -> str:
    return amount.removeprefix("-")


# --- Koinly's universal columns, and ours ---------------------------------------------------------


def csv_rows(row: Row, number: str) -> list[Cells]:
    """A transaction as the lines that our generic format reads; each has what all of them share."""
    coin = NETWORKS[row.network].symbol if row.network in NETWORKS else ""
    lines = [line for entries in by_wallet(row.entries) for line in lines_of(entries, coin)]
    shared = {
        "Date": f"{row.time} UTC",
        "Label": TYPE_OF_LABEL.get(row.type, ""),
        "Description": protected(row.note),
        "TxHash": protected(row.known_as),
        "Account": "" if row.network else protected(row.of_wallet),
        "Network": row.network or "",
        "Status": row.status,
        "Type": row.type,
        "Method": protected(row.method),
        "Block": "" if row.block is None else str(row.block),
        "Labels": protected(joined(row.labels)),
        "Contact": protected(row.contact),
    }
    if not row.looks.keys().isdisjoint(row.labels):
        looks = [row.looks.get(label, ("", "")) for label in row.labels]
        for column, told in zip(
            ("Label Colours", "Label Descriptions"), zip(*looks, strict=True), strict=True
        ):
            shared[column] = protected(joined(told))
    for place, line in enumerate(lines, start=1):
        line.update(shared, Number=f"{number}, line {place} of {len(lines)}")
    return lines


def by_wallet(entries: list[ToldEntry]) -> Iterator[list[ToldEntry]]:
    """Entries are in the order of their wallets."""
    for _, those in groupby(entries, attrgetter("wallet")):
        yield list(those)


def lines_of(entries: list[ToldEntry], coin: str) -> Iterator[Cells]:
    """One wallet's movements: what went out beside what came in for it, then the rest, alone. Of
    several of the coin, one that its file told as all that moved comes first.

    `coin` is what files call the network's own, whatever people do.
    """
    rest = [one for one in entries if one.kind != "fee"]
    fees = [one for one in entries if one.kind == "fee"]
    coins = [one for one in rest if one.asset.kind == "native" and one.amount != "0"]
    for whole in coins if len(coins) > 1 else ():
        if whole.is_alone and not whole.counterparty:
            rest.remove(whole)
            yield line_of(coin, whole) | {"Whole": WHOLE}
    while rest:
        one = rest.pop(0)
        other = next((two for two in rest if belongs(one, two)), None) if rest else None
        if other:
            rest.remove(other)
        with_fee = fees.pop(0) if fees and one.amount != "0" and fees[0].amount != "0" else None
        yield line_of(coin, one, other, with_fee)
    for fee in fees:
        yield line_of(coin, fee)


def belongs(one: ToldEntry, two: ToldEntry) -> bool:
    """Whether one went out and the other came in, with the same on the other side."""
    signs_differ = one.amount.startswith("-") != two.amount.startswith("-")
    has_moved = "0" not in (one.amount, two.amount)
    return signs_differ and has_moved and one.counterparty == two.counterparty


def line_of(coin: str, first: ToldEntry, *others: ToldEntry | None) -> Cells:
    """`others` are of the same wallet."""
    line = {"Wallet": protected(first.wallet), "Wallet Name": protected(first.wallet_name)}
    for entry in (first, *others):
        if entry is None:
            continue
        if entry.counterparty:
            line["Counterparty"] = entry.counterparty
        side = RECEIVED
        if entry.kind == "fee":
            side = FEE
        elif entry.amount.startswith("-"):
            side = SENT
        amount, currency, contract, name = side
        line[amount] = magnitude(entry.amount)
        line[currency], line[contract] = currency_and_contract(entry.asset, coin)
        line[name] = protected(entry.asset.name)
    return line


def currency_and_contract(asset: ToldAsset, coin: str) -> tuple[str, str]:
    """What a file calls it, and what tells it from others of that name: a token's contract, an
    NFT's with its number; `-` says that the code is all there is."""
    if asset.kind == "native":
        return protected(coin or asset.symbol), ""
    if asset.kind == "nft":
        return protected(asset.symbol), f"{asset.code}/{asset.token_id}"
    if asset.kind == "token":
        return protected(asset.symbol), asset.code
    return protected(asset.code), "-"


# --- Every field, an entry a line -----------------------------------------------------------------


def full_rows(row: Row, number: str) -> Iterator[Cells]:
    count = len(row.entries)
    for place, entry in enumerate(row.entries, start=1):
        asset = entry.asset
        yield {
            "Number": f"{number}, line {place} of {count}",
            "Time (UTC)": row.time,
            "Network": row.network or "",
            "TxHash": protected(row.known_as),
            "Account": "" if row.network else protected(row.of_wallet),
            "Status": row.status,
            "Type": row.type,
            "Method": protected(row.method),
            "Block": "" if row.block is None else str(row.block),
            "Wallet": protected(entry.wallet),
            "Wallet Name": protected(entry.wallet_name),
            "Kind": entry.kind,
            "Amount": entry.amount,
            "Asset": protected(asset.symbol),
            "Asset Name": protected(asset.name),
            "Contract": asset.contract or "",
            "Token ID": asset.token_id,
            "Counterparty": entry.counterparty or "",
            "Counterparty Contact": protected(entry.contact),
            "Contact": protected(row.contact),
            "Labels": protected(joined(row.labels)),
            "Note": protected(row.note),
        }


# --- Files ----------------------------------------------------------------------------------------


def csv_lines(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """The file in parts of some 64 KB."""
    buffer = StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        writer.writerow(map(row.get, columns))
        if buffer.tell() > CHUNK:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def fit(text: str) -> str:
    """What a workbook's cell can hold of it."""
    text = _unfit.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - len(CUT)] + CUT


def ending_within_lines(lines: Iterable[str]) -> Iterator[str]:
    """The file in parts of some 64 KB, of which all but the last end in the middle of a line.

    Their lines are records that have no place for a number, so a file without its last parts would
    else look whole: as it is, its last line is no JSON.
    """
    part, size = [], 0
    for line in lines:
        part.append(line)
        size += len(line)
        if size > CHUNK:
            middle = len(line) // 2
            part[-1] = line[:middle]
            yield "".join(part)
            part, size = [line[middle:]], len(line) - middle
    yield "".join(part)


def xlsx_chunks(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[bytes]:
    """A workbook, written to disk row by row and then sent; its directory comes last, so that a
    file that was cut does not open."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Transactions")
    sheet.append(list(columns))
    for row in rows:
        cells = []
        for column in columns:
            # As text: a number would be rounded to 15 digits.
            cell = WriteOnlyCell(sheet, fit(row.get(column, "")))
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    file: IO[bytes]
    with TemporaryFile() as file:
        book.save(file)
        file.seek(0)
        while data := file.read(CHUNK):
            yield data
