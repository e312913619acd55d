"""What each of our measures gains: the site without any of them, then one more at a time.

Only what can be switched from outside: indexes, the count, connections, prepared queries. How rows
are fetched and drawn is seen beside the peers.
"""

import argparse
import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import psycopg

from benchmarks import stage
from benchmarks.cases import Facts, all_cases, chosen
from benchmarks.peer_list import US
from benchmarks.running import Measured, start

CASES = ("first page", "page 19,000", "wallet", "asset, popular", "label, popular", "contact of")
# From the bottom up; each step keeps those before it.
STEPS = (
    "nothing",
    "indexes in the order of time",
    "count to 10,000",
    "count of the ledger kept",
    "connections",
    "prepared",
)
IN_ORDER = """
    SELECT format('DROP INDEX %I', i.relname) FROM pg_index x JOIN pg_class i ON i.oid = indexrelid
    WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
        AND x.indnatts > 1 AND indrelid::regclass::text LIKE 'transactions_%'
"""
# Django's own, which those in the order of time have replaced.
SINGLE = """
    CREATE INDEX ON transactions_transaction (timestamp);
    CREATE INDEX ON transactions_transaction (type);
    CREATE INDEX ON transactions_entry (wallet_id);
    CREATE INDEX ON transactions_entry (asset_id);
    CREATE INDEX ON transactions_entry (counterparty_id);
"""

FORGET = "DELETE FROM transactions_transactioncount"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench ladder", description=__doc__)
    parser.add_argument("--transactions", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--cases", nargs="+", metavar="NAME", default=CASES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the ledgers there")
    options = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(stage.postgres_server(options.keep))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="txsite-bench-")))
        ours = stage.make_ledger(server, options.transactions)
        uncounted = made_of(server, ours, "uncounted", [FORGET])
        plain = made_of(server, uncounted, "plain", [*not_in_order(server, uncounted), SINGLE])
        urls = [server.url(one) for one in (plain, uncounted, uncounted, ours, ours, ours)]
        steps: list[Measured] = []
        for number in range(len(STEPS)):
            without = [name for name in STEPS[number + 1 :] if name in ("connections", "prepared")]
            more = {"BENCH_WITHOUT": ",".join(without)}
            steps.append(start(US, {"ours": urls[number]}, folder / "none", folder, more))
            stack.callback(steps[-1].site.close)
        with psycopg.connect(server.url(ours)) as connection:
            cases = chosen(all_cases(Facts(connection)), list(options.cases))
        figures: dict[str, list[tuple[float, float]]] = {}
        for case in cases:
            paths = [path_of(case.path, number) for number in range(len(STEPS))]
            for one, path in zip(steps, paths, strict=True):
                for _ in range(12 if one.ask(case, path).seconds < 1 else 1):
                    one.ask(case, path)
            turns = [
                [
                    timed(server, one, path, options.requests)
                    for one, path in zip(steps, paths, strict=True)
                ]
                for _ in range(options.rounds)
            ]
            figures[case.name] = [
                (median(turn[step][0] for turn in turns), median(turn[step][1] for turn in turns))
                for step in range(len(STEPS))
            ]
    print_ladder(figures)
    if options.json:
        stage.write_json(options.json, {"load": os.getloadavg(), "steps": STEPS, "ms": figures})
    return 0


def path_of(path: str, step: int) -> str:
    if step >= STEPS.index("count to 10,000"):
        return path
    return f"{path}{'&' if '?' in path else '?'}count=exact"


def made_of(server: stage.Postgres, database: str, name: str, statements: list[str]) -> str:
    """A copy of the database to which this was done."""
    copy = f"{database}_{name}"
    if not server.has(copy):
        server.execute(f"CREATE DATABASE {copy} TEMPLATE {database}")
        for statement in [*statements, "ANALYZE"]:
            server.execute(statement, copy)
    return copy


def not_in_order(server: stage.Postgres, database: str) -> list[str]:
    with psycopg.connect(server.url(database)) as connection:
        return [statement for [statement] in connection.execute(IN_ORDER).fetchall()]


def timed(server: stage.Postgres, one: Measured, path: str, requests: int) -> tuple[float, float]:
    """Milliseconds of a request: wall and CPU."""
    before = one.site.cpu() + server.cpu()
    times = [one.client.get(path).seconds for _ in range(requests)]
    used = one.site.cpu() + server.cpu() - before
    return 1000 * median(times), 1000 * used / requests


def print_ladder(figures: dict[str, list[tuple[float, float]]]) -> None:
    print(f"| ms (CPU ms) | {' | '.join(figures)} |")
    print("|---" * (len(figures) + 1) + "|")
    for number, step in enumerate(STEPS):
        cells = [f"{steps[number][0]:,.1f} ({steps[number][1]:,.1f})" for steps in figures.values()]
        print(f"| {'' if number == 0 else '+ '}{step} | {' | '.join(cells)} |")
