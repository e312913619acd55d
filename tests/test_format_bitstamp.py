"""Bitstamp's transactions, old and new."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from files import moved, reasons, rows

from transactions.imports.rows import Options

OLD = "Type,Datetime,Account,Amount,Value,Rate,Fee,Sub Type"
NEW = (
    "ID,Account,Type,Subtype,Datetime,Amount,Amount currency,Value,Value currency,Rate,"
    "Rate currency,Fee,Fee currency,Order ID"
)


def old(type_: str = "Deposit", time: str = "Jan. 28, 2022, 12:13 AM", rest: str = ",,,") -> bytes:
    return f'{OLD}\n{type_},"{time}",Main Account,1.50000000 BTC,{rest}'.encode()


def new(type_: str, subtype: str = "", amount: str = "1.5", fee: str = "") -> bytes:
    fee_currency = "EUR" if fee else ""
    return (
        f"{NEW}\n11,Main Account,{type_},{subtype},2023-01-01T10:00:00Z,{amount},BTC,"
        f"30000,EUR,20000,EUR,{fee},{fee_currency},7"
    ).encode()


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("Jan. 28, 2022, 12:13 AM", datetime(2022, 1, 28, 0, 13, tzinfo=UTC)),
        ("March 5, 2021, 12:30 PM", datetime(2021, 3, 5, 12, 30, tzinfo=UTC)),
        ("June 5, 2021, 1 p.m.", datetime(2021, 6, 5, 13, tzinfo=UTC)),
        ("June 5, 2021, noon", datetime(2021, 6, 5, 12, tzinfo=UTC)),
        ("June 5, 2021, midnight", datetime(2021, 6, 5, tzinfo=UTC)),
        ("July 31, 2021, 09:05 AM", datetime(2021, 7, 31, 9, 5, tzinfo=UTC)),
        ("Sept. 03, 2021, 11:59 PM", datetime(2021, 9, 3, 23, 59, tzinfo=UTC)),
    ],
)
def test_months_are_read_as_news_agencies_write_them(text: str, time: datetime) -> None:
    (row,) = rows(old(time=text), Options())
    assert row.timestamp == time


def test_time_is_of_the_zone_that_the_account_was_set_to() -> None:
    (row,) = rows(old(), Options(timezone=ZoneInfo("Europe/Berlin")))
    assert row.timestamp == datetime(2022, 1, 27, 23, 13, tzinfo=UTC)


def test_a_date_that_can_be_two_days_is_rejected() -> None:
    (reason,) = reasons(old(time="5/9/2021 10:00"), Options())
    assert reason == (
        "Line 2: Datetime '5/9/2021 10:00' can be two days. Write it like 2024-01-31 13:45:00."
    )


@pytest.mark.parametrize(
    ("way", "coins", "money"), [("Buy", "1.5", "-30000"), ("Sell", "-1.5", "30000")]
)
def test_both_sides_of_a_trade_and_its_fee(way: str, coins: str, money: str) -> None:
    expected = {(coins, "transfer", "BTC"), (money, "transfer", "EUR"), ("-12", "fee", "EUR")}
    (row,) = rows(new("Market", way, fee="12"), Options())
    assert (row.type, row.external_id, set(moved(row))) == ("trade", "11", expected)
    (row,) = rows(old("Market", rest=f'"30,000.00 EUR",20000.00 EUR,12.00 EUR,{way}'), Options())
    assert (row.type, set(moved(row))) == ("trade", expected)


def test_withdrawal_goes_out_although_it_has_no_sign() -> None:
    (row,) = rows(old("Withdrawal", rest=",,0.00050000 BTC,"), Options())
    assert moved(row) == [("-1.5", "transfer", "BTC"), ("-0.0005", "fee", "BTC")]


@pytest.mark.parametrize(
    "type_",
    [
        "Sub Account Transfer",
        "Inter Account Transfer",
        "Staking",
        "Started generating rewards",
        "Stopped generating rewards",
    ],
)
def test_what_goes_between_bitstamps_accounts_moves_nothing(type_: str) -> None:
    for content in (old(type_), new(type_)):
        (row,) = rows(content, Options())
        assert (row.type, moved(row)) == ("self", [("0", "transfer", "BTC")])


def test_transfer_within_bitstamp_may_say_where_it_went_in_place_of_the_value() -> None:
    way = "Main Account -> Savings"
    there = new("Sub Account Transfer").replace(b"30000,EUR", f"{way},".encode())
    for content in (old("Sub Account Transfer", rest=f"{way},,,"), there):
        (row,) = rows(content, Options())
        assert (row.type, moved(row)) == ("self", [("0", "transfer", "BTC")])


@pytest.mark.parametrize(
    ("type_", "ours", "amount"),
    [
        ("Crypto deposit", "deposit", "1.5"),
        ("Crypto withdrawal", "withdrawal", "-1.5"),
        ("Ripple withdrawal", "withdrawal", "-1.5"),
        ("Earn interest", "interest", "1.5"),
    ],
)
def test_types_of_other_generations_say_the_way(type_: str, ours: str, amount: str) -> None:
    (row,) = rows(old(type_), Options())
    assert (row.type, moved(row)) == (ours, [(amount, "transfer", "BTC")])


@pytest.mark.parametrize("type_", ["Market", "Something new"])
def test_line_that_does_not_say_its_way_is_rejected(type_: str) -> None:
    (reason,) = reasons(new(type_), Options())
    assert reason.startswith(f"Line 2: Type '{type_}' with '' does not say which way")


def test_sign_says_the_way_where_there_is_one() -> None:
    (row,) = rows(new("Something new", amount="-1.5"), Options())
    assert (row.type, moved(row)) == ("other", [("-1.5", "transfer", "BTC")])


def test_equal_lines_without_an_id_are_kept_apart() -> None:
    content = old() + b"\n" + old().splitlines()[1]
    one, two = rows(content, Options())
    assert one.external_id != two.external_id
    assert [row.external_id for row in rows(content, Options())] == [
        one.external_id,
        two.external_id,
    ]


def test_id_that_stands_there_twice_is_rejected() -> None:
    content = new("Deposit")
    (reason,) = reasons(content + b"\n" + content.splitlines()[1], Options())
    assert "ID '11' was there in line 2 already" in reason
