"""Reading files in tests: our own samples, and texts that a test writes itself."""

from io import BytesIO
from pathlib import Path

from transactions.imports.formats import open_table
from transactions.imports.rows import Options, Question, Reading, Rejected, Row

DATA = Path(__file__).parent / "data"

ALICE = "0xa11ce0000000000000000000000000000000a11c"
BOB = "0xb0b000000000000000000000000000000000b0b0"


def sample(name: str) -> bytes:
    return (DATA / name).read_bytes()


def questions(content: bytes, options: Options, file_name: str = "export.csv") -> list[Question]:
    known, table = open_table(BytesIO(content), file_name)
    return known.questions(table, options)


def reading(content: bytes, options: Options, file_name: str = "export.csv") -> Reading:
    known, table = open_table(BytesIO(content), file_name)
    return known.read(table, options)


def records(content: bytes, options: Options) -> list[Row | Rejected]:
    return list(reading(content, options).records)


def rows(content: bytes, options: Options) -> list[Row]:
    """Every record, all of which must be readable."""
    read = records(content, options)
    assert [record for record in read if isinstance(record, Rejected)] == []
    return [record for record in read if isinstance(record, Row)]


def reasons(content: bytes, options: Options) -> list[str]:
    return [r.reason for r in records(content, options) if isinstance(r, Rejected)]


def moved(row: Row) -> list[tuple[str, str, str]]:
    """Amount, kind and asset's code or symbol of each movement, as text."""
    return [(f"{m.amount:f}", m.kind, m.asset.symbol or m.asset.kind) for m in row.movements]
