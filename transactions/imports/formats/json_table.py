"""JSON files as tables: the answers of explorers' interfaces, as they were saved.

The records are a list, alone or in `result`, `res`, `items` or `data`; several answers may follow
one another, as the pages of a long one do. What is nested becomes a column with a point in its
name, such as `from.hash`. Numbers stay as they are written.
"""

import json
import re
from typing import Any, BinaryIO

from transactions.imports.formats.cells import shown
from transactions.imports.rows import FileError, Table

MAX_SIZE = 64 * 1024 * 1024
_half = re.compile("[\ud800-\udfff]")
HASHES = {"hash", "transaction_hash"}
LISTS = ("result", "res", "items", "data")


def is_json(file: BinaryIO, encoding: str) -> bool:
    file.seek(0)
    start = file.read(4096).decode(encoding, errors="ignore").lstrip()
    return start[:1] in ("{", "[")


def open_json(file: BinaryIO, file_name: str, encoding: str) -> Table:
    """Raises FileError where the file is no JSON, tells of an error, or has no records."""
    file.seek(0)
    content = file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise FileError(f"A JSON file has at most {MAX_SIZE >> 20} MB. Save fewer records in one.")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as problem:
        line = content[: problem.start].decode(encoding, errors="ignore").count("\n") + 1
        raise FileError(f"Line {line} is not UTF-8. Save the answer again.") from None
    found = tuple(flat(record) for answer in answers_in(text) for record in records_of(answer))
    if not found:
        raise FileError("The file has no records. Ask for the time span that you mean.")
    header = tuple(dict.fromkeys(name for record in found for name in record))
    return Table(file, encoding, "", header, 0, file_name, found)


def answers_in(text: str) -> list[Any]:
    """Every JSON document of the text, one after the other."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
    found, position = [], 0
    while position < len(text):
        if text[position].isspace() or text[position] == ",":
            position += 1
            continue
        try:
            document, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as problem:
            line = getattr(problem, "lineno", 1)
            raise FileError(
                f"Line {line} is not JSON as it should be. Save the whole answer again."
            ) from None
        found.append(document)
    return found


def records_of(answer: Any) -> list[dict[str, Any]]:
    records = answer
    if isinstance(answer, dict):
        name = next((name for name in LISTS if name in answer), None)
        # A record has a hash, and may say that its result is success.
        records = answer[name] if name and not answer.keys() & HASHES else [answer]
    if isinstance(records, str):
        raise FileError(f"The explorer answered with an error: {shown(records)}. Ask it again.")
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise FileError("There is no list of records in the file. Save the whole answer again.")
    return records


def flat(record: dict[str, Any], before: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{name}.")
        elif isinstance(value, list):
            found[before + name] = json.dumps(value)
        else:
            texts: dict[Any, str] = {None: "", True: "true", False: "false"}
            # Half a character, which anybody can put into a token's name, is shown as one lost.
            whole = (
                value
                if not isinstance(value, str)
                else _half.sub("\N{REPLACEMENT CHARACTER}", value)
            )
            found[before + name] = whole if isinstance(whole, str) else texts.get(whole, whole)
    return found


def raw_of(record: dict[str, str]) -> str:
    return json.dumps(record, ensure_ascii=False)
