"""A line that cannot be read changes nothing of what the others are, so that it can be mended."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Sum
from files import ALICE, DATA, questions, reading, reasons, sample
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transactions.imports.formats import open_table
from transactions.imports.importer import import_batch, new_batch
from transactions.imports.rows import FileError, Options, Rejected, Row
from transactions.models import Entry, Transaction

STATEMENT = "User_ID,UTC_Time,Account,Operation,Coin,Change,Remark\n"
DAY = "7,2023-05-01 10:00:0"
COINBASE = (
    "ID,Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,Price at Transaction,"
    "Subtotal,Total (inclusive of fees and/or spread),Fees and/or Spread,Notes\n"
)
AT = "2024-01-04 10:00:00 UTC,Convert"
TREZOR = "Timestamp,Date,Time,Type,Transaction ID,Fee,Fee unit,Address,Label,Amount,Amount unit\n"
RECEIVED = f"1710072000,10.3.2024,13:00:00,RECV,{'3' * 64},,,bc1qmine,,"
ELECTRUM = "transaction_hash,label,confirmations,value,fiat_value,fee,fiat_fee,timestamp\n"
BITSTAMP = "ID,Account,Type,Subtype,Datetime,Amount,Amount currency\n"
# Files in which several lines make one transaction, or must not.
JOINED = {
    "binance over two seconds": STATEMENT
    + f"{DAY}0,Spot,Buy,BTC,0.01,\n{DAY}1,Spot,Transaction Related,USDT,-400,\n"
    + f"{DAY}1,Spot,Fee,BNB,-0.003,\n{DAY}5,Spot,Buy,ETH,1,\n{DAY}5,Spot,Buy,BTC,-0.01,\n",
    "binance the other way": STATEMENT
    + f"{DAY}0,Spot,Buy,BTC,-0.01,\n{DAY}1,Spot,Buy,USDT,400,\n{DAY}2,Spot,Buy,USDT,-5,\n"
    + f"{DAY}3,Spot,Fee,BNB,-0.003,\n{DAY}5,Spot,Deposit,ETH,1,\n",
    "binance of one coin": STATEMENT
    + f"{DAY}0,Spot,Buy,BTC,-0.01,\n{DAY}1,Spot,Buy,BTC,0.01,\n{DAY}5,Spot,Buy,BTC,1,\n",
    "coinbase pair": COINBASE
    + f"a,{AT},BTC,-0.001,EUR,1,1,1,,Converted 0.001 BTC to 30 ETH\n"
    + f"a,{AT},ETH,30.0001,EUR,1,1,1,,Converted 0.001 BTC to 30 ETH\n",
    "coinbase with notes on both": COINBASE
    + f"a,{AT},BTC,0.001,EUR,1,1,1,,Converted 0.001 BTC to 30 ETH\n"
    + f"b,{AT},ETH,30,EUR,1,1,1,,Converted 0.001 BTC to 30 ETH\n",
    "trezor of several outputs": TREZOR
    + "".join(f"{RECEIVED}{amount},BTC\n" for amount in ("0.1", "0.2", "0.3")),
    "electrum twice": ELECTRUM
    + f"{'a' * 64},,5,0.1,,,,2021-05-01 10:00\n{'a' * 64},,5,0.2,,,,2021-05-01 10:00\n",
    "bitstamp twice": BITSTAMP
    + "1,Main,Deposit,,2024-01-01 10:00:00,1,BTC\n1,Main,Deposit,,2024-01-01 10:00:00,2,BTC\n",
}


def options_for(content: bytes, name: str) -> Options:
    options = Options()
    for question in questions(content, options, name):
        answer: Any = {
            "wallet": ALICE if ALICE in question.choices else "Mine",
            "network": "ethereum",
            "timezone": ZoneInfo("Europe/Berlin"),
            "date_order": "dmy",
        }[question.option]
        options = replace(options, **{question.option: answer})
    return options


def told(content: bytes, name: str, options: Options) -> tuple[Counter[str], set[int]]:
    """What the lines tell of which transaction, and the lines that are left out."""
    lines = list(reading(content, options, name).records)
    rows = (one for one in lines if isinstance(one, Row))
    found = (f"{r.network} {r.txid} {r.external_id} {r.wallet} {r.movements}" for r in rows)
    return Counter(found), {one.line for one in lines if isinstance(one, Rejected)}


def damaged(line: str, *, also_torn: bool) -> Iterator[str]:
    """The line with a letter in one of its numbers, or with a cell too many."""
    for found in re.finditer(r"(?<![0-9A-Za-z])[0-9]", line):
        yield line[: found.end()] + "x" + line[found.end() :]
    if also_torn:
        yield line.replace("\n", ",more\n")


def check(content: bytes, name: str, *, also_torn: bool) -> int:
    """How many of the damaged files had a line that was left out."""
    options, seen = options_for(content, name), 0
    _, table = open_table(BytesIO(content), name)
    whole, _ = told(content, name, options)
    lines = content.decode().splitlines(keepends=True)
    for place in range(table.header_line, len(lines)):
        for line in damaged(lines[place], also_torn=also_torn):
            broken = "".join([*lines[:place], line, *lines[place + 1 :]]).encode()
            try:
                rest, left_out = told(broken, name, options)
            except FileError:
                continue
            if place + 1 in left_out:
                seen += 1
                assert rest - whole == Counter(), (line, rest - whole)
    return seen


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.csv")))
def test_line_of_a_sample_that_cannot_be_read_changes_no_other(name: str) -> None:
    assert check(sample(name), name, also_torn=False)


@pytest.mark.parametrize("name", JOINED)
def test_line_of_a_transaction_of_several_changes_none_of_the_others(name: str) -> None:
    assert check(JOINED[name].encode(), "export.csv", also_torn="twice" not in name)


movement = st.tuples(
    st.integers(0, 9),
    st.sampled_from(["Buy", "Sell", "Transaction Related", "Fee", "Deposit"]),
    st.sampled_from(["BTC", "USDT", "BNB"]),
    st.sampled_from(["1", "-1", "2", "-2", "0"]),
)


@settings(max_examples=300, deadline=None)
@example([(4, "Buy", "BTC", "1"), (4, "Fee", "USDT", "2"), (3, "Sell", "USDT", "-1")], 0, 2)
@example([(4, "Buy", "BTC", "1"), (7, "Sell", "USDT", "2"), (3, "Sell", "USDT", "-1")], 0, 2)
@given(st.lists(movement, min_size=2, max_size=7), st.integers(0, 6), st.integers(0, 3))
def test_no_trade_of_a_statement_hangs_on_a_line_that_cannot_be_read(
    found: list[tuple[int, str, str, str]], place: int, damage: int
) -> None:
    found.sort(key=lambda one: one[0])
    lines = [f"{DAY}{second},Spot,{name},{coin},{n},\n" for second, name, coin, n in found]
    place %= len(lines)
    day, *_, change, _ = cells = lines[place].split(",")[1:]
    cells[{0: 4, 1: 0, 2: 1, 3: 4}[damage]] = (f"{change}x", f"x{day}", "Spot,more", "")[damage]
    broken = [*lines[:place], f"7,{','.join(cells)}", *lines[place + 1 :]]
    rest, left_out = told("".join([STATEMENT, *broken]).encode(), "export.csv", Options())
    whole, _ = told("".join([STATEMENT, *lines]).encode(), "export.csv", Options())
    assert place + 2 not in left_out or not rest - whole


def test_line_that_is_left_out_with_another_names_it() -> None:
    content = JOINED["binance over two seconds"].replace("-400", "-4x00").encode()
    first, second, third = reasons(content, Options())
    assert first.startswith("Line 2: it may be of one trade with what cannot be read (line 3), and")
    assert second.startswith("Line 3: Change '-4x00' is not a number")
    assert third.startswith("Line 4: it may be of one trade with what cannot be read (line 3), and")
    content = JOINED["trezor of several outputs"].replace("0.2,", "0.x2,").encode()
    first, _, _ = reasons(content, Options(wallet="Mine"))
    assert first.startswith("Line 2: it may have come in with what cannot be read (line 3), and")
    content = JOINED["coinbase with notes on both"].replace("BTC,0.001,", "BTC,0x,").encode()
    assert (
        "it may be one conversion with what cannot be read (line 2)"
        in reasons(content, Options())[1]
    )


@pytest.mark.django_db
@pytest.mark.parametrize("name", JOINED)
@pytest.mark.parametrize("line", [2, 3])
def test_file_that_is_mended_and_brought_again_counts_once(name: str, line: int) -> None:
    content = JOINED[name]
    lines = content.splitlines(keepends=True)
    broken = [*lines[: line - 1], re.sub(r",(-?)0?([.0-9]+),", r",\1x\2,", lines[line - 1])]
    for text in ("".join(broken + lines[line:]), content):
        options = options_for(content.encode(), "export.csv")
        said = {"wallet": options.wallet, "timezone": str(options.timezone or "")}
        batch = new_batch(BytesIO(text.encode()), "export.csv", options=said)
        try:
            import_batch(batch, BytesIO(text.encode()))
        except FileError as nothing:
            assert "No line of the file could be imported" in str(nothing)  # noqa: PT017
    together = balances()
    Transaction.objects.all().delete()
    batch = new_batch(BytesIO(content.encode()), "export.csv", options=said)
    import_batch(batch, BytesIO(content.encode()))
    assert together == balances()


def balances() -> dict[str, str]:
    totals = Entry.objects.values_list("asset__code").annotate(total=Sum("amount"))
    return {code: f"{total.normalize():f}" for code, total in totals}
