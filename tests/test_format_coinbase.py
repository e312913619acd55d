"""Coinbase's transaction history, in all its generations."""

import pytest
from files import moved, questions, reading, reasons, rows

from transactions.imports.rows import Options, Row

OLDEST = (
    "Timestamp,Transaction Type,Asset,Quantity Transacted,USD Spot Price at Transaction,"
    "USD Amount Transacted (Inclusive of Coinbase Fees),Address,Notes"
)
IN_EUR = (
    "Timestamp,Transaction Type,Asset,Quantity Transacted,EUR Spot Price at Transaction,"
    "EUR Subtotal,EUR Total (inclusive of fees),EUR Fees,Notes"
)
SPOT = (
    "Timestamp,Transaction Type,Asset,Quantity Transacted,Spot Price Currency,"
    "Spot Price at Transaction,Subtotal,Total (inclusive of fees and/or spread),"
    "Fees and/or Spread,Notes"
)
NEW = "ID," + SPOT.replace("Spot Price", "Price")
BUY = [("-100", "transfer", "EUR"), ("0.5", "transfer", "ETH"), ("-2.5", "fee", "EUR")]


def file(header: str, *lines: str) -> bytes:
    return "\n".join([header, *lines]).encode()


def new(type_: str, quantity: str, notes: str, asset: str = "ETH") -> bytes:
    cells = f"n1,2024-05-01 10:00:00 UTC,{type_},{asset},{quantity},EUR"
    return file(NEW, f'{cells},€200.00,€100.00,€102.50,€2.50,"{notes}"')


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (IN_EUR, "2020-05-01T10:00:00Z,Buy,ETH,0.5,200.00,100.00,102.50,2.50,Bought 0.5 ETH"),
        (SPOT, "2022-05-01T10:00:00Z,Buy,ETH,0.5,EUR,200.00,100.00,102.50,2.50,Bought 0.5 ETH"),
        (
            NEW,
            "b1,2024-05-01 10:00:00 UTC,Buy,ETH,0.5,EUR,€200.00,€100.00,€102.50,€2.50,"
            "Bought 0.5 ETH for 102.50 EUR",
        ),
    ],
)
def test_a_buy_is_the_same_in_every_generation(header: str, line: str) -> None:
    (row,) = rows(file(header, line), Options())
    assert (row.type, moved(row)) == ("trade", BUY)


def test_the_oldest_files_have_the_fee_in_the_amount_and_dates_that_are_asked_for() -> None:
    content = file(OLDEST, "03/08/2018,Buy,BTC,0.1,8000.00,812.00,,Bought 0.1 BTC")
    (question,) = questions(content, Options())
    assert (question.option, question.choices) == ("date_order", ("dmy", "mdy"))
    (row,) = rows(content, Options(date_order="mdy"))
    assert f"{row.timestamp:%Y-%m-%d}" == "2018-03-08"
    assert moved(row) == [("-812", "transfer", "USD"), ("0.1", "transfer", "BTC")]


def test_what_was_traded_for_another_asset_is_in_the_notes_fee_included() -> None:
    notes = "Bought 0.5 ETH for 1,010.5 USDC on ETH-USDC at 2000 USDC/ETH"
    (row,) = rows(new("Advanced Trade Buy", "0.5", notes), Options())
    assert moved(row) == [("-1010.5", "transfer", "USDC"), ("0.5", "transfer", "ETH")]

    notes = "Sold 0.5 ETH for 989.5 USDC on ETH-USDC at 2000 USDC/ETH"
    (row,) = rows(new("Advanced Trade Sell", "-0.5", notes), Options())
    assert moved(row) == [("-0.5", "transfer", "ETH"), ("989.5", "transfer", "USDC")]


def test_an_advanced_trade_for_the_accounts_currency_has_its_fee() -> None:
    notes = "Bought 0.5 ETH for €102.50 EUR on ETH-EUR at 200 EUR/ETH"
    (row,) = rows(new("Advanced Trade Buy", "0.5", notes), Options())
    assert moved(row) == BUY


def test_an_advanced_trade_whose_notes_say_too_little_is_rejected() -> None:
    (reason,) = reasons(new("Advanced Trade Buy", "0.5", "Filled on ETH-BTC"), Options())
    assert reason.startswith("Line 2: Notes 'Filled on ETH-BTC' do not say what it was traded for")


@pytest.mark.parametrize("notes", ["", "Bought ETH"])
def test_an_advanced_trade_whose_notes_say_nothing_counts_and_is_told(notes: str) -> None:
    read = reading(new("Advanced Trade Buy", "0.5", notes), Options())
    (row,) = read.records
    assert isinstance(row, Row)
    assert moved(row) == BUY
    assert [text for text in read.told if text.startswith("Advanced trades whose Notes")]


def test_side_of_a_conversion_is_not_told_where_nothing_has_a_sign() -> None:
    (reason,) = reasons(new("Convert", "0.5", ""), Options())
    assert "do not say what the conversion brought" in reason


def test_what_stays_in_the_account_moves_nothing() -> None:
    (row,) = rows(new("Vault Withdrawal", "0.5", ""), Options())
    assert (row.type, moved(row)) == ("self", [("0", "transfer", "ETH")])


@pytest.mark.parametrize(("quantity", "asset"), [("-0.5", "ETH2"), ("0.5", "ETH")])
def test_staked_coins_change_by_their_sign(quantity: str, asset: str) -> None:
    (row,) = rows(new("Retail Eth2 Deprecation", quantity, "", asset), Options())
    assert (row.type, moved(row)) == ("self", [(quantity, "transfer", asset)])


@pytest.mark.parametrize("quantity", ["0.5", "-0.5"])
def test_a_send_goes_out_whatever_its_sign(quantity: str) -> None:
    (row,) = rows(new("Send", quantity, "Sent 0.5 ETH"), Options())
    assert (row.type, moved(row)) == ("send", [("-0.5", "transfer", "ETH")])


START = "n1,2024-05-01 10:00:00 UTC"


@pytest.mark.parametrize(
    ("line", "paid", "fee"),
    [
        # Subtotal and fee are not the total: the rest is spread.
        ("Buy,ETH,0.5,EUR,€200.00,€100.00,€103.10,€2.50", "-100.6", "-2.5"),
        ("Sell,ETH,-0.5,EUR,€200.00,€100.00,€96.90,€2.50", "99.4", "-2.5"),
        ("Buy,ETH,0.5,EUR,€200.00,€100.00,€102.50,", "-102.5", ""),
        ("Sell,ETH,-0.5,EUR,€200.00,€100.00,€97.50,", "97.5", ""),
        ("Buy,ETH,0.5,EUR,€200.00,,€102.50,€2.50", "-100", "-2.5"),
        ("Buy,ETH,0.5,EUR,€200.00,€100.00,,€2.50", "-100", "-2.5"),
        ("Sell,ETH,-0.5,EUR,€200.00,-€100.00,-€97.50,€2.50", "100", "-2.5"),
    ],
)
def test_account_changes_by_the_total_of_a_trade(line: str, paid: str, fee: str) -> None:
    (row,) = rows(file(NEW, f"{START},{line},"), Options())
    money = {(amount, kind) for amount, kind, code in moved(row) if code == "EUR"}
    assert money == {(paid, "transfer"), *([(fee, "fee")] if fee else [])}


def test_trade_of_which_nothing_tells_what_it_cost_is_rejected() -> None:
    sell = file(NEW, f"{START},Sell,ETH,0.5,EUR,€200.00,,,,Sold 0.5 ETH")
    (reason,) = reasons(sell, Options())
    assert reason.startswith("Line 2: Subtotal and Total are empty")


def test_fee_that_is_more_than_the_total_it_is_in_is_rejected() -> None:
    buy = file(NEW, f"{START},Buy,ETH,0.5,EUR,€200.00,€1.00,€1.00,€2.50,")
    (reason,) = reasons(buy, Options())
    assert "Fees 2.5 are more than Total 1, which has them in it" in reason


@pytest.mark.parametrize(
    ("quantity", "notes", "told"),
    [
        ("0.003", "Converted 0,003 BTC to 156,145 XRP", "156.145"),
        ("0.003", "Converted 0.003 BTC to 156,145 XRP", "156145"),
        ("1000", "Converted 1.000 BTC to 2.156,145 XRP", "2156.145"),
        ("0.003", "Converted 0.0031 BTC to 156.145 XRP", "156.145"),
    ],
)
def test_quantity_in_the_notes_tells_what_a_comma_is(quantity: str, notes: str, told: str) -> None:
    (row,) = rows(new("Convert", quantity, notes, "BTC"), Options())
    assert moved(row)[1] == (told, "transfer", "XRP")


def test_comma_that_can_be_both_is_rejected() -> None:
    (reason,) = reasons(
        new("Convert", "0.003", "Converted 0.0031 BTC to 156,145 XRP", "BTC"), Options()
    )
    assert "'156,145' can mean 156145 or 156.145" in reason


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("Converted 100,5 XRP to 0,512 SOL", "30.512"),
        ("Converted 100.5 XRP to 0.512 SOL", "30512"),
    ],
)
def test_other_lines_tell_what_a_comma_after_a_whole_quantity_is(other: str, told: str) -> None:
    whole = new("Convert", "100", "Converted 100 XRP to 30,512 SOL", "XRP")
    (reason,) = reasons(whole, Options())
    assert "'30,512' in Notes can mean 30512 or 30.512" in reason
    line = new("Convert", "100.5", other, "XRP").splitlines()[-1].replace(b"n1", b"n2")
    first, _ = rows(whole.rstrip() + b"\n" + line + b"\n", Options())
    assert moved(first)[1] == (told, "transfer", "SOL")


def test_number_that_fits_one_mark_alone_is_read_with_it() -> None:
    (row,) = rows(new("Convert", "100", "Converted 100 XRP to 2.000,50 SOL", "XRP"), Options())
    assert moved(row)[1] == ("2000.5", "transfer", "SOL")


NEWEST = NEW + ",Sender Address,Recipient Address"


def newest(*lines: str) -> bytes:
    """Lines of type, asset, quantity and the last two cells; all of one ID and without Notes."""
    parts = (line.split(",") for line in lines)
    return file(
        NEWEST,
        *(
            f"c1,2026-01-24 22:14:05 UTC,{kind},{asset},{quantity},USD,$9.00,$75.40,$77.58,$2.18,"
            f",{sender},{receiver}"
            for kind, asset, quantity, sender, receiver in parts
        ),
    )


def test_two_lines_of_one_conversion_are_its_sides() -> None:
    sides = newest("Convert,BTC,0.00084397,,", "Convert,USDC,-77.589329,,")
    bought, paid = rows(sides, Options())
    assert (bought.external_id, paid.external_id) == ("c1", "c1")
    assert (bought.type, moved(bought)) == ("trade", [("0.00084397", "transfer", "BTC")])
    assert (paid.type, moved(paid)) == ("trade", [("-77.589329", "transfer", "USDC")])


@pytest.mark.parametrize(
    "lines",
    [
        ("Convert,BTC,0.5,,", "Convert,BTC,-0.5,,"),
        ("Convert,BTC,0.5,,", "Convert,USDC,70,,"),
        ("Convert,BTC,0.5,,", "Convert,USDC,-70,,", "Send,ETH,-1,,"),
        ("Convert,BTC,0.5,,", "Send,USDC,-70,,"),
    ],
)
def test_other_lines_of_one_id_are_no_conversion(lines: tuple[str, ...]) -> None:
    told = reasons(newest(*lines), Options())
    assert "Line 2: Notes '' do not say what the conversion brought" in told[0]


@pytest.mark.parametrize("side", ["Convert,BTC,0.00084397,,", "Convert,USDC,-77.589329,,"])
def test_side_of_a_conversion_that_stands_alone_is_counted_and_told(side: str) -> None:
    _, asset, quantity, *_ = side.split(",")
    read = reading(newest(side), Options())
    (row,) = read.records
    assert isinstance(row, Row)
    assert (row.external_id, moved(row)) == ("c1", [(quantity, "transfer", asset)])
    assert [text for text in read.told if text.startswith("Conversions of which")]


GIVEN = "g1,2023-08-01 09:06:57 UTC,Convert,XLM,-49.1,EUR,€0.13,€6.26,€6.43,€0.16,"
TAKEN = "t1,2023-08-01 09:06:57 UTC,Convert,DOGE,91.5,EUR,€0.07,€6.43,€6.43,-€0.01,"
BOTH = "Converted 49.1 XLM to 91.5 DOGE"


@pytest.mark.parametrize("lines", [(GIVEN,), (TAKEN,), (GIVEN, TAKEN), (TAKEN, GIVEN)])
def test_conversion_is_one_whichever_of_its_sides_have_a_line(lines: tuple[str, ...]) -> None:
    (row,) = rows(file(NEW, *(line + BOTH for line in lines)), Options())
    assert moved(row) == [("-49.1", "transfer", "XLM"), ("91.5", "transfer", "DOGE")]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "Advanced Trade Sell,ZEC,-0.01,USD,$424.71,-$4.41,-$4.39,$0.0265,,,",
            [
                ("-0.01", "transfer", "ZEC"),
                ("4.4165", "transfer", "USD"),
                ("-0.0265", "fee", "USD"),
            ],
        ),
        (
            "Advanced Trade Buy,ZEC,0.01,USD,$424.71,$4.41,$4.43,$0.02,,,",
            [("-4.41", "transfer", "USD"), ("0.01", "transfer", "ZEC"), ("-0.02", "fee", "USD")],
        ),
    ],
)
def test_advanced_trade_without_notes_counts_in_the_currency_of_its_price(
    line: str, told: list[tuple[str, str, str]]
) -> None:
    read = reading(file(NEWEST, f"{START},{line}"), Options())
    (row,) = read.records
    assert isinstance(row, Row)
    assert (row.type, moved(row)) == ("trade", told)
    assert [text for text in read.told if text.startswith("Advanced trades whose Notes")]


def test_file_without_notes_is_known() -> None:
    content = file(
        NEW.removesuffix(",Notes"), f"{START},Buy,ETH,0.5,EUR,€200.00,€100.00,€102.50,€2.50"
    )
    (row,) = rows(content, Options())
    assert moved(row) == BUY


def test_notes_with_a_space_after_the_sign_of_currency_are_read() -> None:
    notes = "Bought 0.5 ETH for € 102.50 EUR on ETH-EUR at 200 EUR/ETH"
    (row,) = rows(new("Advanced Trade Buy", "0.5", notes), Options())
    assert moved(row) == BUY


@pytest.mark.parametrize(
    ("kind", "type_", "amount"),
    [
        ("Asset Migration", "self", "-0.5"),
        ("Savings to Cash", "self", "0"),
        ("Prime Deposit", "withdrawal", "-0.5"),
        ("Subscription", "cost", "-0.5"),
        ("Retail Simple Dust", "trade", "-0.5"),
    ],
)
def test_newer_types_say_what_became_of_the_asset(kind: str, type_: str, amount: str) -> None:
    (row,) = rows(new(kind, "-0.5", ""), Options())
    assert (row.type, moved(row)) == (type_, [(amount, "transfer", "ETH")])


@pytest.mark.parametrize(
    ("sender", "type_"),
    [("Coinbase Earn", "income"), ("Coinbase Referral", "income"), ("Coinbase", "receive")],
)
def test_what_coinbase_gave_is_income(sender: str, type_: str) -> None:
    (row,) = rows(new("Receive", "0.5", f"Received 0.5 ETH from {sender}"), Options())
    assert row.type == type_


def test_addresses_of_the_newest_files_are_the_note_where_there_is_none() -> None:
    (sent,) = rows(newest("Send,BTC,-0.01,,bc1qcold"), Options())
    (received,) = rows(newest("Receive,BTC,0.01,bc1qother,"), Options())
    assert (sent.note, received.note) == ("To bc1qcold", "From bc1qother")


def test_notes_about_another_asset_than_the_lines_are_rejected() -> None:
    for asset, quantity in (("SOL", "30"), ("ETH", "29")):
        content = new("Convert", quantity, "Converted 0.1 BTC to 30 ETH", asset)
        (reason,) = reasons(content, Options())
        assert f"Notes are about 'BTC', and the line is of '{asset}'" in reason


def test_sign_of_another_currency_is_rejected() -> None:
    content = new("Buy", "0.5", "Bought 0.5 ETH").replace("€102.50".encode(), b"$102.50")
    assert "Total '$102.50' is in another currency than EUR" in reasons(content, Options())[0]
