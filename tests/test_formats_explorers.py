"""Files and answers of explorers: what their records moved, one by one."""

from io import BytesIO

import pytest
from files import (
    ALICE,
    BOB,
    FORMAT_OPTIONS,
    moved,
    reasons,
    records,
    rows,
    sample,
    sample_lines,
)

from transactions.imports.formats import open_table
from transactions.imports.rows import FileError, Rejected

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


@pytest.mark.parametrize("name", ["etherscan-txlist.json", "blockscout-transactions.json"])
def test_record_of_overlapping_pages_counts_once(name: str) -> None:
    content = sample(name)
    once = rows(content, FORMAT_OPTIONS["explorers"])
    told = records(content + content, FORMAT_OPTIONS["explorers"])
    again = [one for one in told if isinstance(one, Rejected)]
    assert len(told) == 2 * len(once)
    assert len(again) == len(once)
    assert "an earlier line told of this transaction already" in again[0].reason


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


def test_page_of_what_was_searched_for_is_refused_since_it_has_tokens_as_well() -> None:
    content = f"{PAGE},Asset\n{page_line('5')},ERC-20: CUP\n".encode()
    with pytest.raises(FileError, match="has the columns of a known format"):
        open_table(BytesIO(content), "export.csv")


@pytest.mark.parametrize("amount", ["5 CUP", "5 USDT"])
def test_amount_of_another_unit_than_a_coin_is_not_taken_for_the_coin(amount: str) -> None:
    (reason,) = reasons(f"{PAGE}\n{page_line(amount)}\n".encode(), FORMAT_OPTIONS["explorers"])
    assert f"Amount '{amount}' is not of a network's own coin" in reason


@pytest.mark.parametrize("amount", ["5 POL", "5 xDAI", "5 MATIC", "5", "5000000000 gwei"])
def test_coin_of_any_network_is_its_own(amount: str) -> None:
    (row,) = rows(f"{PAGE}\n{page_line(amount)}\n".encode(), FORMAT_OPTIONS["explorers"])
    assert moved(row)[0] == ("-5", "transfer", "native")
