"""Labels, note and contact of a transaction: saved, merged, or refused, never lost."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test import Client
from factories import make_address, make_contact, make_label, make_transaction, make_user

from contacts.models import Contact
from transactions.models import Label, Transaction, TransactionLabel

pytestmark = pytest.mark.django_db


def names(made: Transaction) -> list[str]:
    return sorted(made.labels.values_list("name", flat=True))


def post(client: Client, made: Transaction, what: str, **data: object) -> int:
    return client.post(f"/transactions/{made.pk}/{what}/", data).status_code


def test_labels_are_added_and_removed_against_what_was_seen(editor: Client) -> None:
    made = make_transaction(labels=["Rent", "Old"])
    assert post(editor, made, "labels", add=["New", "Acme, Inc."], remove="old") == 302
    assert names(made) == ["Acme, Inc.", "New", "Rent"]


def test_label_edits_of_two_people_merge(editor: Client) -> None:
    made = make_transaction(labels=["Rent"])
    assert post(editor, made, "labels", add="From Alice") == 302
    assert post(editor, made, "labels", add="From Bob", remove="Rent") == 302
    assert names(made) == ["From Alice", "From Bob"]


def test_label_of_another_case_is_the_same_label(editor: Client) -> None:
    made = make_transaction(labels=["Rent"])
    assert post(editor, made, "labels", add=["rent", "RENT", "  rent "]) == 302
    assert names(made) == ["Rent"]
    assert Label.objects.count() == 1


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "a\x85b", "\u200b", "x" * 101])
def test_label_name_that_cannot_be_is_refused_with_what_was_typed(
    editor: Client, name: str
) -> None:
    made = make_transaction()
    answer = editor.post(f"/transactions/{made.pk}/labels/", {"add": name})
    assert answer.status_code == 422
    assert b'role="alert"' in answer.content
    assert not Label.objects.exists()


def test_refused_labels_are_all_kept_in_the_form(editor: Client) -> None:
    made = make_transaction()
    data = {"add": ["Good", "Also", "x" * 101]}
    page = editor.post(f"/transactions/{made.pk}/labels/", data).content.decode()
    assert [f'name="add" value="{name}"' in page for name in data["add"]] == [True] * 3


def test_label_cannot_be_added_and_removed_at_once(editor: Client) -> None:
    made = make_transaction(labels=["Rent"])
    assert post(editor, made, "labels", add="rent", remove="Rent") == 422
    assert names(made) == ["Rent"]


def test_note_is_saved_once_and_the_version_rises(editor: Client) -> None:
    made = make_transaction()
    assert post(editor, made, "note", note="two\r\nlines ✓", version=1) == 302
    made.refresh_from_db()
    assert (made.note, made.version, made.is_edited) == ("two\nlines ✓", 2, True)


def test_stale_note_is_refused_and_both_values_are_shown(editor: Client) -> None:
    made = make_transaction(note="from <Alice>")
    Transaction.objects.update(note="from Alice, later")
    answer = editor.post(
        f"/transactions/{made.pk}/note/", {"note": "from Bob", "version": made.version}
    )
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "from Alice, later" in page
    assert "from Bob" in page
    made.refresh_from_db()
    assert made.note == "from Alice, later"
    # The form that was shown has seen both, so saving it again is a decision.
    assert f'name="version" value="{made.version}"' in page
    assert post(editor, made, "note", note="from Bob", version=made.version) == 302


def test_note_that_is_already_so_is_no_conflict(editor: Client) -> None:
    made = make_transaction()
    assert post(editor, made, "note", note="same", version=1) == 302
    assert post(editor, made, "note", note="same", version=1) == 302


@pytest.mark.parametrize("version", ["", "0", "abc", "9" * 30, "-1"])
def test_version_that_cannot_be_is_refused(editor: Client, version: str) -> None:
    made = make_transaction()
    assert post(editor, made, "note", note="x", version=version) == 422
    made.refresh_from_db()
    assert made.note == ""


def test_note_too_long_is_refused_and_kept_in_the_form(editor: Client) -> None:
    made = make_transaction()
    answer = editor.post(f"/transactions/{made.pk}/note/", {"note": "y" * 10_001, "version": 1})
    assert answer.status_code == 422
    assert b"y" * 10_001 in answer.content


def test_contact_for_one_transaction_alone(editor: Client) -> None:
    at_alice = make_address(contact=make_contact("Alice"))
    one, other = (make_transaction([{"counterparty": at_alice}]) for _ in range(2))
    assert post(editor, one, "contact", contact="Bob", version=1) == 302
    one.refresh_from_db()
    other.refresh_from_db()
    assert (str(one.contact), other.contact) == ("Bob", None)
    assert post(editor, one, "contact", contact="", version=2) == 302
    one.refresh_from_db()
    assert one.contact is None


def test_contact_for_an_address_holds_for_all_its_transactions(editor: Client) -> None:
    address = make_address()
    one = make_transaction([{"counterparty": address}], contact=make_contact("Bob"))
    make_transaction([{"counterparty": address}])
    scope = f"address:{address.pk}:{address.version}"
    assert post(editor, one, "contact", contact="alice", version=1, scope=scope) == 302
    page = editor.get("/transactions/?contact=Alice").content.decode()
    assert page.count("data-id=") == 2


def test_contact_of_another_case_is_the_same_contact(editor: Client) -> None:
    alice = make_contact("Alice")
    made = make_transaction()
    assert post(editor, made, "contact", contact="ALICE", version=1) == 302
    made.refresh_from_db()
    assert made.contact == alice
    assert Contact.objects.count() == 1


def test_stale_contact_is_refused(editor: Client) -> None:
    made = make_transaction()
    Transaction.objects.update(contact=make_contact("Alice"))
    answer = editor.post(f"/transactions/{made.pk}/contact/", {"contact": "Bob", "version": 1})
    assert answer.status_code == 409
    assert b"Alice" in answer.content
    assert b"Bob" in answer.content
    made.refresh_from_db()
    assert str(made.contact) == "Alice"
    assert not Contact.objects.filter(name="Bob").exists()


def test_stale_address_is_refused_and_nothing_half_done_stays(editor: Client) -> None:
    address = make_address()
    scope = f"address:{address.pk}:{address.version}"
    made = make_transaction([{"counterparty": address}], contact=make_contact("Bob"))
    address.contact = make_contact("Carol")
    address.save()
    assert post(editor, made, "contact", contact="Alice", version=1, scope=scope) == 409
    made.refresh_from_db()
    address.refresh_from_db()
    assert (str(made.contact), str(address.contact)) == ("Bob", "Carol")


def test_address_of_another_transaction_is_refused(editor: Client) -> None:
    other = make_address()
    made = make_transaction()
    scope = f"address:{other.pk}:{other.version}"
    assert post(editor, made, "contact", contact="Alice", version=1, scope=scope) == 422


def test_saving_the_contact_form_as_it_opens_changes_nothing(editor: Client) -> None:
    address = make_address(contact=make_contact("Alice"))
    made = make_transaction([{"counterparty": address}])
    page = editor.get(f"/transactions/{made.pk}/contact/").content.decode()
    chosen = re.search(r'name="scope" value="([^"]+)" checked', page)
    name = re.search(r'name="contact"[^>]* value="([^"]*)"', page)
    assert chosen
    assert name
    data = {"contact": name[1], "scope": chosen[1], "version": 1}
    assert post(editor, made, "contact", **data) == 302
    address.refresh_from_db()
    made.refresh_from_db()
    assert (str(address.contact), made.contact) == ("Alice", None)


@pytest.mark.parametrize("choice", ["transaction", "address"])
def test_stale_contact_form_keeps_what_it_was_for(editor: Client, choice: str) -> None:
    address = make_address()
    scope = "transaction" if choice == "transaction" else f"address:{address.pk}:{address.version}"
    made = make_transaction([{"counterparty": address}])
    Transaction.objects.update(contact=make_contact("Carol"))
    data = {"contact": "Bob", "version": 1, "scope": scope}
    answer = editor.post(f"/transactions/{made.pk}/contact/", data)
    assert answer.status_code == 409
    chosen = re.search(r'name="scope" value="([^"]+)" checked', answer.content.decode())
    assert chosen
    assert chosen[1] == scope


def test_contact_name_that_cannot_be_is_refused(editor: Client) -> None:
    made = make_transaction()
    for name in ("a\0b", "a\x85b", "\u200b", "x" * 201):
        assert post(editor, made, "contact", contact=name, version=1) == 422
    assert not Contact.objects.exists()


def limited(*codenames: str) -> Client:
    """Somebody who may edit transactions, and of the rest only this."""
    user = make_user("Viewers")
    wanted = ("change_transaction", *codenames)
    user.user_permissions.add(*Permission.objects.filter(codename__in=wanted))
    client = Client()
    client.force_login(user)
    return client


def test_new_labels_and_contacts_need_the_right_to_make_them() -> None:
    made = make_transaction(labels=["Rent"])
    client = limited()
    assert post(client, made, "labels", add=["Rent"]) == 302
    assert post(client, made, "labels", add=["New"]) == 422
    assert post(client, made, "contact", contact="Alice", version=1) == 422
    assert not Contact.objects.exists()
    assert names(made) == ["Rent"]
    assert post(limited("add_label"), made, "labels", add=["New"]) == 302
    assert post(limited("add_contact"), made, "contact", contact="Alice", version=1) == 302


def test_contact_of_an_address_needs_the_right_to_change_addresses() -> None:
    make_contact("Alice")
    address = make_address()
    made = make_transaction([{"counterparty": address}])
    data = {"contact": "Alice", "version": 1, "scope": f"address:{address.pk}:{address.version}"}
    assert post(limited(), made, "contact", **data) == 422
    address.refresh_from_db()
    assert address.contact is None
    page = limited().get(f"/transactions/{made.pk}/contact/").content.decode()
    assert 'name="scope"' not in page
    assert post(limited("change_address"), made, "contact", **data) == 302


@pytest.mark.parametrize("what", ["labels", "note", "contact"])
def test_viewer_is_refused_every_edit(client: Client, what: str) -> None:
    client.force_login(make_user("Viewers"))
    made = make_transaction()
    data = {"add": "x", "note": "x", "contact": "x", "version": 1}
    assert client.get(f"/transactions/{made.pk}/{what}/").status_code == 403
    assert client.post(f"/transactions/{made.pk}/{what}/", data).status_code == 403
    made.refresh_from_db()
    assert (made.note, made.contact, made.labels.count()) == ("", None, 0)


@pytest.mark.parametrize("what", ["labels", "note", "contact"])
def test_form_of_its_own_works_without_script(editor: Client, what: str) -> None:
    made = make_transaction(labels=["Rent"])
    came_from = {"Referer": "http://testserver/transactions/?label=Rent"}
    page = editor.get(f"/transactions/{made.pk}/{what}/", headers=came_from).content.decode()
    assert f'action="/transactions/{made.pk}/{what}/"' in page
    assert 'name="next" value="http://testserver/transactions/?label=Rent"' in page
    back = editor.post(
        f"/transactions/{made.pk}/{what}/",
        {"add": "x", "note": "x", "contact": "x", "version": 1, "next": "/transactions/?q=a"},
    )
    assert back["Location"] == "/transactions/?q=a"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example/",
        "https://evil.example/",
        "javascript:x",
        "foo",
        "?q=a",
        "import-list",
        "/login/?next=/x",
    ],
)
def test_nobody_is_sent_elsewhere_after_saving(editor: Client, elsewhere: str) -> None:
    made = make_transaction()
    data = {"note": "x", "version": 1, "next": elsewhere}
    answer = editor.post(f"/transactions/{made.pk}/note/", data)
    assert answer["Location"] == f"/transactions/{made.pk}/"


def test_script_gets_the_row_as_it_is_after_saving(editor: Client) -> None:
    made = make_transaction()
    answer = editor.post(
        f"/transactions/{made.pk}/note/", {"note": "new", "version": 1}, headers={"X-Fragment": "1"}
    )
    page = answer.content.decode()
    assert answer.status_code == 200
    assert page.lstrip().startswith("<tr")
    assert f'data-id="{made.pk}" data-version="2"' in page


def test_unknown_transaction_is_not_found(editor: Client) -> None:
    assert editor.post("/transactions/999999/note/", {"note": "x", "version": 1}).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_of_many_edits_at_once_no_acknowledged_one_is_lost() -> None:
    made = make_transaction()
    user = make_user("Editors")

    def edit(number: int) -> tuple[int, int, int]:
        client = Client()
        client.force_login(user)
        try:
            label = post(client, made, "labels", add=[f"label {number}", "shared"])
            version = Transaction.objects.get(pk=made.pk).version
            note = post(client, made, "note", note=f"note {number}", version=version)
            return number, label, note
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(edit, range(24)))
    made.refresh_from_db()
    saved = [number for number, _, note in answers if note == 302]
    assert {label for _, label, _ in answers} == {302}
    assert {note for _, _, note in answers} <= {302, 409}
    assert set(names(made)) == {"shared", *(f"label {number}" for number in range(24))}
    # Each note that was acknowledged raised the version once; none was written over unseen.
    assert made.version == 1 + len(saved)
    assert made.note in {f"note {number}" for number in saved}


def test_rules_hold_for_psql_too() -> None:
    made = make_transaction()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE transactions_transaction SET note = 'by hand', version = 77")
    made.refresh_from_db()
    assert (made.version, made.is_edited) == (2, True)
    make_label("Rent")
    label = Label.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE transactions_label SET colour = 'red'")
    label.refresh_from_db()
    assert label.version == 2


@pytest.mark.django_db(transaction=True)
def test_labels_that_others_remove_meanwhile_are_kept_or_refused_but_never_an_error() -> None:
    made = [make_transaction() for _ in range(2)]
    user = make_user("Managers")
    stop = threading.Event()

    def remove() -> None:
        """As the admin and psql do: the links first, then the label; again and again."""
        try:
            while not stop.is_set():
                # Refused when the label was put on again in between, as anybody is.
                with suppress(IntegrityError, OperationalError), transaction.atomic():
                    TransactionLabel.objects.filter(label__name="Rent").delete()
                    Label.objects.filter(name="Rent").delete()
        finally:
            connection.close()

    def add(number: int) -> int:
        client = Client()
        client.force_login(user)
        try:
            return post(client, made[number % 2], "labels", add=["Rent", "Kept"])
        finally:
            connection.close()

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            answers = set(pool.map(add, range(40)))
    finally:
        stop.set()
        remover.join()
    assert answers <= {302, 409}
    assert all("Kept" in names(one) for one in made)
