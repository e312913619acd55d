#!/usr/bin/env python3
"""What an import of many lines costs: seconds and memory, beside the same rows by `bulk_create`,
and how long somebody who edits labels meanwhile waits."""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

TESTS = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:1] = [str(TESTS), str(TESTS.parent)]

import psutil  # type: ignore[import-untyped]  # noqa: E402
import psycopg  # noqa: E402

from prover import stage  # noqa: E402
from prover.revisions import HEADER, OWN, explorer_line  # noqa: E402
from txsite import postgres  # noqa: E402

# The same rows as people would write them with the ORM: objects, in batches, nothing merged.
BULK_CREATE = """
import csv, sys, time
from datetime import UTC, datetime
from decimal import Decimal
import django
django.setup()
from django.db import transaction
from contacts.models import Address
from transactions.models import Asset, Entry, Transaction, Wallet
began = time.monotonic()
with transaction.atomic():
    rows = list(csv.DictReader(open(sys.argv[1])))
    own = sys.argv[2]
    names = {row[side] for row in rows for side in ("From", "To")}
    Address.objects.bulk_create([Address(family="evm", value=name) for name in names])
    addresses = {one.value: one for one in Address.objects.all()}
    wallet = Wallet.objects.create(kind="address", address=addresses[own])
    asset = Asset.objects.create(kind="native", network="ethereum", symbol="ETH")
    made = Transaction.objects.bulk_create([
        Transaction(
            network="ethereum", txid=row["Transaction Hash"], block=int(row["Blockno"]),
            timestamp=datetime.fromtimestamp(int(row["UnixTimestamp"]), UTC), type="send",
            method=row["Method"],
        ) for row in rows
    ], batch_size=1000)
    entries = []
    for one, row in zip(made, rows):
        is_out = row["From"] == own
        amount = Decimal(row["Value_OUT(ETH)"] if is_out else row["Value_IN(ETH)"])
        other = addresses[row["To"] if is_out else row["From"]]
        fields = {"transaction": one, "timestamp": one.timestamp, "wallet": wallet, "asset": asset}
        entries.append(Entry(**fields, amount=-amount if is_out else amount, counterparty=other,
                             kind="transfer", ordinal=0))
        if is_out:
            entries.append(Entry(**fields, amount=-Decimal(row["TxnFee(ETH)"]), kind="fee",
                                 ordinal=0))
    Entry.objects.bulk_create(entries, batch_size=1000)
print(time.monotonic() - began)
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="prove imports", description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args(arguments)
    with stage.postgres_server() as server, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "export.csv"
        with file.open("w") as out:
            out.write(HEADER)
            out.writelines(explorer_line(number) for number in range(options.lines))
        stage.make_template(server)
        # The prover's own triggers, a call for every entry, are no part of the site.
        stage.execute(server, "DROP FUNCTION audit() CASCADE", stage.TEMPLATE)
        ours, theirs = [], []
        for turn in range(options.turns):
            ours.append(import_once(server, f"ours_{turn}", file, "import"))
            print(f"  by COPY: {ours[-1]:.1f} s", flush=True)
            theirs.append(bulk_create(server, f"theirs_{turn}", file))
            print(f"  by bulk_create: {theirs[-1]:.1f} s", flush=True)
        import_once(server, "tried", file, "dry run")
        ratio = median(theirs) / median(ours)
        print(f"{options.lines:,} lines: {median(ours):.1f} s, {ratio:.1f} times as quick")
    return 0


def import_once(server: stage.Postgres, name: str, file: Path, what: str) -> float:
    with stage.fresh_database(server, name) as url, edits(url) as waits:
        extra = ["--dry-run"] if what == "dry run" else []
        command = [
            sys.executable,
            str(TESTS.parent / "manage.py"),
            "import_transactions",
            str(file),
        ]
        command += ["--network", "ethereum", "--wallet", OWN, *extra]
        began = time.monotonic()
        process = psutil.Popen(command, env=stage.surroundings(url), stdout=subprocess.DEVNULL)
        most = 0
        while process.poll() is None:
            try:
                most = max(most, process.memory_info().rss)
            except psutil.Error:
                break
            time.sleep(0.02)
        seconds = time.monotonic() - began
        assert process.wait() == 0
    spread = quantiles(waits, n=100) if len(waits) > 1 else [0.0] * 99
    print(
        f"{what}: {seconds:.1f} s with the process's start, {most / 2**20:.0f} MB at most; "
        f"{len(waits)} label edits meanwhile: median {1000 * median(waits):.1f} ms, "
        f"99 of 100 within {1000 * spread[98]:.1f} ms, worst {1000 * max(waits):.1f} ms",
        flush=True,
    )
    return seconds


def bulk_create(server: stage.Postgres, name: str, file: Path) -> float:
    with stage.fresh_database(server, name) as url:
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-c", BULK_CREATE, str(file), OWN],
            env=stage.surroundings(url),
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return time.monotonic() - began


@contextmanager
def edits(url: str) -> Iterator[list[float]]:
    """Somebody who puts a label on a transaction and takes it off, every 20 ms."""
    waits: list[float] = []
    over = threading.Event()

    def edit() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            [pk] = connection.execute(
                "SELECT min(id) FROM transactions_transaction"
            ).fetchone() or [None]
            [label] = connection.execute("SELECT min(id) FROM transactions_label").fetchone() or [0]
            connection.execute(
                "DELETE FROM transactions_transactionlabel WHERE transaction_id = %s", [pk]
            )
            while not over.wait(0.02):
                for statement in (
                    "INSERT INTO transactions_transactionlabel (transaction_id, label_id)"
                    " VALUES (%s, %s)",
                    "DELETE FROM transactions_transactionlabel"
                    " WHERE transaction_id = %s AND label_id = %s",
                ):
                    began = time.monotonic()
                    connection.execute(statement, [pk, label])
                    waits.append(time.monotonic() - began)

    thread = threading.Thread(target=edit)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (postgres.CannotServe, stage.CannotStart) as problem:
        sys.exit(str(problem))
