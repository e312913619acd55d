"""The list in a real Chromium: editing with and without script, for the keyboard and for all."""

import re

import pytest
from conftest import Open, violations
from django.db import connection
from factories import make_address, make_contact, make_label, make_transaction
from playwright.sync_api import FilePayload, Page, expect

from contacts.models import Contact
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


def edit(page: Page, what: str) -> None:
    page.locator(f"a[data-edit={what}]").first.click()
    expect(page.locator(f".editor[data-editor={what}]").first).to_be_visible()


def test_labels_are_edited_in_place(open_page: Open) -> None:
    made = make_transaction(labels=["Rent", "Old"])
    make_label("Salary")
    page = open_page("/transactions/")
    edit(page, "labels")
    field = page.get_by_label("Add", exact=True)
    expect(field).to_be_focused()
    field.fill("Sal")
    # Completed from the database.
    expect(page.locator("datalist[id^=label-names] option")).to_have_count(1)
    field.fill("Salary")
    field.press("Enter")
    field.fill("Brand new, Inc.")
    field.press("Enter")
    page.get_by_label("Old take off").check()
    field.press("Enter")
    expect(page.locator("td.col-labels .chip")).to_have_text(["Brand new, Inc.", "Rent", "Salary"])
    expect(page.locator("a[data-edit=labels]")).to_be_focused()
    expect(page.locator("#messages")).to_contain_text("Saved labels.")
    assert sorted(made.labels.values_list("name", flat=True)) == [
        "Brand new, Inc.",
        "Rent",
        "Salary",
    ]


def test_note_is_edited_in_place_by_keyboard(open_page: Open) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    page.locator("a[data-edit=note]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("textarea")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("after")
    page.keyboard.press("Control+Enter")
    expect(page.locator("td.col-note .note")).to_have_text("after")
    expect(page.locator("a[data-edit=note]")).to_be_focused()
    assert Transaction.objects.get(pk=made.pk).note == "after"
    assert page.locator("tr[data-id]").get_attribute("data-version") == "2"


def test_escape_leaves_everything_as_it_was(open_page: Open) -> None:
    make_transaction(note="before")
    page = open_page("/transactions/")
    edit(page, "note")
    page.locator("textarea").fill("other")
    page.keyboard.press("Escape")
    expect(page.locator("td.col-note .note")).to_have_text("before")
    expect(page.locator("a[data-edit=note]")).to_be_focused()
    assert Transaction.objects.get().note == "before"


def test_edit_that_came_too_late_shows_both_and_saves_on_purpose(open_page: Open) -> None:
    make_transaction(note="before")
    page = open_page("/transactions/")
    edit(page, "note")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE transactions_transaction SET note = 'by somebody else'")
    page.locator("textarea").fill("mine")
    page.get_by_role("button", name="Save").click()
    alert = page.locator(".editor [role=alert]")
    expect(alert).to_contain_text("by somebody else")
    expect(alert).to_contain_text("mine")
    assert Transaction.objects.get().note == "by somebody else"
    page.get_by_role("button", name="Save").click()
    expect(page.locator("td.col-note .note")).to_have_text("mine")
    assert Transaction.objects.get().note == "mine"


def test_saving_one_field_keeps_another_open_editor_and_what_is_in_it(open_page: Open) -> None:
    make_transaction()
    page = open_page("/transactions/")
    edit(page, "note")
    page.locator("textarea").fill("half-writ")
    edit(page, "contact")
    contact = page.locator(".editor [name=contact]")
    contact.fill("Alice")
    contact.press("Enter")
    expect(page.locator("td.col-counterparty .contact")).to_have_text("Alice")
    expect(page.locator("textarea")).to_have_value("half-writ")
    page.locator("textarea").fill("half-written")
    page.locator(".editor[data-editor=note] button").click()
    expect(page.locator("td.col-note .note")).to_have_text("half-written")


def test_note_of_somebody_else_is_not_overwritten_after_saving_another_field(
    open_page: Open,
) -> None:
    make_transaction()
    page = open_page("/transactions/")
    edit(page, "note")
    page.locator("textarea").fill("mine")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE transactions_transaction SET note = 'by somebody else'")
    edit(page, "labels")
    page.get_by_label("Add", exact=True).fill("Rent")
    page.locator(".editor[data-editor=labels] button:has-text('Save')").click()
    expect(page.locator("td.col-labels .chip")).to_have_text("Rent")
    page.locator(".editor[data-editor=note] button").click()
    expect(page.locator(".editor [role=alert]")).to_contain_text("by somebody else")
    assert Transaction.objects.get().note == "by somebody else"


def test_completion_offers_odd_names_so_that_they_mean_themselves(open_page: Open) -> None:
    for name in ("-odd", "none", "Rent"):
        make_label(name)
    make_transaction()
    page = open_page("/transactions/")
    page.locator("summary").click()
    field, options = page.get_by_label("Label", exact=True), page.locator("datalist#labels option")
    for typed, offered in (("-Re", "-Rent"), ("non", "=none"), ("odd", "=-odd")):
        field.fill(typed)
        expect(options).to_have_count(1)
        expect(options).to_have_attribute("value", offered)


def test_contact_for_an_address_shows_on_all_its_transactions(open_page: Open) -> None:
    address = make_address()
    for _ in range(2):
        make_transaction([{"counterparty": address}])
    page = open_page("/transactions/")
    edit(page, "contact")
    page.locator(".editor [name=contact]").fill("Alice")
    page.get_by_label(re.compile("every transaction with")).check()
    page.locator(".editor button").click()
    expect(page.locator("td.col-counterparty .contact").first).to_have_text("Alice")
    page.reload()
    expect(page.locator("td.col-counterparty .contact")).to_have_text(["Alice", "Alice"])
    assert Contact.objects.get().addresses.get() == address


def test_everything_can_be_edited_without_script(open_page: Open) -> None:
    made = make_transaction(labels=["Old"])
    make_label("Salary")
    page = open_page("/transactions/?label=-Salary", java_script_enabled=False)
    edit(page, "labels")
    page.get_by_label("Add", exact=True).fill("New")
    page.get_by_label("Old take off").check()
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile(r"/transactions/\?label=-Salary$"))
    edit(page, "note")
    page.locator("textarea").fill("typed")
    page.get_by_role("button", name="Save").click()
    edit(page, "contact")
    page.locator(".editor [name=contact]").fill("Alice")
    page.get_by_role("button", name="Save").click()
    made.refresh_from_db()
    assert (made.note, str(made.contact)) == ("typed", "Alice")
    assert list(made.labels.values_list("name", flat=True)) == ["New"]


def test_filters_work_and_leave_a_clean_address(open_page: Open) -> None:
    make_transaction(labels=["Rent"])
    make_transaction()
    page = open_page("/transactions/")
    page.locator("summary").click()
    page.get_by_label("Label", exact=True).fill("Rent")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"/transactions/\?label=Rent$"))
    expect(page.locator("tr[data-id]")).to_have_count(1)
    page.get_by_role("link", name="Remove: label is Rent").click()
    expect(page.locator("tr[data-id]")).to_have_count(2)


def test_address_is_copied_whole(open_page: Open) -> None:
    address = make_address()
    make_transaction([{"counterparty": address}])
    page = open_page("/transactions/", permissions=["clipboard-read", "clipboard-write"])
    page.locator("button.copy").first.click()
    expect(page.locator("button.copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == address.display


def test_back_shows_the_present_and_not_the_past(open_page: Open) -> None:
    make_transaction(note="before")
    page = open_page("/transactions/")
    page.goto("/contacts/")
    Transaction.objects.update(note="after")
    page.go_back()
    expect(page.locator("td.col-note .note")).to_have_text("after")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_list_is_accessible(open_page: Open, scheme: str, width: int) -> None:
    at_alice = make_address(contact=make_contact("Alice"))
    for colour in ("grey", "red", "orange", "yellow", "green"):
        make_label(colour.title(), colour=colour)
    for _ in range(2):
        make_transaction(
            [{"counterparty": at_alice}, {"amount": "-0.01", "kind": "fee"}],
            ["Grey", "Red", "Orange", "Yellow", "Green"],
            note="a note",
        )
    make_transaction([{"amount": "-0.1", "kind": "fee"}], status="failed")
    page = open_page(
        "/transactions/?per_page=2&status=-pending",
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
    )
    assert violations(page) == []
    for what in ("labels", "note", "contact"):
        edit(page, what)
        expect(page.locator(f".editor[data-editor={what}]")).to_be_visible()
    page.locator("summary").click()
    assert violations(page) == []


@pytest.mark.parametrize(
    "path",
    ["/balances/", "/contacts/", "/imports/", "/transactions/?label=Nobody", "/contacts/add/"],
)
def test_other_pages_are_accessible(open_page: Open, path: str) -> None:
    make_transaction([{"counterparty": make_address(contact=make_contact("Alice"))}])
    assert violations(open_page(path)) == []


def test_choices_beside_a_long_label_are_in_sight(open_page: Open) -> None:
    make_transaction(network="bitcoin", txid="a" * 64, note="n" * 300)
    page = open_page("/labels/import/")
    label = f'{{"type":"tx","ref":"{"a" * 64}","label":"{"x" * 300}"}}'
    file: FilePayload = {"name": "l.jsonl", "mimeType": "text/plain", "buffer": label.encode()}
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Read").click()
    table = page.get_by_role("region", name="Conflicts")
    expect(table.get_by_label("Both")).to_be_visible()
    page.wait_for_load_state()
    assert table.evaluate("it => it.scrollWidth <= it.clientWidth")
