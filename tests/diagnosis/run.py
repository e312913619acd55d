#!/usr/bin/env python3
"""Measures the whole evidence of docs/diagnosis.md anew and writes it into both documents.

Takes five to thirty minutes. Ends with 1 when a cell differs from what the documents said.
"""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    # In place of this folder, whose modules are meant to be found in their package only.
    sys.path[:1] = [str(TESTS), str(TESTS.parent)]

from diagnosis import documents, servers  # noqa: E402
from diagnosis.cells import CAUSE, TREATMENTS, Stage  # noqa: E402
from txsite import postgres  # noqa: E402

SERVERS = ("postgresql", "sqlite", "mariadb")


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    # So that the servers end with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    before, evidence = documents.Evidence.read(), documents.Evidence.read()
    try:
        with servers.web_servers() as web:
            for name in options.servers:
                with databases_of(name, options.mariadb) as databases:
                    for database in databases:
                        measure(Stage(web, database), options.causes, evidence)
    except (postgres.CannotServe, servers.CannotStart) as problem:
        sys.exit(str(problem))
    changed = changes(before, evidence)
    if not options.check:
        evidence.write()
        documents.write_documents(evidence)
    false = {
        claim: path.name
        for path in documents.DOCUMENTS.values()
        for claim in documents.false_claims(path.read_text(), evidence)
    }
    for line in (*changed, *(f"{false[claim]} says {claim}." for claim in false)):
        print(line)
    print(f"Cells that differ from the documents: {len(changed)}; sentences refuted: {len(false)}.")
    return 1 if changed or false else 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="prove diagnosis", description=__doc__)
    parser.add_argument(
        "--mariadb",
        metavar="URL",
        help="a server where a database may be made: mysql://USER:PASSWORD@HOST:PORT/ "
        "(otherwise the mariadbd on PATH, started for this run, or none)",
    )
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=SERVERS, metavar="SERVER")
    parser.add_argument("--causes", nargs="+", choices=CAUSE, default=CAUSE, metavar="CAUSE")
    parser.add_argument("--check", action="store_true", help="compare, but write nothing")
    return parser.parse_args(arguments)


@contextlib.contextmanager
def databases_of(name: str, mariadb_url: str | None) -> Iterator[list[servers.Database]]:
    with contextlib.ExitStack() as stack:
        if name == "postgresql":
            url = os.environ.get("DATABASE_URL") or postgres.throw_away_server()
            yield stack.enter_context(servers.postgresql(url))
        elif name == "sqlite":
            yield stack.enter_context(servers.sqlite())
        elif mariadb_url or servers.has_mariadb():
            url = mariadb_url or stack.enter_context(servers.throw_away_mariadb())
            yield stack.enter_context(servers.mariadb(url))
        else:
            print(
                "MariaDB: NOT measured, and the documents keep the last run's rows. "
                "Install it (Debian: apt-get install mariadb-server-core) or give --mariadb URL."
            )
            yield []


def measure(stage: Stage, causes: Sequence[str], evidence: documents.Evidence) -> None:
    database = stage.database
    evidence.versions["packages"] = documents.packages()
    evidence.versions[database.name] = database.version
    print(f"{database.name}: {database.version}\n{'':14}{heading()}", flush=True)
    for name in causes:
        print(f"{name:14}", end="", flush=True)
        for treatment in TREATMENTS:
            cell = stage.measure(CAUSE[name], treatment)
            evidence.record(database.name, name, treatment, cell)
            print(f"{cell.result:5}", end="", flush=True)
        print()


def heading() -> str:
    return "".join(f"{treatment:5}" for treatment in TREATMENTS)


def changes(before: documents.Evidence, after: documents.Evidence) -> list[str]:
    """The cells that are not as they were, a line each."""
    return [
        f"{database} {cause} {treatment}: {was} before, {now} now"
        for database, causes in after.letters.items()
        for cause, letters in causes.items()
        for treatment, now in letters.items()
        if (was := before.letters.get(database, {}).get(cause, {}).get(treatment, "nothing")) != now
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
