"""Saving what files say: one transaction however many files tell of it, whatever their order."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from time import monotonic, sleep
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.backends.utils import CursorWrapper
from factories import make_batch, make_contact, make_label, make_transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.models import Address, Contact
from transactions.exports import json_lines
from transactions.imports.importer import MANY_NEW, import_staged
from transactions.imports.merge import merge
from transactions.imports.rows import (
    AssetName,
    FileError,
    Movement,
    Options,
    Reading,
    Rejected,
    Row,
)
from transactions.imports.staging import call_by_new_names, stage
from transactions.models import (
    Asset,
    Entry,
    ImportBatch,
    ImportLine,
    Label,
    Transaction,
    Wallet,
)

OURS = "0x00000000000000000000000000000000000000a1"
OURS_TOO = "0x00000000000000000000000000000000000000a2"
SHOP = "0x0000000000000000000000000000000000000b0b"
NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
ETH = AssetName("native")
USDC = AssetName("token", "0x" + "c" * 40, symbol="USDC", name="USD Coin")
HASH = "0x" + "1" * 64
OTHER_HASH = "0x" + "2" * 64

Told = Row | Rejected


def moved(
    amount: str | int, asset: AssetName = ETH, counterparty: str = SHOP, kind: str = "transfer"
) -> Movement:
    return Movement(Decimal(amount), asset, kind, counterparty if kind == "transfer" else "")  # type: ignore[arg-type]


def fee(amount: str = "-0.001") -> Movement:
    return moved(amount, kind="fee")


def row(*movements: Movement, line: int = 2, **fields: Any) -> Row:
    """A line of Ethereum's; another `txid` makes it another transaction's."""
    fields = {"network": "ethereum", "txid": HASH, "timestamp": NOON, **fields}
    movements = movements or (moved(1),)
    # As in a file, the same text says the same.
    raw = f"line {line} {movements} {fields}"
    return Row(line=line, raw=raw, movements=movements, **fields)


def account_row(*movements: Movement, external_id: str = "T-1", **fields: Any) -> Row:
    """A line of an exchange's account."""
    return row(*movements, network="", txid="", external_id=external_id, **fields)


def coin(code: str) -> AssetName:
    return AssetName("code", code, symbol=code)


def load(*rows: Told, wallet: str = OURS) -> ImportBatch:
    """One file with these lines, numbered from 2, imported."""
    batch = make_batch(status="running")
    lines = [replace(row, line=number) for number, row in enumerate(rows, start=2)]
    import_staged(batch, lambda cursor: staged(cursor, lines, wallet))
    return ImportBatch.objects.get(pk=batch.pk)


def staged(cursor: CursorWrapper, rows: Sequence[Told], wallet: str = OURS) -> Reading:
    reading = Reading(Options(wallet=wallet), iter(rows))
    stage(cursor, reading)
    call_by_new_names(cursor, 0)
    return reading


def counts(batch: ImportBatch) -> dict[str, int]:
    names = ("new", "adds", "changed", "known", "conflict", "rejected")
    return {name: getattr(batch, name) for name in names if getattr(batch, name)}


def details(batch: ImportBatch) -> list[str]:
    return list(batch.lines.order_by("number").values_list("detail", flat=True))


def entries(**fields: Any) -> list[tuple[str, str, Decimal]]:
    """(asset, kind, amount) of every entry, in the order of amounts."""
    found = Entry.objects.filter(**fields).order_by("amount", "asset__symbol")
    return list(found.values_list("asset__symbol", "kind", "amount"))


def ledger() -> dict[str, Any]:
    """Everything that the files decide, in an order of its own."""
    return {
        "export": list(json_lines(Transaction.objects.all())),
        "more": sorted(
            Transaction.objects.values_list(
                "txid", "external_id", "method", "block", "is_type_told"
            ),
            key=str,
        ),
        "entries": sorted(
            Entry.objects.values_list(
                "transaction__txid", "transaction__external_id", "timestamp", "amount", "ordinal"
            ),
            key=str,
        ),
        "assets": sorted(Asset.objects.values_list("network", "code", "symbol", "name")),
    }


# What comes into being


@pytest.mark.django_db
def test_a_line_makes_transaction_entries_wallet_asset_and_address() -> None:
    batch = load(row(moved("-0.5"), fee("-0.001"), method="transfer", block=7, note="Rent for May"))
    assert counts(batch) == {"new": 1}
    record = Transaction.objects.get()
    assert (record.network, record.txid, record.timestamp) == ("ethereum", HASH, NOON)
    assert (record.type, record.status, record.method) == ("send", "ok", "transfer")
    assert (record.block, record.note, record.is_edited) == (7, "Rent for May", False)
    assert entries() == [
        ("ETH", "transfer", Decimal("-0.5")),
        ("ETH", "fee", Decimal("-0.001")),
    ]
    wallet = Wallet.objects.get()
    assert (wallet.kind, wallet.name, str(wallet.address)) == ("address", "", _display(OURS))
    assert Address.objects.filter(family="evm", value=SHOP, contact=None).count() == 1
    line = batch.lines.get()
    assert (line.outcome, line.raw[:6], line.transaction) == ("new", "line 2", record)


def _display(value: str) -> str:
    return Address(family="evm", value=value).display


@pytest.mark.django_db
def test_the_same_lines_again_add_nothing() -> None:
    rows = [row(moved("-0.5"), fee(), labels=("Rent",), contact="Alice", note="May")]
    load(*rows)
    before, version = ledger(), Transaction.objects.get().version
    batch = load(*rows)
    assert counts(batch) == {"known": 1}
    assert (batch.status, details(batch)) == ("imported", [""])
    assert (ledger(), Transaction.objects.get().version) == (before, version)


@pytest.mark.django_db
def test_a_transfer_between_two_of_our_wallets_is_one_transaction() -> None:
    load(row(moved(-1, counterparty=OURS_TOO), fee()), wallet=OURS)
    batch = load(row(moved(1, counterparty=OURS)), wallet=OURS_TOO)
    assert details(batch) == ["adds +1 ETH from 0x0000…00a1; type send → self"]
    record = Transaction.objects.get()
    assert record.type == "self"
    assert set(record.entries.values_list("wallet__address__value", flat=True)) == {OURS, OURS_TOO}


@pytest.mark.django_db
def test_exact_amounts_survive() -> None:
    small, large = "0.000000000000000000000000000001", "9" * 78
    load(row(moved(small), moved(f"{large}.5", USDC)))
    assert {amount for _, _, amount in entries()} == {Decimal(small), Decimal(f"{large}.5")}


@pytest.mark.django_db
def test_identical_movements_of_one_file_are_all_kept() -> None:
    load(row(moved(-1)), row(moved(-1)), row(moved(-1)))
    assert len(entries()) == 3
    assert counts(load(row(moved(-1)), row(moved(-1)))) == {"known": 2}
    batch = load(*[row(moved(-1))] * 4)
    assert counts(batch) == {"known": 3, "adds": 1}
    assert len(entries()) == 4


@pytest.mark.django_db
def test_a_later_line_that_adds_to_a_new_transaction_is_new_too() -> None:
    batch = load(row(moved(-1)), row(moved(5, USDC)))
    assert counts(batch) == {"new": 2}
    assert Transaction.objects.get().type == "trade"


@pytest.mark.django_db
def test_an_accounts_rows_are_known_by_the_accounts_own_ids() -> None:
    load(account_row(moved(1, coin("btc"), "")), wallet="Kraken")
    load(account_row(moved(1, coin("BTC"), "")), wallet="kraken")
    load(account_row(moved(1, coin("BTC"), "")), wallet="Bitstamp")
    assert sorted(Wallet.objects.values_list("name", "kind", "venue")) == [
        ("Bitstamp", "exchange", "bitstamp"),
        ("Kraken", "exchange", "kraken"),
    ]
    assert Transaction.objects.count() == 2
    assert sorted(Asset.objects.values_list("kind", "network", "code")) == [
        ("exchange", "bitstamp", "BTC"),
        ("exchange", "kraken", "BTC"),
    ]


@pytest.mark.django_db
def test_a_currencys_code_is_the_currency_wherever_it_is_kept() -> None:
    load(account_row(moved(5, coin("eur"), "")), wallet="Kraken")
    load(account_row(moved(7, coin("EUR"), "")), wallet="Bitstamp")
    asset = Asset.objects.get()
    assert (asset.kind, asset.network, asset.code) == ("fiat", "fiat", "EUR")


@pytest.mark.django_db
def test_a_wallet_is_found_by_its_name_whatever_its_kind() -> None:
    Wallet.objects.create(kind="hd", name="Cold storage")
    load(account_row(moved(1, coin("BTC"), "")), wallet="cold STORAGE")
    assert Wallet.objects.get().kind == "hd"
    assert Asset.objects.get().network == "cold-storage"


@pytest.mark.django_db
def test_a_named_wallet_of_a_network_is_an_hd_wallet() -> None:
    load(row(moved(1, counterparty=""), network="bitcoin", txid="ab" * 32), wallet="Cold storage")
    assert Wallet.objects.get().kind == "hd"
    assert Asset.objects.get().symbol == "BTC"


@pytest.mark.django_db
def test_a_name_without_latin_letters_has_a_venue_too() -> None:
    load(account_row(moved(1, coin("BTC"), "")), wallet="取引所")
    assert Wallet.objects.get().venue.startswith("account-")


# Which wins


@pytest.mark.django_db
@pytest.mark.parametrize("symbols", list(permutations(["USDC", "", "USDC.e"])))
def test_of_a_tokens_symbols_the_last_in_the_alphabet_wins(symbols: tuple[str, ...]) -> None:
    for number, symbol in enumerate(symbols):
        load(row(moved(1, replace(USDC, symbol=symbol)), txid=f"0x{number:064x}"))
    assert Asset.objects.get().symbol == "USDC.e"


@pytest.mark.django_db
def test_a_token_without_a_symbol_is_called_by_its_contract() -> None:
    load(row(moved(1, replace(USDC, symbol="", name=""))))
    assert Asset.objects.get().symbol == "0xcccc…cccc"


@pytest.mark.django_db
def test_a_symbol_that_a_person_wrote_stays() -> None:
    load(row(moved(1, USDC)))
    Asset.objects.update(symbol="Dollars")
    load(row(moved(1, replace(USDC, symbol="ZZZ"))))
    assert Asset.objects.get().symbol == "Dollars"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("movements", "expected"),
    [
        ([moved(1)], "receive"),
        ([moved(-1), fee()], "send"),
        ([moved(-1), moved(5, USDC)], "trade"),
        ([moved(-1), moved(1)], "self"),
        ([moved(-3), moved(1)], "send"),
        ([moved(0)], "call"),
        ([moved(0), fee()], "call"),
        ([fee()], "call"),
        ([moved(0, counterparty=OURS)], "self"),
        ([moved(0, counterparty=OURS_TOO)], "call"),
        ([moved(0), moved(5, USDC)], "receive"),
    ],
)
def test_the_type_follows_from_what_moved(movements: list[Movement], expected: str) -> None:
    load(account_row(moved(1, coin("BTC"), "")), wallet="Kraken")
    load(row(*movements))
    assert Transaction.objects.get(txid=HASH).type == expected


@pytest.mark.django_db
def test_the_type_of_a_transaction_does_not_change_with_another_wallet() -> None:
    load(row(moved(0, counterparty=OURS_TOO)))
    load(row(moved(1), txid=OTHER_HASH), wallet=OURS_TOO)
    assert Transaction.objects.get(txid=HASH).type == "call"
    # Nor is it another for one that comes when the other wallet is known.
    load(row(moved(0, counterparty=OURS_TOO), txid="0x" + "3" * 64))
    assert Transaction.objects.get(txid="0x" + "3" * 64).type == "call"
    load(row(moved(0, counterparty=OURS)), wallet=OURS_TOO)
    assert Transaction.objects.get(txid=HASH).type == "self"


@pytest.mark.django_db
def test_a_type_that_a_file_tells_outranks_what_moved() -> None:
    told, mere = row(moved(-1), type="gift"), row(moved(5, USDC))
    for order in ([told, mere], [mere, told]):
        with transaction.atomic():
            for one in order:
                load(one)
            assert Transaction.objects.get().type == "gift"
            transaction.set_rollback(True)


@pytest.mark.django_db
def test_of_several_told_types_the_first_in_the_list_wins() -> None:
    batches = [load(row(type=told)) for told in ("gift", "airdrop", "income")]
    assert Transaction.objects.get().type == "airdrop"
    assert [details(batch) for batch in batches] == [
        ["+1 ETH from 0x0000…0b0b"],
        ["type gift → airdrop"],
        [""],
    ]


@pytest.mark.django_db
def test_a_confirmed_time_beats_a_pending_one_and_the_earliest_beats_others() -> None:
    for minutes, status in ((-60, "pending"), (5, "ok"), (3, "ok"), (4, "ok"), (-90, "pending")):
        load(row(timestamp=NOON + timedelta(minutes=minutes), status=status))
    record = Transaction.objects.get()
    assert (record.status, record.timestamp) == ("ok", NOON + timedelta(minutes=3))
    assert record.entries.get().timestamp == record.timestamp


@pytest.mark.django_db
def test_gaps_are_filled_and_disagreements_settled_by_value() -> None:
    load(row(block=9))
    batch = load(row(block=5, method="swap", timestamp=NOON - timedelta(minutes=5)))
    assert details(batch) == ["block 9 → 5; fills method swap; time 2024-05-01 12:00:00 → 11:55:00"]
    load(row(block=7, method="approve"))
    record = Transaction.objects.get()
    assert (record.block, record.method) == (5, "swap")


@pytest.mark.django_db
def test_what_is_added_is_told_with_amount_and_address() -> None:
    load(row(moved(-1)))
    batch = load(row(moved("-0.50", counterparty="0x1c6d" + "0" * 32 + "bdcd"), fee("-0.00042")))
    assert details(batch) == ["adds −0.5 ETH to 0x1c6d…bdcd; adds fee −0.00042 ETH"]


# Failed and pending


@pytest.mark.django_db
def test_what_one_file_says_failed_has_moved_nothing_whatever_others_say() -> None:
    failed, done = row(moved(0), fee(), status="failed"), row(moved(-1))
    expected = [("ETH", "fee", Decimal("-0.001")), ("ETH", "transfer", Decimal(0))]
    for order in ([failed, done], [done, failed]):
        with transaction.atomic():
            first, second = load(order[0]), load(order[1], row(txid=OTHER_HASH))
            assert Transaction.objects.get(txid=HASH).status == "failed"
            assert entries(transaction__txid=HASH) == expected
            assert counts(first) == {"new": 1}
            if order[0] is failed:
                assert counts(second) == {"new": 1, "conflict": 1}
                assert details(second)[0] == (
                    "a source says that this transaction failed, so what this line moves is not "
                    "taken"
                )
                assert counts(load(done)) == {"known": 1}
            else:
                assert "status ok → failed" in details(second)[0]
            transaction.set_rollback(True)


@pytest.mark.django_db
def test_a_file_that_contradicts_itself_says_so() -> None:
    batch = load(row(moved(0)), row(moved(-1)), row(fee(), status="failed"))
    assert counts(batch) == {"new": 2, "conflict": 1}
    assert Transaction.objects.get().status == "failed"


@pytest.mark.django_db
def test_of_two_fees_on_a_chain_the_higher_one_is_it() -> None:
    low, high = row(moved(-1), fee("-0.001")), row(moved(-1), fee("-0.0012"))
    for order in ([low, high], [high, low]):
        with transaction.atomic():
            load(order[0])
            told = load(order[1])
            assert entries(kind="fee") == [("ETH", "fee", Decimal("-0.0012"))]
            expected = (
                ["adds fee −0.0012 ETH; fee −0.001 → −0.0012 ETH"]
                if order[1] is high
                else [
                    "the fee −0.001 ETH is not taken, since another source told more: −0.0012",
                ]
            )
            assert details(told) == expected
            assert counts(load(order[1])) == {"known": 1}
            transaction.set_rollback(True)


@pytest.mark.django_db
def test_fees_that_one_file_tells_in_parts_add_up() -> None:
    load(row(moved(-1), fee("-0.001")))
    load(row(moved(-1), fee("-0.001")), row(fee("-0.002")))
    assert entries(kind="fee") == [
        ("ETH", "fee", Decimal("-0.002")),
        ("ETH", "fee", Decimal("-0.001")),
    ]


@pytest.mark.django_db
def test_a_failed_line_settles_a_transaction_that_moved_nothing() -> None:
    load(row(moved(0)))
    assert details(load(row(moved(0), fee(), status="failed"))) == [
        "adds fee −0.001 ETH; status ok → failed"
    ]


@pytest.mark.django_db
def test_a_pending_transaction_is_confirmed() -> None:
    load(row(moved(-1), status="pending"))
    batch = load(row(moved(-1), block=3))
    assert details(batch) == ["fills block 3; status pending → ok"]
    assert counts(load(row(moved(-1), status="pending"))) == {"known": 1}
    assert Transaction.objects.get().status == "ok"


@pytest.mark.django_db
def test_what_was_pending_has_not_moved_once_it_failed() -> None:
    pending = row(moved(-1), fee(), status="pending")
    failed = row(moved(0), fee(), status="failed")
    expected = [("ETH", "fee", Decimal("-0.001")), ("ETH", "transfer", Decimal(0))]
    for order in ([pending, failed], [failed, pending]):
        with transaction.atomic():
            for one in order:
                load(one)
            record = Transaction.objects.get()
            assert (record.status, record.type, entries()) == ("failed", "call", expected)
            transaction.set_rollback(True)


@pytest.mark.django_db
def test_all_that_was_pending_is_one_zero_once_it_failed() -> None:
    pending = [row(moved(amount), status="pending") for amount in (-1, -1, -2)]
    failed = [row(fee(), status="failed")]
    for order in ([pending, failed], [failed, pending], [pending + failed]):
        with transaction.atomic():
            for lines_of_file in order:
                load(*lines_of_file)
            assert entries() == [
                ("ETH", "fee", Decimal("-0.001")),
                ("ETH", "transfer", Decimal(0)),
            ]
            transaction.set_rollback(True)


# What people edited


@pytest.mark.django_db
def test_an_edited_note_is_never_overwritten() -> None:
    load(row(note="May"))
    Transaction.objects.update(note="June, in fact")
    batch = load(row(note="Zebra"))
    assert counts(batch) == {"conflict": 1}
    assert details(batch) == ["the note is not taken, since a person has edited note or contact"]
    assert Transaction.objects.get().note == "June, in fact"


@pytest.mark.django_db
def test_a_note_from_files_is_settled_by_the_alphabet_and_is_no_edit() -> None:
    for note in ("", "May", "Zebra", "August"):
        load(row(note=note))
    record = Transaction.objects.get()
    assert (record.note, record.is_edited) == ("Zebra", False)
    Transaction.objects.update(note="mine")
    assert Transaction.objects.get().is_edited


@pytest.mark.django_db
def test_a_chosen_contact_is_never_replaced() -> None:
    load(row())
    Transaction.objects.update(contact=make_contact("Alice"))
    batch = load(row(contact="Bob"))
    assert details(batch) == ["the contact is not taken, since a person has edited note or contact"]
    assert Transaction.objects.get().contact == Contact.objects.get(name="Alice")
    assert not Contact.objects.filter(name="Bob").exists()


@pytest.mark.django_db
def test_a_contact_is_found_by_name_or_made() -> None:
    alice = make_contact("Alice")
    load(row(contact="alice"), row(contact="Bob", txid=OTHER_HASH))
    assert Transaction.objects.get(txid=HASH).contact == alice
    assert str(Transaction.objects.get(txid=OTHER_HASH).contact) == "Bob"
    assert details(load(row(contact="Bob"))) == ["contact Alice → Bob"]
    assert counts(load(row(contact="ALICE"))) == {"known": 1}


@pytest.mark.django_db
def test_labels_are_added_and_never_removed() -> None:
    rent = make_label("Rent")
    load(row(labels=("rent",)), row())
    batch = load(row(labels=("RENT", "Tax")), row(labels=("tax",)))
    assert counts(batch) == {"known": 1, "adds": 1}
    assert details(batch) == ["adds label Tax", ""]
    assert {label.name for label in Transaction.objects.get().labels.all()} == {"Rent", "Tax"}
    assert rent in Label.objects.all()
    assert Label.objects.count() == 2


@pytest.mark.django_db
def test_label_that_a_person_took_off_does_not_come_back_with_the_same_file() -> None:
    load(row(labels=("rent", "tax")))
    record = Transaction.objects.get()
    record.labels.remove(Label.objects.get(name="tax"))
    assert counts(load(row(labels=("rent", "tax")))) == {"known": 1}
    assert [label.name for label in record.labels.all()] == ["rent"]


@pytest.mark.django_db
def test_contact_that_a_person_renamed_is_not_exchanged_by_the_same_file() -> None:
    load(row(contact="Bob"))
    Contact.objects.update(name="Alan")
    assert counts(load(row(contact="Bob"))) == {"known": 1}
    assert [contact.name for contact in Contact.objects.all()] == ["Alan"]
    assert str(Transaction.objects.get().contact) == "Alan"


@pytest.mark.django_db
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_movement_whose_other_side_only_one_file_tells_is_one_movement(
    order: tuple[int, ...],
) -> None:
    """As a portfolio's file beside an explorer's, which alone knows to whom."""
    files = [
        [row(moved(-2), line=2), row(moved(-2), line=3)],
        [row(moved(-2, counterparty=""))],
        [row(moved(-2, counterparty=""), line=2), row(moved(3, counterparty=""), line=3)],
    ]
    for number in (*order, *order):
        load(*files[number])
    assert sorted((entry.amount, bool(entry.counterparty)) for entry in Entry.objects.all()) == [
        (-2, True),
        (-2, True),
        (3, False),
    ]


# What cannot be imported


@pytest.mark.django_db
def test_an_unreadable_line_is_kept_and_the_others_are_imported() -> None:
    batch = load(row(), Rejected(3, "bad", "Line 3: amount '1,5' is not a number. Use a point."))
    assert (batch.status, counts(batch)) == ("imported", {"new": 1, "rejected": 1})
    line = batch.lines.get(number=3)
    assert (line.outcome, line.raw, line.transaction) == ("rejected", "bad", None)
    assert line.detail == "amount '1,5' is not a number. Use a point."


@pytest.mark.django_db
def test_a_file_of_which_no_line_can_be_read_has_failed_and_says_why() -> None:
    with pytest.raises(
        FileError, match=r"No line of the file could be imported; each says why \(2 rejected\)\."
    ):
        load(Rejected(2, "x", "Bad."), Rejected(3, "y", "Worse."))
    batch = ImportBatch.objects.get()
    assert (batch.status, counts(batch)) == ("failed", {"rejected": 2})
    assert details(batch) == ["Bad.", "Worse."]


@pytest.mark.django_db
def test_a_file_that_breaks_off_imports_nothing() -> None:
    def broken() -> Iterator[Told]:
        for number in range(6_000):
            yield row(line=number, txid=f"0x{number:064x}")
        raise FileError("Line 6001: a quote opens a cell here and is not closed.")

    def read(cursor: CursorWrapper) -> Reading:
        reading = Reading(Options(wallet=OURS), broken())
        stage(cursor, reading)
        return reading

    batch = make_batch(status="running")
    with pytest.raises(FileError, match="Line 6001"):
        import_staged(batch, read)
    batch.refresh_from_db()
    assert (batch.status, batch.error) == (
        "failed",
        "Line 6001: a quote opens a cell here and is not closed.",
    )
    assert not Transaction.objects.exists()
    assert not Wallet.objects.exists()
    assert not ImportLine.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(moved("1e78")), "too many digits"),
        (row(moved("1e-31")), "too many digits"),
        (row(moved("NaN")), "too many digits"),
        (row(moved("0.001", kind="fee")), "A fee is negative or zero"),
        (row(moved(1), status="failed"), "moves nothing but its fee"),
        (row(txid="0x" + "1" * 200), "more than 128 characters"),
        (row(txid=""), "neither by network and hash nor by an id"),
        (row(network="narnia"), "The network narnia is not known"),
        (row(type="theft"), "The type theft is not known"),
        (row(status="maybe"), "The status maybe is not known"),
        (row(method="m" * 201), "more than 200 characters"),
        (row(note="n" * 10_001), "more than 10,000 characters"),
        (row(block=2**63), "does not fit"),
        (row(labels=("a\nb",)), "A label is not one line"),
        (row(labels=("l" * 101,)), "A label is not one line"),
        (row(contact=" Bob"), "The contact is not one line"),
        (row(moved(1, replace(USDC, code=""))), "not named by what identifies it"),
        (row(moved(1, replace(USDC, symbol="S" * 101))), "symbol or name is too long"),
        (row(moved(1, counterparty="0xB0B")), "The counterparty is not an address"),
        (account_row(moved(1), wallet="Kraken"), "A coin or token needs a network"),
        (account_row(moved(1, coin("BTC"), SHOP), wallet="Kraken"), "An address needs a network"),
        (account_row(moved(1, coin("BTC"), "")), "is an address. Say of which network"),
        (row(wallet="0x1234567"), "Wallet 0x1234567: "),
        (row(wallet="n" * 201), "The wallet's name is not one line"),
    ],
)
def test_a_line_that_no_column_can_hold_is_rejected_alone(bad: Row, reason: str) -> None:
    good = row(txid=OTHER_HASH)
    batch = load(bad, good)
    assert counts(batch) == {"new": 1, "rejected": 1}
    assert reason in details(batch)[0]
    assert [record.txid for record in Transaction.objects.all()] == [OTHER_HASH]


@pytest.mark.django_db
@pytest.mark.parametrize("bad", [row(note="a\0b"), row(moved("1e999999"))])
def test_what_cannot_even_be_copied_names_its_line(bad: Row) -> None:
    with pytest.raises(FileError, match=r"^Line 3 cannot be stored: .*Correct it in the file\.$"):
        load(row(txid=OTHER_HASH), bad, row())
    assert ImportBatch.objects.get().error.startswith("Line 3 cannot be stored")
    assert not Transaction.objects.exists()


@pytest.mark.django_db
def test_more_wallets_than_anybody_has_are_refused() -> None:
    rows = [row(wallet=f"W{n}", txid=f"0x{n:064x}") for n in range(1_001)]
    with pytest.raises(FileError, match="more than 1,000 wallets"):
        load(*rows)


@pytest.mark.django_db
def test_an_import_that_somebody_ended_leaves_nothing() -> None:
    batch = make_batch(status="running")

    def read(cursor: CursorWrapper) -> Reading:
        ImportBatch.objects.filter(pk=batch.pk).update(status="failed", error="Cancelled.")
        return staged(cursor, [row()])

    # In its own transaction a person's UPDATE would be seen; in this one it is as if committed.
    with pytest.raises(FileError, match="The import was cancelled"):
        import_staged(batch, read)
    assert not Transaction.objects.exists()


# Any order, any number of times

STATUSES = {"moved": ("ok", "pending"), "failed": ("failed", "pending", "ok")}


@st.composite
def lines(draw: Callable[..., Any]) -> tuple[str, Row]:
    """A line of one of three transactions, one of which failed, with the wallet it is of."""
    which = draw(st.sampled_from(["moved", "failed", "account"]))
    status = draw(st.sampled_from(STATUSES.get(which, ("ok",))))
    is_account = which == "account"
    wallet = "Kraken" if is_account else draw(st.sampled_from([OURS, OURS_TOO]))
    symbols = st.sampled_from(["", "USDC", "USDT", "aUSD"])
    assets = (
        [coin("BTC"), coin("EUR")] if is_account else [ETH, replace(USDC, symbol=draw(symbols))]
    )
    others = [""] if is_account else ["", SHOP, OURS, OURS_TOO]
    movement = st.builds(
        moved,
        st.just(0) if status == "failed" else st.integers(-2, 2),
        st.sampled_from(assets),
        st.sampled_from(others),
    )
    movements = draw(st.lists(movement, min_size=1, max_size=2))
    if draw(st.booleans()):
        movements.append(moved(draw(st.integers(-2, 0)), assets[0], kind="fee"))
    make = account_row if is_account else row
    identity: dict[str, Any] = (
        {} if is_account else {"txid": HASH if which == "moved" else OTHER_HASH}
    )
    return wallet, make(
        *movements,
        **identity,
        status=status,
        timestamp=NOON + timedelta(minutes=draw(st.integers(0, 2))),
        type=draw(st.sampled_from(["", "", "self", "gift", "airdrop"])),
        method=draw(st.sampled_from(["", "a", "b"])),
        block=draw(st.sampled_from([None, 1, 2])),
        note=draw(st.sampled_from(["", "x", "y"])),
        labels=draw(st.sampled_from([(), ("Rent",), ("Rent", "Tax")])),
        contact=draw(st.sampled_from(["", "Alice", "Bob"])),
    )


files = st.lists(st.lists(lines(), min_size=1, max_size=3), min_size=2, max_size=3)


def load_files(chosen: list[list[tuple[str, Row]]]) -> dict[str, Any]:
    """The ledger after these files; whatever was imported is undone."""
    with transaction.atomic():
        for file in chosen:
            load(*(replace(one, wallet=wallet) for wallet, one in file))
        found = ledger()
        transaction.set_rollback(True)
    return found


@pytest.mark.django_db
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=files, order=st.randoms(use_true_random=False))
def test_files_in_any_order_and_twice_give_the_same_ledger(files: Any, order: Any) -> None:
    again = [*files, *files]
    order.shuffle(again)
    assert load_files(again) == load_files(files)


# At the same time as others


@pytest.fixture
def other() -> Iterator[CursorWrapper]:
    """Somebody else's connection, in autocommit."""
    with closing(connections.create_connection("default")) as connected:
        yield connected.cursor()


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Runs `work` on a connection of its own; what it returns or raises is in the list."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except FileError as problem:
            results.append(problem)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def wait_until(is_so: Callable[[], bool]) -> None:
    end = monotonic() + 20
    while not is_so():
        assert monotonic() < end, "it did not come to that within 20 seconds"
        sleep(0.01)


def what_others_wait_for() -> set[str]:
    """The kinds of lock that connections to this database wait for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT wait_event FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_file_at_once_make_each_transaction_once() -> None:
    rows = [
        row(moved(-1), fee(), txid=f"0x{n:064x}", labels=("Rent",), contact="Alice")
        for n in range(300)
    ]
    begun = [in_thread(lambda: load(*rows)) for _ in range(4)]
    for thread, _ in begun:
        thread.join()
    batches = [results[0] for _, results in begun]
    assert sorted(counts(batch) != {"known": 300} for batch in batches) == [False] * 3 + [True]
    assert sum(batch.new for batch in batches) == 300
    assert (Transaction.objects.count(), Entry.objects.count()) == (300, 600)


@pytest.mark.django_db(transaction=True)
def test_peoples_edits_do_not_wait_for_an_import(other: CursorWrapper) -> None:
    load(row(moved(-1), note="May"), row(moved(1), txid=OTHER_HASH))
    label, contact = make_label("Rent"), make_contact("Alice")
    merged, done = threading.Event(), threading.Event()

    def work() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            told = [row(moved(-1)), row(moved(5, USDC), line=3), row(txid="0x" + "3" * 64, line=4)]
            staged(cursor, told)
            merge(cursor, make_batch(status="running").pk)
            merged.set()
            done.wait(20)

    thread, _ = in_thread(work)
    assert merged.wait(20)
    try:
        other.execute("SET lock_timeout = '50ms'")
        # Neither this transaction, nor what the import only refers to, is locked.
        record = Transaction.objects.get(txid=OTHER_HASH)
        for edit in (
            "UPDATE transactions_transaction SET note = 'edited' WHERE id = %s",
            f"UPDATE transactions_transaction SET contact_id = {contact.pk} WHERE id = %s",
            "INSERT INTO transactions_transactionlabel (transaction_id, label_id)"
            f" VALUES (%s, {label.pk})",
        ):
            other.execute(edit, [record.pk])
        other.execute("UPDATE contacts_address SET contact_id = %s", [contact.pk])
        other.execute("UPDATE transactions_asset SET name = 'Ether'")
        other.execute("UPDATE contacts_contact SET note = 'a friend'")
        other.execute("UPDATE transactions_label SET description = 'monthly'")
        other.execute(
            "INSERT INTO transactions_label (name, colour, description, version)"
            " VALUES ('Tax', 'red', '', 1)"
        )
    finally:
        done.set()
        thread.join()
    assert Transaction.objects.get(txid=OTHER_HASH).note == "edited"


@pytest.mark.django_db(transaction=True)
def test_an_import_yields_to_what_others_committed_meanwhile(other: CursorWrapper) -> None:
    load(row(moved(-1), txid=OTHER_HASH))
    other.execute("BEGIN")
    other.execute(
        "INSERT INTO transactions_transaction (network, txid, timestamp, status, type,"
        " is_type_told, method, note, is_edited, version)"
        " VALUES ('ethereum', %s, %s, 'ok', 'call', false, '', '', false, 1)",
        [HASH, NOON],
    )
    thread, results = in_thread(lambda: load(row(moved(-1), note="May")))
    wait_until(lambda: bool(what_others_wait_for()))
    other.execute("COMMIT")
    thread.join()
    assert counts(results[0]) == {"adds": 1}
    record = Transaction.objects.get(txid=HASH)
    assert (record.note, record.type) == ("May", "send")


@pytest.mark.django_db(transaction=True)
def test_a_note_written_while_an_import_runs_is_kept(other: CursorWrapper) -> None:
    load(row(note="April"))
    other.execute("BEGIN")
    other.execute(
        "INSERT INTO transactions_label (name, colour, description, version)"
        " VALUES ('Tax', 'grey', '', 1)"
    )
    # The import has read the transaction by now, and waits for the label of the same name.
    thread, results = in_thread(lambda: load(row(note="May", labels=("Tax",))))
    wait_until(lambda: "transactionid" in what_others_wait_for())
    Transaction.objects.update(note="in fact June")
    other.execute("COMMIT")
    thread.join()
    assert counts(results[0]) == {"changed": 1}
    record = Transaction.objects.get()
    assert (record.note, record.is_edited) == ("in fact June", True)
    assert record.labels.get().name == "Tax"


@pytest.mark.django_db(transaction=True)
def test_imports_go_one_after_the_other() -> None:
    """So that the second one sees what the first one made, instead of running into it."""
    batch = make_batch(status="running")
    with transaction.atomic(), connection.cursor() as cursor:
        staged(cursor, [row()])
        merge(cursor, batch.pk)
        thread, _ = in_thread(lambda: load(row(txid=OTHER_HASH), wallet=OURS_TOO))
        wait_until(lambda: "advisory" in what_others_wait_for())
    thread.join()
    assert Transaction.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_import_whose_connection_is_ended_leaves_nothing(other: CursorWrapper) -> None:
    batch = make_batch(status="running")

    def read(cursor: CursorWrapper) -> Reading:
        reading = staged(cursor, [row()])
        cursor.execute("SELECT pg_backend_pid()")
        other.execute("SELECT pg_terminate_backend(%s)", [cursor.fetchone()[0]])
        return reading

    with pytest.raises(FileError, match="The database gave up"):
        import_staged(batch, read)
    batch.refresh_from_db()
    assert batch.status == "failed"
    assert not Transaction.objects.exists()


@pytest.mark.django_db
def test_the_names_of_connection_and_settings_are_put_back() -> None:
    def asked() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('application_name'),"
                " coalesce(current_setting('txsite.importing', true), '')"
            )
            return list(cursor.fetchone())

    before = asked()
    load(row())
    assert asked() == [before[0], "off"]


@pytest.mark.django_db
def test_an_export_is_readable_json_with_exact_text() -> None:
    load(row(moved("-0.50", USDC), fee("-0.0010")))
    (line,) = json_lines(Transaction.objects.all())
    assert [entry["amount"] for entry in json.loads(line)["entries"]] == ["-0.001", "-0.5"]
    make_transaction()


@pytest.mark.django_db
def test_after_many_new_lines_postgresql_knows_how_many_there_are() -> None:
    """Or it looks for each of them among all when the file is brought again at once."""
    load(*(row(moved(1), fee(), txid=f"0x{number:064x}") for number in range(MANY_NEW + 1)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'transactions_entry'")
        assert cursor.fetchone() == (2 * MANY_NEW + 2,)


@pytest.mark.django_db
def test_lines_that_say_their_type_are_not_each_compared_with_all_others() -> None:
    """As in our own CSV, which brings a whole ledger back."""

    def returned() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class")
            return int(cursor.fetchone()[0])

    before = returned()
    load(
        *(
            row(
                moved(1, counterparty=f"0x{number:040x}"),
                fee(),
                type="receive",
                txid=f"0x{number:064x}",
            )
            for number in range(2_000)
        )
    )
    assert returned() - before < 2_000 * 400
