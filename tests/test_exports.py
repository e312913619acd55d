"""Downloads of the filtered list: whole, exact, safe in a spreadsheet, and the way back."""

import csv
import json
import re
import unicodedata
from html import unescape
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from factories import make_label, make_transaction, make_user
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook  # type: ignore[import-untyped]
from test_importer import ETH, OURS, OURS_TOO, fee, files, load, moved, row

from contacts.models import Address, Contact
from transactions.export_formats import joined
from transactions.exports import FORMATS, csv_file, json_lines
from transactions.imports.formats import generic
from transactions.imports.importer import import_batch, new_batch
from transactions.imports.rows import FileError
from transactions.imports.undo import undo
from transactions.models import Asset, Colour, ImportBatch, Label, Transaction, Wallet
from txsite.spreadsheets import protected, unprotected

pytestmark = pytest.mark.django_db
LIMITED = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(make_user("Viewers"))
    return client


def exported() -> str:
    return "".join(csv_file(Transaction.objects.all()))


def ledger() -> list[str]:
    return list(json_lines(Transaction.objects.all()))


def bring_in(content: str) -> ImportBatch:
    file = BytesIO(content.encode())
    batch = new_batch(file, "transactions.csv", options={})
    import_batch(batch, file)
    return batch


def empty_the_ledger() -> None:
    models: list[Any] = [ImportBatch, Transaction, Label, Wallet, Asset, Address, Contact]
    for model in models:
        model.objects.all().delete()


# The way back


def names() -> dict[str, Any]:
    """What people and files call what the ledger's transactions refer to."""
    return {
        "wallets": set(
            Wallet.objects.filter(entries__isnull=False).values_list("address__value", "name")
        ),
        "assets": set(
            Asset.objects.filter(entries__isnull=False).values_list(
                "kind", "network", "code", "token_id", "name"
            )
        ),
        "labels": set(
            Label.objects.filter(transactions__isnull=False).values_list(
                "name", "colour", "description"
            )
        ),
    }


PHRASES = st.text(st.sampled_from("=-'|\\ ab\"\n"), max_size=8) | st.text(max_size=8)
ONE_LINE = st.text(st.sampled_from("=-'|\\ ab\""), min_size=1, max_size=6).map(
    lambda text: f"a{text}b"
)


@LIMITED
@given(
    files=files,
    words=st.lists(ONE_LINE, unique_by=str.lower, min_size=9, max_size=9),
    looks=st.lists(st.tuples(st.sampled_from(Colour.values), PHRASES), max_size=4),
)
def test_what_was_exported_can_be_imported_without_loss(
    files: Any, words: list[str], looks: list[tuple[str, str]]
) -> None:
    with transaction.atomic():
        for file in files:
            load(*(one for _, one in file), wallet=file[0][0])
        for wallet, word in zip(Wallet.objects.filter(kind="address"), words, strict=False):
            Wallet.objects.filter(pk=wallet.pk).update(name=word)
        for asset, word in zip(Asset.objects.all(), words[4:], strict=False):
            Asset.objects.filter(pk=asset.pk).update(name=word)
        for at, (colour, text) in enumerate(looks):
            # As a form takes it.
            description = unicodedata.normalize("NFC", text.replace("\0", "").strip())
            label = make_label(words[at], colour=colour, description=description)
            for one in Transaction.objects.order_by("pk")[: at + 1]:
                one.labels.add(label)
        before, called, content = ledger(), names(), exported()
        empty_the_ledger()
        batch = bring_in(content)
        assert (batch.rejected, batch.conflict) == (0, 0), [one.detail for one in batch.lines.all()]
        assert ledger() == before
        assert names() == called
        assert bring_in(content).new == 0
        transaction.set_rollback(True)


TEXTS = st.text(st.sampled_from("=+-@'|\\ ab\t,;\"\n"), min_size=1, max_size=12) | st.text(
    min_size=1, max_size=12
)


@LIMITED
@given(text=TEXTS)
def test_protected_text_is_what_it_was(text: str) -> None:
    assert unprotected(protected(text)) == text
    assert protected(text)[:1] not in ("=", "+", "-", "@", "\t", "\r")


@LIMITED
@given(names=st.lists(st.text(st.sampled_from("a |\\b"), min_size=1, max_size=6), max_size=4))
def test_joined_labels_come_apart_again(names: list[str]) -> None:
    stripped = list(dict.fromkeys(filter(None, (name.strip() for name in names))))
    parts = f" {joined(stripped)} ".split(" | ") if stripped else []
    assert [generic._unmasked(part.strip()) for part in parts] == stripped


def test_every_kind_of_asset_and_wallet_comes_back() -> None:
    from test_formats import SAMPLES
    from test_formats import load as load_sample

    for name in SAMPLES:
        load_sample(name)
    before, called, content = ledger(), names(), exported()
    empty_the_ledger()
    batch = bring_in(content)
    assert [line.detail for line in batch.lines.filter(outcome="rejected")] == []
    assert ledger() == before
    assert names() == called


def named_and_exported() -> str:
    load(row(moved(-5), fee()))
    Wallet.objects.update(name="Savings")
    content = exported()
    empty_the_ledger()
    return content


def test_name_of_a_wallet_is_taken_where_it_has_none_and_goes_with_the_import() -> None:
    content = named_and_exported()
    bring_in(
        "Date,Sent Amount,Sent Currency,Wallet,Network,TxHash\n"
        f"2024-05-01 12:00,5,ETH,{OURS},ethereum,0x{'2' * 64}\n"
    )
    batch = bring_in(content)
    assert Wallet.objects.get().name == "Savings"
    [line] = batch.lines.all()
    assert "calls the wallet “Savings”" in line.detail
    for _ in range(2):
        undo(batch)
        assert Wallet.objects.get().name == ""
        batch = bring_in(content)
        assert Wallet.objects.get().name == "Savings"


def test_names_of_wallets_that_people_gave_stay() -> None:
    content = named_and_exported()
    load(row(moved(-5)))
    Wallet.objects.update(name="Mine")
    [line] = bring_in(content).lines.all()
    told = "the wallet is not called “Savings”, since its name is “Mine”"
    assert (line.outcome, told in line.detail) == ("adds", True)
    assert Wallet.objects.get().name == "Mine"
    assert bring_in(content).conflict == 0


def test_name_that_another_wallet_has_is_not_taken() -> None:
    content = named_and_exported()
    Wallet.objects.create(kind="hd", name="savings")
    [line] = bring_in(content).lines.all()
    assert "the wallet is not called “Savings”, since another has that name" in line.detail
    assert set(Wallet.objects.values_list("name", flat=True)) == {"savings", ""}


def test_label_of_the_ledger_keeps_its_colour_and_description() -> None:
    make_transaction(labels=["Rent"])
    Label.objects.update(colour="red", description="for the flat")
    content = exported()
    empty_the_ledger()
    make_label("rent", colour="blue")
    bring_in(content)
    assert list(Label.objects.values_list("name", "colour", "description")) == [
        ("rent", "blue", "")
    ]


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("Label Colours", "mauve", "Label Colours 'mauve' is none. Write one of: grey, red"),
        ("Label Colours", "red | red", "Label Colours has 2 parts, and Labels 1."),
        ("Label Descriptions", "x" * 1_001, "more than 1,000 characters. Shorten it."),
        ("Wallet Name", "Mine", "'Kraken' is a name. Leave it empty."),
    ],
)
def test_cell_of_ours_that_cannot_be_is_rejected(column: str, cell: str, told: str) -> None:
    batch = bring_in(
        f"Date,Sent Amount,Sent Currency,Wallet,Labels,{column}\n"
        f"2024-05-01 12:00,5,EUR,Kraken,Rent,{cell}\n"
        "2024-05-01 13:00,5,EUR,Kraken,Rent,\n"
    )
    [line] = batch.lines.filter(outcome="rejected")
    assert told in line.detail


@pytest.mark.parametrize("type_", ["", "gift", "donation"])
def test_type_that_the_movements_tell_still_follows_from_them_once_it_came_back(type_: str) -> None:
    mine = row(moved(-5, ETH, OURS_TOO), fee(), type=type_)
    theirs = row(moved(5, ETH, OURS), wallet=OURS_TOO)
    load(mine)
    content = exported()
    assert f",{type_ or 'send'}," in content
    load(theirs)
    before = ledger()
    assert json.loads(before[0])["type"] == (type_ or "self")
    for order in (0, 1):
        empty_the_ledger()
        if order:
            load(theirs)
        bring_in(content)
        if not order:
            load(theirs)
        assert ledger() == before


def test_zero_beside_what_a_failure_undid_comes_back() -> None:
    load(
        row(moved(0, ETH, ""), moved(0), status="failed"),
        row(moved(1, ETH, ""), moved(1, ETH, ""), status="pending"),
    )
    before, content = ledger(), exported()
    assert len(json.loads(before[0])["entries"]) == 2
    empty_the_ledger()
    bring_in(content)
    assert ledger() == before


def test_contract_for_a_code_is_called_the_same_once_it_came_back() -> None:
    bring_in(
        "Date,Sent Amount,Sent Currency,Wallet\n2024-05-01 12:00,5,0x" + "b" * 40 + ",Kraken\n"
    )
    before, content = ledger(), exported()
    assert "0XBBBB…BBBB" in json.loads(before[0])["entries"][0]["asset"]
    for _ in range(2):
        empty_the_ledger()
        bring_in(content)
        assert ledger() == before


def test_only_fee_comes_back_as_the_call_that_its_movement_beside_makes_a_spend() -> None:
    load(row(fee()))
    content = exported()
    empty_the_ledger()
    bring_in(content)
    assert Transaction.objects.get().type == "call"
    load(row(moved(-5), fee()))
    assert Transaction.objects.get().type == "send"


# Whole


def test_file_that_was_cut_short_is_refused() -> None:
    for number in range(3):
        make_transaction(note=f"n{number}")
    content = exported()
    lines = content.splitlines(keepends=True)
    assert len(lines) == 4
    for cut in ("".join(lines[:-1]), content[: len(content) - 20]):
        with pytest.raises(FileError, match=r"cut short|a quote opens"):
            bring_in(cut)
        assert not ImportBatch.objects.filter(status="imported").exists()


@pytest.mark.parametrize("name", ["json", "bip329"])
def test_lines_that_were_cut_short_are_no_json(viewer: Client, name: str) -> None:
    for number in range(300):
        make_transaction(note=f"{number} {'x' * (number + 300)}", network="bitcoin")
    answer = viewer.get(f"/transactions/export/?format={name}")
    parts = [part.decode() for part in answer.streaming_content]  # type: ignore[attr-defined]
    assert len(parts) > 1
    for end in range(1, len(parts)):
        *whole, last = "".join(parts[:end]).splitlines()
        assert all(json.loads(line) for line in whole)
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            json.loads(last)
    lines = "".join(parts).splitlines()
    assert len([json.loads(line) for line in lines]) == 300


def test_text_that_no_cell_holds_says_so_in_the_workbook() -> None:
    make_transaction(labels=[f"{n} {'x' * 90}" for n in range(400)])
    make_transaction(labels=["Rent"])
    content = b"".join(FORMATS["xlsx"].make(Transaction.objects.all()))
    labels = {row[-2].value for row in load_workbook(BytesIO(content)).active.iter_rows(min_row=2)}
    [cut] = labels - {"Rent"}
    assert cut.endswith("x … (cut here: a cell holds no more; the CSV has all of it)")
    assert len(cut) == 32_767


def test_workbook_that_was_cut_does_not_open() -> None:
    make_transaction()
    content = b"".join(FORMATS["xlsx"].make(Transaction.objects.all()))
    assert load_workbook(BytesIO(content)).active.max_row == 2
    with pytest.raises(Exception, match="zip"):
        load_workbook(BytesIO(content[:-100]))


def test_workbook_opens_whatever_characters_a_text_has() -> None:
    make_transaction(note="odd \ufffe and \uffff")
    content = b"".join(FORMATS["xlsx"].make(Transaction.objects.all()))
    notes = [row[-1].value for row in load_workbook(BytesIO(content)).active.iter_rows(min_row=2)]
    assert notes == ["odd \N{REPLACEMENT CHARACTER} and \N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize("text", ["'=x", " lead", "trail ", "\t", "  =x", "''-30%", "a\n"])
def test_note_and_label_come_back_with_their_quotes_and_spaces(text: str) -> None:
    labels = [text] if text == text.strip() else []
    make_transaction(note=text, labels=labels)
    content = exported()
    empty_the_ledger()
    bring_in(content)
    made = Transaction.objects.get()
    assert (made.note, [one.name for one in made.labels.all()]) == (text, labels)


# In the browser


@pytest.mark.parametrize("name", FORMATS)
def test_download_is_of_the_filtered_list_with_its_receipt(viewer: Client, name: str) -> None:
    make_transaction(note="in", labels=["Rent"], network="bitcoin", txid="a" * 64)
    make_transaction(note="out", network="bitcoin", txid="b" * 64)
    answer = viewer.get(f"/transactions/export/?format={name}&label=Rent")
    content = answer.getvalue()
    assert answer.status_code == 200
    assert answer["X-Ledger-Revision"]
    assert answer["Content-Disposition"].startswith("attachment;")
    if name == "xlsx":
        text = str([[cell.value for cell in row] for row in load_workbook(BytesIO(content)).active])
    else:
        text = content.decode()
    assert "in" in text
    assert "out" not in text.replace("Account", "")
    assert f"format={name}" in viewer.get("/transactions/?label=Rent").content.decode()


def test_no_cell_is_run_as_a_formula_and_amounts_stay_numbers() -> None:
    evil = '=HYPERLINK("x")'
    made = make_transaction([{"amount": "-1.5"}], note=evil)
    made.labels.add(make_label("+1"))
    for name in ("csv", "csv-full"):
        content = "".join(FORMATS[name].make(Transaction.objects.all()))
        [row] = csv.DictReader(StringIO(content))
        assert f"'{evil}" in row.values()
        assert "'+1" in row.values()
        assert {"-1.5", "1.5"} & set(row.values())
    book = load_workbook(BytesIO(b"".join(FORMATS["xlsx"].make(Transaction.objects.all()))))
    values = {cell.data_type for row in book.active for cell in row}
    assert "f" not in values


def test_amounts_are_exact_in_every_format() -> None:
    amount = "0.000000000000000000000000000001"
    make_transaction([{"amount": amount}])
    for name in ("csv", "csv-full", "json"):
        assert amount in "".join(FORMATS[name].make(Transaction.objects.all()))
    book = load_workbook(BytesIO(b"".join(FORMATS["xlsx"].make(Transaction.objects.all()))))
    assert amount in [cell.value for row in book.active for cell in row]


def test_a_list_that_was_counted_exactly_can_be_downloaded(viewer: Client) -> None:
    make_transaction(labels=["Rent"], network="bitcoin", txid="a" * 64)
    page = viewer.get("/transactions/?label=Rent&count=exact&per_page=20&sort=time").content
    links = re.findall(r'href="(/transactions/export/[^"]+)"', page.decode())
    assert len(links) == len(FORMATS)
    # And where somebody puts the list's own query there.
    for link in [*map(unescape, links), "/transactions/export/?count=exact&label=Rent&format=csv"]:
        assert "label=Rent" in link
        answer = viewer.get(link)
        assert answer.status_code == 200
        assert answer.getvalue()
