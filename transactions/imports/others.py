"""Files that are brought in elsewhere: labels of a wallet, and address books."""

import csv
import json
from contextlib import closing
from typing import BinaryIO

from transactions.imports.formats.reader import DELIMITERS, encoding_of, lines_of
from transactions.imports.rows import FileError

LABELS = (
    "This is a file of a wallet's labels (BIP-329), not of transactions. Bring it in on "
    "/labels/import/, or with “manage.py import_labels”."
)
ADDRESS_BOOK = (
    "This is an address book, not a file of transactions. Bring it in on /contacts/import/, or "
    "with “manage.py import_contacts”."
)
BOOK_NEEDS = {"address", "name"}
BOOK_HAS = BOOK_NEEDS | {"note", "family", "chainid", "blockchain", "location"}


def problem_of_other(file: BinaryIO) -> str:
    """Where a file that none of our formats reads is to be brought, or nothing."""
    try:
        with closing(lines_of(file, encoding_of(file, ""))) as lines:
            first = next((line for line in lines if line.strip()), "")
    except FileError:
        return ""
    if is_label(first):
        return LABELS
    return ADDRESS_BOOK if is_header_of_book(first) else ""


def is_label(line: str) -> bool:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.keys() >= {"type", "ref"}


def is_header_of_book(line: str) -> bool:
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            return False
        if BOOK_NEEDS <= {cell.strip().lower() for cell in cells} <= BOOK_HAS:
            return True
    return False
