"""Pages of a list: neither skipped nor repeated rows, whatever happens meanwhile."""

import base64
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.db import transaction
from django.http import QueryDict
from factories import START, make_asset, make_transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transactions.filters import TransactionFilter, list_form
from transactions.models import Transaction
from txsite.tables import Page


def page(query: str) -> Page:
    query_dict = QueryDict(query)
    filterset = TransactionFilter(query_dict, queryset=Transaction.objects.all())
    form = list_form(query_dict, filterset)
    assert form.is_valid(), form.errors
    return form.page(filterset.in_order(form.cleaned_data["sort"]))


def walk(query: str) -> Iterator[Page]:
    """From the first page to the last by `next`."""
    current = page(query)
    yield current
    while current.next:
        current = page(f"{query}&cursor={current.next}")
        yield current


def ids(pages: Iterator[Page]) -> list[int]:
    return [row.pk for one in pages for row in one.rows]


@pytest.fixture
def seven(db: None) -> list[int]:
    """Seven transactions of which three share one moment; ids by time, then id."""
    for minute in (1, 2, 2, 2, 3, 4, 5):
        fee = {"amount": f"-0.{minute % 2}", "kind": "fee"}
        make_transaction(
            [{"amount": str(minute % 3), "asset": make_asset("ETH")}, fee],
            timestamp=START.replace(minute=minute, microsecond=minute),
            note=f"note {minute % 2}",
        )
    return list(Transaction.objects.order_by("timestamp", "id").values_list("pk", flat=True))


@pytest.mark.parametrize("per_page", [1, 2, 3, 7, 8])
def test_walk_forward_sees_every_row_once(seven: list[int], per_page: int) -> None:
    assert ids(walk(f"per_page={per_page}")) == seven[::-1]
    assert ids(walk(f"per_page={per_page}&sort=time")) == seven


def test_walk_back_gives_the_pages_of_the_walk_forward(seven: list[int]) -> None:
    forward = list(walk("per_page=2&sort=time"))
    backward = [page("per_page=2&sort=time&cursor=last")]
    while backward[-1].previous:
        backward.append(page(f"per_page=2&sort=time&cursor={backward[-1].previous}"))
    assert [row.pk for one in reversed(backward) for row in one.rows] == seven
    assert [row.pk for row in forward[-1].rows] == seven[-1:]
    assert [row.pk for row in backward[0].rows] == seven[-2:]


@pytest.mark.parametrize("name", ["time", "type", "status", "note", "amount", "fee"])
def test_every_order_is_total_both_ways(seven: list[int], name: str) -> None:
    up = ids(walk(f"asset=ETH&per_page=2&sort={name}"))
    down = ids(walk(f"asset=ETH&per_page=2&sort=-{name}"))
    assert sorted(up) == sorted(seven)
    assert down == up[::-1]


@pytest.mark.django_db
def test_amounts_sort_exactly() -> None:
    amounts = ["0.1", "-5", "0.100000000000000000000000000001", "1" + "0" * 70, "0"]
    fee = {"amount": "-1000", "kind": "fee"}
    made = {amount: make_transaction([{"amount": amount}, fee]).pk for amount in amounts}
    order = ["-5", "0", "0.1", "0.100000000000000000000000000001", "1" + "0" * 70]
    assert ids(walk("asset=ETH&per_page=1&sort=amount")) == [made[amount] for amount in order]


# A transaction's movements and fees of the one asset: none, one, or several with one sum.
amounts = st.integers(-2, 2).map(lambda n: Decimal(n) / 4)
of_one = st.tuples(
    st.lists(amounts, max_size=3), st.lists(amounts.map(lambda n: -abs(n)), max_size=2)
)


@pytest.mark.django_db
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ledger=st.lists(of_one, max_size=9), name=st.sampled_from(["amount", "fee"]))
def test_sorting_by_a_sum_is_by_the_exact_sum_of_every_transaction(
    ledger: list[tuple[list[Decimal], list[Decimal]]], name: str
) -> None:
    with transaction.atomic():
        make_asset("ETH")
        expected = []
        for number, (moved, paid) in enumerate(ledger):
            each = [{"amount": n, "ordinal": i} for i, n in enumerate(moved)]
            each += [{"amount": n, "ordinal": i, "kind": "fee"} for i, n in enumerate(paid)]
            time = START.replace(minute=number // 2)  # two at each moment
            made = make_transaction(each, timestamp=time)
            if each:
                expected.append((sum(moved if name == "amount" else paid), time, made.pk))
        up = [pk for *_, pk in sorted(expected)]
        for also in ("", "&status=ok"):
            listed = f"asset=ETH&per_page=2&sort={{}}{name}{also}"
            assert ids(walk(listed.format(""))) == up
            assert ids(walk(listed.format("-"))) == up[::-1]
        if up:
            last = page(f"asset=ETH&per_page=3&sort={name}&cursor=last")
            assert [row.pk for row in last.rows] == up[-3:]
        transaction.set_rollback(True)


def test_jump_to_a_day_begins_there(db: None) -> None:
    made = [make_transaction(timestamp=START.replace(day=day)) for day in (1, 5, 5, 9)]
    assert [row.pk for row in page("cursor=2024-01-05").rows] == [
        made[2].pk,
        made[1].pk,
        made[0].pk,
    ]
    assert [row.pk for row in page("sort=time&cursor=2024-01-02").rows] == [
        made[1].pk,
        made[2].pk,
        made[3].pk,
    ]
    assert page("cursor=2024-01-05").previous
    assert page("cursor=2024-01-09").previous is None
    assert page("sort=time&cursor=2024-01-01").previous is None
    assert next(row.pk for row in page("cursor=9999-12-31").rows) == made[3].pk
    assert page("cursor=0001-01-01").rows == []
    assert page("cursor=0001-01-01").previous == "last"


def test_neighbours_are_offered_where_there_are_any(seven: list[int]) -> None:
    first = page("per_page=3")
    assert (first.previous, bool(first.next)) == (None, True)
    last = page("per_page=3&cursor=last")
    assert (bool(last.previous), last.next) == (True, None)
    whole = page("per_page=7")
    assert (whole.previous, whole.next) == (None, None)


def test_page_whose_rows_are_gone_leads_back(seven: list[int]) -> None:
    first = page("per_page=3&sort=time")
    Transaction.objects.exclude(pk__in=[row.pk for row in first.rows]).delete()
    beyond = page(f"per_page=3&sort=time&cursor={first.next}")
    assert (beyond.rows, beyond.previous) == ([], "last")


def cursor(*packed: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(packed).encode()).decode()


@pytest.mark.parametrize(
    "bad",
    [
        "nonsense",
        "%00",
        "=",
        "2024-02-30",
        "10000-01-01",
        "0",
        cursor(),
        cursor("-time", "n", "2024-01-01T00:00:00+00:00"),
        cursor("-time", "n", "2024-01-01T00:00:00", 1),
        cursor("-time", "n", "2024-01-01T00:00:00+00:00", 2**63),
        cursor("-time", "n", "2024-01-01T00:00:00+00:00", -1),
        cursor("-time", "n", "2024-01-01T00:00:00+00:00", "1"),
        cursor("-time", "n", "2024-01-01T00:00:00+00:00", True),
        cursor("-time", "x", "2024-01-01T00:00:00+00:00", 1),
        cursor("-time", "n", 5, 1),
        cursor("time", "n", "2024-01-01T00:00:00+00:00", 1),
        cursor("-time", "n", {"a": 1}, 1),
        base64.urlsafe_b64encode(b"[" * 1_000).decode(),
        "x" * 5_000,
    ],
)
def test_cursor_that_was_not_given_out_is_an_error(db: None, bad: str) -> None:
    query = QueryDict("", mutable=True)
    query["cursor"] = bad.replace("%00", "\0")
    filterset = TransactionFilter(query, queryset=Transaction.objects.all())
    form = list_form(query, filterset)
    assert not form.is_valid()
    assert "cursor" in form.errors


@pytest.mark.parametrize(
    "bad",
    [
        cursor("note", "n", "a\0b", 1),
        cursor("note", "n", "\ud800", 1),
        cursor("amount", "n", "NaN", 1),
        cursor("amount", "n", "1e999999", 1),
        cursor("amount", "n", "abc", 1),
        cursor("type", "n", "send", 1),
        cursor("type", "n", "send", 1, "no time"),
        cursor("type", "n", "send", 1, "2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00+00:00"),
        cursor("note", "n", "a", 1, "2024-01-01T00:00:00+00:00"),
    ],
)
def test_cursor_with_a_value_no_row_can_have_is_an_error(seven: list[int], bad: str) -> None:
    sort = json.loads(base64.urlsafe_b64decode(bad))[0]
    query = QueryDict(f"asset=ETH&sort={sort}&cursor={bad}")
    form = list_form(query, TransactionFilter(query, queryset=Transaction.objects.all()))
    assert not form.is_valid()
    assert "cursor" in form.errors
