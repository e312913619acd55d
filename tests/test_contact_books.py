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
from contacts.forms import ContactForm
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


def test_line_that_a_later_one_takes_the_place_of_is_told(client: Client) -> None:
    client.force_login(make_user("Editors"))
    same = f"{ONE},Alice,137\n"
    book = SimpleUploadedFile("b.csv", (SAFE + same).encode())
    page = client.post("/contacts/import/", {"file": book})
    text = page.content.decode()
    assert "Line 3: <bdi>Bob: line 4 has the same address as Bobby, and the last" in text
    assert "Line 2: <bdi>Alice: line 5 says the same." in text
    form = {"content": page.context["content"], "seen": page.context["plan"].digest}
    done = client.post("/contacts/import/", form, follow=True).content.decode()
    assert "2 new, 2 passed over for a later line." in done


def test_note_that_a_later_line_has_otherwise_is_told() -> None:
    plan = plan_of(b"name,note\nAlice,a\nAlice,b\n")
    told = "Alice: line 3 has the same name with another note, and the last line counts."
    assert plan.passed_over == [(2, told)]


def test_rotkis_book_names_the_chain() -> None:
    text = "address,name,blockchain\n34xp4vRoCGJym3xR7yCVPFHoCNxv4Twseo,Pool,bitcoin\n"
    carry_out((text + f"{ONE},Alice,ethereum\n{TWO},Bob,\n").encode())
    assert Address.objects.get(contact__name="Pool").family == "bitcoin"
    assert set(contacts()) == {"Pool", "Alice", "Bob"}


@pytest.mark.parametrize(
    ("blockchain", "address", "family"),
    [
        ("ETH", ONE, "evm"),
        ("polygon_pos", ONE, "evm"),
        ("BINANCE_SC", ONE, "evm"),
        ("optimism", ONE, "evm"),
        ("BTC", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "bitcoin"),
        ("BCH", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "bitcoin-cash"),
        ("SOLANA", "11111111111111111111111111111111", "solana"),
    ],
)
def test_rotkis_own_names_of_chains_are_known(blockchain: str, address: str, family: str) -> None:
    plan = carry_out(f"address,name,blockchain\n{address},Pool,{blockchain}\n".encode())
    assert plan.rejected == []
    assert Address.objects.get(contact__name="Pool").family == family


def test_line_without_a_name_or_with_too_long_a_text_says_which_and_what_to_do() -> None:
    book = f"name,note,family,address\n,hers,,{ONE}\n{'n' * 201},,,{ONE}\nBob,{'n' * 10_001},,\n"
    assert plan_of(book.encode()).rejected == [
        (2, "The name is missing. Write it into the line, or remove the line."),
        (3, "The name has 201 characters, of 200 at most. Shorten it."),
        (4, "The note has 10001 characters, of 10000 at most. Shorten it."),
    ]


@pytest.mark.parametrize("blockchain", ["KSM", "DOT", "Kusama"])
def test_chain_that_is_not_known_is_said_and_not_guessed(blockchain: str) -> None:
    plan = plan_of(f"address,name,blockchain\n{ONE},Alice,{blockchain}\n{TWO},Bob,\n".encode())
    [(line, reason)] = plan.rejected
    assert line == 2
    assert f"the blockchain “{blockchain.lower()}” is not known here. Write another" in reason
    assert [change.entry.name for change in plan.changes] == ["Bob"]


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


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("keep", {"Alice": ("hers", [ONE]), "Bob": ("ours", [])}),
        ("replace", {"Alice": ("hers", []), "Bob": ("theirs", [ONE])}),
        ("merge", {"Alice": ("hers\nBob\ntheirs", [ONE]), "Bob": ("ours", [])}),
    ],
)
def test_address_and_note_that_differ_are_both_shown_and_neither_is_lost(
    choice: str, expected: dict[str, Any]
) -> None:
    make_address(ONE, make_contact("Alice", note="hers"))
    make_contact("Bob", note="ours")
    book = f"name,note,family,address\nBob,theirs,evm,{ONE}\n".encode()
    [change] = plan_of(book).changes
    assert change.ours == "Alice has this address; the note of Bob is “ours”"
    carry_out(book, default=choice)
    assert contacts() == expected


def test_address_beside_another_note_is_taken_though_our_note_is_kept() -> None:
    make_contact("Alice", note="ours")
    carry_out(f"name,note,family,address\nAlice,theirs,evm,{ONE}\n".encode(), default="keep")
    assert contacts() == {"Alice": ("ours", [ONE])}


def test_what_was_merged_is_known_afterwards() -> None:
    make_address(ONE, make_contact("Alice", note="ours"))
    book = f'name,note,family,address\nCarol,"a\nb",evm,{ONE}\nAlice,"c\nd",,\n'.encode()
    for _ in range(2):
        carry_out(book, default="merge")
        assert contacts() == {"Alice": ("ours\nCarol\na\nb\nc\nd", [ONE])}
    assert plan_of(book).count("known") == 2


def test_two_notes_for_one_name_are_told_with_their_lines() -> None:
    book = f"name,note,family,address\nAlice,a,evm,{ONE}\nalice,b,evm,{TWO}\n".encode()
    plan = carry_out(book)
    assert plan.rejected == [(3, "alice has another note in line 2. Write one into both.")]
    assert contacts() == {"Alice": ("a", [ONE])}


def test_names_that_differ_in_more_than_case_are_two() -> None:
    make_contact("Straße")
    carry_out(f"address,name\n{ONE},Strasse\n{TWO},STRAßE\n".encode())
    assert contacts() == {"Strasse": ("", [ONE]), "Straße": ("", [TWO])}


def test_blank_lines_and_a_comma_too_much_say_nothing() -> None:
    carry_out(f"\n\n address , name,chainId\n\n{ONE},Alice,1,\n".encode())
    assert contacts() == {"Alice": ("", [ONE])}


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


TEXTS = st.text(st.sampled_from("ab'=+ ,;\"é\n\r")) | st.text(max_size=12)
ADDRESSES = {
    ("evm", ONE.lower()),
    ("evm", TWO.lower()),
    ("bitcoin", "34xp4vRoCGJym3xR7yCVPFHoCNxv4Twseo"),
    ("solana", "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"),
}


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    people=st.dictionaries(TEXTS, TEXTS, max_size=4),
    owners=st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_any_book_comes_back_as_it_was(people: dict[str, str], owners: list[int]) -> None:
    Contact.objects.all().delete()
    Address.objects.all().delete()
    for name, note in people.items():
        form = ContactForm({"name": name, "note": note})
        if form.is_valid():
            form.save()
    for (family, value), owner in zip(sorted(ADDRESSES), owners, strict=True):
        contact = Contact.objects.order_by("pk")[owner : owner + 1].first()
        if contact:
            Address.objects.create(family=family, value=value, contact=contact)
    before, book = contacts(), exported()
    Contact.objects.all().delete()
    Address.objects.all().delete()
    if before:
        assert carry_out(book.encode()).rejected == []
    assert contacts() == before
    if before:
        assert carry_out(book.encode()).count("known") == book_lines(before)


@pytest.mark.parametrize(
    ("book", "lost"), [("safe", {"Pool", "Nobody", "Sun", "Lite"}), ("rotki", {"Nobody", "Lite"})]
)
def test_books_of_others_are_read_by_our_import(client: Client, book: str, lost: set[str]) -> None:
    client.force_login(make_user("Viewers"))
    make_address(ONE, make_contact("=Alice"))
    make_address(TWO, make_contact("Bob", note="ours alone"))
    make_contact("Nobody")
    for name, (family, value) in zip(["Pool", "Sun"], sorted(ADDRESSES)[::3], strict=True):
        make_address(value, make_contact(name), family=family)
    litecoin = "LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1"
    make_address(litecoin, make_contact("Lite"), family="litecoin")
    before, out = contacts(), StringIO()
    page = client.get(f"/contacts/export/?format={book}")
    assert f"contacts-{book}.csv" in page["Content-Disposition"]
    call_command("export_contacts", "--format", book, stdout=out)
    assert out.getvalue() == page.content.decode()
    Contact.objects.all().delete()
    Address.objects.all().delete()
    assert carry_out(page.content).rejected == []
    kept = {name: ("", addresses) for name, (_, addresses) in before.items() if name not in lost}
    assert contacts() == kept
    assert client.get("/contacts/export/?format=zip").status_code == 400
    assert "?format=rotki" in client.get("/contacts/").content.decode()


def book_lines(people: dict[str, tuple[str, list[str]]]) -> int:
    return sum(max(1, len(addresses)) for _, addresses in people.values())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "name the columns"),
        (b"foo,bar\n1,2\n", "name the columns"),
        (b"address,name\n", "no lines"),
        (b"address,name\na\n", "Line 2 has 1 cells"),
        (b'address,name\n"a,b\n', "quote"),
        (b"address,name\n\xff,b\n", "Line 2 is not UTF-8"),
        (b"address,name\n\x00,b\n", "NUL"),
    ],
)
def test_file_that_is_no_book_says_why(content: bytes, told: str) -> None:
    with pytest.raises(BookError, match=told):
        plan_of(content)


def test_line_may_end_after_the_name() -> None:
    plan = plan_of(f"address,name,chainId\n{ONE},Alice\n{TWO},Bob,10\n".encode())
    assert [change.entry.name for change in plan.changes] == ["Alice", "Bob"]
    assert plan.rejected == []


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
    assert (
        "2 new, 0 added to known ones, 0 known, 0 in conflict, 1 passed over for a later line, "
        "0 rejected" in out.getvalue()
    )
    told = "Line 3: Bob: line 4 has the same address as Bobby, and the last line counts."
    assert told in out.getvalue()
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_contacts", str(tmp_path / "nothing"))


def test_dry_run_tells_and_writes_nothing(client: Client, tmp_path: Path) -> None:
    make_address(ONE, make_contact("Carol"))
    before = contacts()
    path, out = tmp_path / "book.csv", StringIO()
    path.write_bytes(SAFE.encode())
    call_command("import_contacts", str(path), "--dry-run", "--conflicts", "merge", stdout=out)
    assert f"Line 4: Bobby {TWO.lower()}: new\n" in out.getvalue()
    assert "Line 2: Alice: Carol has this address (merge)" in out.getvalue()
    assert "1 new" in out.getvalue()
    assert "(dry run)" in out.getvalue()
    assert contacts() == before
    assert Address.objects.count() == 1
    client.force_login(make_user("Editors"))
    assert client.get("/imports/").context["rows"] == []
    call_command("import_contacts", str(path), stdout=out)
    [(batch, _)] = client.get("/imports/").context["rows"]
    assert (batch.file_name, batch.made_by) == ("book.csv", None)


def test_receipt_of_a_book_is_kept_with_the_file_and_each_line(client: Client) -> None:
    client.force_login(make_user("Editors"))
    make_address(ONE, make_contact("Carol"))
    book = f'{SAFE}{TWO[:-1]},Eve,1\r\n"{TWO}","Bobby",1\r\n'.encode()
    page = client.post("/contacts/import/", {"file": SimpleUploadedFile("b.csv", book)})
    [change] = [one for one in page.context["changes"] if one.outcome == "conflict"]
    form = {
        "content": page.context["content"],
        "name": "b.csv",
        "seen": page.context["plan"].digest,
        f"choice {change.key}": "merge",
    }
    assert 'name="name" value="b.csv"' in page.content.decode()
    client.post("/contacts/import/", form)
    listed = client.get("/imports/").content.decode()
    assert "b.csv</bdi></a> <span" in listed
    assert "address book" in listed
    [(batch, _)] = client.get("/imports/").context["rows"]
    receipt = client.get(f"/imports/{batch.pk}/")
    assert "cannot be taken back as a whole" in receipt.content.decode()
    assert "To the contacts</a>" in receipt.content.decode()
    told = [(one.number, one.outcome, one.detail) for one in receipt.context["lines"]]
    assert told[:3] == [
        (2, "adds", "Carol has this address: both are kept"),
        (3, "conflict", "Bob: line 4 has the same address as Bobby, and the last line counts."),
        (4, "conflict", "Bobby: line 6 says the same."),
    ]
    assert [one[:2] for one in told[3:]] == [(5, "rejected"), (6, "new")]
    assert client.get(f"/imports/{batch.pk}/file/").content == book
    assert batch.made_by is not None


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


def post(client: Client, book: str) -> Any:
    file = SimpleUploadedFile("b.csv", book.encode())
    return client.post("/contacts/import/", {"file": file})


def test_page_tells_of_a_change_that_it_had_no_room_to_show(client: Client) -> None:
    client.force_login(make_user("Editors"))
    alice = make_contact("Alice", note="x" * 500)
    page = post(client, "name,note\nAlice,<b>theirs\n")
    assert "&lt;b&gt;theirs" in page.content.decode()
    [change] = page.context["plan"].changes
    form = {
        "content": page.context["content"],
        "seen": page.context["plan"].digest,
        f"choice {change.key}": "replace",
    }
    Contact.objects.filter(pk=alice.pk).update(note="x" * 500 + "!")
    assert client.post("/contacts/import/", form).status_code == 409


def test_browser_sends_other_line_ends_and_it_is_the_same_book(client: Client) -> None:
    client.force_login(make_user("Editors"))
    page = post(client, 'name,note\r\nAlice,"a\nb\rc"\r\n')
    sent = page.context["content"].replace("\n", "\r\n")
    form = {"content": sent, "seen": page.context["plan"].digest}
    assert client.post("/contacts/import/", form).status_code == 303
    assert contacts() == {"Alice": ("a\nb\nc", [])}


def test_more_conflicts_than_the_page_has_room_for_are_chosen_together(client: Client) -> None:
    client.force_login(make_user("Editors"))
    people = [Contact(name=f"Name {number}", note="ours") for number in range(1_100)]
    Contact.objects.bulk_create(people)
    page = post(client, "name,note\n" + "".join(f"{one.name},theirs\n" for one in people))
    assert "And 600 more conflicts" in page.content.decode()
    form = {
        "content": page.context["content"],
        "seen": page.context["plan"].digest,
        "rest": "replace",
        **{f"choice {one.key}": "keep" for one in page.context["changes"]},
    }
    told = client.post("/contacts/import/", form, follow=True).content.decode()
    assert "600 added to known ones, 500 in conflict and left as they were" in told
    assert Contact.objects.filter(note="ours").count() == 500
    assert Contact.objects.filter(note="theirs").count() == 600


def test_page_takes_1_mb_and_the_command_any_size(client: Client, tmp_path: Path) -> None:
    client.force_login(make_user("Editors"))
    book = "name,note\n" + "".join(f"Name {number},{'x' * 900}\n" for number in range(1_200))
    assert "Use the command" in post(client, book).content.decode()
    (tmp_path / "book.csv").write_text(book)
    call_command("import_contacts", str(tmp_path / "book.csv"), stdout=StringIO())
    assert Contact.objects.count() == 1_200


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


def test_line_of_anothers_book_without_an_address_is_rejected() -> None:
    plan = carry_out(b"address,name,chainId\n,Nobody,1\n")
    assert [reason for _, reason in plan.rejected] == [
        "The address is missing. Write it into the line, or remove the line."
    ]
    assert contacts() == {}
