"""Admin and contact pages in a real Chromium: no rule of the CSP broken, usable by all."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.test import Client
from factories import make_address, make_batch, make_contact, make_label, make_transaction
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from contacts.models import Contact
from transactions.models import Label, Transaction

pytestmark = pytest.mark.django_db(transaction=True)

Open = Callable[..., Page]
REPORT = "addEventListener('securitypolicyviolation', e => console.error(`CSP ${e.blockedURI}`))"


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer) -> Iterator[Open]:
    """Opens a page, logged in as a superuser; at the end nothing went wrong in it."""
    complaints: list[str] = []
    contexts = []

    def opened(path: str, **options: Any) -> Page:
        user = User.objects.filter(username="root").first()
        client = Client()
        client.force_login(user or User.objects.create_superuser("root"))
        context = browser.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        cookie = client.cookies["sessionid"]
        context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": live_server.url}])
        page = context.new_page()
        page.add_init_script(REPORT)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    # Browsers ask for /favicon.ico by themselves.
    assert [text for text in complaints if "404" not in text] == []


def everything() -> None:
    contact = make_contact("Alice")
    made = make_transaction(
        [{"counterparty": make_address(contact=contact)}], ["Rent"], contact=contact
    )
    make_batch(lines=[{"transaction": made}])


def test_admin_works_under_the_strict_policy(open_page: Open) -> None:
    everything()
    page = open_page("/admin/")
    lists = page.locator("#content-main th a").evaluate_all("links => links.map(a => a.href)")
    assert len(lists) >= 10
    for path in lists:
        page.goto(path)
        first = page.locator("#result_list tbody th a, #result_list td.field-number a").first
        if first.count():
            first.click()
            expect(page.locator("#content h1")).to_be_visible()


def test_label_is_chosen_by_typing_in_the_admin(open_page: Open) -> None:
    make_label("Salary")
    made = make_transaction(labels=["Rent"])
    page = open_page(f"/admin/transactions/transaction/{made.pk}/change/")
    page.locator(".field-chosen_labels .select2-search__field").fill("sal")
    page.get_by_role("option", name="Salary").click()
    page.locator(".field-chosen_labels .select2-selection__choice__remove").first.click()
    page.keyboard.press("Escape")  # the choices, which open again
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert list(Transaction.objects.get().labels.values_list("name", flat=True)) == ["Salary"]


def test_contact_gets_addresses_in_the_admin(open_page: Open) -> None:
    page = open_page("/admin/contacts/contact/add/")
    page.get_by_label("Name").fill("Alice")
    page.get_by_text("Add another Address").click()
    for number, digit in enumerate("12"):
        page.locator(f"#id_new-{number}-value").fill("0x" + digit * 40)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert Contact.objects.get().addresses.count() == 2


def test_labels_are_merged_in_the_admin(open_page: Open) -> None:
    for name in ("Rent", "rent 2"):
        make_transaction(labels=[name])
    page = open_page("/admin/transactions/label/")
    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option("merge")
    page.get_by_role("button", name="Go", exact=True).first.click()
    page.get_by_label("rent 2").check()
    page.get_by_role("button", name="Merge into the chosen one").click()
    expect(page.locator(".messagelist .success")).to_contain_text("Merged “Rent” into “rent 2”.")
    assert Label.objects.get().transactions.count() == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_contact_pages_are_accessible_and_fit(open_page: Open, scheme: str, width: int) -> None:
    everything()
    contact = Contact.objects.get()
    page = open_page("/contacts/", color_scheme=scheme, viewport={"width": width, "height": 800})
    for path in ("/contacts/", contact.get_absolute_url(), "/contacts/add/"):
        page.goto(path)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_contact_is_edited_and_an_address_removed_without_script(open_page: Open) -> None:
    everything()
    contact = Contact.objects.get()
    page = open_page(contact.get_absolute_url(), java_script_enabled=False)
    page.get_by_role("button", name="Remove address").click()
    expect(page.locator("#messages")).to_contain_text("is no longer of “Alice”.")
    page.get_by_label("Note").fill("met in May")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#messages")).to_contain_text("Contact “Alice” saved.")
    contact.refresh_from_db()
    assert (contact.note, contact.addresses.count()) == ("met in May", 0)
