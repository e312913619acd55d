"""PostgreSQL, the web servers and the connection between them, all on loopback."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]
import psycopg

from prover.ledger import TESTS, Plan
from txsite import postgres
from txsite.postgres.account import server_account
from txsite.postgres.binaries import find_binaries
from txsite.postgres.data import data_version

ROOT = TESTS.parent
TEMPLATE = "prover_template"
WORKERS, THREADS = 3, 4
START_SECONDS = 60


class CannotStart(Exception):
    """A server does not start; the text says why."""


class Postgres:
    """A durable server of our own, which can be stopped in the middle and started again."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)  # for root, whose server is another user's
        self.server = postgres.Server(folder, folder / "socket")
        self.lock = postgres.join(self.server)

    def url(self, database: str) -> str:
        return self.server.url(database)

    @property
    def psql(self) -> Path:
        data = self.server.data
        account = server_account(data)
        return find_binaries(data, data_version(data), account) / "psql"

    @property
    def socket_path(self) -> str:
        return str(self.server.socket / f".s.PGSQL.{postgres.PORT}")

    @property
    def postmaster(self) -> psutil.Process:
        return psutil.Process(int((self.server.data / "postmaster.pid").read_text().split()[0]))

    def restart(self, how: signal.Signals) -> None:
        """Fast is SIGINT; immediate, as in a crash, is SIGQUIT."""
        postmaster = self.postmaster
        supervisor = postmaster.parent()
        postmaster.send_signal(how)
        psutil.wait_procs([supervisor])
        before, self.lock = self.lock, postgres.join(self.server)
        os.close(before)

    def close(self) -> None:
        os.close(self.lock)
        postgres.wait_until_left(self.server)
        shutil.rmtree(self.server.data, ignore_errors=True)


@contextlib.contextmanager
def postgres_server() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="txsite-prover-", dir=postgres.TEMP_DIR) as folder:
        server = Postgres(Path(folder))
        try:
            yield server
        finally:
            server.close()


def make_template(server: Postgres) -> Plan:
    """The ledger as each run finds it."""
    execute(server, f"CREATE DATABASE {TEMPLATE}")
    environment = surroundings(server.url(TEMPLATE))
    manage = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity=0"]
    subprocess.run(manage, env=environment, check=True)
    script = [sys.executable, "-m", "prover.ledger"]
    made = subprocess.run(script, env=environment, check=True, capture_output=True, text=True)
    return Plan(**json.loads(made.stdout))


@contextlib.contextmanager
def fresh_database(server: Postgres, name: str) -> Iterator[str]:
    """A copy of the template; yields its URL."""
    execute(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    try:
        yield server.url(name)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(server: Postgres, statement: str, database: str = "postgres") -> None:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        connection.execute(statement)


def surroundings(database_url: str, control: str = "") -> dict[str, str]:
    """The environment of the site's processes."""
    return os.environ | {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "prover.settings",
        "PYTHONPATH": f"{TESTS}:{ROOT}",
        "SECRET_KEY": "for the prover only",
        "DEBUG": "0",
        "HTTPS": "0",
        "PROVER_CONTROL": control,
    }


class Site:
    """A web server with several workers, on a listening socket of ours, which outlives it."""

    def __init__(self, kind: str, database_url: str, control: str, log: Path) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self.listener.getsockname()[1]
        descriptor = self.listener.fileno()
        self.log = log.open("ab")
        command = {"gunicorn": gunicorn, "uwsgi": uwsgi}[kind](descriptor)
        self.process = psutil.Popen(
            command,
            pass_fds=[descriptor],
            cwd=TESTS,
            env=surroundings(database_url, control),
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        try:
            self.wait_for_answer()
        except BaseException:
            self.close()
            raise

    def wait_for_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while len(self.workers) < WORKERS or not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(f"The web server did not start: see {self.log.name}")
            time.sleep(0.1)

    def answers(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 5) as asker,
        ):
            asker.settimeout(5)
            asker.sendall(b"GET /login/ HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return b" 200 " in asker.recv(100)
        return False

    @property
    def workers(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return self.process.children()
        return []

    def close(self) -> None:
        family = [self.process, *self.process.children(recursive=True)]
        self.process.terminate()
        for survivor in psutil.wait_procs(family, timeout=20)[1]:
            survivor.kill()
        self.listener.close()
        self.log.close()


def gunicorn(descriptor: int) -> list[str]:
    """As docs/deployment.md has it."""
    return [
        *(sys.executable, "-m", "gunicorn", "prover.site:application"),
        *(f"--workers={WORKERS}", f"--threads={THREADS}", f"--bind=fd://{descriptor}"),
        *("--no-control-socket", "--log-level=warning", "--timeout=15"),
    ]


def uwsgi(descriptor: int) -> list[str]:
    program = shutil.which("uwsgi", path=str(Path(sys.executable).parent)) or shutil.which("uwsgi")
    if program is None:
        raise CannotStart("uWSGI is not there: pip install -r requirements-dev.txt")
    return [
        *(program, "--module=prover.site:application", f"--http-socket=fd://{descriptor}"),
        *("--master", "--need-app", "--die-on-term", "--disable-logging", "--enable-threads"),
        *(f"--processes={WORKERS}", f"--threads={THREADS}", "--harakiri=15"),
        *(f"--virtualenv={sys.prefix}", f"--pythonpath={TESTS}", f"--pythonpath={ROOT}"),
    ]


class Proxy:
    """The way from the web servers to PostgreSQL, over TCP, so that it can be cut."""

    def __init__(self, server: Postgres) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
            script = [sys.executable, str(Path(__file__).with_name("proxy.py"))]
            self.process = subprocess.Popen(
                [*script, str(listener.fileno()), server.socket_path],
                pass_fds=[listener.fileno()],
            )

    def url(self, database: str) -> str:
        return f"postgres://{postgres.USER}@127.0.0.1:{self.port}/{quote(database)}"

    def cut(self) -> None:
        self.process.send_signal(signal.SIGUSR1)

    def heal(self) -> None:
        self.process.send_signal(signal.SIGUSR2)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
