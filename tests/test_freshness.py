"""A page is never older than the database, and never contradicts itself."""

import os
import re
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.template.response import TemplateResponse
from django.test import Client, override_settings
from django.urls import path
from factories import make_contact, make_label, make_transaction

from contacts.models import Contact
from transactions.models import Transaction
from txsite.urls import urlpatterns as site

pytestmark = pytest.mark.django_db(transaction=True)


def test_next_page_shows_what_somebody_else_has_committed(
    viewer: Client, psql: psycopg.Connection
) -> None:
    make_transaction(labels=["Rent"], note="before", contact=make_contact("Alice"))
    assert "before" in viewer.get("/transactions/").content.decode()
    for statement, shown in (
        ("UPDATE transactions_transaction SET note = 'after'", "after"),
        ("UPDATE transactions_label SET name = 'Miete'", "Miete"),
        ("UPDATE contacts_contact SET name = 'Alisa'", "Alisa"),
        ("UPDATE transactions_entry SET amount = 777", "777"),
        ("DELETE FROM transactions_transactionlabel", ""),
    ):
        psql.execute(statement)
        assert shown in viewer.get("/transactions/").content.decode()
    assert "Miete" not in viewer.get("/transactions/").content.decode()


def test_choices_and_completions_are_read_anew(viewer: Client, psql: psycopg.Connection) -> None:
    assert viewer.get("/transactions/?label=Rent").status_code == 400
    psql.execute(
        "INSERT INTO transactions_label (name, colour, description, version) "
        "VALUES ('Rent', 'red', '', 1)"
    )
    assert viewer.get("/transactions/?label=Rent").status_code == 200
    assert viewer.get("/labels/complete/?q=R").json() == ["Rent"]


def read_twice(request: HttpRequest) -> HttpResponse:
    """Counts before and, in the template, after somebody else has committed a contact."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
        before = Contact.objects.count()
        other.execute("INSERT INTO contacts_contact (name, note, version) VALUES ('Bob', '', 1)")

    class Later:
        def __str__(self) -> str:
            return str(Contact.objects.count())

    template = Template("{{ before }} {{ later }}")
    return TemplateResponse(request, WithoutEngine(template), {"before": before, "later": Later()})


class WithoutEngine:
    """A template made from text, as a TemplateResponse takes it."""

    def __init__(self, template: Template) -> None:
        self.template = template

    def render(
        self, context: dict[str, Any] | None = None, request: HttpRequest | None = None
    ) -> str:
        return self.template.render(Context(context))


def write(request: HttpRequest) -> HttpResponse:
    Contact.objects.create(name="Mallory")
    return HttpResponse()


urlpatterns = [path("read-twice/", read_twice), path("write/", write), *site]


@override_settings(ROOT_URLCONF=__name__)
def test_view_and_template_of_one_page_see_the_same_moment(viewer: Client) -> None:
    assert viewer.get("/read-twice/").content == b"0 0"
    assert Contact.objects.count() == 1


@override_settings(ROOT_URLCONF=__name__)
def test_get_cannot_write(viewer: Client) -> None:
    viewer.raise_request_exception = False
    assert viewer.get("/write/").status_code == 500
    assert not Contact.objects.exists()


def test_nothing_outlives_a_request(viewer: Client, psql: psycopg.Connection) -> None:
    make_transaction()
    viewer.get("/transactions/")
    assert not connection.in_atomic_block
    [state] = psql.execute(
        "SELECT state FROM pg_stat_activity WHERE pid = %s",
        [connection.connection.info.backend_pid],
    ).fetchall()
    assert state == ("idle",)


@pytest.mark.parametrize(
    "page",
    ["/transactions/", "/transactions/?label=Nobody", "/balances/", "/contacts/", "/imports/"],
)
def test_no_page_about_data_is_kept_by_browser_or_proxy(viewer: Client, page: str) -> None:
    kept = viewer.get(page)["Cache-Control"]
    assert {"no-store", "private", "no-cache"} <= set(re.split(r",\s*", kept))


def test_count_and_rows_of_one_page_agree_while_somebody_else_writes(
    viewer: Client, psql: psycopg.Connection
) -> None:
    label = make_label("Rent")
    for _ in range(5):
        make_transaction(labels=[label])
    seen: list[tuple[int, int]] = []

    def interfere(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        result = execute(sql, params, many, context)
        if "transactions_transaction" in sql:
            psql.execute(
                "DELETE FROM transactions_transactionlabel WHERE id = "
                "(SELECT min(id) FROM transactions_transactionlabel)"
            )
        return result

    for _ in range(2):
        with connection.execute_wrapper(interfere):
            page = viewer.get("/transactions/?label=Rent").content.decode()
        count = re.search(r'id="count">(\d+)<', page)
        seen.append((int(count[1]) if count else 0, page.count("data-id=")))
    assert all(count == rows for count, rows in seen)
    assert seen[0] == (5, 5)
    assert seen[1][0] < 5
    assert Transaction.objects.count() == 5
