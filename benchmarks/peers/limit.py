"""The limit: one SQL query for all that a page shows, and a bare WSGI answer of as many bytes.

Nothing is parsed, escaped or checked; what a real page takes more than this is what it costs to be
a page. `BENCH_CASES` names a file with the SQL of each case and the length of our page.
"""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import psycopg

CASES = json.loads(Path(os.environ["BENCH_CASES"]).read_text())
HTML = [("Content-Type", "text/html; charset=utf-8")]
connections: list[psycopg.Connection] = []


def connection() -> psycopg.Connection:
    if not connections:
        connections.append(psycopg.connect(os.environ["DATABASE_URL"], autocommit=True))
    return connections[0]


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    name = parse_qs(environ["QUERY_STRING"]).get("case", ["first"])[0]
    case = CASES[name]
    if environ["REQUEST_METHOD"] == "POST":
        for statement in case["write"]:
            connection().execute(statement, prepare=True)
        start("302 Found", [("Location", "/"), ("Content-Length", "0")])
        return [b""]
    if case.get("copy"):
        start("200 OK", [("Content-Type", "text/csv")])
        return copied(case["copy"])
    rows = connection().execute(case["sql"], prepare=True).fetchall()
    if case.get("empty"):
        start("204 No Content", [])
        return []
    body = "\n".join(row[0] for row in rows).encode().ljust(case["bytes"])
    start("200 OK", [*HTML, ("Content-Length", str(len(body)))])
    return [body]


def copied(query: str) -> Iterable[bytes]:
    with connection().cursor().copy(query) as copy:
        for part in copy:
            yield bytes(part)
