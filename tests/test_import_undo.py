"""An import is taken back as though its file had never been read, and brought again."""

from io import BytesIO
from itertools import permutations
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from factories import make_label, make_transaction
from files import ALICE, BOB

from contacts.models import Address, Contact
from transactions.exports import json_lines
from transactions.imports.importer import import_batch, new_batch
from transactions.imports.labels import carry_out
from transactions.imports.undo import CannotUndo, plan_of, undo
from transactions.models import (
    Asset,
    Entry,
    ImportBatch,
    ImportLine,
    Label,
    Transaction,
    TransactionLabel,
    Wallet,
)
from txsite.previews import MERGE

pytestmark = pytest.mark.django_db

HEADER = (
    "Date,Sent Amount,Sent Currency,Received Amount,Received Currency,TxHash,Labels,Contact,Note\n"
)
ONE = HEADER + "2024-05-01 12:00,,,1,BTC,a,Rent,Alice,first\n2024-05-02 12:00,,,2,BTC,b,,,\n"
OTHER = HEADER + "2024-04-30 12:00,5,EUR,,,a,Tax,,zweite\n2024-05-03 12:00,,,3,BTC,c,,,\n"


def load(content: str, wallet: str = "Kraken", *, is_confirmed: bool = True) -> ImportBatch:
    file = BytesIO(content.encode())
    batch = new_batch(file, "file.csv", options={"wallet": wallet}, is_confirmed=is_confirmed)
    import_batch(batch, file)
    return batch


def ledger() -> list[str]:
    return list(json_lines(Transaction.objects.all()))


def everything() -> dict[str, int]:
    models: list[Any] = [Transaction, Label, Contact, Address, Wallet, Asset]
    return {model.__name__: model.objects.count() for model in models}


def test_what_an_import_alone_made_goes() -> None:
    batch = load(ONE)
    assert undo(batch)
    assert everything() == dict.fromkeys(everything(), 0)
    batch.refresh_from_db()
    assert (batch.status, batch.lines.count()) == ("undone", 2)


@pytest.mark.parametrize("first", [ONE, OTHER])
def test_what_another_import_told_too_is_as_that_told_it(first: str) -> None:
    (second,) = {ONE, OTHER} - {first}
    load(first)
    before = ledger(), everything()
    added = load(second)
    assert ledger() != before[0]
    plan = undo(added)
    assert plan
    assert [len(plan.alone), len(plan.shared)] == [1, 1]
    assert (ledger(), everything()) == before


def test_first_of_two_can_go_and_come_back() -> None:
    load(OTHER)
    other = ledger()
    Transaction.objects.all().delete()
    one = load(ONE)
    load(OTHER)
    both = ledger()
    undo(one)
    assert ledger() == other
    one.status = ImportBatch.Status.RUNNING
    one.save()
    import_batch(one, BytesIO(ONE.encode()))
    assert ledger() == both


def test_same_file_twice_keeps_what_the_other_gave() -> None:
    load(ONE)
    before = ledger()
    again = load(ONE)
    plan = undo(again)
    assert plan
    assert (plan.alone, len(plan.shared)) == ([], 2)
    assert ledger() == before


def test_what_people_edited_stays_unless_they_say_otherwise() -> None:
    batch = load(ONE)
    a, b = Transaction.objects.order_by("external_id")
    Transaction.objects.filter(pk=a.pk).update(note="mine")
    TransactionLabel.objects.create(transaction=b, label=make_label("Mine"))
    plan = plan_of(batch)
    assert (plan.alone, plan.edited) == ([], sorted([a.pk, b.pk]))
    undo(batch, plan.digest, also=[b.pk])
    kept = Transaction.objects.get()
    assert (kept.note, kept.entries.count()) == ("mine", 1)
    assert Label.objects.filter(name="Mine").exists()


def test_edit_of_what_others_told_too_stays() -> None:
    load(ONE)
    added = load(OTHER)
    Transaction.objects.filter(external_id="a").update(note="mine")
    mine = make_label("Mine")
    TransactionLabel.objects.create(
        transaction=Transaction.objects.get(external_id="a"), label=mine
    )
    undo(added)
    kept = Transaction.objects.get(external_id="a")
    assert (kept.note, kept.type) == ("mine", "receive")
    assert sorted(kept.labels.values_list("name", flat=True)) == ["Mine", "Rent"]


def test_label_that_people_took_off_stays_off() -> None:
    load(ONE)
    added = load(OTHER)
    TransactionLabel.objects.filter(label__name="Rent").delete()
    undo(added)
    assert not TransactionLabel.objects.exists()


def test_nothing_happens_when_it_is_no_longer_what_was_seen() -> None:
    batch = load(ONE)
    seen = plan_of(batch).digest
    Transaction.objects.filter(external_id="a").update(note="mine")
    before = ledger()
    assert undo(batch, seen) is None
    assert ledger() == before
    assert ImportBatch.objects.get().status == "imported"


def test_what_is_not_in_the_ledger_cannot_be_taken_back() -> None:
    batch = load(ONE)
    undo(batch)
    with pytest.raises(CannotUndo, match="was taken back already"):
        undo(batch)


def test_file_that_was_not_kept_is_named() -> None:
    ImportBatch.objects.filter(pk=load(ONE).pk).update(content=None)
    added = load(OTHER)
    before = ledger()
    with pytest.raises(CannotUndo, match=r"file\.csv told of some of these transactions too"):
        undo(added)
    assert ledger() == before


def test_transactions_of_nobody_s_import_are_left_alone() -> None:
    made = make_transaction()
    undo(load(ONE))
    assert Transaction.objects.get() == made
    call_command("check")


def run_again(batch: ImportBatch, content: str) -> None:
    batch.status = ImportBatch.Status.RUNNING
    batch.save(update_fields=["status"])
    import_batch(batch, BytesIO(content.encode()))


def rename() -> None:
    Wallet.objects.filter(name="Kraken").update(name="My Kraken")
    Label.objects.filter(name="Rent").update(name="Flat")
    Contact.objects.filter(name="Alice").update(name="Alice B.")


def test_what_was_renamed_since_is_known_when_another_import_is_taken_back() -> None:
    load(ONE)
    added = load(OTHER)
    rename()
    undo(added)
    kept = Transaction.objects.get(external_id="a")
    assert [label.name for label in kept.labels.all()] == ["Flat"]
    assert kept.contact
    assert kept.contact.name == "Alice B."
    assert [wallet.name for wallet in Wallet.objects.all()] == ["My Kraken"]
    assert not Label.objects.filter(name__in=["Rent", "Tax"]).exists()


@pytest.mark.parametrize("times", [1, 2])
def test_what_was_renamed_since_is_known_when_the_import_is_brought_back(times: int) -> None:
    batch = load(ONE)
    other = load(ONE.replace(",a,", ",x,").replace(",b,", ",y,"))  # keeps what both refer to
    rename()
    for _ in range(times):
        undo(batch)
        run_again(batch, ONE)
    assert [wallet.name for wallet in Wallet.objects.all()] == ["My Kraken"]
    assert [label.name for label in Label.objects.all()] == ["Flat"]
    assert [contact.name for contact in Contact.objects.all()] == ["Alice B."]
    assert Transaction.objects.filter(source_wallet__name="My Kraken").count() == 4
    assert other.status == "imported"


def test_what_two_imports_used_goes_with_the_last_of_them() -> None:
    one, other = load(ONE), load(OTHER)
    undo(one)
    undo(other)
    assert everything() == dict.fromkeys(everything(), 0)


def test_what_an_import_made_is_known_after_it_was_brought_back() -> None:
    one, other = load(ONE), load(OTHER)
    undo(one)
    run_again(one, ONE)  # makes no wallet, since the other's is still there
    undo(other)
    undo(one)
    assert everything() == dict.fromkeys(everything(), 0)


CHAIN = (
    "Date,Received Amount,Received Currency,Network,TxHash,Note\n"
    f"2024-05-01 12:00,1,BTC,bitcoin,{'a' * 64},\n2024-05-02 12:00,2,BTC,bitcoin,{'b' * 64},\n"
)
RECORD = f'{{"type":"tx","ref":"{"a" * 64}","label":"Rent || for May"}}'


def labelled() -> tuple[list[str], str]:
    one = Transaction.objects.get(txid="a" * 64)
    return [label.name for label in one.labels.all()], one.note


def test_what_waits_for_a_transaction_is_shown_before_it_comes() -> None:
    carry_out(RECORD.encode())
    batch = load(CHAIN, "Cold", is_confirmed=False)
    told = [line.detail for line in batch.lines.order_by("number")]
    assert "gets “Rent || for May”, which waited for it" in told[0]
    assert "waited" not in told[1]
    assert not Transaction.objects.exists()


def test_what_waited_for_a_transaction_goes_and_comes_with_it() -> None:
    carry_out(RECORD.encode())
    batch = load(CHAIN, "Cold")
    for _ in range(2):
        assert labelled() == (["Rent"], "for May")
        plan = undo(batch)
        assert plan
        assert (len(plan.alone), plan.edited) == (2, [])
        assert not Transaction.objects.exists()
        run_again(batch, CHAIN)
    other = load(CHAIN, "Colder")
    undo(batch)
    assert labelled() == (["Rent"], "for May")
    undo(other)
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("is_later", [True, False])
def test_label_of_a_wallet_stays_when_a_file_that_has_it_too_is_taken_back(is_later: bool) -> None:
    waiting = RECORD.encode()
    if not is_later:
        carry_out(waiting)
    labels = CHAIN.replace(",Note", ",Labels").replace(f"{'a' * 64},", f"{'a' * 64},Rent | Tax")
    batch = load(labels, "Cold")
    if is_later:
        carry_out(waiting, default=MERGE)
    other = load(CHAIN, "Cold")
    assert labelled() == (["Rent", "Tax"], "for May")
    undo(batch)
    assert labelled() == (["Rent"], "for May")
    undo(other)
    assert not Transaction.objects.exists()


def test_note_of_a_wallet_that_was_not_taken_comes_with_no_file() -> None:
    load(CHAIN.replace(f"{'a' * 64},", f"{'a' * 64},of the file"), "Cold")
    carry_out(RECORD.encode())
    load(CHAIN, "Warm")
    assert labelled() == ([], "of the file")


def test_note_of_a_file_above_what_waited_goes_with_its_import() -> None:
    carry_out(RECORD.encode())
    noted = CHAIN.replace(f"{'a' * 64},", f"{'a' * 64},of the file")
    other, batch = load(CHAIN, "Cold"), load(noted, "Cold")
    assert labelled() == (["Rent"], "of the file\nfor May")
    undo(batch)
    assert labelled() == (["Rent"], "for May")
    undo(other)
    last = load(noted.replace("Date", "Contact,Date").replace("\n2024", "\nBob,2024"), "Cold")
    assert plan_of(last).edited == []
    undo(last)
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("edit", [{"note": "for June"}, {"note": ""}])
def test_what_was_edited_after_it_came_is_asked_about(edit: dict[str, str]) -> None:
    carry_out(RECORD.encode())
    batch = load(CHAIN, "Cold")
    Transaction.objects.filter(txid="a" * 64).update(**edit)
    assert len(plan_of(batch).edited) == 1
    Transaction.objects.filter(txid="a" * 64).update(note="for May")
    assert plan_of(batch).edited == []
    TransactionLabel.objects.all().delete()
    assert len(plan_of(batch).edited) == 1


def test_label_of_the_file_that_was_taken_off_beside_what_waited_is_asked_about() -> None:
    carry_out(RECORD.encode())
    batch = load(
        CHAIN.replace(",Note", ",Labels").replace(f"{'a' * 64},", f"{'a' * 64},Tax"), "Cold"
    )
    assert plan_of(batch).edited == []
    TransactionLabel.objects.filter(label__name="Tax").delete()
    assert len(plan_of(batch).edited) == 1


def test_undo_holds_no_more_locks_for_more_imports_that_told_the_same() -> None:
    """PostgreSQL has room for some thousands in a transaction."""

    def locks() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()")
            return int(cursor.fetchone()[0])

    def held_by_undo(others: int) -> int:
        batch, *_ = [load(ONE) for _ in range(1 + others)]
        before = locks()
        undo(batch)
        return locks() - before

    held_by_undo(1)  # makes the tables
    assert held_by_undo(8) < held_by_undo(2) + 10
    assert Transaction.objects.count() == 2


A_TOKEN = "0x" + "c0ffee" * 6 + "c0ff"
ERC20 = (
    '"Transaction Hash","Blockno","UnixTimestamp","DateTime (UTC)","From","To","TokenValue",'
    '"USDValueDayOfTx","ContractAddress","TokenName","TokenSymbol"\n'
    f'"0x{"7" * 64}","16700003","1678038359","2023-03-05 17:45:59","{ALICE}","{BOB}","1,000.5",'
    f'"N/A","{A_TOKEN}","USD Coin","USDC"\n'
)
LEDGER_LIVE = (
    "Operation Date,Status,Currency Ticker,Operation Type,Operation Amount,Operation Fees,"
    "Operation Hash,Account Name,Account xpub,Countervalue Ticker,Countervalue at Operation Date,"
    "Countervalue at CSV Export\n"
    f"2023-03-05T17:45:59.000Z,Confirmed,ETH,OUT,0.002,0.002,0x{'7' * 64},Ethereum 1,{ALICE},,,\n"
    f"2023-03-05T17:45:59.000Z,Confirmed,USDC,OUT,1000.5,,0x{'7' * 64},Ethereum 1,{ALICE},,,\n"
)


OTHER_TOKEN = "0x" + "fa15e0" * 6 + "fa15"
BY_NAME = {
    "e": ERC20,
    "o": ERC20.replace(A_TOKEN, OTHER_TOKEN).replace("USD Coin", "Not it"),
    "l": LEDGER_LIVE,
}


def brought(name: str) -> ImportBatch:
    file = BytesIO(BY_NAME[name].encode())
    options = {} if name == "l" else {"wallet": ALICE, "network": "ethereum"}
    batch = new_batch(file, f"{name}.csv", options=options)
    import_batch(batch, file)
    return batch


@pytest.mark.parametrize("order", list(permutations("eol")))
def test_code_of_two_contracts_is_no_third_token(order: tuple[str, ...]) -> None:
    for name in (*order, *order):
        brought(name)
    moved = Entry.objects.filter(kind="transfer").exclude(amount=0)
    assert {entry.asset.code for entry in moved} == {A_TOKEN, OTHER_TOKEN}


def test_receipt_says_that_a_contract_takes_the_place_of_a_code() -> None:
    brought("l")
    line = ImportLine.objects.get(batch=brought("e"))
    assert line.outcome == "changed"
    assert "takes the place of −1000.5 USDC, whose contract was not told" in line.detail


@pytest.mark.parametrize(
    "order", [*permutations("el"), ("e", "l", "e"), ("l", "e", "l"), ("l", "l", "e", "e")]
)
def test_token_known_by_contract_and_by_code_moves_once(order: tuple[str, ...]) -> None:
    batches = {name: brought(name) for name in order}
    moved = Entry.objects.filter(kind="transfer").exclude(amount=0)
    assert [(e.asset.code, f"{e.amount:f}") for e in moved] == [(A_TOKEN, "-1000.5")]
    if len(order) == 2:
        undo(batches["e"])
        assert [(e.asset.code, f"{e.amount:f}") for e in moved.all()] == [("USDC", "-1000.5")]
