"""Who the private server runs as, and how its programs are started."""

import contextlib
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CannotServe(Exception):
    """The private server cannot run; the one-line text says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The user that postgres runs as when we are root, since it refuses to run as root."""

    uid: int
    gid: int


def server_account(data: Path) -> Account | None:
    """Whom root runs postgres as: the data's owner, or for new data a nobody. None: as we run."""
    if os.geteuid() != 0:
        return None
    if data.exists():
        return owner(data)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise CannotServe(
        "PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody': "
        "run this as an ordinary user, or set DATABASE_URL to a server that you have."
    )


def owner(data: Path) -> Account:
    there = data.stat()
    if there.st_uid == 0:
        raise CannotServe(
            f"The data folder {data} belongs to root, and PostgreSQL does not run as root: "
            f"give it back to the user who made it (chown -R USER {data})."
        )
    return Account(there.st_uid, there.st_gid)


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def can_enter(folder: Path, account: Account | None) -> bool:
    enter = ["/bin/sh", "-c", 'cd "$0" 2>&-', str(folder)]
    return subprocess.run(enter, **run_as(account)).returncode == 0


def run_as(account: Account | None) -> dict[str, Any]:
    """Arguments for `subprocess`: as this account, from a folder that everybody can enter, and
    without the variables by which the caller's own PostgreSQL and language are set."""
    how: dict[str, Any] = {
        "cwd": "/",
        "stdin": subprocess.DEVNULL,
        "env": {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PG", "LC_", "LANG"))
        },
    }
    if account:
        how |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return how
