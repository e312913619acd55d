"""The databases and the gunicorn processes of the experiments, all on loopback or Unix sockets."""

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import psycopg
import pymysql  # type: ignore[import-untyped]
from psycopg.conninfo import conninfo_to_dict, make_conninfo

TESTS = Path(__file__).resolve().parent.parent
START_SECONDS = 60
CREATE_TABLE = (
    "CREATE TABLE transactions (id integer PRIMARY KEY, network varchar(20) NOT NULL, "
    "label varchar(20) NOT NULL, note varchar(20) NOT NULL)"
)
INSERT = "INSERT INTO transactions VALUES ({}, 'ethereum', 'OLD', '')"
ROWS = 20


class CannotStart(Exception):
    """A server of the experiments does not start; the text says why and what to do."""


# --- Databases -----------------------------------------------------------------------------------


class Database:
    """One database at one isolation level. `outside` is a client that is not the app."""

    # How many other transactions are open in it; None where the database cannot say.
    count_open: str | None = None

    def __init__(self, name: str, app_url: str, version: str, outside: Any) -> None:
        self.name = name
        self.app_url = app_url
        self.version = version
        self.outside = outside

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs the statements in one transaction, commits, and returns the last one's rows."""
        cursor = self.outside.cursor()
        for statement in statements:
            cursor.execute(statement)
        rows = list(cursor.fetchall()) if cursor.description else []
        self.outside.commit()
        return rows

    def reset(self) -> None:
        """Twenty rows, all labelled OLD."""
        self.execute("DELETE FROM transactions", *map(INSERT.format, range(1, ROWS + 1)))

    def commit_change(self) -> None:
        """What the page is to show: another label in row 1, and one row more."""
        self.execute("UPDATE transactions SET label = 'NEW' WHERE id = 1", INSERT.format(ROWS + 1))

    def committed_label(self) -> str:
        return str(self.execute("SELECT label FROM transactions WHERE id = 1")[0][0])

    def open_transactions(self) -> int | None:
        return int(self.execute(self.count_open)[0][0]) if self.count_open else None


class PostgreSQL(Database):
    count_open = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
    )


class MariaDB(Database):
    count_open = (
        "SELECT count(*) FROM information_schema.innodb_trx "
        "WHERE trx_mysql_thread_id <> connection_id() AND trx_mysql_thread_id IN "
        "(SELECT id FROM information_schema.processlist WHERE db = database())"
    )


@contextlib.contextmanager
def sqlite() -> Iterator[list[Database]]:
    """As Python's sqlite3 ships it; who meets a lock gives up soon."""
    with tempfile.TemporaryDirectory(prefix="txsite-diagnosis-") as folder:
        path = Path(folder) / "ledger.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as outside:
            outside.execute(CREATE_TABLE)
            version = f"SQLite {sqlite3.sqlite_version}, default settings of Python's sqlite3"
            yield [Database("SQLite", f"sqlite:///{path}?timeout=0.2", version, outside)]


@contextlib.contextmanager
def postgresql(url: str) -> Iterator[list[Database]]:
    """A database of our own on that server, dropped at the end."""
    name = f"diagnosis_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as server:
        try:
            server.execute(f"CREATE DATABASE {name}")
        except psycopg.errors.InsufficientPrivilege:
            raise CannotStart(
                "The user of DATABASE_URL may not make a database: give CREATEDB to it, or unset "
                "DATABASE_URL for a throw-away server."
            ) from None
        version = str(server.info.parameter_status("server_version")).partition(" ")[0]
        default = server.execute("SHOW default_transaction_isolation").fetchone()
        try:
            with psycopg.connect(url, dbname=name) as outside:
                outside.execute(CREATE_TABLE)
                outside.commit()
                yield [
                    PostgreSQL(
                        engine,
                        postgresql_app_url(make_conninfo(url, dbname=name), level),
                        f"PostgreSQL {version}, {level}"
                        + (" (its default)" if default == (level.lower(),) else ""),
                        outside,
                    )
                    for engine, level in (
                        ("PG-RC", "READ COMMITTED"),
                        ("PG-RR", "REPEATABLE READ"),
                    )
                ]
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def postgresql_app_url(conninfo: str, level: str) -> str:
    """The level is the connection's default, so that the app says nothing of it."""
    options = "-c default_transaction_isolation=" + level.lower().replace(" ", "\\ ")
    given = {**conninfo_to_dict(conninfo), "options": options}
    return "postgresql+psycopg:///?" + urlencode(given, quote_via=quote)


@contextlib.contextmanager
def mariadb(url: str) -> Iterator[list[Database]]:
    """A database of our own on that server (mysql://USER:PASSWORD@HOST:PORT/?unix_socket=PATH),
    dropped at the end."""
    name = f"diagnosis_{secrets.token_hex(6)}"
    try:
        connection = pymysql.connect(**mariadb_arguments(url))
    except pymysql.err.OperationalError as error:
        raise CannotStart(f"The MariaDB of --mariadb does not let us in: {error.args[1]}") from None
    with contextlib.closing(connection) as outside:
        cursor = outside.cursor()
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            cursor.execute(f"USE {name}")
            cursor.execute(CREATE_TABLE + " ENGINE=InnoDB")
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            server, default = mariadb_version(cursor)
            yield [
                MariaDB(
                    engine,
                    mariadb_app_url(url, name, level),
                    f"{server}, {level}" + (" (its default)" if default == level else ""),
                    outside,
                )
                for engine, level in (("MY-RC", "READ COMMITTED"), ("MY-RR", "REPEATABLE READ"))
            ]
        finally:
            end_connections(cursor)
            cursor.execute(f"DROP DATABASE {name}")


def end_connections(cursor: Any) -> None:
    """Those of others to our database: their open transactions would keep it from being dropped."""
    cursor.execute(
        "SELECT id FROM information_schema.processlist "
        "WHERE db = database() AND id <> connection_id()"
    )
    for (connection,) in cursor.fetchall():
        with contextlib.suppress(pymysql.err.OperationalError):  # gone meanwhile
            cursor.execute(f"KILL {connection}")


def mariadb_version(cursor: Any) -> tuple[str, str]:
    """Name and version of the server, and its isolation level where nobody chooses one."""
    cursor.execute("SELECT version()")
    version = cursor.fetchone()[0]
    # The variable's name depends on the version.
    cursor.execute("SHOW GLOBAL VARIABLES LIKE 't%_isolation'")
    level = cursor.fetchone()[1].replace("-", " ")
    return f"{'MariaDB' if 'MariaDB' in version else 'MySQL'} {version.partition('-')[0]}", level


def mariadb_arguments(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    arguments: dict[str, Any] = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username and unquote(parts.username),
        "password": parts.password and unquote(parts.password),
    }
    query = dict(part.split("=", 1) for part in parts.query.split("&") if part)
    arguments |= {key: unquote(value) for key, value in query.items()}
    return {key: value for key, value in arguments.items() if value}


def mariadb_app_url(url: str, name: str, level: str) -> str:
    parts = urlsplit(url)
    setting = quote(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
    query = "&".join(filter(None, [parts.query, f"init_command={setting}"]))
    return f"mysql+pymysql://{parts.netloc}/{name}?{query}"


@contextlib.contextmanager
def throw_away_mariadb() -> Iterator[str]:
    """Starts the MariaDB that is on PATH on a private socket, and yields its URL."""
    with tempfile.TemporaryDirectory(prefix="txsite-mariadb-") as folder:
        data, path = f"{folder}/data", f"{folder}/socket"
        account = ["--user=root"] if os.geteuid() == 0 else []
        made = subprocess.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={data}",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
                *account,
            ],
            capture_output=True,
            text=True,
        )
        if made.returncode != 0:
            raise CannotStart(f"MariaDB could not make its data: {made.stderr or made.stdout}")
        with open(f"{folder}/log", "w") as log:
            server = subprocess.Popen(
                [
                    "mariadbd",
                    "--no-defaults",
                    f"--datadir={data}",
                    f"--socket={path}",
                    "--skip-networking",
                    "--skip-grant-tables",
                    *account,
                ],
                stdout=log,
                stderr=log,
            )
        try:
            url = f"mysql://root@/?unix_socket={quote(path, safe='')}"
            wait_for_mariadb(url, server, Path(folder, "log"))
            yield url
        finally:
            server.terminate()
            server.wait()


def wait_for_mariadb(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            pymysql.connect(**mariadb_arguments(url)).close()
            return
        except pymysql.err.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(f"MariaDB did not start:\n{log.read_text()}") from None
            time.sleep(0.1)


def has_mariadb() -> bool:
    return bool(shutil.which("mariadbd") and shutil.which("mariadb-install-db"))


# --- gunicorn ------------------------------------------------------------------------------------


class Server:
    """A gunicorn master with one worker, on a port of its own.

    The listening socket is ours, so that a request waits for a worker that is not there yet.
    """

    def __init__(self, *options: str) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.log = tempfile.TemporaryFile("a+")  # noqa: SIM115 - closed with the server
        self.worker: int | None = None
        descriptor = self.listener.fileno()
        command = ["gunicorn", "diagnosis.stage:application", f"--bind=fd://{descriptor}"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command, "--preload", "--no-control-socket", *options],
            pass_fds=[descriptor],
            cwd=TESTS,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdout=self.log,
            stderr=self.log,
        )

    def renew(self) -> None:
        """Ends the worker where it has served; the master forks a fresh one, which no app knows."""
        if self.worker:
            os.kill(self.worker, signal.SIGKILL)
            self.worker = None

    def last_words(self) -> str:
        """The last error in the server's log, if any."""
        self.log.seek(0)
        errors = re.findall(r"^\w[\w.]*(?:Error|Exception)\b.*", self.log.read(), re.MULTILINE)
        return "".join(errors[-1:])

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.listener.close()
        self.log.close()


@contextlib.contextmanager
def web_servers() -> Iterator[dict[str, Server]]:
    """Two workers with one thread each, A and B, and a worker with two threads."""
    with contextlib.ExitStack() as stack:
        servers = {}
        for name, options in (("A", ()), ("B", ()), ("threads", ("--threads=2",))):
            servers[name] = Server(*options)
            stack.callback(servers[name].close)
        yield servers
