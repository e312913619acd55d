"""A synthetic ledger: the same for the same seed, and a ledger like any other."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.test import Client
from factories import make_transaction, make_user

from contacts.models import Contact
from transactions.exports import json_lines
from transactions.models import Balance, Entry, Transaction, TransactionLabel
from txsite.freshness.revisions import current_revision

pytestmark = pytest.mark.django_db(transaction=True)


def make(count: int, seed: int = 1) -> list[str]:
    call_command(
        "make_ledger", "--transactions", str(count), "--seed", str(seed), stdout=StringIO()
    )
    return list(json_lines(Transaction.objects.all()))


def test_ledger_is_like_any_other(client: Client) -> None:
    before = current_revision().number
    told = make(3_000)
    assert current_revision().number == before + 1
    assert (Transaction.objects.count(), Contact.objects.count()) == (3_000, 2_000)
    types = set(Transaction.objects.values_list("type", flat=True))
    assert types == {"send", "receive", "trade", "self", "call"}
    assert (
        Entry.objects.filter(transaction__status="failed", kind="transfer")
        .exclude(amount=0)
        .count()
        == 0
    )
    labelled = TransactionLabel.objects.values("transaction").distinct().count()
    assert 1_000 < labelled < 1_400
    assert len(set(told)) == 3_000
    sums = Entry.objects.values_list("wallet", "asset").annotate(sum=Sum("amount"))
    assert set(sums) == set(Balance.objects.values_list("wallet", "asset", "amount"))
    call_command("check", databases=["default"])
    client.force_login(make_user("Viewers"))
    assert client.get("/transactions/?label=Label+1").status_code == 200
    with pytest.raises(CommandError, match="transactions already"):
        call_command("make_ledger", "--transactions", "5")


def test_something_is_rare_and_something_popular(client: Client) -> None:
    make(6_000)
    client.force_login(make_user("Viewers"))

    def count(query: str) -> int:
        page = client.get(f"/transactions/?{query}&count=exact").content.decode()
        return int(page.partition('id="count">')[2].partition("<")[0].replace(",", ""))

    assert 1_100 < count("contact=Contact+1") < 1_300  # a fifth
    assert count("contact=Contact+2000") == 12
    assert 700 < count("label=Label+1") < 900
    assert count("label=Label+41") == count("q=zebra") == 1
    chosen = Transaction.objects.filter(contact__isnull=False)
    assert set(chosen.values_list("is_edited", flat=True)) == {True}
    assert set(chosen.values_list("contact__name", flat=True)) == {"Contact 1", "Contact 2000"}


def test_another_seed_is_another_ledger_and_the_same_is_the_same() -> None:
    from django.core.management.commands import flush

    ledgers = []
    for seed in (1, 1, 2):
        ledgers.append(make(200, seed))
        call_command(flush.Command(), interactive=False)
    assert ledgers[0] == ledgers[1] != ledgers[2]


@pytest.mark.parametrize("count", ["0", "-1", "1000000000"])
def test_size_that_cannot_be_is_refused(count: str) -> None:
    with pytest.raises(CommandError, match="--transactions is from 1"):
        call_command("make_ledger", "--transactions", count)


def test_ledger_that_has_something_is_left_alone() -> None:
    make_transaction()
    with pytest.raises(CommandError, match="Use an empty database"):
        call_command("make_ledger", "--transactions", "5")
    assert Transaction.objects.count() == 1
