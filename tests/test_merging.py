"""What several files tell, more and less exactly, is one ledger in whatever order they come."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from itertools import permutations
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from files import DATA
from test_importer import (
    ETH,
    HASH,
    NOON,
    OTHER_HASH,
    OURS,
    OURS_TOO,
    SHOP,
    USDC,
    coin,
    details,
    fee,
    ledger,
    load,
    moved,
    row,
    staged,
)

from contacts.models import Contact
from transactions.exports import csv_file, json_lines
from transactions.imports.importer import import_batch, import_staged, new_batch
from transactions.imports.rows import AssetName
from transactions.imports.undo import CannotUndo, plan_of, undo
from transactions.models import (
    Asset,
    Entry,
    ImportBatch,
    Label,
    TakenOffLabel,
    Transaction,
    Wallet,
)

pytestmark = pytest.mark.django_db

BY_CODE = coin("USDC")
FAKE = replace(USDC, code="0x" + "d" * 40, name="Fake")
UNNAMED = replace(USDC, symbol="", name="")
BRIDGED = replace(USDC, symbol="USDC.e")


def entries() -> list[str]:
    return sorted(
        f"{one.amount:f} {one.asset.kind} {one.counterparty or '-'}"
        for one in Entry.objects.select_related("asset", "counterparty")
    )


def in_every_order(files: dict[str, list[Any]]) -> list[str]:
    """The entries, which are the same whichever file comes first and however often each."""
    found: dict[str, Any] = {}
    for order in permutations(files):
        with transaction.atomic():
            for time in ("once", "twice"):
                for name in order:
                    load(*files[name])
                told = entries(), Transaction.objects.get(txid=HASH).type
                found[f"{' '.join(order)} {time}"] = told
            transaction.set_rollback(True)
    first = next(iter(found.values()))
    assert found == dict.fromkeys(found, first)
    return list(first[0])


FILES: dict[str, tuple[dict[str, list[Any]], int]] = {
    "two contracts of one symbol": (
        {
            "a": [row(moved(-5, USDC))],
            "b": [row(moved(-5, FAKE))],
            "c": [row(moved(-5, BY_CODE, ""))],
        },
        2,
    ),
    "a symbol that a third file tells": (
        {
            "a": [row(moved(-5, UNNAMED))],
            "c": [row(moved(-5, BY_CODE, ""))],
            "s": [row(moved(-1, USDC), txid=OTHER_HASH)],
        },
        2,
    ),
    "a symbol that a third file tells otherwise": (
        {
            "a": [row(moved(-5, USDC))],
            "c": [row(moved(-5, BY_CODE, ""))],
            "s": [row(moved(-1, BRIDGED), txid=OTHER_HASH)],
        },
        2,
    ),
    "one of two by contract, with and without its side": (
        {
            "c": [row(moved(-5, BY_CODE, "")), row(moved(-5, BY_CODE, ""))],
            "p": [row(moved(-5, USDC))],
            "q": [row(moved(-5, USDC, ""))],
        },
        2,
    ),
    "one of two sides by contract": (
        {
            "c": [row(moved(-5, BY_CODE, SHOP)), row(moved(-5, BY_CODE, OURS_TOO))],
            "p": [row(moved(-5, USDC))],
        },
        2,
    ),
    "a failure": (
        {
            "a": [row(moved(-5, USDC))],
            "c": [row(moved(-5, BY_CODE, ""))],
            "f": [row(moved(0), fee(), status="failed")],
        },
        3,
    ),
    "with and without a side in one file": (
        {
            "a": [row(moved(-1)), row(moved(-1, ETH, ""))],
            "b": [row(moved(-1))],
            "c": [row(moved(-1, ETH, ""))],
        },
        2,
    ),
    "a spend with its fee in it, and without": (
        {
            "s": [row(moved("-1.001", ETH, ""))],
            "e": [row(moved(-1, ETH, ""), fee())],
            "l": [row(moved(-1), fee())],
        },
        2,
    ),
    "a spend as a whole, and by its outputs": (
        {
            "t": [row(moved("-0.8"), fee()), row(moved("-0.2", ETH, OURS_TOO))],
            "s": [row(moved(-1, ETH, ""), fee())],
            "b": [row(moved("-1.001", ETH, ""))],
        },
        3,
    ),
    "a spend as a whole, and by outputs of which one has no address": (
        {
            "t": [row(moved("-0.8"), fee()), row(moved("-0.2", ETH, ""))],
            "s": [row(moved(-1, ETH, ""), fee())],
        },
        3,
    ),
    "one's own transfer with its fee in it, and without": (
        {"s": [row(moved("-0.001", ETH, ""))], "e": [row(moved(0, ETH, ""), fee())]},
        2,
    ),
    "three receipts, of which one is the sum of the others": (
        {"a": [row(moved(1, ETH, "")), row(moved(1, ETH, "")), row(moved(2, ETH, ""))]},
        3,
    ),
    "by contract and by code in one file": (
        {"a": [row(moved(-1, USDC)), row(moved(-1, BY_CODE, ""))], "b": [row(moved(-1, USDC))]},
        2,
    ),
    "a sum with the fee, one without, and outputs": (
        {
            "t": [row(moved("-0.8"), fee()), row(moved("-0.2", ETH, ""))],
            "s": [row(moved(-1, ETH, ""), fee())],
            "b": [row(moved("-1.001", ETH, ""))],
        },
        3,
    ),
    "a sum and outputs of which no side is told": (
        {
            "t": [row(moved("-0.8", ETH, ""), fee()), row(moved("-0.2", ETH, ""))],
            "s": [row(moved(-1, ETH, ""), fee())],
        },
        3,
    ),
    "receipts of which no side is told": (
        {
            "t": [row(moved("0.5", ETH, "")), row(moved("0.25", ETH, ""))],
            "s": [row(moved("0.75", ETH, ""))],
        },
        2,
    ),
    "outputs as large as others of their file together": (
        {
            "a": [
                row(moved("-0.5", ETH, ""), fee()),
                row(moved("-0.3", ETH, "")),
                row(moved("-0.2")),
                row(moved(-1, ETH, "")),
            ],
        },
        5,
    ),
    "an output that one file tells alone and another beside more": (
        {
            "a": [row(moved("-0.5", ETH, ""))],
            "b": [row(moved("-0.5", ETH, "")), row(moved("-0.5", ETH, SHOP, "transfer"))],
            "c": [row(moved("-0.5", ETH, OURS_TOO))],
        },
        2,
    ),
    "an NFT by its contract and by its code": (
        {
            "e": [row(moved(-1, AssetName("nft", "0x" + "f" * 40, "7", symbol="Punk")))],
            "t": [row(moved(-1, AssetName("code", "PUNK#7", symbol="PUNK#7"), ""))],
        },
        1,
    ),
    "a sum with less of the fee than another file tells": (
        {
            "s": [row(moved("-1.001", ETH, ""))],
            "e": [row(moved(-1), fee())],
            "h": [row(moved(-1), fee("-0.002"))],
        },
        2,
    ),
    "sums with different parts of the fee": (
        {
            "s": [row(moved("-1.001", ETH, ""))],
            "t": [row(moved("-1.0005", ETH, ""))],
            "h": [row(moved(-1, ETH, ""), fee("-0.002"))],
        },
        2,
    ),
    "one's own transfer as a sum, and as a fee alone": (
        {"s": [row(moved("-0.001", ETH, ""))], "f": [row(fee())]},
        1,
    ),
    "a token's movement with a fee, which another file tells as what moved": (
        {"s": [row(moved("-0.001", ETH, ""))], "f": [row(moved(-5, USDC), fee())]},
        2,
    ),
    "a spend that is as large as its fee": (
        {"a": [row(moved("-0.001", ETH, ""), fee())], "s": [row(moved("-0.002", ETH, ""))]},
        2,
    ),
    "a token that another file calls as the code beside it": (
        {
            "a": [row(moved(-1, BRIDGED)), row(moved(-1, BY_CODE, ""))],
            "b": [row(moved(-1, USDC))],
        },
        1,
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_entries_are_the_same_in_any_order(name: str) -> None:
    files, number = FILES[name]
    assert len(in_every_order(files)) == number


def test_token_that_a_person_calls_otherwise_is_still_what_files_call_it() -> None:
    load(row(moved(-5, USDC)))
    load(row(moved(-5, BY_CODE, "")))
    Asset.objects.filter(kind="token").update(symbol="USDC bridged", is_edited=True)
    load(row(moved(-5, BY_CODE, ""), line=3))
    assert [one.split()[:2] for one in entries()] == [["-5", "token"]]


def test_symbol_that_another_file_tells_makes_an_own_transfer_of_a_spend() -> None:
    """Whose code Ledger Live told, without the other side."""
    ours = [row(moved(-5, BRIDGED, OURS_TOO)), row(moved(5, BRIDGED, OURS), wallet=OURS_TOO)]
    files = {
        "both": ours,
        "code": [row(moved(-5, BY_CODE, ""))],
        "symbol": [row(moved(-1, USDC), txid=OTHER_HASH)],
    }
    assert len(in_every_order(files)) == 3
    for name in files:
        batch = load(*files[name])
    assert Transaction.objects.get(txid=HASH).type == "self"
    undo(batch)
    assert Transaction.objects.get(txid=HASH).type == "send"


def test_code_in_a_wallet_that_is_no_account_does_not_depend_on_its_name() -> None:
    text = f"2024-05-01 12:00,5,USDC,,,ethereum,-,{HASH},,\n"
    bring(text, wallet="Cold")
    Wallet.objects.filter(name="Cold").update(name="Vault")
    bring(text, wallet="Vault")
    assert len(entries()) == 1


def test_file_knows_a_wallet_by_the_name_that_files_gave_it() -> None:
    text = f"2024-05-01 12:00,5,BTC,Ledger Live 1,,bitcoin,,{'a' * 64},,\n"
    bring(text)
    Wallet.objects.update(name="Cold")
    bring(text)
    bring(text.replace("05-01", "05-02").replace("a" * 64, "b" * 64))
    assert [(one.wallet.name, f"{one.amount:f}") for one in Entry.objects.all()] == [
        ("Cold", "-5"),
        ("Cold", "-5"),
    ]
    assert Wallet.objects.count() == 1


@pytest.mark.parametrize("name", ["Élodie", "Иван", "alice", "ÖMER"])
def test_contact_is_put_on_its_transaction_whatever_its_letters(name: str) -> None:
    bring(f"2024-05-01 12:00,5,ETH,{OURS},,ethereum,,{HASH},{name},\n")
    bring(f"2024-05-02 12:00,5,ETH,{OURS},,ethereum,,{OTHER_HASH},,\n")
    bring(f"2024-05-02 12:00,5,ETH,{OURS},,ethereum,,{OTHER_HASH},{name},\n")
    assert [one.contact and one.contact.name for one in Transaction.objects.all()] == [name] * 2
    assert Contact.objects.count() == 1


# --- Taken back -----------------------------------------------------------------------------------

HEADER = (
    "Date,Sent Amount,Sent Currency,Wallet,Fee Amount,Network,Sent Contract,TxHash,Contact,Note\n"
)


def bring(text: str, **options: str) -> ImportBatch:
    file = BytesIO(f"{HEADER}{text}".encode())
    batch = new_batch(file, "f.csv", options=options)
    import_batch(batch, file)
    return batch


def test_undo_of_another_import_leaves_what_a_renamed_account_told() -> None:
    text = "2024-05-01 12:00,5,BTC,,,,,T1,,{}\n"
    bring(text.format(""), wallet="Kraken")
    other = bring(text.format("n"), wallet="Kraken")
    bring(f"2024-05-01 12:00,5,ETH,{OURS},,ethereum,,{HASH},,\n")
    Wallet.objects.filter(name="Kraken").update(name="Old Kraken")
    address = Wallet.objects.get(kind="address")
    address.name = "Kraken"
    address.save()
    undo(other)
    told = json.loads(next(json_lines(Transaction.objects.filter(external_id="T1"))))
    assert (told["status"], told["timestamp"]) == ("ok", "2024-05-01T12:00:00Z")
    assert [(one["wallet"], one["amount"]) for one in told["entries"]] == [("Old Kraken", "-5")]


def test_undo_leaves_what_others_tell_of_type_symbol_and_contact() -> None:
    text = "2024-05-01 12:00,5,{},{},,ethereum,{},{},{},{}\n"
    token = "0x" + "c" * 40
    bring(text.format("USDC", OURS, token, HASH, "Alice", "a"))
    before = ledger()
    undo(bring(text.format("USDX", OURS, token, HASH, "", "b")))
    assert ledger() == before
    undo(bring(text.format("USDC", OURS, token, HASH, "Bob", "a")))
    assert ledger() == before
    third = bring(text.format("USDC", OURS, token, HASH, "", "z"))
    alice = Contact.objects.get()
    alice.name = "Alicia"
    alice.save()
    undo(third)
    assert Transaction.objects.get().contact == alice


def test_code_is_a_movement_of_its_own_once_nobody_says_what_the_contract_is_called() -> None:
    load(row(moved(-5, UNNAMED)))
    load(row(moved(-5, BY_CODE, "")))
    assert len(entries()) == 2
    told = load(row(moved(-1, USDC), txid=OTHER_HASH))
    assert len(entries()) == 2  # one of each transaction
    undo(told)
    assert len(entries()) == 2


def test_what_undo_makes_anew_goes_with_the_import_that_told_it() -> None:
    text = f"2024-05-01 12:00,5,ETH,{OURS},,ethereum,,{HASH},{{}},\n"
    bob = bring(text.format("Bob"))
    alice = bring(text.format("Alice"))
    undo(bob)
    assert Transaction.objects.get().contact == Contact.objects.get(name="Alice")
    undo(alice)
    assert not Contact.objects.exists()
    assert not Transaction.objects.exists()


def test_only_fee_is_a_call_after_an_undo_too() -> None:
    text = f"2024-05-01 12:00,,,{OURS},0.1,ethereum,,{HASH},,{{}}\n"
    header = HEADER.replace("Fee Amount", "Fee Amount,Fee Currency")
    text = text.replace("0.1,", "0.1,ETH,")

    def told(note: str) -> ImportBatch:
        file = BytesIO((header + text.format(note)).encode())
        batch = new_batch(file, "f.csv")
        import_batch(batch, file)
        return batch

    told("")
    undo(told("n"))
    assert Transaction.objects.get().type == "call"


@pytest.mark.django_db(transaction=True)
def test_note_that_is_being_saved_meanwhile_is_not_taken_back(psql: psycopg.Connection) -> None:
    batch = bring(f"2024-05-01 12:00,5,ETH,{OURS},,ethereum,,{HASH},,\n")
    waits = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND datname = current_database()"
    )

    def take_back() -> str:
        try:
            undo(batch)
        except CannotUndo as refused:
            return str(refused)
        finally:
            connection.close()
        return "taken back"

    with psycopg.connect(psql.info.dsn) as person, ThreadPoolExecutor(1) as pool:
        person.execute("UPDATE transactions_transaction SET note = 'x'")
        answer = pool.submit(take_back)
        while not (psql.execute(waits).fetchone() or (0,))[0]:
            assert not answer.done(), answer.result()
        person.commit()
    assert "has changed since you looked" in answer.result()
    assert Transaction.objects.get().note == "x"


def bring_file(*lines: str, **options: str) -> ImportBatch:
    file = BytesIO("\n".join(lines).encode())
    batch = new_batch(file, "f.csv", options=options)
    import_batch(batch, file)
    return batch


def kraken(*lines: str) -> ImportBatch:
    return bring_file("Date,Received Amount,Received Currency,TxHash", *lines, wallet="Kraken")


FIRST, SECOND = "2024-05-01 12:00,1,BTC,a", "2024-05-02 12:00,2,BTC,b"


def holdings() -> dict[str, str]:
    found: dict[str, Any] = {}
    for one in Entry.objects.select_related("wallet"):
        found[one.wallet.name] = found.get(one.wallet.name, 0) + one.amount
    return {name: f"{amount.normalize():f}" for name, amount in found.items()}


def test_renamed_wallet_is_known_by_every_name_after_an_undo() -> None:
    first = kraken(FIRST)
    Wallet.objects.update(name="Old", version=2)
    second = kraken(FIRST, SECOND)
    assert holdings() == {"Old": "3"}
    undo(first)
    assert holdings() == {"Old": "3"}
    kraken(FIRST, SECOND)
    assert holdings() == {"Old": "3"}
    undo(second)
    assert holdings() == {"Old": "3"}


def test_wallet_that_was_renamed_before_its_import_was_taken_back_is_known() -> None:
    first = kraken(FIRST)
    Wallet.objects.update(name="Old", version=2)
    undo(first)
    kraken(FIRST, SECOND)
    assert holdings() == {"Old": "3"}


def test_renamed_label_stays_while_a_later_import_of_the_file_told_it_too() -> None:
    told = "Date,Received Amount,Received Currency,TxHash,Labels", "2024-05-01 12:00,1,BTC,a,Rent"
    first = bring_file(*told, wallet="Kraken")
    Label.objects.update(name="Flat", version=2)
    bring_file(*told, wallet="Kraken")
    undo(first)
    assert [one.name for one in Transaction.objects.get().labels.all()] == ["Flat"]


def test_what_stays_since_a_person_edited_it_stays_when_another_import_is_taken_back() -> None:
    when = "2024-05-01 12:00"
    first = bring_file(
        "Date,Received Amount,Received Currency,TxHash,Wallet,Network",
        f"{when},0.1,ETH,{HASH},{OURS},ethereum",
        f"{when},5,EUR,x,Bank,",
    )
    Transaction.objects.filter(txid=HASH).update(note="mine", is_edited=True)
    undo(first)
    assert entries() == ["0.1 native -"]
    told = (
        "Date,Fee Amount,Fee Currency,TxHash,Wallet,Network",
        f"{when},0.01,ETH,{HASH},{OURS},ethereum",
    )
    second = bring_file(*told)
    bring_file(*told, "")
    undo(second)
    assert entries() == ["-0.01 native -", "0.1 native -"]


def test_preview_shows_what_a_new_symbol_does_to_older_transactions() -> None:
    load(row(moved(-5, BRIDGED)))
    load(row(moved(-5, BY_CODE, "")))
    batch = load(row(moved(-1, USDC), txid=OTHER_HASH))
    (line,) = batch.lines.all()
    assert "takes the place of −5 USDC, whose contract was not told" in line.detail


def test_preview_tells_that_a_file_calls_a_token_otherwise() -> None:
    load(row(moved(-5, UNNAMED)))
    batch = load(row(moved(-1, USDC), txid=OTHER_HASH), row(moved(-2, USDC), txid="0x" + "7" * 64))
    first, second = batch.lines.order_by("number")
    assert "; all of 0xcccc…cccc is called USDC from now on" in first.detail
    assert (first.outcome, "called" in second.detail) == ("new", False)
    batch = load(row(moved(-5, replace(USDC, symbol="USDX"))))
    (line,) = batch.lines.all()
    assert (line.outcome, line.detail) == ("changed", "all of USDC is called USDX from now on")
    assert load(row(moved(-5, USDC))).known == 1


def test_what_a_sum_turns_out_not_to_be_is_told() -> None:
    load(row(moved("-0.5", ETH, "")), row(moved("-0.5")))
    load(row(moved(-1, ETH, "")))
    assert "-1 native -" not in entries()
    (line,) = load(row(moved("-0.25", ETH, OURS_TOO))).lines.all()
    assert "counts −1 ETH again, since nothing takes its place" in line.detail
    assert "-1 native -" in entries()


def test_what_stays_of_an_import_taken_back_is_all_that_stays_after_another() -> None:
    first = bring(f"2024-05-01 12:00,5,ETH,{OURS},,ethereum,,{HASH},,\n")
    Transaction.objects.update(note="mine", is_edited=True)
    undo(first)
    assert entries() == ["-5 native -"]
    second = bring(f"2024-05-01 12:00,7,ETH,{OURS},,ethereum,,{HASH},,\n")
    for every in (False, True):
        undo(second, every=every)
        assert entries() == ["-5 native -"]
        assert Transaction.objects.get().note == "mine"
        if not every:
            second = bring(f"2024-05-01 12:00,7,ETH,{OURS},,ethereum,,{HASH},,\n")


def test_nft_is_called_by_its_contract_again_once_nobody_names_it() -> None:
    text = "2024-05-01 12:00,1,{},{},,ethereum,{}/7,{},,\n"
    contract = "0x" + "f" * 40
    bring(text.format("", OURS, contract, HASH).replace(",1,,", ",1,X,"))
    Asset.objects.filter(kind="nft").update(symbol="0xffff…ffff")
    before = ledger()
    undo(bring(text.format("PUNK", OURS, contract, HASH).replace("12:00", "12:00 UTC")))
    assert Asset.objects.get(kind="nft").symbol != "PUNK"
    assert before


def test_codes_beside_a_contract_count_once_when_our_csv_comes_again() -> None:
    load(row(moved(-5, BY_CODE)), row(moved(-5, BY_CODE, OURS_TOO)))
    load(row(moved(-5, USDC)))
    before = ledger()
    assert len(before["export"][0].split('"amount": "-5"')) == 3
    content = "".join(csv_file(Transaction.objects.all()))
    for _ in range(2):
        bring_file(*content.splitlines())
        assert ledger() == before


@pytest.mark.parametrize("is_new", [True, False])
def test_sum_is_still_one_once_our_csv_of_some_of_its_parts_has_come(is_new: bool) -> None:
    load(row(moved("-1.001", ETH, "")))
    load(row(moved("-0.8"), fee()))
    content = "".join(csv_file(Transaction.objects.all()))
    if is_new:
        Transaction.objects.all().delete()
    bring_file(*content.splitlines())
    assert "".join(csv_file(Transaction.objects.all())) == content
    assert len(entries()) == 3
    load(row(moved("-0.2", ETH, OURS_TOO)))
    assert sorted(f"{one.amount:f}" for one in Entry.objects.all()) == ["-0.001", "-0.2", "-0.8"]


def test_code_on_a_network_does_not_depend_on_what_the_wallet_is() -> None:
    lines = [
        f"2024-05-01 12:00,5,USDC,Cold,,ethereum,-,{HASH},,\n",
        "2024-05-02 12:00,7,USDC,Cold,,,,b,,\n",
    ]
    found = []
    for order in (lines, lines[::-1]):
        with transaction.atomic():
            for line in order:
                bring(line)
            found.append(sorted(Asset.objects.values_list("network", "code")))
            transaction.set_rollback(True)
    assert found[0] == found[1] == [("cold", "USDC"), ("ethereum", "USDC")]


def test_contact_whose_place_another_took_does_not_stay_behind() -> None:
    text = f"2024-05-01 12:00,5,ETH,{OURS},,ethereum,,{HASH},{{}},\n"
    for order in (("Alice", "Bob"), ("Bob", "Alice")):
        with transaction.atomic():
            batches = [bring(text.format(name)) for name in order]
            assert [one.name for one in Contact.objects.all()] == ["Bob"]
            undo(batches[order.index("Bob")])
            assert [one.name for one in Contact.objects.all()] == ["Alice"]
            transaction.set_rollback(True)


def test_renamed_wallet_of_a_chain_has_one_asset_for_each_code() -> None:
    off_chain = "2024-05-02 12:00,7,USDC,{},,,,b,,\n"
    bring(f"2024-05-01 12:00,5,BTC,Cold,,bitcoin,,{'a' * 64},,\n")
    bring(off_chain.format("Cold"))
    Wallet.objects.update(name="Vault")
    for name in ("Cold", "Vault"):
        bring(off_chain.format(name))
    assert Entry.objects.filter(asset__code="USDC").count() == 1


@pytest.mark.parametrize("order", [("Alice", "Bob"), ("Bob", "Alice")])
def test_contact_is_the_same_in_any_order_though_people_wrote_about_one(
    order: tuple[str, str],
) -> None:
    Contact.objects.create(name="Alice", note="from school")
    Contact.objects.update(note="from work")
    for name in order:
        load(row(contact=name))
    assert Transaction.objects.get().contact == Contact.objects.get(name="Bob")


def test_contact_that_only_an_undone_import_told_goes_though_people_wrote_about_it() -> None:
    text = f"2024-05-01 12:00,5,ETH,{OURS},,ethereum,,{HASH},{{}},\n"
    Contact.objects.create(name="Alice")
    Contact.objects.update(note="from school")
    bring(text.format(""))
    before = ledger()
    undo(bring(text.format("Alice")))
    assert ledger() == before


def test_renamed_label_and_contact_are_known_to_other_files_of_the_transaction() -> None:
    load(row(labels=("Rent",), contact="Bob"))
    Label.objects.update(name="Flat")
    Contact.objects.update(name="Alan")
    load(row(labels=("rent",), contact="Bob", method="transfer"))
    made = Transaction.objects.get()
    assert [label.name for label in made.labels.all()] == ["Flat"]
    assert made.contact == Contact.objects.get(name="Alan")
    assert not Label.objects.filter(name="Rent").exists()


@pytest.mark.parametrize("order", list(permutations([0, 37, 41])))
def test_time_with_seconds_counts_before_one_without(order: tuple[int, ...]) -> None:
    for second in order:
        load(row(timestamp=NOON.replace(second=second)))
    assert Transaction.objects.get().timestamp == NOON.replace(second=37)
    assert Entry.objects.get().timestamp == NOON.replace(second=37)


def test_failure_is_shown_with_what_no_longer_counts() -> None:
    load(row(moved(-5, USDC), fee()))
    batch = ImportBatch.objects.create(
        file_name="f.csv", status="running", sha256="0" * 64, size=1, is_confirmed=False
    )

    def read(cursor: Any) -> Any:
        return staged(cursor, [row(moved(0), fee(), status="failed")])

    import_staged(batch, read)
    assert [one[1:] for one in batch.balances if one[1] == "USDC"] == [["USDC", "-5", "0"]]
    assert "counts −5 USDC no longer, since it failed" in details(batch)[0]
    assert sum(one.amount for one in Entry.objects.filter(asset__symbol="USDC")) == -5


def test_what_was_pending_has_the_time_at_which_its_file_came() -> None:
    header, line, *_ = (DATA / "electrum.csv").read_text().splitlines()
    told = line.replace(",100,", ",0,").replace("2024-03-01 10:14:27", "unconfirmed")
    file = BytesIO(f"{header}\n{told}\n".encode())
    batch = new_batch(file, "e.csv", options={"wallet": "Cold", "timezone": "UTC"})
    batch.made_at = NOON
    batch.save(update_fields=["made_at"])
    import_batch(batch, file)
    lines = "Date,Received Amount,Received Currency,Network,TxHash,Wallet,Note"
    confirmed = bring_file(lines, f"2024-06-01 12:00,0.25,BTC,bitcoin,{'1' * 64},Cold,n")
    assert Transaction.objects.get().timestamp.month == 6
    undo(confirmed)
    assert Transaction.objects.get().timestamp == NOON
    before = ledger()
    undo(batch)
    batch.status = ImportBatch.Status.RUNNING
    batch.save(update_fields=["status"])
    import_batch(batch, file)
    assert ledger() == before


def test_label_that_a_person_took_off_comes_back_with_no_other_file() -> None:
    load(row(labels=("Rent", "Tax")))
    made = Transaction.objects.get()
    made.labels.remove(Label.objects.get(name="Tax"))
    shown = load(row(labels=("Rent", "Tax"), note="a newer export of the same source"))
    assert [label.name for label in made.labels.all()] == ["Rent"]
    assert "label" not in details(shown)[0]
    # Somebody puts it on again, and takes it off once more.
    made.labels.add(Label.objects.get(name="Tax"))
    made.labels.clear()
    load(row(labels=("Tax",), note="a third"))
    assert not made.labels.exists()
    Label.objects.all().delete()
    made.delete()


def test_label_that_a_person_took_off_stays_off_when_another_import_is_taken_back() -> None:
    header = "Date,Received Amount,Received Currency,TxHash,Labels,Method"
    first = bring_file(header, "2024-05-01 12:00,1,BTC,a,Rent,", wallet="Kraken")
    made = Transaction.objects.get()
    made.labels.clear()
    Transaction.objects.update(note="mine")
    undo(first)
    other = bring_file(header, "2024-05-01 12:00,1,BTC,a,,buy", wallet="Kraken")
    undo(other)
    assert Transaction.objects.get() == made
    assert not made.labels.exists()


EXPECTED, PLAIN = row(moved(-1), fee("-0.002"), status="pending"), row(moved(-1))


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_fee_that_was_expected_gives_way_to_the_one_that_was_paid(order: tuple[int, ...]) -> None:
    files = [EXPECTED, PLAIN, row(moved(-1), fee("-0.001")), row(moved(-1), fee("-0.0009"))]
    for number in (*order, *order):
        load(files[number])
    assert sorted(f"{one.amount:f}" for one in Entry.objects.all()) == ["-0.001", "-1"]


@pytest.mark.parametrize("files", list(permutations([EXPECTED, PLAIN])))
def test_fee_that_was_expected_stays_while_nobody_tells_another(files: tuple[Any, ...]) -> None:
    for one in files:
        load(one)
    assert sorted(f"{one.amount:f}" for one in Entry.objects.all()) == ["-0.002", "-1"]
    load(row(moved(-1), fee("-0.002")))
    assert not Entry.objects.filter(is_expected=True).exists()
    load(row(fee("-0.002"), status="pending"), row(moved(-1), fee("-0.003")))
    assert sorted(f"{one.amount:f}" for one in Entry.objects.all()) == ["-0.003", "-1"]


def test_label_that_a_person_took_off_is_asked_about_before_its_import_is_taken_back() -> None:
    header = "Date,Received Amount,Received Currency,TxHash,Labels"
    batch = bring_file(header, "2024-05-01 12:00,1,BTC,a,Rent", wallet="Kraken")
    assert plan_of(batch).edited == []
    made = Transaction.objects.get()
    made.labels.clear()
    assert plan_of(batch).edited == [made.pk]


@pytest.mark.django_db(transaction=True)
def test_labels_can_go_after_their_transaction_and_be_moved(psql: psycopg.Connection) -> None:
    load(row(labels=("Rent", "Tax")))
    rent, tax = Label.objects.get(name="Rent"), Label.objects.get(name="Tax")
    psql.execute("DELETE FROM transactions_transactionlabel WHERE label_id = %s", [tax.pk])
    psql.execute("UPDATE transactions_transactionlabel SET label_id = %s", [tax.pk])
    assert [one.label for one in TakenOffLabel.objects.all()] == [rent]
    with psql.transaction():
        psql.execute("UPDATE transactions_importline SET transaction_id = NULL")
        psql.execute("DELETE FROM transactions_transaction")
        psql.execute("DELETE FROM transactions_transactionlabel")
    assert not TakenOffLabel.objects.exists()


def test_sum_of_a_fee_and_of_two_lines_that_moved_nothing_is_one_movement() -> None:
    """As a Trezor tells a transfer to itself, of two outputs, and BTCPay."""
    nothing = moved(0, ETH, "")
    files = {
        "trezor": [row(nothing, fee("-0.5")), row(nothing)],
        "btcpay": [row(moved("-0.5", ETH, ""))],
    }
    assert in_every_order(files) == ["-0.5 native -", "0 native -", "0 native -"]


def test_token_that_is_called_as_a_currency_is_the_one_of_its_contract() -> None:
    named = replace(USDC, symbol="GEL", name="Gelato")
    files = {"a": [row(moved(-5, named))], "c": [row(moved(-5, coin("GEL"), ""))]}
    assert len(in_every_order(files)) == 1


def test_name_that_is_given_to_another_since_is_not_what_the_file_means() -> None:
    header = "Date,Received Amount,Received Currency,TxHash,Labels,Contact,Method"
    line = "2024-05-0{} 12:00,1,BTC,{},{},{},{}"
    bring_file(header, line.format(1, "a", "Rent", "Bob", ""), wallet="Kraken")
    Label.objects.update(name="Flat")
    Contact.objects.update(name="Alan")
    bring_file(header, line.format(2, "b", "Rent", "Bob", ""), wallet="Kraken")
    third = bring_file(header, line.format(2, "b", "", "", "buy"), wallet="Kraken")
    Label.objects.create(name="Rent")
    Contact.objects.create(name="Bob")
    undo(third)
    made = Transaction.objects.get(external_id="b")
    assert [label.name for label in made.labels.all()] == ["Flat"]
    assert made.contact == Contact.objects.get(name="Alan")
