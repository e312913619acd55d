"""Kraken's ledgers."""

from datetime import UTC, datetime

import pytest
from files import moved, questions, reading, reasons, records, rows, sample

from transactions.imports.rows import Options, Rejected, Row

FILE = sample("kraken.csv")
HEADER = "txid,refid,time,type,subtype,aclass,asset,amount,fee,balance"


def file(*lines: str) -> bytes:
    return "\n".join([HEADER, *lines]).encode()


def line(**cells: str) -> str:
    told = {
        "txid": "L-1",
        "refid": "R-1",
        "time": "2024-01-01 10:00:00",
        "type": "deposit",
        "asset": "EUR",
        "amount": "10",
        "fee": "0",
        "balance": "10",
        **cells,
    }
    return ",".join(told.get(name, "") for name in HEADER.split(","))


def test_both_lines_of_a_trade_are_one_transaction_and_the_fee_is_extra() -> None:
    _, paid, bought, *_ = rows(FILE, Options())
    assert (paid.external_id, bought.external_id) == ("TRD-1", "TRD-1")
    assert (paid.type, bought.type) == ("trade", "trade")
    assert moved(paid) == [("-400", "transfer", "EUR"), ("-1.04", "fee", "EUR")]
    assert moved(bought) == [("0.01", "transfer", "BTC")]
    assert paid.timestamp == datetime(2024, 1, 3, 9, tzinfo=UTC)
    assert (paid.network, paid.txid) == ("", "")


def test_staked_is_the_same_asset_of_the_same_account() -> None:
    away, there, reward = rows(FILE, Options())[3:6]
    assert [moved(row) for row in (away, there)] == [
        [("-10", "transfer", "DOT")],
        [("10", "transfer", "DOT")],
    ]
    assert [row.type for row in (away, there, reward)] == ["self", "self", "reward"]
    assert moved(reward) == [("0.025", "transfer", "DOT"), ("-0.005", "fee", "DOT")]


def test_pending_lines_are_passed_over_and_told() -> None:
    read = reading(FILE, Options())
    found = [row for row in read.records if row.raw.startswith('"",')]
    assert found == []
    assert "1 pending lines were passed over" in read.told[-1]


def test_account_is_called_kraken_unless_it_is_named() -> None:
    assert questions(FILE, Options()) == []
    assert reading(FILE, Options()).options.wallet == "Kraken"
    assert reading(FILE, Options(wallet="My Kraken")).options.wallet == "My Kraken"


def test_running_balance_is_checked() -> None:
    read = reading(FILE, Options())
    list(read.records)
    assert "The running balance agrees in all 3 lines" in read.told[0]
    gap = reading(file(line(), line(txid="L-2", refid="R-2", balance="25")), Options())
    assert len(list(gap.records)) == 2
    assert "in line 3 (25 where 20 follows): lines are missing" in gap.told[0]


def test_columns_that_a_person_left_out_are_not_needed() -> None:
    lines = [
        "txid,refid,time,type,asset,amount,fee",
        "L-1,R-1,2024-01-01 10:00:00,trade,ZEUR,-400,1.04",
        "L-2,R-1,2024-01-01 10:00:00,trade,XXBT,0.01,0",
        "L-3,R-2,2024-01-01 10:00:00,earn,DOT,1,0",
        "L-4,R-3,2024-01-01 10:00:00,transfer,DOT,-1,0",
    ]
    read = reading("\n".join(lines).encode(), Options())
    found = [row for row in read.records if isinstance(row, Row)]
    assert [moved(row) for row in found] == [
        [("-400", "transfer", "EUR"), ("-1.04", "fee", "EUR")],
        [("0.01", "transfer", "BTC")],
        [("1", "transfer", "DOT")],
        [("-1", "transfer", "DOT")],
    ]
    # Whether the third is a reward or was staked before, no subtype tells.
    assert [row.type for row in found] == ["trade", "trade", "", ""]
    assert read.told == [
        "The file has no running balance, so that nothing tells whether lines are missing."
    ]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("XXBT", "BTC"),
        ("XBT.M", "BTC"),
        ("XETH", "ETH"),
        ("ETH2.S", "ETH"),
        ("XXDG", "DOGE"),
        ("ZEUR", "EUR"),
        ("EUR.HOLD", "EUR"),
        ("DOT28.S", "DOT"),
        ("USDT", "USDT"),
        ("SOL03.S", "SOL"),
        ("1INCH", "1INCH"),
        ("C98.F", "C98"),
        ("C98.S", "C98"),
        ("FLOWH.S", "FLOW"),
        ("LUNA2.S", "LUNA2"),
        ("AAPL.T", "AAPL.T"),
    ],
)
def test_assets_have_the_names_that_everybody_knows(name: str, symbol: str) -> None:
    (row,) = rows(file(line(asset=name)), Options())
    assert moved(row) == [("10", "transfer", symbol)]


@pytest.mark.parametrize(
    ("type_", "subtype", "ours"),
    [
        ("withdrawal", "", "withdrawal"),
        ("spend", "", "trade"),
        ("receive", "", "trade"),
        ("earn", "reward", "reward"),
        ("earn", "allocation", "self"),
        ("transfer", "airdrop", "airdrop"),
        ("transfer", "", ""),
        ("transfer", "spottostaking", "self"),
        ("earn", "delistingconversion", "trade"),
        ("margin trade", "", "trade"),
        ("collateralconversion", "", "trade"),
        ("settled", "", "trade"),
        ("rollover", "", "fee"),
        ("something new", "", "other"),
    ],
)
def test_types(type_: str, subtype: str, ours: str) -> None:
    (row,) = rows(file(line(type=type_, subtype=subtype)), Options())
    assert row.type == ours


def test_fee_can_be_in_another_asset() -> None:
    lines = [
        "txid,refid,time,type,asset,amount,fee,balance,feecurrency",
        "L-1,R-1,2024-01-01 10:00:00,deposit,XXBT,1,0,1,",
        "L-2,R-2,2024-01-02 10:00:00,trade,XXBT,-0.4,1.04,0.6,ZEUR",
    ]
    read = reading("\n".join(lines).encode(), Options())
    _, sold = (row for row in read.records if isinstance(row, Row))
    assert moved(sold) == [("-0.4", "transfer", "BTC"), ("-1.04", "fee", "EUR")]
    assert "The running balance agrees in the one line" in read.told[0]


def test_line_without_a_refid_is_known_by_its_own_id() -> None:
    (row,) = rows(file(line(refid="", type="staking")), Options())
    assert (row.external_id, row.type) == ("L-1", "reward")


@pytest.mark.parametrize("time", ["2024-01-31 9:28", "31.01.2024 9:28", "1/31/2024 9:28"])
def test_time_that_a_spreadsheet_wrote_is_read(time: str) -> None:
    (row,) = rows(file(line(time=time)), Options())
    assert f"{row.timestamp:%Y-%m-%d %H:%M}" == "2024-01-31 09:28"


def test_withdrawal_that_comes_back_brings_its_fee() -> None:
    away = line(type="withdrawal", amount="-4", fee="0.5", balance="5.5")
    back = line(txid="L-2", type="withdrawal", amount="4", fee="-0.5", balance="10")
    read = reading(file(away, back), Options())
    sent, returned = (moved(row) for row in read.records if isinstance(row, Row))
    assert sent == [("-4", "transfer", "EUR"), ("-0.5", "fee", "EUR")]
    assert returned == [("4", "transfer", "EUR"), ("0.5", "transfer", "EUR")]
    assert "The running balance agrees in the one line" in read.told[0]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"amount": ""}, "amount is empty"),
        ({"amount": "ten"}, "amount 'ten' is not a number"),
        ({"refid": "", "type": "trade"}, "refid is empty"),
        ({"time": "5/6/2024 9:28"}, "time '5/6/2024 9:28' can be two days"),
        ({"time": "soon"}, "time 'soon' is not a time"),
        ({"asset": "DOT.X9"}, "asset 'DOT.X9' has an ending that is not known"),
        ({"balance": "?"}, "balance '?' is not a number"),
    ],
)
def test_line_that_cannot_be_read_says_why(cells: dict[str, str], why: str) -> None:
    (reason,) = reasons(file(line(**cells)), Options())
    assert reason.startswith("Line 2")
    assert why in reason
    assert len(records(file(line(**cells), line()), Options())) == 2


def test_movement_that_stands_there_twice_is_rejected() -> None:
    one, other = records(file(line(), line()), Options())
    assert isinstance(one, Row)
    assert isinstance(other, Rejected)
    assert "was there in line 2 already" in other.reason
