"""Address books: Safe's, rotki's and our own, shown first, chosen, and back without loss."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from factories import make_address, make_contact, make_user
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.books import BookError, carry_out, lines_for, plan_of
from contacts.models import Address, Contact

pytestmark = pytest.mark.django_db
ONE = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
TWO = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"
SAFE = f"\ufeffaddress,name,chainId\n {ONE} ,Alice,1\nsep:{TWO},Bob,11155111\n{TWO},Bobby,1\n"


def contacts() -> dict[str, tuple[str, list[str]]]:
    return {
        one.name: (one.note, sorted(a.display for a in one.addresses.all()))
        for one in Contact.objects.order_by("name")
    }


def exported() -> str:
    return "".join(lines_for(Contact.objects.all()))


def test_safes_book_with_its_quirks() -> None:
    plan = carry_out(SAFE.encode())
    assert (plan.count("new"), plan.rejected) == (2, [])
    assert contacts() == {"Alice": ("", [ONE]), "Bobby": ("", [TWO])}
    again = carry_out(SAFE.encode())
    assert (again.count("known"), Contact.objects.count()) == (2, 2)


def test_rotkis_book_names_the_chain() -> None:
    text = "address,name,blockchain\n34xp4vRoCGJym3xR7yCVPFHoCNxv4Twseo,Pool,bitcoin\n"
    carry_out((text + f"{ONE},Alice,ethereum\n{TWO},Bob,\n").encode())
    assert Address.objects.get(contact__name="Pool").family == "bitcoin"
    assert set(contacts()) == {"Pool", "Alice", "Bob"}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("keep", {"Alice": ("", [ONE])}),
        ("replace", {"Alice": ("", []), "Carol": ("", [ONE])}),
        ("merge", {"Alice": ("Carol", [ONE])}),
    ],
)
def test_address_of_another_contact_is_settled_as_chosen(
    choice: str, expected: dict[str, Any]
) -> None:
    make_address(ONE, make_contact("Alice"))
    book = f"address,name\n{ONE},Carol\n".encode()
    [change] = plan_of(book).changes
    assert (change.outcome, change.ours) == ("conflict", "Alice has this address")
    carry_out(book, {change.key: choice})
    assert contacts() == expected


@pytest.mark.parametrize(
    ("choice", "note"), [("keep", "ours"), ("replace", "theirs"), ("merge", "ours\ntheirs")]
)
def test_other_note_is_settled_as_chosen(choice: str, note: str) -> None:
    make_contact("Alice", note="ours")
    carry_out(b"name,note,family,address\nAlice,theirs,,\n", default=choice)
    assert contacts() == {"Alice": (note, [])}


def test_own_book_comes_back_as_it_was() -> None:
    make_address(ONE, make_contact("=Alice", note="- one\n+ two"))
    make_contact("Nobody's")
    before, book = contacts(), exported()
    assert "'=Alice" in book
    Contact.objects.all().delete()
    Address.objects.all().delete()
    carry_out(book.encode())
    assert contacts() == before
    assert exported() == book


NAMES = st.text(st.sampled_from("ab'=+ ,;\"é"), min_size=1, max_size=8).map(str.strip).filter(bool)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(people=st.dictionaries(NAMES, st.text(st.sampled_from("a'=,\n\""), max_size=6)))
def test_any_book_comes_back_as_it_was(people: dict[str, str]) -> None:
    Contact.objects.all().delete()
    unique = {name.lower(): (name, note) for name, note in people.items()}
    for name, note in unique.values():
        Contact.objects.create(name=name, note=note)
    before, book = contacts(), exported()
    Contact.objects.all().delete()
    if before:
        assert carry_out(book.encode()).rejected == []
    assert contacts() == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "name the columns"),
        (b"foo,bar\n1,2\n", "name the columns"),
        (b"address,name\n", "no lines"),
        (b"address,name\na\n", "Line 2 has 1 cells"),
        (b'address,name\n"a,b\n', "quote"),
        (b"address,name\n\xff,b\n", "Line 2 is not UTF-8"),
        (b"a" * (1024 * 1024 + 1), "at most 1 MB"),
        (b"address,name\n\x00,b\n", "NUL"),
    ],
)
def test_file_that_is_no_book_says_why(content: bytes, told: str) -> None:
    with pytest.raises(BookError, match=told):
        plan_of(content)


def test_line_that_cannot_be_is_rejected_and_the_others_are_taken() -> None:
    book = (
        f"address,name,chainId\n{ONE[:-1]}0,Alice,1\n{TWO},,1\n{TWO},Bob,1\n{ONE},{'x' * 201},1\n"
    )
    plan = carry_out(book.encode())
    assert [line for line, _ in plan.rejected] == [2, 3, 5]
    assert set(contacts()) == {"Bob"}


def test_command_tells_what_it_did(tmp_path: Path) -> None:
    path, out = tmp_path / "book.csv", StringIO()
    path.write_bytes(SAFE.encode())
    call_command("import_contacts", str(path), stdout=out)
    assert "2 new, 0 added to known ones, 0 known, 0 in conflict, 0 rejected" in out.getvalue()
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_contacts", str(tmp_path / "nothing"))


def test_page_shows_first_and_does_what_was_chosen(client: Client) -> None:
    client.force_login(make_user("Editors"))
    make_address(ONE, make_contact("Alice"))
    book = SimpleUploadedFile("b.csv", f"address,name\n{ONE},<b>Carol\n".encode())
    page = client.post("/contacts/import/", {"file": book})
    assert page.status_code == 200
    assert "<b>Carol" not in page.content.decode()
    [change] = page.context["plan"].changes
    form = {
        "content": page.context["content"],
        "seen": page.context["plan"].digest,
        f"choice {change.key}": "replace",
    }
    Contact.objects.update(name="Alicia")
    stale = client.post("/contacts/import/", form)
    assert stale.status_code == 409
    assert set(contacts()) == {"Alicia"}
    form["seen"] = stale.context["plan"].digest
    assert client.post("/contacts/import/", form).status_code == 303
    assert set(contacts()) == {"Alicia", "<b>Carol"}
    assert client.post("/contacts/import/", {}).status_code == 422


def test_download_is_ours_alone_to_see(client: Client) -> None:
    assert client.get("/contacts/export/").status_code == 302
    client.force_login(make_user("Viewers"))
    make_contact("Alice")
    answer = client.get("/contacts/export/")
    assert "Alice" in answer.content.decode()
    assert answer["X-Ledger-Revision"]
    assert client.get("/contacts/import/").status_code == 403


def test_names_that_only_look_alike_are_two_contacts() -> None:
    make_contact("STRASSE", note="ours")
    carry_out("name,note\nStraße,theirs\n".encode(), default="merge")
    assert contacts() == {"STRASSE": ("ours", []), "Straße": ("theirs", [])}
