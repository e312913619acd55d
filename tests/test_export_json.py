"""The JSON export: one object a line, exact, in an order of its own, from one snapshot."""

import json
from contextlib import closing
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.test import Client
from factories import (
    START,
    make_address,
    make_asset,
    make_contact,
    make_transaction,
    make_user,
    make_wallet,
)

from transactions.amounts import format_amount
from transactions.exports import json_lines
from transactions.models import Asset, Transaction, Wallet

URL = "/transactions/export/"
SHOP = "0x0000000000000000000000000000000000000b0b"


@pytest.fixture
def viewer(db: None) -> Client:
    client = Client()
    client.force_login(make_user("Viewers"))
    return client


def exported(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"{URL}?format=json{query}")
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.getvalue().decode().splitlines()]


def test_a_transaction_is_told_completely(viewer: Client) -> None:
    make_address(SHOP, contact=make_contact("Alice"))
    make_transaction(
        [
            {"amount": "-1.50", "counterparty": SHOP},
            {"amount": "-0.00001", "kind": "fee"},
        ],
        labels=["Tax", "Rent"],
        note="May",
        contact=make_contact("Bob"),
        txid="0x" + "1" * 64,
        timestamp=START,
        type="send",
    )
    assert exported(viewer) == [
        {
            "txid": "0x" + "1" * 64,
            "network": "ethereum",
            "timestamp": "2024-01-01T00:00:00Z",
            "type": "send",
            "status": "ok",
            "note": "May",
            "contact": "Bob",
            "labels": ["Rent", "Tax"],
            "entries": [
                {
                    "wallet": "0x00000000000000000000000000000000000000a1",
                    "asset": "ETH",
                    "contract": None,
                    "amount": "-0.00001",
                    "kind": "fee",
                    "counterparty": None,
                    "contact": None,
                },
                {
                    "wallet": "0x00000000000000000000000000000000000000a1",
                    "asset": "ETH",
                    "contract": None,
                    "amount": "-1.5",
                    "kind": "transfer",
                    "counterparty": SHOP,
                    "contact": "Alice",
                },
            ],
        }
    ]


def test_an_accounts_row_is_told_by_its_own_id_and_the_accounts_name(viewer: Client) -> None:
    kraken = make_wallet("Kraken", kind=Wallet.Kind.EXCHANGE)
    coin = make_asset("BTC", network="kraken", kind=Asset.Kind.EXCHANGE)
    make_transaction(
        [{"amount": 1, "wallet": kraken, "asset": coin}], source_wallet=kraken, external_id="L-1"
    )
    (told,) = exported(viewer)
    assert (told["txid"], told["network"]) == ("L-1", None)
    assert (told["entries"][0]["wallet"], told["entries"][0]["contract"]) == ("Kraken", None)


def test_a_token_is_told_by_its_contract(viewer: Client) -> None:
    make_transaction([{"asset": make_asset("USDC", code="0x" + "c" * 40)}])
    assert exported(viewer)[0]["entries"][0]["contract"] == "0x" + "c" * 40


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("9" * 78 + "." + "9" * 30, "9" * 78 + "." + "9" * 30),
        ("-0.000000000000000000000000000001", "-0.000000000000000000000000000001"),
        ("1E+20", "100000000000000000000"),
        ("0E-18", "0"),
        ("-0.00", "0"),
        ("319.225622004986860510", "319.22562200498686051"),
    ],
)
def test_amounts_are_exact_text(viewer: Client, amount: str, text: str) -> None:
    make_transaction([{"amount": amount}])
    assert exported(viewer)[0]["entries"][0]["amount"] == text
    entry = Transaction.objects.get().entries.get()
    assert format_amount(entry.amount) == text


def test_the_order_is_time_network_and_txid(viewer: Client) -> None:
    for txid, network, minutes in (("b", "polygon", 0), ("a", "polygon", 0), ("c", "bsc", 0)):
        make_transaction(txid=txid, network=network, timestamp=START + timedelta(minutes=minutes))
    make_transaction(txid="first", timestamp=START - timedelta(days=1))
    assert [told["txid"] for told in exported(viewer)] == ["first", "c", "a", "b"]


def test_the_lists_filter_chooses_what_is_exported(viewer: Client) -> None:
    make_transaction(labels=["Rent"], txid="0x1")
    make_transaction(txid="0x2")
    assert [told["txid"] for told in exported(viewer, "&label=rent")] == ["0x1"]
    assert [told["txid"] for told in exported(viewer, "&label=-rent&sort=-time")] == ["0x2"]


@pytest.mark.parametrize(
    "query",
    ["", "?format=narnia", "?format=json&nonsense=1", "?format=json&label=unknown",
     "?format=json&date_after=yesterday", "?format=json&amount_min=1e999999"],
)  # fmt: skip
def test_what_cannot_be_read_exports_nothing(viewer: Client, query: str) -> None:
    make_transaction(txid="0xCANARY")
    answer = viewer.get(URL + query)
    assert answer.status_code == 400
    assert b"CANARY" not in answer.content


def test_an_empty_ledger_is_an_empty_file(viewer: Client) -> None:
    assert exported(viewer) == []


def test_who_may_not_see_transactions_may_not_export_them(db: None) -> None:
    make_transaction()
    client = Client()
    assert client.get(f"{URL}?format=json").status_code == 302
    client.force_login(make_user(None))
    assert client.get(f"{URL}?format=json").status_code == 403
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_the_number_of_queries_does_not_grow(django_assert_num_queries: Any) -> None:
    for _ in range(5):
        make_transaction([{}, {"amount": 2}], labels=["Rent", "Tax"])
    # A savepoint, its mode, its revision, the ids; what a thousand of them tell, and their labels,
    # entries, wallets, assets and other sides; how labels look; and its end.
    with django_assert_num_queries(11):
        few = list(json_lines(Transaction.objects.all()))
    assert len(few) == 5


@pytest.mark.django_db(transaction=True)
def test_an_export_sees_one_moment_to_its_last_byte() -> None:
    make_transaction()
    make_transaction()
    lines = json_lines(Transaction.objects.all())
    next(lines)
    with closing(connections.create_connection("default")) as other:
        other.cursor().execute("UPDATE transactions_transaction SET note = 'edited meanwhile'")
    assert not Transaction.objects.exclude(note="").exists()
    assert "edited meanwhile" not in next(lines)
    assert next(lines, None) is None
    assert Transaction.objects.exclude(note="").count() == 2


@pytest.mark.django_db
def test_the_command_prints_the_same() -> None:
    make_transaction(labels=["Rent"])
    make_transaction()
    out = StringIO()
    call_command("export_transactions", stdout=out)
    assert out.getvalue() == "".join(json_lines(Transaction.objects.all()))
    out = StringIO()
    call_command("export_transactions", "--filter", "?label=rent", stdout=out)
    assert len(out.getvalue().splitlines()) == 1


@pytest.mark.django_db
def test_the_command_refuses_a_filter_that_it_cannot_read() -> None:
    with pytest.raises(CommandError, match="There is no filter “nonsense”"):
        call_command("export_transactions", "--filter", "nonsense=1", stdout=StringIO())
