"""Reading files in tests: our own samples, and texts that a test writes itself."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from transactions.imports.formats import open_table
from transactions.imports.rows import Movement, Options, Question, Reading, Rejected, Row

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


# Berlin is told to all, and believed where the file has no zone of its own.
BERLIN = ZoneInfo("Europe/Berlin")
FORMAT_OPTIONS = {
    "exchanges": Options(timezone=BERLIN),
    "wallets": Options(timezone=BERLIN),
    "explorers": Options(wallet=ALICE, network="ethereum"),
}


def sample_lines(name: str, options: Options) -> tuple[str, list[str]]:
    """The format that a sample is recognised as, and each of its records in a line."""
    known, table = open_table(BytesIO(sample(name)), name)
    if any(question.option == "wallet" for question in known.questions(table, options)):
        options = replace(options, wallet="Mine")
    return known.name, [as_line(record) for record in known.read(table, options).records]


def as_line(record: Row | Rejected) -> str:
    if isinstance(record, Rejected):
        return f"REJECTED {record.reason}"
    is_now = record.status == "pending" and record.timestamp.year >= 2026
    kind = " ".join(filter(None, [record.type, record.status.replace("ok", "")]))
    movements = ", ".join(map(movement_as_text, record.movements))
    time = "now" if is_now else f"{record.timestamp:%Y-%m-%d %H:%M:%S}"
    return f"{time} | {kind} | {movements}"


def movement_as_text(one: Movement) -> str:
    number = f"#{one.asset.token_id}" if one.asset.token_id else ""
    parts = ["fee"] if one.kind == "fee" else []
    parts += [f"{one.amount:f}", f"{one.asset.symbol or one.asset.kind}{number}"]
    parts += ["in", one.wallet] if one.wallet else []
    parts += ["with", one.counterparty[:6]] if one.counterparty else []
    return " ".join(parts)


def moved(row: Row) -> list[tuple[str, str, str]]:
    """Amount, kind and asset's code or symbol of each movement, as text."""
    return [(f"{m.amount:f}", m.kind, m.asset.symbol or m.asset.kind) for m in row.movements]
