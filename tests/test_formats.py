"""Every format: one recognises a file, which read twice adds nothing, and asks what it lacks."""

import random
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from files import ALICE, DATA, questions, reading, records, sample
from prover.formats import damaged, try_sample

from transactions.imports.formats import FORMATS, open_table
from transactions.imports.importer import Unanswered, import_batch, new_batch
from transactions.imports.rows import FileError, Options, Rejected
from transactions.models import Asset, Entry, ImportBatch, Transaction, Wallet

SAMPLES = sorted(path.name for path in DATA.iterdir())
BERLIN = ZoneInfo("Europe/Berlin")
GIVEN = {"wallet": "Mine", "network": "ethereum", "timezone": "Europe/Berlin", "date_order": "dmy"}
DAMAGED = 4


def load(name: str) -> ImportBatch:
    return imported(name, sample(name))


def imported(name: str, content: bytes, **options: str) -> ImportBatch:
    """A file imported, with what it asks for and no more."""
    batch = new_batch(BytesIO(content), name, options=options)
    try:
        import_batch(batch, BytesIO(content))
    except Unanswered as unanswered:
        for question in unanswered.questions:
            answer = GIVEN.get(question.option) or question.choices[0]
            if question.option == "wallet" and ALICE in question.choices:
                answer = ALICE
            options[question.option] = answer
        return imported(name, content, **options)
    return ImportBatch.objects.get(pk=batch.pk)


def test_every_sample_is_recognised_by_one_format_alone() -> None:
    seen = set()
    for name in SAMPLES:
        known, table = open_table(BytesIO(sample(name)), name)
        assert [one.name for one in FORMATS if one.matches(table.header)] == [known.name], name
        seen.add(known.name)
    assert seen == {known.name for known in FORMATS}


@pytest.mark.django_db
@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_read_again_adds_nothing(name: str) -> None:
    first = load(name)
    assert first.new
    entries = Entry.objects.count()
    again = load(name)
    assert (again.new, again.adds, again.changed) == (0, 0, 0)
    assert again.rejected == first.rejected
    assert Entry.objects.count() == entries


@pytest.mark.django_db
def test_all_samples_together_in_another_order_add_nothing() -> None:
    for name in SAMPLES:
        load(name)
    transactions = Transaction.objects.count()
    for name in reversed(SAMPLES):
        load(name)
    assert Transaction.objects.count() == transactions


# What is asked


def asked(content: str | bytes, **said: Any) -> list[tuple[str, tuple[str, ...]]]:
    text = content.encode() if isinstance(content, str) else content
    return [(q.option, q.choices) for q in questions(text, Options(**said))]


CT = '"Type","Buy","Cur.","Sell","Cur.","Fee","Cur.","Exchange","Group","Comment","Date"\n'


def trade(date: str, exchange: str = "Kraken") -> str:
    return f'"Trade","1","BTC","2","EUR","","","{exchange}","","","{date}"\n'


def test_order_of_day_and_month_is_asked_where_no_date_tells_it() -> None:
    open_ = CT + trade("5/9/2017 10:00") + trade("3/4/2017 10:00")
    assert asked(open_, timezone=BERLIN) == [("date_order", ("dmy", "mdy"))]
    assert asked(open_ + trade("31/12/2017 10:00"), timezone=BERLIN) == []
    for order, month in (("dmy", 9), ("mdy", 5)):
        (row, _) = reading(open_.encode(), Options(timezone=BERLIN, date_order=order)).records
        assert not isinstance(row, Rejected)
        assert row.timestamp.month == month
    told = [q.text for q in questions(open_.encode(), Options(timezone=BERLIN))]
    assert "5/9/2017 10:00" in told[0]


def test_zone_of_an_account_is_asked_and_shown_by_the_files_own_time() -> None:
    [question] = questions((CT + trade("15.03.2024 14:22:10")).encode(), Options())
    assert question.option == "timezone"
    assert "15.03.2024 14:22:10" in question.text


def test_account_is_asked_only_where_some_line_names_none() -> None:
    assert asked(CT + trade("15.03.2024 14:22"), timezone=BERLIN) == []
    assert asked(CT + trade("15.03.2024 14:22", ""), timezone=BERLIN) == [("wallet", ())]


def test_network_of_tokens_alone_is_asked() -> None:
    text = sample("ledger-live.csv").decode()
    tokens = [line for n, line in enumerate(text.splitlines()) if n == 0 or "USDT" in line]
    assert asked("\n".join(tokens) + "\n") == []  # Ethereum 1 is called after its network
    tokens = [line.replace("Ethereum 1", "Savings") for line in tokens]
    [(option, choices)] = asked("\n".join(tokens) + "\n")
    assert option == "network"
    assert {"ethereum", "polygon"} <= set(choices)


@pytest.mark.parametrize(
    ("name", "amount", "other"),
    [
        ("binance.csv", "EUR,100.00000000", 'EUR,"{}"'),
        ("binance-withdrawals.csv", "BTC,BTC,0.0009", 'BTC,BTC,"{}"'),
        ("bitstamp.csv", "00Z,500", '00Z,"{}"'),
        ("bitstamp-old.csv", "Main Account,2.00000000 ETH", 'Main Account,"{} ETH"'),
        ("btcpay.csv", "+00:00,0.25", '+00:00,"{}"'),
        ("coinbase.csv", "XRP,-60.5", 'XRP,"-{}"'),
        ("electrum.csv", "100,0.25", '100,"{}"'),
        ("kraken.csv", "1000.0000,0.0000", '"{}",0.0000'),
        ("rotki-events.csv", "EUR,1000.00", 'EUR,"{}"'),
        ("trezor.csv", "bc1qmine,,0.5", 'bc1qmine,,"{}"'),
        ("trezor-old.csv", "-0.5 BTC", "-{} BTC"),
    ],
)
def test_comma_that_can_be_before_decimals_as_well_is_refused(
    name: str, amount: str, other: str
) -> None:
    said = Options(timezone=BERLIN, wallet="Mine")
    if name.startswith("etherscan"):
        said = replace(said, wallet=ALICE, network="ethereum")
    for written, is_refused in (("1,234", True), ("4,000.00", False), ("1,234,567", False)):
        content = sample(name).decode().replace(amount, other.format(written), 1).encode()
        told = [one.reason for one in records(content, said) if isinstance(one, Rejected)]
        assert any("can mean " in one for one in told) == is_refused, written
        assert not any("is not a number" in one for one in told), told


@pytest.mark.django_db
def test_what_was_answered_is_remembered_for_the_next_file_of_the_kind() -> None:
    load("electrum.csv")
    batch = new_batch(BytesIO(sample("electrum-old.csv")), "next.csv", options={})
    with pytest.raises(Unanswered) as raised:
        import_batch(batch, BytesIO(sample("electrum-old.csv")))
    suggested = {q.option: q.suggestion for q in raised.value.questions}
    assert suggested == {"wallet": "Mine", "timezone": "Europe/Berlin"}


# JSON


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"status":"0","message":"NOTOK","result":"Max rate limit reached"}', "Max rate limit"),
        ('{"status":"1","result":[]}', "no records"),
        ('{"items": [1]}', "no list of records"),
        ('[{"hash": "x",}]', "Line 1 is not JSON"),
        ('[{"some": "thing"}]', "Columns found: 'some'"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_answer_that_is_none_says_why(text: str, told: str) -> None:
    with pytest.raises(FileError, match=told):
        open_table(BytesIO(text.encode()), "answer.json")


# Into the ledger


@pytest.mark.django_db
def test_a_transfer_between_two_accounts_in_one_line_has_both_sides() -> None:
    load("koinly.csv")
    moved = Entry.objects.filter(transaction__external_id="K2").order_by("amount")
    assert [(one.wallet.name, f"{one.amount:f}", one.kind) for one in moved] == [
        ("Kraken", "-0.005", "transfer"),
        ("Kraken", "-0.0001", "fee"),
        ("Ledger", "0.0049", "transfer"),
    ]
    assert Transaction.objects.get(external_id="K2").type == "self"


@pytest.mark.django_db
def test_lines_of_one_second_are_one_trade_and_equal_lines_stay_apart() -> None:
    load("binance.csv")
    [traded] = Transaction.objects.filter(type="trade")
    assert traded.entries.count() == 3
    assert Transaction.objects.filter(type="interest").count() == 2


@pytest.mark.django_db
def test_accounts_of_one_name_and_two_keys_are_two_wallets() -> None:
    text = sample("ledger-live.csv").decode()
    for key in ("xpub6CabcdEF", "xpub6CghijkL"):
        content = text.replace("xpub6CabcdEF", key).replace("1" * 64, key[-1].lower() * 64)
        content = content.replace("L" * 64, "a" * 64).replace("l" * 64, "a" * 64)
        batch = new_batch(BytesIO(content.encode()), "ll.csv", options={})
        import_batch(batch, BytesIO(content.encode()))
    names = set(Wallet.objects.filter(kind="hd").values_list("name", flat=True))
    assert {"Bitcoin 1 (abcdEF)", "Bitcoin 1 (ghijkL)"} <= names


@pytest.mark.django_db
def test_a_coin_of_the_first_block_has_no_sender() -> None:
    load("etherscan-txlist.json")
    first = Transaction.objects.get(txid__startswith="genesis")
    [entry] = first.entries.all()
    assert (entry.amount, entry.counterparty) == (10, None)


@pytest.mark.django_db
def test_nft_is_one_of_its_number() -> None:
    load("etherscan-nft.csv")
    assert Asset.objects.filter(kind="nft", token_id="123456789012345678901234567890").exists()


def test_no_format_asks_django_for_anything() -> None:
    for path in Path("transactions/imports/formats").glob("*.py"):
        assert "django" not in path.read_text().casefold().replace("no django", ""), path


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_file_is_read_or_refused_with_a_sentence(name: str) -> None:
    """In short; `dev.py prove formats` tries many more."""
    _, outcomes, failures = try_sample((name, 150, 7))
    assert failures == []
    assert outcomes.total() == 150


@pytest.mark.django_db
@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_file_is_imported_as_told_or_not_at_all(name: str) -> None:
    """What the lines say they did is what the ledger has, and again it is known."""
    chance = random.Random(f"11 {name}")
    for _ in range(DAMAGED):
        content = damaged(sample(name), chance)
        with transaction.atomic():
            try:
                batch = imported(name, content)
            except FileError:
                assert not Transaction.objects.exists()
            else:
                made = batch.lines.filter(outcome="new").values("transaction").distinct()
                assert Transaction.objects.count() == made.count()
                told = Counter(batch.lines.values_list("outcome", flat=True))
                assert {name: getattr(batch, name) for name in told} == told
                again = imported(name, content)
                assert (again.new, again.adds, again.changed) == (0, 0, 0)
            transaction.set_rollback(True)
