"""Files and answers of explorers: what their records moved, one by one."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest
from files import (
    ALICE,
    BOB,
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

from transactions.imports.formats import open_table
from transactions.imports.rows import FileError, Options, Rejected, Row

FILES = {
    "etherscan-nft.csv": (
        "etherscan-nft",
        [
            "2024-03-01 10:00:00 |  | 1 CUP#123456789012345678901234567890 with 0xb0b0",
            "2024-03-02 10:00:00 |  | -3 CUP#7 with 0xb0b0",
            "REJECTED Line 4: TokenId '' is not the number of a token.",
        ],
    ),
    "etherscan-page.csv": (
        "etherscan-page-transactions",
        [
            "2024-03-01 10:00:00 |  | -0.456 native with 0xb0b0, fee -0.0021 native",
            "2024-03-02 10:00:00 | failed | 0 native with 0xb0b0, fee -0.0011 native",
            "2024-03-03 10:00:00 |  | 0.000000000000000001 native with 0xb0b0",
        ],
    ),
    "etherscan-page-internal.csv": (
        "etherscan-page-internal",
        [
            "2024-03-01 10:00:00 |  | 0.25 native with 0xb0b0",
        ],
    ),
    "etherscan-txlist.json": (
        "etherscan-json-transactions",
        [
            "2015-07-30 15:26:13 |  | 10 native",
            (
                "2024-03-01 10:00:00 |  | -0.000000000000000001 native with 0xb0b0, fee "
                "-0.00105 native"
            ),
            "2024-03-01 10:01:00 | failed | 0 native with 0xb0b0, fee -0.00105 native",
            "2024-03-01 10:01:40 |  | 0.000000000000000003 native with 0xb0b0",
        ],
    ),
    "etherscan-txlistinternal.json": (
        "etherscan-json-internal",
        [
            "2024-03-01 10:00:00 |  | 0.25 native with 0xb0b0",
        ],
    ),
    "etherscan-tokentx.json": (
        "etherscan-json-erc20",
        [
            "2024-03-01 10:00:00 |  | 319.22562200498686051 CUP with 0xb0b0",
            "REJECTED Line 2: tokenDecimal is empty, so that the amount is not known.",
        ],
    ),
    "etherscan-tokennfttx.json": (
        "etherscan-json-nft",
        [
            "2024-03-01 10:00:00 |  | 1 CUP#42 with 0xb0b0",
        ],
    ),
    "blockscout.csv": (
        "blockscout-transactions",
        [
            "2024-03-01 10:00:00 |  | -1.5 native with 0xb0b0, fee -0.000042 native",
            "2024-03-02 10:00:00 | failed | 0 native with 0xb0b0, fee -0.000042 native",
            "2024-03-03 10:00:00 |  | 0.000000000000000007 native with 0xb0b0",
        ],
    ),
    "blockscout-tokens.csv": (
        "blockscout-tokens",
        [
            "2024-03-01 10:00:00 |  | 1.234567 CUP with 0xb0b0",
            (
                "REJECTED Line 3: the decimals of the token are not told, so that its amount is"
                " not known. Save the transfers from the interface (/api/v2) as JSON, which "
                "tells them."
            ),
        ],
    ),
    "blockscout-advanced.csv": (
        "blockscout-advanced",
        [
            "2024-03-05 10:00:00 |  | 0.000000000000000007 native with 0xb0b0",
            "2024-03-04 10:00:00 |  | 0 native with 0xc0ff, fee -0.000042 native",
            "2024-03-03 10:00:00 |  | -1.5 native with 0xc0ff, fee -0.000042 native",
            "2024-03-03 10:00:00 |  | 1 CUP#9 with 0xb0b0",
            "2024-03-03 10:00:00 |  | -1.234567 CUP with 0xb0b0",
            "2024-03-03 10:00:00 |  | 0.25 native with 0xb0b0",
            (
                "REJECTED Line 8: the decimals of the token are not told, so that its amount is"
                " not known. Save the transfers from the interface (/api/v2) as JSON, which "
                "tells them."
            ),
        ],
    ),
    "blockscout-internal.csv": (
        "blockscout-internal",
        [
            "2024-03-01 10:00:00 |  | 0.25 native with 0xb0b0",
            "2024-03-02 10:00:00 |  | 0 native with 0xb0b0",
        ],
    ),
    "blockscout-transactions.json": (
        "blockscout-transactions",
        [
            "2024-03-01 10:00:00 |  | -1.5 native with 0xb0b0, fee -0.000042 native",
        ],
    ),
    "blockscout-transfers.json": (
        "blockscout-tokens",
        [
            "2024-03-01 10:00:00 |  | 1.234567 CUP with 0xb0b0",
            "2024-03-02 10:00:00 |  | -1 CUP#9 with 0xb0b0",
        ],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_read_as_it_is_meant(name: str) -> None:
    format_name, expected = FILES[name]
    assert sample_lines(name, FORMAT_OPTIONS["explorers"]) == (format_name, expected)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_answers_are_read_in_any_encoding_that_tells_itself(encoding: str) -> None:
    text = sample("etherscan-txlist.json").decode()
    mark = "" if encoding in ("utf-8-sig", "utf-16") else "\ufeff"
    options = FORMAT_OPTIONS["explorers"]
    assert rows((mark + text).encode(encoding), options) == rows(text.encode(), options)


@pytest.mark.parametrize("name", ["etherscan-txlist.json", "blockscout-transactions.json"])
def test_record_of_overlapping_pages_counts_once(name: str) -> None:
    content = sample(name)
    once = rows(content, FORMAT_OPTIONS["explorers"])
    told = records(content + content, FORMAT_OPTIONS["explorers"])
    again = [one for one in told if isinstance(one, Rejected)]
    assert len(told) == 2 * len(once)
    assert len(again) == len(once)
    assert "an earlier line told of this transaction already" in again[0].reason


def blockscouts(*records: dict[str, object]) -> bytes:
    """As Blockscout answers Etherscan's questions."""
    shared = {"blockNumber": "5", "timeStamp": "1709287200", "from": ALICE, "to": BOB}
    return json.dumps({"status": "1", "result": [{**shared, **one} for one in records]}).encode()


def test_inner_calls_are_read_as_blockscout_answers_too() -> None:
    call = {"transactionHash": f"0x{'1' * 64}", "value": "2000000000000000000", "type": "call"}
    call |= {"contractAddress": "", "isError": "0", "errCode": ""}
    content = blockscouts(
        {**call, "index": "1", "callType": "call"},
        {**call, "index": "2", "callType": "delegatecall"},
        {**call, "index": "1", "callType": "call"},
    )
    real, borrowed, again = records(content, FORMAT_OPTIONS["explorers"])
    assert isinstance(real, Row)
    assert isinstance(borrowed, Row)
    assert moved(real) == [("-2", "transfer", "native")]
    assert moved(borrowed) == [("0", "transfer", "native")]
    assert isinstance(again, Rejected)
    assert "told of this transfer already" in again.reason


def test_blockscout_answers_with_nfts_and_other_tokens_together() -> None:
    token = {"hash": f"0x{'1' * 64}", "contractAddress": f"0x{'c' * 40}", "tokenSymbol": "CUP"}
    content = blockscouts(
        {**token, "logIndex": "7", "tokenDecimal": "6", "value": "1500000"},
        {**token, "logIndex": "8", "tokenDecimal": "", "tokenID": 9},
    )
    coin, nft = rows(content, FORMAT_OPTIONS["explorers"])
    assert moved(coin) == [("-1.5", "transfer", "CUP")]
    assert (coin.movements[0].asset.kind, coin.movements[0].asset.token_id) == ("token", "")
    assert moved(nft) == [("-1", "transfer", "CUP")]
    assert nft.movements[0].asset.token_id == "9"


@pytest.mark.parametrize("name", ["etherscan-page.csv", "blockscout.csv"])
def test_line_that_stands_there_twice_counts_once(name: str) -> None:
    header, *lines = sample(name).splitlines(keepends=True)
    content = b"".join([header, *lines, *lines])
    assert len(reasons(content, FORMAT_OPTIONS["explorers"])) == len(lines)


PAGE = (
    "Transaction Hash,Status,Method,Blockno,DateTime (UTC),From,From_Nametag,To,To_Nametag,"
    "Amount,Value (USD),Txn Fee"
)


def page_line(amount: str) -> str:
    return f"0x{'1' * 64},Success,Transfer,17,2024-03-01 10:00:00,{ALICE},,{BOB},,{amount},,0.001"


def test_page_of_the_generation_before_is_read_too() -> None:
    before = PAGE.replace("Transaction Hash", "Txhash").replace("Amount,Value (USD)", "Value")
    line = page_line("0.5 ETH").replace("ETH,,", "ETH,")
    (row,) = rows(f"{before}\n{line}\n".encode(), FORMAT_OPTIONS["explorers"])
    assert moved(row) == [("-0.5", "transfer", "native"), ("-0.001", "fee", "native")]


def test_page_of_what_was_searched_for_is_refused_since_it_has_tokens_as_well() -> None:
    content = f"{PAGE},Asset\n{page_line('5')},ERC-20: CUP\n".encode()
    with pytest.raises(FileError, match="has the columns of a known format"):
        open_table(BytesIO(content), "export.csv")


@pytest.mark.parametrize("amount", ["5 CUP", "5 USDT"])
def test_amount_of_another_unit_than_a_coin_is_not_taken_for_the_coin(amount: str) -> None:
    (reason,) = reasons(f"{PAGE}\n{page_line(amount)}\n".encode(), FORMAT_OPTIONS["explorers"])
    assert f"Amount '{amount}' is not of a network's own coin" in reason


@pytest.mark.parametrize(
    ("amount", "network"),
    [
        ("5 POL", "polygon"),
        ("5 xDAI", "gnosis"),
        ("5 MATIC", "polygon"),
        ("5", "ethereum"),
        ("5000000000 gwei", "bsc"),
    ],
)
def test_coin_of_any_network_is_its_own(amount: str, network: str) -> None:
    content = f"{PAGE}\n{page_line(amount)}\n".encode()
    (row,) = rows(content, Options(wallet=ALICE, network=network))
    assert (row.network, moved(row)[0]) == (network, ("-5", "transfer", "native"))


def test_coin_of_another_network_is_refused_and_tells_which_ones_to_choose() -> None:
    content = f"{PAGE}\n{page_line('5 BNB')}\n".encode()
    with pytest.raises(FileError, match="amounts are in BNB, which is not the coin of ethereum"):
        rows(content, Options(wallet=ALICE, network="ethereum"))
    (question,) = questions(content, Options(wallet=ALICE))
    assert question.choices == ("bsc", "opbnb")
    mixed = content + page_line("5 ETH").encode()
    (reason,) = reasons(mixed, Options(wallet=ALICE, network="bsc"))
    assert "the amount is in ETH, which is not the coin of bsc" in reason


def txlist(**told: str) -> bytes:
    shown = {
        "hash": f"0x{'1' * 64}",
        "blockNumber": "17",
        "timeStamp": "1709287200",
        "from": ALICE,
        "to": BOB,
        "value": "5",
        "gasUsed": "21000",
        "gasPrice": "1000000000",
        "isError": "0",
        "txreceipt_status": "1",
        "contractAddress": "",
        "functionName": "",
    }
    return json.dumps({"status": "1", "message": "OK", "result": [shown | told]}).encode()


def test_receipt_that_failed_is_a_failure() -> None:
    (row,) = rows(txlist(txreceipt_status="0"), FORMAT_OPTIONS["explorers"])
    assert (row.status, moved(row)[0]) == ("failed", ("0", "transfer", "native"))


def test_fee_without_what_a_rollup_takes_for_data_is_unknown() -> None:
    options = Options(wallet=ALICE, network="optimism")
    (row,) = rows(txlist(), options)
    assert moved(row) == [("-0.000000000000000005", "transfer", "native")]
    assert any("have a part for data" in told for told in reading(txlist(), options).told)
    assert len(moved(rows(txlist(), FORMAT_OPTIONS["explorers"])[0])) == 2


def test_amount_that_is_not_told_is_not_nothing() -> None:
    (reason,) = reasons(txlist(value=""), FORMAT_OPTIONS["explorers"])
    assert "Value is empty" in reason
    (reason,) = reasons(answer(sent(value=None)), FORMAT_OPTIONS["explorers"])
    assert "Value is empty" in reason


def test_transfer_of_pages_that_overlap_counts_once() -> None:
    calls = answer(called("call", 1), called("call", 2), called("call", 1))
    assert len(records(calls, FORMAT_OPTIONS["explorers"])) == 3
    (reason,) = reasons(calls, FORMAT_OPTIONS["explorers"])
    assert "an earlier line told of this transfer already" in reason


def answer(*items: Mapping[str, object]) -> bytes:
    shared = {
        "timestamp": "2024-03-01T10:00:00.000000Z",
        "block_number": 17,
        "from": {"hash": ALICE},
        "to": {"hash": BOB},
    }
    return json.dumps({"items": [{**shared, **item} for item in items]}).encode()


def sent(**told: object) -> dict[str, object]:
    return {
        "hash": f"0x{'1' * 64}",
        "value": "2000000000000000000",
        "fee": {"type": "actual", "value": "42000000000000"},
        "status": "ok",
        "created_contract": None,
        **told,
    }


def called(kind: str, number: int) -> dict[str, object]:
    return {
        "transaction_hash": f"0x{'1' * 64}",
        "value": "2000000000000000000",
        "success": True,
        "error": None,
        "type": kind,
        "index": number,
    }


@pytest.mark.parametrize("kind", ["delegatecall", "callcode", "staticcall"])
def test_call_in_the_callers_own_name_moves_nothing(kind: str) -> None:
    content = answer(called("call", 1), called(kind, 2))
    real, borrowed = rows(content, FORMAT_OPTIONS["explorers"])
    assert moved(real) == [("-2", "transfer", "native")]
    assert moved(borrowed) == [("0", "transfer", "native")]


def test_call_in_the_callers_own_name_moves_nothing_in_csv_either() -> None:
    content = sample("blockscout-internal.csv").replace(b",call,call,", b",call,delegatecall,")
    first, _ = rows(content, FORMAT_OPTIONS["explorers"])
    assert moved(first) == [("0", "transfer", "native")]


def test_fee_beside_a_call_is_its_transactions() -> None:
    header, *lines = sample("blockscout-internal.csv").decode().splitlines()
    content = "\r\n".join([f"{header},Fee", *(f"{line},21000000" for line in lines)]).encode()
    known, table = open_table(BytesIO(content), "export.csv")
    assert known.name == "blockscout-internal"
    records = known.read(table, FORMAT_OPTIONS["explorers"]).records
    assert [moved(row) for row in records if isinstance(row, Row)] == [
        [("0.25", "transfer", "native")],
        [("0", "transfer", "native")],
    ]


def test_list_of_everything_has_a_transactions_fee_once_and_tells_what_it_lacks() -> None:
    text = sample("blockscout-advanced.csv").decode()
    internal = text.splitlines()[3].replace("contract_interaction", "coin_transfer")
    read = reading(f"{text}{internal}\r\n".encode(), FORMAT_OPTIONS["explorers"])
    assert read.told[0].startswith("The file does not tell which transactions failed")
    *_, last = read.records
    assert isinstance(last, Row)
    assert moved(last) == [("-1.5", "transfer", "native")]


def test_decimals_of_a_token_may_stand_there_twice() -> None:
    lines = [line.split(",") for line in sample("blockscout-tokens.csv").decode().splitlines()]
    text = "\r\n".join(",".join([*cells[:9], cells[7], *cells[9:]]) for cells in lines)
    assert "TokenDecimals,TokenSymbol,TokenDecimals,TokensTransferred" in text
    first, _ = records(text.encode(), FORMAT_OPTIONS["explorers"])
    assert isinstance(first, Row)
    assert moved(first) == [("1.234567", "transfer", "CUP")]


def test_answer_of_nothing_but_contract_creations_is_recognised() -> None:
    created = {"hash": f"0x{'c' * 40}"}
    only = sent(to=None, created_contract=created, value="0")
    (row,) = rows(answer(only), FORMAT_OPTIONS["explorers"])
    assert row.method == "contract creation"
    assert row.movements[0].counterparty == created["hash"]
    other = sent(hash=f"0x{'2' * 64}")
    _, row = rows(answer(only, other), FORMAT_OPTIONS["explorers"])
    assert row.movements[0].counterparty == BOB


def test_answer_of_nothing_but_single_nfts_is_recognised() -> None:
    token = {"address_hash": f"0x{'c' * 40}", "symbol": "CUP", "name": "Cups", "decimals": None}
    only = {"transaction_hash": f"0x{'1' * 64}", "token": token, "total": {"token_id": "9"}}
    (row,) = rows(answer(only), FORMAT_OPTIONS["explorers"])
    assert moved(row) == [("-1", "transfer", "CUP")]
    assert row.movements[0].asset.token_id == "9"


def test_decimals_are_the_tokens_where_the_amount_does_not_tell_them() -> None:
    token = {"address_hash": f"0x{'c' * 40}", "symbol": "CUP", "name": "Cups", "decimals": "6"}
    total = {"decimals": None, "value": "1500000"}
    only = {"transaction_hash": f"0x{'1' * 64}", "token": token, "total": total}
    (row,) = rows(answer(only), FORMAT_OPTIONS["explorers"])
    assert moved(row) == [("-1.5", "transfer", "CUP")]


def test_transaction_that_waits_for_a_block_is_pending_and_has_paid_no_fee() -> None:
    most = {"type": "maximum", "value": "42000000000000"}
    waiting = sent(timestamp=None, block_number=None, status=None, fee=most)
    now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    (row,) = rows(answer(waiting), replace(FORMAT_OPTIONS["explorers"], brought_at=now))
    assert (row.status, row.timestamp) == ("pending", now)
    assert moved(row) == [("-2", "transfer", "native")]
    (reason,) = reasons(answer(sent(timestamp=None)), FORMAT_OPTIONS["explorers"])
    assert "is not a time" in reason


def test_record_that_says_its_result_is_read_alone_as_well() -> None:
    told = {**json.loads(answer(sent()))["items"][0], "result": "success"}
    (row,) = rows(json.dumps(told).encode(), FORMAT_OPTIONS["explorers"])
    assert moved(row)[0] == ("-2", "transfer", "native")
    # As it is downloaded where it was left out.
    (again,) = rows(b"\r\n" + row.raw.encode() + b"\r\n", FORMAT_OPTIONS["explorers"])
    assert moved(again) == moved(row)


@pytest.mark.parametrize(
    ("name", "told", "other", "why"),
    [
        ("blockscout.csv", ",ok,", ",dropped/replaced,", "Status 'dropped/replaced' is not known"),
        ("blockscout.csv", ",42000000000000,ok", ",4.2E+13,ok", "Fee '4.2E+13' is not a whole"),
        ("etherscan-txlist.json", '"gasUsed":"21000"', '"gasUsed":"0x5208"', "gasUsed '0x5208'"),
    ],
)
def test_status_or_fee_that_cannot_be_read_rejects_its_line(
    name: str, told: str, other: str, why: str
) -> None:
    text = sample(name).decode().replace('": "', '":"')
    assert told in text
    found = reasons(text.replace(told, other, 1).encode(), FORMAT_OPTIONS["explorers"])
    assert [why in reason for reason in found] == [True]


@pytest.mark.parametrize("quantity", ["", "-", "N/A"])
def test_nft_without_a_quantity_is_one(quantity: str) -> None:
    text = sample("etherscan-nft.csv").decode().replace('"721",""', f'"721","{quantity}"')
    first, *_ = records(text.encode(), FORMAT_OPTIONS["explorers"])
    assert isinstance(first, Row)
    assert [one.amount for one in first.movements] == [1]
