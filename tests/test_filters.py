"""What each filter of the list finds, and what it says of values that it cannot read."""

from datetime import UTC, datetime

import pytest
from django.http import QueryDict
from factories import (
    make_address,
    make_asset,
    make_contact,
    make_label,
    make_transaction,
    make_wallet,
)

from transactions import conditions, ways
from transactions.filters import ORDERINGS, TransactionFilter, told
from transactions.models import Transaction
from txsite.tables import Place

pytestmark = pytest.mark.django_db

ALICE = "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
BOB = "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
UNSEEN = "0xcccccccccccccccccccccccccccccccccccccccc"
OURS = "0x1111111111111111111111111111111111111111"


@pytest.fixture
def ledger() -> None:
    """Six transactions, known by the last letter of their txid."""
    alice, bob = make_contact("Alice"), make_contact("Bob")
    at_alice, at_bob = make_address(ALICE, alice), make_address(BOB)
    main = make_wallet("Main", address=OURS)
    kraken = make_wallet("Kraken", kind="exchange", venue="kraken")
    eth, usdc = make_asset("ETH"), make_asset("USDC", code="0x" + "d" * 40)
    fake = make_asset("USDC", code="0x" + "e" * 40)
    btc = make_asset("BTC", network="kraken", kind="exchange")

    def day(number: int) -> datetime:
        return datetime(2024, 1, number, 12, tzinfo=UTC)

    def txid(letter: str) -> str:
        return "0x" + "0" * 63 + letter

    make_transaction(
        [
            {"wallet": main, "asset": eth, "amount": "-2", "counterparty": at_alice},
            {"wallet": main, "asset": eth, "amount": "-0.01", "kind": "fee"},
        ],
        ["Rent"],
        txid=txid("a"),
        timestamp=day(1),
        note="january",
    )
    make_transaction(
        [{"wallet": main, "asset": usdc, "amount": "100", "counterparty": at_bob}],
        ["Rent", "Salary"],
        txid=txid("b"),
        timestamp=day(2),
        type="receive",
    )
    make_transaction(
        [{"wallet": main, "asset": fake, "amount": "5", "counterparty": at_bob}],
        txid=txid("c"),
        timestamp=day(3),
        contact=bob,
        type="airdrop",
    )
    make_transaction(
        [
            {"wallet": main, "asset": eth, "amount": "-1", "counterparty": at_bob},
            {"wallet": main, "asset": usdc, "amount": "3000", "counterparty": at_bob},
        ],
        txid=txid("d"),
        timestamp=day(4),
        type="trade",
    )
    make_transaction(
        [{"wallet": main, "asset": eth, "amount": "-0.002", "kind": "fee"}],
        txid=txid("e"),
        timestamp=day(5),
        status="failed",
        type="call",
    )
    make_transaction(
        [{"wallet": kraken, "asset": btc, "amount": "0.5"}],
        source_wallet=kraken,
        external_id="deposit-f",
        timestamp=day(6),
        type="deposit",
        note="50% off_the record",
    )


def found(query: str) -> str:
    filterset = TransactionFilter(QueryDict(query), queryset=Transaction.objects.order_by("id"))
    assert filterset.is_valid(), filterset.errors
    check_ways(filterset)
    letters = "".join(str(transaction)[-1] for transaction in filterset.qs)
    with pytest.MonkeyPatch.context() as limits:
        limits.setattr(conditions, "MAX_IDS", 0)
        limits.setattr(ways, "MAX_WAYS", 0)
        limits.setattr(ways, "FEW", 0)
        as_if_large = TransactionFilter(QueryDict(query), queryset=filterset.queryset)
        assert as_if_large.is_valid()
        check_ways(as_if_large)
        assert "".join(str(transaction)[-1] for transaction in as_if_large.qs) == letters
    return letters


def check_ways(filterset: TransactionFilter) -> None:
    """However they are found, they are the same, in the order of time and from any place."""
    by_time = list(filterset.qs.order_by("timestamp", "pk").values_list("timestamp", "pk"))
    rows, ordering = filterset.by_time, ORDERINGS["time"]
    up = rows.first(ordering, None, ascending=True, limit=100)
    assert up == by_time
    assert rows.first(ordering, None, ascending=False, limit=100) == by_time[::-1]
    assert rows.first(ordering, None, ascending=False, limit=2) == by_time[::-1][:2]
    for number, place in enumerate(by_time):
        after = rows.first(ordering, Place(True, *place), ascending=True, limit=2)
        assert after == by_time[number + 1 :][:2]
    assert rows.count(None) == rows.count(100) == len(by_time)
    assert rows.count(2) == min(2, len(by_time))


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abcdef"),
        ("wallet=main", "abcde"),
        (f"wallet={OURS}", "abcde"),
        ("wallet=main&wallet=KRAKEN", "abcdef"),
        ("wallet=-main", "f"),
        ("wallet=none", ""),
        ("wallet=-none", "abcdef"),
        ("asset=eth", "ade"),
        ("asset=usdc", "bcd"),
        ("asset=-usdc", "aef"),
        ("asset=eth&asset=btc", "adef"),
        ("asset=-eth&asset=usdc", "bc"),
        (f"address={ALICE}", "a"),
        (f"address={ALICE}&address={BOB}", "abcd"),
        (f"address=-{BOB}", "aef"),
        (f"address={UNSEEN}", ""),
        ("address=none", "ef"),
        ("address=-none", "abcd"),
        (f"address=none&address={ALICE}", "aef"),
        (f"address={OURS}", "abcde"),
        ("direction=in", "bcdf"),
        ("direction=out", "ad"),
        ("direction=in&direction=out", "abcdf"),
        ("direction=-out", "bcef"),
        ("amount_min=2", "abcd"),
        ("amount_max=0.5", "f"),
        ("amount_min=1&amount_max=2", "ad"),
        # One and the same entry: the trade moved 3000 USDC, but only 1 ETH.
        ("asset=eth&amount_min=100", ""),
        ("asset=usdc&amount_min=100", "bd"),
        ("asset=eth&direction=in", ""),
        (f"asset=eth&address={BOB}", "d"),
        ("asset=btc&address=none", "f"),
        ("asset=eth&address=none", "e"),
        ("type=trade", "d"),
        ("type=trade&type=Airdrop", "cd"),
        ("type=-send", "bcdef"),
        ("status=failed", "e"),
        ("status=-failed", "abcdf"),
        ("label=rent", "ab"),
        ("label=RENT&label=-salary", "a"),
        ("label=none", "cdef"),
        ("label=none&label=salary", "bcdef"),
        ("label=-none", "ab"),
        ("contact=alice", "a"),
        ("contact=Bob", "c"),
        ("contact=none", "bdef"),
        ("contact=-none", "ac"),
        ("contact=-bob", "abdef"),
        ("date_after=2024-01-03", "cdef"),
        ("date_before=2024-01-03", "abc"),
        ("date_after=2024-01-02&date_before=2024-01-02", "b"),
        ("date_before=9999-12-31&date_after=0001-01-01", "abcdef"),
        ("q=january", "a"),
        ("q=JANUARY", "a"),
        ("q=salary", "b"),
        ("q=alice", "a"),
        ("q=bob", "c"),
        ("q=deposit-f", "f"),
        (f"q={BOB[:12]}", "bcd"),
        ("q=50%25", "f"),
        ("q=f_the", "f"),
        ("q=f%25the", ""),
        ("q=.*", ""),
        ("q=rent january", "a"),
        ("q=january&q=salary", "ab"),
        ("q=-rent", "cdef"),
        ("q=" + "0x" + "0" * 63 + "c", "c"),
        ("wallet=&label=&q=+", "abcdef"),
        ("label=rent&asset=eth&wallet=main&type=send&q=january", "a"),
    ],
)
def test_filter_finds(query: str, expected: str) -> None:
    assert found(query) == expected


def test_contact_of_an_address_gives_way_to_the_one_set_by_a_person() -> None:
    alice, bob = make_contact("Alice"), make_contact("Bob")
    at_alice = make_address(contact=alice)
    make_transaction([{"counterparty": at_alice}], txid="0x" + "0" * 63 + "1", contact=bob)
    assert found("contact=Alice") == ""
    assert found("contact=Bob") == "1"
    Transaction.objects.update(contact=None)
    assert found("contact=Alice") == "1"


def test_transaction_without_entries_has_no_wallet_asset_or_address() -> None:
    make_transaction([], txid="0x" + "0" * 63 + "1")
    make_transaction(txid="0x" + "0" * 63 + "2")
    for name in ("wallet", "asset"):
        assert found(f"{name}=none") == "1"
        assert found(f"{name}=-none") == "2"
    assert found("address=-none") == ""
    assert found("wallet=none&asset=none") == "1"
    assert found("wallet=none&asset=ETH") == ""


def test_names_are_found_in_either_unicode_form() -> None:
    make_transaction(labels=[make_label("Caf\u00e9")], txid="0x" + "0" * 63 + "1")
    assert found("label=Cafe\u0301") == "1"
    assert found("q=cafe\u0301") == "1"


def test_search_finds_the_contact_that_counts() -> None:
    at_alice = make_address(contact=make_contact("Alice"))
    make_transaction([{"counterparty": at_alice}], txid="0x" + "0" * 63 + "1")
    make_transaction(
        [{"counterparty": at_alice}], txid="0x" + "0" * 63 + "2", contact=make_contact("Bob")
    )
    assert found("q=alice") == "1"
    assert found("q=bob") == "2"


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ("0xabcdef0123" + "0" * 54, ["0xabcdef01", "0XABCDEF01", "abcdef01", "ABCDEF01"]),
        ("abcdef0123" + "0" * 54, ["abcdef01", "ABCDEF01", "aBcDeF01"]),
        ("ABCDEF0123" + "0" * 54, ["ABCDEF01", "abcdef01"]),
        ("5hQs7TbKz" + "1" * 70, ["5hQs7Tb"]),
    ],
)
def test_txid_is_found_by_its_beginning(stored: str, words: list[str]) -> None:
    make_transaction(network="other", txid=stored)
    make_transaction(network="other", txid="f" * 64)
    for word in [*words, stored]:
        assert found(f"q={word}") == stored[-1]


def test_record_of_an_exchange_is_found_by_its_beginning() -> None:
    wallet = make_wallet("Kraken", kind="exchange", venue="kraken")
    make_transaction(source_wallet=wallet, external_id="LABCDE-F0123-X")
    for word in ("LABCDE", "labcde", "LaBcDe"):
        assert found(f"q={word}") == "X"


def test_names_that_look_like_signs_are_found_with_an_equals_sign() -> None:
    for letter, name in (("1", "none"), ("2", "-rent"), ("3", "=rent"), ("4", "Acme, Inc.")):
        make_transaction(labels=[make_label(name)], txid="0x" + "0" * 63 + letter)
    assert found("label==none") == "1"
    assert found("label==-rent") == "2"
    assert found("label===rent") == "3"
    assert found("label=Acme, Inc.") == "4"
    assert found("label=-=none") == "234"


def test_asset_by_number_is_one_asset_of_several_with_its_symbol() -> None:
    real, fake = (make_asset("USDC", code="0x" + letter * 40) for letter in "de")
    make_transaction([{"asset": real}], txid="0x" + "0" * 63 + "1")
    make_transaction([{"asset": fake}], txid="0x" + "0" * 63 + "2")
    assert found(f"asset=id:{fake.pk}") == "2"
    assert found(f"asset=-id:{fake.pk}") == "1"
    assert found("asset=USDC") == "12"
    make_transaction(
        [{"asset": make_asset("id:5", code="0x" + "f" * 40)}], txid="0x" + "0" * 63 + "3"
    )
    assert found("asset==id:5") == "3"


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    "query",
    [
        "wallet=Nowhere",
        "asset=NOPE",
        "asset=id:999999999",
        "asset=id:99999999999999999999999",
        "asset=id:-1",
        "address=hello",
        "address=0xAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "address=0x12",
        "type=robbery",
        "status=perhaps",
        "direction=up",
        "direction=none",
        "label=Nobody",
        "label=-Nobody",
        "label=-",
        "label=%3D",
        "contact=Nobody",
        "date_after=yesterday",
        "date_after=2024-13-01",
        "date_before=10000-01-01",
        "date_before=9999-12-31T23:59:59-14:00",
        "amount_min=1e999999",
        "amount_min=NaN",
        "amount_max=Infinity",
        "amount_max=-1",
        "amount_max=1,5",
        "amount_max=" + "9" * 79,
        "amount_max=0." + "1" * 31,
        "amount_min=٣",
        "q=" + "x" * 100_000,
        "q=%00",
        "label=%00",
        "label=" + "&label=".join(str(number) for number in range(51)),
    ],
)
def test_value_that_cannot_be_read_is_an_error_and_finds_nothing(query: str) -> None:
    filterset = TransactionFilter(QueryDict(query), queryset=Transaction.objects.all())
    assert not filterset.is_valid()
    assert list(filterset.errors) == [query.split("=")[0]]
    assert not filterset.qs.exists()


def test_filter_is_told_in_words_and_each_part_can_be_taken_out() -> None:
    query = QueryDict("label=Rent&label=-Salary&contact=none&date_after=2024-01-01&cursor=last")
    parts = told(query)
    assert [part.words for part in parts] == [
        "label is Rent",
        "label is not Salary",
        "no contact",
        "from 2024-01-01",
    ]
    assert parts[1].without == "?label=Rent&contact=none&date_after=2024-01-01"
