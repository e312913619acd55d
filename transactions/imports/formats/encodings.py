"""The encoding of a text that is neither UTF-8 nor UTF-16: asked, with what each would read."""

import hashlib
import re
from collections.abc import Iterable
from typing import BinaryIO

from transactions.imports.formats.cells import shown
from transactions.imports.rows import FileError, Question

# What spreadsheets and older programs write, and where.
ENCODINGS = {
    "windows-1252": "Western Europe",
    "windows-1250": "Central Europe",
    "windows-1251": "Cyrillic",
    "windows-1253": "Greek",
    "windows-1254": "Turkish",
    "gb18030": "Chinese",
    "cp932": "Japanese",
}
EXAMPLE = 20  # characters before and after the first that is not ASCII
CHUNK = 1024 * 1024
_in_no_text = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff]").search


class UnknownEncoding(FileError):
    """A line is not in the encoding that the file seemed to be in."""


def is_utf8(file: BinaryIO) -> bool:
    file.seek(0)
    rest = b""
    while chunk := file.read(CHUNK):
        try:
            (rest + chunk).decode()
            rest = b""
        except UnicodeDecodeError as problem:
            if problem.reason != "unexpected end of data":
                return False
            rest = (rest + chunk)[problem.start :]
    return not rest


def question_of(lines: Iterable[tuple[int, bytes]]) -> Question | None:
    """Which encoding these lines are in, asked with the one that tells the most; None where they
    are UTF-8 but for some damage, or in none that is known here."""
    readings = {name: hashlib.sha256() for name in ENCODINGS}
    utf8 = 0
    best: dict[str, str] = {}
    number = 0
    for line, raw in lines:
        if raw.isascii():
            continue
        utf8 += 1 if decoded(raw, "utf-8") else -1
        found = {name: text for name in readings if (text := decoded(raw, name))}
        readings = {name: readings[name] for name in found}
        for name, text in found.items():
            readings[name].update(text.encode())
        if len(set(found.values())) > len(set(best.values())):
            number, best = line, found
    if utf8 > 0 or not readings:
        return None
    # Those that read no line otherwise than one before them are not told apart.
    told = {one.digest(): name for name, one in reversed(readings.items())}
    choices = tuple(name for name in readings if name in told.values())
    examples = tuple((name, f"{example(best[name])} ({ENCODINGS[name]})") for name in choices)
    text = f"In which encoding is the file? It is not UTF-8. With each, line {number} reads:"
    return Question("encoding", text, choices, examples=examples)


def decoded(raw: bytes, encoding: str) -> str:
    """Empty where it does not fit, or some of it would be no characters of a text."""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return ""
    return "" if _in_no_text(text) else text


def example(line: str) -> str:
    place = next(place for place, one in enumerate(line) if not one.isascii())
    return shown(line[max(0, place - EXAMPLE) : place + EXAMPLE].strip())
