"""Names that differ in capitals alone are one, and shown in one way whichever file came first."""

from itertools import permutations
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_importer import ledger
from test_merging import bring_file

from contacts.models import Contact
from transactions.exports import csv_file
from transactions.imports.undo import undo
from transactions.models import ImportBatch, Label, Transaction, Wallet

pytestmark = pytest.mark.django_db

HEADER = "Date,Received Amount,Received Currency,TxHash,Wallet,Labels,Contact"
NAMES = ("Kraken", "kraken", "KRAKEN")


def bring(day: int, wallet: str, label: str = "", contact: str = "") -> ImportBatch:
    return bring_file(HEADER, f"2024-05-0{day} 12:00,1,BTC,t{day},{wallet},{label},{contact}")


def names() -> list[str]:
    return [Wallet.objects.get().name, Label.objects.get().name, Contact.objects.get().name]


def exported() -> list[Any]:
    found = [list(csv_file(Transaction.objects.all())), ledger()]
    transaction.set_rollback(True)
    return found


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=st.lists(
        st.tuples(
            st.integers(1, 2),
            st.sampled_from(NAMES),
            st.sampled_from(["Rent", "rent", "RENT", ""]),
            st.sampled_from(["Bob", "BOB", "bob", "Alice", ""]),
        ),
        min_size=2,
        max_size=3,
    )
)
def test_ledger_is_the_same_in_any_order(files: list[tuple[int, str, str, str]]) -> None:
    found = []
    for order in permutations(files):
        with transaction.atomic():
            for file in order:
                bring(*file)
            found.append(exported())
    assert all(one == found[0] for one in found)


def test_name_follows_the_files_that_are_in_the_ledger() -> None:
    bring(1, "kraken", "rent", "bob")
    assert names() == ["kraken", "rent", "bob"]
    second = bring(2, "Kraken", "RENT", "Bob")
    assert names() == ["Kraken", "RENT", "Bob"]
    bring(3, "kraken", "rent", "bob")
    assert names() == ["Kraken", "RENT", "Bob"]
    undo(second)
    assert names() == ["kraken", "rent", "bob"]
    for batch in ImportBatch.objects.filter(status="imported"):
        undo(batch)
    assert not Wallet.objects.exists()
    assert not Label.objects.exists()
    assert not Contact.objects.exists()


def test_name_that_a_person_gave_stays() -> None:
    Label.objects.create(name="rent")
    bring(1, "kraken", "Rent", "bob")
    Contact.objects.update(name="bOb")
    Wallet.objects.update(name="kraKen")
    bring(2, "Kraken", "RENT", "Bob")
    assert names() == ["kraKen", "rent", "bOb"]
