"""The folder that holds the private server's data: made, checked, and cleared after a crash."""

import contextlib
import locale
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from txsite.postgres.account import Account, CannotServe, run_as, user_name

USER = "txsite"


def data_version(data: Path) -> int | None:
    """The major version of PostgreSQL that made the data; None where there is none yet."""
    if not data.exists():
        return None
    if os.geteuid() not in (0, data.stat().st_uid):
        name = user_name(data.stat().st_uid)
        raise CannotServe(
            f"The data folder {data} belongs to {name}: start as {name} or as root, "
            "or set DATABASE_URL to a server that you have."
        )
    try:
        return int((data / "PG_VERSION").read_text())
    except (FileNotFoundError, ValueError):
        raise CannotServe(
            f"{data} is no data folder of PostgreSQL (it has no PG_VERSION): "
            "restore it from a backup, or move it away to begin with an empty ledger."
        ) from None


def create_data(data: Path, binaries: Path, account: Account | None, durable: bool) -> None:
    """Made beside its place and renamed when whole, so that nothing half-made is ever served."""
    for remains in data.parent.glob(f"{data.name}.new-*"):
        shutil.rmtree(remains)
    new = Path(tempfile.mkdtemp(prefix=f"{data.name}.new-", dir=data.parent))
    if account:
        os.chown(new, account.uid, account.gid)
    command = [
        str(binaries / "initdb"),
        f"--pgdata={new}",
        f"--username={USER}",
        "--auth=trust",  # only who can enter the socket's folder gets that far
        "--encoding=UTF8",
        "--locale=C",
        f"--lc-ctype={utf8_ctype()}",
    ]
    if not durable:
        command.append("--no-sync")
    made = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **run_as(account)
    )
    if made.returncode != 0:
        shutil.rmtree(new)
        why = re.findall("error: (.*)", made.stdout) or made.stdout.splitlines() or ["no reason"]
        raise CannotServe(f"PostgreSQL could not make {data}: {why[-1]}")
    new.rename(data)


def utf8_ctype() -> str:
    """A UTF-8 character type that this machine has: with C, lower() knows ASCII only."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "en_US.UTF-8", "UTF-8"):
            with contextlib.suppress(locale.Error):
                locale.setlocale(locale.LC_CTYPE, name)
                return name
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    raise CannotServe("This machine has no UTF-8 locale: install C.UTF-8 or en_US.UTF-8.")


def clear_remains(data: Path) -> None:
    """Ends a postmaster whose supervisor was killed, and forgets a pid that is another's now."""
    orphan = postmaster(data)
    if orphan:
        os.kill(orphan, signal.SIGINT)
        while postmaster(data):
            time.sleep(0.02)
        return
    pid = recorded_pid(data)
    # A dead pid is left to PostgreSQL, which looks for backends that outlived it.
    if pid is None or is_alive(pid):
        (data / "postmaster.pid").unlink(missing_ok=True)


def postmaster(data: Path) -> int | None:
    """The pid of the postmaster that serves `data`: its command line names the folder."""
    pid = recorded_pid(data)
    return pid if pid and str(data) in command_line(pid) else None


def is_accepting(data: Path) -> bool:
    return postmaster(data) is not None and pid_file(data)[7:8] == ["ready"]


def pid_file(data: Path) -> list[str]:
    try:
        text = (data / "postmaster.pid").read_text()
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.splitlines()]


def recorded_pid(data: Path) -> int | None:
    first = "".join(pid_file(data)[:1])
    return abs(int(first)) if re.fullmatch(r"-?\d+", first) else None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def command_line(pid: int) -> list[str]:
    """The words with which a process was started; empty when it is gone or not ours to see."""
    if Path("/proc/self").exists():
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return []
    shown = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True
    )
    return re.split(r" -[A-Za-z] ", shown.stdout.strip())
