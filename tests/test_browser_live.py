"""An open page follows the ledger, whoever writes, and leaves alone who is writing in it."""

import re
from collections.abc import Callable

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import Open
from django.contrib.sessions.models import Session
from factories import make_contact, make_label, make_transaction
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from transactions.models import Transaction
from txsite.freshness.revisions import current_revision

pytestmark = pytest.mark.django_db(transaction=True)

NOTE = "UPDATE transactions_transaction SET note = %s WHERE id = %s"
ROW_IS_THE_SAME = "document.querySelector('tr[data-id=\"{}\"]').seen === true"


def look(page: Page) -> None:
    """As when somebody comes back to the window: the page asks now, not in some seconds."""
    page.evaluate("dispatchEvent(new Event('focus'))")


def row(page: Page, record: Transaction) -> str:
    return f"tr[data-id='{record.pk}']"


def note(page: Page, record: Transaction) -> str:
    return f"{row(page, record)} .note"


def announced(page: Page) -> list[str]:
    return page.locator("#messages p").all_text_contents()


# --- The list


def test_open_list_follows_a_commit_at_psql_by_itself(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    psql.execute(NOTE, ["after", made.pk])
    expect(page.locator(note(page, made))).to_have_text("after", timeout=10_000)
    expect(page.locator(row(page, made))).to_have_class("is-changed")
    now = current_revision().number
    expect(page.locator("#receipt")).to_contain_text(f"change {now:,}")
    assert announced(page) == ["The ledger has changed: 1 changed."]


def test_list_follows_under_its_filter_order_and_page(
    open_page: Open, psql: psycopg.Connection
) -> None:
    rent = make_label("Rent")
    first, second, third = (make_transaction(labels=[rent], note=text) for text in "abc")
    other = make_transaction(note="ab")
    page = open_page("/transactions/?label=Rent&sort=note&per_page=2")
    expect(page.locator("tr[data-id] .note")).to_have_text(["a", "b"])
    page.evaluate("document.querySelectorAll('tr[data-id]').forEach(row => row.seen = true)")
    psql.execute(
        "INSERT INTO transactions_transactionlabel (transaction_id, label_id) VALUES (%s, %s)",
        [other.pk, rent.pk],
    )
    look(page)
    # One more, in its place; what was the second row is on the next page now.
    expect(page.locator("tr[data-id] .note")).to_have_text(["a", "ab"])
    expect(page.locator("#count")).to_have_text("4")
    expect(page.locator(row(page, other))).to_have_class("is-new")
    assert page.evaluate(ROW_IS_THE_SAME.format(first.pk))
    psql.execute("DELETE FROM transactions_transactionlabel WHERE transaction_id = %s", [first.pk])
    psql.execute(NOTE, ["aa", third.pk])
    look(page)
    expect(page.locator("tr[data-id] .note")).to_have_text(["aa", "ab"])
    expect(page.locator("#count")).to_have_text("3")
    expect(page.locator(row(page, other))).not_to_have_class(re.compile("is-new"))
    assert second.pk
    assert announced(page)[-1] == "The ledger has changed: 1 new, 1 gone."


def test_rows_that_did_not_change_stay_the_same_and_nothing_is_announced(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction()
    page = open_page("/transactions/")
    page.evaluate("document.querySelector('tr[data-id]').seen = true")
    page.locator("a[data-edit=note]").focus()
    psql.execute("INSERT INTO contacts_contact (name, note, version) VALUES ('Bob', '', 1)")
    look(page)
    expect(page.locator("#receipt")).to_have_attribute(
        "data-revision", str(current_revision().number)
    )
    assert page.evaluate(ROW_IS_THE_SAME.format(made.pk))
    expect(page.locator("a[data-edit=note]")).to_be_focused()
    assert announced(page) == []


def test_focus_stays_in_a_row_that_changes_and_moves(
    open_page: Open, psql: psycopg.Connection
) -> None:
    first, second = make_transaction(note="a"), make_transaction(note="b")
    page = open_page("/transactions/?sort=note")
    page.locator(f"{row(page, second)} a[data-edit=labels]").focus()
    psql.execute(NOTE, ["z", first.pk])
    look(page)
    expect(page.locator("tr[data-id] .note")).to_have_text(["b", "z"])
    expect(page.locator(f"{row(page, second)} a[data-edit=labels]")).to_be_focused()


def test_what_is_being_read_does_not_move(open_page: Open, psql: psycopg.Connection) -> None:
    made = [make_transaction(note=f"note {number}") for number in range(40)]
    page = open_page("/transactions/", viewport={"width": 1280, "height": 500})
    reading = made[10]
    page.locator(row(page, reading)).scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, 150)")
    before = page.locator(row(page, reading)).bounding_box()
    make_transaction(note="newest, so on top")
    psql.execute(NOTE, ["a note\nof\nmany\nlines", made[38].pk])
    look(page)
    expect(page.locator("#count")).to_have_text("41")
    after = page.locator(row(page, reading)).bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) < 2
    assert page.evaluate("scrollY") > 100


def test_page_never_goes_back_to_an_older_one(open_page: Open, psql: psycopg.Connection) -> None:
    """As when something between keeps pages, in spite of what they say."""
    made = make_transaction(note="first")
    page = open_page("/transactions/")
    old = page.content()
    psql.execute(NOTE, ["second", made.pk])
    look(page)
    expect(page.locator(note(page, made))).to_have_text("second")
    make_contact("Bob")
    with page.expect_response("**/transactions/"):
        page.route("**/transactions/", lambda route: route.fulfill(body=old, status=200))
        look(page)
    page.unroute("**/transactions/")
    expect(page.locator(note(page, made))).to_have_text("second")
    look(page)
    now = str(current_revision().number)
    expect(page.locator("#receipt")).to_have_attribute("data-revision", now)


def test_filter_that_names_what_is_gone_says_so(open_page: Open, psql: psycopg.Connection) -> None:
    make_transaction(labels=["Rent"])
    page = open_page("/transactions/?label=Rent")
    psql.execute("DELETE FROM transactions_transactionlabel")
    psql.execute("DELETE FROM transactions_label")
    look(page)
    expect(page.locator("#live [role=alert]")).to_contain_text("nothing is shown")
    expect(page.locator("tr[data-id]")).to_have_count(0)


def test_empty_list_fills_itself(open_page: Open) -> None:
    page = open_page("/transactions/")
    expect(page.locator("#live")).to_contain_text("Your ledger is empty")
    made = make_transaction()
    look(page)
    expect(page.locator(row(page, made))).to_be_visible()


@pytest.mark.parametrize("path", ["/balances/", "/contacts/", "/changes/", "/transactions/{}/"])
def test_other_pages_follow_too(open_page: Open, psql: psycopg.Connection, path: str) -> None:
    made = make_transaction([{"amount": "1"}])
    make_contact("Alice")
    page = open_page(path.format(made.pk))
    psql.execute("UPDATE transactions_entry SET amount = 777")
    psql.execute("UPDATE contacts_contact SET name = '777'")
    look(page)
    expected = "contacts changed" if path == "/changes/" else "777"
    expect(page.locator("#live")).to_contain_text(expected)


def test_page_about_a_transaction_that_is_removed_says_so(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction()
    page = open_page(f"/transactions/{made.pk}/")
    psql.execute("DELETE FROM transactions_entry")
    psql.execute("DELETE FROM transactions_transaction")
    look(page)
    expect(page.locator("#messages")).to_contain_text("no longer in the ledger")


# --- Editors


def edit(page: Page, what: str, record: Transaction) -> None:
    page.locator(f"{row(page, record)} a[data-edit={what}]").click()
    expect(page.locator(f".editor[data-editor={what}]")).to_be_visible()


def test_open_editor_stays_and_tells_of_the_change_before_it_is_saved(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    edit(page, "note", made)
    page.locator("textarea").fill("mine")
    psql.execute(NOTE, ["theirs", made.pk])
    look(page)
    expect(page.locator(".editor .theirs[role=alert]")).to_contain_text("It is now: theirs.")
    expect(page.locator("textarea")).to_have_value("mine")
    expect(page.locator("textarea")).to_be_focused()
    page.locator(".editor button").click()
    expect(page.locator(".editor .error")).to_contain_text("theirs")
    assert Transaction.objects.get().note == "theirs"
    page.locator(".editor button").click()
    expect(page.locator(note(page, made))).to_have_text("mine")


def test_cancelling_shows_what_is_there_now(open_page: Open, psql: psycopg.Connection) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    edit(page, "note", made)
    psql.execute(NOTE, ["theirs", made.pk])
    look(page)
    expect(page.locator(".theirs")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(note(page, made))).to_have_text("theirs")


def test_change_of_another_value_of_the_row_is_no_conflict(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made, bob = make_transaction(note="before"), make_contact("Bob")
    page = open_page("/transactions/")
    edit(page, "note", made)
    page.locator("textarea").fill("mine")
    psql.execute("UPDATE transactions_transaction SET contact_id = %s", [bob.pk])
    look(page)
    expect(page.locator("td.col-counterparty .contact")).to_have_text("Bob")
    expect(page.locator(".theirs")).to_have_count(0)
    page.locator(".editor button").click()
    expect(page.locator(note(page, made))).to_have_text("mine")


def test_labels_that_somebody_else_changes_are_told_and_merge(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made, theirs = make_transaction(labels=["Rent"]), make_label("Theirs")
    page = open_page("/transactions/")
    edit(page, "labels", made)
    page.get_by_label("Add", exact=True).fill("Mine")
    psql.execute(
        "INSERT INTO transactions_transactionlabel (transaction_id, label_id) VALUES (%s, %s)",
        [made.pk, theirs.pk],
    )
    look(page)
    expect(page.locator(".theirs")).to_contain_text("It is now: Rent, Theirs.")
    page.locator(".editor button:has-text('Save')").click()
    expect(page.locator("td.col-labels .chip")).to_have_text(["Mine", "Rent", "Theirs"])


@pytest.mark.parametrize("others", [0, 2])
def test_row_that_is_removed_under_an_editor_stays_with_what_was_written(
    open_page: Open, psql: psycopg.Connection, others: int
) -> None:
    made, *_ = (make_transaction(note="before") for _ in range(1 + others))
    page = open_page("/transactions/")
    edit(page, "note", made)
    page.locator("textarea").fill("mine")
    psql.execute("DELETE FROM transactions_entry WHERE transaction_id = %s", [made.pk])
    psql.execute("DELETE FROM transactions_transaction WHERE id = %s", [made.pk])
    look(page)
    expect(page.locator(".theirs")).to_contain_text("no longer in this list")
    expect(page.locator(row(page, made))).to_have_class("is-gone")
    expect(page.locator("textarea")).to_have_value("mine")
    expect(page.locator("#count")).to_have_text(str(others))
    page.locator("textarea").focus()
    page.keyboard.press("Escape")
    expect(page.locator(row(page, made))).to_have_count(0)


def test_edit_of_ones_own_is_no_change_by_somebody_else(open_page: Open) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    edit(page, "note", made)
    page.locator("textarea").fill("mine")
    page.locator(".editor button").click()
    now = str(current_revision().number)
    expect(page.locator("#receipt")).to_have_attribute("data-revision", now)
    look(page)
    expect(page.locator(row(page, made))).not_to_have_class(re.compile("is-"))
    assert announced(page) == ["Saved note."]


def test_note_changed_by_somebody_else_is_told_when_another_field_is_saved(
    open_page: Open, psql: psycopg.Connection
) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    edit(page, "note", made)
    page.locator("textarea").fill("mine")
    psql.execute(NOTE, ["theirs", made.pk])
    edit(page, "labels", made)
    page.get_by_label("Add", exact=True).fill("Rent")
    page.locator(".editor[data-editor=labels] button:has-text('Save')").click()
    expect(page.locator(".theirs")).to_contain_text("It is now: theirs.")
    look(page)
    expect(page.locator("td.col-labels .chip")).to_have_text("Rent")
    page.locator(".editor[data-editor=note] button").click()
    expect(page.locator(".editor .error")).to_contain_text("theirs")
    assert Transaction.objects.get().note == "theirs"


# --- When it asks


@pytest.fixture
def questions(open_page: Open) -> Callable[[Page], list[str]]:
    def count(page: Page) -> list[str]:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        return asked

    return count


def test_hidden_page_does_not_ask_and_catches_up_when_it_is_seen(
    open_page: Open, psql: psycopg.Connection, questions: Callable[[Page], list[str]]
) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    page.clock.install()
    page.reload()
    page.evaluate(
        "Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true})"
    )
    asked = questions(page)
    psql.execute(NOTE, ["after", made.pk])
    page.clock.run_for(300_000)
    look(page)
    assert asked == []
    page.evaluate("delete document.visibilityState")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(note(page, made))).to_have_text("after")


def test_idle_page_asks_less_often_until_somebody_is_there(open_page: Open) -> None:
    make_transaction()
    page = open_page("/transactions/")
    page.clock.install()
    page.reload()
    # Answered at once, since the clock does not wait for the server.
    page.evaluate(
        "window.count = 0; window.fetch = async () => "
        "{ count += 1; return new Response(null, {status: 204}) }"
    )

    def asked_in_a_minute() -> int:
        before = page.evaluate("count")
        page.clock.run_for(60_000)
        return int(page.evaluate("count")) - int(before)

    busy, _, _, idle = (asked_in_a_minute() for _ in range(4))
    page.keyboard.press("Shift")
    assert busy >= 10 * idle > 0
    assert asked_in_a_minute() >= 10 * idle


def test_page_catches_up_when_it_is_online_again(open_page: Open, psql: psycopg.Connection) -> None:
    made = make_transaction(note="before")
    page = open_page("/transactions/")
    page.context.set_offline(True)
    psql.execute(NOTE, ["after", made.pk])
    look(page)
    expect(page.locator(note(page, made))).to_have_text("before")
    page.context.set_offline(False)
    expect(page.locator(note(page, made))).to_have_text("after", timeout=15_000)


def test_page_says_when_one_is_logged_out_elsewhere_and_asks_no_more(
    open_page: Open, questions: Callable[[Page], list[str]]
) -> None:
    make_transaction()
    page = open_page("/transactions/")
    Session.objects.all().delete()
    look(page)
    expect(page.locator("#messages")).to_contain_text("You are logged out")
    asked = questions(page)
    look(page)
    assert asked == []
    page.get_by_role("link", name="Log in").click()
    expect(page).to_have_url(re.compile("/login/"))


# --- The browser's memory


def test_back_and_forward_show_the_present(open_page: Open) -> None:
    made = make_transaction(note="first")
    page = open_page("/transactions/")
    page.goto("/contacts/")
    make_contact("Alice")
    Transaction.objects.update(note="second")
    page.go_back()
    expect(page.locator(note(page, made))).to_have_text("second")
    Transaction.objects.update(note="third")
    page.go_forward()
    expect(page.locator("#live")).to_contain_text("Alice")
    page.go_back()
    expect(page.locator(note(page, made))).to_have_text("third")


def may_be_kept(route: Route) -> None:
    """This Chromium keeps no page that says no-store; another one, or another browser, might."""
    answer = route.fetch()
    headers = {name: value for name, value in answer.headers.items() if name != "cache-control"}
    route.fulfill(response=answer, headers=headers)


def test_page_out_of_the_back_cache_shows_nothing_old_even_for_a_moment(open_page: Open) -> None:
    make_transaction(note="before")
    page = open_page("/contacts/")
    # What is on the screen when the page comes back, before our own listeners do anything.
    page.add_init_script(
        "addEventListener('pageshow', event => { if (event.persisted) sessionStorage.cameBack = "
        "document.documentElement.hidden ? 'hidden' : document.body.innerText }, true)"
    )
    page.route("**/transactions/", may_be_kept)
    page.goto("/transactions/")
    page.goto("/contacts/")
    Transaction.objects.update(note="after")
    page.go_back()
    expect(page.locator("td.col-note .note")).to_have_text("after")
    # It did come out of the cache, so that this test tries what it is about.
    assert page.evaluate("sessionStorage.cameBack") == "hidden"


def test_second_tab_and_reopened_tab_show_the_present(open_page: Open) -> None:
    made = make_transaction(note="first")
    page = open_page("/transactions/")
    Transaction.objects.update(note="second")
    with page.context.expect_page() as opening:
        page.evaluate("open(location.href)")
    expect(opening.value.locator(note(page, made))).to_have_text("second")
    address = page.url
    page.close()
    Transaction.objects.update(note="third")
    again = opening.value.context.new_page()
    again.goto(address)
    expect(again.locator(note(page, made))).to_have_text("third")


def test_back_after_the_logout_shows_the_login_and_nothing_of_the_ledger(open_page: Open) -> None:
    make_transaction(note="secret")
    page = open_page("/transactions/")
    page.goto("/balances/")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login/"))
    for _ in range(2):
        page.go_back()
        expect(page.locator("#id_password")).to_be_visible()
        assert "secret" not in page.content()
        assert "ETH" not in page.content()


# --- For everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_marks_and_warnings_are_accessible(
    open_page: Open, psql: psycopg.Connection, live_server: LiveServer, scheme: str, width: int
) -> None:
    made = make_transaction(note="before")
    other = make_transaction(note="before")
    page = open_page(
        "/transactions/",
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
    )
    edit(page, "note", made)
    psql.execute("UPDATE transactions_transaction SET note = 'after'")
    make_transaction()
    look(page)
    expect(page.locator(row(page, other))).to_have_class("is-changed")
    expect(page.locator(".theirs")).to_be_visible()
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found] == []
