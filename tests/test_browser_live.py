"""An open page follows the ledger, in a real Chromium whose back/forward cache is on."""

import re
from typing import Any

import psycopg
import pytest
from conftest import Open, violations
from django.contrib.sessions.models import Session
from factories import make_address, make_batch, make_contact, make_label, make_transaction
from playwright.sync_api import Page, Request, expect

from transactions.models import Label, Transaction, TransactionLabel
from txsite.freshness import middleware
from txsite.freshness.revisions import current_revision

pytestmark = pytest.mark.django_db(transaction=True)

ASKED = re.compile(r"/changes/\?since=\d+$")
# How a page came into view, kept over its reloads: from the back/forward cache, and if so
# whether anything of it could be seen.
RECORD_PAGESHOW = """
addEventListener("pageshow", (event) => {
  if (event.persisted) sessionStorage.shown = document.documentElement.checkVisibility();
});
"""
SAY_VISIBLE = """(state) => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def note(psql: psycopg.Connection, made: Transaction, text: str) -> None:
    psql.execute("UPDATE transactions_transaction SET note = %s WHERE id = %s", [text, made.pk])


def remove(made: Transaction) -> None:
    Transaction.objects.filter(pk=made.pk).delete()


def move_to_the_top(psql: psycopg.Connection, first_pk: int, last_pk: int) -> None:
    """Makes transactions the newest ones."""
    psql.execute(
        "UPDATE transactions_transaction SET timestamp = timestamp + interval '1 year' "
        "WHERE id BETWEEN %s AND %s",
        [first_pk, last_pk],
    )


def row(page: Page, made: Transaction) -> Any:
    return page.locator(f"tr[data-id='{made.pk}']")


def ids(page: Page) -> list[int]:
    return [
        int(one)
        for one in page.eval_on_selector_all("tr[data-id]", "all => all.map(one => one.dataset.id)")
    ]


def open_editor(page: Page, made: Transaction, what: str) -> Any:
    row(page, made).locator(f"a[data-edit={what}]").click()
    editor = row(page, made).locator(f".editor[data-editor={what}]")
    expect(editor).to_be_visible()
    return editor


def listen(page: Page) -> None:
    """Keeps what a screen reader is told from now on in `told`."""
    page.evaluate(
        """() => {
          window.told = [];
          new MutationObserver((records) => {
            const added = records.flatMap((record) => [...record.addedNodes]);
            told.push(...added.map((one) => one.textContent));
          }).observe(document.getElementById("messages"), { childList: true });
        }"""
    )


def expect_receipt(page: Page) -> None:
    expect(page.locator("#receipt")).to_have_attribute(
        "data-revision", str(current_revision().number)
    )


# --- Rows


def test_rows_follow_a_commit_under_filter_and_order(
    open_page: Open, psql: psycopg.Connection
) -> None:
    rent = make_label("Rent")
    leaves, stays, changes = (make_transaction(labels=[rent], note=text) for text in "bdf")
    comes = make_transaction(note="c")
    page = open_page("/transactions/?label=Rent&sort=note")
    assert ids(page) == [leaves.pk, stays.pk, changes.pk]
    listen(page)
    for one in (stays, changes):
        row(page, one).evaluate("row => { row.cells[0].isTheSame = true; }")
    with psql.transaction():
        psql.execute(
            "DELETE FROM transactions_transactionlabel WHERE transaction_id = %s", [leaves.pk]
        )
        psql.execute(
            "INSERT INTO transactions_transactionlabel (transaction_id, label_id) VALUES (%s, %s)",
            [comes.pk, rent.pk],
        )
        note(psql, changes, "a")
    expect(row(page, comes)).to_be_visible()
    assert ids(page) == [changes.pk, comes.pk, stays.pk]
    expect(row(page, comes)).to_have_class("is-new")
    expect(row(page, changes)).to_have_class("is-changed")
    expect(row(page, changes).locator(".note")).to_have_text("a")
    assert not row(page, stays).get_attribute("class")
    for one in (stays, changes):
        assert row(page, one).evaluate("row => row.cells[0].isTheSame")
    expect_receipt(page)
    # One summary, whatever happened.
    assert page.evaluate("told") == ["Transactions: 1 changed, 1 new, 1 no longer here."]


def test_count_pager_and_filter_follow(open_page: Open) -> None:
    rent = make_label("Rent")
    first, second = make_transaction(labels=[rent]), make_transaction(labels=[rent])
    page = open_page("/transactions/?label=Rent&per_page=2")
    third = make_transaction(labels=[rent])
    expect(page.locator("#count")).to_have_text("3")
    assert ids(page) == [third.pk, second.pk]
    page.locator("a[rel=next]").first.click()
    expect(row(page, first)).to_be_visible()
    page.go_back()
    Transaction.objects.all().delete()
    expect(page.get_by_role("heading", name="No transaction fits this filter")).to_be_visible()
    expect(page.locator("table")).to_have_count(0)
    rent.delete()
    expect(page.locator(".error")).to_contain_text("Rent")
    make_transaction(labels=["Rent"])
    expect(page.locator("#count")).to_have_text("1")
    expect(page.locator(".error")).to_have_count(0)


def test_change_that_the_page_does_not_show_moves_the_receipt_alone(open_page: Open) -> None:
    shown = make_transaction()
    page = open_page("/transactions/")
    listen(page)
    row(page, shown).evaluate("row => { row.cells[0].isTheSame = true; }")
    make_contact("Bob")
    expect_receipt(page)
    assert row(page, shown).evaluate("row => row.cells[0].isTheSame")
    assert not row(page, shown).get_attribute("class")
    assert page.evaluate("told") == []


def test_what_another_person_saves_in_their_browser_comes(open_page: Open) -> None:
    made = make_transaction()
    mine, theirs = open_page("/transactions/"), open_page("/transactions/")
    editor = open_editor(theirs, made, "note")
    editor.locator("textarea").fill("by somebody else")
    editor.get_by_role("button", name="Save").click()
    expect(row(mine, made).locator(".note")).to_have_text("by somebody else")
    expect(row(mine, made)).to_have_class("is-changed")


@pytest.mark.parametrize("gone", [True, False])
def test_what_is_read_stays_where_it_is(
    open_page: Open, psql: psycopg.Connection, gone: bool
) -> None:
    made = [make_transaction(note=str(number)) for number in range(40)]
    page = open_page("/transactions/", viewport={"width": 1280, "height": 500})
    read = made[15]
    row(page, read).evaluate("row => scrollBy(0, row.getBoundingClientRect().top - 20)")
    before = row(page, read).evaluate("row => row.getBoundingClientRect().top")
    # Rows above come or go, and the first one in sight changes its height too.
    with psql.transaction():
        if gone:
            psql.execute("DELETE FROM transactions_entry WHERE transaction_id >= %s", [made[35].pk])
            psql.execute("DELETE FROM transactions_transaction WHERE id >= %s", [made[35].pk])
        else:
            move_to_the_top(psql, made[0].pk, made[4].pk)
        note(psql, made[16], "first\nsecond\nthird\nfourth")
    expect_receipt(page)
    assert ids(page)[0] == (made[34].pk if gone else made[4].pk)
    after = row(page, read).evaluate("row => row.getBoundingClientRect().top")
    assert abs(after - before) < 2


def test_focus_stays_on_the_same_control(open_page: Open, psql: psycopg.Connection) -> None:
    first, second = make_transaction(), make_transaction()
    page = open_page("/transactions/")
    row(page, first).locator("a[data-edit=labels]").focus()
    TransactionLabel.objects.create(transaction=first, label=make_label("Rent"))
    expect(row(page, first).locator(".chip")).to_have_text("Rent")
    expect(row(page, first).locator("a[data-edit=labels]")).to_be_focused()
    # The row of the focused control is moved to another place.
    move_to_the_top(psql, first.pk, first.pk)
    expect_receipt(page)
    assert ids(page) == [first.pk, second.pk]
    expect(row(page, first).locator("a[data-edit=labels]")).to_be_focused()
    remove(first)
    expect(row(page, second).locator("a[data-edit=labels]")).to_be_focused()


def test_other_lists_follow_too(open_page: Open, psql: psycopg.Connection) -> None:
    alice = make_contact("Alice")
    address = make_address(contact=alice)
    made = make_transaction([{"counterparty": address}])
    pages = {
        path: open_page(path, "Managers")
        for path in (
            f"/transactions/{made.pk}/",
            "/balances/",
            "/contacts/",
            f"/contacts/{alice.pk}/",
            "/changes/",
            "/imports/",
        )
    }
    batch = make_batch(file_name="before.csv")
    psql.execute(
        "UPDATE transactions_importbatch SET file_name = 'after.csv' WHERE id = %s", [batch.pk]
    )
    psql.execute("UPDATE contacts_contact SET name = 'Alisa'")
    psql.execute("UPDATE transactions_entry SET amount = 777")
    for page, selector, text in zip(
        pages.values(),
        (
            "td.col-counterparty",
            "td.col-amount .number",
            "td.col-name",
            "h1",
            "td.col-summary >> nth=0",
            "table.imports td >> nth=0",
        ),
        ("Alisa", "777", "Alisa", "Alisa", "1 entries changed", "after.csv"),
        strict=True,
    ):
        expect(page.locator(selector)).to_contain_text(text)
        expect_receipt(page)
    expect(pages[f"/contacts/{alice.pk}/"]).to_have_title(re.compile("Alisa"))
    expect(pages["/contacts/"].locator("tr.is-changed")).to_have_count(1)
    remove(made)
    expect(pages[f"/transactions/{made.pk}/"].locator("#messages")).to_contain_text(
        "no longer in the ledger"
    )


# --- Editors


def test_note_editor_tells_of_the_others_change_before_saving(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    editor = open_editor(page, made, "note")
    field = editor.locator("textarea")
    field.fill("half-writ")
    field.evaluate("field => { field.isTheSame = true; field.setSelectionRange(2, 4); }")
    note(psql, made, "by somebody else")
    TransactionLabel.objects.create(transaction=made, label=make_label("Rent"))
    expect(row(page, made).locator(".chip")).to_have_text("Rent")
    expect(editor.get_by_role("alert")).to_have_text(
        "Somebody else has changed this transaction meanwhile. "
        "Its note is now “by somebody else”. Saving asks you first."
    )
    expect(field).to_be_focused()
    expect(field).to_have_value("half-writ")
    assert field.evaluate(
        "field => [field.isTheSame, field.selectionStart, field.selectionEnd]"
    ) == [True, 2, 4]
    field.fill("mine")
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_role("alert")).to_contain_text("nothing of yours was saved yet")
    made.refresh_from_db()
    assert made.note == "by somebody else"
    editor.get_by_role("button", name="Save").click()
    expect(row(page, made).locator(".note")).to_have_text("mine")


def test_cancel_shows_what_is_there_now(open_page: Open, psql: psycopg.Connection) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    editor = open_editor(page, made, "note")
    note(psql, made, "by somebody else")
    expect(editor.get_by_role("alert")).to_be_visible()
    page.keyboard.press("Escape")
    expect(row(page, made).locator(".note")).to_have_text("by somebody else")


def test_editor_is_not_told_what_its_form_knows(open_page: Open, psql: psycopg.Connection) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    page.evaluate(SAY_VISIBLE, "hidden")
    note(psql, made, "by somebody else")
    editor = open_editor(page, made, "note")
    expect(editor.locator("textarea")).to_have_value("by somebody else")
    page.evaluate(SAY_VISIBLE, "visible")
    expect_receipt(page)
    expect(editor.get_by_role("alert")).to_have_count(0)


def test_other_editors_are_not_told_what_their_forms_know(open_page: Open) -> None:
    address = make_address()
    made = make_transaction([{"counterparty": address}], labels=["Old"])
    page = open_page("/transactions/", "Managers")
    page.evaluate(SAY_VISIBLE, "hidden")
    TransactionLabel.objects.all().delete()
    TransactionLabel.objects.create(transaction=made, label=make_label("Theirs"))
    make_address(address.display, make_contact("Alice"))
    labels = open_editor(page, made, "labels")
    expect(labels).to_contain_text("Theirs")
    expect(labels.get_by_role("alert")).to_have_count(0)
    contact = open_editor(page, made, "contact")
    page.evaluate(SAY_VISIBLE, "visible")
    expect_receipt(page)
    for editor in (labels, contact):
        expect(editor.get_by_role("alert")).to_have_count(0)


def test_labels_editor_tells_what_was_added_and_taken_off(open_page: Open) -> None:
    made = make_transaction(labels=["Old", "Kept"])
    page = open_page("/transactions/")
    editor = open_editor(page, made, "labels")
    editor.get_by_label("Add", exact=True).fill("Mine")
    page.keyboard.press("Enter")
    TransactionLabel.objects.filter(label__name="Old").delete()
    TransactionLabel.objects.create(transaction=made, label=make_label("Theirs"))
    expect(editor.get_by_role("alert")).to_have_text(
        "Somebody else has meanwhile added “Theirs” and taken off “Old”. "
        "What you add and take off is joined with that."
    )
    editor.get_by_role("button", name="Save").click()
    expect(row(page, made).locator(".chip")).to_have_text(["Kept", "Mine", "Theirs"])


def test_contact_editor_tells_of_an_address_that_was_given_away(open_page: Open) -> None:
    address = make_address()
    made = make_transaction([{"counterparty": address}])
    page = open_page("/transactions/", "Managers")
    editor = open_editor(page, made, "contact")
    editor.locator("[name=contact]").fill("Mine")
    make_address(address.display, make_contact("Theirs"))
    expect(editor.get_by_role("alert")).to_contain_text("Its contact is now “Theirs”.")
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_role("alert")).to_contain_text("nothing of yours was saved yet")


def test_note_of_somebody_else_survives_two_saves_of_other_fields(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    editor = open_editor(page, made, "note")
    editor.locator("textarea").fill("mine")
    note(psql, made, "by somebody else")
    for name in ("Rent", "Tax"):
        labels = open_editor(page, made, "labels")
        labels.get_by_label("Add", exact=True).fill(name)
        labels.get_by_role("button", name="Save").click()
        expect(row(page, made).locator(".chip", has_text=name)).to_be_visible()
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_role("alert")).to_contain_text("nothing of yours was saved yet")
    made.refresh_from_db()
    assert made.note == "by somebody else"


@pytest.mark.parametrize("is_last", [True, False])
def test_row_that_goes_under_an_editor_stays_until_that_is_closed(
    open_page: Open, is_last: bool
) -> None:
    others = [] if is_last else [make_transaction()]
    made = make_transaction()
    page = open_page("/transactions/")
    editor = open_editor(page, made, "note")
    editor.locator("textarea").fill("half-writ")
    remove(made)
    expect(editor.get_by_role("alert")).to_contain_text("no longer in this list")
    expect(row(page, made)).to_have_class("is-gone")
    expect(editor.locator("textarea")).to_have_value("half-writ")
    editor.get_by_role("button", name="Save").click()
    expect(editor.locator(".problem")).to_have_text(
        "This transaction is no longer in the ledger. Nothing was saved."
    )
    expect(editor.locator("textarea")).to_have_value("half-writ")
    page.keyboard.press("Escape")
    expect(page.locator("tr[data-id]")).to_have_count(len(others))
    if is_last:
        expect(page.get_by_role("heading", name="Your ledger is empty")).to_be_visible()


def test_row_that_is_edited_moves_only_when_the_editor_is_closed(
    open_page: Open, psql: psycopg.Connection
) -> None:
    first, second = make_transaction(note="b"), make_transaction(note="c")
    page = open_page("/transactions/?sort=note")
    editor = open_editor(page, second, "labels")
    with psql.transaction():
        note(psql, second, "a")
    expect(row(page, second).locator(".note")).to_have_text("a")
    assert ids(page) == [first.pk, second.pk]
    expect(editor.get_by_label("Add", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("tr[data-id]").first).to_have_attribute("data-id", str(second.pk))
    expect(row(page, second).locator("a[data-edit=labels]")).to_be_focused()


def test_row_that_stayed_for_its_editor_goes_although_the_first_attempt_fails(
    open_page: Open,
) -> None:
    made = make_transaction()
    page = open_page("/transactions/")
    editor = open_editor(page, made, "note")
    remove(made)
    expect(editor.get_by_role("alert")).to_contain_text("no longer in this list")
    page.route("**/transactions/", lambda route: route.fulfill(status=503, body=""))
    with page.expect_response("**/transactions/"):
        page.keyboard.press("Escape")
    expect(page.locator("tr[data-id]")).to_have_count(1)
    page.unroute("**/transactions/")
    expect(page.locator("tr[data-id]")).to_have_count(0)


def test_own_save_is_not_announced_as_a_change(open_page: Open) -> None:
    made = make_transaction(labels=["Old"])
    page = open_page("/transactions/?label=Old")
    listen(page)
    editor = open_editor(page, made, "note")
    editor.locator("textarea").fill("mine")
    editor.get_by_role("button", name="Save").click()
    expect(row(page, made).locator(".note")).to_have_text("mine")
    expect_receipt(page)
    assert not row(page, made).get_attribute("class")
    assert page.evaluate("told") == ["Saved note."]
    # What the own save takes out of the filter goes.
    editor = open_editor(page, made, "labels")
    editor.get_by_label("Old take off").check()
    editor.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="No transaction fits this filter")).to_be_visible()


SLOW_FORM = """() => {
  const real = fetch;
  window.fetch = async (url, options = {}) => {
    const answer = await real(url, options);
    if (!String(url).endsWith("/note/") || options.method) return answer;
    window.isWaiting = true;
    await new Promise((done) => { window.release = done; });
    return answer;
  };
}"""


def test_row_that_was_refreshed_while_its_form_came_is_not_taken_as_seen(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    page.evaluate(SLOW_FORM)
    row(page, made).locator("a[data-edit=note]").click()
    page.wait_for_function("() => window.isWaiting")
    note(psql, made, "theirs")
    expect(row(page, made).locator(".note")).to_have_text("theirs")
    page.evaluate("release()")
    editor = row(page, made).locator(".editor[data-editor=note]")
    expect(editor.locator("textarea")).to_have_value("before")
    labels = open_editor(page, made, "labels")
    labels.locator("[name=add]").fill("Rent")
    labels.get_by_role("button", name="Save").click()
    expect(row(page, made).locator("td.col-labels .chip")).to_have_text("Rent")
    editor.locator("textarea").fill("mine")
    editor.get_by_role("button", name="Save").click()
    expect(editor.locator(".error")).to_contain_text("theirs")
    assert Transaction.objects.get().note == "theirs"


def test_while_a_save_is_under_way_nothing_is_typed_or_closed_and_following_goes_on(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    editor = open_editor(page, made, "note")
    note(psql, made, "theirs")
    page.evaluate(
        """() => {
          const real = fetch;
          window.fetch = async (url, options = {}) => {
            if (options.method === "POST") {
              window.isWaiting = true;
              await new Promise((done) => { window.release = done; });
            }
            return real(url, options);
          };
        }"""
    )
    editor.locator("textarea").fill("mine")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("() => window.isWaiting")
    page.keyboard.press("Escape")
    page.keyboard.type(" and more")
    expect(editor.locator("textarea")).to_have_value("mine")
    page.evaluate("release()")
    expect(editor.locator(".error")).to_contain_text("theirs")
    make_transaction()
    expect(page.locator("tr[data-id]")).to_have_count(2)


def test_second_click_opens_the_same_editor(open_page: Open) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    listen(page)
    row(page, made).locator("a[data-edit=note]").dblclick()
    editor = row(page, made).locator(".editor[data-editor=note]")
    editor.locator("textarea").fill("mine")
    page.wait_for_load_state("networkidle")
    expect(editor.locator("textarea")).to_have_value("mine")
    assert page.evaluate("told") == []


def test_editor_that_cannot_be_opened_leaves_another_one_alone(open_page: Open) -> None:
    made, other = make_transaction(), make_transaction()
    page = open_page("/transactions/")
    editor = open_editor(page, made, "note")
    editor.locator("textarea").fill("half-written")
    page.route("**/note/", lambda route: route.fulfill(status=503, body=""))
    row(page, other).locator("a[data-edit=note]").click()
    expect(page.locator("#messages")).to_contain_text("cannot be edited now")
    expect(editor.locator("textarea")).to_have_value("half-written")


def test_own_save_that_is_under_way_is_not_told_as_somebody_elses(open_page: Open) -> None:
    made = make_transaction()
    page = open_page("/transactions/")
    page.evaluate(
        """() => {
          const real = fetch;
          let count = 0;
          window.fetch = async (url, options = {}) => {
            count += 1;
            const answer = await real(url, options);
            if (options.method !== "POST") return answer;
            // It is committed, and the page does not know yet.
            const before = count;
            dispatchEvent(new Event("focus"));
            window.askedMeanwhile = count - before;
            return answer;
          };
        }"""
    )
    editor = open_editor(page, made, "note")
    editor.locator("textarea").fill("mine")
    editor.get_by_role("button", name="Save").click()
    expect(row(page, made).locator(".note")).to_have_text("mine")
    assert page.evaluate("askedMeanwhile") == 0
    make_transaction()
    expect(page.locator("tr[data-id]")).to_have_count(2)


# --- When it asks


def asked(page: Page) -> list[Request]:
    """The questions of a page from now on."""
    requests: list[Request] = []
    page.on(
        "request", lambda request: requests.append(request) if ASKED.search(request.url) else None
    )
    return requests


def test_hidden_page_does_not_ask_and_catches_up_once_it_is_seen(open_page: Open) -> None:
    page = open_page("/transactions/")
    page.clock.install()
    page.reload()
    requests = asked(page)
    page.evaluate(SAY_VISIBLE, "hidden")
    make_transaction()
    page.clock.run_for(600_000)
    assert requests == []
    page.evaluate(SAY_VISIBLE, "visible")
    expect(page.locator("tr[data-id]")).to_have_count(1)
    assert len(requests) == 1


def test_idle_page_asks_less_and_less_until_it_is_touched(open_page: Open) -> None:
    page = open_page("/transactions/")
    page.clock.install()
    page.reload()
    # Answered at once, since the page's clock does not wait for the server.
    page.evaluate(
        "window.count = 0; window.fetch = async (url) => { if (url.startsWith('/changes/'))"
        " count += 1; return new Response(null, {status: 204}) }; 0"
    )

    def asked_within(seconds: int) -> int:
        before = int(page.evaluate("count"))
        for _ in range(seconds):
            page.clock.run_for(1_000)
        return int(page.evaluate("count")) - before

    busy, _ = asked_within(60), asked_within(120)
    assert busy >= 20
    assert asked_within(64) in (1, 2, 3)
    page.mouse.move(5, 5)
    assert asked_within(20) > 5


def test_page_that_was_offline_says_so_and_catches_up(open_page: Open) -> None:
    make_transaction()
    page = open_page("/transactions/")
    page.context.set_offline(True)
    expect(page.locator("#messages")).to_contain_text("this page may be old", timeout=15_000)
    make_transaction()
    assert len(ids(page)) == 1
    page.context.set_offline(False)
    expect(page.locator("tr[data-id]")).to_have_count(2)
    expect(page.locator("#messages")).not_to_contain_text("may be old")


def test_page_that_was_logged_out_elsewhere_says_so_and_asks_no_more(open_page: Open) -> None:
    make_transaction()
    page = open_page("/transactions/?status=ok")
    page.clock.install()
    page.reload()
    Session.objects.all().delete()
    page.clock.run_for(3000)
    expect(page.locator("#messages")).to_contain_text("You are logged out")
    assert violations(page) == []
    requests = asked(page)
    page.clock.run_for(600_000)
    assert requests == []
    page.locator("#live-state a").click()
    expect(page).to_have_url(re.compile(r"/login/\?next=/transactions/%3Fstatus%3Dok$"))


def test_way_back_of_a_page_that_is_over_loads_it_anew(open_page: Open) -> None:
    page = open_page("/transactions/#content")
    Session.objects.all().delete()
    make_transaction()
    page.get_by_role("link", name="Load the page again").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_page_of_somebody_whose_rights_were_taken_says_so(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction()
    page = open_page("/transactions/")
    psql.execute("DELETE FROM auth_user_groups")
    note(psql, made, "secret")
    expect(page.locator("#messages")).to_contain_text("may no longer see this")
    assert "secret" not in page.content()


# --- Back, forward, and other ways to a page


def visit(open_page: Open, path: str) -> Page:
    page = open_page("/balances/")
    page.context.add_init_script(RECORD_PAGESHOW)
    page.goto(path)
    return page


@pytest.mark.parametrize("keeps", [False, True])
def test_back_and_forward_show_the_present(
    open_page: Open, psql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, keeps: bool
) -> None:
    """This Chromium keeps no page of no-store; others do, so that once nothing forbids it."""
    if keeps:
        monkeypatch.setattr(middleware, "add_never_cache_headers", lambda response: None)
    made = make_transaction(note="before")
    page = visit(open_page, "/transactions/")
    page.goto("/contacts/")
    note(psql, made, "after")
    page.go_back()
    expect(row(page, made).locator(".note")).to_have_text("after")
    # Where it came from the back/forward cache, nothing old of it was to be seen.
    from_cache = "false" if keeps else None
    assert page.evaluate("sessionStorage.shown") == from_cache
    page.evaluate("sessionStorage.clear()")
    make_contact("Bob")
    page.go_forward()
    expect(page.locator("td.col-name")).to_have_text("Bob")
    assert page.evaluate("sessionStorage.shown") == from_cache


def test_duplicate_and_reopened_tab_show_the_present(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    page.evaluate(SAY_VISIBLE, "hidden")
    note(psql, made, "after")
    with page.expect_popup() as popup:
        page.evaluate("window.open(location.href)")
    expect(row(popup.value, made).locator(".note")).to_have_text("after")
    note(psql, made, "later")
    page.close()
    reopened = popup.value.context.new_page()
    reopened.goto("/transactions/")
    expect(row(reopened, made).locator(".note")).to_have_text("later")


@pytest.mark.parametrize("keeps", [False, True])
def test_back_after_logout_shows_the_login(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, keeps: bool
) -> None:
    if keeps:
        monkeypatch.setattr(middleware, "add_never_cache_headers", lambda response: None)
    make_transaction(note="secret")
    page = visit(open_page, "/transactions/")
    expect(page.locator(".note")).to_have_text("secret")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile(r"/login/\?next=/transactions/$"))
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert "secret" not in page.content()
    assert page.evaluate("sessionStorage.shown") == ("false" if keeps else None)


def test_download_leaves_the_page_in_sight(open_page: Open) -> None:
    made = make_transaction()
    page = open_page("/transactions/")
    with page.expect_download():
        page.evaluate("location.assign('/transactions/export/?format=json')")
    expect(row(page, made)).to_be_visible()
    make_transaction()
    expect(page.locator("tr[data-id]")).to_have_count(2)


# --- For all


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_refreshed_page_is_accessible(
    open_page: Open, psql: psycopg.Connection, scheme: str, width: int
) -> None:
    gone, edited, changed = (make_transaction(labels=["Rent"]) for _ in range(3))
    page = open_page(
        "/transactions/", color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    open_editor(page, gone, "note")
    open_editor(page, edited, "note")
    open_editor(page, edited, "labels")
    remove(gone)
    Label.objects.update(name="Miete")
    make_transaction()
    note(psql, edited, "by somebody else")
    note(psql, changed, "by somebody else")
    expect_receipt(page)
    expect(page.get_by_role("alert")).to_have_count(3)
    expect(page.locator("tr.is-new")).to_have_count(1)
    assert violations(page) == []


def test_marks_do_not_move_for_people_who_want_no_motion(open_page: Open) -> None:
    page = open_page("/transactions/", reduced_motion="reduce")
    make_transaction()
    expect(page.locator("tr.is-new")).to_have_count(1)
    assert page.evaluate("document.getAnimations().length") == 0


def test_page_never_goes_back_to_an_older_one(open_page: Open, psql: psycopg.Connection) -> None:
    """As when something between keeps pages, in spite of what they say."""
    made = make_transaction(note="first")
    page = open_page("/transactions/")
    headers = {"X-Ledger-Revision": str(current_revision().number)}
    old = page.content()
    note(psql, made, "second")
    expect(row(page, made).locator(".note")).to_have_text("second")
    page.evaluate(
        """() => {
          window.notes = [];
          const look = () => notes.push(document.querySelector(".note").textContent);
          const all = { childList: true, subtree: true, characterData: true };
          new MutationObserver(look).observe(document.getElementById("content"), all);
        }"""
    )
    page.route("**/transactions/", lambda route: route.fulfill(body=old, headers=headers))
    note(psql, made, "third")
    with page.expect_response("**/transactions/"):
        page.evaluate("dispatchEvent(new Event('focus'))")
    page.unroute("**/transactions/")
    expect(row(page, made).locator(".note")).to_have_text("third")
    expect_receipt(page)
    assert set(page.evaluate("notes")) == {"third"}


def test_page_follows_a_database_that_was_put_back(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction(note="first")
    page = open_page("/transactions/")
    note(psql, made, "second")
    psql.execute("UPDATE txsite_revision SET revision = revision - 100")
    try:
        expect(row(page, made).locator(".note")).to_have_text("second")
        expect_receipt(page)
    finally:
        psql.execute("UPDATE txsite_revision SET revision = revision + 100")
