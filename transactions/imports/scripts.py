"""Runs statements of SQL one after another."""

import re
from typing import Any

from django.db.backends.utils import CursorWrapper

_table = re.compile(
    r"(?:--[^\n]*\n\s*)*CREATE TEMP TABLE (\w+)(?: \(.*?\)\s+| )ON COMMIT DROP(?: AS\b(.*))?",
    re.DOTALL,
).fullmatch

FEW_BYTES = 1024 * 1024


def run(cursor: CursorWrapper, parameters: dict[str, Any], *scripts: str) -> None:
    """A temporary table that the transaction has made already is emptied and used again.

    Each one keeps a lock until the transaction ends, and PostgreSQL has room for some thousands:
    an import that is taken back can have hundreds of others merged once more.
    """
    for script in scripts:
        for statement in map(str.strip, script.split(";\n")):
            if statement:
                cursor.execute(anew(cursor, statement), parameters)


def anew(cursor: CursorWrapper, statement: str) -> str:
    made = _table(statement)
    if not made:
        return statement
    name, rows = made.groups()
    cursor.execute("SELECT pg_relation_size(to_regclass(%s))", [f"pg_temp.{name}"])
    (size,) = cursor.fetchone()
    if size is None:
        return statement
    # A new file for a table takes longer than to delete few rows.
    empty = "TRUNCATE" if size > FEW_BYTES else "DELETE FROM"
    return f"{empty} pg_temp.{name}" + (f"; INSERT INTO pg_temp.{name} {rows}" if rows else "")
