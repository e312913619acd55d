"""Files of exchanges and of portfolio programs: what their lines moved, line by line."""

from zoneinfo import ZoneInfo

import pytest
from files import FORMAT_OPTIONS, questions, reading, reasons, records, rows, sample, sample_lines

from transactions.imports.rows import Options, Row

FILES = {
    "coinbase.csv": (
        "coinbase",
        [
            "2024-01-02 10:00:00 | trade | -400 EUR, 0.01 BTC, fee -5.96 EUR",
            "2024-01-03 10:00:00 | trade | -0.004 BTC, 164 EUR, fee -3 EUR",
            "2024-01-04 10:00:00 | trade | -0.001 BTC, 1060.5 XRP",
            "2024-01-05 10:00:00 | send | -60.5 XRP",
            "2024-01-06 10:00:00 | reward | 0.000000123456789 ETH",
            (
                "REJECTED Line 11: ID 'a5' was there in line 10 already, and one id is one "
                "transaction. Find out which is right, and give the other another id."
            ),
            (
                "REJECTED Line 12: Notes 'no words' do not say what the conversion brought, "
                "which stands nowhere else. Write 'Converted 1 BTC to 30 ETH' there."
            ),
        ],
    ),
    "coinbase-newest.csv": (
        "coinbase",
        [
            "2026-01-20 10:00:00 | trade | -0.1 BTC, 230855.24 CZK, fee -2343.15 CZK",
            "2026-01-24 22:14:05 | trade | 0.0008 BTC",
            "2026-01-24 22:14:05 | trade | -77.5 USDC",
            "2026-01-25 10:00:00 | send | -0.01 BTC",
        ],
    ),
    "coinbase-old.csv": (
        "coinbase",
        [
            "2021-03-01 09:00:00 | receive | 1.5 ETH",
            "2021-03-02 09:00:00 | send | -0.5 ETH",
            (
                "REJECTED Line 4: Transaction Type 'Mystery' is not known, and this generation "
                "of the file does not sign amounts. Please report it."
            ),
        ],
    ),
    "coinbase-eur.csv": (
        "coinbase",
        [
            "2020-04-01 08:00:00 | trade | -250 EUR, 2 ETH, fee -3.73 EUR",
            "2020-04-02 08:00:00 | trade | -0.5 ETH, 65 EUR, fee -1.99 EUR",
            "2020-04-03 08:00:00 | self | 0 ETH",
        ],
    ),
    "binance-time.csv": (
        "binance",
        [
            "2024-05-01 07:00:01 | trade | 1.5 SOL",
            "2024-05-01 07:00:01 | trade | -210.75 USDT",
            "2024-05-01 07:00:01 | trade | fee -0.0015 SOL",
            "2024-05-01 22:30:00 | interest | 0.00000002 SOL",
            "2024-05-01 22:30:00 | interest | 0.00000002 SOL",
        ],
    ),
    "binance.csv": (
        "binance",
        [
            "2023-05-01 08:00:00 | deposit | 100 EUR",
            "2023-05-01 09:00:01 | trade | 0.002 BTC",
            "2023-05-01 09:00:01 | trade | fee -0.00004958 BNB",
            "2023-05-01 09:00:01 | trade | -50 EUR",
            "2023-05-02 00:00:00 | interest | 0.00000001 BTC",
            "2023-05-02 00:00:00 | interest | 0.00000001 BTC",
            "2023-05-03 10:00:00 | withdrawal | -0.001 BTC",
        ],
    ),
    "binance-withdrawals.csv": (
        "binance-withdrawals",
        [
            "2023-05-03 10:00:00 | withdrawal | -0.0009 BTC, fee -0.0001 BTC",
            "2023-05-04 10:00:00 | withdrawal failed | 0 BTC",
            "REJECTED Line 4: Status 'Frozen' is not known. Please report it.",
        ],
    ),
    "binance-deposits.csv": (
        "binance-deposits",
        [
            "2023-05-03 10:00:00 | deposit | 1.25 ETH",
            "2023-05-04 10:00:00 | deposit pending | 2 ETH",
        ],
    ),
    "bitstamp.csv": (
        "bitstamp",
        [
            "2023-01-01 10:00:00 | deposit | 500 EUR",
            "2023-01-02 10:00:00 | trade | -400 EUR, 0.02 BTC, fee -1.6 EUR",
            "2023-01-03 10:00:00 | trade | -0.01 BTC, 210 EUR, fee -0.84 EUR",
            "2023-01-04 10:00:00 | withdrawal | -0.005 BTC, fee -0.0005 BTC",
            "2023-01-04 10:00:00 | trade | 0.00000001 BTC",
        ],
    ),
    "bitstamp-old.csv": (
        "bitstamp-old",
        [
            "2022-01-27 23:13:00 | deposit | 2 ETH",
            "2021-09-03 10:30:00 | trade | -0.1 BTC, 4000 EUR, fee -10 EUR",
            "2021-06-05 11:00:00 | trade | -3000 EUR, 0.1 BTC, fee -7.5 EUR",
            (
                "REJECTED Line 5: Datetime '2022-02-30 14:30:00' is not in the calendar. "
                "Correct it in the file."
            ),
        ],
    ),
    "cointracking.csv": (
        "cointracking",
        [
            "2024-03-15 13:22:10 | trade | -615 EUR, 0.01 BTC, fee -1.5 EUR",
            "2024-07-25 08:00:00 | withdrawal | -0.0099 BTC, fee -0.0001 BTC",
            "2024-03-15 13:22:00 | reward | 1 DOT",
        ],
    ),
    "cointracking-german.csv": (
        "cointracking",
        [
            "2024-03-15 13:22:10 | trade | -615 EUR, 0.01 BTC, fee -1.5 EUR",
            "2024-03-16 13:22:00 | deposit | 0.5 BTC",
            "2024-03-17 13:22:00 | withdrawal | -0.25 BTC, fee -0.0001 BTC",
        ],
    ),
    "cointracking-template.csv": (
        "cointracking",
        [
            "2024-03-15 13:22:10 | deposit | 500 EUR",
            "2024-03-17 13:22:00 | withdrawal | -0.25 BTC",
        ],
    ),
    "koinly.csv": (
        "koinly",
        [
            "2024-01-01 10:00:00 | trade | -500 EUR, 0.01 BTC, fee -1.3 EUR",
            "2024-01-02 10:00:00 | self | -0.005 BTC, 0.0049 BTC in Ledger, fee -0.0001 BTC",
            "2024-01-03 10:00:00 | reward | 0.5 DOT",
            "2024-01-05 10:00:00 | interest | 0.25 DOT",
        ],
    ),
    "blockpit.csv": (
        "blockpit",
        [
            "2024-01-31 13:45:00 | trade | -500 EUR, 0.01 BTC, fee -1.3 EUR",
            "2024-02-01 13:45:00 | withdrawal | -0.005 BTC, fee -0.0001 BTC",
            (
                "REJECTED Line 4: a withdrawal without Outgoing Amount. Write the amount in its "
                "column."
            ),
        ],
    ),
    "blockpit-export.csv": (
        "blockpit",
        [
            "2024-01-01 10:00:00 | trade | -1.5 SOL, 100 JUP, fee -0.01 SOL",
        ],
    ),
    "blockpit-ruined.csv": (
        "blockpit",
        [
            "2023-01-08 12:44:00 | trade | -168.69217 EUR, 223.7 MATIC, fee -0.2237 MATIC",
            "2023-01-08 15:48:00 | trade | -140.5 MATIC, 106.1899 EUR, fee -0.1061899 EUR",
        ],
    ),
    "rotki-events.csv": (
        "rotki-events",
        [
            "2022-07-27 09:00:00 | deposit | 1000 EUR",
            "2022-07-28 09:00:00 | withdrawal | -99 USDT, fee -1 USDT",
            (
                "REJECTED Line 4: Type 'Invalid' is not known. Write one of: deposit, "
                "withdrawal, income, receive, staking, airdrop, interest, mining, gift, loss, "
                "spend, send, donation, fee."
            ),
        ],
    ),
    "rotki-trades.csv": (
        "rotki-trades",
        [
            "2022-07-30 09:00:00 | trade | -392.887 LTC, 4.3241 BTC, fee -0.5 EUR",
            "REJECTED Line 3: Receive Amount or Spend Amount is 0, and a trade has both.",
        ],
    ),
    "rotki-trades-old.csv": (
        "rotki-trades-old",
        [
            "2022-07-30 09:00:00 | trade | -392.887 LTC, 4.3241 BTC",
            "2022-07-30 09:00:01 | trade | -4.3241 BTC, 390 LTC, fee -0.5 EUR",
            "REJECTED Line 4: Type 'Lend' is not known. Write Buy or Sell.",
        ],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_read_as_it_is_meant(name: str) -> None:
    format_name, expected = FILES[name]
    assert sample_lines(name, FORMAT_OPTIONS["exchanges"]) == (format_name, expected)


def test_nfts_of_one_contract_are_each_another() -> None:
    header = sample("rotki-events.csv").splitlines()[0].decode()
    contract = f"0x{'Ab' * 20}"
    kinds = [f"erc721:{contract}/7", f"erc1155:{contract}/8", f"erc20:{contract}"]
    lines = [f"Deposit,kraken,eip155:1/{kind},1,,,,1658912400000" for kind in kinds]
    read = rows("\n".join([header, *lines]).encode(), Options())
    codes = [row.movements[0].asset.code for row in read]
    assert codes == [f"{contract.upper()}#7", f"{contract.upper()}#8", contract.upper()]
    generic = f"Date,Received Amount,Received Currency\n2024-01-01 00:00:00 UTC,1,{contract}\n"
    (row,) = rows(generic.encode(), Options(wallet="kraken"))
    assert row.movements[0].asset == read[2].movements[0].asset


def test_time_that_rotki_does_not_write_is_quoted_whole() -> None:
    header = sample("rotki-events.csv").splitlines()[0].decode()
    time = "165891240000000"
    (reason,) = reasons(f"{header}\nDeposit,kraken,EUR,5,,,,{time}\n".encode(), Options())
    assert reason == (
        f"Line 2: Timestamp '{time}' is not a time in Unix milliseconds from 2009 to 2100. "
        "Write it like 1658912400000."
    )


@pytest.mark.parametrize(
    "time",
    [
        "1658912400",
        "2022-07-27 09:00:00",
        "2022-07-27T09:00:00Z",
        "27.07.2022 09:00",
        "7/27/2022 9:00",
    ],
)
@pytest.mark.parametrize("name", ["rotki-events.csv", "rotki-trades.csv", "rotki-trades-old.csv"])
def test_times_in_rotkis_files_may_be_written_out(name: str, time: str) -> None:
    header, line = sample(name).decode().splitlines()[:2]
    written = f"{line.rpartition(',')[0]},{time}"
    (row,) = rows(f"{header}\n{written}\n".encode(), Options())
    assert f"{row.timestamp:%Y-%m-%d %H:%M:%S}" == "2022-07-27 09:00:00"


def test_order_of_day_and_month_in_rotkis_files_is_asked_for() -> None:
    header = sample("rotki-events.csv").splitlines()[0].decode()
    content = f"{header}\nDeposit,kraken,EUR,5,,,,03/08/2022 09:00\n".encode()
    assert [one.option for one in questions(content, Options())] == ["date_order"]
    (row,) = rows(content, Options(date_order="dmy"))
    assert f"{row.timestamp:%Y-%m-%d}" == "2022-08-03"


def test_contract_of_another_chain_is_another_token() -> None:
    header = "Type,Location,Currency,Amount,Fee,Fee Currency,Description,Timestamp"
    contract = "0xdac17f958d2ee523a2206206994597c13d831ec7"
    lines = [
        f"Deposit,kraken,eip155:{chain}/erc20:{contract},5,,,x,1658912400000" for chain in (1, 56)
    ]
    first, second = rows("\n".join([header, *lines]).encode(), Options())
    assert first.movements[0].asset.code == "USDT"
    assert second.movements[0].asset.code == f"EIP155:56/ERC20:{contract.upper()}"


@pytest.mark.parametrize(
    ("label", "type_"),
    [("Unlabeled Deposit", "deposit"), ("Margin Fee", "fee"), ("Cashback", "income")],
)
def test_newer_labels_of_blockpit_are_types(label: str, type_: str) -> None:
    header = (
        "Date (UTC),Integration Name,Label,Outgoing Asset,Outgoing Amount,Incoming Asset,"
        "Incoming Amount"
    )
    (row,) = rows(f"{header}\n2024-03-01T10:00:00Z,Cold,{label},,,BTC,1\n".encode(), Options())
    assert row.type == type_


def test_best_known_tokens_have_the_code_of_accounts_in_rotkis_files() -> None:
    header = sample("rotki-events.csv").splitlines()[0].decode()
    bnb = "eip155:1/erc20:0xB8c77482e45F1F44dE1745F52C74426C631bDD52"
    (row,) = rows(f"{header}\nWithdrawal,kraken,{bnb},1.01,,,,1659085200000\n".encode(), Options())
    assert row.movements[0].asset.code == "BNB"


def test_note_of_blockpits_export_is_kept() -> None:
    (row,) = rows(sample("blockpit-export.csv"), Options())
    assert (row.note, row.wallet, row.external_id) == ("by hand", "Cold wallet", "bp-1")


BITSTAMP = "ID,Account,Type,Subtype,Datetime,Amount,Amount currency"


@pytest.mark.parametrize("id_", ["1,55983E+14", "1.55983E+14", "1E+14"])
def test_id_that_a_spreadsheet_has_ruined_makes_no_transactions_one(id_: str) -> None:
    ruined = sample("blockpit-ruined.csv").replace(b"1,55983E+14", id_.encode())
    first, second = rows(ruined, Options())
    assert first.external_id.startswith("row:")
    assert first.external_id != second.external_id
    lines = [f'"{id_}",Main,Deposit,,2023-01-0{day}T10:00:00Z,1.5,BTC' for day in (1, 2)]
    first, second = rows("\n".join([BITSTAMP, *lines]).encode(), Options())
    assert first.external_id.startswith("row:")
    assert first.external_id != second.external_id


def koinly(*currencies: str) -> bytes:
    header = (
        "Date,Type,From Wallet,From Amount,From Currency,To Wallet,To Amount,To Currency,"
        "Fee Amount,Fee Currency"
    )
    lines = [
        f"2024-01-0{number} 10:00:00,crypto_deposit,,,,Mine,5,{currency},,"
        for number, currency in enumerate(currencies, start=1)
    ]
    return "\n".join([header, *lines]).encode()


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        (("BTC;1", "BTC;1"), ["BTC", "BTC"]),
        (("LUNA;77", "LUNA;88", "BTC;1"), ["LUNA;77", "LUNA;88", "BTC"]),
    ],
)
def test_code_that_koinly_numbers_twice_is_of_two_assets(
    told: tuple[str, ...], codes: list[str]
) -> None:
    assert [row.movements[0].asset.code for row in rows(koinly(*told), Options())] == codes


def deposits(*amounts: str) -> bytes:
    header = '"Type","Buy","Cur.","Sell","Cur.","Fee","Cur.","Exchange","Group","Comment","Date"'
    lines = [
        f'"Deposit","{amount}","EUR","","","","","Bank","","","2024-01-0{number} 10:00:00"'
        for number, amount in enumerate(amounts, start=1)
    ]
    return "\n".join([header, *lines]).encode()


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        (("1.000,50", "1.000", "0,5"), ["1000.5", "1000", "0.5"]),
        (("1,000.50", "1.000", "1,500"), ["1000.5", "1", "1500"]),
    ],
)
def test_decimal_mark_of_cointracking_is_that_of_the_whole_file(
    amounts: tuple[str, ...], told: list[str]
) -> None:
    read = rows(deposits(*amounts), FORMAT_OPTIONS["exchanges"])
    assert [f"{row.movements[0].amount:f}" for row in read] == told


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        (("1.000,50", "1.000"), ["1000.5", "1000"]),
        (("1,000.50", "1,000"), ["1000.5", "1000"]),
        (("0.25", "1,50"), ["0.25", "1.5"]),
    ],
)
@pytest.mark.parametrize(
    ("header", "line"),
    [
        (
            "Date,Type,From Wallet,From Amount,From Currency,To Wallet,To Amount,To Currency,"
            "Fee Amount,Fee Currency",
            '2024-01-0{} 10:00:00,crypto_deposit,,,,Mine,"{}",BTC,,',
        ),
        (
            "Date (UTC),Integration Name,Label,Outgoing Asset,Outgoing Amount,Incoming Asset,"
            "Incoming Amount",
            '2024-01-0{} 10:00:00,Mine,Deposit,,,BTC,"{}"',
        ),
    ],
)
def test_decimal_mark_of_portfolio_programs_is_that_of_the_account(
    header: str, line: str, amounts: tuple[str, ...], told: list[str]
) -> None:
    lines = [line.format(number, amount) for number, amount in enumerate(amounts, start=1)]
    read = rows("\n".join([header, *lines]).encode(), Options())
    assert [f"{row.movements[0].amount:f}" for row in read] == told


def test_extended_table_of_cointracking_has_ids_too() -> None:
    header = (
        "Type,Buy,Cur.,Sell,Cur.,Fee,Cur.,Exchange,Group,Comment,Trade ID,Add Date,Date,Tx Hash"
    )
    lines = [
        "Trade,0.5,BTC,15000,USD,10,USD,Kraken,,,T1,,2024-01-15 10:00:00,",
        "Deposit,0.5,BTC,,,,,Kraken,,,T2,,2024-01-15 10:00:00,ab12",
    ]
    content = "\n".join([header, *lines]).encode()
    read = rows(content, FORMAT_OPTIONS["exchanges"])
    assert [row.external_id for row in read] == ["T1", "ab12"]


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("Belohnung / Bonus", "reward"),
        ("Zinsen", "interest"),
        ("Schenkung", "gift"),
        ("Minting", "reward"),
        ("Handel", "trade"),
        ("Liquidation", "other"),
    ],
)
def test_types_of_cointracking_in_both_languages(name: str, type_: str) -> None:
    content = deposits("5").replace(b'"Deposit"', f'"{name}"'.encode())
    (row,) = rows(content, FORMAT_OPTIONS["exchanges"])
    assert row.type == type_


def test_comma_of_cointracking_is_refused_where_no_number_tells_what_it_is() -> None:
    (reason,) = reasons(deposits("1,234", "7"), FORMAT_OPTIONS["exchanges"])
    assert "Buy '1,234' can mean 1234 or 1.234" in reason


def test_cointrackings_template_has_the_group_and_the_id_too() -> None:
    first, _ = rows(sample("cointracking-template.csv"), FORMAT_OPTIONS["exchanges"])
    assert (first.external_id, first.labels, first.note) == ("d-1", ("Savings",), "first")


@pytest.mark.parametrize(
    "content", [sample("cointracking.csv"), sample("generic-exchange.csv").replace(b" UTC", b"")]
)
def test_line_is_the_same_whatever_time_zone_it_is_believed_to_be_of(content: bytes) -> None:
    zones = [ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")]
    read = [
        [
            one
            for one in records(content, Options(wallet="Mine", timezone=zone))
            if isinstance(one, Row)
        ]
        for zone in zones
    ]
    first, second = ([row.external_id for row in rows] for rows in read)
    assert first == second
    assert [row.timestamp for row in read[0]] != [row.timestamp for row in read[1]]


def test_deposits_from_within_binance_are_told_apart() -> None:
    header = "Date(UTC+0),Coin,Network,Amount,Address,TXID,Status"
    lines = [
        f"2024-0{month}-02 03:04:05,BTC,BTC,1.5,,Off-chain transfer,Completed" for month in (3, 4)
    ]
    first, second = rows("\n".join([header, *lines]).encode(), Options())
    assert first.external_id != second.external_id


def test_how_fees_are_counted_is_told() -> None:
    said = reading(sample("cointracking.csv"), FORMAT_OPTIONS["exchanges"]).told
    assert said[0].startswith("Fees were counted beside the amounts.")
    assert reading(sample("cointracking-template.csv"), FORMAT_OPTIONS["exchanges"]).told == []


def test_sum_of_many_digits_is_exact() -> None:
    header = sample("coinbase.csv").splitlines()[4].decode()
    total, fee = "123457.12345678901234567890123456", "0.1234567890123456789012345678"
    line = f"z1,2024-01-03 10:00:00 UTC,Sell,BTC,1,USD,$1,$1,${total},${fee},x"
    (row,) = rows(f"{header}\n{line}\n".encode(), Options())
    assert f"{row.movements[1].amount:f}" == "123457.2469135780246913578024691278"
