"""Binance's statement, and its histories of deposits and withdrawals."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from files import moved, questions, reading, reasons, rows

from transactions.imports.formats import FORMATS, open_table
from transactions.imports.formats.binance import zone_of
from transactions.imports.rows import FileError, Options, Row

OLD = "User_ID,UTC_Time,Account,Operation,Coin,Change,Remark"
NEW = "User ID,Time,Account,Operation,Coin,Change,Remark"
BOTH_WAYS = "Date(UTC),Coin,Amount,TransactionFee,Address,TXID,SourceAddress,PaymentID,Status"
FREE = "2021-05-01 10:00:00,BTC,1,0.00000000,bc1q,t1,,,Completed"


def file(header: str, *lines: str) -> bytes:
    return "\n".join([header, *lines]).encode()


def read(content: bytes, file_name: str) -> list[Row]:
    return [row for row in reading(content, Options(), file_name).records if isinstance(row, Row)]


def operation(name: str, change: str = "1") -> Row:
    (row,) = rows(file(OLD, f"7,2023-05-01 10:00:00,Spot,{name},BTC,{change},"), Options())
    return row


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("Date(UTC)", 0),
        ("Date(UTC+0)", 0),
        ("Date(UTC+8)", 8),
        ("Binance-Transaction-History-202601010000(UTC--6)_abcd.csv", -6),
        ("export(UTC+5:30).csv", 5.5),
        ("Date(UTCnull)", None),
        ("Date", None),
        ("history(UTC+99).csv", None),
    ],
)
def test_zone_is_read_as_it_is_named(text: str, hours: float | None) -> None:
    zone = zone_of(text)
    assert (zone and zone.utcoffset(None)) == (None if hours is None else timedelta(hours=hours))


def test_newer_statement_has_its_zone_in_the_files_name_or_it_is_asked_for() -> None:
    content = file(NEW, "7,24-01-02 03:04:05,Spot,Deposit,BTC,1,")
    (row,) = read(content, "Binance-Transaction-History(UTC--6).csv")
    assert row.timestamp == datetime(2024, 1, 2, 9, 4, 5, tzinfo=UTC)
    assert [one.option for one in questions(content, Options())] == ["timezone"]


def test_same_line_is_the_same_in_whichever_zone_it_was_exported() -> None:
    (there,) = read(file(NEW, "7,24-01-02 03:04:05,Spot,Deposit,BTC,1,"), "a(UTC--6).csv")
    (here,) = read(file(OLD, "7,2024-01-02 09:04:05,Spot,Deposit,BTC,1,"), "b.csv")
    assert there.external_id == here.external_id


def test_column_says_the_zone_of_a_history() -> None:
    header = "Date(UTC+8),Coin,Network,Amount,Address,TXID,Status"
    (row,) = rows(file(header, "2024-01-02 03:04:05,BTC,BTC,1,bc1q,t1,Completed"), Options())
    assert row.timestamp == datetime(2024, 1, 1, 19, 4, 5, tzinfo=UTC)


def test_order_of_day_and_month_is_asked_for_and_never_guessed() -> None:
    content = file(OLD, "7,5/9/2021 10:00,Spot,Deposit,BTC,1,")
    assert [one.option for one in questions(content, Options())] == ["date_order"]
    (row,) = rows(content, Options(date_order="mdy"))
    assert f"{row.timestamp:%m-%d}" == "05-09"


def test_what_was_traded_within_a_second_is_one_and_equal_fills_are_kept() -> None:
    fill = "7,2023-05-01 10:00:00,Spot,Buy,BTC,0.1,"
    found = rows(file(OLD, fill, fill, "7,2023-05-01 10:00:05,Spot,Fee,BNB,-0.1,"), Options())
    assert [row.external_id for row in found] == [
        "trade:2023-05-01T10:00:00",
        "trade:2023-05-01T10:00:00",
        "trade:2023-05-01T10:00:05",
    ]
    assert moved(found[2]) == [("-0.1", "fee", "BNB")]


def test_equal_lines_that_are_no_trade_are_kept_apart() -> None:
    line = "7,2023-05-01 10:00:00,Earn,Savings Interest,BTC,0.1,"
    one, two = rows(file(OLD, line, line), Options())
    assert one.external_id != two.external_id


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("ETH 2.0 Staking", "trade"),
        ("Stablecoins Auto-Conversion", "trade"),
        ("ETH 2.0 Staking Rewards", "reward"),
        ("Launchpool Earnings Withdrawal", "reward"),
        ("Pool Distribution", "mining"),
        ("Savings distribution", "interest"),
        ("Cash Voucher distribution", "income"),
        ("Distribution", "airdrop"),
        ("Withdraw", "withdrawal"),
        ("Fiat Deposit", "deposit"),
        ("Transfer Between Main and Funding Wallet", "self"),
        ("Something new", "other"),
        ("ETH 2.0 Staking Withdrawals", "trade"),
        ("Token Swap - Redenomination/Rebranding", "trade"),
        ("Token Swap - Distribution", "airdrop"),
        ("Asset Conversion Transfer", "trade"),
        ("Sell Crypto To Fiat", "trade"),
        ("P2P Trading", "trade"),
        ("Launchpad Subscribe", "self"),
        ("Copy Portfolio (Spot) - Create", "self"),
        ("Merchant Acquiring", "cost"),
        ("Liquid Swap Add", "self"),
        ("Liquid Swap rewards", "reward"),
        ("Send", "receive"),
    ],
)
def test_operations_have_types(name: str, type_: str) -> None:
    assert operation(name).type == type_


def test_payment_is_sent_or_received_by_its_sign() -> None:
    assert [operation("Binance Pay", change).type for change in ("-1", "1")] == ["send", "receive"]


def test_sides_of_what_was_exchanged_for_another_coin_are_one() -> None:
    line = "7,2024-05-01 10:00:00,Spot,Token Swap - Redenomination/Rebranding"
    old, new = rows(file(OLD, f"{line},LUNA,-5,", f"{line},LUNC,5,"), Options())
    assert old.external_id == new.external_id


@pytest.mark.parametrize(
    "header",
    [
        "ID de usuario,Tiempo,Cuenta,Operación,Moneda,Cambio,Observación",
        "ID do Usuário,Tempo,Conta,Operação,Moeda,Alterar,Observação",
        "Identifiant utilisateur,Durée,Compte,Opération,Jeton,Change,Remarque",
    ],
)
def test_statement_with_columns_in_another_language_is_known(header: str) -> None:
    line = "7,2024-03-01 10:00:05,Spot,Buy Crypto With Fiat"
    content = file(header, f"{line},BTC,0.02,x", f"{line},EUR,-600,x")
    got, paid = read(content, "export(UTC+1).csv")
    assert [*moved(got), *moved(paid)] == [("0.02", "transfer", "BTC"), ("-600", "transfer", "EUR")]
    assert (got.external_id, f"{got.timestamp:%H:%M}") == (paid.external_id, "09:00")
    assert (got.note, paid.note) == ("x", "x")


def test_reward_that_stands_in_earn_and_in_spot_counts_once() -> None:
    mirror, paid = rows(
        file(
            OLD,
            "7,2024-03-10 12:00:00,Earn,Simple Earn Locked - Rewards Income,DOT,2,Binance Earn",
            "7,2024-03-10 13:00:00,Spot,Staking Rewards,DOT,2,",
        ),
        Options(),
    )
    assert (mirror.type, moved(mirror)) == ("self", [("0", "transfer", "DOT")])
    assert (paid.type, moved(paid)) == ("reward", [("2", "transfer", "DOT")])


@pytest.mark.parametrize(
    ("remark", "type_"), [("Binance Pay - P_1", "receive"), ("", "self"), ("to Funding", "self")]
)
def test_remark_tells_that_a_transfer_is_a_payment(remark: str, type_: str) -> None:
    line = f"7,2023-05-01 10:00:00,Funding,Transfer,USDC,109.6,{remark}"
    (row,) = rows(file(OLD, line), Options())
    assert row.type == type_


def test_fee_that_is_paid_in_bnb_is_a_fee() -> None:
    assert moved(operation("BNB Fee Deduction", "-0.1")) == [("-0.1", "fee", "BTC")]


def test_a_fee_that_is_given_back_is_no_fee() -> None:
    assert moved(operation("Fee", "0.1")) == [("0.1", "transfer", "BTC")]


@pytest.mark.parametrize(
    "header",
    [
        "Date(UTC+0),Coin,Network,Amount,Fee,Address,TXID,Status",
        "Date(UTC),Coin,Network,Amount,TransactionFee,Address,TXID,Status",
        "time(utc),COIN,Network,amount,fee,address,txid,STATUS",
    ],
)
def test_withdrawals_have_a_fee_beside_the_amount(header: str) -> None:
    content = file(header, "2024-01-02 03:04:05,BTC,BTC,1,0.1,bc1q,t1,Completed")
    (row,) = rows(content, Options())
    assert (row.type, row.external_id) == ("withdrawal", "t1")
    assert moved(row) == [("-1", "transfer", "BTC"), ("-0.1", "fee", "BTC")]


def test_internal_transfers_of_two_hours_are_two() -> None:
    lines = [
        f"2021-05-02 {hour}:00:00,BTC,1,0.1,bc1q,Internal transfer,,,Completed" for hour in (10, 11)
    ]
    one, other = rows(file(BOTH_WAYS, *lines), Options())
    assert one.external_id != other.external_id


def test_older_histories_are_told_apart_by_a_fee() -> None:
    paid = "2021-05-02 10:00:00,BTC,2,0.00050000,bc1q,t2,,,Completed"
    found = rows(file(BOTH_WAYS, FREE, paid), Options())
    assert [moved(row)[0][0] for row in found] == ["-1", "-2"]


@pytest.mark.parametrize(
    ("name", "amount"), [("Deposit History.csv", "1"), ("withdraw-history.csv", "-1")]
)
def test_older_histories_without_a_fee_are_told_apart_by_the_files_name(
    name: str, amount: str
) -> None:
    (row,) = read(file(BOTH_WAYS, FREE), name)
    assert moved(row) == [(amount, "transfer", "BTC")]


@pytest.mark.parametrize("name", ["export.csv", "deposits and withdrawals.csv"])
def test_older_history_that_can_be_either_is_refused(name: str) -> None:
    with pytest.raises(FileError, match="Write 'deposit' or 'withdraw' into the file's name"):
        questions(file(BOTH_WAYS, FREE), Options(), name)


def test_pending_line_is_taken_only_with_an_id_by_which_it_is_known_later() -> None:
    header = "Date(UTC),Coin,Network,Amount,Address,TXID,Status"
    start = "2024-01-02 03:04:05,BTC,BTC,1,bc1q"
    (reason,) = reasons(file(header, f"{start},,Confirming"), Options())
    assert reason == (
        "Line 2: Status is 'Confirming', and there is no TXID by which it would be known once it "
        "is done. Export the file again then."
    )
    (row,) = rows(file(header, f"{start},t1,Confirming"), Options())
    assert (row.status, row.external_id) == ("pending", "t1")


def test_failed_withdrawal_moves_nothing_and_costs_nothing() -> None:
    header = "Date(UTC),Coin,Network,Amount,Fee,Address,TXID,Status"
    (row,) = rows(file(header, "2024-01-02 03:04:05,BTC,BTC,1,0.1,bc1q,,Failed"), Options())
    assert (row.status, moved(row)) == ("failed", [("0", "transfer", "BTC")])


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (OLD, "binance"),
        (NEW, "binance"),
        (BOTH_WAYS, "binance-withdrawals"),
        ("Time,Coin,Network,Amount,Fee,Address,TXID,Status", "binance-withdrawals"),
        ("Time,Coin,Network,Amount,Address,TXID,Status", "binance-deposits"),
        ("Date(UTC),Coin,Amount,Address,TXID,Status", "binance-deposits"),
    ],
)
def test_each_header_is_of_one_format(header: str, name: str) -> None:
    columns = tuple(header.split(","))
    assert [known.name for known in FORMATS if known.matches(columns)] == [name]


def test_header_may_stand_below_other_lines() -> None:
    content = file("A preamble", "Date(UTC),Coin,Amount,Address,TXID,Status", "x,BTC,1,a,t,Done")
    known, table = open_table(BytesIO(content), "export.csv")
    assert (known.name, table.header_line) == ("binance-deposits", 2)


def trades(*lines: str) -> list[list[str]]:
    """What each transaction of trades moved; a line is second, operation, coin and change."""
    content = file(OLD, *(f"7,2023-05-01 10:00:0{line[0]},Spot,{line[2:]}," for line in lines))
    found: dict[str, list[str]] = {}
    for row in rows(content, Options()):
        amount, _, asset = moved(row)[0]
        found.setdefault(f"{row.external_id} {row.timestamp}", []).append(f"{amount} {asset}")
    return list(found.values())


def test_trade_over_the_turn_of_a_second_is_one_transaction() -> None:
    assert trades("1,Buy,LTC,2", "2,Transaction Related,BTC,-0.1", "2,Fee,BNB,-0.01") == [
        ["2 LTC", "-0.1 BTC", "-0.01 BNB"]
    ]
    # A fee alone is of the trade before it, or after it.
    assert trades("1,Buy,LTC,2", "1,Buy,BTC,-0.1", "2,Fee,BNB,-0.01") == [
        ["2 LTC", "-0.1 BTC", "-0.01 BNB"]
    ]
    assert trades("1,Fee,BNB,-0.01", "2,Buy,LTC,2", "2,Buy,BTC,-0.1") == [
        ["-0.01 BNB", "2 LTC", "-0.1 BTC"]
    ]


def test_trades_of_seconds_that_are_whole_stay_apart() -> None:
    assert trades("1,Buy,LTC,2", "1,Buy,BTC,-0.1", "2,Buy,LTC,3", "2,Buy,BTC,-0.2") == [
        ["2 LTC", "-0.1 BTC"],
        ["3 LTC", "-0.2 BTC"],
    ]
    assert trades("1,Buy,LTC,2", "3,Transaction Related,BTC,-0.1") == [["2 LTC"], ["-0.1 BTC"]]
    # Of one coin alone, which is a part of the statement, nothing tells that a trade is whole.
    assert trades("1,Buy,BTC,-1", "2,Buy,BTC,1") == [["-1 BTC"], ["1 BTC"]]


def test_equal_amounts_of_one_second_have_the_same_ids_from_either_end() -> None:
    lines = [
        f"7,2023-05-01 10:00:00,Earn,{name},BTC,0.1,"
        for name in ("Savings Interest", "Cashback Voucher", "Airdrop Assets")
    ]
    up = {row.type: row.external_id for row in rows(file(OLD, *lines), Options())}
    down = {row.type: row.external_id for row in rows(file(OLD, *lines[::-1]), Options())}
    assert len(set(up.values())) == 3
    assert up == down
