"""What could make a page old again is refused by a check, or caught here."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.db import close_old_connections, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import get_resolver, path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_page
from django.views.decorators.http import require_safe
from factories import make_address, make_batch, make_contact, make_transaction, make_user
from psycopg import IsolationLevel

from transactions.models import Asset, ImportLine, ImportMapping, Label, Transaction, Wallet
from txsite import checks
from txsite.database import base
from txsite.urls import urlpatterns as site

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = settings.DATABASES["default"]


def refused(**changed: Any) -> list[str]:
    with override_settings(**changed):
        return [str(problem.id) for problem in run_checks(tags=[checks.FRESHNESS])]


# --- Settings and URLs


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_settings_as_they_are_pass() -> None:
    assert refused() == []
    read_committed = {"isolation_level": IsolationLevel.READ_COMMITTED}
    assert refused(DATABASES={"default": {**DEFAULT, "OPTIONS": read_committed}}) == []
    checks.refuse_to_be_stale()


# override_settings warns that it cannot really change DATABASES, which nobody wants here.
@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"AUTOCOMMIT": False}, "txsite.E002"),
        ({"ATOMIC_REQUESTS": True}, "txsite.E003"),
        ({"OPTIONS": {"isolation_level": IsolationLevel.REPEATABLE_READ}}, "txsite.E004"),
        ({"OPTIONS": {"isolation_level": IsolationLevel.SERIALIZABLE}}, "txsite.E004"),
    ],
)
def test_transactions_of_another_kind_are_refused(changed: dict[str, Any], problem: str) -> None:
    assert refused(DATABASES={"default": {**DEFAULT, **changed}}) == [problem]


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_replicas_are_refused() -> None:
    assert refused(DATABASES={"default": DEFAULT, "replica": DEFAULT}) == ["txsite.E005"]
    assert refused(DATABASE_ROUTERS=["test_guards.Router"]) == ["txsite.E005"]


def test_cache_middleware_is_refused() -> None:
    for name in ("UpdateCacheMiddleware", "FetchFromCacheMiddleware", "CacheMiddleware"):
        cache = f"django.middleware.cache.{name}"
        assert refused(MIDDLEWARE=[cache, *settings.MIDDLEWARE]) == ["txsite.E006"]


def test_site_without_its_snapshot_or_with_something_behind_it_is_refused() -> None:
    assert refused(MIDDLEWARE=settings.MIDDLEWARE[:-1]) == ["txsite.E007"]
    turned = [settings.MIDDLEWARE[-1], *settings.MIDDLEWARE[:-1]]
    assert refused(MIDDLEWARE=turned) == ["txsite.E007"]


class Router:
    """Sends everybody to the same place, and yet a router."""


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@method_decorator(cache_page(60), name="dispatch")
class Cached(View):
    pass


class CachedToo(Cached):
    pass


CACHED = [
    cache_page(60)(view),
    require_safe(cache_page(60)(view)),
    Cached.as_view(),
    CachedToo.as_view(),
]
urlpatterns = [path("cached/", CACHED[0]), *site]


@pytest.mark.parametrize("cached", CACHED)
def test_cached_view_is_seen_through_its_decorators(cached: Any) -> None:
    assert checks.is_kept(cached)


def test_url_of_a_cached_view_is_refused() -> None:
    assert refused(ROOT_URLCONF=__name__) == ["txsite.E008"]


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ("", ""),
        ("MIDDLEWARE = MIDDLEWARE[:-1]", "Put it last"),
        ("MIDDLEWARE = MIDDLEWARE[:-1]; SILENCED_SYSTEM_CHECKS = ['txsite.E007']", ""),
    ],
)
def test_deployment_that_could_be_stale_does_not_start(
    tmp_path: Path, mistake: str, told: str
) -> None:
    (tmp_path / "deployed.py").write_text(f"from txsite.settings import *\n{mistake}\n")
    surroundings = os.environ | {
        "DJANGO_SETTINGS_MODULE": "deployed",
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "DATABASE_URL": "postgres:///nobody-asks-it",
        "SECRET_KEY": "for this test only",
    }
    started = subprocess.run(
        [sys.executable, "-c", "import txsite.wsgi"],
        capture_output=True,
        text=True,
        env=surroundings,
    )
    assert (started.returncode == 0) == (told == ""), started.stderr
    assert told in started.stderr


# --- The database


@pytest.mark.django_db(transaction=True)
def test_writers_isolation_is_refused_when_it_is_not_read_committed() -> None:
    def problems() -> list[str]:
        found = run_checks(databases=["default"])
        return [str(one.id) for one in found if one.id == "txsite.E004"]

    assert problems() == []
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_isolation = 'repeatable read'")
    try:
        assert problems() == ["txsite.E004"]
    finally:
        connection.close()


# --- Every page


def addresses() -> Iterator[str]:
    """Every route of the site, filled with rows that exist."""
    made = make_transaction(labels=["Rent"])
    contact = make_contact("Carol")
    batch = make_batch(lines=[{}])
    row: dict[str, Any] = {
        "contact": contact,
        "address": make_address(contact=contact),
        "label": Label.objects.get(),
        "transaction": made,
        "wallet": Wallet.objects.first(),
        "asset": Asset.objects.first(),
        "importbatch": batch,
        "importline": ImportLine.objects.first(),
        "importmapping": ImportMapping.objects.create(name="My bank", mapping={}),
        "user": make_user("Managers"),
        "group": make_user("Viewers").groups.first(),
    }
    of_place = {"contacts": contact, "transactions": made, "imports": batch}
    for route, _ in checks.views(get_resolver().url_patterns):
        if "(?P<url>" in route or route.startswith("admin/r/"):
            continue  # whatever is not there; and where the admin would send one on
        filled = route.replace("^(?P<app_label>auth|contacts|transactions)/$", "contacts/")
        parts = filled.split("/")
        known = row.get(parts[2]) if parts[0] == "admin" and len(parts) > 2 else None
        known = known or of_place.get(parts[0])
        filled = re.sub(r"<[^>]+>", lambda _, known=known: str(known.pk), filled)  # type: ignore[misc]
        assert not re.search(r"[<>()^$?]", filled), f"say what {route} is filled with"
        yield f"/{filled}"


# What these need to be answered with a page.
NEEDED = {
    "/transactions/export/": "?format=json",
    "/admin/autocomplete/": "?app_label=transactions&model_name=transaction&field_name=labels",
}
# Pages about nothing in the ledger.
WITHOUT_SNAPSHOT = {"/logout/", "/admin/logout/"}


@pytest.mark.django_db(transaction=True)
def test_every_page_is_read_in_a_snapshot_and_kept_by_nobody(client: Client) -> None:
    client.force_login(make_user(None, is_staff=True, is_superuser=True))
    seen = 0
    for address in list(addresses()):
        answer = client.get(address + NEEDED.get(address, ""))
        if answer.streaming:
            assert getattr(answer.resolver_match.func, "own_snapshot", False), address
            answer.getvalue()
        assert not connection.in_atomic_block, address
        assert "no-store" in answer["Cache-Control"], address
        if answer.status_code == 200:
            seen += 1
            assert answer.headers.get("X-Ledger-Revision"), address
    assert seen > 60


# --- What stays in memory

# In a process of its own, after pages were shown: whatever of the database outlives a request.
LEFT_OVER = """
import gc, os, sys
sys.path[:0] = {paths}
import django
django.setup()
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.test import Client
import txsite.urls
{mistake}

def alive():
    gc.collect()
    for one in gc.get_objects():
        if isinstance(one, QuerySet) and one._result_cache is not None:
            yield f"rows of {{one.model.__name__}}"
        if isinstance(one, Paginator):
            yield "a paginator"
        if isinstance(one, Model) and one._meta.app_label in ("contacts", "transactions"):
            yield f"a {{type(one).__name__}}"

from django.db import connection
print("at first:", *sorted(set(alive())))
print("asked:", "the database" if connection.connection else "nobody")
client = Client(headers={{"host": "localhost"}})
client.cookies["sessionid"] = "{session}"
for path in {pages}:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    b"".join(answer)
    answer.close()
del answer
client = None
print("afterwards:", *sorted(set(alive())))
"""
PAGES = [
    "/transactions/",
    "/balances/",
    "/contacts/",
    "/imports/",
    "/transactions/export/?format=json",
]
MISTAKE = """
from contacts.models import Contact
from django.db import models
KEPT = Contact.objects.all()
{}
"""


def left_over(session: str, mistake: str = "") -> list[str]:
    code = LEFT_OVER.format(
        paths=[str(ROOT), str(ROOT / "tests")], mistake=mistake, session=session, pages=PAGES
    )
    # With DEBUG the static files need no collecting.
    surroundings = os.environ | {"DEBUG": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=surroundings
    )
    assert done.returncode == 0, done.stderr
    return [line.partition(": ")[2].strip() for line in done.stdout.splitlines()]


@pytest.mark.django_db(transaction=True)
def test_no_row_outlives_the_import_of_the_modules_or_a_request(client: Client) -> None:
    client.force_login(make_user("Viewers"))
    make_transaction(labels=["Rent"], contact=make_contact())
    make_batch(lines=[{}])
    session = client.cookies["sessionid"].value
    assert left_over(session) == ["", "nobody", ""]
    # It would be seen.
    kept = left_over(session, MISTAKE.format("len(KEPT)"))
    assert kept[:2] == ["a Contact rows of Contact", "the database"]
    choices = left_over(session, MISTAKE.format("NAMES = list(KEPT.values_list('name'))"))
    assert choices[:2] == ["", "the database"]


CACHING = {"lru_cache", "cache", "cached_property", "cache_page", "caches"}
# These keep nothing of the database: the cells of a file, read more than once.
ALLOWED = {
    ("contacts/addresses.py", "lru_cache"),  # the capitals of an address follow from its digits
    ("transactions/filters.py", "cache"),  # the class of its form
    ("transactions/filters.py", "cached_property"),  # of the filter of one request
    ("transactions/tables.py", "lru_cache"),  # the addresses of pages, but for the ids
    ("transactions/imports/formats/etherscan.py", "lru_cache"),
    ("transactions/imports/formats/cells.py", "lru_cache"),
    ("transactions/imports/formats/generic.py", "lru_cache"),
}


def test_nothing_but_what_is_named_here_is_cached() -> None:
    found = {
        (str(file.relative_to(ROOT)), name)
        for app in ("txsite", "contacts", "transactions")
        for file in (ROOT / app).rglob("*.py")
        for name in caches_in(ast.parse(file.read_text()))
    }
    assert found == ALLOWED


def caches_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.name in CACHING)
        elif isinstance(node, ast.Attribute) and node.attr in CACHING:
            yield node.attr


# --- Writers


@pytest.mark.django_db(transaction=True)
def test_writer_at_a_higher_isolation_is_refused_rather_than_numbered_wrongly(
    psql: psycopg.Connection,
) -> None:
    made = [make_transaction() for _ in range(2)]
    [before] = psql.execute("SELECT revision FROM txsite_revision").fetchone() or (0,)
    update = "UPDATE transactions_transaction SET note = 'x' WHERE id = %s"
    with psycopg.connect(psql.info.dsn) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute(update, [made[0].pk])
        psql.execute(update, [made[1].pk])
        with pytest.raises(psycopg.errors.SerializationFailure):
            other.commit()
    assert psql.execute("SELECT revision FROM txsite_revision").fetchone() == (before + 1,)
    assert Transaction.objects.get(pk=made[0].pk).note == ""


# --- Connections


@pytest.mark.django_db(transaction=True)
def test_connection_that_the_server_ended_is_made_anew(psql: psycopg.Connection) -> None:
    def number() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    before = number()
    close_old_connections()  # as before every request
    assert number() == before
    assert psql.execute("SELECT pg_terminate_backend(%s, 10000)", [before]).fetchone() == (True,)
    close_old_connections()
    assert number() != before


@pytest.mark.django_db(transaction=True)
def test_server_is_asked_whether_it_lives_unless_it_has_said_so_lately(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    clock = [monotonic() + base.LATELY]

    def ask(wrapper: base.DatabaseWrapper) -> bool:
        asked.append(wrapper)
        return True

    monkeypatch.setattr(base, "monotonic", lambda: clock[0])
    monkeypatch.setattr(base.base.DatabaseWrapper, "is_usable", ask)
    connection.ensure_connection()
    for _ in range(3):
        assert connection.is_usable()
    assert len(asked) == 1
    clock[0] += base.LATELY
    assert connection.is_usable()
    assert len(asked) == 2
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert connection.is_usable()
    assert len(asked) == 3
    connection.connection.close()
    assert connection.is_usable()
    assert len(asked) == 4
    connection.close()


# --- Templates

WORD = re.compile(r"[\w.]+")


def test_what_is_drawn_once_in_a_process_tells_nothing_of_the_ledger() -> None:
    """Addresses of pages and files by quoted names, the choices of fields, and the values that
    the tag itself names."""
    choices = {"types", "statuses", "directions"}
    blocks = [
        found
        for file in ROOT.glob("*/templates/**/*.html")
        for found in re.findall(r"{% fixed(.*?) %}(.*?){% endfixed %}", file.read_text(), re.S)
    ]
    assert blocks
    for values, block in blocks:
        assert set(values.split()) <= {"here", "user.is_staff"}
        for variable in re.findall(r"{{ *(.*?) *}}", block):
            assert variable in choices
        for tag, rest in re.findall(r"{% *(\w+)(.*?) *%}", block):
            if tag in ("static", "url"):
                assert re.fullmatch(r" '[^']+'", rest), rest
            elif tag == "if":
                unquoted = re.sub(r"'[^']*'", "", rest)
                assert set(WORD.findall(unquoted)) <= set(values.split())
            else:
                assert tag == "endif"
