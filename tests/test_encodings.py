"""Texts that are neither UTF-8 nor UTF-16: what is asked, and that nothing of them is lost."""

import re
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from factories import make_user

from transactions.imports.files import stored
from transactions.imports.formats.encodings import is_utf8
from transactions.imports.formats.reader import encoding_question
from transactions.imports.importer import Unanswered, import_batch, new_batch
from transactions.imports.rows import FileError, Question
from transactions.imports.undo import undo
from transactions.models import ImportBatch, Transaction

HEADER = "Date,Received Amount,Received Currency,TxHash,Wallet,Description\n"
LINE = "2024-05-0{} 12:00,1,BTC,t{},Bank,{}\n"


def text(*notes: str) -> str:
    return HEADER + "".join(LINE.format(n, n, note) for n, note in enumerate(notes, start=1))


def asked(content: bytes) -> Question | None:
    return encoding_question(BytesIO(content))


def test_each_encoding_that_fits_is_shown_with_what_the_file_would_read() -> None:
    question = asked(text("plain", "Zürich", "Straße").encode("cp1252"))
    assert question
    assert question.option == "encoding"
    assert question.choices[0] == "windows-1252"
    assert "windows-1254" not in question.choices  # which reads the same
    assert "line 3 reads" in question.text
    read = dict(question.examples)
    assert ("Zürich" in read["windows-1252"], "Zьrich" in read["windows-1251"]) == (True, True)
    assert "(Cyrillic)" in read["windows-1251"]
    question = asked(text("Аренда").encode("cp1251"))
    assert question
    assert "Аренда" in dict(question.examples)["windows-1251"]


def test_file_that_is_utf_8_but_for_some_damage_is_not_asked_about() -> None:
    damaged = text("Zürich", "Straße", "Café").encode() + b"2024-05-09 12:00,1,BTC,t,Bank,\xff\n"
    assert asked(damaged) is None
    assert asked("\ufeffx".encode("utf-16")[:-1]) is None


def test_character_that_stands_over_two_pieces_of_a_file_is_whole() -> None:
    assert is_utf8(BytesIO(b"a" * (1024 * 1024 - 1) + "ü".encode()))
    assert not is_utf8(BytesIO(b"a" + "ü".encode()[:1]))


def bring(content: bytes, **options: str) -> ImportBatch:
    batch = new_batch(BytesIO(content), "export.csv", options=options)
    import_batch(batch, BytesIO(content))
    return ImportBatch.objects.get(pk=batch.pk)


def notes() -> list[str]:
    return list(Transaction.objects.order_by("external_id").values_list("note", flat=True))


@pytest.mark.django_db
def test_answer_is_taken_and_offered_for_the_next_file() -> None:
    content = text("plain", "Аренда").encode("cp1251")
    with pytest.raises(Unanswered) as unanswered:
        bring(content)
    assert [one.suggestion for one in unanswered.value.questions] == [""]
    assert ImportBatch.objects.get().status == "waiting"
    first = bring(content, encoding="windows-1251")
    assert notes() == ["plain", "Аренда"]
    assert first.options["encoding"] == "windows-1251"
    second = bring(text("plain").encode(), encoding="windows-1251")  # UTF-8 tells itself
    with pytest.raises(Unanswered) as unanswered:
        bring(text("Ещё").encode("cp1251"))
    assert [one.suggestion for one in unanswered.value.questions] == ["windows-1251"]
    undo(second)  # which reads the first file again
    assert notes() == ["plain", "Аренда"]


@pytest.mark.django_db
def test_encoding_that_does_not_fit_is_asked_about_again() -> None:
    content = text("\x81 Rent").encode("latin-1")
    with pytest.raises(Unanswered) as unanswered:
        bring(content, encoding="windows-1252")
    (question,) = unanswered.value.questions
    assert "windows-1252" not in question.choices
    assert notes() == []
    with pytest.raises(FileError, match="Line 2 is not UTF-8"):
        bring(text("\x81\x98\xff").encode("latin-1"))


@pytest.mark.django_db
def test_command_takes_it_as_an_option(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(text("Zürich").encode("cp1252"))
    errors = StringIO()
    with pytest.raises(CommandError):
        call_command("import_transactions", str(path), stderr=errors)
    assert "Say it with --encoding: windows-1252, " in errors.getvalue()
    call_command("import_transactions", str(path), encoding="windows-1252", stdout=StringIO())
    assert notes() == ["Zürich"]


@pytest.mark.django_db
def test_page_asks_with_the_examples_and_takes_the_answer() -> None:
    client = Client()
    client.force_login(make_user("Editors"))
    batch = new_batch(BytesIO(text("Zürich").encode("cp1252")), "export.csv", is_confirmed=False)
    with pytest.raises(Unanswered):
        import_batch(batch, stored(batch))
    page = client.get(batch.get_absolute_url()).content.decode()
    assert re.search(r'value="windows-1251".*?→ .*?Zьrich&#x27; \(Cyrillic\)', page, re.DOTALL)
    assert "Zürich" in page
    assert 'name="encoding"' in page
    answer = client.post(batch.get_absolute_url(), {"encoding": "nonsense"})
    assert answer.status_code == 422
    done = bring(text("Zürich").encode("cp1252"), encoding="windows-1252")
    page = client.get(done.get_absolute_url()).content.decode()
    assert "<dt>Encoding</dt><dd><bdi>windows-1252</bdi></dd>" in page
