"""Rules of the ledger that the database holds, whoever writes."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from factories import (
    make_address,
    make_asset,
    make_batch,
    make_contact,
    make_entry,
    make_label,
    make_transaction,
    make_wallet,
    our_wallet,
)

from transactions.models import (
    Asset,
    Entry,
    ImportLine,
    Label,
    Transaction,
    TransactionLabel,
    Wallet,
)

pytestmark = pytest.mark.django_db


def refused(rule: str) -> Any:
    return pytest.raises(IntegrityError, match=rule)


# Wallets, assets, labels


def test_a_wallets_name_is_unique_whatever_its_case() -> None:
    make_wallet("Kraken", kind=Wallet.Kind.EXCHANGE)
    with refused("wallet_name_is_unique"):
        make_wallet("KRAKEN", kind=Wallet.Kind.HD)


def test_wallets_of_addresses_may_go_without_a_name() -> None:
    make_wallet()
    make_wallet()
    assert Wallet.objects.filter(name="").count() == 2


def test_an_address_is_one_wallet() -> None:
    wallet = make_wallet()
    with refused("address_id"):
        Wallet.objects.create(kind="address", address=wallet.address)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "address"},
        {"kind": "address", "venue": "kraken"},
        {"kind": "hd"},
        {"kind": "exchange", "name": "Kraken"},
        {"kind": "exchange", "venue": "kraken"},
        {"kind": "purse", "name": "Kraken", "venue": "kraken"},
    ],
)
def test_a_wallet_is_known_as_its_kind_is(fields: dict[str, str]) -> None:
    with refused("wallet_identity_fits_kind"):
        Wallet.objects.create(**fields)


@pytest.mark.parametrize("name", [" Kraken", "Kraken ", "Kra\nken"])
def test_a_wallets_name_is_one_clean_line(name: str) -> None:
    with refused("wallet_name_is_clean"):
        Wallet.objects.create(kind="hd", name=name)


def test_an_asset_is_known_by_its_contract_and_never_by_its_symbol() -> None:
    make_asset("USDC", code="0x1")
    Asset.objects.create(kind="token", network="ethereum", code="0x2", symbol="USDC")
    with refused("asset_is_unique"):
        Asset.objects.create(kind="token", network="ethereum", code="0x1", symbol="Other")


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "native", "network": "ethereum", "code": "0x1"},
        {"kind": "token", "network": "ethereum"},
        {"kind": "token", "network": "ethereum", "code": "0x1", "token_id": "7"},
        {"kind": "nft", "network": "ethereum", "code": "0x1"},
        {"kind": "exchange", "network": "kraken"},
        {"kind": "fiat", "network": "kraken", "code": "EUR"},
        {"kind": "shell", "network": "ethereum"},
    ],
)
def test_an_asset_is_known_as_its_kind_is(fields: dict[str, str]) -> None:
    with refused("asset_identity_fits_kind"):
        Asset.objects.create(symbol="X", **fields)


@pytest.mark.parametrize("fields", [{"symbol": ""}, {"network": ""}])
def test_an_asset_has_a_symbol_and_a_network(fields: dict[str, str]) -> None:
    with refused("asset_has_symbol_and_network"):
        Asset.objects.create(**{"kind": "native", "symbol": "X", "network": "bsc", **fields})


def test_a_labels_name_is_unique_whatever_its_case() -> None:
    make_label("Rent")
    with refused("label_name_is_unique"):
        Label.objects.create(name="rENT")


@pytest.mark.parametrize("name", ["", " Rent", "Re\tnt"])
def test_a_labels_name_is_one_clean_line(name: str) -> None:
    with refused("label_name_is_clean"):
        Label.objects.create(name=name)


def test_a_label_has_a_colour_that_the_pages_know() -> None:
    with refused("label_colour_is_known"):
        Label.objects.create(name="Rent", colour="plaid")


# Transactions


def test_a_transaction_is_known_once_on_its_network() -> None:
    make_transaction(txid="0x1")
    make_transaction(txid="0x1", network="polygon")
    with refused("transaction_txid_is_unique"):
        make_transaction(txid="0x1")


def test_a_record_is_known_once_in_its_account() -> None:
    kraken = make_wallet("Kraken", kind=Wallet.Kind.EXCHANGE)
    make_transaction(source_wallet=kraken, external_id="L-1")
    make_transaction(source_wallet=our_wallet(), external_id="L-1")
    with refused("transaction_external_id_is_unique"):
        make_transaction(source_wallet=kraken, external_id="L-1")


@pytest.mark.parametrize(
    "fields",
    [
        {"txid": None},
        {"network": None},
        {"network": None, "txid": None},
        {"external_id": "L-1"},
    ],
)
def test_a_transaction_has_exactly_one_identity(fields: dict[str, Any]) -> None:
    with refused("transaction_has_one_identity"):
        make_transaction(**fields)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"txid": "0x 1"}, "transaction_identity_is_written_well"),
        ({"txid": ""}, "transaction_identity_is_written_well"),
        ({"network": "Ethereum!"}, "transaction_identity_is_written_well"),
        ({"status": "maybe"}, "transaction_status_is_known"),
        ({"type": "theft"}, "transaction_type_is_known"),
        ({"block": -1}, "transaction_block"),
        ({"note": "n" * 10_001}, "transaction_note_fits"),
    ],
)
def test_a_transactions_fields_make_sense(fields: dict[str, Any], rule: str) -> None:
    with refused(rule):
        make_transaction(**fields)


def test_a_transaction_has_a_label_once() -> None:
    record = make_transaction(labels=["Rent"])
    with refused("transaction_has_label_once"):
        TransactionLabel.objects.create(transaction=record, label=make_label("Rent"))


def test_a_contact_that_goes_leaves_its_transactions() -> None:
    record = make_transaction(contact=make_contact("Alice"))
    assert record.contact
    record.contact.delete()
    record.refresh_from_db()
    assert record.contact is None


# Versions


def test_what_people_edit_raises_the_version_and_marks_it() -> None:
    record = make_transaction()
    Transaction.objects.update(note="May")
    record.refresh_from_db()
    assert (record.version, record.is_edited) == (2, True)


def test_what_files_tell_raises_no_version() -> None:
    record = make_transaction()
    Transaction.objects.update(block=5, method="swap", type="gift", is_type_told=True)
    record.refresh_from_db()
    assert (record.version, record.is_edited) == (1, False)


def test_an_import_that_writes_a_note_is_no_edit() -> None:
    record = make_transaction()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL txsite.importing = 'on'")
        Transaction.objects.update(note="May")
        cursor.execute("SET LOCAL txsite.importing = 'off'")
    record.refresh_from_db()
    assert (record.version, record.is_edited) == (2, False)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (lambda: make_label("Rent"), {"description": "monthly"}),
        (lambda: make_wallet("Main"), {"name": "Spending"}),
        (make_asset, {"symbol": "Ether"}),
    ],
)
def test_the_version_counts_changes_whatever_it_is_set_to(make: Any, change: dict) -> None:
    made = make()
    rows = type(made).objects.filter(pk=made.pk)
    rows.update(version=99, **change)
    rows.update(version=99)
    made.refresh_from_db()
    assert made.version == 2


# Entries


def test_an_entry_is_there_once_and_unknown_addresses_are_equal() -> None:
    record = make_transaction([{}])
    with refused("entry_is_unique"):
        make_entry(record)


def test_an_ordinal_tells_genuine_repeats_apart() -> None:
    record = make_transaction([{}, {"ordinal": 1}])
    assert record.entries.count() == 2


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "fee", "amount": "0.1"},
        {"kind": "fee", "amount": "-1", "counterparty": "0x" + "b" * 40},
        {"kind": "gift"},
    ],
)
def test_a_fee_is_paid_and_goes_to_nobody_in_particular(entry: dict[str, str]) -> None:
    with refused("entry_fee_is_paid"):
        make_transaction([entry])


@pytest.mark.parametrize("amount", ["1e78", "-1e78", "1e-31", "NaN", "Infinity"])
def test_an_amount_that_does_not_fit_is_refused_and_never_rounded(amount: str) -> None:
    with refused("entry_amount_fits"), connection.cursor() as cursor:
        record = make_transaction([])
        cursor.execute(
            "INSERT INTO transactions_entry"
            " (transaction_id, timestamp, wallet_id, asset_id, amount, kind, ordinal)"
            " VALUES (%s, %s, %s, %s, %s::numeric, 'transfer', 0)",
            [record.pk, record.timestamp, our_wallet().pk, make_asset().pk, amount],
        )


@pytest.mark.parametrize("amount", ["9" * 78, "-" + "9" * 78 + "." + "9" * 30, "1e-30"])
def test_an_amount_that_fits_comes_back_to_the_last_digit(amount: str) -> None:
    record = make_transaction([{"amount": amount}])
    assert record.entries.get().amount == Decimal(amount)


@pytest.mark.django_db(transaction=True)
def test_an_entrys_time_is_its_transactions() -> None:
    record = make_transaction([{}])
    later = record.timestamp + timedelta(hours=1)
    with refused("entry_has_its_transactions_time"):
        Entry.objects.update(timestamp=later)
    Transaction.objects.update(timestamp=later)
    assert record.entries.get().timestamp == later


@pytest.mark.django_db(transaction=True)
def test_an_entry_goes_with_its_transaction_and_comes_with_none_missing() -> None:
    record = make_transaction([{}])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM transactions_transaction WHERE id = %s", [record.pk])
    assert not Entry.objects.exists()
    with refused("entry_has_its_transactions_time"):
        make_entry(record, amount=2)


def test_wallets_assets_and_addresses_in_use_stay() -> None:
    (entry,) = make_transaction([{"counterparty": make_address()}]).entries.all()
    assert entry.counterparty
    for used in (entry.wallet, entry.asset, entry.counterparty):
        with pytest.raises(ProtectedError):
            used.delete()


# A failed transaction moves nothing but its fee


def test_a_failed_transaction_has_its_fee_and_a_zero() -> None:
    make_transaction([{"amount": 0}, {"amount": -1, "kind": "fee"}], status="failed")


def test_a_failed_transaction_gets_no_movement() -> None:
    record = make_transaction([], status="failed")
    with refused("failed, so it moved nothing"), transaction.atomic():
        make_entry(record, amount=-1)
    entry = make_entry(record, amount=0)
    with refused("failed, so it moved nothing"):
        Entry.objects.filter(pk=entry.pk).update(amount=1)


def test_a_transaction_that_moved_something_cannot_have_failed() -> None:
    make_transaction([{"amount": -1}])
    with refused("failed, so it moved nothing"):
        Transaction.objects.update(status="failed")


# Imports


def test_a_line_of_a_file_is_told_once() -> None:
    batch = make_batch(lines=[{"number": 2}])
    with refused("import_line_is_unique"):
        ImportLine.objects.create(batch=batch, number=2, outcome="known", raw="")


def test_a_line_stays_when_its_transaction_goes() -> None:
    record = make_transaction()
    batch = make_batch(lines=[{"transaction": record}])
    Transaction.objects.filter(pk=record.pk).delete()
    assert batch.lines.get().transaction is None


def test_the_same_file_may_be_read_again() -> None:
    make_batch(sha256="a" * 64)
    make_batch(sha256="a" * 64)
