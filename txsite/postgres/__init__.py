"""The private PostgreSQL server that is used when no DATABASE_URL names another one.

It listens on a Unix socket only and lives as long as somebody uses it: every user holds a shared
lock on `users.lock`, and a supervisor waits for the exclusive one, which the kernel grants however
the users died. Standard library only, since `dev.py` needs it before anything is installed.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from txsite.postgres import supervisor
from txsite.postgres.account import (
    Account,
    CannotServe,
    can_enter,
    run_as,
    server_account,
    user_name,
)
from txsite.postgres.binaries import SHARED_DIR, find_binaries
from txsite.postgres.data import USER, clear_remains, create_data, data_version, is_accepting

VAR_DIR = Path(__file__).resolve().parent.parent.parent / "var"
# Not TMPDIR, which two terminals may set differently: both have to find the same socket.
TEMP_DIR = Path("/tmp") if os.access("/tmp", os.W_OK) else Path(tempfile.gettempdir())  # noqa: S108
PORT = "5432"  # a part of the socket's name only
# Recovery after a crash may take a while; a server that has failed is noticed at once.
START_SECONDS = 120


@dataclass(frozen=True)
class Server:
    """One private server: `folder` holds its locks, its log and, where reachable, its data."""

    folder: Path
    socket: Path
    throw_away: bool = False

    @property
    def data(self) -> Path:
        choice = self.folder / "data_path"
        return Path(choice.read_text().strip()) if choice.exists() else self.folder / "pg"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def url(self, database: str = "postgres") -> str:
        return f"postgres://{USER}@{quote(str(self.socket), safe='')}:{PORT}/{database}"


def server_in(folder: Path) -> Server:
    """The lasting server of `folder`. Its socket has a short path, since 107 bytes are the most."""
    return Server(folder, TEMP_DIR / f"txsite-{path_hash(folder)}")


def path_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def embedded_database() -> dict[str, str]:
    """Django's settings for the project's private server. Starts nothing: see `join_embedded`."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": USER,
        "HOST": str(server_in(VAR_DIR).socket),
        "PORT": PORT,
    }


def join_embedded() -> int:
    """Uses the project's private server from now until this process ends; see `join`."""
    return join(server_in(VAR_DIR))


def throw_away_server(database: str = "postgres") -> str:
    """Starts an empty server for this process alone and returns its DATABASE_URL.

    It goes with the process, data and all, and trades durability for speed. Its only database is
    `postgres`; another one is the caller's to make.
    """
    folder = Path(tempfile.mkdtemp(prefix="txsite-test-", dir=TEMP_DIR))
    server = Server(folder, folder / "socket", throw_away=True)
    try:
        join(server)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return server.url(database)


# --- Joining and leaving -------------------------------------------------------------------------


def join(server: Server) -> int:
    """Uses `server`, starting it if nobody did yet, until this process ends.

    Returns the descriptor of the lock: closing it leaves earlier. Raises CannotServe.
    """
    try:
        server.folder.mkdir(parents=True, exist_ok=True)
        with lock_file(server.folder / "starting.lock") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            return share(server)
    except OSError as error:
        raise CannotServe(
            f"The private PostgreSQL cannot use {error.filename or server.folder} "
            f"({error.strerror}): let {user_name(os.geteuid())} read and write it, "
            "or set DATABASE_URL to a server that you have."
        ) from error


def share(server: Server) -> int:
    users = open_lock(server.folder / "users.lock")
    try:
        # Waits while a supervisor, which has the exclusive lock then, shuts down.
        fcntl.flock(users, fcntl.LOCK_SH)
        if not is_ready(server):
            start(server)
    except BaseException:
        os.close(users)
        raise
    return users


def wait_until_left(server: Server) -> None:
    """Returns once the server has stopped, or at once where somebody else still uses it."""
    while is_supervised(server):
        with lock_file(server.folder / "users.lock") as users:
            if try_lock(users, fcntl.LOCK_SH) and not try_lock(users, fcntl.LOCK_EX):
                return
        time.sleep(0.02)


def is_ready(server: Server) -> bool:
    """Waits for a server that is starting; false where none is, or it has failed."""
    deadline = time.monotonic() + START_SECONDS
    while is_supervised(server):
        if is_accepting(server.data):
            return True
        if time.monotonic() > deadline:
            raise CannotServe(
                f"PostgreSQL is not ready after {START_SECONDS} seconds: "
                f"{server.log} says what it does; wait for it and try again."
            )
        time.sleep(0.02)
    return False


def is_supervised(server: Server) -> bool:
    """Asked with a shared lock, so that two who ask at once do not mistake each other for it."""
    with lock_file(server.folder / "supervisor.lock") as descriptor:
        return not try_lock(descriptor, fcntl.LOCK_SH)


@contextlib.contextmanager
def lock_file(path: Path) -> Iterator[int]:
    descriptor = open_lock(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def try_lock(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# --- Starting ------------------------------------------------------------------------------------


def start(server: Server) -> None:
    account = server_account(server.data)
    choose_data(server, account)
    data = server.data
    version = data_version(data)
    clear_remains(data)
    binaries = find_binaries(data, version, account)
    make_socket_folder(server.socket, account)
    if version is None:
        create_data(data, binaries, account, durable=not server.throw_away)
    deadline = time.monotonic() + START_SECONDS
    spawn(server, binaries, account)
    while not is_ready(server):
        # Backends of a postmaster that was killed take a moment to notice.
        if not is_still_in_use(server.log) or time.monotonic() > deadline:
            raise CannotServe(f"PostgreSQL did not start: {last_words(server.log)}")
        time.sleep(0.1)
        spawn(server, binaries, account)


def choose_data(server: Server, account: Account | None) -> None:
    """Decides, once, where root's data goes: into the project, or where the account reaches it."""
    elsewhere = SHARED_DIR / path_hash(server.folder)
    if server.data not in (server.folder / "pg", elsewhere):
        raise CannotServe(
            f"{server.folder / 'data_path'} names the data of another folder: if this project was "
            f"moved, rename {server.data} to {elsewhere} and write that name there; "
            "if it was copied, remove data_path to begin with an empty ledger."
        )
    if account is None or server.data.exists():
        return
    if server.throw_away:
        os.chown(server.folder, account.uid, account.gid)
    elif not can_enter(server.folder, account):
        SHARED_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
        if elsewhere.exists():
            # Of a project that stood here before: not ours to show, nor to throw away.
            clear_remains(elsewhere)
            elsewhere.rename(f"{elsewhere}.{time.time_ns()}")
        (server.folder / "data_path").write_text(f"{elsewhere}\n")


def make_socket_folder(folder: Path, account: Account | None) -> None:
    """Empty, since what a killed server left there names a pid that may be another's now."""
    uid = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
        if account:
            os.chown(folder, account.uid, account.gid)
    except FileExistsError:
        there = folder.lstat()
        if folder.is_symlink() or there.st_uid != uid or there.st_mode & 0o077:
            raise CannotServe(
                f"The socket's folder {folder} is not private to {user_name(uid)}: "
                "remove it, then try again."
            ) from None
    for remains in folder.iterdir():
        remains.unlink()


def spawn(server: Server, binaries: Path, account: Account | None) -> None:
    """Starts the supervisor, which has its lock when this returns."""
    how = run_as(account)
    order = {
        "folder": str(server.folder),
        "socket": str(server.socket),
        "throw_away": server.throw_away,
        "command": postgres_command(server, binaries),
        "account": {name: how[name] for name in ("user", "group", "extra_groups") if name in how},
    }
    with server.log.open("wb") as log:
        subprocess.run(
            [sys.executable, "-I", supervisor.__file__, json.dumps(order)],
            cwd=how["cwd"],
            env=how["env"],
            stdin=how["stdin"],
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=True,
        )


def postgres_command(server: Server, binaries: Path) -> list[str]:
    durability = "off" if server.throw_away else "on"
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(server.socket),
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "fsync": durability,
        "synchronous_commit": durability,
        "full_page_writes": durability,
        # Who commits while a long import fills the log waits for each new 16 MB of it otherwise,
        # 50 to 450 ms.
        "wal_init_zero": "off",
    }
    command = [str(binaries / "postgres"), "-D", str(server.data), "-p", PORT]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return command


def is_still_in_use(log: Path) -> bool:
    return "pre-existing shared memory block" in log.read_text(errors="replace")


def last_words(log: Path) -> str:
    """The line in which PostgreSQL said why, and where the rest of it stands."""
    lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    fatal = [line for line in lines if "FATAL:" in line] or lines
    return f"{fatal[-1].split('FATAL:')[-1].strip()} (more in {log})"
