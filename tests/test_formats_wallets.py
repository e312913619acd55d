"""Files of wallet programs: what their lines moved, line by line."""

from dataclasses import replace

import pytest
from files import (
    ALICE,
    FORMAT_OPTIONS,
    moved,
    questions,
    reading,
    reasons,
    records,
    rows,
    sample,
    sample_lines,
)

from transactions.imports.rows import FileError, Options, Rejected, Row

FILES = {
    "electrum.csv": (
        "electrum",
        [
            "2024-03-01 09:14:27 |  | 0.25 native",
            "2024-08-03 06:45:10 |  | -0.1 native, fee -0.000021 native",
            "2024-12-02 08:15:42 |  | -0.00005 native, fee -0.0000001 native",
            "2024-12-10 11:00:00 | self | 0 native, fee -0.00000153 native",
            "now | pending | 0.1 native",
        ],
    ),
    "electrum-old.csv": (
        "electrum",
        [
            "2019-03-01 09:14:00 |  | 1000.25 native",
            "2019-08-03 06:45:00 |  | -0.1 native, fee -0.000021 native",
        ],
    ),
    "electrum-satoshis.csv": (
        "electrum",
        [
            "2024-08-03 06:45:10 |  | -0.1 native, fee -0.000021 native",
        ],
    ),
    "btcpay.csv": (
        "btcpay",
        [
            "2024-03-01 10:14:27 |  | 0.25 native",
            "2024-03-02 09:14:27 | pending | -0.1 native",
            "REJECTED Line 4: Currency 'LBTC' is not a coin that is known here.",
        ],
    ),
    "trezor.csv": (
        "trezor",
        [
            "2024-06-01 12:00:00 | self | 0 native, fee -0.0000282 native",
            "2024-05-01 12:00:00 |  | -0.08 native with 3J98t1, fee -0.000141 native",
            "2024-05-01 12:00:00 |  | -0.02 native",
            "2024-03-10 12:00:00 |  | 0.5 native",
            "REJECTED Line 6: Type 'BURNT' is not known. Please report it.",
        ],
    ),
    "trezor-old.csv": (
        "trezor",
        [
            "2020-12-31 13:00:00 |  | -0.5 native with 3J98t1, fee -0.0001 native",
        ],
    ),
    "ledger-live.csv": (
        "ledger-live",
        [
            "2024-01-05 10:00:00 |  | 0.5 native",
            "2024-01-06 10:00:00 |  | -0.1 native, fee -0.0001 native",
            "2024-01-07 10:00:00 |  | 0 native, fee -0.002 native",
            "2024-01-07 10:00:00 |  | -25 USDT",
            "2024-01-08 10:00:00 | failed | 0 native, fee -0.001 native",
            "2024-01-09 10:00:00 | reward | 0.5 native",
        ],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_read_as_it_is_meant(name: str) -> None:
    format_name, expected = FILES[name]
    assert sample_lines(name, FORMAT_OPTIONS["wallets"]) == (format_name, expected)


def trezor_lines(*lines: str) -> bytes:
    header = sample("trezor.csv").splitlines()[0].decode()
    start = "1710072000,10.3.2024,13:00:00 GMT+1"
    return "\n".join([header, *(f"{start},{line}" for line in lines)]).encode()


RECEIVED = f"RECV,0x{'1' * 64},,,0xa11ce0000000000000000000000000000000a11c,,{{}},,"
SPENT = f"SENT,0x{'2' * 64},0.001,ETH,0xb0b000000000000000000000000000000000b0b0,,1,ETH,,"


@pytest.mark.parametrize("token", ["25,USDT", "25,BNB"])
def test_received_token_is_on_the_network_of_the_files_fees(token: str) -> None:
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    content = trezor_lines(RECEIVED.format(token), SPENT)
    received, spent = rows(content, options)
    assert received.network == spent.network == "ethereum"
    assert moved(received) == [("25", "transfer", token.partition(",")[2])]


def test_nft_is_called_as_its_code() -> None:
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    received, _ = rows(trezor_lines(RECEIVED.format("ID 12,Cups"), SPENT), options)
    assert moved(received) == [("1", "transfer", "CUPS#12")]
    assert received.movements[0].asset.code == "CUPS#12"


def test_received_token_in_a_file_without_fees_cannot_be_placed() -> None:
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    (reason,) = reasons(trezor_lines(RECEIVED.format("25,USDT")), options)
    assert "It cannot be told on which network it was" in reason


OWN, ROUTER = "0xa11ce0000000000000000000000000000000a11c", f"0x{'d' * 40}"
CALL = f"SENT,0x{'3' * 64},{{}},,{{}},,"


def test_what_a_call_brought_back_came_in_though_its_lines_say_sent() -> None:
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    lines = [
        RECEIVED.format("1.5,ETH"),
        CALL.format(f"0.002,ETH,{ROUTER}", "0,ETH"),
        CALL.format(f",,{ROUTER}", "100,USDT"),
        CALL.format(f",,{OWN}", "0.03,ETH"),
        CALL.format(f",,{OWN}", "7,0xdAC17F958D2ee523a2206206994597C13D831ec7"),
        f"RECV,0x{'4' * 64},,,{OWN},,2,ETH,,",
        f"RECV,0x{'4' * 64},,,{ROUTER},,30,USDC,,",
    ]
    read = rows(trezor_lines(*lines), options)
    assert [moved(row) for row in read[1:]] == [
        [("0", "transfer", "native"), ("-0.002", "fee", "native")],
        [("-100", "transfer", "USDT")],
        [("0.03", "transfer", "native")],
        [("7", "transfer", "token")],
        [("2", "transfer", "native")],
        [("-30", "transfer", "USDC")],
    ]
    assert [row.movements[0].counterparty for row in read[1:]] == [
        ROUTER,
        ROUTER,
        "",
        "",
        "",
        ROUTER,
    ]


def test_address_is_offered_as_the_wallet_of_an_account_that_has_one() -> None:
    spent, received = SPENT, RECEIVED.format("1,ETH")
    (question,) = questions(trezor_lines(spent, received), FORMAT_OPTIONS["wallets"])
    assert (question.option, question.suggestion) == ("wallet", OWN)
    (question,) = questions(sample("trezor.csv"), FORMAT_OPTIONS["wallets"])
    assert question.suggestion == ""


def test_recipient_that_is_no_address_is_told() -> None:
    known = reading(sample("trezor.csv"), replace(FORMAT_OPTIONS["wallets"], wallet="Mine"))
    assert known.told == []
    lines = [row for row in known.records if isinstance(row, Row)]
    assert lines[2].movements[0].counterparty == ""
    assert known.told == [
        "The recipient of line 4 was left out: '1notanaddress' is no address, as in files that mask"
        " theirs. Where it is mistyped, correct it and import the file again."
    ]


def test_call_of_a_trezor_whose_own_address_nothing_tells_is_not_guessed() -> None:
    content = trezor_lines(
        CALL.format(f"0.002,ETH,{ROUTER}", "0.5,ETH"),
        CALL.format(f",,{OWN}", "100,USDT"),
        CALL.format(f",,{ROUTER}", "0,ETH"),
    )
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    (reason,) = reasons(content, options)
    assert "Import the file with the wallet's own address as the wallet." in reason
    _, back, _ = rows(content, replace(options, wallet=OWN))
    assert moved(back) == [("100", "transfer", "USDT")]


def test_own_address_is_where_the_coin_came_in() -> None:
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    other, poison = "0xb0b000000000000000000000000000000000b0b0", f"0x{'e' * 40}"
    lines = [
        f"RECV,0x{'4' * 64},,,{OWN},,1,ETH,,",
        f"RECV,0x{'5' * 64},,,{other},,2,ETH,,",  # of another account in the same file
        f"RECV,0x{'6' * 64},,,{poison},,9,FAKE,,",
        f"RECV,0x{'7' * 64},,,{poison},,9,FAKE,,",
        CALL.format(f"0.002,ETH,{OWN}", "0.5,ETH"),
        CALL.format(f",,{poison}", "9,FAKE"),
        CALL.format(f",,{other}", "3,USDC"),
    ]
    told = [moved(row)[0][0] for row in rows(trezor_lines(*lines), options)]
    assert told == ["1", "2", "9", "9", "0", "-9", "3"]
    with pytest.raises(FileError, match=r"received at 0x.*, and not at 0xd"):
        rows(trezor_lines(*lines[:1]), replace(options, wallet=ROUTER))


@pytest.mark.parametrize("wallet", ["Mine", "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"])
def test_token_comes_back_to_its_own_account_of_solana(wallet: str) -> None:
    own, of_token = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T", "1" * 32
    swap = f"SENT,{'7' * 88},{{}},,{{}},,"
    lines = [
        f"RECV,{'5' * 88},,,{own},,2,SOL,,",
        f"RECV,{'6' * 88},,,{of_token},,9,USDC,,",
        swap.format("0.000005,SOL,So11111111111111111111111111111111111111112", "1,SOL"),
        swap.format(f",,{of_token}", "150,USDC"),
        swap.format(f",,{own}", "0.25,SOL"),
    ]
    options = replace(FORMAT_OPTIONS["wallets"], wallet=wallet)
    told = [moved(row)[0][0] for row in rows(trezor_lines(*lines), options)]
    assert told == ["2", "9", "-1", "150", "0.25"]


def test_output_that_pays_nobody_has_the_fee() -> None:
    header = sample("trezor.csv").splitlines()[0].decode()
    start = f"1714564800,,,SENT,{'2' * 64}"
    lines = [
        f"{start},0.000141,BTC,,,,,,OP_RETURN (hello)",
        f"{start},,,3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy,,0.08,BTC,,",
    ]
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    text, paid = rows("\n".join([header, *lines]).encode(), options)
    assert moved(text) == [("0", "transfer", "native"), ("-0.000141", "fee", "native")]
    assert moved(paid) == [("-0.08", "transfer", "native")]


@pytest.mark.parametrize(
    ("unit", "said", "network"),
    [("ETH", "", "ethereum"), ("ETH", "base", "base"), ("BASE", "", "base"), ("BSC", "", "bsc")],
)
def test_coin_of_several_networks_is_of_the_one_that_was_said(
    unit: str, said: str, network: str
) -> None:
    content = trezor_lines(SPENT.replace("ETH", unit))
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine", network=said)
    (row,) = rows(content, options)
    assert row.network == network
    assert moved(row) == [("-1", "transfer", "native"), ("-0.001", "fee", "native")]


def test_network_that_a_trezors_fees_contradict_is_passed_over_and_told() -> None:
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine", network="polygon")
    told = reading(trezor_lines(SPENT), options)
    assert [row.network for row in told.records if isinstance(row, Row)] == ["ethereum"]
    assert told.told[0].startswith("Its fees tell that it is of Ethereum")


def test_coin_that_is_called_as_a_token_is_not_guessed() -> None:
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    spent = SPENT.replace("ETH", "ARB")
    first, second = records(trezor_lines(spent, RECEIVED.format("2,ARB")), options)
    assert isinstance(first, Row)
    assert (first.network, moved(first)[0]) == ("arbitrum", ("-1", "transfer", "native"))
    assert isinstance(second, Rejected)
    assert "and a token's symbol too" in second.reason


def test_oldest_trezor_without_units_is_asked_about() -> None:
    header = sample("trezor-old.csv").splitlines()[0].decode()
    line = f"31/12/2020 14:00:00;SENT;{'1' * 64};3J98;0.0001;0.5"
    content = f"{header}\n{line}\n".encode()
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    (question,) = questions(content, options)
    assert question.option == "network"
    (row,) = rows(content, replace(options, network="litecoin"))
    assert (row.network, moved(row)[0]) == ("litecoin", ("-0.5", "transfer", "native"))


def test_electrum_without_confirmations_is_read() -> None:
    content = f"transaction_hash,label,value,timestamp\n{'f' * 64},x,-0.1,2017-08-03 08:45\n"
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    assert moved(rows(content.encode(), options)[0]) == [("-0.1", "transfer", "native")]


def test_ledger_account_is_on_the_network_that_it_is_called_after() -> None:
    address = "0xa11ce0000000000000000000000000000000a11c"
    names = ("Base 1", "Arbitrum 2", "OP Mainnet 1", "Ethereum 1", "Savings")
    header = sample("ledger-live.csv").splitlines()[0].decode()
    start = "2024-01-10T10:00:00.000Z,Confirmed,ETH,OUT,1.001,0.001"
    lines = [
        f"{start},0x{number * 64},{name},{address},USD,1,1"
        for number, name in zip("12345", names, strict=True)
    ]
    content = "\n".join([header, *lines]).encode()
    found = {
        said: [row.network for row in rows(content, Options(network=said))]
        for said in ("", "linea")
    }
    assert found[""] == ["base", "arbitrum", "optimism", "ethereum", "ethereum"]
    assert found["linea"] == ["base", "arbitrum", "optimism", "ethereum", "linea"]
    assert {moved(row)[0][2] for row in rows(content, Options())} == {"native"}
    received = content.replace(b"ETH,OUT,1.001,0.001", b"USDC,IN,5,")
    assert [row.network for row in rows(received, Options(network="linea"))] == [
        *("base", "arbitrum", "optimism", "ethereum", "linea")
    ]
    told = reading(content, Options()).told
    assert told[0] == "Base 1 was read as an account on Base, after which it is called."


def oldest(*times: str) -> bytes:
    header = sample("trezor-old.csv").splitlines()[0].decode()
    lines = (f"{time};RECV;{n:064};3J98;0.0001 BTC;+0.5 BTC" for n, time in enumerate(times))
    return "\n".join([header, *lines]).encode()


def test_order_of_day_and_month_is_told_by_a_day_beyond_the_twelfth_or_asked() -> None:
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    told = rows(oldest("1/5/2020 02:00:00 PM", "12/31/2020 02:00:00 PM"), options)
    assert [(row.timestamp.month, row.timestamp.day) for row in told] == [(1, 5), (12, 31)]
    open_ = oldest("1/5/2020 02:00:00 PM")
    (question,) = questions(open_, options)
    assert (question.option, question.choices) == ("date_order", ("dmy", "mdy"))
    (row,) = rows(open_, replace(options, date_order="dmy"))
    assert (row.timestamp.month, row.timestamp.day) == (5, 1)
    assert moved(row) == [("0.5", "transfer", "native")]
    assert questions(oldest("1.5.2020 14:00:00", "2020-05-01 14:00"), options) == []


def test_one_address_has_accounts_on_several_networks() -> None:
    address = "0xa11ce0000000000000000000000000000000a11c"
    lines = [
        f"BNB,IN,4,,0x{'1' * 64},Ethereum 1",
        f"ETH,OUT,1.001,0.001,0x{'2' * 64},Ethereum 1",
        f"MATIC,OUT,5.01,0.01,0x{'3' * 64},Polygon 1",
        f"USDC,IN,7,,0x{'4' * 64},Polygon 1",
    ]
    header = sample("ledger-live.csv").splitlines()[0].decode()
    start = "2024-01-10T10:00:00.000Z,Confirmed"
    content = "\n".join([header, *(f"{start},{line},{address},USD,1,1" for line in lines)])
    read = rows(content.encode(), Options())
    assert [(row.network, moved(row)[0]) for row in read] == [
        ("ethereum", ("4", "transfer", "BNB")),
        ("ethereum", ("-1", "transfer", "native")),
        ("polygon", ("-5", "transfer", "native")),
        ("polygon", ("7", "transfer", "USDC")),
    ]


def test_unknown_coin_of_an_account_without_an_evm_address_is_no_token_of_one() -> None:
    other = (
        f"2024-01-10T10:00:00.000Z,Confirmed,DOT,IN,1,0.01,0x{'5' * 64},Polkadot 1,14AbcDef,USD,1,1"
    )
    content = sample("ledger-live.csv") + other.encode() + b"\n"
    assert questions(content, Options()) == []
    for options in (Options(), Options(network="ethereum")):
        (reason,) = reasons(content, options)
        assert "Currency Ticker 'DOT' is not a coin that is known here" in reason


@pytest.mark.parametrize("name", ["electrum.csv", "electrum-old.csv", "sparrow.csv", "btcpay.csv"])
def test_line_that_is_there_twice_does_not_count_twice(name: str) -> None:
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    content = sample(name).rstrip()
    first = next(one for one in records(content, options) if isinstance(one, Row))
    repeated = content + b"\n" + first.raw.encode() + b"\n"
    assert len(records(repeated, options)) == len(records(content, options)) + 1
    told = f"line {first.line} told of this transaction already. Remove one of them."
    assert reasons(repeated, options)[-1].endswith(told)


def test_quote_that_a_trezor_does_not_close_is_of_the_label() -> None:
    header = sample("trezor.csv").decode().splitlines()[0]
    labels = ['"Bob" paid', 'the "rest"', '"', '"for ""May"", late"', "plain"]
    lines = [
        f"{1714564800 + number},,,RECV,{number:064},,,bc1q,{label},0.5,BTC,,"
        for number, label in enumerate(labels)
    ]
    content = "\n".join([header, *lines]).encode()
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    found = [one.labels[0] for one in records(content, options) if isinstance(one, Row)]
    assert found == ['"Bob" paid', 'the "rest"', '"', 'for "May", late', "plain"]


def test_quote_in_the_name_of_a_ledgers_account_is_part_of_it() -> None:
    header, line, *_ = sample("ledger-live.csv").decode().splitlines()
    lines = [line.replace("Bitcoin 1", name) for name in ('"Cold" BTC', 'My 5" disk', "Bitcoin 1")]
    read = rows("\n".join([header, *lines]).encode(), Options())
    names = ['"Cold" BTC (abcdEF)', 'My 5" disk (abcdEF)', "Bitcoin 1 (abcdEF)"]
    assert [row.wallet for row in read] == names


def test_ledger_live_pays_no_fee_that_is_more_than_what_went_out() -> None:
    header, line, *_ = sample("ledger-live.csv").decode().splitlines()
    cells = dict(zip(header.split(","), line.split(","), strict=True))
    cells |= {"Operation Type": "OUT", "Operation Amount": "0.00005", "Operation Fees": "0.0001"}
    content = f"{header}\n{','.join(cells.values())}\n".encode()
    (reason,) = reasons(content, Options())
    assert "Operation Fees 0.0001 are more than Operation Amount 0.00005" in reason


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("NFT_IN", [("0", "transfer", "native")]),
        ("NFT_OUT", [("0", "transfer", "native")]),
        ("STAKE", [("0", "transfer", "native"), ("-0.001", "fee", "native")]),
        ("WITHDRAW_UNBONDED", [("0", "transfer", "native"), ("-0.001", "fee", "native")]),
        ("BURN", [("-0.001", "transfer", "native"), ("-0.001", "fee", "native")]),
        ("WITHDRAW", None),
    ],
)
def test_what_an_operation_of_ledger_live_moves_depends_on_its_type(
    kind: str, told: list[tuple[str, str, str]] | None
) -> None:
    header = sample("ledger-live.csv").splitlines()[0].decode()
    start = f"2024-01-10T10:00:00.000Z,Confirmed,ETH,{kind},0.002,0.001,0x{'1' * 64},Ethereum 1"
    content = f"{header}\n{start},0xa11ce0000000000000000000000000000000a11c,USD,1,1\n".encode()
    if told is None:
        assert "Operation Type 'WITHDRAW' is not known" in reasons(content, Options())[0]
    else:
        assert moved(rows(content, Options())[0]) == told


@pytest.mark.parametrize(
    ("kind", "amount", "status", "moves"),
    [
        ("DELEGATE", "0.000005", "Confirmed", "0"),
        ("OPT_IN", "0.00204428", "Confirmed", "-0.00203928"),
        ("OPT_IN", "0.00204428", "Failed", "0"),
        ("OPT_OUT", "-0.00203428", "Confirmed", "0.00203928"),
    ],
)
def test_deposit_of_an_operation_of_ledger_live_goes_out_and_comes_back(
    kind: str, amount: str, status: str, moves: str
) -> None:
    header = sample("ledger-live.csv").splitlines()[0].decode()
    line = f"2024-01-10T10:00:00.000Z,{status},SOL,{kind},{amount},0.000005,{'5' * 88},Solana 1,S"
    (row,) = rows(f"{header}\n{line},USD,1,1\n".encode(), Options())
    assert moved(row) == [(moves, "transfer", "native"), ("-0.000005", "fee", "native")]


@pytest.mark.parametrize(
    ("line", "id_"),
    [(1, "libcore:1:bitcoin:xpub6CabcdEF:native_segwit"), (3, f"ethereumjs:2:ethereum:{ALICE}:")],
)
def test_oldest_files_of_ledger_live_are_of_the_same_accounts(line: int, id_: str) -> None:
    old, new = [], []
    for cells in (one.split(",") for one in sample("ledger-live.csv").decode().splitlines()):
        new.append(",".join(cells))
        account = "Account id" if cells[8] == "Account xpub" else id_
        old.append(",".join([cells[0], *cells[2:8], account]))
    (was,) = rows("\r\n".join([old[0], old[line]]).encode(), Options())
    (now,) = rows("\r\n".join([new[0], new[line]]).encode(), Options())
    assert replace(was, raw="") == replace(now, raw="")


def test_what_several_outputs_brought_in_came_in_at_once() -> None:
    header = sample("trezor.csv").decode().splitlines()[0]
    lines = [f"1714564800,,,RECV,{'1' * 64},,,bc1q,,{amount},BTC,," for amount in ("0.8", "0.2")]
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    first, second = rows("\n".join([header, *lines]).encode(), options)
    assert (moved(first), moved(second)) == ([("1", "transfer", "native")], [])


def test_transaction_that_an_old_electrum_calls_pending_is_pending() -> None:
    header = "transaction_hash,label,confirmations,value,fee,balance,timestamp"
    content = f"{header}\n{'f' * 64},x,0,+0.5,0.0,1.5,pending\n".encode()
    (row,) = rows(content, replace(FORMAT_OPTIONS["wallets"], wallet="Mine"))
    assert (row.status, moved(row)) == ("pending", [("0.5", "transfer", "native")])


@pytest.mark.parametrize("value", ["", "-", "N/A"])
def test_amount_that_electrum_does_not_tell_is_not_nothing(value: str) -> None:
    header = "transaction_hash,label,confirmations,value,fiat_value,fee,fiat_fee,timestamp"
    content = f"{header}\n{'f' * 64},x,5,{value},,No Data,,2024-05-01 12:00\n".encode()
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    assert reasons(content.replace(b"No Data", b""), options) == [
        "Line 2: there is no amount. Export the file again."
    ]


def test_token_that_is_called_as_a_coin_does_not_tell_the_network() -> None:
    header = sample("ledger-live.csv").splitlines()[0].decode()
    own = "0xa11ce0000000000000000000000000000000a11c"
    lines = [
        f"2024-01-10T10:00:00.000Z,Confirmed,{told},,0x{number * 64},{account},{own},USD,1,1"
        for told, number, account in (
            ("MATIC,IN,5", "1", "Savings"),
            ("USDC,IN,7", "2", "Holidays"),
            ("USDC,IN,8", "3", "Polygon 1"),
        )
    ]
    content = "\n".join([header, *lines]).encode()
    (question,) = questions(content, Options())
    assert question.text.startswith("On which network are the tokens of Savings and Holidays")
    read = rows(content, Options(network="ethereum"))
    assert [(row.network, moved(row)) for row in read] == [
        ("ethereum", [("5", "transfer", "MATIC")]),
        ("ethereum", [("7", "transfer", "USDC")]),
        ("polygon", [("8", "transfer", "USDC")]),
    ]


def test_coin_that_can_be_a_token_too_is_asked_about_where_no_fee_tells() -> None:
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    content = trezor_lines(RECEIVED.format("25,BNB"))
    (question,) = questions(content, options)
    assert (question.option, question.choices) == ("network", ("bsc", "ethereum"))
    (own,) = rows(content, replace(options, network="bsc"))
    (token,) = rows(content, replace(options, network="ethereum"))
    assert (moved(own), moved(token)) == (
        [("25", "transfer", "native")],
        [("25", "transfer", "BNB")],
    )


def test_confirmation_that_btcpay_does_not_know_is_rejected() -> None:
    content = sample("btcpay.csv").replace(b"true", b"maybe", 1)
    options = replace(FORMAT_OPTIONS["wallets"], wallet="Mine")
    assert "Is Confirmed 'maybe' is neither True nor False." in reasons(content, options)[0]
