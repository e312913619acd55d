"""`/imports/`: uploading, answering, watching, cancelling, and reading what became of each line."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any

import dj_database_url
import django
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connections
from django.db.backends.utils import CursorWrapper
from django.db.models import Q
from django.test import Client
from django.utils import timezone
from factories import make_batch, make_transaction, make_user
from files import ALICE, sample

from transactions import import_forms
from transactions.imports import importer, process, progress
from transactions.imports.files import stored
from transactions.imports.importer import Unanswered, import_batch, new_batch
from transactions.imports.progress import READING, SHARES, Course, Progress, Step
from transactions.imports.rows import FileError
from transactions.models import ImportBatch, ImportLine, Transaction, Wallet

URL = "/imports/"
GOOD = b"Date,Received Amount,Received Currency\n2024-05-01 12:00 UTC,1.5,BTC\n"
HALF_BAD = GOOD + b'2024-05-02 12:00 UTC,"1,5",BTC\n'

with_processes = pytest.mark.django_db(transaction=True)


@pytest.fixture
def editor(db: None) -> Client:
    return client_of("Editors")


@pytest.fixture
def viewer(db: None) -> Client:
    return client_of("Viewers")


def client_of(group: str) -> Client:
    client = Client()
    client.force_login(make_user(group))
    return client


def upload(client: Client, *contents: bytes, **options: str) -> Any:
    files = [SimpleUploadedFile(f"file-{n}.csv", content) for n, content in enumerate(contents)]
    return client.post(URL, {"file": files, **options})


def confirm(client: Client, batch: ImportBatch) -> ImportBatch:
    """What the page offers under what it shows."""
    url = batch.get_absolute_url()
    form = {"shown": ImportBatch.objects.get(pk=batch.pk).shown}
    assert client.post(f"{url}confirm/", form)["Location"] == url
    return ended(batch.pk)


def text(answer: Any) -> str:
    """The page as it is read, without its markup."""
    page = re.sub(r"<(script|style|noscript).*?</\1>", "", answer.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def ended(pk: int) -> ImportBatch:
    """The batch, once no process imports it or takes it back any more."""
    end = monotonic() + 60
    at_work = Q(status="running") | Q(options__has_key="undo")
    while ImportBatch.objects.filter(at_work, pk=pk).exists():
        assert monotonic() < end, "the import did not end within a minute"
        sleep(0.05)
    return ImportBatch.objects.get(pk=pk)


# Uploading


@with_processes
def test_a_new_transaction_that_is_in_conflict_with_itself_is_shown_and_imported() -> None:
    client = client_of("Editors")
    line = "2024-05-01 12:00:00 UTC,1,ETH,0x{},{},ethereum,{}"
    other = "0x00000000000000000000000000000000000000a2"
    lines = [
        "Date,Received Amount,Received Currency,TxHash,Wallet,Network,Status",
        line.format("9" * 64, ALICE, "ok"),
        line.format("9" * 64, other, "failed"),
    ]
    answer = upload(client, "\n".join(lines).encode())
    batch = ended(ImportBatch.objects.get().pk)
    assert (batch.status, batch.error) == ("shown", "")
    assert batch.conflict == 1
    page = client.get(answer["Location"]).content.decode()
    assert page.count("2024-05-01 12:00:00 UTC, ") == 2
    assert confirm(client, batch).status == "imported"
    assert Transaction.objects.get().status == "failed"


@with_processes
def test_an_upload_is_shown_and_once_confirmed_imported() -> None:
    client = client_of("Editors")
    answer = upload(client, HALF_BAD, wallet="Kraken")
    batch = ended(ImportBatch.objects.get().pk)
    assert (answer.status_code, answer["Location"]) == (303, f"/imports/{batch.pk}/")
    assert (batch.status, batch.new, batch.rejected) == ("shown", 1, 1)
    assert not Transaction.objects.exists()
    assert not Wallet.objects.exists()
    shown = text(client.get(answer["Location"]))
    assert "What the file would do Nothing is in the ledger yet." in shown
    assert "Received Amount &#x27;1,5&#x27; is not a number. Use a point." in shown
    assert "Kraken BTC 0 1.5" in shown
    assert "waits to be confirmed" in text(client.get(URL))
    batch = confirm(client, batch)
    assert (batch.status, batch.new, batch.rejected) == ("imported", 1, 1)
    assert batch.made_by
    assert batch.made_by.groups.get().name == "Editors"
    page = client.get(answer["Location"])
    assert "Sent" not in text(page)
    assert "Received Amount &#x27;1,5&#x27; is not a number. Use a point." in text(page)
    assert "2024-05-02 12:00 UTC" in text(page)
    assert Transaction.objects.get().get_absolute_url() in page.content.decode()
    assert "data-poll" not in page.content.decode()


def test_what_is_shown_of_a_new_line_is_all_that_it_would_do(editor: Client) -> None:
    content = (
        b"Date,Received Amount,Received Currency,Label,Labels,Note,Contact\n"
        b"2024-05-01 12:00,1.5,BTC,gift,Rent | Tax,paid late,Bob\n"
    )
    options = {"wallet": "Kraken", "timezone": "Europe/Berlin"}
    batch = new_batch(BytesIO(content), "file.csv", options=options, is_confirmed=False)
    import_batch(batch, BytesIO(content))
    assert (
        "2024-05-01 10:00:00 UTC, gift; +1.5 BTC; label Rent, label Tax; note “paid late”; "
        "contact Bob"
    ) in text(editor.get(batch.get_absolute_url()))


def test_what_has_no_time_yet_is_imported_as_shown(db: None) -> None:
    lines = sample("sparrow.csv").splitlines()
    content = b"\n".join([lines[0], *(line for line in lines if b"Unconfirmed" in line)])
    batch = new_batch(BytesIO(content), "file.csv", options={"wallet": "Mine"}, is_confirmed=False)
    import_batch(batch, BytesIO(content))
    assert batch.lines.get().detail == "time of the import, receive, pending; +0.01 BTC"
    batch.status, batch.is_confirmed = "running", True
    batch.made_at += timedelta(minutes=1)
    batch.save()
    import_batch(batch, BytesIO(content))
    assert batch.status == "imported"


@with_processes
def test_what_a_file_lacks_is_asked_for_and_then_it_is_imported() -> None:
    client = client_of("Editors")
    upload(client, sample("etherscan-transactions.csv"), wallet=ALICE)
    batch = ended(ImportBatch.objects.get().pk)
    assert batch.status == "waiting"
    page = client.get(batch.get_absolute_url())
    assert "Which network is the file of?" in text(page)
    assert "Line 2: &quot;0x2ae2f0decb81" in text(page)
    assert "→ 2.5 ETH" in text(page)
    assert "Arbitrum One" in text(page)
    # Nothing is chosen for the person.
    assert '<option value="" selected>Choose one</option>' in page.content.decode()
    assert "Choose one of these." in text(client.post(batch.get_absolute_url(), {"network": ""}))

    refused = client.post(batch.get_absolute_url(), {"network": "narnia"})
    assert refused.status_code == 422
    assert "Which network is the file of?" in text(refused)
    assert ImportBatch.objects.get().status == "waiting"

    answer = client.post(batch.get_absolute_url(), {"network": "ethereum"})
    assert answer.status_code == 303
    batch = ended(batch.pk)
    assert (batch.status, batch.options["network"]) == ("shown", "ethereum")
    assert "questions" not in batch.options
    assert batch.new


@with_processes
def test_several_files_become_several_imports() -> None:
    client = client_of("Editors")
    answer = upload(client, GOOD, b"not,a,known\nheader,at,all\n", wallet="Kraken")
    assert (answer.status_code, answer["Location"]) == (303, URL)
    batches = [ended(batch.pk) for batch in ImportBatch.objects.order_by("file_name")]
    assert [batch.status for batch in batches] == ["shown", "failed"]
    broken = text(client.get(batches[1].get_absolute_url()))
    assert "The file was not imported." in broken
    assert "Columns found: &#x27;not&#x27;, &#x27;a&#x27;, &#x27;known&#x27;." in broken
    assert "Try again" not in broken
    assert "file-0.csv" in text(client.get(URL))


LABEL = b'{"type": "tx", "ref": "1111", "label": "Rent"}\n'


@pytest.mark.parametrize(
    ("content", "said", "link"),
    [
        (LABEL, "a file of a wallet&#x27;s labels (BIP-329)", "/labels/import/"),
        (LABEL + b"{broken\n", "a file of a wallet&#x27;s labels (BIP-329)", "/labels/import/"),
        (b"address,name,chainId\n0xa1,Bob,1\n", "This is an address book", "/contacts/import/"),
        (b"address;name;blockchain\n0xa1;Bob;eth\n", "an address book", "/contacts/import/"),
        (b"\xef\xbb\xbfname,note,family,address\nBob,,,\n", "an address book", "/contacts/import/"),
    ],
)
def test_a_file_that_is_brought_in_elsewhere_says_where(
    editor: Client, content: bytes, said: str, link: str
) -> None:
    batch = new_batch(BytesIO(content), "file", options={})
    with pytest.raises(FileError):
        import_batch(batch, BytesIO(content))
    page = editor.get(batch.get_absolute_url())
    assert said in text(page)
    assert f'<a role="button" href="{link}">' in page.content.decode()
    assert "Try again" not in text(page)
    assert "Say what its columns are" not in text(page)
    assert "Koinly" not in text(page)


@with_processes
def test_an_import_that_died_can_be_begun_again() -> None:
    client = client_of("Editors")
    batch = make_batch(status="running", content=GOOD, options={"wallet": "Kraken"})
    ImportBatch.objects.update(made_at=timezone.now() - timedelta(minutes=5))
    page = text(client.get(batch.get_absolute_url()))
    assert "The import stopped before it was done; nothing of it is in the ledger." in page
    assert "Try again" in page
    assert client.post(batch.get_absolute_url()).status_code == 303
    assert ended(batch.pk).new == 1


@pytest.mark.parametrize("running", ["uwsgi", str(Path(sys.base_prefix) / "bin" / "python3"), ""])
def test_processes_have_our_packages_whatever_serves_us(
    monkeypatch: pytest.MonkeyPatch, running: str
) -> None:
    """uWSGI names itself, or the Python that the virtualenv is made of."""
    monkeypatch.setattr(sys, "executable", running)
    where = [process.interpreter(), "-c", "import django; print(django.__file__)"]
    assert subprocess.run(where, capture_output=True, text=True).stdout.strip() == django.__file__


@with_processes
def test_a_process_that_cannot_start_leaves_no_import_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "interpreter", lambda: "/bin/false")
    client = client_of("Editors")
    upload(client, GOOD, wallet="Kraken")
    batch = ended(ImportBatch.objects.get().pk)
    assert (batch.status, batch.error) == (
        "failed",
        "The process could not be started. The server's log says why.",
    )
    assert "Try again" in text(client.get(batch.get_absolute_url()))


def test_the_database_is_told_to_the_process_as_we_have_it() -> None:
    used = connections["default"].settings_dict
    told = dj_database_url.parse(process.database_url())
    for key in ("NAME", "USER", "PASSWORD", "HOST"):
        assert told[key] == used[key]
    assert str(told["PORT"]) == str(used["PORT"])


def test_no_file_is_refused(editor: Client) -> None:
    answer = editor.post(URL, {})
    assert answer.status_code == 422
    assert "Choose a file." in text(answer)


def test_too_large_a_file_is_refused_naming_the_way_out(
    editor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_forms, "MAX_SIZE", 10)
    answer = upload(editor, GOOD)
    assert answer.status_code == 422
    assert "manage.py import_transactions" in text(answer)
    assert not ImportBatch.objects.exists()


def test_too_many_files_are_refused(editor: Client) -> None:
    answer = upload(editor, *[GOOD] * 21)
    assert answer.status_code == 422
    assert "At most 20 files at once, not 21." in text(answer)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timezone": "Mars/Olympus"}, "“Mars/Olympus” is not a time zone."),
        ({"timezone": "../../etc/passwd"}, "is not a time zone."),
        ({"network": "narnia"}, "Select a valid choice."),
        ({"wallet": "0x1234567"}, "EVM"),
        ({"wallet": "a\nb"}, "Use one line of text"),
        ({"wallet": "w" * 201}, "at most 200 characters"),
        ({"wallet": "a\0b"}, "Null characters are not allowed."),
    ],
)
def test_a_bad_option_is_refused_and_what_was_typed_is_kept(
    editor: Client, options: dict[str, str], said: str
) -> None:
    answer = upload(editor, GOOD, **{"wallet": "Kraken", **options})
    assert answer.status_code == 422
    assert said in text(answer)
    assert not ImportBatch.objects.exists()
    if "wallet" not in options:
        assert 'value="Kraken"' in answer.content.decode()


# Who may


def test_a_viewer_sees_imports_but_begins_none(viewer: Client) -> None:
    batch = make_batch("export.csv", lines=[{}])
    page = viewer.get(URL)
    assert "export.csv" in text(page)
    assert 'type="file"' not in page.content.decode()
    assert viewer.get(batch.get_absolute_url()).status_code == 200
    assert upload(viewer, GOOD).status_code == 403
    assert viewer.post(batch.get_absolute_url()).status_code == 403
    assert viewer.post(f"{batch.get_absolute_url()}cancel/").status_code == 403
    assert ImportBatch.objects.count() == 1


def test_who_is_in_no_group_sees_no_import(db: None) -> None:
    batch = make_batch()
    client = Client()
    assert client.get(URL).status_code == 302
    client.force_login(make_user(None))
    assert client.get(URL).status_code == 403
    assert client.get(batch.get_absolute_url()).status_code == 403


# The list


def test_an_empty_list_says_what_it_is_for(viewer: Client) -> None:
    assert "No file yet" in text(viewer.get(URL))


@pytest.mark.parametrize(
    "query", ["nonsense=1", "cursor=%00", "per_page=-1", "per_page=9999999", "sort=size"]
)
def test_a_list_that_cannot_be_read_shows_no_rows(viewer: Client, query: str) -> None:
    make_batch("CANARY.csv")
    answer = viewer.get(f"{URL}?{query}")
    assert answer.status_code == 400
    assert "CANARY" not in text(answer)


def test_the_list_goes_on_to_the_next_page(viewer: Client) -> None:
    for number in range(3):
        make_batch(f"file-{number}.csv")
    first = viewer.get(f"{URL}?per_page=2")
    assert re.findall(r"file-\d", text(first)) == ["file-2", "file-1"]
    (following,) = re.findall(r'href="([^"]+)" rel="next"', first.content.decode())
    assert re.findall(r"file-\d", text(viewer.get(URL + following.replace("&amp;", "&")))) == [
        "file-0"
    ]


def test_the_number_of_queries_of_the_list_stays_flat(
    viewer: Client, django_assert_num_queries: Any
) -> None:
    make_batch()
    with django_assert_num_queries(queries := 7):
        viewer.get(URL)
    for _ in range(20):
        make_batch(made_by=make_user())
    with django_assert_num_queries(queries):
        viewer.get(URL)


# One import's lines


@pytest.mark.parametrize(
    "query",
    ["outcome=narnia", "after=-1", "after=x", "after=99999999999999999999", "nonsense=1",
     "outcome=new&outcome=known", "after=%00"],
)  # fmt: skip
def test_lines_that_cannot_be_chosen_are_not_shown(viewer: Client, query: str) -> None:
    batch = make_batch(lines=[{"raw": "CANARY"}])
    answer = viewer.get(f"{batch.get_absolute_url()}?{query}")
    assert answer.status_code == 400
    assert "CANARY" not in text(answer)
    assert "no lines are shown" in text(answer)


def test_lines_are_chosen_by_outcome(viewer: Client) -> None:
    record = make_transaction()
    batch = make_batch(
        lines=[
            {"raw": "1st line", "transaction": record},
            {"raw": "second", "outcome": "rejected", "detail": "Use a point."},
        ],
        new=1,
        rejected=1,
    )
    page = viewer.get(f"{batch.get_absolute_url()}?outcome=rejected")
    assert "second" in text(page)
    assert "Use a point." in text(page)
    assert "1st line" not in text(page)


def test_a_walk_through_the_lines_sees_each_once(viewer: Client) -> None:
    batch = make_batch(new=250)
    ImportLine.objects.bulk_create(
        ImportLine(batch=batch, number=2 * number, outcome="new", raw="") for number in range(250)
    )
    seen: list[int] = []
    address = batch.get_absolute_url()
    while address:
        page = viewer.get(address).content.decode()
        seen += map(int, re.findall(r'<tr id="line-(\d+)"', page))
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = batch.get_absolute_url() + following[1] if following else ""
    assert seen == [2 * number for number in range(250)]


def test_a_long_line_is_shown_by_its_beginning(viewer: Client) -> None:
    batch = make_batch(lines=[{"raw": "x" * 100_000}])
    page = viewer.get(batch.get_absolute_url()).content
    assert b"x" * 400 in page
    assert b"x" * 600 not in page


def test_what_a_file_says_is_text_and_no_markup(viewer: Client) -> None:
    batch = make_batch(
        "<b>.csv", lines=[{"raw": "<script>alert(1)</script>", "detail": "<i>"}], told=["<u>"]
    )
    page = viewer.get(batch.get_absolute_url()).content.decode()
    for markup in ("<b>", "<script>alert", "<i>", "<u>"):
        assert markup not in page


def test_an_import_that_is_not_there_is_not_found(viewer: Client) -> None:
    assert viewer.get("/imports/999999/").status_code == 404


# Confirming, taking back


@with_processes
def test_what_was_shown_is_shown_again_when_the_ledger_has_changed() -> None:
    client = client_of("Editors")
    upload(client, GOOD, wallet="Kraken")
    batch = ended(ImportBatch.objects.get().pk)
    seen = batch.shown
    call_command("import_transactions", "--batch", str(another(GOOD).pk), stdout=StringIO())
    batch = confirm(client, batch)
    assert (batch.status, batch.new, batch.known) == ("shown", 0, 1)
    assert batch.shown != seen
    page = text(client.get(batch.get_absolute_url()))
    assert "The ledger has changed since this was shown, so nothing was imported yet." in page
    # What was shown before can no longer be confirmed.
    late = client.post(f"{batch.get_absolute_url()}confirm/", {"shown": seen}, follow=True)
    assert "This is not what was shown to you." in text(late)
    odd = client.post(f"{batch.get_absolute_url()}confirm/", {"shown": "\0"}, follow=True)
    assert "This is not what was shown to you." in text(odd)
    assert confirm(client, batch).status == "imported"


def another(content: bytes) -> ImportBatch:
    return new_batch(BytesIO(content), "another.csv", options={"wallet": "Kraken"})


@with_processes
def test_what_is_shown_can_be_left() -> None:
    client = client_of("Editors")
    upload(client, GOOD, wallet="Kraken")
    batch = ended(ImportBatch.objects.get().pk)
    client.post(f"{batch.get_absolute_url()}cancel/")
    batch.refresh_from_db()
    assert (batch.status, batch.new, batch.lines.count()) == ("failed", 0, 0)
    assert client.get(f"{batch.get_absolute_url()}file/").content == GOOD
    assert not Transaction.objects.exists()


@with_processes
def test_an_import_is_taken_back_and_brought_again() -> None:
    client = client_of("Editors")
    upload(client, GOOD, wallet="Kraken")
    batch = confirm(client, ended(ImportBatch.objects.get().pk))
    Transaction.objects.update(note="mine")
    url = f"{batch.get_absolute_url()}undo/"
    page = client.get(url)
    assert "Were edited 1 that only this file told of" in text(page)
    [made] = Transaction.objects.all()
    form = {"seen": page.context["plan"].digest, "also": [made.pk]}
    Transaction.objects.update(note="mine, again")
    refused = client.post(url, form)
    assert refused.status_code == 409
    assert "The ledger has changed since you looked" in text(refused)
    form["seen"] = refused.context["plan"].digest
    assert client.post(url, form)["Location"] == batch.get_absolute_url()
    assert ended(batch.pk).status == "undone"
    assert "Taken back" in text(client.get(batch.get_absolute_url()))
    assert not Transaction.objects.exists()
    client.post(f"{batch.get_absolute_url()}redo/")
    assert ended(batch.pk).status == "imported"
    assert Transaction.objects.get().note == ""


def asked_to_take_back(client: Client, **form: Any) -> ImportBatch:
    """Somebody's edited import, and what the page of taking it back was asked."""
    file = BytesIO(GOOD)
    batch = new_batch(file, "file.csv", options={"wallet": "Kraken"})
    import_batch(batch, file)
    Transaction.objects.update(note="mine")
    url = f"{batch.get_absolute_url()}undo/"
    form["seen"] = client.get(url).context["plan"].digest
    assert client.post(url, form).status_code == 303
    return ended(batch.pk)


@with_processes
def test_all_that_people_edited_can_go_at_once() -> None:
    batch = asked_to_take_back(client_of("Editors"), every="on")
    assert batch.status == "undone"
    assert not Transaction.objects.exists()


@with_processes
def test_a_process_that_takes_nothing_back_leaves_the_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "interpreter", lambda: "/bin/false")
    client = client_of("Editors")
    batch = asked_to_take_back(client)
    page = text(client.get(batch.get_absolute_url()))
    assert "It was not taken back. The process could not be started." in page
    assert (batch.status, Transaction.objects.count()) == ("imported", 1)


@with_processes
def test_an_import_that_is_being_taken_back_says_so(other: CursorWrapper) -> None:
    client = client_of("Editors")
    batch = make_batch(options={"undo": {"at": timezone.now().isoformat()}})
    assert "Taking it back" in text(client.get(batch.get_absolute_url()))
    assert "being taken back" in text(client.get(URL))
    late = (timezone.now() - timedelta(minutes=1)).isoformat()
    ImportBatch.objects.update(options={"undo": {"at": late}})
    page = text(client.get(batch.get_absolute_url()))
    assert "It was not taken back. The process that did it stopped" in page
    other.execute(f"SET application_name = 'txsite import {batch.pk}: 1 of 1, 0 lines'")
    assert "Taking it back" in text(client.get(batch.get_absolute_url()))
    answer = client.post(f"{batch.get_absolute_url()}undo/", {"seen": "x"}, follow=True)
    assert "is being taken back already" in text(answer)


@with_processes
def test_an_import_is_taken_back_by_a_command() -> None:
    file, out = BytesIO(GOOD), StringIO()
    batch = new_batch(file, "file.csv", options={"wallet": "Kraken"})
    import_batch(batch, file)
    call_command("undo_import", str(batch.pk), stdout=out)
    assert out.getvalue() == (
        "file.csv: 1 transactions gone, 0 stay as other files tell them, "
        "0 that people edited stay\n"
    )
    assert not Transaction.objects.exists()
    with pytest.raises(CommandError, match="was taken back already"):
        call_command("undo_import", str(batch.pk))
    with pytest.raises(CommandError, match="There is no import"):
        call_command("undo_import", str(batch.pk + 1))


def test_file_and_what_was_left_out_can_be_had_back(editor: Client) -> None:
    batch = another(HALF_BAD)
    import_batch(batch, BytesIO(HALF_BAD))
    answer = editor.get(f"{batch.get_absolute_url()}file/")
    assert answer.content == HALF_BAD
    assert answer["Content-Disposition"] == 'attachment; filename="another.csv"'
    left = editor.get(f"{batch.get_absolute_url()}left-out/").content.decode()
    assert left.splitlines() == [HALF_BAD.decode().splitlines()[n] for n in (0, 2)]
    again = another(left.replace('"1,5"', "1.5").encode())
    import_batch(again, stored(again))
    assert again.new == 1


@pytest.mark.parametrize(
    ("name", "amount"),
    [("etherscan-tokentx.json", "value"), ("blockscout-transfers.json", "total.value")],
)
def test_what_was_left_out_of_json_can_be_mended_too(
    editor: Client, name: str, amount: str
) -> None:
    options = {"wallet": ALICE, "network": "ethereum"}

    def imported(content: bytes) -> ImportBatch:
        batch = new_batch(BytesIO(content), name, options=options)
        with suppress(FileError):  # none of its lines may be one that can be read
            import_batch(batch, BytesIO(content))
        return batch

    document, _ = json.JSONDecoder().raw_decode(sample(name).decode())
    records = next(document[key] for key in ("result", "items") if key in document)
    good = records[0]["total"] if "." in amount else records[0]
    value, good["value"] = good["value"], "much"
    batch = imported(json.dumps(document).encode())
    before = Transaction.objects.count()
    assert batch.rejected
    url = batch.get_absolute_url()
    assert f'href="{url}left-out/"' in editor.get(url).content.decode()
    answer = editor.get(f"{url}left-out/")
    assert answer["Content-Disposition"] == f'attachment; filename="left out of {name}"'
    [left, *_] = json.loads(answer.content)
    assert left[amount] == "much"
    left[amount] = value
    assert imported(json.dumps([left]).encode()).new == 1
    assert Transaction.objects.count() == before + 1


def test_a_receipt_is_a_table_of_all_that_became_of_a_file(viewer: Client) -> None:
    batch = another(HALF_BAD)
    import_batch(batch, BytesIO(HALF_BAD))
    link = f"{batch.get_absolute_url()}receipt/"
    assert f'href="{link}"' in viewer.get(batch.get_absolute_url()).content.decode()
    answer: Any = viewer.get(link)
    assert answer["Content-Disposition"] == 'attachment; filename="receipt of another.csv.csv"'
    rows = list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))
    about = [row["Detail"] for row in rows if row["Outcome"] == "file"]
    assert about[:3] == [
        "File: another.csv",
        f"SHA-256: {batch.sha256}",
        f"Size: {batch.size} bytes",
    ]
    assert "Wallet: Kraken" in about
    lines = [row for row in rows if row["Line"]]
    assert [(row["Number"], row["Line"], row["Outcome"]) for row in lines] == [
        ("1 of 2", "2", "new"),
        ("2 of 2", "3", "rejected"),
    ]
    assert lines[0]["Transaction"] == Transaction.objects.get().external_id
    assert "is not a number. Use a point." in lines[1]["Detail"]
    assert lines[1]["As in the file"] == '2024-05-02 12:00 UTC,"1,5",BTC'


def test_what_a_spreadsheet_would_run_is_protected_in_a_receipt(viewer: Client) -> None:
    batch = make_batch("=1.csv", lines=[{"raw": "=1+1,BTC", "detail": "@sum"}])
    answer: Any = viewer.get(f"{batch.get_absolute_url()}receipt/")
    text = b"".join(answer.streaming_content).decode()
    assert text.endswith("""1 of 1,2,new,'@sum,,"'=1+1,BTC"\r\n""")


def test_a_receipt_is_for_those_who_may_see_imports(db: None) -> None:
    client = Client()
    client.force_login(make_user(None))
    assert client.get(f"{make_batch().get_absolute_url()}receipt/").status_code == 403


def test_the_page_says_by_what_the_file_was_read(viewer: Client) -> None:
    mapping: dict[str, Any] = {"name": "My bank", "decimal": ",", "currency": "EUR"}
    mapping |= {"columns": {"date": "Day", "amount": "Sum"}, "date_order": "mdy"}
    batch = make_batch(options={"date_order": "dmy", "mapping": mapping}, format="mapping:My bank")
    page = text(viewer.get(batch.get_absolute_url()))
    assert "Date order Day before month" in page
    assert "Mapping My bank. Date and time: Day; Amount, with a sign: Sum" in page
    assert "Amounts like 1.234,56 Dates Month before day Currency EUR" in page


def test_what_was_left_out_of_our_own_download_can_be_mended_too(editor: Client) -> None:
    own = b"Date,Received Amount,Received Currency,Note,Number\n"
    lines = [
        b'2024-05-01 12:00 UTC,1,BTC,"a\nb","1 of 3, line 1 of 1"',
        b'2024-05-02 12:00 UTC,"1,5",BTC,"c\nd",',
    ]
    content = own + lines[0] + b"\n" + lines[1] + b'"2 of 3, line 1 of 1"\n'
    content += b'2024-05-03 12:00 UTC,2,BTC,,"3 of 3, line 1 of 1"\n'
    batch = another(content)
    import_batch(batch, BytesIO(content))
    assert (batch.new, batch.rejected) == (2, 1)
    left = editor.get(f"{batch.get_absolute_url()}left-out/").content.decode()
    header, line = "Date,Received Amount,Received Currency,Note", '"1,5",BTC,"c\nd"'
    assert left == f"{header}\r\n2024-05-02 12:00 UTC,{line}\r\n"
    again = another(left.replace('"1,5"', "1.5").encode())
    import_batch(again, stored(again))
    assert (again.new, again.rejected) == (1, 0)


@pytest.mark.parametrize("also", ["x", "-1", "9" * 30])
def test_what_cannot_be_chosen_is_refused(editor: Client, also: str) -> None:
    batch = make_batch()
    answer = editor.post(f"{batch.get_absolute_url()}undo/", {"seen": "x", "also": [also]})
    assert answer.status_code == 422


def test_a_viewer_takes_nothing_back(viewer: Client) -> None:
    batch = make_batch()
    for what in ("undo", "redo", "confirm"):
        assert viewer.post(f"{batch.get_absolute_url()}{what}/").status_code == 403
    assert "Take the import back" not in text(viewer.get(batch.get_absolute_url()))


# While it runs


@pytest.fixture
def other(transactional_db: None) -> Iterator[CursorWrapper]:
    """Somebody else's connection."""
    with closing(connections.create_connection("default")) as connected:
        yield connected.cursor()


def test_a_running_import_shows_how_far_it_is(other: CursorWrapper) -> None:
    batch = make_batch(status="running")
    other.execute(f"SET application_name = 'txsite import {batch.pk}: 250 of 1000, 42 lines'")
    ImportBatch.objects.update(made_at=timezone.now() - timedelta(seconds=10))
    page = client_of("Editors").get(batch.get_absolute_url()).content.decode()
    # A quarter of reading, which takes 18 of 100 seconds.
    assert re.search(r"42 lines read, about 21[0-9] seconds left\.", page)
    assert '<progress max="100" value="4.5"' in page
    assert "data-poll" in page
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page
    assert "Cancel the import" in page


def test_an_import_that_is_saved_shows_its_step_and_the_time_left(other: CursorWrapper) -> None:
    batch = make_batch(status="running")
    until = round(time()) + 30
    other.execute(f"SET application_name = 'txsite import {batch.pk}: step 5, 42 lines, {until}'")
    page = client_of("Editors").get(batch.get_absolute_url())
    assert re.search(
        r"Saving Step 5 of 7: writing movements\. 42 lines read, about (29|30) seconds left\.",
        text(page),
    )
    assert '<progress max="100" value="57.0"' in page.content.decode()
    other.execute(f"SET application_name = 'txsite import {batch.pk}: step 1, 42 lines, 0'")
    page = client_of("Editors").get(batch.get_absolute_url())
    assert "Step 1 of 7: waiting for other imports. 42 lines read. Nothing" in text(page)


def test_steps_are_shown_one_after_the_other(db: None) -> None:
    shown: list[Progress] = []
    batch = another(GOOD)
    import_batch(batch, BytesIO(GOOD), shown.append)
    assert [one.step for one in shown] == [None, None, *Step]
    assert [one.done for one in shown] == sorted(one.done for one in shown)
    assert {one.lines for one in shown[1:]} == {1}
    assert all(Progress.named(one.name) == one for one in shown if one.step)
    assert sum(SHARES.values()) + READING == 100


def test_waiting_for_others_is_not_counted_as_work(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    monkeypatch.setattr(progress.time, "time", lambda: now)
    shown: list[Progress] = []
    course = Course(make_batch(size=100), shown.append)
    course.begin()
    now += 18
    course.read(5, 100)
    course.step(Step.WAITING)
    now += 500
    course.step(Step.FINDING)
    assert [one.until for one in shown] == [0, 1100, 0, 1600]


def test_the_name_of_a_connection_is_not_cut() -> None:
    for step in (None, Step.CHECKING):
        size = 2**30 if step is None else 0
        shown = Progress(999_999, size, size, 10_000_000, step, 2**33 if step else 0)
        assert len(shown.name) < 64
        assert Progress.named(shown.name) == shown


def test_an_import_without_a_process_has_stopped(other: CursorWrapper) -> None:
    client = client_of("Viewers")
    batch = make_batch(status="running")
    assert "Starting" in text(client.get(batch.get_absolute_url()))
    ImportBatch.objects.update(made_at=timezone.now() - timedelta(minutes=1))
    assert "The import stopped before it was done" in text(client.get(batch.get_absolute_url()))
    assert "stopped" in text(client.get(URL))
    # The name of another import's connection is no sign of life.
    other.execute(f"SET application_name = 'txsite import {batch.pk}9: 1 of 2, 3 lines'")
    assert "stopped" in text(client.get(URL))


@pytest.mark.parametrize("shown", ["", "something else"])
def test_an_import_that_is_about_to_end_has_not_stopped(
    other: CursorWrapper, monkeypatch: pytest.MonkeyPatch, shown: str
) -> None:
    """It is at work until its transaction is committed, and between two that are tried."""
    batch = new_batch(BytesIO(GOOD), "file.csv", options={"wallet": "Kraken"}, shown=shown)
    seen: list[bool] = []

    def looking(name: str) -> None:
        before = getattr(importer, name)

        def look(*said: Any, **fields: Any) -> Any:
            other.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE starts_with(application_name, %s)",
                [f"txsite import {batch.pk}: "],
            )
            seen.append(other.fetchone()[0] == 1)
            return before(*said, **fields)

        monkeypatch.setattr(importer, name, look)

    looking("_attempt")
    looking("_change")
    looking("attach_to")  # the last before it commits
    import_batch(batch, BytesIO(GOOD))
    assert batch.status == ("shown" if shown else "imported")
    assert len(seen) > 2
    assert all(seen)


def test_cancelling_ends_the_connection_and_says_so(other: CursorWrapper) -> None:
    client = client_of("Editors")
    batch = make_batch(status="running", content=GOOD)
    other.execute(f"SET application_name = 'txsite import {batch.pk}: 250 of 1000, 42 lines'")
    answer = client.post(f"{batch.get_absolute_url()}cancel/")
    assert (answer.status_code, answer["Location"]) == (303, batch.get_absolute_url())
    batch.refresh_from_db()
    assert (batch.status, batch.content) == ("failed", GOOD)
    page = text(client.get(batch.get_absolute_url()))
    assert "The import was cancelled. Nothing of the file is in the ledger." in page
    end = monotonic() + 10
    while is_alive(other):
        assert monotonic() < end, "the connection was not ended"
        sleep(0.02)


def test_cancelling_what_was_confirmed_waits_for_nobody(other: CursorWrapper) -> None:
    """The import has taken its lines out already, to write them anew."""
    client = client_of("Editors")
    batch = make_batch(status="running", content=GOOD, lines=[{}])
    other.execute(f"SET application_name = 'txsite import {batch.pk}: 250 of 1000, 42 lines'")
    other.execute("BEGIN")
    other.execute("DELETE FROM transactions_importline WHERE batch_id = %s", [batch.pk])
    assert client.post(f"{batch.get_absolute_url()}cancel/").status_code == 303
    assert not batch.lines.exists()


def is_alive(other: CursorWrapper) -> bool:
    try:
        other.execute("SELECT 1")
    except (OperationalError, InterfaceError):
        return False
    return True


def test_what_is_over_cannot_be_cancelled(editor: Client) -> None:
    batch = make_batch(new=1)
    answer = editor.post(f"{batch.get_absolute_url()}cancel/", follow=True)
    assert "The import was over already." in text(answer)
    batch.refresh_from_db()
    assert batch.status == "imported"


def test_what_is_over_cannot_be_begun_again(editor: Client) -> None:
    batch = make_batch(new=1)
    answer = editor.post(batch.get_absolute_url(), follow=True)
    assert "This import was begun already." in text(answer)


def test_each_choice_says_how_a_line_would_be_read(editor: Client) -> None:
    content = b"Date & Time;Type;Transaction ID;Addresses;Fee;Total\n"
    content += b"03/04/2018 14:00:00;RECV;" + b"1" * 64 + b";bc1;0;0.5 BTC\n"
    batch = new_batch(BytesIO(content), "trezor.csv", options={"wallet": "Trezor"})
    with pytest.raises(Unanswered):
        import_batch(batch, BytesIO(content))
    page = editor.get(batch.get_absolute_url())
    assert "Line 2: 03/04/2018 14:00:00;RECV;" in text(page)
    assert "Day before month → 3 April 2018" in text(page)
    assert "Month before day → 4 March 2018" in text(page)
    assert "Europe/Berlin → 12:00" in text(page)
    assert "checked" not in page.content.decode()


def test_a_question_need_not_be_answered(editor: Client) -> None:
    question = {"option": "wallet", "text": "Which wallet?", "choices": [], "suggestion": ""}
    batch = make_batch(status="waiting", content=GOOD, options={"questions": [question]})
    editor.post(f"{batch.get_absolute_url()}cancel/")
    batch.refresh_from_db()
    assert (batch.status, batch.content) == ("failed", GOOD)
