"""`manage.py import_transactions`: what it prints, asks and answers, and what it leaves behind."""

import sys
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from factories import make_wallet
from files import DATA

from transactions.exports import json_lines
from transactions.imports.importer import new_batch
from transactions.models import ImportBatch, ImportLine, Transaction

ALICE = "0xa11ce0000000000000000000000000000000a11c"
HEADER = "Date,Sent Amount,Sent Currency,Received Amount,Received Currency\n"
GOOD = HEADER + "2024-05-01 12:00 UTC,,,1.5,BTC\n2024-05-02 12:00 UTC,0.5,BTC,,\n"
HALF_BAD = GOOD + '2024-05-03 12:00 UTC,"1,5",BTC,,\n'

pytestmark = pytest.mark.django_db


def run(*arguments: Any, **options: Any) -> tuple[str, str]:
    """What the command prints to its output and to its errors."""
    out, err = StringIO(), StringIO()
    call_command("import_transactions", *map(str, arguments), stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def fail(*arguments: Any) -> tuple[str, str]:
    """Its errors, and what it says at the end, when it exits with 1."""
    err = StringIO()
    with pytest.raises(CommandError) as raised:
        call_command("import_transactions", *map(str, arguments), stdout=StringIO(), stderr=err)
    assert raised.value.returncode == 1
    return err.getvalue(), str(raised.value)


@pytest.fixture
def statement(tmp_path: Path) -> Path:
    path = tmp_path / "statement.csv"
    path.write_text(GOOD)
    return path


def test_the_counts_are_printed(statement: Path) -> None:
    out, err = run(statement, "--wallet", "Kraken")
    assert out == f"{statement}: 2 new, 0 known, 0 changed, 0 rejected\n"
    assert err == ""
    batch = ImportBatch.objects.get()
    assert (batch.status, batch.file_name, batch.format) == (
        "imported",
        "statement.csv",
        "generic",
    )
    assert batch.options == {
        "wallet": "Kraken",
        "network": "",
        "timezone": "",
        "date_order": "",
    }
    assert batch.size == len(GOOD)
    assert batch.finished_at


def test_a_terminal_shows_the_steps(statement: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    run(statement, "--wallet", "Kraken")
    shown = screen.getvalue()
    assert "0 lines read, reading, 0%" in shown
    assert "2 lines read, step 4 of 7: writing transactions" in shown
    assert shown.endswith("\r\x1b[K")


def test_the_second_time_everything_is_known(statement: Path) -> None:
    run(statement, "--wallet", "Kraken")
    out, _ = run(statement, "--wallet", "Kraken")
    assert out == f"{statement}: 0 new, 2 known, 0 changed, 0 rejected\n"
    assert len(set(ImportBatch.objects.values_list("sha256", flat=True))) == 1
    assert Transaction.objects.count() == 2


def test_rejected_lines_are_told_with_number_and_reason(statement: Path) -> None:
    statement.write_text(HALF_BAD)
    out, _ = run(statement, "--wallet", "Kraken")
    assert out.splitlines() == [
        "Line 4: Sent Amount '1,5' is not a number. Use a point.",
        f"{statement}: 2 new, 0 known, 0 changed, 1 rejected",
    ]


def test_a_dry_run_says_the_same_and_saves_nothing(statement: Path) -> None:
    statement.write_text(HALF_BAD)
    out, _ = run(statement, "--wallet", "Kraken", "--dry-run")
    assert out.splitlines() == [
        "Line 2: 2024-05-01 12:00:00 UTC, receive; +1.5 BTC",
        "Line 3: 2024-05-02 12:00:00 UTC, send; −0.5 BTC",
        "Line 4: Sent Amount '1,5' is not a number. Use a point.",
        "Kraken: 0 BTC → 1 BTC",
        f"{statement}: 2 new, 0 known, 0 changed, 1 rejected (dry run)",
    ]
    assert not ImportBatch.objects.exists()
    assert not Transaction.objects.exists()


def test_a_dry_run_tells_of_the_first_new_lines(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    days = (f"2024-05-01 12:{n:02} UTC,,,1,BTC\n" for n in range(55))
    path.write_text(HEADER + "".join(days) + "yesterday,,,1,BTC\n")
    out, _ = run(path, "--wallet", "Kraken", "--dry-run")
    lines = out.splitlines()
    assert lines[49] == "Line 51: 2024-05-01 12:49:00 UTC, receive; +1 BTC"
    assert lines[50].startswith("Line 57: Date 'yesterday' is not a time.")
    assert lines[51] == "and 5 more new lines"


def test_what_was_found_in_the_file_is_told() -> None:
    out, _ = run(DATA / "etherscan-transactions.csv", "--network", "ethereum", "--wallet", ALICE)
    assert "new, 0 known" in out
    assert Transaction.objects.filter(network="ethereum").exists()


def test_a_wallet_can_be_named_instead_of_its_address() -> None:
    make_wallet(name="Main", address=ALICE)
    run(DATA / "etherscan-transactions.csv", "--network", "ethereum", "--wallet", "main")
    assert ImportBatch.objects.get().options["wallet"] == ALICE


def test_files_come_one_by_one_and_a_bad_one_stops_no_other(
    statement: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_bytes(HEADER.encode() + b"2024-05-01 12:00 UTC,,,1,BTC\0\n")
    missing = tmp_path / "missing.csv"
    err, said = fail(broken, missing, tmp_path, statement, "--wallet", "Kraken")
    assert f"{broken}: Line 2 contains a NUL character." in err
    assert f"{missing}: No such file or directory." in err
    assert f"{tmp_path}: Is a directory." in err
    assert said == f"Nothing was imported from {broken}, {missing}, {tmp_path}."
    assert Transaction.objects.count() == 2
    assert sorted(ImportBatch.objects.values_list("file_name", "status")) == [
        ("broken.csv", "failed"),
        ("statement.csv", "imported"),
    ]


def test_a_file_of_which_no_line_can_be_read_fails(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(HEADER + "yesterday,,,1,BTC\n")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("import_transactions", str(path), "--wallet", "Kraken", stdout=out)
    assert out.getvalue().startswith("Line 2: Date 'yesterday' is not a time.")
    assert ImportLine.objects.get().outcome == "rejected"


def test_without_a_terminal_an_open_question_names_its_option(
    statement: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO())
    err, _ = fail(statement)
    assert "Which wallet is the file of?" in err
    assert "Say it with --wallet." in err
    err, _ = fail(DATA / "etherscan-transactions.csv", "--wallet", ALICE)
    assert "Say it with --network: ethereum, " in err
    assert not ImportBatch.objects.exists()


class Terminal(StringIO):
    """Somebody who types these lines."""

    def isatty(self) -> bool:
        return True


def test_in_a_terminal_it_asks_until_the_answer_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("narnia\n1\n"))
    out, _ = run(DATA / "etherscan-transactions.csv", "--wallet", ALICE)
    assert "new" in out
    asked = capsys.readouterr().out
    assert '  Line 2: "0x2ae2f0decb81' in asked
    assert "  1  ethereum\n" in asked
    assert "  → 2.5 ETH\n" in asked
    batch = ImportBatch.objects.get()
    assert (batch.status, batch.options["network"]) == ("imported", "ethereum")


def test_who_gives_no_answer_gets_the_question_as_an_error(
    statement: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    err, _ = fail(statement)
    assert "Which wallet is the file of?" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--timezone", "Mars/Olympus"], "--timezone Mars/Olympus is not known."),
        (["--network", "narnia"], "--network narnia is not known. Choose one of: ethereum,"),
        (["--batch", "1"], "No import 1 is to be done."),
    ],
)
def test_an_option_that_is_not_known_is_refused(options: list[str], said: str) -> None:
    _, error = fail(*options)
    assert error.startswith(said)


def test_no_file_is_an_error() -> None:
    _, error = fail()
    assert error == "Say which files to import."


def test_an_unknown_format_names_the_known_ones(statement: Path) -> None:
    err, _ = fail(statement, "--format", "narnia")
    assert "generic" in err


def test_a_time_zone_is_that_of_times_without_one(tmp_path: Path) -> None:
    path = tmp_path / "local.csv"
    path.write_text(HEADER + "2024-05-01 12:00,,,1,BTC\n")
    run(path, "--wallet", "Kraken", "--timezone", "Europe/Berlin")
    assert Transaction.objects.get().timestamp.isoformat() == "2024-05-01T10:00:00+00:00"


def upload(content: str, **options: str) -> ImportBatch:
    return new_batch(BytesIO(content.encode()), "upload.csv", options=options)


def test_an_upload_is_imported_and_its_content_kept() -> None:
    batch = upload(GOOD, wallet="Kraken")
    run("--batch", batch.pk)
    batch.refresh_from_db()
    assert (batch.status, batch.new) == ("imported", 2)
    assert bytes(batch.content or b"") == GOOD.encode()


def test_an_upload_that_lacks_something_waits_with_its_questions() -> None:
    batch = upload(GOOD)
    out, _ = run("--batch", batch.pk)
    batch.refresh_from_db()
    assert batch.status == "waiting"
    (question,) = batch.options["questions"]
    assert question["option"] == "wallet"
    assert question["text"] in out
    assert bytes(batch.content or b"") == GOOD.encode()


def test_the_order_of_files_does_not_matter() -> None:
    """Our own files of one address: transactions, internal ones and tokens."""
    names = ["etherscan-transactions.csv", "etherscan-internal.csv", "etherscan-erc20.csv"]
    paths = [DATA / name for name in names]
    exports = []
    for order in (paths, paths[::-1], [paths[1], *paths, paths[0]]):
        Transaction.objects.all().delete()
        run(*order, "--wallet", ALICE, "--network", "ethereum")
        exports.append(list(json_lines(Transaction.objects.all())))
    assert exports[0] == exports[1] == exports[2]
    assert len(exports[0]) > 5
