"""`manage.py balances`: exact, per wallet and asset."""

import json
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from factories import make_asset, make_transaction, make_wallet

from transactions.balances import balances
from transactions.models import Wallet

pytestmark = pytest.mark.django_db


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("balances", *arguments, stdout=out)
    return out.getvalue()


def test_a_balance_is_the_exact_sum_of_entries_fees_included() -> None:
    make_transaction([{"amount": "9" * 60 + ".000000000000000000000000000001"}])
    make_transaction([{"amount": "-1"}, {"amount": "-0.5", "kind": "fee"}])
    (balance,) = balances()
    assert balance.amount == Decimal("9" * 59 + "7.500000000000000000000000000001")
    assert balance.count == 2


def test_json_lists_every_wallet_and_asset_zero_too() -> None:
    kraken = make_wallet("Kraken", kind=Wallet.Kind.EXCHANGE)
    usdc = make_asset("USDC", code="0x" + "c" * 40)
    make_transaction([{"amount": "1.50"}, {"amount": "2", "asset": usdc}])
    make_transaction([{"amount": "-2", "asset": usdc}])
    make_transaction(
        [{"amount": 1, "asset": make_asset("EUR", "fiat", kind="fiat"), "wallet": kraken}]
    )
    ours = "0x00000000000000000000000000000000000000a1"
    assert json.loads(printed("--format", "json")) == [
        {
            "wallet": ours,
            "asset": "ETH",
            "contract": None,
            "network": "ethereum",
            "amount": "1.5",
        },
        {
            "wallet": ours,
            "asset": "USDC",
            "contract": "0x" + "c" * 40,
            "network": "ethereum",
            "amount": "0",
        },
        {
            "wallet": "Kraken",
            "asset": "EUR",
            "contract": None,
            "network": "fiat",
            "amount": "1",
        },
    ]


def test_text_has_a_line_for_each() -> None:
    make_transaction([{"amount": "1.50"}])
    assert printed() == "0x00000000000000000000000000000000000000a1  1.5 ETH (ethereum)\n"


def test_two_assets_of_one_symbol_are_not_added_up() -> None:
    make_transaction([{"asset": make_asset("USDC", code="0x" + "c" * 40)}])
    make_transaction([{"asset": make_asset("USDC", code="0x" + "d" * 40)}])
    assert [balance.amount for balance in balances()] == [Decimal(1), Decimal(1)]


def test_an_empty_ledger_has_no_balances() -> None:
    assert printed("--format", "json") == "[]\n"
    assert printed() == ""
