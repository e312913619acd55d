"""Sparrow's list of a wallet's transactions."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from files import moved, questions, reading, reasons, rows, sample

from transactions.imports.rows import FileError, Options

FILE = sample("sparrow.csv")
OURS = Options(wallet="Cold storage")
TXID = "ab" * 32


def file(*lines: str, header: str = "Date (UTC),Label,Value,Balance,Fee,Txid") -> bytes:
    return "\n".join([header, *lines]).encode()


def test_value_is_net_so_the_fee_of_a_spend_is_taken_out_of_it() -> None:
    received, spent, moved_to_self, mixed, _ = rows(FILE, OURS)
    assert moved(received) == [("0.5", "transfer", "native")]
    assert moved(spent) == [("-0.1", "transfer", "native"), ("-0.000015", "fee", "native")]
    assert moved(moved_to_self) == [("0", "transfer", "native"), ("-0.000009", "fee", "native")]
    assert moved_to_self.type == "self"
    # Not told is not 0.
    assert moved(mixed) == [("-0.02", "transfer", "native")]


def test_file_of_a_generation_without_fees_is_read_too() -> None:
    line = f"2022-02-01 10:00,Rent,-0.10001500,0.39998500,{TXID}"
    content = file(line, header="Date,Label,Value,Balance,Txid")
    (row,) = rows(content, Options(wallet="Cold storage", timezone=UTC))
    assert moved(row) == [("-0.100015", "transfer", "native")]
    assert row.timestamp == datetime(2022, 2, 1, 10, tzinfo=UTC)


def test_rows_are_bitcoin_transactions_of_the_named_wallet() -> None:
    first = rows(FILE, OURS)[0]
    assert (first.network, first.txid, first.timestamp) == (
        "bitcoin",
        "1" * 64,
        datetime(2024, 2, 1, 10, tzinfo=UTC),
    )
    assert (first.wallet, reading(FILE, OURS).options.wallet) == ("", "Cold storage")
    assert [question.option for question in questions(FILE, Options())] == ["wallet"]
    with pytest.raises(FileError, match="not on litecoin"):
        reading(FILE, Options(wallet="x", network="litecoin"))


def test_what_is_unconfirmed_is_pending_since_now() -> None:
    now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    *_, pending = rows(FILE, replace(OURS, brought_at=now))
    assert (pending.status, pending.timestamp) == ("pending", now)


def test_label_is_a_label_and_a_long_one_a_note() -> None:
    assert [row.labels for row in rows(FILE, OURS)[:3]] == [
        ("Salary from Bob",),
        ("Rent, February",),
        (),
    ]
    (row,) = rows(file(f"2024-01-01 10:00:00,{'long ' * 30},1.0,1.0,,{TXID}"), OURS)
    assert (row.labels, row.note) == ((), ("long " * 30).strip())


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Date (UTC),Label,Value,Balance,Fee,Txid", "-12345"),
        ("Date (UTC),Label,Value (sats),Balance (sats),Fee (sats),Value (EUR),Txid", "-12345"),
        ("Date (UTC),Label,Value (BTC),Balance (BTC),Fee (BTC),Txid", "-0.00012345"),
        ("Date (UTC),Label,Value,Balance,Fee,Txid", '"-0,00012345"'),
    ],
)
def test_unit_is_the_headers_or_told_from_the_decimals(header: str, value: str) -> None:
    fiat = ",1" if "EUR" in header else ""
    (row,) = rows(file(f"2024-01-01 10:00:00,,{value},0,{fiat},{TXID}", header=header), OURS)
    assert moved(row) == [("-0.00012345", "transfer", "native")]


def test_older_files_have_local_times_and_the_zone_is_asked_for() -> None:
    old = file(f"2024-07-01 10:00:00,,1.0,1.0,,{TXID}", header="Date,Label,Value,Balance,Fee,Txid")
    asked = questions(old, OURS)
    assert [question.option for question in asked] == ["timezone"]
    assert "2024-07-01 10:00:00" in asked[0].text
    (row,) = rows(old, Options(wallet="Cold", timezone=ZoneInfo("Europe/Berlin")))
    assert row.timestamp == datetime(2024, 7, 1, 8, tzinfo=UTC)
    with pytest.raises(FileError, match="time zone"):
        reading(old, OURS)


def test_id_with_a_digit_too_many_still_tells_transactions_apart() -> None:
    (row,) = rows(file(f"2024-01-01 10:00:00,,1.0,1.0,,{TXID}F"), OURS)
    assert row.txid == f"{TXID}f"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"2024-01-01 10:00:00,,,1.0,,{TXID}", "Value is empty"),
        (f"2024-01-01 10:00:00,,-0.1,1.0,0.2,{TXID}", "is more than Value"),
        (f"yesterday,,0.1,1.0,,{TXID}", "Date 'yesterday' is not a time"),
        ("2024-01-01 10:00:00,,0.1,1.0,,abc", "Txid 'abc' has 3 characters"),
        (f"2024-01-01 10:00:00,,0.1.0,1.0,,{TXID}", "Value '0.1.0' is not a number"),
        ("2024-01-01 10:00:00,,0.1", "has 3 cells"),
    ],
)
def test_line_that_cannot_be_read_says_why(line: str, why: str) -> None:
    (reason,) = reasons(file(line), OURS)
    assert reason.startswith("Line 2")
    assert why in reason


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("-1,000,000", "200"), ["-0.01000000", "0.00000200"]),
        (("1,234", "5"), ["0.00001234", "0.00000005"]),
        (("0,12345678", "1,00000000"), ["0.12345678", "1"]),
        (("1,234.5", "0.1"), ["1234.5", "0.1"]),
    ],
)
def test_satoshis_with_groups_of_thousands_are_no_bitcoin(
    values: tuple[str, str], told: list[str]
) -> None:
    lines = [
        f'2024-01-01 10:00:00,,"{value}",0,,{number:064}' for number, value in enumerate(values)
    ]
    assert [moved(row)[0][0] for row in rows(file(*lines), OURS)] == told


def test_points_that_can_group_satoshis_are_refused() -> None:
    lines = [
        f"2024-01-0{day} 10:00:00,,{value},0,,{'a' * 63}{day}"
        for day, value in ((1, "1.234"), (2, "500"))
    ]
    with pytest.raises(FileError, match=r"'1\.234' can be bitcoin or satoshis"):
        rows(file(*lines), OURS)


def test_part_of_a_satoshi_is_rejected() -> None:
    line = f"2024-01-01 10:00:00,,1.5,0,,{'a' * 64}"
    header = "Date (UTC),Label,Value (sats),Balance (sats),Fee (sats),Txid"
    (reason,) = reasons(file(line, header=header), OURS)
    assert "is no number of satoshis" in reason


@pytest.mark.parametrize(
    ("header", "value", "why"),
    [
        ("Value (sats)", "-25.000", "is no number of satoshis"),
        ("Value (BTC)", '"-1,234"', "which has eight decimals"),
    ],
)
def test_value_that_its_unit_does_not_have_is_rejected(header: str, value: str, why: str) -> None:
    header = f"Date (UTC),Label,{header},Balance,Fee,Txid"
    content = file(f"2024-01-01 10:00:00,,{value},1,,{TXID}", header=header)
    assert why in reasons(content, OURS)[0]
