"""The demo ledger: loaded through the importer, once, with a login only where it may be."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from factories import make_batch, make_user

from transactions.imports.formats import open_table
from transactions.imports.rows import Options
from transactions.management.commands.load_demo import FILES, OPTIONS, PASSWORD, USER
from transactions.models import ImportBatch, ImportLine, Label, Transaction, Wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def private_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where nobody has set up a server of their own."""
    monkeypatch.delenv("DATABASE_URL")


def load() -> str:
    out = StringIO()
    call_command("load_demo", stdout=out)
    return out.getvalue()


def test_the_demo_files_are_all_imported_and_no_line_is_rejected() -> None:
    assert set(OPTIONS) == {path.name for path in FILES.glob("*.csv")}
    load()
    assert ImportBatch.objects.filter(status="imported").count() == len(OPTIONS)
    assert not ImportLine.objects.filter(outcome="rejected").exists()
    assert 60 <= Transaction.objects.count() <= 120
    assert {"send", "receive", "self", "trade"} <= set(
        Transaction.objects.values_list("type", flat=True)
    )
    assert sorted(Wallet.objects.values_list("name", flat=True)) == [
        "Cold storage",
        "Kraken",
        "Main",
        "Savings",
    ]


def test_every_label_of_the_demo_is_on_a_transaction() -> None:
    load()
    assert Label.objects.exists()
    assert not Label.objects.filter(transactions=None).exists()


def test_a_second_time_does_nothing() -> None:
    load()
    before = (ImportBatch.objects.count(), Transaction.objects.count(), Label.objects.count())
    load()
    after = (ImportBatch.objects.count(), Transaction.objects.count(), Label.objects.count())
    assert after == before


def test_a_ledger_that_has_files_gets_none() -> None:
    make_batch()
    load()
    assert not Transaction.objects.exists()


@pytest.mark.usefixtures("private_server")
def test_the_login_is_made_only_while_debugging(settings: Any) -> None:
    assert "Log in" not in load()
    assert not User.objects.exists()
    settings.DEBUG = True
    assert f"Log in as {USER} with the password {PASSWORD}." in load()
    user = User.objects.get()
    assert user.check_password(PASSWORD)
    assert user.is_staff
    assert not user.is_superuser
    assert user.has_perm("transactions.add_importbatch")


def test_the_options_are_those_that_the_files_need() -> None:
    for name, said in OPTIONS.items():
        with (FILES / name).open("rb") as file:
            known, table = open_table(file, name)
            assert (
                known.questions(table, Options(said.get("wallet", ""), said.get("network", "")))
                == []
            )


@pytest.mark.usefixtures("private_server")
def test_a_site_that_has_users_gets_no_login(settings: Any) -> None:
    settings.DEBUG = True
    make_user("Managers", "alice")
    assert "Log in" not in load()
    assert [user.username for user in User.objects.all()] == ["alice"]


@pytest.mark.usefixtures("private_server")
def test_a_login_with_a_password_of_its_own_is_not_told(settings: Any) -> None:
    settings.DEBUG = True
    load()
    user = User.objects.get()
    user.set_password("something better")
    user.save()
    assert "Log in" not in load()


def test_a_server_that_somebody_set_up_gets_no_login(settings: Any) -> None:
    settings.DEBUG = True
    assert "Log in" not in load()
    assert not User.objects.exists()
