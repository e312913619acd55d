#!/usr/bin/env python3
"""What a developer starts, with nothing but Python: run the site, test it, check it.

Makes .venv and installs the pinned requirements when they changed. Standard library only.
"""

import argparse
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - said before anything newer is imported
    sys.exit("txsite needs Python 3.11 or newer: start this with such a python3.")

from txsite import postgres

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
INSTALLED = VENV / "requirements.sha256"
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements-diagnosis.txt")
BENCH_REQUIREMENTS = ROOT / "requirements-bench.txt"
BENCH_INSTALLED = VENV / "requirements-bench.installed"
HOST = "127.0.0.1"
PROOFS = {
    "diagnosis": "tests/diagnosis/run.py",
    "formats": "tests/prover/formats.py",
    "freshness": "tests/prover/run.py",
    "imports": "tests/prover/imports.py",
    "live": "tests/prover/live.py",
    "revisions": "tests/prover/revisions.py",
}
CHROMIUM_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def main(arguments: Sequence[str]) -> int:
    options, pytest_arguments = parse(arguments)
    os.chdir(ROOT)
    if options.command == "run":
        # Now, and not after minutes of installing.
        check_port(options.port)
    if not is_installed():
        install()
    if not VENV.samefile(sys.prefix):
        # From here on in the venv, where the wheel's PostgreSQL is found.
        os.execv(PYTHON, [str(PYTHON), __file__, *arguments])
    try:
        if options.command == "run":
            return run(options.port)
        if options.command == "check":
            return check()
        if options.command == "prove":
            runner = PROOFS[options.proof]
            return subprocess.run([PYTHON, runner, *pytest_arguments]).returncode
        if options.command == "bench":
            return bench(pytest_arguments)
        return test(options.postgres, options.browser, pytest_arguments)
    except postgres.CannotServe as problem:
        sys.exit(str(problem))


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="dev.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run_options = commands.add_parser("run", help="serve the site; at first with a demo ledger")
    run_options.add_argument("--port", type=int, default=8000)
    test_options = commands.add_parser(
        "test",
        help="run the tests on a PostgreSQL of their own; other arguments are pytest's",
        allow_abbrev=False,
    )
    test_options.add_argument("--postgres", choices=["system", "wheel"], help="whose binaries")
    test_options.add_argument(
        "--browser", action="store_true", help="install Chromium first where there is none"
    )
    commands.add_parser("check", help="formatting, lint, types, migrations, deployment settings")
    prove_options = commands.add_parser(
        "prove", help="longer proofs, of minutes; other arguments are the proof's", add_help=False
    )
    prove_options.add_argument("proof", choices=sorted(PROOFS))
    commands.add_parser(
        "bench",
        help="our pages beside others'; the arguments are the benchmark's",
        add_help=False,
        allow_abbrev=False,
    )
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command not in ("test", "prove", "bench"):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options, rest


# --- The virtual environment ---------------------------------------------------------------------


def requirements_hash() -> str:
    texts = [(ROOT / name).read_bytes() for name in REQUIREMENTS]
    return hashlib.sha256(b"".join(texts)).hexdigest()


def is_installed() -> bool:
    return PYTHON.exists() and INSTALLED.exists() and INSTALLED.read_text() == requirements_hash()


def install() -> None:
    if not has_pip() and not make_venv():
        sys.exit(
            f"Cannot make {VENV}: this Python has neither ensurepip nor pip. "
            "Install one of them (Debian: apt-get install python3-venv), then try again."
        )
    print("Installing the requirements into .venv …", flush=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "-r", REQUIREMENTS[1]]).returncode != 0:
        sys.exit("The requirements could not be installed: see above, then try again.")
    INSTALLED.write_text(requirements_hash())


def has_pip() -> bool:
    return PYTHON.exists() and succeeds(PYTHON, "-m", "pip", "--version")


def make_venv() -> bool:
    """Whether .venv has a pip now. Debian's Python lacks ensurepip until python3-venv is there."""
    print("Making .venv …", flush=True)
    python: list[str | Path] = [sys.executable, "-m"]
    ways: list[list[list[str | Path]]] = [
        [[*python, "venv", "--clear", VENV]],
        [
            [*python, "venv", "--clear", "--without-pip", VENV],
            [*python, "pip", "--python", PYTHON, "install", "--quiet", "pip"],
        ],
        [[*python, "virtualenv", "--clear", VENV]],
    ]
    for way in ways:
        if all(succeeds(*command) for command in way) and has_pip():
            return True
    return apt_install("python3-venv") and succeeds(*ways[0][0]) and has_pip()


def succeeds(*command: str | Path) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def apt_install(package: str) -> bool:
    """Installs a Debian package where we may without asking for a password."""
    if not shutil.which("apt-get"):
        return False
    become_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if become_root and not (shutil.which("sudo") and succeeds(*become_root, "true")):
        return False
    print(f"Installing Debian's {package} …", flush=True)
    apt_get = [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    return succeeds(*apt_get, "update") and succeeds(*apt_get, "install", "--yes", package)


def bench(arguments: Sequence[str]) -> int:
    """The peers are installed beside what the site needs, when they are first asked for."""
    texts = BENCH_REQUIREMENTS.read_text()
    if not BENCH_INSTALLED.exists() or BENCH_INSTALLED.read_text() != texts:
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        print("Installing the peers into .venv …", flush=True)
        if subprocess.run([*pip, "-r", BENCH_REQUIREMENTS]).returncode != 0:
            sys.exit("The peers could not be installed: see above, then try again.")
        BENCH_INSTALLED.write_text(texts)
    return subprocess.run([PYTHON, "benchmarks/run.py", *arguments]).returncode


# --- run -----------------------------------------------------------------------------------------


def check_port(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except (OSError, OverflowError) as problem:
            sys.exit(
                f"Cannot serve on port {port} ({getattr(problem, 'strerror', problem)}): "
                f"end what uses it, or take another: python3 dev.py run --port {port % 65535 + 1}"
            )


def run(port: int) -> int:
    """Serves until Ctrl-C, and returns when no process of ours is left."""
    # A shell that starts us in the background has SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ.setdefault("DEBUG", "1")
    # The address and the login are seen at once where the output goes to a file, too.
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    lock = None
    try:
        if not os.environ.get("DATABASE_URL"):
            lock = postgres.join_embedded()
        # The demo is for the private server alone, not for one that somebody else set up.
        demo = [] if lock is None else [["load_demo"]]
        for arguments in (["migrate", "--verbosity=0"], *demo):
            code = subprocess.run([PYTHON, "manage.py", *arguments]).returncode
            if code != 0:
                return code
        return serve(port)
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if lock is not None:
            os.close(lock)
            postgres.wait_until_left(postgres.server_in(postgres.VAR_DIR))


def serve(port: int) -> int:
    site = subprocess.Popen([PYTHON, "manage.py", "runserver", f"{HOST}:{port}"])
    try:
        return site.wait()
    finally:
        try:
            # Ctrl-C in a terminal has reached it too.
            site.wait(timeout=1)
        except subprocess.TimeoutExpired:
            site.terminate()
            site.wait()


# --- test and check ------------------------------------------------------------------------------


def test(binaries: str | None, with_browser: bool, pytest_arguments: Sequence[str]) -> int:
    if binaries:
        os.environ["TXSITE_POSTGRES"] = binaries
    if with_browser and not find_chromium():
        apt_install("chromium")
    if with_browser and not find_chromium():
        sys.exit(
            "The browser tests need Chromium, and it could not be installed: "
            "install Chromium or Google Chrome, so that it is found on PATH, then try again."
        )
    # The whole suite is shared out among the processors.
    arguments = pytest_arguments or ["-n", "logical", "--dist", "worksteal"]
    os.execv(PYTHON, [str(PYTHON), "-m", "pytest", *arguments])


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def check() -> int:
    """Runs every check, whatever the others say; 1 when one of them failed."""
    manage = [str(PYTHON), "manage.py"]
    database = {"DATABASE_URL": postgres.throw_away_server(), "SECRET_KEY": "for checks only"}
    deployment = {
        "DATABASE_URL": "postgres://txsite@db.invalid/txsite",
        "SECRET_KEY": hashlib.sha256(b"as long and mixed as a real one").hexdigest(),
        "ALLOWED_HOSTS": "txsite.invalid",
        "DEBUG": "0",
        "HTTPS": "1",
    }
    checks: list[tuple[list[str], dict[str, str]]] = [
        ([str(PYTHON), "-m", "ruff", "format", "--check", "."], {}),
        ([str(PYTHON), "-m", "ruff", "check", "."], {}),
        ([str(PYTHON), "-m", "mypy", "."], {}),
        ([*manage, "makemigrations", "--check", "--dry-run"], database),
        ([*manage, "check", "--deploy", "--fail-level", "WARNING"], deployment),
    ]
    failed = [
        command
        for command, environment in checks
        if not passes(command, {**os.environ, **environment})
    ]
    for command in failed:
        print(f"FAILED: {' '.join(command[1:])}")
    return 1 if failed else 0


def passes(command: list[str], environment: dict[str, str]) -> bool:
    print(f"$ {' '.join(command[1:])}", flush=True)
    return subprocess.run(command, env=environment).returncode == 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
