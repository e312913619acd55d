"""What becomes of our pages when the ledger grows: buffers that they touch, and time.

Buffers do not depend on what else the machine does. PostgreSQL tells them when a connection ends,
so the site's connections are ended around each case; the site opens others by itself.
"""

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from benchmarks import stage
from benchmarks.cases import Facts, all_cases, chosen
from benchmarks.peer_list import US
from benchmarks.running import Measured, start

REQUESTS = 12
MOST_SECONDS = 20.0  # for one case of one size
END = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = %s AND pid <> pg_backend_pid()
"""
BUFFERS = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = %s"
OTHERS = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench growth", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--cases", nargs="+", metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the ledgers there")
    options = parser.parse_args(arguments)
    with stage.postgres_server(options.keep) as server:
        figures = {size: of_size(server, size, options.cases) for size in options.sizes}
    print_growth(figures)
    if options.json:
        stage.write_json(options.json, {"load": os.getloadavg(), "sizes": figures})
    return 0


def of_size(
    server: stage.Postgres, size: int, names: list[str] | None
) -> dict[str, dict[str, float]]:
    """For each case the buffers and the milliseconds of a request."""
    database = stage.make_ledger(server, size)
    url = server.url(database)
    with (
        tempfile.TemporaryDirectory(prefix="txsite-bench-") as folder,
        psycopg.connect(url) as connection,
    ):
        cases = chosen(all_cases(Facts(connection)), names)
        connection.close()
        us = start(US, {"ours": url}, Path(folder) / "none", Path(folder))
        try:
            found = {}
            for case in cases:
                if "edit" not in case.asks:
                    found[case.name] = touched(server, us, database, case)
                    print(f"  {size:,} {case.name}: {found[case.name]}", flush=True)
            return found
        finally:
            us.site.close()


def touched(server: stage.Postgres, us: Measured, database: str, case: Any) -> dict[str, float]:
    with psycopg.connect(server.url("postgres"), autocommit=True) as asker:
        before = buffers_of(asker, database)
        times: list[float] = []
        began = time.monotonic()
        while len(times) < REQUESTS and time.monotonic() - began < MOST_SECONDS:
            times.append(us.ask(case, case.path).seconds)
        used = buffers_of(asker, database) - before
    return {"buffers": round(used / len(times)), "ms": round(1000 * median(times), 1)}


def buffers_of(asker: psycopg.Connection, database: str) -> int:
    """All that ever were, once no connection is left that has not told its own."""
    asker.execute(END, [database])
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        [left] = asker.execute(OTHERS, [database]).fetchone() or [0]
        if not left:
            break
        time.sleep(0.02)
    [number] = asker.execute(BUFFERS, [database]).fetchone() or [0]
    return int(number)


def print_growth(figures: dict[int, dict[str, dict[str, float]]]) -> None:
    sizes = list(figures)
    first, last = figures[sizes[0]], figures[sizes[-1]]
    heads = [f"buffers at {size:,}" for size in sizes] + [f"ms at {size:,}" for size in sizes]
    print("| case | " + " | ".join([*heads, "buffers ×", "time ×"]) + " |")
    print("|---" * (len(heads) + 3) + "|")
    for name in first:
        with contextlib.suppress(KeyError):
            cells = [f"{figures[size][name]['buffers']:,}" for size in sizes]
            cells += [f"{figures[size][name]['ms']:,}" for size in sizes]
            for what in ("buffers", "ms"):
                cells.append(f"{last[name][what] / max(first[name][what], 0.1):.2f}")
            print(f"| {name} | " + " | ".join(cells) + " |")
