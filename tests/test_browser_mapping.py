"""The mapping screen in a real Chromium."""

from io import BytesIO

import pytest
from conftest import Open, violations
from playwright.sync_api import expect

from transactions.imports.importer import import_batch, new_batch
from transactions.imports.rows import FileError

pytestmark = pytest.mark.django_db(transaction=True)

BANK = (
    "Buchungstag;Auftraggeber/Empfänger;Verwendungszweck;Betrag;Währung;Saldo\n"
    "31.01.2024;Bob;Miete;-1.234,56;EUR;5.000,00\n"
)


def test_columns_are_said_and_the_lines_shown_by_them(open_page: Open) -> None:
    batch = new_batch(BytesIO(BANK.encode()), "bank.csv", is_confirmed=False)
    with pytest.raises(FileError):
        import_batch(batch, BytesIO(BANK.encode()))
    page = open_page(f"{batch.get_absolute_url()}columns/")
    line = page.get_by_role("table", name="as they would be read").locator("tbody tr td")
    expect(line).to_have_text(["2024-01-31 00:00:00", "-1234.56 EUR", "Bob", "Miete"])
    page.get_by_label("Contact").select_option("none")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Show").click()
    expect(line).to_have_text(["2024-01-30 23:00:00", "-1234.56 EUR", "Miete"])
    expect(page.get_by_role("heading", name="Read that way")).to_be_in_viewport()
    assert violations(page) == []
