"""Starts the tests' own PostgreSQL before the settings are read, which must know its socket."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from dev import find_chromium
from txsite import postgres

try:
    # Each process of the tests has a server of its own. Nobody made this database yet: Django makes
    # it as the test database, so that a process which a test starts finds the test's data at
    # DATABASE_URL.
    os.environ["DATABASE_URL"] = postgres.throw_away_server("txsite")
except postgres.CannotServe as problem:
    pytest.exit(str(problem), returncode=1)
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "txsite.settings",
    "SECRET_KEY": "for tests only",
    "DEBUG": "0",
    "HTTPS": "0",
    "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
}
os.environ.pop("BEHIND_PROXY", None)

settings.DATABASES["default"]["TEST"] = {"NAME": "txsite"}
# The default hasher is slow on purpose.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
settings.STORAGES["staticfiles"]["BACKEND"] = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
)
# Static files come from where they are written, without a collectstatic before.
settings.WHITENOISE_AUTOREFRESH = settings.WHITENOISE_USE_FINDERS = True

Open = Callable[..., Page]
CHROMIUM = find_chromium()
browser_tests_left_out = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Lets processes that run the tests for this one (pytest-xdist) find settings of their own."""
    if config.getoption("numprocesses", None):
        del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks the browser tests, and leaves them out where there is no Chromium to drive."""
    for item in items:
        if item.path.name.startswith("test_browser_"):
            item.add_marker("browser")
    if CHROMIUM is None:
        left_out = [item for item in items if item.get_closest_marker("browser")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
        config.stash[browser_tests_left_out] = len(left_out)
        if hasattr(config, "workeroutput"):
            config.workeroutput["browser tests left out"] = len(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each process has collected all tests, of which it then runs some."""
    count = getattr(node, "workeroutput", {}).get("browser tests left out", 0)
    node.config.stash[browser_tests_left_out] = count


def pytest_unconfigure(config: pytest.Config) -> None:
    """After the closing line, so that nobody takes a run without a browser for a whole one."""
    count = config.stash.get(browser_tests_left_out, 0)
    if count and not hasattr(config, "workeroutput"):
        print(f"\nBrowser tests that did NOT run, since no Chromium was found: {count}.")
        print("To run them too: python3 dev.py test --browser")


@pytest.fixture(scope="session")
def django_db_modify_db_settings_parallel_suffix() -> None:
    """No suffix for tests that run at once: each process has a server of its own."""


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """The database goes with its server, whoever is still connected."""
    return True


def logged_in(client: Client, group: str) -> Client:
    # Models can be imported only once Django is set up, which is after this file.
    from factories import make_user

    client.force_login(make_user(group))
    return client


@pytest.fixture
def viewer(client: Client, db: None) -> Client:
    return logged_in(client, "Viewers")


@pytest.fixture
def editor(client: Client, db: None) -> Client:
    return logged_in(client, "Editors")


@pytest.fixture
def manager(client: Client, db: None) -> Client:
    return logged_in(client, "Managers")


@pytest.fixture
def psql() -> Iterator[psycopg.Connection]:
    """Somebody at psql, not of ours; each statement commits."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as somebody:
        yield somebody


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; the Back cache is on, as it is for people."""
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as monkeypatch:
        # Playwright's event loop lives in this thread, and Django would take us for async code.
        monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield chromium
        chromium.close()


class Gate:
    """Lets requests into the live server while a test runs, and none after it.

    Between two tests the tables are emptied. A page that still asked for what is new then would
    hold one table, wait for another, and both would be refused as a deadlock.
    """

    SECONDS = 30

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_open = False
        # Threads, each of which answers one request; one that is cut short finishes twice.
        self._inside: set[int] = set()
        request_started.connect(self._enter)
        request_finished.connect(self._leave)

    def open(self) -> None:
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def close(self) -> None:
        """Returns once those inside have been answered."""
        with self._changed:
            self._is_open = False
            assert self._changed.wait_for(lambda: not self._inside, self.SECONDS), (
                f"{len(self._inside)} requests without an answer"
            )

    def _enter(self, sender: type, **_: object) -> None:
        # The test client's requests go ahead: theirs is the test itself.
        if not issubclass(sender, WSGIHandler):
            return
        with self._changed:
            self._changed.wait_for(lambda: self._is_open)
            self._inside.add(threading.get_ident())

    def _leave(self, **_: object) -> None:
        with self._changed:
            self._inside.discard(threading.get_ident())
            self._changed.notify_all()


@pytest.fixture(scope="session")
def gate() -> Gate:
    return Gate()


@pytest.fixture
def live_server(live_server: LiveServer, gate: Gate) -> Iterator[LiveServer]:
    gate.open()
    yield live_server
    gate.close()


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer) -> Iterator[Open]:
    """Opens a page, logged in; at the end it must have broken no rule of the CSP."""
    complaints: list[str] = []
    contexts = []

    def opened(path: str, group: str = "Editors", **options: object) -> Page:
        client = logged_in(Client(), group)
        context = browser.new_context(base_url=live_server.url, **options)  # type: ignore[arg-type]
        contexts.append(context)
        cookie = client.cookies["sessionid"]
        context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    wrong = [text for text in complaints if re.search("Content Security|Error", text)]
    # A refused edit is an answer, which Chromium logs.
    assert [text for text in wrong if "409" not in text and "422" not in text] == []


def violations(page: Page) -> list[str]:
    """What axe finds wrong, in one line each."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]
