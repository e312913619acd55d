"""Contacts as people see and change them at /contacts/."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from factories import make_address, make_contact, make_transaction, make_user

from contacts.filters import ADDRESS_ORDERINGS, CONTACT_ORDERINGS
from contacts.models import Address, Contact
from transactions.models import Transaction

pytestmark = pytest.mark.django_db

ADDRESS = "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359"
CHECKSUMMED = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
BITCOIN = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"


def get(client: Client, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status
    return answer.content.decode()


def post(client: Client, url: str, status: int = 303, **data: Any) -> str:
    """The page that answers; after a redirect the one that it leads to, with its message."""
    answer = client.post(url, data)
    assert answer.status_code == status, words(answer.content.decode())
    return get(client, answer["Location"]) if status == 303 else answer.content.decode()


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def cells(page: str, name: str) -> list[str]:
    found = re.findall(rf'<td class="col-{name}".*?>(.*?)</td>', page, re.S)
    return [words(cell) for cell in found]


def next_page(page: str) -> str | None:
    link = re.search(r'href="([^"]*)" rel="next"', page)
    return unescape(link[1]) if link else None


# The list


def test_list_counts_each_transaction_once_with_whom_it_is(viewer: Client) -> None:
    alice, bob = make_contact("Alice"), make_contact("Bob")
    home, work = make_address(contact=alice), make_address(contact=alice)
    make_transaction([{"counterparty": home}, {"counterparty": work, "amount": "2"}])
    make_transaction([{"counterparty": home}])
    # Set by a person, so Alice's address says nothing.
    last = make_transaction([{"counterparty": home}], contact=bob)
    page = get(viewer, "/contacts/")
    assert cells(page, "name") == ["Alice", "Bob"]
    assert cells(page, "address_count") == ["2", "–"]
    assert cells(page, "transaction_count") == ["2", "1"]
    assert cells(page, "last_activity")[1] == last.timestamp.strftime("%Y-%m-%d %H:%M")


def test_counts_are_those_of_the_transactions_they_link_to(viewer: Client) -> None:
    alice, dash = make_contact("Alice"), make_contact("-none")
    for contact in (alice, dash):
        make_transaction([{"counterparty": make_address(contact=contact)}])
        make_transaction(contact=contact)
    page = get(viewer, "/contacts/")
    links = re.findall(r'href="(/transactions/\?contact=[^"]*)">(\d+)', page)
    assert [count for _, count in links] == ["2", "2"]
    for link, count in links:
        assert f'id="count">{count}</strong>' in get(viewer, unescape(link))


@pytest.mark.parametrize("name", ["none", "=Alice", "-Alice", "Ann & Bob?", "100% Éa"])
def test_contact_of_any_name_leads_to_its_own_transactions(viewer: Client, name: str) -> None:
    contact = make_contact(name)
    make_transaction(contact=contact, note="theirs")
    make_transaction(note="somebody else’s")
    page = get(viewer, contact.get_absolute_url())
    [link] = re.findall(r'href="(/transactions/\?contact=[^"]*)"', page)
    assert cells(get(viewer, unescape(link)), "note") == ["theirs"]


@pytest.mark.parametrize("sort", [*CONTACT_ORDERINGS, *(f"-{name}" for name in CONTACT_ORDERINGS)])
def test_every_order_walks_each_contact_once_and_keeps_ties_apart(
    viewer: Client, sort: str
) -> None:
    for number in range(7):
        contact = make_contact(f"Contact {number}", note="n" * number)
        if number % 3:
            make_transaction([{"counterparty": make_address(contact=contact)}])
    seen: list[str] = []
    page = get(viewer, f"/contacts/?per_page=2&sort={sort}")
    while True:
        seen += cells(page, "name")
        link = next_page(page)
        if not link:
            break
        page = get(viewer, f"/contacts/{link}")
    assert sorted(seen) == [f"Contact {number}" for number in range(7)]
    names = [name for name in seen if name in {"Contact 0", "Contact 3", "Contact 6"}]
    assert names == sorted(names, reverse=sort.startswith("-"))


def test_list_asks_as_many_queries_for_many_contacts(viewer: Client) -> None:
    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            get(viewer, "/contacts/?per_page=200")
        asked = [query["sql"] for query in queries if "contacts_contact" in query["sql"]]
        assert len(asked) == 1
        return len(queries)

    make_contact("Alice")
    few = count()
    for number in range(30):
        contact = make_contact(f"Contact {number}")
        make_transaction([{"counterparty": make_address(contact=contact)}])
    assert count() == few


@pytest.mark.parametrize("text", ["ali", "ALICE", "friend alice", CHECKSUMMED, "fb6916095ca1"])
def test_search_finds_every_word_in_name_note_or_address(viewer: Client, text: str) -> None:
    make_address(ADDRESS, make_contact("Alice", note="A friend"))
    make_contact("Bob")
    assert cells(get(viewer, f"/contacts/?q={text}"), "name") == ["Alice"]


@pytest.mark.parametrize(
    "query",
    [
        "q=%00",
        "q=" + "x" * 100_000,
        "q=a&q=b",
        "color=red",
        "sort=note",
        "sort=name&sort=count",
        "per_page=0",
        "per_page=-1",
        "per_page=9999999999",
        "per_page=x",
        "cursor=nonsense",
        "cursor=2024-01-01",
        "sort=count&cursor=W10",
        "page=2",
    ],
)
def test_list_that_cannot_be_read_shows_why_and_no_rows(viewer: Client, query: str) -> None:
    make_contact("Alice")
    page = get(viewer, f"/contacts/?{query}", 400)
    assert 'class="error"' in page
    assert cells(page, "name") == []


@pytest.mark.parametrize("text", ["%25", "_", "\\", "'", "[a-z]*(", "%F0%9F%98%80"])
def test_search_takes_signs_as_they_are(viewer: Client, text: str) -> None:
    make_contact("Alice")
    assert "No contact fits this search" in get(viewer, f"/contacts/?q={text}")


def test_empty_list_says_how_to_begin(editor: Client) -> None:
    page = get(editor, "/contacts/")
    assert "There are no contacts yet" in page
    assert "Add the first contact" in page


def test_names_cannot_carry_markup(viewer: Client) -> None:
    contact = make_contact("<b>Alice</b>", note="<script>")
    for url in ("/contacts/", contact.get_absolute_url()):
        page = get(viewer, url)
        assert "<b>Alice" not in page
        assert "<bdi>&lt;b&gt;Alice&lt;/b&gt;</bdi>" in page


# Completion


def test_completion_gives_names_that_begin_with_the_text_first(viewer: Client) -> None:
    for name in ("Malice", "alicia", "Alice", "Bob"):
        make_contact(name)
    assert json.loads(get(viewer, "/contacts/complete/?q=ALI")) == ["Alice", "alicia", "Malice"]


def test_completion_gives_twenty_at_most(viewer: Client) -> None:
    for number in range(25):
        make_contact(f"Contact {number}")
    assert len(json.loads(get(viewer, "/contacts/complete/"))) == 20


@pytest.mark.parametrize("query", ["q=%00", "q=" + "x" * 201])
def test_completion_refuses_what_no_name_can_be(viewer: Client, query: str) -> None:
    assert "q" in json.loads(get(viewer, f"/contacts/complete/?{query}", 400))["errors"]


# Adding and editing


def test_contact_is_added_in_its_stored_form(editor: Client) -> None:
    page = post(editor, "/contacts/add/", name="  Zoe\u0308  ", note="one\r\ntwo")
    contact = Contact.objects.get()
    assert (contact.name, contact.note) == ("Zoë", "one\ntwo")
    assert "Contact “Zoë” added." in words(page)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "This field is required."),
        ("   ", "This field is required."),
        ("alice", "There is a contact “Alice” already."),
        ("a\0b", "one line without control characters"),
        ("a\nb", "one line without control characters"),
        ("a\u0085b", "one line without control characters"),
        ("a\u2028b", "one line without control characters"),
        ("\u200b", "something that can be seen"),
        ("x" * 201, "at most 200 characters"),
    ],
)
def test_name_that_cannot_be_is_refused_at_its_field_and_kept(
    editor: Client, name: str, told: str
) -> None:
    make_contact("Alice")
    page = post(editor, "/contacts/add/", 422, name=name, note="what I typed")
    assert told in words(page)
    assert 'id="id_name_error"' in page
    assert "what I typed" in page
    assert Contact.objects.count() == 1


def test_note_of_too_many_characters_is_refused(editor: Client) -> None:
    page = post(editor, "/contacts/add/", 422, name="Alice", note="x" * 10_001)
    assert "at most 10000 characters" in words(page)


def test_edit_writes_name_and_note(editor: Client) -> None:
    contact = make_contact("Alice")
    url = f"/contacts/{contact.pk}/edit/"
    page = post(editor, url, name="Alice B.", note="met in May", version=contact.version)
    contact.refresh_from_db()
    assert (contact.name, contact.note, contact.version) == ("Alice B.", "met in May", 2)
    assert "Contact “Alice B.” saved." in words(page)


def test_edit_writes_only_what_was_changed(editor: Client) -> None:
    contact = make_contact("Alice")
    url = f"/contacts/{contact.pk}/edit/"
    with CaptureQueriesContext(connection) as queries:
        post(editor, url, name="Alice", note="new", version=1)
    [written] = [q["sql"] for q in queries if q["sql"].startswith('UPDATE "contacts_contact"')]
    assert '"note"' in written
    assert '"name"' not in written


def test_stale_edit_is_refused_showing_both_values(editor: Client) -> None:
    contact = make_contact("Alice", note="old")
    Contact.objects.filter(pk=contact.pk).update(note="theirs")
    url = f"/contacts/{contact.pk}/edit/"
    page = post(editor, url, 409, name="Alice", note="mine", version=1)
    assert "The ledger now has: “theirs”. You entered: “mine”. Nothing was saved." in words(page)
    assert '<input type="hidden" name="version" value="2"' in page
    contact.refresh_from_db()
    assert contact.note == "theirs"
    # Having seen theirs, the person decides.
    post(editor, url, name="Alice", note="mine", version=2)
    contact.refresh_from_db()
    assert contact.note == "mine"


@pytest.mark.parametrize("version", [None, "", "x", "0", "-1", "9" * 30, "1.5", "\0"])
def test_edit_without_the_version_that_was_seen_changes_nothing(
    editor: Client, version: str | None
) -> None:
    contact = make_contact("Alice")
    data = {} if version is None else {"version": version}
    answer = editor.post(f"/contacts/{contact.pk}/edit/", {"name": "Bob", "note": "", **data})
    assert answer.status_code in {409, 422}
    contact.refresh_from_db()
    assert contact.name == "Alice"


def test_stale_edit_that_asks_for_what_is_there_is_no_conflict(editor: Client) -> None:
    contact = make_contact("Alice")
    for _ in range(2):
        post(editor, f"/contacts/{contact.pk}/edit/", name="Alice", note="twice", version=1)
    contact.refresh_from_db()
    assert (contact.note, contact.version) == ("twice", 2)


def test_refused_edit_keeps_what_was_typed(editor: Client) -> None:
    make_contact("Bob")
    contact = make_contact("Alice")
    url = f"/contacts/{contact.pk}/edit/"
    page = post(editor, url, 422, name="BOB", note="what I typed", version=1)
    assert "There is a contact “Bob” already." in words(page)
    assert "what I typed" in page
    assert "<h1><bdi>Alice</bdi></h1>" in page


def at_once(act: Callable[[int], Any], times: int) -> list[Any]:
    """What `act(n)` gives, run at the same time on connections of their own."""

    def run(number: int) -> Any:
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


@pytest.mark.django_db(transaction=True)
def test_one_name_added_by_many_at_once_becomes_one_contact() -> None:
    user = make_user("Editors")

    def add(number: int) -> int:
        client = Client()
        client.force_login(user)
        name = "Alice" if number % 2 else "ALICE"
        return client.post("/contacts/add/", {"name": name, "note": ""}).status_code

    assert sorted(at_once(add, 6)) == [303, 422, 422, 422, 422, 422]
    assert Contact.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_edits_at_once_one_is_saved_and_the_others_are_told() -> None:
    user, contact = make_user("Editors"), make_contact("Alice")

    def edit(number: int) -> int:
        client = Client()
        client.force_login(user)
        data = {"name": "Alice", "note": f"note {number}", "version": 1}
        return client.post(f"/contacts/{contact.pk}/edit/", data).status_code

    assert sorted(at_once(edit, 6)) == [303, 409, 409, 409, 409, 409]
    contact.refresh_from_db()
    assert contact.version == 2


# Addresses


def test_address_is_shown_whole_and_copied(viewer: Client) -> None:
    contact = make_contact("Alice")
    make_transaction([{"counterparty": make_address(ADDRESS, contact)}])
    page = get(viewer, contact.get_absolute_url())
    assert f'data-copy="{CHECKSUMMED}"' in page
    assert cells(page, "address") == [f"{CHECKSUMMED} copy"]
    assert cells(page, "network") == ["Ethereum (EVM)"]
    assert cells(page, "transaction_count") == ["1"]
    assert f'href="/transactions/?address={CHECKSUMMED}"' in page


def test_address_is_recognised_and_stored_in_its_one_form(editor: Client) -> None:
    contact = make_contact("Alice")
    url = f"/contacts/{contact.pk}/addresses/add/"
    post(editor, url, address=f" {CHECKSUMMED} ", family="")
    post(editor, url, address=BITCOIN.upper(), family="bitcoin")
    assert set(contact.addresses.values_list("family", "value")) == {
        ("evm", ADDRESS),
        ("bitcoin", BITCOIN),
    }


@pytest.mark.parametrize(
    ("address", "family", "told"),
    [
        (CHECKSUMMED.replace("fB", "FB"), "", "Not a valid Ethereum (EVM) address"),
        (BITCOIN.replace("ar0", "ar9"), "", "Not a valid Bitcoin address"),
        (BITCOIN, "evm", "This is an address of Bitcoin, not of Ethereum (EVM)."),
        ("hello", "", "not an address of a network that we know"),
        ("", "", "This field is required."),
        ("a\0", "", "Null characters are not allowed."),
        ("x" * 100_000, "", "at most 256 characters"),
        (ADDRESS, "nowhere", "Select a valid choice."),
    ],
)
def test_address_that_cannot_be_is_refused_with_what_is_wrong(
    editor: Client, address: str, family: str, told: str
) -> None:
    contact = make_contact("Alice")
    url = f"/contacts/{contact.pk}/addresses/add/"
    page = post(editor, url, 422, address=address, family=family)
    assert told in words(page)
    assert not Address.objects.exists()


def test_address_that_was_known_becomes_the_contacts(editor: Client) -> None:
    made = make_transaction([{"counterparty": ADDRESS}])
    contact = make_contact("Alice")
    post(editor, f"/contacts/{contact.pk}/addresses/add/", address=ADDRESS, family="evm")
    assert Address.objects.get(value=ADDRESS).contact == contact
    assert cells(get(editor, "/contacts/"), "transaction_count") == ["1"]
    assert made.entries.get().counterparty == contact.addresses.get()


def test_address_of_another_is_moved_only_when_that_is_asked_for(editor: Client) -> None:
    alice, bob = make_contact("Alice"), make_contact("Bob")
    address = make_address(ADDRESS, bob)
    url = f"/contacts/{alice.pk}/addresses/add/"
    page = post(editor, url, 422, address=ADDRESS, family="")
    assert "This address belongs to “Bob”." in words(page)
    assert f'name="move" value="{address.version}"' in page
    post(editor, url, address=ADDRESS, family="evm", move=address.version)
    address.refresh_from_db()
    assert address.contact == alice


def test_address_that_moved_on_meanwhile_is_not_moved(editor: Client) -> None:
    alice, bob, carol = make_contact("Alice"), make_contact("Bob"), make_contact("Carol")
    address = make_address(ADDRESS, bob)
    Address.objects.update(contact=carol)
    url = f"/contacts/{alice.pk}/addresses/add/"
    page = post(editor, url, 409, address=ADDRESS, family="evm", move=address.version)
    assert "This address belongs to “Carol”." in words(page)
    address.refresh_from_db()
    assert address.contact == carol


def test_removed_address_and_its_transactions_stay(editor: Client) -> None:
    contact = make_contact("Alice")
    address = make_address(ADDRESS, contact)
    make_transaction([{"counterparty": address}])
    url = f"/contacts/{contact.pk}/addresses/remove/"
    post(editor, url, address=f"{address.pk}:{address.version}")
    address.refresh_from_db()
    assert address.contact is None
    assert Transaction.objects.count() == 1


def test_address_that_moved_meanwhile_is_not_removed(editor: Client) -> None:
    alice, bob = make_contact("Alice"), make_contact("Bob")
    address = make_address(ADDRESS, alice)
    Address.objects.update(contact=bob)
    url = f"/contacts/{alice.pk}/addresses/remove/"
    page = post(editor, url, 409, address=f"{address.pk}:{address.version}")
    assert "belongs to “Bob” now. Nothing was changed." in words(page)
    address.refresh_from_db()
    assert address.contact == bob


@pytest.mark.parametrize(
    ("address", "status"), [("", 422), ("x", 422), ("1", 422), ("1:x", 422), (f"{10**17}:1", 404)]
)
def test_address_to_remove_has_to_be_named(editor: Client, address: str, status: int) -> None:
    contact = make_contact("Alice")
    post(editor, f"/contacts/{contact.pk}/addresses/remove/", status, address=address)


@pytest.mark.parametrize("sort", [*ADDRESS_ORDERINGS, *(f"-{name}" for name in ADDRESS_ORDERINGS)])
def test_every_order_walks_each_address_once(viewer: Client, sort: str) -> None:
    contact = make_contact("Alice")
    whole = {make_address(contact=contact).display for _ in range(5)}
    url = contact.get_absolute_url()
    seen: list[str] = []
    page = get(viewer, f"{url}?per_page=2&sort={sort}")
    while True:
        seen += re.findall(r'data-copy="([^"]*)"', page)
        link = next_page(page)
        if not link:
            break
        page = get(viewer, f"{url}{link}")
    assert len(seen) == 5
    assert set(seen) == whole


def test_contact_page_asks_as_many_queries_for_many_addresses(viewer: Client) -> None:
    contact = make_contact("Alice")

    def count() -> int:
        make_transaction([{"counterparty": make_address(contact=contact)}])
        with CaptureQueriesContext(connection) as queries:
            get(viewer, contact.get_absolute_url())
        return len(queries)

    few = count()
    for _ in range(20):
        make_address(contact=contact)
    assert count() == few


@pytest.mark.parametrize("query", ["sort=x", "per_page=201", "cursor=%00", "q=alice"])
def test_contact_page_that_cannot_be_read_shows_no_addresses(viewer: Client, query: str) -> None:
    contact = make_contact("Alice")
    make_address(ADDRESS, contact)
    page = get(viewer, f"{contact.get_absolute_url()}?{query}", 400)
    assert cells(page, "address") == []


@pytest.mark.parametrize("pk", ["0", str(2**63), "9" * 40])
def test_contact_that_does_not_exist_is_not_found(editor: Client, pk: str) -> None:
    get(editor, f"/contacts/{pk}/", 404)
    post(editor, f"/contacts/{pk}/edit/", 404, name="Alice", version=1)


# Removing a contact


def test_removing_tells_what_stays_and_then_it_stays(manager: Client) -> None:
    contact = make_contact("Alice")
    address = make_address(ADDRESS, contact)
    made = make_transaction(contact=contact)
    make_transaction([{"counterparty": address}])
    url = f"/contacts/{contact.pk}/remove/"
    assert "What stays: 2 transactions and 1 address" in words(get(manager, url))
    page = post(manager, url, version=contact.version)
    assert "Contact “Alice” removed. Its addresses and transactions stay." in words(page)
    made.refresh_from_db()
    address.refresh_from_db()
    assert (made.contact, address.contact) == (None, None)


@pytest.mark.parametrize("version", ["1", "", "x"])
def test_contact_that_changed_since_is_not_removed(manager: Client, version: str) -> None:
    contact = make_contact("Alice")
    Contact.objects.update(note="what they wrote")
    page = post(manager, f"/contacts/{contact.pk}/remove/", 409, version=version)
    assert "what they wrote" in page
    assert "Nothing was removed." in words(page)
    assert Contact.objects.exists()
