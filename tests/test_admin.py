"""The admin obeys the ledger's rules: versions, races, merging, who may, bad input."""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from factories import (
    make_address,
    make_asset,
    make_batch,
    make_contact,
    make_label,
    make_transaction,
    make_user,
    make_wallet,
)

from contacts.models import Address, Contact
from transactions.admin import LabelAdmin
from transactions.models import (
    Asset,
    ImportBatch,
    ImportLine,
    Label,
    Transaction,
    TransactionLabel,
    Wallet,
)

pytestmark = pytest.mark.django_db

ADDRESS = "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359"
CHECKSUMMED = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
OURS: list[Any] = [Contact, Address, Label, Wallet, Asset, Transaction, ImportBatch, ImportLine]


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def manager() -> Client:
    return logged_in(make_user("Managers", is_staff=True))


@pytest.fixture
def superuser() -> Client:
    return logged_in(make_user(None, is_staff=True, is_superuser=True))


def url(row: Any, what: str = "change") -> str:
    """The admin's page about a row, or of a model (`changelist`, `add`)."""
    meta = row._meta
    base = f"/admin/{meta.app_label}/{meta.model_name}/"
    return {"changelist": base, "add": f"{base}add/"}.get(what) or f"{base}{row.pk}/{what}/"


def get(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return answer.content.decode()


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


class Fields(HTMLParser):
    """What a browser would send for the page's main form, as it stands."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self.inside: str | None = None  # the select or textarea that is open
        self.feed(page[page.index('<div id="content-main">') :])

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        has = dict(pairs)
        name = has.get("name") or ""
        kind = has.get("type")
        if tag == "input" and name and kind not in {"submit", "button"}:
            if kind not in {"checkbox", "radio"} or "checked" in has:
                self.sent.setdefault(name, []).append(has.get("value") or "")
        elif tag in {"select", "textarea"}:
            self.inside = name
            if tag == "textarea":
                self.sent[name] = [""]
        elif tag == "option" and "selected" in has and self.inside:
            self.sent.setdefault(self.inside, []).append(has.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self.inside = None

    def handle_data(self, text: str) -> None:
        if self.inside in self.sent and self.lasttag == "textarea":
            self.sent[self.inside] = [text.removeprefix("\r\n").removeprefix("\n")]


def filled_in(client: Client, path: str) -> dict[str, Any]:
    """The form at `path` as a person gets it."""
    sent = Fields(get(client, path)).sent
    return {name: values for name, values in sent.items() if "__prefix__" not in name}


def save(client: Client, path: str, form: dict[str, Any], code: int = 302, **more: Any) -> str:
    """Send the form with some fields filled in differently; the answer's words."""
    answer = client.post(path, {**form, **more})
    page = answer.content.decode()
    assert answer.status_code == code, words(page)
    return words(page)


# Editing


def versioned_rows() -> dict[str, tuple[Any, str, str, str]]:
    """A row of each versioned model, a field, and what two people make of it."""
    return {
        "contact": (make_contact("Alice"), "note", "theirs", "mine"),
        "label": (make_label("Rent"), "description", "theirs", "mine"),
        "wallet": (make_wallet("Kraken", "exchange"), "name", "theirs", "mine"),
        "asset": (make_asset(), "name", "theirs", "mine"),
        "transaction": (make_transaction(), "note", "theirs", "mine"),
    }


def changed(field: str, value: str) -> dict[str, Any]:
    return {field: value}


VERSIONED = ["contact", "label", "wallet", "asset", "transaction"]


@pytest.mark.parametrize("model", VERSIONED)
def test_edit_is_saved_and_raises_the_version(manager: Client, model: str) -> None:
    row, field, _, mine = versioned_rows()[model]
    save(manager, url(row), filled_in(manager, url(row)), **changed(field, mine))
    row.refresh_from_db()
    assert (getattr(row, field), row.version) == (mine, 2)


@pytest.mark.parametrize("model", VERSIONED)
def test_stale_edit_is_refused_showing_both_values(manager: Client, model: str) -> None:
    row, field, theirs, mine = versioned_rows()[model]
    form = filled_in(manager, url(row))
    type(row).objects.filter(pk=row.pk).update(**{field: theirs})
    told = save(manager, url(row), form, 200, **changed(field, mine))
    assert f"The ledger now has: “{theirs}”. You entered: “{mine}”. Nothing was saved." in told
    row.refresh_from_db()
    assert getattr(row, field) == theirs


@pytest.mark.parametrize("model", VERSIONED)
def test_edit_without_a_version_is_refused(manager: Client, model: str) -> None:
    row, field, _, mine = versioned_rows()[model]
    before = getattr(row, field)
    form = filled_in(manager, url(row))
    for version in ([], [""], ["x"], ["9" * 30]):
        save(manager, url(row), {**form, "version": version}, 200, **changed(field, mine))
    row.refresh_from_db()
    assert getattr(row, field) == before


def test_having_seen_theirs_a_person_may_put_their_own_in_place(manager: Client) -> None:
    contact = make_contact("Alice")
    form = filled_in(manager, url(contact))
    Contact.objects.update(note="theirs")
    answer = manager.post(url(contact), {**form, "note": "mine"})
    again = Fields(answer.content.decode()).sent
    assert (again["note"], again["version"]) == (["mine"], ["2"])
    save(manager, url(contact), {**form, **again})
    contact.refresh_from_db()
    assert contact.note == "mine"


def test_address_that_changed_hands_meanwhile_is_not_given_away(manager: Client) -> None:
    alice, bob, carol = make_contact("Alice"), make_contact("Bob"), make_contact("Carol")
    address = make_address(ADDRESS, alice)
    form = filled_in(manager, url(address))
    Address.objects.update(contact=bob)
    told = save(manager, url(address), form, 200, contact=carol.pk)
    assert "The ledger now has: “Bob”. You entered: “Carol”." in told
    address.refresh_from_db()
    assert address.contact == bob


def test_only_changed_fields_are_written(manager: Client) -> None:
    contact = make_contact("Alice", note="before")
    form = filled_in(manager, url(contact))
    with CaptureQueriesContext(connection) as queries:
        save(manager, url(contact), form, note="after")
    [written] = [q["sql"] for q in queries if q["sql"].startswith('UPDATE "contacts_contact"')]
    assert '"note"' in written
    assert '"name"' not in written
    assert "version" not in written


def test_saving_nothing_writes_nothing(manager: Client) -> None:
    made = make_transaction(note="as it was", labels=["Rent"])
    save(manager, url(made), filled_in(manager, url(made)))
    made.refresh_from_db()
    assert (made.version, made.is_edited) == (1, False)


def test_edit_marks_a_transaction_as_edited_by_a_person(manager: Client) -> None:
    made = make_transaction()
    save(manager, url(made), filled_in(manager, url(made)), note="mine")
    made.refresh_from_db()
    assert made.is_edited


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
def test_of_two_who_save_at_once_one_is_refused() -> None:
    user, label = make_user("Managers", is_staff=True), make_label("Rent")
    form = filled_in(logged_in(user), url(label))

    def edit(number: int) -> int:
        data = {**form, "description": f"by {number}"}
        return logged_in(user).post(url(label), data).status_code

    assert sorted(at_once(edit, 6)) == [200, 200, 200, 200, 200, 302]
    label.refresh_from_db()
    assert label.version == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [Label, Contact])
def test_name_taken_at_the_same_moment_is_a_form_error(model: type[Label | Contact]) -> None:
    user = make_user("Managers", is_staff=True)
    form = filled_in(logged_in(user), url(model, "add"))

    def add(number: int) -> int:
        data = {**form, "name": "Rent" if number % 2 else "rent", "colour": "red"}
        return logged_in(user).post(url(model, "add"), data).status_code

    assert sorted(at_once(add, 6)) == [200, 200, 200, 200, 200, 302]
    assert model.objects.count() == 1


@pytest.mark.parametrize(
    ("model", "data", "told"),
    [
        (Label, {"name": "RENT", "colour": "red"}, "There is a label “Rent” already."),
        (Label, {"name": "a\0", "colour": "red"}, "one line without control characters"),
        (Label, {"name": "x" * 101, "colour": "red"}, "at most 100 characters"),
        (Label, {"name": "New", "colour": "plaid"}, "Select a valid choice."),
        (Contact, {"name": "\u2028"}, "This field is required."),
        (Wallet, {"kind": "hd", "name": ""}, "an HD wallet has a name"),
        (Wallet, {"kind": "hd", "name": "KRAKEN"}, "There is a wallet of this name already."),
        (Wallet, {"kind": "exchange", "name": "New", "venue": ""}, "has a name and a venue"),
        (Wallet, {"kind": "address", "name": "New", "address": "9" * 30}, "valid choice"),
        (Asset, {"kind": "native", "network": "ethereum", "symbol": "X"}, "already exists."),
        (Asset, {"kind": "nft", "network": "n", "symbol": "X"}, "asset_identity_fits_kind"),
        (Address, {"value": CHECKSUMMED, "family": ""}, "This address is known already."),
        (Address, {"value": CHECKSUMMED.replace("fB", "FB"), "family": ""}, "Not a valid"),
    ],
)
def test_what_the_database_would_refuse_is_a_form_error(
    manager: Client, model: Any, data: dict[str, Any], told: str
) -> None:
    make_label("Rent")
    make_wallet("Kraken", "exchange")
    make_asset()
    make_address(ADDRESS)
    before = model.objects.count()
    form = filled_in(manager, url(model, "add"))
    assert told in save(manager, url(model, "add"), form, 200, **data)
    assert model.objects.count() == before


def test_rule_over_a_field_that_is_not_shown_is_a_form_error(manager: Client) -> None:
    wallet = make_wallet("Kraken", "exchange")
    told = save(manager, url(wallet), filled_in(manager, url(wallet)), 200, name="")
    assert "an exchange account has a name and a venue" in told


# Addresses of a contact


def test_addresses_are_added_with_their_contact(manager: Client) -> None:
    form = filled_in(manager, url(Contact, "add"))
    more: dict[str, Any] = {"name": "Alice", "new-0-value": CHECKSUMMED, "new-0-family": ""}
    save(manager, url(Contact, "add"), form, **more)
    address = Address.objects.get()
    assert (address.family, address.value, str(address.contact)) == ("evm", ADDRESS, "Alice")


def test_mistyped_address_is_refused_naming_the_typo(manager: Client) -> None:
    alice = make_contact("Alice")
    typo = CHECKSUMMED.replace("fB", "FB")
    more: dict[str, Any] = {"new-0-value": typo, "new-0-family": ""}
    told = save(manager, url(alice), filled_in(manager, url(alice)), 200, **more)
    assert "Not a valid Ethereum (EVM) address" in told
    assert not Address.objects.exists()


def test_address_that_was_nobodys_is_taken(manager: Client) -> None:
    alice, address = make_contact("Alice"), make_address(ADDRESS)
    more: dict[str, Any] = {"new-0-value": ADDRESS, "new-0-family": "evm"}
    save(manager, url(alice), filled_in(manager, url(alice)), **more)
    address.refresh_from_db()
    assert address.contact == alice


def test_address_of_another_contact_is_not_taken(manager: Client) -> None:
    alice, bob = make_contact("Alice"), make_contact("Bob")
    address = make_address(ADDRESS, bob)
    more: dict[str, Any] = {"new-0-value": ADDRESS, "new-0-family": ""}
    told = save(manager, url(alice), filled_in(manager, url(alice)), 200, **more)
    assert "This address belongs to “Bob”" in told
    address.refresh_from_db()
    assert address.contact == bob


def test_address_entered_twice_is_a_form_error(manager: Client) -> None:
    alice = make_contact("Alice")
    more: dict[str, Any] = {
        "new-TOTAL_FORMS": 2,
        "new-0-value": ADDRESS,
        "new-0-family": "",
        "new-1-value": CHECKSUMMED,
        "new-1-family": "evm",
    }
    told = save(manager, url(alice), filled_in(manager, url(alice)), 200, **more)
    assert "Please correct the duplicate data" in told


def test_address_taken_away_stays_in_the_ledger(manager: Client) -> None:
    alice = make_contact("Alice")
    address = make_address(ADDRESS, alice)
    make_transaction([{"counterparty": address}])
    form = filled_in(manager, url(alice))
    removed: dict[str, Any] = {"known-0-is_removed": "on"}
    save(manager, url(alice), form, **removed)
    address.refresh_from_db()
    assert address.contact is None


def test_address_that_moved_meanwhile_is_not_taken_away(manager: Client) -> None:
    alice, bob = make_contact("Alice"), make_contact("Bob")
    make_address(contact=alice)
    address = make_address(ADDRESS, alice)
    form = filled_in(manager, url(alice))
    removed: dict[str, Any] = {f"known-{number}-is_removed": "on" for number in range(2)}
    Address.objects.filter(pk=address.pk).update(contact=bob)
    told = save(manager, url(alice), form, 200, **removed)
    assert "Somebody else has moved or changed this address meanwhile." in told
    address.refresh_from_db()
    assert address.contact == bob
    assert alice.addresses.count() == 1


def test_contact_with_very_many_addresses_can_still_be_edited(manager: Client) -> None:
    exchange = make_contact("Exchange")
    Address.objects.bulk_create(
        Address(family="evm", value=f"0x{number:040x}", contact=exchange) for number in range(400)
    )
    save(manager, url(exchange), filled_in(manager, url(exchange)), note="deposits")
    exchange.refresh_from_db()
    assert exchange.note == "deposits"


# Transactions


def names(made: Transaction) -> list[str]:
    return sorted(made.labels.values_list("name", flat=True))


def test_label_edits_of_two_people_merge(manager: Client) -> None:
    made = make_transaction(labels=["Rent", "Old"])
    mine, theirs = make_label("Mine"), make_label("Theirs")
    form = filled_in(manager, url(made))
    TransactionLabel.objects.create(transaction=made, label=theirs)
    kept = Label.objects.get(name="Rent").pk
    save(manager, url(made), form, chosen_labels=[kept, mine.pk])
    assert names(made) == ["Mine", "Rent", "Theirs"]


def test_label_that_somebody_took_off_meanwhile_does_not_come_back(manager: Client) -> None:
    made, mine = make_transaction(labels=["Rent"]), make_label("Mine")
    rent = Label.objects.get(name="Rent")
    form = filled_in(manager, url(made))
    TransactionLabel.objects.all().delete()
    save(manager, url(made), form, chosen_labels=[rent.pk, mine.pk])
    assert names(made) == ["Mine"]


def test_label_that_somebody_added_as_well_is_on_it_once(manager: Client) -> None:
    made, label = make_transaction(), make_label("Rent")
    form = filled_in(manager, url(made))
    TransactionLabel.objects.create(transaction=made, label=label)
    save(manager, url(made), form, chosen_labels=[label.pk])
    assert names(made) == ["Rent"]


def test_label_that_is_none_any_more_is_a_form_error(manager: Client) -> None:
    made, gone = make_transaction(), make_label("Rent").pk
    form = filled_in(manager, url(made))
    Label.objects.all().delete()
    for chosen in (gone, "x", "\0", "9" * 30):
        told = save(manager, url(made), form, 200, chosen_labels=[str(chosen)])
        assert "valid value" in told or "valid choice" in told or "Null characters" in told


@pytest.mark.parametrize("chosen", ["x", "\0", "9" * 30, "0", "-1", "1.5"])
def test_contact_that_is_none_is_a_form_error(manager: Client, chosen: str) -> None:
    made = make_transaction()
    told = save(manager, url(made), filled_in(manager, url(made)), 200, contact=chosen)
    assert "Select a valid choice" in told or "Null characters" in told


def test_what_files_tell_cannot_be_edited(manager: Client) -> None:
    made = make_transaction()
    form = filled_in(manager, url(made))
    before = Transaction.objects.values().get()
    forged: dict[str, Any] = {
        "type": "gift",
        "status": "failed",
        "txid": "0x1",
        "timestamp": "2020-01-01",
    }
    save(manager, url(made), form, **forged, is_edited="on", network="bitcoin")
    assert Transaction.objects.values().get() == before


def test_exact_amount_is_shown(manager: Client) -> None:
    made = make_transaction([{"amount": "-319.22562200498686051000"}])
    assert "-319.22562200498686051 " in words(get(manager, url(made)))


def test_foreign_keys_are_completed_and_never_a_list_of_thousands(manager: Client) -> None:
    for number in range(40):
        make_contact(f"Contact {number}")
        make_label(f"Label {number}")
    made, wallet = make_transaction(), make_wallet()
    for path in (url(made), url(wallet), url(Wallet, "add"), url(Address, "add")):
        page = get(manager, path)
        assert page.count("Contact ") + page.count("Label ") < 5


def test_completion_searches_by_name(manager: Client) -> None:
    make_contact("Alice")
    make_contact("Bob")
    query = "app_label=transactions&model_name=transaction&field_name=contact&term=ali"
    answer = manager.get(f"/admin/autocomplete/?{query}")
    assert [result["text"] for result in answer.json()["results"]] == ["Alice"]


@pytest.mark.parametrize("term", ["%00", "x" * 50_000, "%25", "(", "%F0%9F%98%80"])
def test_completion_of_nonsense_finds_nothing(manager: Client, term: str) -> None:
    make_contact("Alice")
    query = f"app_label=transactions&model_name=transaction&field_name=contact&term={term}"
    assert manager.get(f"/admin/autocomplete/?{query}").json()["results"] == []


# Lists


def everything() -> None:
    contact = make_contact()
    address = make_address(contact=contact)
    made = make_transaction(
        [{"counterparty": address, "wallet": make_wallet()}], ["Rent"], contact=contact
    )
    make_label()
    make_batch(lines=[{"transaction": made}])


@pytest.mark.parametrize("model", OURS)
def test_list_asks_as_many_queries_for_many_rows(manager: Client, model: Any) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            get(manager, url(model, "changelist"))
        return len(queries)

    everything()
    get(manager, url(model, "changelist"))
    few = count()
    for number in range(12):
        contact = make_contact(f"Contact {number}")
        made = make_transaction(
            [
                {
                    "counterparty": make_address(contact=contact),
                    "wallet": make_wallet(),
                    "asset": make_asset("T", code=f"0x{number:040x}"),
                }
            ],
            [f"Label {number}"],
            contact=contact,
        )
        make_batch(lines=[{"transaction": made}])
    assert count() == few


def test_counts_lead_to_the_transactions_that_were_counted(manager: Client) -> None:
    contact = make_contact("none")
    address = make_address(contact=contact)
    for _ in range(3):
        make_transaction([{"counterparty": address}], ["=Rent & food"])
    make_transaction()
    for model in (Label, Contact, Address):
        page = get(manager, url(model, "changelist"))
        links = re.findall(r'href="(/transactions/\?[^"]*)">(\d+)', page)
        assert links
        for link, count in links:
            assert f'id="count">{count}</strong>' in get(manager, unescape(link))
            assert count == "3"


def test_label_is_shown_in_its_colour_without_inline_style(manager: Client) -> None:
    make_label("Rent", colour="teal")
    page = get(manager, url(Label, "changelist"))
    assert '<span class="chip colour-teal"><bdi>Rent</bdi></span>' in page
    assert "style=" not in page


NONSENSE = [
    "q=%00",
    "q=" + "x" * 100_000,
    "q=" + "x+" * 40_000,
    "q=%F0%9F%98%80%25_'\"\\",
    "q=[a-z]*(",
    "p=-1",
    "p=x",
    "p=99999999999999999999",
    "o=999.-999.x",
    "o=" + "9" * 5_000,
    "id__exact=%00",
    "id__exact=x",
    "id__exact=" + "9" * 40,
    "pk__in=1,x",
    "name__exact=%00",
    "note=%00",
    "contact__id__exact=x",
    "contact__isempty=x",
    "batch__id__exact=" + "9" * 30,
    "type__exact=%00",
    "timestamp__gte=99999-01-01",
    "is_edited__exact=x",
    "unknown=1",
    "_facets=True",
    "all=",
    "e=1",
    "_changelist_filters=%00",
]


@pytest.mark.parametrize("model", OURS)
def test_search_and_filters_that_cannot_be_read_answer_without_failing(
    superuser: Client, model: Any
) -> None:
    everything()
    for query in NONSENSE:
        answer = superuser.get(f"{url(model, 'changelist')}?{query}", follow=True)
        assert answer.status_code in {200, 400}, query


@pytest.mark.parametrize("query", ["q=%00", "q=" + "x" * 201, "id__exact=%00", "id__exact=x"])
def test_search_that_cannot_be_read_shows_no_rows(superuser: Client, query: str) -> None:
    make_contact("Alice")
    page = get(superuser, f"{url(Contact, 'changelist')}?{query}")
    assert "Alice" not in page
    assert 'class="error"' in page


@pytest.mark.parametrize("pk", ["0", "x", "9" * 40, "_00"])
@pytest.mark.parametrize("model", OURS)
def test_row_that_does_not_exist_is_told(superuser: Client, model: Any, pk: str) -> None:
    for what in ("change", "delete", "history"):
        for method in (superuser.get, superuser.post):
            answer = method(f"{url(model, 'changelist')}{pk}/{what}/", follow=True)
            assert answer.status_code in {200, 403, 404}


def test_history_can_be_asked_for_by_any_method(superuser: Client) -> None:
    contact = make_contact()
    assert superuser.post(url(contact, "history")).status_code == 200


# Merging


def merge(client: Client, rows: Iterable[Any], code: int = 302, **answers: Any) -> str:
    """Choose the rows, look at what the admin asks, and answer; `keep` is the first row."""
    rows = list(rows)
    path = url(rows[0], "changelist")
    chosen = {"action": "merge", "_selected_action": [row.pk for row in rows]}
    asked = client.post(path, chosen).content.decode()
    seen = re.findall(r'name="seen" value="([^"]*)"', asked)
    answer = client.post(path, {**chosen, "seen": seen, "keep": rows[0].pk, **answers})
    page = answer.content.decode()
    assert answer.status_code == code, words(page)
    return words(asked if code == 302 else page)


def test_merging_asks_first_and_says_what_moves(manager: Client) -> None:
    alice, bob = make_contact("Alice", note="a note"), make_contact("Bob")
    make_transaction([{"counterparty": make_address(contact=bob)}])
    asked = merge(manager, [alice, bob])
    assert "Alice – 0 transactions, 0 addresses, a note" in asked
    assert "Bob – 1 transactions, 1 addresses" in asked


def test_merged_contacts_lose_no_link_and_no_note(manager: Client) -> None:
    alice = make_contact("Alice", note="first")
    bob = make_contact("Bob", note="second")
    carol = make_contact("Carol", note="second")
    addresses = [make_address(contact=contact) for contact in (alice, bob, carol)]
    mine = [make_transaction(contact=contact) for contact in (alice, bob, carol)]
    untouched = make_transaction(contact=make_contact("Dave"))
    merge(manager, [bob, alice, carol])
    bob.refresh_from_db()
    assert bob.note == "second\n\nfirst"
    assert set(bob.addresses.all()) == set(addresses)
    assert set(bob.transactions.all()) == set(mine)
    assert set(Contact.objects.values_list("name", flat=True)) == {"Bob", "Dave"}
    untouched.refresh_from_db()
    assert str(untouched.contact) == "Dave"


def test_merged_labels_lose_no_link_and_no_description(manager: Client) -> None:
    rent, food = make_label("Rent", description="a"), make_label("Food", description="b")
    only_rent = make_transaction(labels=["Rent"])
    only_food = make_transaction(labels=["Food", "Kept"])
    both = make_transaction(labels=["Rent", "Food"])
    merge(manager, [rent, food])
    assert (names(only_rent), names(only_food), names(both)) == (
        ["Rent"],
        ["Kept", "Rent"],
        ["Rent"],
    )
    rent.refresh_from_db()
    assert rent.description == "a\n\nb"
    assert not Label.objects.filter(name="Food").exists()


def test_many_labels_on_the_same_transactions_become_one(manager: Client) -> None:
    labels = [make_label(f"Label {number}") for number in range(4)]
    made = [make_transaction(labels=labels[:number]) for number in range(5)]
    merge(manager, labels[::-1])
    assert [names(one) for one in made] == [[], *[["Label 3"]] * 4]


def test_merging_is_kept_in_the_history_of_both(manager: Client) -> None:
    alice, bob = make_contact("Alice"), make_contact("Bob")
    make_address(contact=bob)
    merge(manager, [alice, bob])
    entries = LogEntry.objects.order_by("action_flag")
    assert [entry.object_repr for entry in entries] == ["Alice", "Bob"]
    assert entries[0].change_message == "Merged “Bob” (0 transactions, 1 addresses) into this."


def test_rows_that_changed_since_they_were_chosen_are_not_merged(manager: Client) -> None:
    alice, bob = make_contact("Alice"), make_contact("Bob")
    told = merge(manager, [alice, bob], 409, seen=[f"{alice.pk}:1"])
    assert "They have changed since you chose." in told
    Contact.objects.filter(pk=bob.pk).update(note="new")
    seen = [f"{alice.pk}:1", f"{bob.pk}:1"]
    told = merge(manager, [alice, bob], 409, seen=seen)
    assert "Nothing was merged." in told
    assert Contact.objects.count() == 2


def test_texts_that_do_not_fit_together_are_not_merged(manager: Client) -> None:
    alice, bob = make_contact("Alice", note="a" * 6_000), make_contact("Bob", note="b" * 6_000)
    told = merge(manager, [alice, bob], 409)
    assert "12,002 characters together, of 10,000 at most" in told
    assert Contact.objects.count() == 2


@pytest.mark.parametrize("keep", ["", "x", "0", "9" * 30, "\0"])
def test_kept_row_has_to_be_one_of_those_chosen(manager: Client, keep: str) -> None:
    alice, bob = make_contact("Alice"), make_contact("Bob")
    merge(manager, [alice, bob], 409, keep=keep)
    assert Contact.objects.count() == 2


def test_one_row_alone_is_not_merged(manager: Client) -> None:
    alice = make_contact("Alice")
    chosen = {"action": "merge", "_selected_action": [alice.pk]}
    answer = manager.post(url(alice, "changelist"), chosen, follow=True)
    assert "Choose 2 to 50 of them to merge." in words(answer.content.decode())


def test_editor_may_not_merge() -> None:
    editor = logged_in(make_user("Editors", is_staff=True))
    alice, bob = make_contact("Alice"), make_contact("Bob")
    assert "Merge" not in get(editor, url(Contact, "changelist"))
    chosen = {"action": "merge", "_selected_action": [alice.pk, bob.pk], "keep": alice.pk}
    seen = [f"{alice.pk}:1", f"{bob.pk}:1"]
    editor.post(url(Contact, "changelist"), {**chosen, "seen": seen})
    assert Contact.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_links_made_while_labels_are_merged_are_kept_or_refused_never_lost() -> None:
    manager = make_user("Managers", is_staff=True)
    made = [make_transaction() for _ in range(30)]
    for _ in range(4):
        Label.objects.all().delete()
        labels = (make_label("Rent"), make_label("Food"))
        linked = {pk for pks in at_once(merge_or_link(manager, labels, made), 3) for pk in pks}
        assert linked <= set(TransactionLabel.objects.values_list("transaction", flat=True))


def merge_or_link(
    user: User, labels: tuple[Label, Label], made: list[Transaction]
) -> Callable[[int], list[int]]:
    """0 merges the labels; the others meanwhile put the one that goes on transactions.

    Gives the transactions for which the ledger's own page said that it was done.
    """

    def work(number: int) -> list[int]:
        client = Client(raise_request_exception=False)
        client.force_login(user)
        if number == 0:
            merge(client, labels)
            return []
        return [
            one.pk
            for one in made[number::3]
            if client.post(f"/transactions/{one.pk}/labels/", {"add": "Food"}).status_code == 302
        ]

    return work


@pytest.mark.django_db(transaction=True)
def test_link_made_at_the_last_moment_of_a_merge_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever links to a label that goes, by hand as well, is told so and loses nothing."""
    user, made = make_user("Managers", is_staff=True), make_transaction()
    rent, food = make_label("Rent"), make_label("Food")
    outcomes = []

    def link(number: int) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        try:
            TransactionLabel.objects.create(transaction=made, label=food)
        except DatabaseError:
            return "refused"
        return "linked"

    move = LabelAdmin.move

    def move_and_link(*args: Any) -> None:
        move(*args)
        outcomes.extend(at_once(link, 1))

    monkeypatch.setattr(LabelAdmin, "move", move_and_link)
    merge(logged_in(user), [rent, food])
    assert outcomes == ["refused"]


# Who may


@pytest.mark.parametrize("group", ["Viewers", "Editors", "Managers"])
def test_admin_is_for_staff_alone(group: str) -> None:
    client = logged_in(make_user(group))
    for model in OURS:
        assert client.get(url(model, "changelist")).status_code == 302


def test_viewer_may_look_at_everything_and_change_nothing() -> None:
    everything()
    viewer = logged_in(make_user("Viewers", is_staff=True))
    for model in OURS:
        row = model.objects.first()
        assert 'type="submit"' not in get(viewer, url(row)).split('id="content-main"')[1]
        assert viewer.post(url(row), {"name": "x", "note": "x"}).status_code == 403
        assert viewer.get(url(model, "add")).status_code == 403
        assert viewer.post(url(row, "delete"), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", [Transaction, Wallet, Asset, ImportBatch, ImportLine])
def test_manager_may_not_delete_what_files_told(manager: Client, model: Any) -> None:
    everything()
    row = model.objects.first()
    assert manager.post(url(row, "delete"), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_nobody_adds_transactions_or_imports_by_hand(superuser: Client) -> None:
    for model in (Transaction, ImportBatch, ImportLine):
        assert superuser.get(url(model, "add")).status_code == 403


def test_superuser_may_delete_a_transaction_and_its_line_is_kept(superuser: Client) -> None:
    made = make_transaction(labels=["Rent"])
    make_batch(lines=[{"transaction": made}])
    save(superuser, url(made, "delete"), {"post": "yes"})
    assert not Transaction.objects.exists()
    assert ImportLine.objects.get().transaction is None


def test_only_an_import_without_lines_can_be_deleted(superuser: Client) -> None:
    told, failed = make_batch(lines=[{}]), make_batch(status="failed")
    assert "deletelink" not in get(superuser, url(told))
    assert "deletelink" in get(superuser, url(failed))
    assert superuser.post(url(told, "delete"), {"post": "yes"}).status_code == 403
    save(superuser, url(failed, "delete"), {"post": "yes"})
    assert ImportBatch.objects.get() == told


def test_deleting_a_label_says_where_it_is_and_keeps_the_transactions(manager: Client) -> None:
    for _ in range(3):
        make_transaction(labels=["Rent"])
    label = Label.objects.get()
    with CaptureQueriesContext(connection) as queries:
        asked = get(manager, url(label, "delete"))
    assert "Rent, which is on 3 transactions" in words(asked)
    assert len(queries) < 15
    save(manager, url(label, "delete"), {"post": "yes"})
    assert Transaction.objects.count() == 3


def test_deleting_a_contact_keeps_addresses_and_transactions(manager: Client) -> None:
    everything()
    save(manager, url(Contact.objects.get(), "delete"), {"post": "yes"})
    assert Transaction.objects.get().contact is None
    assert Address.objects.exclude(wallet__isnull=False).get().contact is None


def test_every_model_of_the_ledger_is_there() -> None:
    assert set(OURS) <= set(admin.site._registry)


@pytest.mark.parametrize(
    "path",
    [
        "contacts/contact/?name__regex=(",
        "transactions/transaction/?id__regex=(",
        "transactions/transaction/?timestamp__gte=9999-12-31T23:59:59-23:00",
        "transactions/transaction/?timestamp__year=99999",
        "transactions/transaction/?status__exact=%00",
    ],
)
def test_lookup_that_no_link_asks_is_refused_and_never_an_error(client: Client, path: str) -> None:
    client.force_login(make_user("Managers", is_staff=True))
    make_transaction(note="canary")
    answer = client.get(f"/admin/{path}")
    assert answer.status_code in {200, 302, 400}
    assert b"canary" not in answer.content


@pytest.mark.parametrize("action", ["merge", "delete_selected"])
@pytest.mark.parametrize("chosen", ["abc", "\0", "9" * 30])
def test_rows_that_cannot_be_are_refused(client: Client, action: str, chosen: str) -> None:
    client.force_login(make_user("Managers", is_staff=True))
    make_contact("Alice")
    data = {"action": action, "_selected_action": chosen}
    assert client.post("/admin/contacts/contact/", data).status_code == 302
    assert Contact.objects.count() == 1


def test_nothing_of_the_ledger_is_told_after_the_logout(client: Client) -> None:
    client.force_login(make_user("Editors"))
    client.post("/contacts/add/", {"name": "Canary", "note": ""})
    client.post("/logout/")
    assert b"Canary" not in client.get("/login/").content
    client.force_login(make_user("Viewers"))
    assert b"Canary" not in client.get("/balances/").content


def test_contact_form_is_saved_although_somebody_added_an_address_meanwhile(
    client: Client,
) -> None:
    client.force_login(make_user("Managers", is_staff=True))
    alice = make_contact("Alice")
    data = {
        "name": "Alice",
        "note": "typed meanwhile",
        "version": alice.version,
        "new-TOTAL_FORMS": 0,
        "new-INITIAL_FORMS": 0,
    }
    make_address(contact=alice)
    assert client.post(f"/admin/contacts/contact/{alice.pk}/change/", data).status_code == 302
    alice.refresh_from_db()
    assert alice.note == "typed meanwhile"
