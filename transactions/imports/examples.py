"""A line of a file that asks something, and how it would be read with each answer.

The format itself reads the beginning of the file once an answer, so an example is never wrong.
"""

import re
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC
from io import BytesIO
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from contacts.networks import NETWORKS
from transactions.amounts import format_amount
from transactions.imports.formats.reader import lines_of, records
from transactions.imports.rows import (
    FileError,
    Format,
    Movement,
    Options,
    Question,
    Rejected,
    Row,
    Table,
)

LINES = 200  # of the file's beginning
RAW_SHOWN = 300
MOVEMENTS_SHOWN = 3
A_NAME = "your account"
ZONES = ("UTC", "Europe/Berlin", "America/New_York")

_addresses = re.compile(r"\b0x[0-9a-fA-F]{40}\b").findall


def with_examples(
    format_: Format, table: Table, options: Options, questions: list[Question]
) -> list[Question]:
    """The questions, each with a line of the file where one can be read."""
    try:
        beginning = beginning_of(table)
    except FileError:  # which is told once the file is read
        return questions
    asked = {question.option for question in questions}
    return [with_example(format_, beginning, options, one, asked) for one in questions]


def beginning_of(table: Table) -> Table:
    if table.objects is not None:
        return replace(table, objects=table.objects[:LINES])
    with closing(lines_of(table.file, table.encoding)) as lines:
        text = "".join(islice(lines, table.header_line + LINES))
    return replace(table, file=BytesIO(text.encode(table.encoding)))


def with_example(
    format_: Format, table: Table, options: Options, question: Question, asked: set[Any]
) -> Question:
    read = {
        answer: {row.line: row for row in rows(format_, table, options, question, answer)}
        for answer in answers(question, table)
    }
    if read.get(A_NAME):  # any other name reads the same
        read = {A_NAME: read[A_NAME]}
    read = {answer: found for answer, found in read.items() if found}
    told = {
        line: {
            answer: as_read(found[line], question, asked)
            for answer, found in read.items()
            if line in found
        }
        for line in sorted({line for found in read.values() for line in found})
    }
    if not told:
        return question
    # The first of those that tell the answers apart best.
    line = max(told, key=lambda one: (len(set(told[one].values())), len(told[one])))
    texts = told[line]
    raw = printable(next(found[line].raw for found in read.values() if line in found))
    if len(read) == 1 or len(set(texts.values())) == 1 < len(texts):
        texts = {"": next(iter(texts.values()))}  # whatever the answer is
    shortened = raw if len(raw) <= RAW_SHOWN else f"{raw[:RAW_SHOWN]}…"
    return replace(question, line=f"Line {line}: {shortened}", examples=tuple(texts.items()))


def answers(question: Question, table: Table) -> tuple[str, ...]:
    if question.choices:
        return question.choices
    if question.option == "timezone":
        return tuple(dict.fromkeys(filter(None, (question.suggestion, *ZONES))))
    # A file of an address has it in its lines.
    with suppress(FileError):
        first = next((one.raw for one in records(table) if _addresses(one.raw)), "")
        return (A_NAME, *dict.fromkeys(map(str.lower, _addresses(first))))
    return (A_NAME,)


def rows(
    format_: Format, table: Table, options: Options, question: Question, answer: str
) -> Iterator[Row]:
    """As far as they can be read with this answer, and any to the other questions."""
    if question.option == "date_order":
        options = replace(options, timezone=UTC)  # so that the day is the one that is written
    with suppress(FileError):
        options = answered(options, question.option, answer)
        for other in format_.questions(table, options):
            options = answered(options, other.option, answers(other, table)[0])
        for record in format_.read(table, options).records:
            if not isinstance(record, Rejected):
                yield record


def answered(options: Options, option: str, answer: str) -> Options:
    said: Any = ZoneInfo(answer) if option == "timezone" else answer
    return replace(options, **{option: said})


def as_read(row: Row, question: Question, asked: set[Any]) -> str:
    """What the answer decides on, and nothing that another question leaves open."""
    time = row.timestamp
    if question.option == "date_order":
        return f"{time.day} {time:%B %Y}"
    if question.option == "timezone":
        # Which day it is may be asked as well.
        return f"{time:%H:%M}" if "date_order" in asked else f"{time.day} {time:%B %Y, %H:%M} UTC"
    network = NETWORKS.get(row.network)
    coin = network.symbol if network else ""
    if question.option == "wallet" and "network" in asked:
        coin = "of the network's coin"
    has_sign = question.option == "wallet"
    moved = [movement_as_read(one, coin, has_sign) for one in row.movements if one.amount]
    more = ["…"] if len(moved) > MOVEMENTS_SHOWN else []
    return ", ".join(moved[:MOVEMENTS_SHOWN] + more) or "no amount"


def movement_as_read(movement: Movement, coin: str, has_sign: bool) -> str:
    amount = movement.amount
    sign = ("−" if amount < 0 else "+") if has_sign else ""
    asset = movement.asset
    name = coin if asset.kind == "native" else asset.symbol or asset.code
    number = f" #{asset.token_id}" if asset.token_id else ""
    kind = "fee " if movement.kind == "fee" else ""
    return f"{kind}{sign}{format_amount(amount.copy_abs())} {name}{number}".rstrip()


def read_as(answer: str, text: str) -> str:
    return f"{answer} → {text}".lstrip() if text else answer


def printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
