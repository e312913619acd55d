#!/usr/bin/env python3
"""Revisions under load, what they cost, and after a dump and restore.

Sixteen writers on shared rows, with foreign keys that are checked at commit, and four readers that
compare, in one snapshot each, the ledger's revision, the records of its changes and what every
writer has written. Then the same write, and the same import, with the triggers and without, by
turns. Ends with 1 when a number is missing, given twice or not what a reader saw.
"""

import argparse
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median

TESTS = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    # In place of this folder, whose modules are meant to be found in their package only.
    sys.path[:1] = [str(TESTS), str(TESTS.parent)]

import psycopg  # noqa: E402
from psycopg import errors  # noqa: E402

from prover import stage  # noqa: E402
from prover.ledger import Plan  # noqa: E402

WRITERS, READERS, COMMITS, LINES = 16, 4, 20_000, 100_000
ROUNDS, WRITES = 20, 100
OWN = "0x00000000000000000000000000000000000000a1"
TRIGGERS = ("record_insert", "record_update", "record_delete", "record_truncate")
HEADER = (
    '"Transaction Hash","Blockno","UnixTimestamp","DateTime (UTC)","From","To","ContractAddress",'
    '"Value_IN(ETH)","Value_OUT(ETH)","CurrentValue @ $3322.17/Eth","TxnFee(ETH)","TxnFee(USD)",'
    '"Historical $Price/Eth","Status","ErrCode","Method"\n'
)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="prove revisions", description=__doc__)
    parser.add_argument("--commits", type=int, default=COMMITS)
    parser.add_argument("--lines", type=int, default=LINES, help="of the import")
    parser.add_argument("--turns", type=int, default=2, help="of the import with and without")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with stage.postgres_server() as server:
        plan = stage.make_template(server)
        with stage.fresh_database(server, "commits") as url:
            wrong = commits(url, plan, options.commits, options.seed)
            wrong += dump_and_restore(server, url)
            cost_of_a_write(url, plan)
        cost_of_an_import(server, options.lines, options.turns)
    for problem in wrong:
        print(f"WRONG: {problem}")
    print(f"VERDICT: {'NOT PROVED' if wrong else 'proved'}")
    return 1 if wrong else 0


def revision_of(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT revision FROM txsite_revision").fetchone()
    assert row
    return int(row[0])


# --- Commits at once -----------------------------------------------------------------------------


def commits(url: str, plan: Plan, wanted: int, seed: int) -> list[str]:
    """What was wrong with the numbers."""
    with psycopg.connect(url, autocommit=True) as somebody:
        before = revision_of(somebody)
        for writer in range(WRITERS):
            somebody.execute(
                "INSERT INTO transactions_label (name, colour, description, version)"
                " VALUES (%s, 'grey', '', 1)",
                [f"writer {writer}:0"],
            )
        began_at = revision_of(somebody)
    wrong: list[str] = []
    ended: Counter[str] = Counter()
    waits: list[float] = []
    done = threading.Event()
    looks: list[int] = []
    readers = [
        threading.Thread(target=read, args=(url, began_at, done, wrong, looks))
        for _ in range(READERS)
    ]
    writers = [
        threading.Thread(
            target=write, args=(url, plan, writer, wanted // WRITERS, seed, ended, waits)
        )
        for writer in range(WRITERS)
    ]
    began = time.monotonic()
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    took = time.monotonic() - began
    done.set()
    for thread in readers:
        thread.join()
    with psycopg.connect(url, autocommit=True) as somebody:
        numbers = [
            number
            for (number,) in somebody.execute(
                "SELECT revision FROM txsite_change WHERE revision > %s ORDER BY 1", [began_at]
            )
        ]
        unnumbered = somebody.execute(
            "SELECT count(*) FROM txsite_change WHERE revision IS NULL"
        ).fetchone()
        last = revision_of(somebody)
    expected = list(range(began_at + 1, began_at + ended["committed"] + 1))
    if numbers != expected or last != expected[-1] or unnumbered != (0,):
        wrong.append(f"{ended['committed']} commits after {began_at} have {len(numbers)} numbers")
    if ended["deadlocks"]:
        wrong.append(f"{ended['deadlocks']} deadlocks")
    waits.sort()
    print(
        f"{WRITERS} writers, {ended['committed']:,} commits in {took:.0f} s "
        f"({ended['committed'] / took:.0f}/s), numbers {began_at + 1:,} to {last:,} "
        f"(before all: {before:,}), deadlocks {ended['deadlocks']}, "
        f"refused by foreign keys {ended['refused']}\n"
        f"A commit with its statements: median {1000 * median(waits):.1f} ms, "
        f"99% {1000 * waits[len(waits) * 99 // 100]:.0f} ms, worst {1000 * waits[-1]:.0f} ms; "
        f"{READERS} readers compared {len(looks):,} snapshots",
        flush=True,
    )
    return wrong


def write(
    url: str,
    plan: Plan,
    writer: int,
    wanted: int,
    seed: int,
    ended: Counter[str],
    waits: list[float],
) -> None:
    """Commits until `wanted` of them have succeeded; each counts up the name of a label."""
    random = Random(f"{seed} {writer}")
    number = 0
    with psycopg.connect(url, autocommit=True) as mine:
        mine.execute("SELECT set_config('txsite.actor', %s, false)", [f"writer {writer}"])
        while number < wanted:
            start = time.monotonic()
            try:
                with mine.transaction():
                    shared_first = random.random() < 0.5
                    if shared_first:
                        change_something(mine, plan, random)
                    mine.execute(
                        "UPDATE transactions_label SET name = %s WHERE name = %s",
                        [f"writer {writer}:{number + 1}", f"writer {writer}:{number}"],
                    )
                    if not shared_first:
                        change_something(mine, plan, random)
            except errors.DeadlockDetected:
                ended["deadlocks"] += 1
            except (errors.ForeignKeyViolation, errors.UniqueViolation):
                ended["refused"] += 1
            else:
                number += 1
                ended["committed"] += 1
                waits.append(time.monotonic() - start)


def change_something(mine: psycopg.Connection, plan: Plan, random: Random) -> None:
    """Rows that all writers share, and keys that are checked when it is committed."""
    pk = random.choice(plan.edited)
    kind = random.randrange(4)
    if kind == 0:
        mine.execute(
            "UPDATE transactions_transaction SET note = %s WHERE id = %s",
            [str(random.random()), pk],
        )
    elif kind == 1:
        # Its entries follow, and whoever has just made another one has to wait.
        mine.execute(
            "UPDATE transactions_transaction SET timestamp = timestamp + interval '1 second'"
            " WHERE id = %s",
            [pk],
        )
    elif kind == 2:
        mine.execute(
            "INSERT INTO transactions_entry (transaction_id, timestamp, wallet_id, asset_id,"
            " amount, kind, ordinal) SELECT id, timestamp, %s, %s, %s, 'transfer', 0"
            " FROM transactions_transaction WHERE id = %s",
            [plan.churn, plan.asset, random.randrange(1, 10**15), pk],
        )
    else:
        mine.execute(
            "WITH made AS (INSERT INTO contacts_contact (name, note, version)"
            " VALUES (%s, '', 1) RETURNING id) INSERT INTO contacts_address"
            " (family, value, contact_id, version) SELECT 'evm', %s, id, 1 FROM made",
            [f"contact {random.random()}", f"0x{random.getrandbits(160):040x}"],
        )


LOOK = """
SELECT (SELECT revision FROM txsite_revision),
    (SELECT max(revision) FROM txsite_change),
    (SELECT count(*) FROM txsite_change WHERE revision > %(began)s),
    (SELECT jsonb_object_agg(split_part(name, ':', 1), split_part(name, ':', 2)::int)
        FROM transactions_label WHERE name LIKE 'writer %%'),
    (SELECT jsonb_object_agg(actor, n) FROM (SELECT actor, count(*) AS n FROM txsite_change
        WHERE revision > %(began)s AND actor LIKE 'writer %%' GROUP BY actor) counted)
"""


def read(url: str, began: int, done: threading.Event, wrong: list[str], looks: list[int]) -> None:
    """In one snapshot: the counter, the records of the changes, and what they changed, agree."""
    last = 0
    with psycopg.connect(url) as mine:
        mine.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        mine.read_only = True
        while not done.is_set():
            row = mine.execute(LOOK, {"began": began}).fetchone()
            mine.rollback()
            assert row
            revision, newest, count, written, recorded = row
            if not revision == newest == began + count or revision < last:
                wrong.append(f"revision {revision} after {last}, records {newest}, {count}")
            numbers = {name: n for name, n in written.items() if n}
            if numbers != (recorded or {}):
                wrong.append(f"at {revision} there is {numbers}, recorded is {recorded}")
            last = revision
            looks.append(revision)


# --- A dump and its restoration ------------------------------------------------------------------


def dump_and_restore(server: stage.Postgres, url: str) -> list[str]:
    folder = server.psql.parent
    with psycopg.connect(url, autocommit=True) as somebody:
        before = revision_of(somebody)
        records = somebody.execute("SELECT count(*) FROM txsite_change").fetchone()
    stage.execute(server, "CREATE DATABASE restored")
    dump = subprocess.run([folder / "pg_dump", "-Fc", url], check=True, capture_output=True)
    restored = server.url("restored")
    subprocess.run(
        [folder / "pg_restore", "--no-owner", f"--dbname={restored}"], input=dump.stdout, check=True
    )
    with psycopg.connect(restored, autocommit=True) as somebody:
        kept = somebody.execute("SELECT count(*) FROM txsite_change").fetchone()
        somebody.execute(
            "UPDATE transactions_label SET colour = 'red' WHERE name LIKE 'writer 0:%'"
        )
        after = revision_of(somebody)
    stage.execute(server, "DROP DATABASE restored")
    print(f"Dumped at {before:,} and restored: the next change is {after:,}", flush=True)
    if after != before + 1 or kept != records:
        return [f"after the restoration: {after} after {before}, {kept} of {records} records"]
    return []


# --- What it costs -------------------------------------------------------------------------------


def switch(connection: psycopg.Connection, on: bool) -> None:
    """All triggers that record changes, on all tables."""
    word = "ENABLE" if on else "DISABLE"
    for (table,) in connection.execute(
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname = ANY(%s)",
        [list(TRIGGERS)],
    ).fetchall():
        for trigger in TRIGGERS:
            connection.execute(f"ALTER TABLE {table} {word} TRIGGER {trigger}")


def cost_of_a_write(url: str, plan: Plan) -> None:
    """The same update and commit with the triggers and without, by turns."""
    times: dict[bool, list[float]] = {True: [], False: []}
    with psycopg.connect(url, autocommit=True) as mine:
        for turn in range(2 * ROUNDS):
            is_on = turn % 2 == 0
            switch(mine, is_on)
            for number in range(WRITES):
                start = time.perf_counter()
                mine.execute(
                    "UPDATE transactions_transaction SET note = %s WHERE id = %s",
                    [f"{turn} {number}", plan.edited[0]],
                )
                times[is_on].append(1000 * (time.perf_counter() - start))
        switch(mine, True)
    with_, without = median(times[True]), median(times[False])
    print(
        f"One update and its commit ({ROUNDS} turns of {WRITES}): median {with_:.2f} ms numbered, "
        f"{without:.2f} ms not, {with_ - without:.2f} ms more",
        flush=True,
    )


def cost_of_an_import(server: stage.Postgres, lines: int, turns: int) -> None:
    """The same explorer file into a fresh ledger with the triggers and without, by turns."""
    folder = server.server.folder
    path = folder / "export.csv"
    path.write_text(HEADER + "".join(explorer_line(number) for number in range(lines)))
    times: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * turns):
        is_on = turn % 2 == 0
        with stage.fresh_database(server, "imported") as url:
            with psycopg.connect(url, autocommit=True) as somebody:
                switch(somebody, is_on)
            start = time.monotonic()
            subprocess.run(
                [
                    *(sys.executable, str(stage.ROOT / "manage.py"), "import_transactions"),
                    *(str(path), "--network", "ethereum", "--wallet", OWN),
                ],
                env=stage.surroundings(url),
                check=True,
                capture_output=True,
            )
            times[is_on].append(time.monotonic() - start)
    with_, without = median(times[True]), median(times[False])
    print(
        f"{lines:,} explorer lines ({turns} turns each): {told_times(times[True])} numbered, "
        f"{told_times(times[False])} not; medians {with_:.1f} s and {without:.1f} s, "
        f"{1000 * (with_ - without):+.0f} ms ({with_ / without - 1:+.1%})",
        flush=True,
    )


def told_times(times: list[float]) -> str:
    return ", ".join(f"{seconds:.1f} s" for seconds in times)


def explorer_line(number: int) -> str:
    random = Random(number)
    other = f"0x{random.randrange(5_000):040x}"
    is_out = number % 2
    sender, receiver = (OWN, other) if is_out else (other, OWN)
    value = f"{random.random():.18f}"
    seconds = 1_600_000_000 + 60 * number
    amounts = ("0", value) if is_out else (value, "0")
    cells = (
        f"0x{random.getrandbits(256):064x}",
        str(10_000_000 + number),
        str(seconds),
        f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}",
        sender,
        receiver,
        "",
        *amounts,
        "0",
        "0.00042",
        "0.5",
        "300",
        "",
        "",
        "Transfer",
    )
    return ",".join(f'"{cell}"' for cell in cells) + "\n"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
