"""Files of Etherscan and its siblings: whose money moved, who paid, and what the file lacks."""

from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from files import ALICE, BOB, moved, questions, reading, reasons, rows, sample

from transactions.imports.formats import open_table
from transactions.imports.formats.etherscan import Told
from transactions.imports.rows import FileError, Options, Question, Row

ON_ETHEREUM = Options(wallet=ALICE, network="ethereum")
TRANSACTIONS = sample("etherscan-transactions.csv")
INTERNAL = sample("etherscan-internal.csv")
TOKENS = sample("etherscan-erc20.csv")
POLYGON = sample("polygonscan-transactions-old.csv")
SNOWTRACE = sample("snowtrace-transactions.csv")

ROUTER = "0x70e70000000000000000000000000000000000e7"
SHOP = "0x5000000000000000000000000000000000005009"
COFFEE = "0xc0ffee00000000000000000000000000000c0ffe"


def first_lines(content: bytes, number: int) -> bytes:
    return b"".join(content.splitlines(keepends=True)[: number + 1])


def found_wallet(content: bytes, file_name: str = "export.csv") -> str:
    return reading(content, Options(network="ethereum"), file_name).options.wallet


def wallet_question(content: bytes, file_name: str = "export.csv") -> Question:
    (question,) = questions(content, Options(network="ethereum"), file_name)
    assert question.option == "wallet"
    return question


@pytest.fixture(scope="module")
def transactions() -> list[Row]:
    return rows(TRANSACTIONS, ON_ETHEREUM)


def test_transactions_are_told_apart_by_the_whole_hash_however_many_are_alike() -> None:
    told = Told()
    hashes = [f"0x{number:064x}" for number in range(20_000)]  # which differ at the end alone
    assert all(told.add("ethereum", txid) for txid in hashes)
    assert not any(told.add("ethereum", txid) for txid in hashes)
    assert told.add("base", hashes[0])
    assert told.add("ethereum", "genesis_1")
    assert not told.add("ethereum", "genesis_1")


def test_row_has_network_hash_time_block_method_and_note(transactions: list[Row]) -> None:
    sent = transactions[1]
    assert (sent.line, sent.network, sent.block) == (3, "ethereum", 16700002)
    assert sent.txid.startswith("0x")
    assert sent.timestamp == datetime(2023, 3, 2, 9, 30, 15, tzinfo=UTC)
    assert (sent.method, sent.note, sent.status) == ("Transfer", "Rent, March", "ok")
    assert sent.raw.startswith('"0x')
    assert sent.raw.endswith('"Rent, March"')


def test_incoming_row_prints_a_fee_that_is_not_ours(transactions: list[Row]) -> None:
    received = transactions[0]
    assert moved(received) == [("2.5", "transfer", "native")]
    assert received.movements[0].counterparty == BOB


def test_outgoing_row_is_a_movement_and_a_fee(transactions: list[Row]) -> None:
    sent = transactions[1]
    assert moved(sent) == [("-0.75", "transfer", "native"), ("-0.000441", "fee", "native")]
    assert [m.counterparty for m in sent.movements] == [BOB, ""]


def test_failed_transaction_moves_nothing_but_our_fee(transactions: list[Row]) -> None:
    ours, theirs = transactions[3], transactions[4]
    assert (ours.status, theirs.status) == ("failed", "failed")
    assert moved(ours) == [("0", "transfer", "native"), ("-0.00512", "fee", "native")]
    assert moved(theirs) == [("0", "transfer", "native")]
    assert theirs.movements[0].counterparty == BOB


def test_error_code_alone_means_failed() -> None:
    content = TRANSACTIONS.replace(b'"Error(0)","out of gas"', b'"","out of gas"')
    failed = rows(content, ON_ETHEREUM)[3]
    assert (failed.status, moved(failed)[0]) == ("failed", ("0", "transfer", "native"))
    content = INTERNAL.replace(b'"1","out of gas"', b'"0","out of gas"')
    assert moved(rows(content, ON_ETHEREUM)[2]) == [("0", "transfer", "native")]


def test_transfer_to_oneself_costs_its_fee_alone(transactions: list[Row]) -> None:
    own = transactions[5]
    assert moved(own) == [("0", "transfer", "native"), ("-0.00021", "fee", "native")]
    assert own.movements[0].counterparty == ALICE


def test_amounts_printed_on_a_transfer_to_oneself_cancel_out() -> None:
    content = TRANSACTIONS.replace(b'"0","0","1.0","0.00021"', b'"3","3","1.0","0.00021"')
    assert content != TRANSACTIONS
    assert moved(rows(content, ON_ETHEREUM)[5])[0] == ("0", "transfer", "native")


def test_contract_creation_is_with_the_created_contract(transactions: list[Row]) -> None:
    created = transactions[6]
    assert created.method == "contract creation"
    assert created.movements[0].counterparty == "0xdeb107000000000000000000000000000000de00"
    assert moved(created) == [("0", "transfer", "native"), ("-0.0098", "fee", "native")]


def test_call_that_moves_nothing_keeps_who_it_was_with(transactions: list[Row]) -> None:
    ours, theirs = transactions[7], transactions[8]
    assert moved(ours) == [("0", "transfer", "native"), ("-0.0031", "fee", "native")]
    assert ours.movements[0].counterparty == ROUTER
    assert moved(theirs) == [("0", "transfer", "native")]


def test_balance_is_the_sum_of_all_movements() -> None:
    movements = [
        movement.amount
        for content in (TRANSACTIONS, INTERNAL)
        for row in rows(content, ON_ETHEREUM)
        for movement in row.movements
    ]
    fees = Decimal("0.000441") + Decimal("0.00378") + Decimal("0.00512")
    fees += Decimal("0.00021") + Decimal("0.0098") + Decimal("0.0031")
    assert sum(movements) == Decimal("2.5") - Decimal("1.25") + Decimal("0.45") - fees


def test_old_header_and_american_times_are_read() -> None:
    first, second, third = rows(POLYGON, Options(wallet=ALICE))
    assert (first.network, second.network, third.network) == ("polygon",) * 3
    assert first.timestamp == datetime(2022, 1, 5, 0, 15, tzinfo=UTC)
    assert second.timestamp == datetime(2022, 1, 5, 12, 30, 45, tzinfo=UTC)
    assert moved(first) == [("12", "transfer", "native")]
    assert moved(second)[0] == ("-0.0000006", "transfer", "native")


def test_time_in_words_is_enough() -> None:
    header, line, *_ = POLYGON.splitlines()
    cells = line.split(b",")
    cells[2] = b'""'
    (row,) = rows(header + b"\n" + b",".join(cells), Options(wallet=ALICE))
    assert row.timestamp == datetime(2022, 1, 5, 0, 15, tzinfo=UTC)


def test_times_that_disagree_are_rejected() -> None:
    content = TRANSACTIONS.replace(b"2023-03-02 09:30:15", b"2023-03-02 10:30:15")
    (reason,) = reasons(content, ON_ETHEREUM)
    assert reason.startswith("Line 3: UnixTimestamp 1677749415 is 2023-03-02 09:30:15 UTC, but")


# Internal transactions


def test_internal_rows_are_what_contracts_sent_without_a_fee() -> None:
    sold, paid, failed = rows(INTERNAL, ON_ETHEREUM)
    assert moved(sold) == [("0.4", "transfer", "native")]
    assert moved(paid) == [("0.05", "transfer", "native")]
    assert sold.movements[0].counterparty == ROUTER
    assert sold.txid == rows(TRANSACTIONS, ON_ETHEREUM)[7].txid
    assert (moved(failed), failed.status) == ([("0", "transfer", "native")], "ok")


def test_internal_row_that_a_contract_of_ours_sent_is_negative() -> None:
    content = first_lines(INTERNAL, 1).replace(b'"0.4","0"', b'"0","0.4"')
    (row,) = rows(content, Options(wallet=ROUTER, network="ethereum"))
    assert moved(row) == [("-0.4", "transfer", "native")]
    assert row.movements[0].counterparty == ALICE


def test_private_note_of_an_internal_line_stands_beyond_the_header() -> None:
    content = INTERNAL.replace(b'"call",""', b'"call","Sold, at last"', 1)
    sold, paid, _ = rows(content, ON_ETHEREUM)
    assert (sold.note, paid.note) == ("Sold, at last", "")
    assert moved(sold) == [("0.4", "transfer", "native")]
    named = content.replace(b'"Type"', b'"Type","PrivateNote"')
    assert rows(named, ON_ETHEREUM)[0].note == "Sold, at last"
    short = content.replace(b'"call",""', b'"call"')
    assert [row.note for row in rows(short, ON_ETHEREUM)] == ["Sold, at last", "", ""]


@pytest.mark.parametrize("more", [b',"b"', b',"b","c"'])
def test_other_cells_beyond_the_header_are_a_mistake(more: bytes) -> None:
    header, line, *_ = INTERNAL.splitlines()
    (reason,) = reasons(header + b"\n" + line.removesuffix(b',""') + b',"a"' + more, ON_ETHEREUM)
    assert reason.startswith(f"Line 2 has {19 + more.count(b',') - 1} cells, the header has 17.")
    header, line, *_ = TOKENS.splitlines()
    (reason,) = reasons(header + b"\n" + line + more, ON_ETHEREUM)
    assert "the header has" in reason


# Token transfers


def test_tokens_are_known_by_their_contract_and_exact_to_the_last_digit() -> None:
    bought, sold, first, again, own = rows(TOKENS, ON_ETHEREUM)
    assert moved(bought) == [("1612.34", "transfer", "COFFEE")]
    assert moved(sold) == [("-1000", "transfer", "COFFEE")]
    assert moved(first) == moved(again) == [("319.22562200498686051", "transfer", "COFFEE")]
    assert bought.movements[0].asset.code == COFFEE
    assert first.movements[0].asset.code != COFFEE
    assert bought.movements[0].asset.name == "Coffee Coin"
    assert (moved(own), own.movements[0].counterparty) == ([("0", "transfer", "COFFEE")], ALICE)


def test_old_token_file_is_read() -> None:
    first, second = rows(sample("etherscan-erc20-old.csv"), ON_ETHEREUM)
    assert moved(first) == [("12345678.9", "transfer", "COFFEE")]
    assert moved(second) == [("-0.000000000000000001", "transfer", "COFFEE")]
    assert first.block is None


def test_token_without_a_symbol_is_called_by_its_contract() -> None:
    content = TOKENS.replace(b'"COFFEE"', b'""')
    assert moved(rows(content, ON_ETHEREUM)[0]) == [("1612.34", "transfer", "0xc0ff…0ffe")]


def test_token_line_without_a_receiver_is_not_about_the_token() -> None:
    header, line, *_ = TOKENS.splitlines(keepends=True)
    nobody = line.replace(ALICE.encode(), b"")
    assert len(reasons(header + nobody, Options(wallet=COFFEE, network="ethereum"))) == 1
    assert len(wallet_question(header + nobody).choices) == 1


def test_quantity_of_an_old_nft_file_stands_behind_its_number_without_a_title() -> None:
    header = "Txhash,UnixTimestamp,DateTime,From,To,ContractAddress,TokenId,TokenName,TokenSymbol"
    start = f"0x{'1' * 64},1709287200,2024-03-01 10:00:00,{ROUTER},{ALICE},{COFFEE},7"
    lines = [f"{start},1200,Coffee,CUP", f"{start},3,,", f"{start},Coffee,CUP"]
    read = rows("\n".join([header, *lines]).encode(), ON_ETHEREUM)
    told = [(row.movements[0].amount, row.movements[0].asset.name) for row in read]
    assert told == [(1200, "Coffee"), (3, ""), (1, "Coffee")]
    (reason,) = reasons(f"{header}\n{start},Coffee,CUP,odd\n".encode(), ON_ETHEREUM)
    assert "Quantity 'odd' is not a number" in reason


def test_private_note_of_a_transaction_stands_beyond_the_header_too() -> None:
    header, line, *_ = TRANSACTIONS.decode().splitlines()
    assert header.endswith(',"PrivateNote"')
    cut = header.removesuffix(',"PrivateNote"')
    noted = f'{line.rpartition(",")[0]},"Rent, March"'
    (row,) = rows(f"{cut}\n{noted}\n".encode(), ON_ETHEREUM)
    assert row.note == "Rent, March"


def test_nft_files_are_not_taken_for_tokens() -> None:
    content = TOKENS.replace(b"USDValueDayOfTx", b"Token ID")
    known, _ = open_table(BytesIO(content), "export.csv")
    assert known.name == "etherscan-nft"


def test_what_was_there_at_first_has_a_hash_of_its_own_kind() -> None:
    content = first_lines(TRANSACTIONS, 1)
    txid = content.decode().splitlines()[1].split(",")[0].strip('"')
    told = rows(content.replace(txid.encode(), b"GENESIS_a11ce"), ON_ETHEREUM)
    assert [row.txid for row in told] == ["genesis_a11ce"]


# Network


def test_network_follows_from_a_coin_that_only_one_has() -> None:
    read = reading(POLYGON, Options(wallet=ALICE))
    assert read.options.network == "polygon"
    assert read.told == ["Network polygon: the file's amounts are in its coin MATIC."]
    content = POLYGON.replace(b"MATIC", b"AVAX")
    assert reading(content, Options(wallet=ALICE)).options.network == "avalanche"


def test_network_is_asked_for_where_several_have_the_coin() -> None:
    (question,) = questions(TRANSACTIONS, Options(wallet=ALICE))
    assert question.option == "network"
    assert question.choices[:2] == ("ethereum", "arbitrum")
    assert "polygon" not in question.choices
    (question,) = questions(TOKENS, Options(wallet=ALICE))
    assert question.choices[:2] == ("ethereum", "polygon")


def test_network_that_contradicts_the_header_is_refused() -> None:
    with pytest.raises(FileError, match=r"in MATIC, which is not the coin of bsc\. .*: polygon"):
        questions(POLYGON, Options(wallet=ALICE, network="bsc"))
    for unfit in ("bitcoin", "nonsense"):
        with pytest.raises(FileError, match=f"'{unfit}' is not a network of this kind"):
            questions(TRANSACTIONS, Options(wallet=ALICE, network=unfit))


def test_chain_id_tells_the_network_of_each_line() -> None:
    read = reading(SNOWTRACE, Options(wallet=ALICE))
    assert read.told == ["Network avalanche, from the file's ChainId."]
    assert [row.network for row in rows(SNOWTRACE, Options(wallet=ALICE))] == ["avalanche"] * 2
    other = SNOWTRACE.replace(b'"43114"', b'"8453"', 1)
    assert [row.network for row in rows(other, Options(wallet=ALICE))] == ["base", "avalanche"]
    unknown = SNOWTRACE.replace(b'"43114"', b'"99999999"', 1)
    assert reasons(unknown, Options(wallet=ALICE)) == [
        "Line 2: ChainId '99999999' is not a network that is known here."
    ]


def test_chain_id_that_contradicts_the_network_is_refused() -> None:
    read = reading(SNOWTRACE, Options(wallet=ALICE, network="base"))
    with pytest.raises(FileError, match=r"Line 2 is of avalanche \(ChainId 43114\), not of base"):
        list(read.records)


# Own address


def test_own_address_is_the_one_on_every_line() -> None:
    read = reading(TRANSACTIONS, Options(network="ethereum"))
    assert read.options.wallet == ALICE
    assert read.told == [f"Own address {ALICE}: every line is from or to it."]
    assert found_wallet(INTERNAL) == ALICE


def test_own_address_is_never_guessed_from_one_line() -> None:
    assert wallet_question(first_lines(TRANSACTIONS, 1)).choices == (ALICE,)


def test_columns_in_and_out_tell_two_addresses_apart() -> None:
    """Alice and Bob are on both lines, and only Alice received once and sent once."""
    assert found_wallet(first_lines(TRANSACTIONS, 2)) == ALICE
    both = wallet_question(first_lines(sample("snowtrace-transactions.csv"), 1))
    assert both.choices == (ALICE,)


def test_two_addresses_on_every_token_line_are_asked_for() -> None:
    header, line, *_ = TOKENS.splitlines(keepends=True)
    assert len(wallet_question(header + line + line).choices) == 2


def test_file_name_tells_the_own_address_where_the_lines_agree() -> None:
    name = f"export-address-token-{ALICE.upper().replace('X', 'x')}.csv"
    header, line, *_ = TOKENS.splitlines(keepends=True)
    read = reading(header + line, Options(network="ethereum"), name)
    assert read.options.wallet == ALICE
    assert read.told == [f"Own address {ALICE}, from the file's name."]


def test_file_name_that_the_lines_contradict_is_asked_about() -> None:
    assert wallet_question(TRANSACTIONS, f"export-{BOB}.csv").choices == (ALICE,)


def test_file_that_is_about_nobody_is_asked_about() -> None:
    header, first, second, *_ = TRANSACTIONS.splitlines(keepends=True)
    strangers = second.replace(ALICE.encode(), ROUTER.encode()).replace(BOB.encode(), SHOP.encode())
    assert wallet_question(header + first + strangers).choices == ()


def test_lines_that_cannot_be_read_do_not_hide_the_own_address() -> None:
    content = TRANSACTIONS.replace(BOB.encode(), b"0xb0b", 1)
    assert found_wallet(content) == ALICE
    (reason,) = reasons(content, ON_ETHEREUM)
    assert reason.startswith("Line 2: From '0xb0b': ")


def test_unanswered_questions_keep_the_file_out() -> None:
    with pytest.raises(FileError, match="Which network"):
        reading(TRANSACTIONS, Options())


def test_own_address_must_be_an_address() -> None:
    with pytest.raises(FileError, match="about an address, and 'Kraken' is none"):
        questions(TRANSACTIONS, Options(wallet="Kraken", network="ethereum"))


def test_capitals_of_the_own_address_do_not_matter() -> None:
    wallet = "0x" + ALICE[2:].upper()
    assert len(rows(TRANSACTIONS, Options(wallet=wallet, network="ethereum"))) == 9


# Lines that are rejected


def test_line_of_other_people_is_rejected() -> None:
    first, *_ = reasons(TRANSACTIONS, Options(wallet=SHOP, network="ethereum"))
    assert first == (
        f"Line 2: this line is between {BOB} and {ALICE}; neither is the own address {SHOP}. "
        "Import it with the address whose file it is."
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"2.5","0"', b'"0","2.5"', "Line 2: Value_IN and Value_OUT do not fit From, To"),
        (b'"2.5","0"', b'"",""', "Line 2: Value_IN and Value_OUT are both empty."),
        (b'"2.5","0"', b'"-2.5","0"', "Line 2: Value_IN '-2.5' is negative."),
        (b'"2.5","0"', b'"2,5","0"', "Line 2: Value_IN '2,5' is not a number. Use a point."),
        (b'"0.000441"', b'"1e99"', "Line 3: TxnFee '1e99' has 100 digits before the point"),
        (b'"16700001"', b'"soon"', "Line 2: Blockno 'soon' is not a block number."),
        (b'"Error(0)"', b'"odd"', "Line 5: Status 'odd' is neither empty nor an error."),
        (
            b"2023-03-01 08:00:00",
            b"3/1/2023 8:00",
            "Line 2: DateTime '3/1/2023 8:00' is not as explorers write it. A spreadsheet",
        ),
        (b"1677657600", b"0", "Line 2: UnixTimestamp '0' is outside the years 2009 to 2100."),
        (b"1677657600", b"1.6E9", "Line 2: UnixTimestamp '1.6E9' is not a time in Unix"),
        (b'"Rent, March"', b'"\x07"', "Line 3: PrivateNote contains a control character."),
    ],
)
def test_unreadable_line_is_rejected_with_its_reason(old: bytes, new: bytes, reason: str) -> None:
    assert old in TRANSACTIONS
    (found,) = reasons(TRANSACTIONS.replace(old, new, 1), ON_ETHEREUM)
    assert found.startswith(reason)


def test_hash_of_the_wrong_length_is_rejected() -> None:
    content = TRANSACTIONS.replace(b'"0x', b'"0xff', 1)
    (reason,) = reasons(content, ON_ETHEREUM)
    assert "has 68 characters instead of 66" in reason
    assert reason.startswith("Line 2: Transaction hash '0xff")


def test_fee_that_is_not_told_is_no_entry() -> None:
    content = TRANSACTIONS.replace(b'"0.000441"', b'""')
    assert moved(rows(content, ON_ETHEREUM)[1]) == [("-0.75", "transfer", "native")]


def test_token_line_without_contract_or_amount_is_rejected() -> None:
    for cell in (COFFEE.encode(), b"1,612.34"):
        (reason,) = reasons(first_lines(TOKENS, 1).replace(cell, b""), ON_ETHEREUM)
        assert "is empty" in reason


def test_internal_status_that_is_unknown_is_rejected() -> None:
    content = INTERNAL.replace(b'"0","","call"', b'"2","","call"', 1)
    (reason,) = reasons(content, ON_ETHEREUM)
    assert reason.startswith("Line 2: Status '2' is neither 0 (fine) nor 1 (failed).")


@pytest.mark.parametrize("status", [b"Error(0)", b"Error(1)"])
def test_every_error_is_a_failure(status: bytes) -> None:
    content = TRANSACTIONS.replace(b'"Error(0)","out of gas"', b'"%b","reverted"' % status)
    [row] = [row for row in rows(content, ON_ETHEREUM) if row.line == 5]
    assert row.status == "failed"
    assert [movement.amount for movement in row.movements] == [0, Decimal("-0.00512")]


def test_what_an_address_had_at_first_came_from_nobody() -> None:
    header, line, *_ = TRANSACTIONS.decode().splitlines()
    sender = line.split('","')[5 if '"From"' in header.split(",")[5] else 4]
    content = "\n".join([header, line.replace(sender, "GENESIS", 1)]).encode()
    assert moved(rows(content, ON_ETHEREUM)[0])[0] == ("2.5", "transfer", "native")


def test_transaction_that_stands_in_its_file_twice_counts_once() -> None:
    """As in two downloads that were put together; a hash has one row in this file."""
    head, *lines = TRANSACTIONS.splitlines(keepends=True)
    twice = head + b"".join(lines) + b"".join(lines)
    assert len(rows(TRANSACTIONS, ON_ETHEREUM)) == len(lines)
    refused = reasons(twice, ON_ETHEREUM)
    assert len(refused) == len(lines)
    assert "an earlier line told of this transaction already" in refused[0]


def test_two_columns_that_mean_the_same_are_refused() -> None:
    head, *lines = TRANSACTIONS.splitlines(keepends=True)
    content = head.replace(b'"Transaction Hash"', b'"Transaction Hash","Txhash"', 1)
    assert content != head
    with pytest.raises(FileError, match="mean the same"):
        rows(content + b"".join(b'"x",' + line for line in lines), ON_ETHEREUM)
