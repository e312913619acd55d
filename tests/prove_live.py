#!/usr/bin/env python3
"""Measures the live page: from a commit to changed pixels, and what 200 open pages cost.

Starts a throw-away PostgreSQL, gunicorn with three workers and a headless Chromium. Ends with 1
when a change did not arrive. Takes about five minutes.
"""

import argparse
import asyncio
import contextlib
import hashlib
import io
import os
import random
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dev import find_chromium  # noqa: E402
from txsite import postgres  # noqa: E402

WORKERS = 3
PAGES = 200
SCRIPT = (ROOT / "txsite/static/txsite/live.js").read_text()
SHORT, LONG = (
    int(match[1]) / 1000
    for name in ("SHORT", "LONG")
    if (match := re.search(rf"^const {name} = (\d+);", SCRIPT, re.MULTILINE))
)
TOO_LATE = 30.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="prove live", description=__doc__)
    parser.add_argument("--changes", type=int, default=50, metavar="N")
    parser.add_argument("--seconds", type=int, default=30, metavar="S", help="of 200 pages")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not find_chromium():
        sys.exit("No Chromium was found: install it first (python3 dev.py test --browser).")
    prepare()
    with gunicorn() as (port, server):
        cookie = f"sessionid={logged_in()}"
        arrived = changes_to_pixels(port, cookie, options.changes)
        print(f"\nShare of one worker that {PAGES} open pages take while nothing changes:")
        for name, interval in (("at the short interval", SHORT), ("when idle", LONG)):
            load(port, cookie, server, name, interval, options.seconds)
    return 0 if arrived == options.changes else 1


# --- The site ------------------------------------------------------------------------------------


def prepare() -> None:
    """A ledger in a database of its own, for this process and those that it starts."""
    key = hashlib.sha256(secrets.token_bytes()).hexdigest()
    os.environ |= {
        "DATABASE_URL": postgres.throw_away_server(),
        "DJANGO_SETTINGS_MODULE": "txsite.settings",
        "SECRET_KEY": key,
        "DEBUG": "0",
        "HTTPS": "0",
        "ALLOWED_HOSTS": "127.0.0.1",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("load_demo", stdout=io.StringIO())
    call_command("collectstatic", interactive=False, verbosity=0)


def logged_in() -> str:
    """The session of an editor; groups and rights are asked for, as for most people."""
    from django.contrib.auth.models import Group, User
    from django.test import Client

    user = User.objects.create_user("alice")
    user.groups.add(Group.objects.get(name="Editors"))
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


@contextlib.contextmanager
def gunicorn() -> Iterator[tuple[int, psutil.Process]]:
    """The site with several workers, on loopback; the listening socket is ours."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=1024) as listener,
        tempfile.TemporaryFile() as log,
    ):
        descriptor = listener.fileno()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "txsite.wsgi", f"--bind=fd://{descriptor}"),
                *(f"--workers={WORKERS}", "--threads=4", "--no-control-socket"),
            ],
            pass_fds=[descriptor],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        try:
            yield listener.getsockname()[1], psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


# --- From a commit to pixels ---------------------------------------------------------------------


def changes_to_pixels(port: int, cookie: str, count: int) -> int:
    """How many of the commits changed what the page shows; prints how long they took."""
    name, _, value = cookie.partition("=")
    with (
        sync_playwright() as playwright,
        psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as psql,
    ):
        chromium = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        # No motion, so that pixels change for no other reason than the change.
        context = chromium.new_context(reduced_motion="reduce")
        url = f"http://127.0.0.1:{port}"
        context.add_cookies([{"name": name, "value": value, "url": url}])
        page = context.new_page()
        page.goto(f"{url}/transactions/")
        seen = [watch(page, psql, number) for number in range(count)]
        chromium.close()
    times = [seconds for seconds, _ in seen if seconds is not None]
    steps = [step for _, step in seen]
    print(
        f"From a commit in psql to changed pixels, {len(times)} of {count} arrived: "
        f"median {statistics.median(times):.2f} s, worst {max(times):.2f} s.\n"
        f"(Pictures of one cell, compared byte by byte; one every {statistics.median(steps):.3f} s "
        f"at the median, {max(steps):.3f} s at the most. The page asks every {SHORT:g} s.)"
        if times
        else f"None of {count} changes arrived."
    )
    return len(times)


def watch(page: Page, psql: psycopg.Connection, number: int) -> tuple[float | None, float]:
    """Seconds from the commit to other pixels in its cell, and the longest between two pictures."""
    row = page.locator("tr[data-id]").nth(number % 5)
    cell = row.locator("td.col-note").bounding_box()
    assert cell
    clip = {"x": cell["x"], "y": cell["y"], "width": cell["width"], "height": cell["height"]}

    def picture() -> bytes:
        return page.screenshot(clip=clip, caret="initial", animations="allow")  # type: ignore[arg-type]

    # Somebody is at the page; the commit is somewhere in the interval between two questions.
    page.mouse.move(5 + number % 2, 5)
    page.wait_for_timeout(random.uniform(0, 1000 * SHORT))
    before = picture()
    psql.execute(
        "UPDATE transactions_transaction SET note = %s WHERE id = %s",
        [f"No. {number}", row.get_attribute("data-id")],
    )
    committed = last = time.perf_counter()
    step = 0.0
    while last - committed < TOO_LATE:
        is_other = picture() != before
        now = time.perf_counter()
        step, last = max(step, now - last), now
        if is_other:
            return now - committed, step
    print(f"Change {number} did not arrive within {TOO_LATE:g} s.")
    return None, step


# --- Many open pages -----------------------------------------------------------------------------


def load(
    port: int, cookie: str, server: psutil.Process, name: str, interval: float, seconds: int
) -> None:
    """Lets many pages ask at an interval, and prints what the workers and PostgreSQL needed."""
    since = current_revision()
    # Every worker has its connection and its code warm.
    asyncio.run(pages(port, cookie, since, 0.2, 2))
    database_server = postgres_server()
    before = cpu_seconds(server), cpu_seconds(database_server)
    began = time.perf_counter()
    answers = asyncio.run(pages(port, cookie, since, interval, seconds))
    lasted = time.perf_counter() - began
    web, database = cpu_seconds(server) - before[0], cpu_seconds(database_server) - before[1]
    print(
        f"  {name}, every {interval:g} s: {web / lasted:.1%} of one worker, "
        f"and {database / lasted:.1%} of a core in PostgreSQL "
        f"({answers / lasted:.0f} answers/s, {1000 * web / answers:.2f} + "
        f"{1000 * database / answers:.2f} ms of CPU each)."
    )


def current_revision() -> int:
    from txsite.freshness.revisions import current_revision as current

    return current().number


def postgres_server() -> psutil.Process:
    with psycopg.connect(os.environ["DATABASE_URL"]) as psql:
        return psutil.Process(psql.info.backend_pid).parent()


def cpu_seconds(server: psutil.Process) -> float:
    """User and system time of a server and all its workers, those that have ended too."""
    own = server.cpu_times()
    of_workers = [worker.cpu_times() for worker in server.children()]
    ended = own.children_user + own.children_system
    return float(ended + sum(times.user + times.system for times in (own, *of_workers)))


async def pages(port: int, cookie: str, since: int, interval: float, seconds: float) -> int:
    """The number of answers to all pages, which do not ask all at once."""
    until = time.perf_counter() + seconds
    delays = [interval * number / PAGES for number in range(PAGES)]
    request = (
        f"GET /changes/?since={since} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Accept: application/json\r\nCookie: {cookie}\r\n\r\n"
    ).encode()
    return sum(
        await asyncio.gather(*(page(port, request, delay, interval, until) for delay in delays))
    )


async def page(port: int, request: bytes, delay: float, interval: float, until: float) -> int:
    """As a browser: a connection is used again as long as the server keeps it."""
    answers = 0
    streams = None
    due = time.perf_counter() + delay
    while due < until:
        await asyncio.sleep(max(0, due - time.perf_counter()))
        for _ in range(2):
            streams = streams or await asyncio.open_connection("127.0.0.1", port)
            head = await ask(streams, request)
            if head:
                break
            streams[1].close()
            streams = None
        if not head.startswith(b"HTTP/1.1 204"):
            raise RuntimeError(f"An open page was answered {head[:80]!r}.")
        answers += 1
        if streams and b"connection: close" in head.lower():
            streams[1].close()
            streams = None
        due += interval
    if streams:
        streams[1].close()
    return answers


async def ask(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> bytes:
    """The head of the answer; nothing where the server has closed the connection meanwhile."""
    reader, writer = streams
    try:
        writer.write(request)
        await writer.drain()
        return await reader.readuntil(b"\r\n\r\n")
    except (ConnectionError, asyncio.IncompleteReadError):
        return b""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
