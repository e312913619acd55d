"""The generic CSV: Koinly's universal columns and ours."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from files import ALICE, BOB, moved, questions, reading, reasons, records, rows, sample

from transactions.imports.formats.generic import COLOURS, TYPES
from transactions.imports.rows import FileError, Options, Rejected, Row
from transactions.models import Colour, TransactionType

EXCHANGE = sample("generic-exchange.csv")
ON_CHAIN = sample("generic-onchain.csv")
KRAKEN = Options(wallet="Kraken")
ON_ETHEREUM = Options(wallet=ALICE, network="ethereum")
COFFEE = "0xc0ffee00000000000000000000000000000c0ffe"
TXID = "0x" + "ab" * 32
TIME = "2024-01-02 10:00:00 UTC"


def one(columns: str, values: str, options: Options = KRAKEN) -> Row:
    """The row of a file of one record."""
    (row,) = rows(f"Date,{columns}\n{TIME},{values}\n".encode(), options)
    return row


def reason(columns: str, values: str, options: Options = KRAKEN) -> str:
    """Why the one record of a file is rejected."""
    (found,) = reasons(f"Date,{columns}\n{TIME},{values}\n".encode(), options)
    return found


# A named account


def test_sent_received_and_fee_become_signed_movements() -> None:
    deposit, trade, _, _, withdrawal, _ = rows(EXCHANGE, KRAKEN)
    assert moved(deposit) == [("1000", "transfer", "EUR")]
    assert moved(trade) == [
        ("-500", "transfer", "EUR"),
        ("0.0125", "transfer", "BTC"),
        ("-1.3", "fee", "EUR"),
    ]
    assert moved(withdrawal) == [("-0.01", "transfer", "BTC"), ("-0.0001", "fee", "BTC")]
    assert withdrawal.movements[0].asset.kind == "code"
    assert withdrawal.movements[0].asset.code == "BTC"


def test_account_rows_are_off_chain_and_keep_the_source_id() -> None:
    deposit, *_ = rows(EXCHANGE, KRAKEN)
    assert (deposit.network, deposit.txid, deposit.external_id) == ("", "", "QCC-1")
    assert deposit.wallet == ""
    assert reading(EXCHANGE, KRAKEN).options.wallet == "Kraken"


def test_label_becomes_the_type_where_it_is_one_and_a_label_otherwise() -> None:
    staking, cashback = rows(EXCHANGE, KRAKEN)[3], rows(EXCHANGE, KRAKEN)[5]
    assert (staking.type, staking.labels) == ("reward", ())
    assert (cashback.type, cashback.labels) == ("", ("cashback",))
    amounts = "Received Amount,Received Currency,Label"
    assert one(amounts, "1,EUR,Loan Interest").type == "interest"
    both = one(f"{amounts},Type", "1,EUR,gift,income")
    assert (both.type, both.labels) == ("income", ("gift",))


@pytest.mark.parametrize(
    "time", ["2024-01-31", "2024/1/31 00:00", "31.01.2024 00:00:00", "1/31/2024 12:00 AM"]
)
def test_date_that_is_one_day_alone_is_read_however_it_is_written(time: str) -> None:
    content = f"Date,Sent Amount,Sent Currency\n{time},9,EUR\n".encode()
    (row,) = rows(content, KRAKEN)
    assert f"{row.timestamp:%Y-%m-%d %H:%M}" == "2024-01-31 00:00"


def test_date_that_can_be_two_days_is_rejected() -> None:
    content = b"Date,Sent Amount,Sent Currency\n5/6/2024 10:00,9,EUR\n"
    assert "Date '5/6/2024 10:00' can be two days" in reasons(content, KRAKEN)[0]


def test_label_may_be_called_tag() -> None:
    found = one(
        "Sent Amount,Sent Currency,Received Amount,Received Currency,Tag", "9,EUR,1,BTC,Buy"
    )
    assert (found.type, found.labels) == ("trade", ())
    assert one("Received Amount,Received Currency,Tag", "1,BTC,Bonus").labels == ("Bonus",)


def test_description_and_note_become_the_note() -> None:
    assert rows(EXCHANGE, KRAKEN)[4].note == "To my cold wallet,\nas agreed with Bob"
    columns = "Received Amount,Received Currency,Description,Note"
    assert one(columns, "1,EUR,salary,March").note == "salary\nMarch"
    assert one(columns, "1,EUR,salary,salary").note == "salary"


def test_labels_are_separated_by_bars_and_counted_once() -> None:
    row = one("Received Amount,Received Currency,Labels,Label", "1,EUR,a | B/c |  | A,bonus")
    assert row.labels == ("a", "B/c", "bonus")


def test_fee_alone_is_a_row() -> None:
    row = one("Fee Amount,Fee Currency", "0.5,EUR")
    assert moved(row) == [("-0.5", "fee", "EUR")]


def test_zero_side_of_a_trade_is_left_out() -> None:
    columns = "Sent Amount,Sent Currency,Received Amount,Received Currency,Fee Amount,Fee Currency"
    row = one(columns, "0,EUR,1,BTC,0,EUR")
    assert moved(row) == [("1", "transfer", "BTC")]


# Identity of rows without an id


def test_equal_rows_of_one_file_are_numbered() -> None:
    ids = [row.external_id for row in rows(EXCHANGE, KRAKEN) if row.external_id.startswith("row:")]
    (first, second) = ids
    assert (first[-2:], second[-2:]) == ("#1", "#2")
    assert first[:-2] == second[:-2]
    assert len(first) == len("row:") + 64 + len("#1")


def test_overlapping_files_give_equal_rows_equal_ids() -> None:
    lines = EXCHANGE.splitlines(keepends=True)
    part = lines[0] + b"".join(lines[3:])
    whole = {row.external_id for row in rows(EXCHANGE, KRAKEN)}
    assert {row.external_id for row in rows(part, KRAKEN)} == whole - {"QCC-1"} - {
        rows(EXCHANGE, KRAKEN)[2].external_id
    }


COLUMNS = "Received Amount,Received Currency,Description,Label,Status,Net Worth Amount"


@pytest.mark.parametrize(
    "values",
    [
        "1,EUR,salary,,,",
        "1.000,eur,corrected text,income,pending,7",
        "1e0,EUR,,,failed,",
    ],
)
def test_id_ignores_texts_prices_and_how_a_number_is_written(values: str) -> None:
    assert one(COLUMNS, values).external_id == one(COLUMNS, "1,EUR,,,,").external_id


@pytest.mark.parametrize("values", ["1.1,EUR,,,,", "1,USD,,,,"])
def test_id_tells_amounts_and_currencies_apart(values: str) -> None:
    assert one(COLUMNS, values).external_id != one(COLUMNS, "1,EUR,,,,").external_id


def test_id_tells_sides_and_times_apart() -> None:
    ids = {
        one("Received Amount,Received Currency", "1,EUR").external_id,
        one("Sent Amount,Sent Currency", "1,EUR").external_id,
        one("Fee Amount,Fee Currency", "1,EUR").external_id,
        rows(b"Date,Sent Amount,Sent Currency\n2024-01-02 10:00:01,1,EUR\n", KRAKEN)[0].external_id,
    }
    assert len(ids) == 4


def test_id_stays_when_a_wallet_is_renamed_and_numbers_each_wallet_alone() -> None:
    columns, values = "Wallet,Received Amount,Received Currency", "Kraken,1,EUR"
    content = f"Date,{columns}\n{TIME},{values}\n{TIME},Bitstamp,1,EUR\n{TIME},kraken,1,EUR\n"
    first, other, second = rows(content.encode(), Options())
    assert first.external_id == other.external_id == one(columns, values).external_id
    assert second.external_id == first.external_id.replace("#1", "#2")


def test_rejected_row_is_not_numbered() -> None:
    columns = "Received Amount,Received Currency,Note"
    content = f"Date,{columns}\n{TIME},1,EUR,{'x' * 10_001}\n{TIME},1,EUR,fine\n"
    rejected, row = records(content.encode(), KRAKEN)
    assert isinstance(rejected, Rejected)
    assert isinstance(row, Row)
    assert row.external_id.endswith("#1")


# On a network


def test_row_with_a_network_and_an_address_is_on_chain() -> None:
    sent, received, _, bitcoin, _ = rows(ON_CHAIN, Options())
    assert (sent.network, sent.wallet, sent.external_id) == ("ethereum", ALICE, "")
    assert sent.txid.startswith("0x")
    assert moved(sent) == [("-1.5", "transfer", "native"), ("-0.0004", "fee", "native")]
    assert [m.counterparty for m in sent.movements] == [BOB, ""]
    assert (sent.type, sent.method, sent.contact) == ("gift", "Transfer", "Bob")
    assert (sent.labels, sent.note) == (("family", "2024"), "Happy birthday")
    assert received.movements[0].asset.code == COFFEE
    assert received.timestamp == datetime(2024, 3, 2, 9, tzinfo=UTC)
    assert bitcoin.txid == bitcoin.txid.lower()
    assert bitcoin.wallet == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def test_failed_row_moves_nothing_but_its_fee() -> None:
    failed = rows(ON_CHAIN, Options())[2]
    assert failed.status == "failed"
    assert moved(failed) == [("0", "transfer", "native"), ("-0.0009", "fee", "native")]


def test_failed_trade_is_one_zero_movement() -> None:
    columns = "Sent Amount,Sent Currency,Received Amount,Received Currency,Received Contract"
    row = one(f"{columns},TxHash,Status", f"1,ETH,2,COFFEE,{COFFEE},{TXID},failed", ON_ETHEREUM)
    assert moved(row) == [("0", "transfer", "native")]


def test_one_file_can_hold_accounts_and_networks() -> None:
    account = rows(ON_CHAIN, Options())[4]
    assert (account.network, account.wallet, account.external_id) == ("", "Kraken", "WD-1")
    assert account.type == "withdrawal"


def test_option_network_is_for_the_addresses_in_the_file() -> None:
    content = f"""Date,Wallet,TxHash,Sent Amount,Sent Currency
{TIME},{ALICE},{TXID},1,ETH
{TIME},Kraken,W-1,1,ETH
"""
    chain, account = rows(content.encode(), Options(network="ethereum"))
    assert (chain.network, account.network) == ("ethereum", "")


def test_former_name_of_a_coin_is_the_coin() -> None:
    row = one(
        "TxHash,Sent Amount,Sent Currency",
        f"{TXID},1,matic",
        Options(wallet=ALICE, network="polygon"),
    )
    assert row.movements[0].asset.kind == "native"


def test_token_with_the_coins_symbol_is_still_a_token() -> None:
    columns = "TxHash,Received Amount,Received Currency,Received Contract"
    row = one(columns, f"{TXID},1,ETH,{COFFEE}", ON_ETHEREUM)
    assert (row.movements[0].asset.kind, row.movements[0].asset.code) == ("token", COFFEE)


def test_zero_on_chain_says_which_wallet_saw_it() -> None:
    row = one("TxHash,Sent Amount,Sent Currency", f"{TXID},0,ETH", ON_ETHEREUM)
    assert moved(row) == [("0", "transfer", "native")]


# Times


def test_time_without_a_zone_is_utc_or_of_the_zone_that_was_chosen() -> None:
    content = b"Date,Sent Amount,Sent Currency\n2024-07-01 12:00,1,EUR\n"
    berlin = Options(wallet="Kraken", timezone=ZoneInfo("Europe/Berlin"))
    assert rows(content, KRAKEN)[0].timestamp == datetime(2024, 7, 1, 12, tzinfo=UTC)
    assert rows(content, berlin)[0].timestamp == datetime(2024, 7, 1, 10, tzinfo=UTC)


# What the file lacks


def test_wallet_is_asked_for_where_a_row_lacks_it() -> None:
    (question,) = questions(EXCHANGE, Options())
    assert (question.option, question.choices) == ("wallet", ())
    assert questions(ON_CHAIN, Options()) == []
    assert len(questions(ON_CHAIN.replace(b"Kraken", b""), Options())) == 1
    with pytest.raises(FileError, match="Which wallet is the file of"):
        reading(EXCHANGE, Options())


def test_network_is_asked_for_where_the_wallet_is_an_address() -> None:
    (question,) = questions(EXCHANGE, Options(wallet=ALICE))
    assert question.option == "network"
    assert question.choices[:2] == ("ethereum", "polygon")
    assert "bitcoin" not in question.choices
    assert questions(ON_CHAIN, Options(wallet=ALICE)) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(wallet="Kraken", network="ethereum"), "needs the wallet's address"),
        (Options(wallet=ALICE, network="bitcoin"), "needs the wallet's address"),
        (Options(wallet=ALICE, network="nonsense"), "'nonsense' is not a network"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: Options, message: str) -> None:
    with pytest.raises(FileError, match=message):
        questions(EXCHANGE, options)


def test_unknown_column_is_refused_with_the_likely_name() -> None:
    content = b"Date,Sent Amount,Sent Currency,Recieved Amount\n2024-01-02 10:00,1,EUR,2\n"
    with pytest.raises(FileError, match=r"'Recieved Amount' is not known. Did you mean 'Received"):
        questions(content, KRAKEN)


def test_nothing_of_no_currency_is_left_out() -> None:
    content = (
        b"Date,Sent Amount,Sent Currency,Received Amount,Received Currency,"
        b"Fee Amount,Fee Currency\n"
        b"2024-01-02 10:00,0,,2,BTC,0.00,\n"
    )
    (row,) = rows(content, KRAKEN)
    assert moved(row) == [("2", "transfer", "BTC")]


# Rows that are rejected

SENT = "Sent Amount,Sent Currency"


@pytest.mark.parametrize(
    ("columns", "values", "message"),
    [
        (SENT, "-1,EUR", "Sent Amount '-1' is negative. Write amounts without a sign"),
        (SENT, '"1,5",EUR', "Sent Amount '1,5' is not a number. Use a point."),
        (SENT, "1e999999,EUR", "Sent Amount '1e999999' has 1,000,000 digits before the point"),
        (SENT, "1,", "Sent Amount is '1', but Sent Currency is empty."),
        (SENT, ",EUR", "Sent Currency is 'EUR', but Sent Amount is empty."),
        (SENT, "0,EUR", "nothing moved"),
        (SENT, "N/A,", "nothing moved"),
        (f"{SENT},Status", "1,EUR,maybe", "Status 'maybe' is not known. Write ok, failed or"),
        (f"{SENT},Type", "1,EUR,buy", "Type 'buy' is not known. Write one of: send, receive"),
        (f"{SENT},Labels", f"1,EUR,{'x' * 101}", "A label has 101 characters; at most 100 fit"),
        (f"{SENT},Contact", f"1,EUR,{'x' * 201}", "Contact has 201 characters"),
        (f"{SENT},Counterparty", f"1,EUR,{BOB}", "Counterparty is an address on a network"),
        (f"{SENT},Sent Contract", f"1,EUR,{COFFEE}", "Sent Contract needs a Network."),
        (f"{SENT},Network", "1,ETH,ethereum", "TxHash is empty. A row with a Network needs its"),
        (f"{SENT},Network", "1,ETH,mars", "Network 'mars' is not known. Write one of: ethereum"),
        (f"{SENT},Wallet", f"1,ETH,{ALICE}", "is an address, and Network does not say"),
    ],
)
def test_account_row_is_rejected_with_its_reason(columns: str, values: str, message: str) -> None:
    found = reason(columns, values)
    assert found.startswith("Line 2: ")
    assert message in found


@pytest.mark.parametrize(
    ("columns", "values", "message"),
    [
        (SENT, "1,ETH", "TxHash is empty. A row with a Network needs its transaction's hash."),
        (f"{SENT},TxHash", f"1,ETH,{TXID}ab", "TxHash '0xabab"),
        (f"{SENT},TxHash", f"1,USDC,{TXID}", "a token is known only by its contract"),
        (f"{SENT},TxHash,Counterparty", f"1,ETH,{TXID},0xb0b", "Counterparty '0xb0b': "),
        (f"{SENT},TxHash,Sent Contract", f"1,USDC,{TXID},0xb0b", "Sent Contract '0xb0b': "),
        (f"{SENT},TxHash,Network", f"1,BTC,{TXID},bitcoin", f"Wallet '{ALICE}': "),
    ],
)
def test_chain_row_is_rejected_with_its_reason(columns: str, values: str, message: str) -> None:
    assert message in reason(columns, values, ON_ETHEREUM)


def test_types_are_the_ledgers() -> None:
    assert list(TYPES) == TransactionType.values
    assert list(COLOURS) == Colour.values
