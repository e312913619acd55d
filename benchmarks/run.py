#!/usr/bin/env python3
"""Our pages beside others, in one run, on the same ledger: see docs/benchmarks.md.

`growth` and `ladder` as the first word measure our pages alone.
"""

import argparse
import contextlib
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psycopg

from benchmarks import growth, ladder, stage
from benchmarks.cases import PER_PAGE, Case, Facts, all_cases, chosen
from benchmarks.client import Client, ids_in
from benchmarks.peer_list import PEERS, US, Peer
from benchmarks.running import Measured, start
from txsite import postgres

WARM = 12  # requests before anything is measured, so that plans have settled
WARM_SECONDS = 1.5  # or as long as this
SLOW = 1.0  # from so many seconds a request, one a round is enough
CLIENTS = 4


@dataclass
class Cell:
    """What one peer did in one case: `why` says what it cannot do."""

    why: str = ""
    wall: list[list[float]] = field(default_factory=list)  # rounds of seconds
    cpu: list[float] = field(default_factory=list)  # CPU seconds a request, for each round

    @property
    def median(self) -> float:
        return median(one for turn in self.wall for one in turn)

    def told(self) -> dict[str, Any]:
        if self.why:
            return {"why": self.why}
        times = sorted(one for turn in self.wall for one in turn)
        return {
            "p50_ms": round(1000 * self.median, 3),
            "p95_ms": round(1000 * times[int(0.95 * (len(times) - 1))], 3),
            "cpu_ms": round(1000 * median(self.cpu), 3),
            "requests": len(times),
        }


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["growth"]:
        return growth.main(arguments[1:])
    if arguments[:1] == ["ladder"]:
        return ladder.main(arguments[1:])
    options = parse(arguments)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="txsite-bench-")))
        server = stack.enter_context(stage.postgres_server(options.keep))
        ours = stage.make_ledger(server, options.transactions)
        ideal = stage.make_ideal(server, ours)
        with psycopg.connect(server.url(ours)) as connection:
            cases = chosen(all_cases(Facts(connection)), options.cases)
        urls = {"ours": server.url(ours), "ideal": server.url(ideal)}
        peers = [one for one in PEERS if one.name in options.peers]
        if any(one.database == "sqlite" for one in peers):
            # Datasette takes the name of the database from the file's.
            file = (options.keep or folder) / ours / "ledger.db"
            file.parent.mkdir(exist_ok=True)
            urls["sqlite"] = str(stage.make_sqlite(urls["ours"], file.resolve()))
        measured = stack.enter_context(all_up(peers, urls, cases, folder))
        cells = compare(server, measured, cases, options)
        throughput = (
            {one.peer.name: served(one, cases[0]) for one in measured}
            if options.throughput and peer_can(measured[0], cases[0])
            else {}
        )
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "transactions": options.transactions,
        "python": platform.python_version(),
        "load": os.getloadavg(),
        "cases": {
            case.name: {name: cell.told() for name, cell in cells[case.name].items()}
            for case in cases
        },
        "ratios": {case.name: ratios(cells[case.name]) for case in cases},
        "requests_a_second": throughput,
    }
    print_table(result, peers)
    if options.json:
        stage.write_json(options.json, result)
    wrong = [
        f"{case.name}: {cells[case.name]['us'].why}"
        for case in cases
        if "us" in cells[case.name] and cells[case.name]["us"].why
    ]
    for one in wrong:
        print(f"WRONG {one}")
    return 1 if wrong else 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    names = [one.name for one in PEERS]
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--transactions", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5, help="of a case and peer, each round")
    parser.add_argument("--warm", type=int, default=WARM, help="requests to each worker before")
    parser.add_argument("--cases", nargs="+", metavar="NAME", help="the beginnings of their names")
    parser.add_argument("--peers", nargs="+", default=names, choices=names)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all figures there")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the ledgers there")
    parser.add_argument("--no-throughput", dest="throughput", action="store_false")
    return parser.parse_args(arguments)


# --- Starting ------------------------------------------------------------------------------------


@contextlib.contextmanager
def all_up(
    peers: list[Peer], urls: dict[str, str], cases: list[Case], folder: Path
) -> Iterator[list[Measured]]:
    """Every peer's web server, ours first: the limit's answers are as long as ours."""
    told = folder / "cases.json"
    with contextlib.ExitStack() as stack:
        measured: dict[str, Measured] = {}
        for peer in sorted([*peers, US] if US not in peers else peers, key=lambda one: one != US):
            measured[peer.name] = start(peer, urls, told, folder)
            stack.callback(measured[peer.name].site.close)
            if peer == US:
                client = measured[US.name].client
                lengths = {one.name: len(client.get(one.path).body) for one in cases}
                limits = {one.name: one.for_limit(lengths[one.name]) for one in cases}
                stage.write_json(told, limits)
        yield [measured[peer.name] for peer in peers]


# --- Measuring -----------------------------------------------------------------------------------


def compare(
    server: stage.Postgres, measured: list[Measured], cases: list[Case], options: argparse.Namespace
) -> dict[str, dict[str, Cell]]:
    """All peers in turn, case by case, so that what else the machine does meets them alike."""
    cells: dict[str, dict[str, Cell]] = {}
    for case in cases:
        expected: list[int] = []
        of_case = cells[case.name] = {}
        for one in measured:
            of_case[one.peer.name] = Cell(why=why_not(one, case, expected, options.warm))
        for turn in range(options.rounds):
            for one in measured[turn % len(measured) :] + measured[: turn % len(measured)]:
                cell = of_case[one.peer.name]
                if not cell.why:
                    measure(server, one, case, cell, options.requests)
        print(f"  {case.name}: {line_of(of_case)}", file=sys.stderr, flush=True)
    return cells


def peer_can(one: Measured, case: Case) -> bool:
    return one.peer.address(case) is not None


def why_not(one: Measured, case: Case, expected: list[int], warm: int) -> str:
    """Warms up, and says why a case is not measured; its rows must be the limit's."""
    path = one.peer.address(case)
    if path is None:
        return "–"
    began = time.monotonic()
    for number in range(warm * stage.WORKERS):
        reply = one.ask(case, path)
        if reply.status != (204 if case.is_empty else 200):
            return f"answered {reply.status}" if reply.status else "too slow"
        if number == 0 and case.ids:
            found = ids_in(reply.body, one.peer.row)[:PER_PAGE]
            if one.peer.name == "limit":
                expected.extend(found)
            elif found != expected:
                return "other rows"
        # An edit and the next take it back: the ledger stays as it was.
        if time.monotonic() - began > WARM_SECONDS and number % 2:
            break
    return ""


def measure(server: stage.Postgres, one: Measured, case: Case, cell: Cell, requests: int) -> None:
    path = one.peer.address(case) or ""
    before = one.site.cpu() + server.cpu()
    times: list[float] = []
    # An edit and the next take it back, so that every round leaves the ledger as it was.
    while len(times) < requests or ("edit" in case.asks and len(times) % 2):
        times.append(one.ask(case, path).seconds)
        if times[-1] > SLOW and "edit" not in case.asks:
            break
    cell.wall.append(times)
    cell.cpu.append((one.site.cpu() + server.cpu() - before) / len(times))


def ratios(cells: dict[str, Cell]) -> dict[str, float]:
    """The median over the rounds of how many times as long as the limit each peer took."""
    limit = cells.get("limit")
    if limit is None or limit.why:
        return {}
    return {
        name: round(
            median(
                median(theirs) / median(least)
                for theirs, least in zip(cell.wall, limit.wall, strict=True)
            ),
            2,
        )
        for name, cell in cells.items()
        if not cell.why
    }


def served(one: Measured, case: Case, seconds: float = 3.0) -> float:
    """Requests a second with several clients at once."""
    path = one.peer.address(case) or "/"
    counts = [0] * CLIENTS
    over = time.monotonic() + seconds

    def ask(number: int) -> None:
        client = Client(one.site.port)
        client.cookies = dict(one.client.cookies)
        while time.monotonic() < over:
            counts[number] += client.get(path).status == 200

    threads = [threading.Thread(target=ask, args=[number]) for number in range(CLIENTS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return round(sum(counts) / (time.monotonic() - began), 1)


# --- Telling -------------------------------------------------------------------------------------


def line_of(cells: dict[str, Cell]) -> str:
    return ", ".join(
        f"{name} {cell.why or f'{1000 * cell.median:.1f}'}" for name, cell in cells.items()
    )


def print_table(result: dict[str, Any], peers: list[Peer]) -> None:
    """One line a case: median ms, and beside ours how many times the limit's that is."""
    load = ", ".join(f"{one:.1f}" for one in result["load"])
    print(f"{result['transactions']:,} transactions; median ms; load at the end {load}\n")
    heads = ["case", *(one.title for one in peers)]
    heads += ["us ÷ limit", "us ÷ best", "us CPU", "limit CPU"]
    rows = [heads]
    for name, cells in result["cases"].items():
        shown = [cells[one.name] for one in peers]
        rows.append(
            [
                name,
                *(one.get("why") or ms(one["p50_ms"]) for one in shown),
                str(result["ratios"][name].get("us", "")),
                beside_best(cells),
                *(ms(cells.get(who, {}).get("cpu_ms")) for who in ("us", "limit")),
            ]
        )
    if result["requests_a_second"]:
        of = result["requests_a_second"]
        rows.append(
            [f"requests/s, {CLIENTS} clients", *(str(of[one.name]) for one in peers), *4 * [""]]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        print("| " + " | ".join(cells) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def beside_best(cells: dict[str, dict[str, Any]]) -> str:
    """How many times as long as the quickest real peer we took."""
    theirs = [
        cell["p50_ms"]
        for name, cell in cells.items()
        if name not in ("limit", "floor", "us") and "p50_ms" in cell
    ]
    ours = cells.get("us", {}).get("p50_ms")
    return f"{ours / min(theirs):.2f}" if ours and theirs else ""


def ms(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


if __name__ == "__main__":
    # A shell that starts us in the background has SIGINT ignored; the servers end with us.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except postgres.CannotServe as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
