"""What every file goes through: encoding, header, records, and what is written in a cell."""

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, RawIOBase
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from files import ALICE, reasons, records, rows, sample
from hypothesis import given, settings
from hypothesis import strategies as st

from transactions.imports.formats import FORMATS, cells, open_table, reader
from transactions.imports.formats.cells import Unreadable
from transactions.imports.rows import FileError, Options, Rejected, Row

KRAKEN = Options(wallet="Kraken")
HEADER = "Date,Received Amount,Received Currency,Note\n"
ROW = "2024-01-02 10:00:00 UTC,1,EUR,first\n"
TEXT = HEADER + ROW + "2024-01-03 10:00:00 UTC,2.5,BTC,grün\n"


def as_one_cell(text: str) -> str:
    """What a spreadsheet makes of a file that it took for one column."""
    return "".join('"' + line.replace('"', '""') + '"\n' for line in text.splitlines())


def refusal(content: bytes, format_name: str = "") -> str:
    """The message with which the file as a whole is refused."""
    with pytest.raises(FileError) as refused:
        read_whole(content, KRAKEN, format_name)
    return str(refused.value)


def read_whole(content: bytes, options: Options, format_name: str = "") -> list[Row | Rejected]:
    known, table = open_table(BytesIO(content), "export.csv", format_name)
    return list(known.read(table, options).records)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TEXT.encode(), id="utf-8"),
        pytest.param(TEXT.encode("utf-8-sig"), id="utf-8 with mark"),
        pytest.param(TEXT.encode("utf-16"), id="utf-16"),
        pytest.param(b"\xfe\xff" + TEXT.encode("utf-16-be"), id="utf-16 big-endian"),
        pytest.param(TEXT.replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param(TEXT.replace("\n", "\r").encode(), id="cr"),
        pytest.param(TEXT.replace("\n", "\r\n", 1).encode(), id="mixed line ends"),
        pytest.param(TEXT.rstrip().encode(), id="no final line end"),
        pytest.param(TEXT.replace(",", ";").encode(), id="semicolons"),
        pytest.param(TEXT.replace(",", "\t").encode(), id="tabs"),
        pytest.param(TEXT.replace(",", ", ").encode(), id="spaces after commas"),
        pytest.param(TEXT.replace("\n", ",,\n").encode(), id="empty cells at the end"),
        pytest.param(as_one_cell(TEXT).encode(), id="each line one cell"),
        pytest.param(as_one_cell(TEXT.replace("first", '"first"')).encode(), id="with quotes"),
        pytest.param(TEXT.upper().replace("GRÜN", "grün").replace("FIRST", "first").encode()),
    ],
)
def test_same_rows_whatever_the_encoding_line_ends_and_delimiter(content: bytes) -> None:
    first, second = rows(content, KRAKEN)
    assert (first.line, first.note, second.line, second.note) == (2, "first", 3, "grün")
    assert second.movements[0].amount == Decimal("2.5")


def test_lines_above_header_and_blank_lines_are_passed_over_and_counted() -> None:
    content = 'My "account\nYear;2024\n\n' + HEADER + "\n" + ROW + "\n ,,,\n" + ROW
    assert [row.line for row in rows(content.encode(), KRAKEN)] == [6, 9]


def test_record_of_several_lines_has_the_number_of_its_first() -> None:
    content = HEADER + '2024-01-02 10:00:00 UTC,1,EUR,"two\r\nlines ""here"""\n' + ROW
    first, second = rows(content.encode(), KRAKEN)
    assert (first.line, second.line) == (2, 4)
    assert first.note == 'two\nlines "here"'
    assert first.raw == '2024-01-02 10:00:00 UTC,1,EUR,"two\r\nlines ""here"""'
    assert second.raw == ROW.rstrip()


def test_uploaded_files_can_be_read_again_and_stay_open() -> None:
    in_memory = SimpleUploadedFile("export.csv", TEXT.encode())
    on_disk = TemporaryUploadedFile("export.csv", "text/csv", len(TEXT), None)
    on_disk.write(TEXT.encode())
    for file in (in_memory, on_disk):
        known, table = open_table(file, "export.csv")  # type: ignore[arg-type]
        assert known.questions(table, KRAKEN) == []
        assert len(list(known.read(table, KRAKEN).records)) == 2
        assert len(list(known.read(table, KRAKEN).records)) == 2
        assert not file.closed


# Files that are refused as a whole


def test_other_encoding_is_refused_at_its_line_and_never_guessed() -> None:
    content = HEADER.encode() + ROW.encode() * 5 + ROW.replace("first", "grün").encode("cp1252")
    assert refusal(content + b"\n") == (
        "Line 7 is not UTF-8. Save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8') and import "
        "it again."
    )


def test_line_that_is_not_one_cell_as_the_others_are_is_refused() -> None:
    assert refusal((as_one_cell(TEXT) + ROW).encode()).startswith(
        "A line has no quotes around all of it, as the header has: '2024-01-02 10:00:00 UTC,1,EUR"
    )


def test_half_a_character_at_the_end_is_refused_at_its_line() -> None:
    assert "Line 3 is not UTF-8." in refusal((HEADER + ROW).encode() + "ü".encode()[:1])
    assert "Line 3 is not UTF-16." in refusal(TEXT.encode("utf-16")[:-3])


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n  \r\n", b"\xff\xfe"])
def test_empty_file_is_refused(content: bytes) -> None:
    assert refusal(content) == "The file is empty. Export it again."


@pytest.mark.parametrize("rest", ["", "\n\n", ",,,\n"])
def test_header_without_records_is_refused(rest: str) -> None:
    assert "has a header in line 1 but no records" in refusal((HEADER + rest).encode())


def test_unknown_columns_are_told_with_the_formats_that_are_known() -> None:
    message = refusal(b"id;when;how much\n1;today;2\n")
    assert "'id', 'when', 'how much'" in message
    assert all(known.name in message for known in FORMATS)


def test_header_further_down_than_fifteen_lines_is_not_found() -> None:
    assert len(rows(("x\n" * 14 + TEXT).encode(), KRAKEN)) == 2
    assert "None of the first 15 lines" in refusal(("x\n" * 15 + TEXT).encode())


def test_chosen_format_is_not_replaced_by_another() -> None:
    assert "known format" in refusal(TEXT.encode(), "etherscan-internal")
    assert "There is no format 'excel'" in refusal(TEXT.encode(), "excel")


def test_column_named_twice_is_refused() -> None:
    content = TEXT.replace("Note", "received amount")
    assert "Line 1: the column 'Received Amount' is there more than once" in refusal(
        content.encode()
    )


def test_nul_is_refused_at_its_line() -> None:
    assert "Line 3 contains a NUL character" in refusal((HEADER + ROW + "a\0b\n" + ROW).encode())
    assert "Line 1 contains a NUL character" in refusal(TEXT.encode("utf-16-le"))


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        pytest.param('1,2,EUR,"open\n' + ROW * 3, 3, id="to the end of the file"),
        pytest.param('1,2,EUR,"open\n"1","2","EUR","x"\n', 3, id="until the next quote"),
        pytest.param('1,2,"closed\n","open\n' + ROW, 4, id="in the record's second line"),
        pytest.param('"1",2,"E""UR","open ""and\n' + ROW, 3, id="after escaped quotes"),
        pytest.param('1,2,EUR,"5" disk"\n' + ROW, 3, id="quote inside a quoted cell"),
        pytest.param('1,2,EUR,"open\n' + ROW * 9_000, 3, id="long before the end"),
        pytest.param('1,2,EUR,  "open\n' + ROW, 3, id="after spaces"),
        pytest.param('1,2,EUR, "', 3, id="as the last character"),
    ],
)
def test_unclosed_quote_is_refused_at_the_line_where_it_opens(broken: str, line: int) -> None:
    assert f"Line {line}: a quote opens a cell" in refusal((HEADER + ROW + broken).encode())


def test_cell_beyond_every_measure_is_refused_at_its_line() -> None:
    content = HEADER + ROW + f'1,2,EUR,"a\n{"x" * 200_000}"\n'
    assert "Line 3 has a cell of more than 131,072 characters" in refusal(content.encode())


def test_line_of_ten_megabytes_is_refused_at_once() -> None:
    content = (HEADER + ROW).encode() + b"x" * 10_000_000
    start = time.perf_counter()
    assert "Line 3 is longer than 1,000,000 characters" in refusal(content)
    assert time.perf_counter() - start < 2


def test_break_of_structure_is_told_after_the_rows_before_it() -> None:
    known, table = open_table(BytesIO((HEADER + ROW * 3 + "\0").encode()), "export.csv")
    read = known.read(table, KRAKEN).records
    assert [next(read).line for _ in range(3)] == [2, 3, 4]
    with pytest.raises(FileError, match="Line 5"):
        next(read)


# Records that are rejected while the others go on


def test_ragged_record_is_rejected_and_the_others_go_on() -> None:
    content = HEADER + "2024-01-02 10:00:00 UTC,1\n" + ROW + ROW.replace("1", "1,234") + ROW
    few, good, many, last = records(content.encode(), KRAKEN)
    assert isinstance(few, Rejected)
    assert isinstance(many, Rejected)
    assert few.reason.startswith("Line 2 has 2 cells, the header has 4.")
    assert many.reason.startswith("Line 4 has 7 cells, the header has 4.")
    assert few.raw == "2024-01-02 10:00:00 UTC,1"
    assert isinstance(good, Row)
    assert isinstance(last, Row)


def test_remarks_that_a_line_lacks_at_its_end_were_empty() -> None:
    header = "Date,Received Amount,Received Currency,TxHash,Method,Note\n"
    whole = "2024-01-02 10:00:00 UTC,1,EUR,T-1"
    (padded,) = records(f"{header}{whole}\r\n".encode(), KRAKEN)
    (full,) = records(f"{header}{whole},,\r\n".encode(), KRAKEN)
    assert isinstance(padded, Row)
    assert isinstance(full, Row)
    assert replace(padded, raw="") == replace(full, raw="")
    # An id that is not there may have been anything, and so may the end of a file that breaks off.
    (without_id,) = reasons(f"{header}2024-01-02 10:00:00 UTC,1,EUR\n".encode(), KRAKEN)
    assert without_id.startswith("Line 2 has 3 cells, the header has 6.")
    (cut,) = reasons(f"{header}{whole}".encode(), KRAKEN)
    assert cut.startswith("Line 2 has 4 cells, the header has 6.")


def test_rejection_names_line_cell_and_what_to_do() -> None:
    content = HEADER + ROW * 12 + '2024-01-02 10:00:00 UTC,"1,5",EUR,\n'
    assert reasons(content.encode(), KRAKEN) == [
        "Line 14: Received Amount '1,5' is not a number. Use a point."
    ]


class Endless(RawIOBase):
    """A file of `lines` equal lines that is never in memory as a whole."""

    def __init__(self, head: bytes, line: bytes, lines: int) -> None:
        self.head, self.line, self.lines = head, line, lines
        self.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.parts = self._parts()
        self.rest = b""
        return 0

    def _parts(self) -> Iterator[bytes]:
        yield self.head
        for _ in range(self.lines // 50):
            yield self.line * 50

    def read(self, size: int = -1) -> bytes:
        while len(self.rest) < size and (part := next(self.parts, b"")):
            self.rest += part
        found, self.rest = self.rest[:size], self.rest[size:]
        return found


def test_memory_stays_flat_on_a_long_file() -> None:
    head, line, *_ = sample("etherscan-internal.csv").splitlines(keepends=True)
    tracemalloc.start()
    try:
        known, table = open_table(Endless(head, line, 12_000), "export.csv")  # type: ignore[arg-type]
        read = known.read(table, Options(wallet=ALICE, network="ethereum")).records
        assert sum(isinstance(record, Row) for record in read) == 12_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


# Numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"),
        ("0.", "0"),
        ("-0.", "0"),
        (".5", "0.5"),
        ("007", "7"),
        ("1.500", "1.5"),
        ("100", "100"),
        ("+3", "3"),
        ("-3.10", "-3.1"),
        ("6.0E-7", "0.0000006"),
        ("1.5e3", "1500"),
        ("0e999999", "0"),
        ("1,234.5", "1234.5"),
        ("1,234,567", "1234567"),
        ("319.22562200498686051", "319.22562200498686051"),
        ("1" * 78 + "." + "1" * 30, "1" * 78 + "." + "1" * 30),
        ("0" * 90 + "1." + "1" + "0" * 90, "1.1"),
    ],
)
def test_number_is_read_exactly(text: str, expected: str) -> None:
    value = cells.number(text, "Amount")
    assert value is not None
    assert f"{value:f}" == expected
    assert value.as_tuple().exponent in range(-30, 1)


@pytest.mark.parametrize("text", ["", "-", "N/A"])
def test_number_can_be_unknown(text: str) -> None:
    assert cells.number(text, "Amount") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,5", "Amount '1,5' is not a number. Use a point."),
        ("1.234,5", "Use a point."),
        ("12,34.5", "Use a point."),
        ("0,123", "Use a point."),
        ("1,234", "can mean 1234 or 1.234. Write it without the comma."),
        ("abc", "'abc' is not a number."),
        ("NaN", "is not a number."),
        ("Infinity", "is not a number."),
        ("-inf", "is not a number."),
        (".", "is not a number."),
        ("e5", "is not a number."),
        ("1 000", "is not a number."),
        ("1_000", "is not a number."),
        ("٣", "is not a number."),
        ("0x10", "is not a number."),
        ("1e999999", "has 1,000,000 digits before the point; at most 78 fit."),
        ("1e-999999", "has 999,999 decimals; at most 30 fit."),
        ("9" * 79, "has 79 digits before the point; at most 78 fit."),
        ("0." + "0" * 30 + "1", "has 31 decimals; at most 30 fit."),
        ("1" * 500_000, "has 500,000 digits before the point"),
    ],
)
def test_what_is_no_number_or_does_not_fit_is_refused(text: str, message: str) -> None:
    with pytest.raises(Unreadable) as refused:
        cells.number(text, "Amount")
    assert message in str(refused.value)
    assert len(str(refused.value)) < 200


def test_thousands_are_read_where_the_format_writes_them() -> None:
    assert cells.number("1,234", "TokenValue", thousands=True) == 1234
    with pytest.raises(Unreadable, match="Use a point"):
        cells.number("1,23", "TokenValue", thousands=True)


def test_amount_must_not_be_negative() -> None:
    with pytest.raises(Unreadable, match=r"'-1' is negative\. Write amounts without a sign"):
        cells.amount("-1", "Amount")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0), st.sampled_from("feE"))
def test_number_is_exact_or_refused(value: Decimal, form: str) -> None:
    text = f"{value:{form}}" if form == "f" else str(value)
    try:
        read = cells.number(text, "Amount")
    except Unreadable as refused:
        assert "fit" in str(refused)  # noqa: PT017
    else:
        assert read == value


# Times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-31 01:30 UTC", datetime(2024, 3, 31, 1, 30, tzinfo=UTC)),
        ("2024-03-31 01:30:15 UTC", datetime(2024, 3, 31, 1, 30, 15, tzinfo=UTC)),
        ("2024-03-31T01:30:15Z", datetime(2024, 3, 31, 1, 30, 15, tzinfo=UTC)),
        ("2024-03-31T01:30:15.25Z", datetime(2024, 3, 31, 1, 30, 15, 250_000, tzinfo=UTC)),
        ("2024-03-31T01:30:15+05:30", datetime(2024, 3, 30, 20, 0, 15, tzinfo=UTC)),
        ("2024-03-31 01:30:15-0200", datetime(2024, 3, 31, 3, 30, 15, tzinfo=UTC)),
        ("2024-07-01 12:00:00", datetime(2024, 7, 1, 10, tzinfo=UTC)),
        ("2024-10-27 02:30:00", datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
    ],
)
def test_time_is_read_as_utc(text: str, expected: datetime) -> None:
    read = cells.time(text, "Date", ZoneInfo("Europe/Berlin"))
    assert read == expected
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a time. Write it like 2024-01-31 13:45:00 UTC."),
        ("2024-01-31", "is not a time."),
        ("31.01.2024 10:00", "is not a time."),
        ("2024-01-31 10:00 CET", "is not a time."),
        ("2024-02-30 10:00", "is not in the calendar."),
        ("2024-01-30 25:00", "is not in the calendar."),
        ("2024-03-31 02:30:00", "is skipped by the clocks of Europe/Berlin."),
        ("2008-12-31 23:59:59 UTC", "is outside the years 2009 to 2100."),
        ("2101-01-01 00:00:00 UTC", "is outside the years"),
        ("9999-12-31T23:59:59-12:00", "is outside the years"),
        ("0001-01-01T00:00:00+12:00", "is outside the years"),
        ("2024-01-31T10:00+99:00", "is not in the calendar."),
    ],
)
def test_what_is_no_time_of_a_ledger_is_refused(text: str, message: str) -> None:
    with pytest.raises(Unreadable) as refused:
        cells.time(text, "Date", ZoneInfo("Europe/Berlin"))
    assert message in str(refused.value)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "4133980800", "9" * 12, "9" * 99, "٣"])
def test_unix_time_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        cells.unix_time(text, "UnixTimestamp")


# Hashes and texts


def test_hash_is_stored_in_small_letters() -> None:
    assert cells.evm_txid("0X" + "AB" * 32, "Txhash") == "0x" + "ab" * 32
    assert cells.hex_txid("AB" * 32, "TxHash") == "ab" * 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0x" + "ab" * 31, "has 64 characters instead of 66"),
        ("0x" + "ab" * 33, "has 68 characters instead of 66"),
        ("0x" + "zz" * 32, "is not a transaction hash"),
        ("", "Txhash is empty"),
    ],
)
def test_hash_of_the_wrong_length_is_refused(text: str, message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        cells.evm_txid(text, "Txhash")


def test_apostrophe_against_formulas_is_taken_away() -> None:
    assert [cells.line_text(f"'{c}1", "Note") for c in "=+-@a"] == ["=1", "+1", "-1", "@1", "'a1"]
    assert cells.note_text("'=SUM(A1)", "Note") == "=SUM(A1)"


def test_text_that_does_not_fit_is_refused_by_its_column() -> None:
    with pytest.raises(Unreadable, match=r"Note has 10,001 characters; at most 10,000 fit"):
        cells.note_text("x" * 10_001, "Note")
    with pytest.raises(Unreadable, match="Label has 101 characters; at most 100 fit"):
        cells.line_text("x" * 101, "Label", cells.MAX_LABEL)
    for text in ("two\nlines", "bell\a", "\u2028", "\x85"):
        with pytest.raises(Unreadable, match=r"Label .* a line break or a control character"):
            cells.line_text(f"a{text}b", "Label")
    with pytest.raises(Unreadable, match="Note contains a control character"):
        cells.note_text("bell\a", "Note")


def test_letters_are_composed_and_the_replacement_character_is_a_character() -> None:
    assert cells.line_text("Gru\u0308n", "Label") == "Gr\u00fcn"
    content = HEADER + ROW.replace("first", "lost \ufffd here")
    assert rows(content.encode(), KRAKEN)[0].note == "lost \ufffd here"


def test_token_may_have_any_name_without_keeping_its_movement_out() -> None:
    assert cells.token_text("Visit\nclaim" + "!" * 300, 20) == "Visit\ufffdclaim!!!!!!!!…"


# Whatever the bytes

ON_ETHEREUM = Options(wallet=ALICE, network="ethereum")
SAMPLES = {
    "etherscan-transactions.csv": ON_ETHEREUM,
    "etherscan-internal.csv": ON_ETHEREUM,
    "etherscan-erc20.csv": ON_ETHEREUM,
    "etherscan-erc20-old.csv": ON_ETHEREUM,
    "polygonscan-transactions-old.csv": Options(wallet=ALICE),
    "snowtrace-transactions.csv": Options(wallet=ALICE),
    "generic-exchange.csv": KRAKEN,
    "generic-onchain.csv": Options(wallet=ALICE, network="ethereum"),
}


def check_reading(content: bytes, options: Options) -> None:
    """Nothing but FileError may be raised; what is read has lines in order, and reasons."""
    read: list[Row | Rejected] = []
    with suppress(FileError):
        known, table = open_table(BytesIO(content), "export.csv")
        if not known.questions(table, options):
            read = list(known.read(table, options).records)
    lines = [record.line for record in read]
    assert lines == sorted(set(lines))
    for record in read:
        assert isinstance(record, Row) or record.reason.startswith(f"Line {record.line}")


@given(st.binary(max_size=400), st.sampled_from(["", HEADER, "Txhash,From,To\n", '"']))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(content: bytes, start: str) -> None:
    check_reading(start.encode() + content, KRAKEN)


STRUCTURE = (b'"', b",", b";", b"\t", b"\r", b"\n", b"\0", b"\xff", b"\xe2\x80\xa8", b"")
CONTENT = (b"-", b"'=", b"1e999999", b"NaN", b"0x", b"9" * 90, b"9999-12-31", b" ")
PIECES = st.sampled_from(STRUCTURE) | st.sampled_from(CONTENT)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_files_are_read_or_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    content = sample(name)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.integers(0, 30))
        content = content[:start] + data.draw(PIECES) + content[end:]
    check_reading(content, SAMPLES[name])


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_cell_is_read_or_rejected_whatever_it_holds(name: str) -> None:
    """One cell at a time is replaced in the first record, which no other may suffer from."""
    _, table = open_table(BytesIO(sample(name)), name)
    first, *others = [r.cells for r in reader.records(table) if isinstance(r, reader.Record)]
    for position in range(len(first)):
        for text in ("", "-", "NaN", "x" * 20_000, "\x07", "9999-12-31 23:59 UTC", "' ", "0x", "١"):
            changed = [*first[:position], text, *first[position + 1 :]]
            lines = [table.header, changed, *others]
            content = "\n".join(table.delimiter.join(map(quoted, line)) for line in lines)
            read = records(content.encode(), SAMPLES[name])
            assert len(read) == len(others) + 1
            assert all(isinstance(record, Row) for record in read[1:])


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'
