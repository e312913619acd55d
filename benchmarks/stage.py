"""What a benchmark runs on: PostgreSQL with the ledger, and a web server for each peer."""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg

from txsite import postgres

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
START_SECONDS = 60
SEED = 1
TICKS = os.sysconf("SC_CLK_TCK")

# What would be best for single cases: on the limit's copy of the ledger alone.
IDEAL_INDEXES = """
    CREATE INDEX IF NOT EXISTS ideal_wallet_asset ON transactions_entry
        (wallet_id, asset_id, timestamp, transaction_id);
    CREATE INDEX IF NOT EXISTS ideal_amount ON transactions_entry (asset_id, abs(amount))
        WHERE kind = 'transfer';
    CREATE INDEX IF NOT EXISTS ideal_asset_amount ON transactions_entry
        (asset_id, kind, transaction_id, amount);
    CREATE INDEX IF NOT EXISTS ideal_contact ON transactions_transaction
        (contact_id, timestamp, id);
    CREATE INDEX IF NOT EXISTS ideal_type ON transactions_transaction
        (type, timestamp, id);
    CREATE INDEX IF NOT EXISTS ideal_status ON transactions_transaction
        (status, timestamp, id);
    CREATE INDEX IF NOT EXISTS ideal_note ON transactions_transaction (lower(left(note, 100)), id);
    CREATE INDEX IF NOT EXISTS ideal_txid ON transactions_transaction (txid text_pattern_ops);
"""
# Where PostgreSQL's contributed modules are installed.
IDEAL_WORDS = """
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX IF NOT EXISTS ideal_note_words ON transactions_transaction
        USING gin (note gin_trgm_ops) WHERE note <> '';
    CREATE INDEX IF NOT EXISTS ideal_address ON contacts_address USING gin (value gin_trgm_ops);
"""


class Postgres:
    """A durable server; its data stays where `keep` names a folder."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)  # for root, whose server is another user's
        self.server = postgres.server_in(folder)
        self.lock = postgres.join(self.server)
        self.postmaster = psutil.Process(
            int((self.server.data / "postmaster.pid").read_text().split()[0])
        )

    def url(self, database: str) -> str:
        return self.server.url(database)

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def has(self, database: str) -> bool:
        with psycopg.connect(self.url("postgres")) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [database])
            return found.fetchone() is not None

    def cpu(self) -> float:
        """CPU seconds of all backends, those that have ended too."""
        ended = float(self.postmaster.cpu_times().children_user)
        ended += float(self.postmaster.cpu_times().children_system)
        return ended + sum(cpu_of(child.pid) for child in self.postmaster.children())

    def close(self) -> None:
        os.close(self.lock)
        postgres.wait_until_left(self.server)


@contextlib.contextmanager
def postgres_server(keep: Path | None) -> Iterator[Postgres]:
    folder = keep or Path(tempfile.mkdtemp(prefix="txsite-bench-", dir=postgres.TEMP_DIR))
    folder.mkdir(parents=True, exist_ok=True)
    server = Postgres(folder.resolve())
    try:
        yield server
    finally:
        server.close()
        if keep is None:
            shutil.rmtree(server.server.data, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)


def cpu_of(pid: int) -> float:
    """CPU seconds of a process: to the nanosecond where the kernel tells them."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e9
    except (OSError, ValueError, IndexError):
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(pid).cpu_times()
            return float(times.user + times.system)
    return 0.0


# --- The ledger ----------------------------------------------------------------------------------


def surroundings(database_url: str, **more: str) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "benchmarks.peers.us_settings",
        "PYTHONPATH": str(ROOT),
        "SECRET_KEY": "for benchmarks only",
        "DEBUG": "0",
        "HTTPS": "0",
        **more,
    }


def manage(database_url: str, *arguments: str) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    subprocess.run(command, env=surroundings(database_url), check=True, stdout=subprocess.DEVNULL)


def make_ledger(server: Postgres, count: int) -> str:
    """Makes our ledger, unless it is there; returns the name of the database."""
    makers = [ROOT / "transactions/management/commands/make_ledger.py"]
    makers += sorted(ROOT.glob("*/migrations/*.py"))
    made_by = hashlib.sha256(b"".join(one.read_bytes() for one in makers)).hexdigest()[:8]
    ours = f"ledger_{count}_{made_by}"
    if not server.has(ours):
        server.execute("DROP DATABASE IF EXISTS being_made")
        server.execute("CREATE DATABASE being_made")
        url = server.url("being_made")
        manage(url, "migrate", "--verbosity=0")
        began = time.monotonic()
        manage(url, "make_ledger", f"--transactions={count}", f"--seed={SEED}")
        print(f"make_ledger: {time.monotonic() - began:.1f} s", flush=True)
        manage(url, "shell", "--no-imports", "--command", MAKE_USERS)
        server.execute("VACUUM (ANALYZE)", "being_made")
        server.execute(f"ALTER DATABASE being_made RENAME TO {ours}")
    server.execute("CHECKPOINT")
    return ours


def make_ideal(server: Postgres, ours: str) -> str:
    """The limit's copy of the ledger, with indexes that are the best for single cases."""
    ideal = f"{ours}_ideal"
    if not server.has(ideal):
        server.execute(f"CREATE DATABASE {ideal} TEMPLATE {ours}")
        server.execute(IDEAL_INDEXES, ideal)
        with contextlib.suppress(psycopg.errors.FeatureNotSupported):
            server.execute(IDEAL_WORDS, ideal)
        server.execute("VACUUM (ANALYZE)", ideal)
    server.execute("CHECKPOINT")
    return ideal


USER, PASSWORD = "bench", "for benchmarks only"
MAKE_USERS = f"""
from django.contrib.auth.models import Group, User
user = User.objects.create_user({USER!r}, password={PASSWORD!r})
user.groups.set(Group.objects.filter(name="Editors"))
User.objects.create_superuser("admin", password={PASSWORD!r})
"""


# The same rows for Datasette, with the same columns and the usual indexes.
SQLITE = {
    "contacts_contact": ("id, name, note", ()),
    "contacts_address": ("id, family, value, contact_id", ("value", "contact_id")),
    "transactions_wallet": ("id, kind, name, address_id, venue", ()),
    "transactions_asset": ("id, kind, network, code, symbol, name", ("symbol",)),
    "transactions_label": ("id, name, colour, description", ("name",)),
    "transactions_transaction": (
        "id, timestamp, type, status, network, txid, source_wallet_id, external_id, method, block, "
        "contact_id, note",
        ("timestamp", "type", "status", "txid", "contact_id"),
    ),
    "transactions_entry": (
        "id, transaction_id, timestamp, wallet_id, asset_id, amount, kind, counterparty_id",
        ("transaction_id", "wallet_id", "asset_id", "counterparty_id"),
    ),
    "transactions_transactionlabel": (
        "id, transaction_id, label_id",
        ("transaction_id", "label_id"),
    ),
}
REFERENCES = {
    "contact_id": "contacts_contact",
    "address_id": "contacts_address",
    "counterparty_id": "contacts_address",
    "wallet_id": "transactions_wallet",
    "source_wallet_id": "transactions_wallet",
    "asset_id": "transactions_asset",
    "transaction_id": "transactions_transaction",
    "label_id": "transactions_label",
}


def make_sqlite(url: str, file: Path) -> Path:
    """The ledger as an SQLite file: times as text in UTC, amounts as exact text."""
    if file.exists():
        return file
    making = file.with_suffix(".making")
    making.unlink(missing_ok=True)
    with psycopg.connect(url) as source, contextlib.closing(sqlite3.connect(making)) as target:
        for table, (columns, indexed) in SQLITE.items():
            names = columns.split(", ")
            target.execute(f"CREATE TABLE {table} ({', '.join(map(declared, names))})")
            selected = [
                "to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
                if name == "timestamp"
                else "trim_scale(amount)::text"
                if name == "amount"
                else name
                for name in names
            ]
            places = ", ".join("?" * len(names))
            with source.cursor(name="rows") as rows:
                rows.itersize = 20_000
                rows.execute(f"SELECT {', '.join(selected)} FROM {table} ORDER BY id")
                target.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
            for name in indexed:
                target.execute(f"CREATE INDEX {table}_{name} ON {table} ({name})")
        target.execute("ANALYZE")
        target.commit()
    return making.rename(file)


def declared(name: str) -> str:
    if name == "id":
        return "id INTEGER PRIMARY KEY"
    if name in REFERENCES:
        return f"{name} INTEGER REFERENCES {REFERENCES[name]} (id)"
    return f"{name} INTEGER" if name == "block" else f"{name} TEXT"


# --- Web servers ---------------------------------------------------------------------------------


class Site:
    """A peer's web server. It stays up for the whole run."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path):
        self.name = name
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self.listener.getsockname()[1]
        self.log = log
        descriptor = self.listener.fileno()
        if "PORT" in command:  # it opens its socket itself
            self.listener.close()
        with log.open("ab") as out:
            self.process = psutil.Popen(
                [fill(part, descriptor, self.port, environment) for part in command],
                pass_fds=[] if "PORT" in command else [descriptor],
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=out,
            )

    def wait(self, path: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers(path):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def answers(self, path: str) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 5) as asker,
        ):
            asker.settimeout(20)
            asker.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            return asker.recv(12).startswith(b"HTTP/")
        return False

    def cpu(self) -> float:
        family = [self.process, *self.process.children(recursive=True)]
        return sum(cpu_of(one.pid) for one in family)

    def close(self) -> None:
        family = [self.process, *self.process.children(recursive=True)]
        self.process.terminate()
        for survivor in psutil.wait_procs(family, timeout=10)[1]:
            survivor.kill()
        self.listener.close()


def fill(part: str, descriptor: int, port: int, environment: dict[str, str]) -> str:
    whole = {"PORT": str(port), "SQLITE": environment["DATABASE_URL"]}
    return whole.get(part, part.replace("FD", str(descriptor)))


def gunicorn(module: str) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", f"benchmarks.peers.{module}:application"),
        *(f"--workers={WORKERS}", "--bind=fd://FD", "--no-control-socket"),
        *("--log-level=warning", "--timeout=1200"),
    ]


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content, indent=1, default=str))
    return path
