"""Reads files of separated values: encoding, header, records and their lines.

Nothing is guessed: a file is UTF-8 (or UTF-16 with its mark), or in the encoding that was said, its
header is found by the names of known columns, and what breaks its structure raises `FileError` with
the line.
"""

import codecs
import csv
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from io import TextIOWrapper
from itertools import islice, product
from typing import BinaryIO, NamedTuple, TypeVar

from transactions.imports.formats import json_table
from transactions.imports.formats.cells import Unreadable, shown
from transactions.imports.formats.encodings import UnknownEncoding, is_utf8, question_of
from transactions.imports.rows import FileError, Format, Question, Rejected, Table, UnknownColumns

R = TypeVar("R")

MAX_LINE = 1_000_000  # characters
HEADER_WITHIN = 15  # lines
DELIMITERS = (",", ";", "\t")

# A lone surrogate, which no well-formed text contains, stands for bytes that were undecodable:
# this way the line that they are on is known when it is reached.
_UNDECODABLE = "\udcff"
codecs.register_error("mark-undecodable", lambda error: (_UNDECODABLE, error.end))  # type: ignore[attr-defined]


_one_cell = re.compile(r'"((?:[^"]|"")*)"\s*?([\r\n]*)').fullmatch
_line_end = re.compile(r"\r\n|\r|\n")
# Columns on which neither an amount nor an id hangs. Spreadsheets cut them off where they are empty
# at a line's end.
_is_remark = re.compile(
    r"(private ?)?notes?|comments?|descriptions?|labels?|remarks?|other|method(name)?|errcode"
    r"|(sender|recipient) address|(fiat|countervalue) .*|value \(usd\)"
    r"|(current|txdateopening|txdateclosing)price",
    re.IGNORECASE,
).fullmatch


class Record(NamedTuple):
    """One record: its first line (1-based), its text without line end, one cell a column."""

    line: int
    raw: str
    cells: list[str]


class Line(dict[str, str]):
    """A record's cells by the names of their columns, in small letters and without spaces around
    them; empty where the file has no such column."""

    def __missing__(self, column: str) -> str:
        return ""


def line_of(record: Record, columns: Sequence[str]) -> Line:
    names = (name.casefold() for name in columns)
    return Line(zip(names, map(str.strip, record.cells), strict=True))


def encoding_of(file: BinaryIO, said: str) -> str:
    """UTF-16 where its byte order mark says so, else UTF-8 with or without one; what was said
    where it is neither."""
    file.seek(0)
    mark = file.read(2)
    if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    return said if said and not is_utf8(file) else "utf-8-sig"


def encoding_question(file: BinaryIO) -> Question | None:
    """Which encoding the file is in, where nothing but a person can tell it."""
    if encoding_of(file, "") == "utf-16" or json_table.is_json(file, "utf-8"):
        return None
    lines = enumerate(lines_of(file, "latin-1"), start=1)  # which has a character for each byte
    return question_of((number, line.encode("latin-1")) for number, line in lines)


def lines_of(file: BinaryIO, encoding: str) -> Generator[str, None, None]:
    """The lines with their ends, whichever of CRLF, LF and CR each has.

    Reads from the file's beginning, so only one such iterator may be in use at a time.
    """
    file.seek(0)
    text = TextIOWrapper(file, encoding, errors="mark-undecodable", newline="")
    try:
        number = 0
        while line := text.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise FileError(
                    f"Line {number} is longer than {MAX_LINE:,} characters. This is not a file of "
                    "transactions, or its line ends are lost: export it again."
                )
            if "\0" in line:
                raise FileError(
                    f"Line {number} contains a NUL character. The file is damaged or is not a "
                    "text: export it again as CSV in UTF-8."
                )
            if not line.isascii() and _UNDECODABLE in line:
                name = {"utf-16": "UTF-16", "utf-8-sig": "UTF-8"}.get(encoding, encoding)
                raise UnknownEncoding(
                    f"Line {number} is not {name}. Save the file as UTF-8 (in a spreadsheet: "
                    "'CSV UTF-8') and import it again."
                )
            yield line
    finally:
        if not file.closed:
            text.detach()  # else the file would be closed with it


def open_table(
    file: BinaryIO, file_name: str, formats: Sequence[Format], said: str = ""
) -> tuple[Format, Table]:
    """The one of `formats` whose header is in the file's first lines, and the file as its table.

    Raises FileError where there is none, where a column is named twice and where no record
    follows. The file must be seekable. `said` is the encoding of one that does not tell it.
    """
    encoding = encoding_of(file, said)
    if json_table.is_json(file, encoding):
        table = json_table.open_json(file, file_name, encoding)
        for candidate in formats:
            if candidate.matches(table.header):
                return candidate, table
        raise _unknown_columns(list(table.header), formats)
    first: list[str] = []
    with closing(lines_of(file, encoding)) as lines:
        for number, line in enumerate(islice(lines, HEADER_WITHIN), 1):
            whole = _unquoted(line)
            for delimiter, text in product(DELIMITERS, [line, *filter(None, [whole])]):
                header = _header_cells(text, delimiter)
                for candidate in formats:
                    if candidate.matches(header):
                        quotes_badly = getattr(candidate, "quotes_badly", False)
                        more = _unnamed(candidate, header)
                        begin = (file, encoding, delimiter, header + more, number, file_name)
                        table = Table(*begin, quotes_badly=quotes_badly, unnamed=len(more))
                        table = replace(table, is_quoted_whole=text is whole)
                        lines.close()
                        _check_header(table, getattr(candidate, "repeats_columns", False))
                        return candidate, table
            first = first or _columns(line)
    raise _unknown_columns(first, formats)


def _unnamed(known: Format, header: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that the format's lines have beyond a header that lacks them."""
    names = {name.casefold() for name in header}
    return tuple(one for one in getattr(known, "unnamed", ()) if one.casefold() not in names)


def header_of(table: Table) -> str:
    """The line that names the columns, as it stands in the file, without its end."""
    if table.objects is not None:
        return ""
    with closing(lines_of(table.file, table.encoding)) as lines:
        return next(islice(lines, table.header_line - 1, None)).rstrip("\r\n")


def _header_cells(line: str, delimiter: str) -> tuple[str, ...]:
    """The cells of one line, spaces and empty cells at its end left out."""
    if delimiter not in line:
        return ()
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return ()
    names = [" ".join(cell.split()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _columns(line: str) -> list[str]:
    """What the columns seem to be, by the delimiter that gives the most."""
    return max(([*_header_cells(line, delimiter)] for delimiter in DELIMITERS), key=len) or (
        [line.strip()] if line.strip() else []
    )


def open_any(file: BinaryIO, file_name: str, said: str = "") -> Table:
    """A file of an unknown kind as a table: its header is the longest of its first lines that is
    followed by lines of as many cells, which a text with another delimiter in it hardly is."""
    encoding = encoding_of(file, said)
    if json_table.is_json(file, encoding):
        raise FileError("A JSON file has no columns that could be mapped.")
    with closing(lines_of(file, encoding)) as lines:
        first = list(islice(lines, HEADER_WITHIN + 1))
    found: list[tuple[bool, int, int, str, tuple[str, ...]]] = []
    for number, line in enumerate(first[:HEADER_WITHIN], 1):
        for delimiter in DELIMITERS:
            header = _header_cells(line, delimiter)
            fits = any(_is_under(header, below, delimiter) for below in first[number:])
            found.append((fits, len(header), -number, delimiter, header))
    _, width, number, delimiter, header = max(found, default=(False, 0, 0, ",", ()))
    if width < 2:
        raise FileError("No line of the file's beginning has columns. Is it a table?")
    table = Table(file, encoding, delimiter, header, -number, file_name)
    _check_header(table, may_repeat=False)
    return table


def _is_under(header: tuple[str, ...], line: str, delimiter: str) -> bool:
    """Whether a line has a cell for each column; more only where they are empty."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return False
    return len(cells) >= len(header) > 1 and not any(map(str.strip, cells[len(header) :]))


def _unknown_columns(found: list[str], formats: Sequence[Format]) -> UnknownColumns:
    if not found:
        return UnknownColumns("The file is empty. Export it again.")
    columns = ", ".join(shown(name) for name in found[:30]) + (", …" if len(found) > 30 else "")
    known = "; ".join(f"{candidate.title} ({candidate.name})" for candidate in formats)
    return UnknownColumns(
        f"None of the first {HEADER_WITHIN} lines has the columns of a known format. Columns "
        f"found: {columns}. Say what they are in a mapping, or export the file in a format that is "
        f"known: {known}."
    )


def _check_header(table: Table, may_repeat: bool) -> None:
    names = [name.casefold() for name in table.header if name]
    for name in () if may_repeat else table.header:
        if name and names.count(name.casefold()) > 1:
            raise FileError(
                f"Line {table.header_line}: the column {shown(name)} is there more than once. "
                "Remove or rename all but one."
            )
    if next(records(table), None) is None:
        raise FileError(
            f"The file has a header in line {table.header_line} but no records. "
            "Export it again, with the time span that you mean."
        )


def records(table: Table) -> Iterator[Record | Rejected]:
    """The records under the header, lazily; one with too few or too many cells is `Rejected`.

    Lines without any text are no records. Raises FileError where the structure breaks.
    """
    if table.objects is not None:
        for number, found in enumerate(table.objects, start=1):
            yield Record(number, json_table.raw_of(found), [found.get(k, "") for k in table.header])
        return
    if table.quotes_badly:
        yield from _loose_records(table)
        return
    taken: list[str] = []
    reader = csv.reader(
        _noted(table, taken), delimiter=table.delimiter, strict=True, skipinitialspace=True
    )
    line = table.header_line + 1
    try:
        for cells in reader:
            raw = taken[0] if len(taken) == 1 else "".join(taken)
            if any(map(str.strip, cells)):
                yield _record(line, raw, cells, table)
            line += len(taken)
            taken.clear()
    except csv.Error:
        raise _broken(taken, table.delimiter, line) from None


def _noted(table: Table, taken: list[str]) -> Iterator[str]:
    """The lines after the header, each noted in `taken` as the CSV reader asks for it."""
    lines = lines_of(table.file, table.encoding)
    for _ in range(table.header_line):
        next(lines)
    for line in lines:
        taken.append(line)
        yield _as_lines_are(line, table)


def _unquoted(line: str) -> str:
    """What is in the one cell that is all of the line; empty where there are others, or none."""
    found = _one_cell(line)
    return found[1].replace('""', '"') + found[2] if found else ""


def _as_lines_are(line: str, table: Table) -> str:
    if not table.is_quoted_whole or not line.strip():
        return line
    if text := _unquoted(line):
        return text
    raise FileError(
        f"A line has no quotes around all of it, as the header has: {shown(line.strip())}. Export "
        "the file again, and import it as it is."
    )


def _loose_records(table: Table) -> Iterator[Record | Rejected]:
    """A record a line; a cell is quoted where its last quote stands before a delimiter."""
    limit = re.escape(table.delimiter)
    cell = re.compile(rf'"((?:[^"]|"")*)"(?={limit}|\Z)|([^{limit}]*)')
    lines = islice(lines_of(table.file, table.encoding), table.header_line, None)
    for number, text in enumerate(lines, table.header_line + 1):
        raw, cells, position = _as_lines_are(text, table).rstrip("\r\n"), [], 0
        while position <= len(raw):
            found = cell.match(raw, position)
            quoted, plain = found.groups() if found else (None, "")
            cells.append(plain.lstrip() if quoted is None else quoted.replace('""', '"'))
            position = (found.end() if found else len(raw)) + 1
        if any(map(str.strip, cells)):
            yield _record(number, text, cells, table)


def _record(line: int, text: str, cells: list[str], table: Table) -> Record | Rejected:
    """Explorers write an empty cell more than their header has; a full one is a mistake, but where
    the format knows what it is. Cells that a line lacks at its end were empty where they are
    remarks, unless the file breaks off there."""
    raw = text.rstrip("\r\n")
    found, width = len(cells), len(table.header)
    if found == width:
        return Record(line, raw, cells)
    lacking = table.header[found : width - table.unnamed]
    if found < width and (not lacking or raw != text) and all(map(_is_remark, lacking)):
        return Record(line, raw, cells + [""] * (width - found))
    if found > width and not any(cells[width:]):
        return Record(line, raw, cells[:width])
    return Rejected(
        line,
        raw,
        f"Line {line} has {found} cells, the header has {width - table.unnamed}. Correct the line "
        "(a text that contains the delimiter needs quotes around it), or export the file again.",
    )


def _broken(taken: list[str], delimiter: str, line: int) -> FileError:
    """Where the cell opens that made the CSV reader give up, in the lines of its record."""
    text = "".join(taken)
    limit = re.escape(delimiter)
    cell = re.compile(rf' *+(?:"(?:[^"]|"")*+"(?={limit}|[\r\n]|\Z)|(?!")[^{limit}\r\n]*)')
    longest = csv.field_size_limit()
    position = 0
    while (found := cell.match(text, position)) and len(found[0]) <= longest:
        if found.end() == len(text):
            break
        position = found.end() + 1
    opens = line + len(_line_end.findall(text, 0, position))
    if found and len(found[0]) > longest:
        return FileError(
            f"Line {opens} has a cell of more than {longest:,} characters. "
            "Shorten it, or export the file again."
        )
    return FileError(
        f"Line {opens}: a quote opens a cell here that is not closed as it should be. Close it (a "
        "quote inside a quoted cell is written twice), or export the file again."
    )


def rows_of(table: Table, read: Callable[[Record], R]) -> Iterator[R | Rejected]:
    """Every record as `read` makes a row of it, or `Rejected` where it raises `Unreadable`."""
    for record in records(table):
        if isinstance(record, Rejected):
            yield record
            continue
        try:
            yield read(record)
        except Unreadable as problem:
            yield Rejected(record.line, record.raw, f"Line {record.line}: {problem}")
