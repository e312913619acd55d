"""What a file does not say is asked with one of its lines, and how that reads with each answer."""

from datetime import UTC
from io import BytesIO

import pytest
from files import ALICE, BOB, sample

from transactions.imports.examples import with_examples
from transactions.imports.formats import open_table
from transactions.imports.rows import Options, Question

OLD_TREZOR = "Date & Time;Type;Transaction ID;Addresses;Fee;Total\n"


def asked(content: str | bytes, options: Options, name: str = "export.csv") -> dict[str, Question]:
    content = content.encode() if isinstance(content, str) else content
    known, table = open_table(BytesIO(content), name)
    questions = with_examples(known, table, options, known.questions(table, options))
    return {question.option: question for question in questions}


def old_trezor(*days: str) -> str:
    lines = (f"{day} 14:00:00;RECV;{n:064x};bc1;0;0.5 BTC\n" for n, day in enumerate(days, 1))
    return OLD_TREZOR + "".join(lines)


def test_a_date_is_shown_as_it_would_be_with_the_day_or_the_month_first() -> None:
    days = old_trezor("04/04/2018", "03/04/2018")
    found = asked(days, Options(wallet="Trezor", timezone=UTC))["date_order"]
    # The first line reads the same with both.
    assert found.line.startswith("Line 3: 03/04/2018 14:00:00;RECV;")
    assert found.examples == (("dmy", "3 April 2018"), ("mdy", "4 March 2018"))


def test_a_time_is_shown_as_it_would_be_with_some_zones() -> None:
    found = asked(sample("electrum.csv"), Options(wallet="Electrum"))["timezone"]
    assert "2024-03-01 10:14" in found.line
    assert found.examples == (
        ("UTC", "1 March 2024, 10:14 UTC"),
        ("Europe/Berlin", "1 March 2024, 09:14 UTC"),
        ("America/New_York", "1 March 2024, 15:14 UTC"),
    )


def test_the_day_is_left_out_of_a_time_where_it_is_asked_as_well() -> None:
    found = asked(old_trezor("03/04/2018"), Options(wallet="Trezor"))
    assert dict(found["timezone"].examples)["Europe/Berlin"] == "12:00"
    assert dict(found["date_order"].examples)["dmy"] == "3 April 2018"


def test_an_amount_is_shown_in_the_coin_of_each_network() -> None:
    found = asked(sample("blockscout.csv"), Options(wallet=ALICE))["network"]
    assert dict(found.examples)["polygon"] == "1.5 POL, fee 0.000042 POL"
    assert [answer for answer, _ in found.examples] == [*found.choices]


def test_what_no_answer_changes_is_shown_once() -> None:
    found = asked(sample("etherscan-erc20.csv"), Options(wallet=ALICE))["network"]
    assert found.examples == (("", "1612.34 COFFEE"),)


def test_an_amount_is_shown_as_it_would_be_for_each_address() -> None:
    found = asked(sample("blockscout-tokens.csv"), Options(network="ethereum"))["wallet"]
    assert found.examples == ((ALICE, "+1.234567 CUP"), (BOB, "−1.234567 CUP"))
    found = asked(sample("blockscout.csv"), Options())["wallet"]
    assert dict(found.examples)[BOB] == "+1.5 of the network's coin"


def test_addresses_of_a_line_are_examples_where_none_is_in_every_line() -> None:
    first = sample("blockscout-tokens.csv").decode()
    other = first.splitlines()[1].replace(ALICE, "0x" + "ca" * 20).replace(BOB, "0x" + "da" * 20)
    content = f"{first.rstrip()}\n{other.replace('0x1111', '0x2222')}\n"
    found = asked(content, Options(network="ethereum"))["wallet"]
    assert not found.choices
    assert dict(found.examples)[ALICE] == "+1.234567 CUP"


def test_any_name_reads_the_same() -> None:
    found = asked(sample("btcpay.csv"), Options())["wallet"]
    assert found.line.startswith("Line 2: 1111")
    assert found.examples == (("", "+0.25 BTC"),)


@pytest.mark.parametrize("line", ["x;RECV;1;bc1;0;0.5 BTC", "x;RECV;1;bc1;0;0.5 BTC\n\0"])
def test_a_file_of_which_no_line_can_be_read_is_asked_about_without(line: str) -> None:
    known, table = open_table(BytesIO(f"{OLD_TREZOR}{line}\n".encode()), "export.csv")
    question = Question("wallet", "Which?")
    assert with_examples(known, table, Options(), [question]) == [question]


def test_a_line_is_shown_short_and_without_what_a_terminal_obeys() -> None:
    note = "\x1b[2J" + "x" * 1000
    text = f"Date,Received Amount,Received Currency,Note\n2024-05-01 12:00 UTC,1,BTC,{note}\n"
    found = asked(text, Options())["wallet"]
    assert found.line.isprintable()
    assert len(found.line) < 320
