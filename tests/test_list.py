"""The list as people see it at /transactions/."""

import re
from decimal import Decimal
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from factories import (
    make_address,
    make_asset,
    make_contact,
    make_label,
    make_transaction,
    make_user,
    make_wallet,
)

from transactions import querysets, views
from transactions.models import Entry

pytestmark = pytest.mark.django_db

ALICE = "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359"
CHECKSUMMED = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"


def get(client: Client, query: str = "", status: int = 200) -> str:
    answer = client.get(f"/transactions/{query}")
    assert answer.status_code == status
    return answer.content.decode()


def rows(page: str) -> list[str]:
    return re.findall(r"<tr[^>]*data-id.*?</tr>", page, re.S)


def cell(row: str, name: str) -> str:
    """A cell's text, without its markup."""
    found = re.search(rf'<td class="col-{name}".*?>(.*?)</td>', row, re.S)
    assert found
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[1])).split())


def test_row_shows_everything_of_a_transaction(viewer: Client) -> None:
    wallet = make_wallet("Main")
    token = make_asset("XNN", code="0x" + "ab" * 20, name="XENON")
    made = make_transaction(
        [
            {"wallet": wallet, "amount": "-1.50", "counterparty": ALICE},
            {"wallet": wallet, "amount": "319.22562200498686051", "asset": token},
            {"wallet": wallet, "amount": "-0.00042", "kind": "fee"},
        ],
        ["Rent"],
        note="for <May>",
        type="trade",
    )
    [row] = rows(get(viewer))
    assert cell(row, "time") == made.timestamp.strftime("%Y-%m-%d %H:%M:%S")
    assert cell(row, "type") == "Trade"
    assert cell(row, "wallet") == "Main"
    assert cell(row, "out") == "1.5 ETH"
    assert cell(row, "into") == "319.22562200498686051 XNN"
    assert cell(row, "fee") == "0.00042 ETH"
    assert cell(row, "labels") == "Rent"
    assert cell(row, "note") == "for <May>"
    assert cell(row, "counterparty") == "0xfB69…d359"
    assert f'data-copy="{CHECKSUMMED}"' in row
    assert f'title="{CHECKSUMMED}"' in row
    assert f'href="https://etherscan.io/tx/{made.txid}"' in row
    assert f'data-id="{made.pk}" data-version="1"' in row


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0.000000000000000000000000000001", "0.000000000000000000000000000001"),
        (str(2**256 - 1), str(2**256 - 1)),
        ("1" + "0" * 77, "1" + "0" * 77),
        ("1E+20", "100000000000000000000"),
        ("21000000.123456780", "21000000.12345678"),
        ("10.00", "10"),
    ],
)
def test_amount_is_shown_to_the_last_digit(viewer: Client, amount: str, shown: str) -> None:
    make_transaction([{"amount": amount}])
    assert Entry.objects.get().amount == Decimal(amount)
    assert cell(rows(get(viewer))[0], "into") == f"{shown} ETH"


def test_contact_of_an_address_stands_for_it(viewer: Client) -> None:
    make_transaction([{"counterparty": make_address(ALICE, make_contact("Alice"))}])
    row = rows(get(viewer))[0]
    assert cell(row, "counterparty").startswith("Alice")
    assert f'data-copy="{CHECKSUMMED}"' in row


def test_contact_set_by_a_person_counts_first(viewer: Client) -> None:
    at_alice = make_address(ALICE, make_contact("Alice"))
    make_transaction([{"counterparty": at_alice}], contact=make_contact("Bob"))
    shown = cell(rows(get(viewer))[0], "counterparty")
    assert "Bob" in shown
    assert "Alice" not in shown


def test_newest_comes_first(viewer: Client) -> None:
    made = [make_transaction().pk for _ in range(3)]
    assert re.findall(r'data-id="(\d+)"', get(viewer)) == [str(pk) for pk in made[::-1]]


def test_viewer_sees_no_edit_controls_and_editor_does(client: Client) -> None:
    make_transaction()
    for group, count in (("Viewers", 0), ("Editors", 3), ("Managers", 3)):
        client.force_login(make_user(group))
        assert get(client).count("data-edit=") == count


def test_user_without_a_group_may_not_look(client: Client) -> None:
    client.force_login(make_user(None))
    get(client, status=403)


@pytest.mark.parametrize("path", ["/", "/transactions/", "/balances/", "/transactions/1/"])
def test_anonymous_is_sent_to_the_login(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.url.startswith("/login/")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?label=Nobody", "label"),
        ("?amount_min=1e999999", "amount_min"),
        ("?q=%00", "q"),
        ("?colour=red", "colour"),
        ("?per_page=0", "per_page"),
        ("?per_page=-1", "per_page"),
        ("?per_page=9999999999", "per_page"),
        ("?per_page=abc", "per_page"),
        ("?per_page=10&per_page=20", "per_page"),
        ("?date_after=2024-01-01&date_after=2024-01-02", "date_after"),
        ("?sort=colour", "sort"),
        ("?sort=--time", "sort"),
        ("?q=" + "+".join("abcdefghijklmnopqrstu"), "q"),
        ("?" + "label=x&" * 900, "label"),
        ("?sort=%00", "sort"),
        ("?sort=amount", "sort"),
        ("?sort=amount&asset=-ETH", "sort"),
        ("?cursor=nonsense", "cursor"),
        ("?sort=type&cursor=2024-01-01", "cursor"),
        ("?%00=1", "There is no filter"),
        ("?" + "x" * 100_000 + "=1", "There is no filter"),
        ("?q=" + "x" * 100_000, "q"),
    ],
)
def test_bad_query_is_answered_with_the_error_and_no_rows(
    viewer: Client, query: str, field: str
) -> None:
    make_transaction()
    page = get(viewer, query, status=400)
    assert rows(page) == []
    error = re.search(r'<div class="error" role="alert">(.*?)</div>', page, re.S)
    assert error
    assert field in error[1]
    assert len(page) < 500_000


def test_empty_ledger_says_how_to_begin(viewer: Client) -> None:
    page = get(viewer)
    assert "Your ledger is empty" in page
    assert 'href="/imports/"' in page


def test_empty_result_says_which_part_to_loosen(viewer: Client) -> None:
    make_transaction(labels=["Rent"])
    page = get(viewer, "?label=Rent&status=failed")
    assert "No transaction fits this filter" in page
    assert 'href="?status=failed">without' in page
    assert 'href="?label=Rent">without' in page


def test_column_heads_tell_and_turn_the_order(viewer: Client) -> None:
    make_transaction()
    page = get(viewer)
    assert re.search(r'col-time" aria-sort="descending"><a href="\?sort=time"', page)
    assert re.search(r'col-type" aria-sort="none"><a href="\?sort=type"', page)
    assert not re.search(r'col-out" aria-sort', page)
    page = get(viewer, "?asset=ETH&sort=-amount")
    assert re.search(r'col-out" aria-sort="descending"><a href="\?asset=ETH&amp;sort=amount"', page)


def test_number_of_queries_does_not_grow_with_the_rows(viewer: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            get(viewer, "?per_page=200&label=Rent&contact=Alice&asset=ETH&wallet=Main&q=0x")
        return len(captured)

    wallet, alice = make_wallet("Main"), make_contact("Alice")
    label = make_label("Rent")

    def make(count: int) -> None:
        for _ in range(count):
            entry = {"wallet": wallet, "counterparty": make_address(contact=alice)}
            other = {"wallet": wallet, "amount": "-1", "counterparty": make_address()}
            make_transaction([entry, other], [label, "Other"])

    make(10)
    queries()  # content types and such are read once a process
    few = queries()
    make(290)
    # What is frequent is found out by one query for the contact and one for the word, and more
    # than a page have to be counted.
    assert queries() <= few + 3


def test_pages_are_never_kept_by_the_browser(viewer: Client) -> None:
    answer = viewer.get("/transactions/")
    assert "no-store" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]


def test_page_sends_a_strict_content_security_policy(viewer: Client) -> None:
    make_transaction(labels=["Rent"])
    answer = viewer.get("/transactions/")
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert not re.search(r"\sstyle=|\son\w+=|<script>|<style", answer.content.decode())


def test_markup_in_names_is_text(viewer: Client) -> None:
    evil = "<script>alert(1)</script>"
    asset = make_asset(evil, code="0x" + "ab" * 20, name=evil)
    make_transaction(
        [{"wallet": make_wallet(evil), "asset": asset}],
        [evil],
        note=evil,
        method=evil,
        contact=make_contact(evil),
    )
    page = get(viewer, f"?label={evil}")
    assert evil not in page
    assert "&lt;script&gt;" in page


def test_balances_are_exact_and_link_to_their_transactions(viewer: Client) -> None:
    wallet = make_wallet("Main")
    for amount in ("0.1", "0.2", "1" + "0" * 40, "0.000000000000000001"):
        make_transaction([{"wallet": wallet, "amount": amount}])
    make_transaction([{"wallet": wallet, "amount": "-0.3", "kind": "fee"}])
    page = viewer.get("/balances/").content.decode()
    assert f"1{'0' * 40}.000000000000000001<" in page
    link = re.search(r'href="/transactions/(\?wallet=[^"]+)"', page)
    assert link
    assert len(rows(get(viewer, unescape(link[1])))) == 5


def test_detail_shows_the_transaction(viewer: Client) -> None:
    made = make_transaction([{"amount": "-1.50", "counterparty": ALICE}], block=0)
    page = viewer.get(f"/transactions/{made.pk}/").content.decode()
    assert str(made.txid) in page
    assert "block 0" in page
    assert f'<span class="address whole">{CHECKSUMMED}</span>' in page
    assert '<span class="number">-1.5</span>' in page
    assert "data-edit=" not in page
    assert viewer.get("/transactions/999999999999999999999/").status_code == 404


def test_names_complete_from_the_database_as_it_is(viewer: Client) -> None:
    for name in ("Rent", "Parent", "Salary"):
        make_label(name)
    assert viewer.get("/labels/complete/?q=rent").json() == ["Rent", "Parent"]
    make_label("Rental")
    assert viewer.get("/labels/complete/?q=rent").json() == ["Rent", "Rental", "Parent"]
    assert viewer.get("/assets/complete/?q=%00").json() == []


def test_removing_the_asset_removes_the_order_by_amount_too(viewer: Client) -> None:
    make_transaction()
    page = get(viewer, "?asset=ETH&sort=-amount&label=none")
    link = re.search(r'href="([^"]*)" aria-label="Remove: asset is ETH"', page)
    assert link
    assert unescape(link[1]) == "?label=none"


@pytest.mark.parametrize("name", ["none", "-old", "=x"])
def test_wallet_with_an_odd_name_links_to_its_transactions(viewer: Client, name: str) -> None:
    make_transaction([{"wallet": make_wallet(name, kind="exchange", venue="kraken")}])
    page = viewer.get("/balances/").content.decode()
    link = re.search(r'href="/transactions/(\?wallet=[^"]+)"', page)
    assert link
    assert len(rows(get(viewer, unescape(link[1])))) == 1


def count_in(page: str) -> str:
    found = re.search(r'<strong id="count">(.*?)</strong>', page)
    assert found
    return found[1]


def test_list_is_counted_up_to_a_limit_and_exactly_when_asked(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_COUNT", 2)
    for _ in range(2):
        make_transaction()
    assert count_in(get(viewer)) == "2"
    assert "count exactly" not in get(viewer)
    make_transaction()
    assert count_in(get(viewer)) == "3"  # all on one page
    page = get(viewer, "?per_page=1")
    assert count_in(page) == "2+"
    assert 'href="?per_page=1&amp;count=exact"' in page
    assert count_in(get(viewer, "?per_page=1&count=exact")) == "3"
    assert "Select a valid choice" in get(viewer, "?count=about", 400)


@pytest.mark.django_db(transaction=True)
def test_list_says_how_many_transactions_a_large_ledger_has(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_COUNT", 2)
    for _ in range(4):
        make_transaction()
    assert count_in(get(viewer, "?per_page=1")) == "4"
    assert count_in(get(viewer, "?per_page=1&type=receive")) == "2+"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", "21"),
        ("?type=receive", "21"),
        ("?type=-send", "20+"),
        ("?label=none", "20+"),
        ("?type=receive&status=ok", "20+"),
        ("?amount_min=0", "20+"),
        ("?type=receive&status=ok&amount_min=0&amount_max=100&direction=in", "2+"),
        ("?type=receive&status=ok&amount_min=0&direction=in&count=exact", "21"),
    ],
)
def test_large_ledger_is_counted_less_far_the_more_there_is_to_look_at(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, query: str, count: str
) -> None:
    monkeypatch.setattr(views, "MAX_COUNT", 200)
    monkeypatch.setattr(querysets, "MANY", -2)  # what is not estimated yet counts as -1
    for _ in range(21):
        make_transaction()
    assert count_in(get(viewer, f"{query or '?'}&per_page=5")) == count
