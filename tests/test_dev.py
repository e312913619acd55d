"""What starts the site: dev.py, manage.py and wsgi.py, each as a process of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

import dev
from txsite import postgres

SOURCES = ("manage.py", "dev.py", "pyproject.toml", *dev.REQUIREMENTS)
PACKAGES = ("txsite", "contacts", "transactions")
OURS = ("ALLOWED_HOSTS", "DATABASE_URL", "DEBUG", "DJANGO_SETTINGS_MODULE", "HTTPS", "SECRET_KEY")
COUNT = "from transactions.models import Transaction; print(Transaction.objects.count())"


@pytest.fixture
def environment() -> dict[str, str]:
    """A new terminal's: without what conftest has set."""
    return {name: value for name, value in os.environ.items() if name not in OURS}


@pytest.fixture
def project() -> Iterator[Path]:
    """A copy of the sources, with our .venv: nothing was ever started in it."""
    path = Path(tempfile.mkdtemp(prefix="txsite-test-", dir=postgres.TEMP_DIR))
    path.chmod(0o755)
    for name in SOURCES:
        shutil.copy(dev.ROOT / name, path)
    for name in PACKAGES:
        shutil.copytree(dev.ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (path / ".venv").symlink_to(sys.prefix)
    yield path
    if (path / "var").exists():
        postgres.wait_until_left(postgres.server_in(path / "var"))
    shutil.rmtree(path)


def manage(project: Path, environment: dict[str, str], *arguments: str) -> str:
    answer = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def processes_in(project: Path) -> list[psutil.Process]:
    """Every process whose command line or working folder is inside the project."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            words = [*process.cmdline(), process.cwd()]
            if any(str(project) in word for word in words):
                found.append(process)
    return found


@contextlib.contextmanager
def busy_port() -> Iterator[int]:
    with socket.create_server((dev.HOST, 0)) as listener:
        yield listener.getsockname()[1]


def free_port() -> int:
    with busy_port() as port:
        return port


def test_help_and_collectstatic_start_no_server(project: Path, environment: dict[str, str]) -> None:
    assert "migrate" in manage(project, environment, "help")
    manage(project, environment, "migrate", "--help")
    manage(project, environment, "collectstatic", "--no-input")
    assert not (project / "var" / "postgres.log").exists()
    assert (project / "staticfiles" / "staticfiles.json").exists()


def test_manage_makes_a_key_that_only_we_can_read(
    project: Path, environment: dict[str, str]
) -> None:
    code = "from django.conf import settings; print(settings.SECRET_KEY)"
    external = environment | {"DATABASE_URL": os.environ["DATABASE_URL"]}
    keys = {manage(project, external, "shell", "--no-imports", "-c", code) for _ in range(2)}
    assert len(keys) == 1
    assert len(keys.pop()) > 50
    assert (project / "var" / "secret_key").stat().st_mode & 0o777 == 0o600
    own = external | {"SECRET_KEY": "my own"}
    assert manage(project, own, "shell", "--no-imports", "-c", code) == "my own\n"


def test_another_database_leaves_the_private_server_alone(
    project: Path, environment: dict[str, str]
) -> None:
    # Not the test's database, which this test does without.
    url = os.environ["DATABASE_URL"].removesuffix("/txsite") + "/postgres"
    manage(project, environment | {"DATABASE_URL": url}, "showmigrations")
    assert not (project / "var" / "postgres.log").exists()


@pytest.mark.parametrize("missing", ["DATABASE_URL", "SECRET_KEY"])
def test_wsgi_names_what_is_missing(
    project: Path, environment: dict[str, str], missing: str
) -> None:
    given = {"DATABASE_URL": os.environ["DATABASE_URL"], "SECRET_KEY": "k" * 50}
    del given[missing]
    answer = subprocess.run(
        [sys.executable, "-c", "import txsite.wsgi"],
        cwd=project,
        env=environment | given,
        capture_output=True,
        text=True,
    )
    assert answer.returncode != 0
    last_line = answer.stderr.strip().splitlines()[-1]
    assert f"Set {missing} before serving" in last_line
    assert "both DATABASE_URL and SECRET_KEY" in last_line


def test_taken_port_is_one_line(environment: dict[str, str]) -> None:
    with busy_port() as port:
        answer = subprocess.run(
            [sys.executable, "dev.py", "run", "--port", str(port)],
            cwd=dev.ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
    assert answer.returncode == 1
    assert answer.stdout == ""
    [line] = answer.stderr.splitlines()
    assert f"port {port} (Address already in use)" in line
    assert "dev.py run --port" in line


def test_runserver_on_a_taken_port_fails_clearly(
    project: Path, environment: dict[str, str]
) -> None:
    with busy_port() as port:
        answer = subprocess.run(
            [sys.executable, "manage.py", "runserver", f"{dev.HOST}:{port}"],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
        )
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1] == "Error: That port is already in use."


def test_site_runs_until_ctrl_c_and_keeps_its_ledger(
    project: Path, environment: dict[str, str]
) -> None:
    port = free_port()
    counts = []
    for _ in range(2):
        with running_site(project, environment, port) as said:
            with urllib.request.urlopen(f"http://{dev.HOST}:{port}/") as page:
                assert page.status == 200
            counts.append(int(manage(project, environment, "shell", "--no-imports", "-c", COUNT)))
        assert "Traceback" not in "".join(said)
        assert processes_in(project) == []
    assert counts[0] == counts[1] > 0


@contextlib.contextmanager
def running_site(project: Path, environment: dict[str, str], port: int) -> Iterator[list[str]]:
    """`dev.py run` from when it serves until Ctrl-C has ended it; yields what it says."""
    site = subprocess.Popen(
        [sys.executable, "dev.py", "run", "--port", str(port)],
        cwd=project,
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert site.stdout is not None
    said: list[str] = []
    try:
        for line in site.stdout:
            said.append(line)
            if "Starting development server" in line:
                break
        yield said
    finally:
        # A terminal sends it to the whole group.
        os.killpg(site.pid, signal.SIGINT)
        said += site.stdout.readlines()
        site.stdout.close()
        assert site.wait() == 0, "".join(said)


def test_without_chromium_the_last_lines_say_what_did_not_run(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_browser_page.py").write_text("def test_page(browser): browser.new_page()\n")
    (tmp_path / "test_rule.py").write_text("def test_rule(): pass\n")
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", dev.ROOT / "pyproject.toml", tmp_path],
        cwd=dev.ROOT,
        env=environment | {"PATH": "/nowhere"},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout
    closing, _, what, how = answer.stdout.splitlines()[-4:]
    assert closing.startswith("1 passed, 1 deselected in ")
    assert what == "Browser tests that did NOT run, since no Chromium was found: 1."
    assert how == "To run them too: python3 dev.py test --browser"


def test_chromium_that_cannot_be_had_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit, match="need Chromium, and it could not be installed"):
        dev.test(None, True, [])


def test_python_without_pip_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(dev, "PYTHON", tmp_path / "python")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SystemExit, match="apt-get install python3-venv"):
        dev.install()


def test_requirements_are_installed_again_when_they_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in dev.REQUIREMENTS:
        shutil.copy(dev.ROOT / name, tmp_path)
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "INSTALLED", tmp_path / "requirements.sha256")
    dev.INSTALLED.write_text(dev.requirements_hash())
    assert dev.is_installed()
    for name in dev.REQUIREMENTS:
        before = (tmp_path / name).read_text()
        (tmp_path / name).write_text(before + "another==1.0\n")
        assert not dev.is_installed()
        (tmp_path / name).write_text(before)
