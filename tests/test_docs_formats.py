"""docs/import-formats.md says what the formats really are."""

import re
from io import BytesIO
from pathlib import Path

import pytest

from transactions.imports.formats import FORMATS, cells, generic, open_table, reader
from transactions.imports.rows import Options, Row

TEXT = (Path(__file__).parent.parent / "docs" / "import-formats.md").read_text()
EXAMPLES = re.findall(r"```(?:csv|json) format=(\S+)\n(.*?)```", TEXT, re.DOTALL)


def table(first_column: str) -> list[list[str]]:
    """The rows of the table whose first column has this title, without its header."""
    found = re.search(rf"^\| {first_column} \|.*\n\|[-|]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert found
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in found[1].splitlines()
    ]


def test_table_lists_every_format() -> None:
    assert [row[:2] for row in table("Format")] == [
        [known.title, f"`{known.name}`"] for known in FORMATS
    ]


def test_table_lists_every_generic_column() -> None:
    columns = [*generic.KOINLY_COLUMNS, *generic.OWN_COLUMNS]
    assert [row[0] for row in table("Column")] == [f"`{column}`" for column in columns]


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_example_is_recognised(name: str, example: str) -> None:
    record = b"" if example.startswith("{") else b"any\n"
    known, opened = open_table(BytesIO(example.encode() + record), "export.csv")
    assert known.name == name
    assert opened.header_line == (1 if record else 0)


def test_every_format_has_an_example() -> None:
    assert {name for name, _ in EXAMPLES} == {known.name for known in FORMATS}


@pytest.mark.parametrize("example", [text for name, text in EXAMPLES if name == "generic"])
def test_generic_example_is_readable(example: str) -> None:
    known, opened = open_table(BytesIO(example.encode()), "export.csv")
    (record,) = known.read(opened, Options(wallet="Kraken")).records
    assert isinstance(record, Row)


def test_types_and_statuses_are_listed() -> None:
    assert ", ".join(f"`{type_}`" for type_ in generic.TYPES) in TEXT.replace("\n", " ")
    assert all(f"`{status}`" in TEXT for status in filter(None, generic.STATUSES))


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        ("notes have at most {:,} characters", cells.MAX_NOTE),
        ("labels {}", cells.MAX_LABEL),
        ("other texts {}", cells.MAX_NAME),
        ("At most {} digits", cells.MAX_INTEGER_DIGITS),
        ("and {} decimals", cells.MAX_DECIMALS),
        ("the first {} lines", reader.HEADER_WITHIN),
        ("more than {:,} characters", reader.MAX_LINE),
        ("from {} to", cells.FIRST_YEAR),
        ("to {}", cells.LAST_YEAR),
    ],
)
def test_limits_are_the_readers(words: str, limit: int) -> None:
    assert words.format(limit) in " ".join(TEXT.split())
