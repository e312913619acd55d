"""The balances that the database keeps are always what the entries add up to, whoever writes."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F, Sum
from factories import make_asset, make_transaction, make_wallet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transactions.models import Balance, Entry, Transaction

KEY = ("wallet_id", "asset_id", "amount", "count")


def kept() -> set[tuple[Any, ...]]:
    return set(Balance.objects.values_list(*KEY))


def added_up() -> set[tuple[Any, ...]]:
    sums = Entry.objects.order_by().values("wallet_id", "asset_id")
    found = sums.annotate(total=Sum("amount"), number=Count("transaction", distinct=True))
    return set(found.values_list("wallet_id", "asset_id", "total", "number"))


# What is done: 0 to 2 entries of a new transaction, entries that change, entries that go.
places = st.tuples(st.integers(0, 1), st.integers(0, 1), st.decimals(-5, 5, places=3))
deeds = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(places, max_size=4)),
        st.tuples(st.just("change"), st.integers(0, 5), places),
        st.tuples(st.just("remove"), st.integers(0, 5)),
        st.tuples(st.just("remove transaction"), st.integers(0, 5)),
    ),
    max_size=12,
)


@pytest.mark.django_db
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deeds)
def test_balances_are_what_the_entries_add_up_to(done: list[Any]) -> None:
    with transaction.atomic():
        wallets = [make_wallet("Main"), make_wallet("Savings")]
        assets = [make_asset("ETH"), make_asset("USDC", code="0x" + "c" * 40)]
        for deed, *of in done:
            if deed == "add":
                made = make_transaction([])
                entries = {(w, a, n): (w, a, n) for w, a, n in of[0]}
                Entry.objects.bulk_create(
                    Entry(
                        transaction=made,
                        timestamp=made.timestamp,
                        wallet=wallets[w],
                        asset=assets[a],
                        amount=n,
                        ordinal=number,
                    )
                    for number, (w, a, n) in enumerate(entries.values())
                )
            elif deed == "change":
                w, a, n = of[1]
                some = list(Entry.objects.order_by("id").values_list("id", flat=True)[: of[0]])
                Entry.objects.filter(id__in=some).update(
                    wallet=wallets[w], asset=assets[a], amount=n, ordinal=F("id") % 30_000
                )
            elif deed == "remove":
                some = list(Entry.objects.order_by("-id").values_list("id", flat=True)[: of[0]])
                Entry.objects.filter(id__in=some).delete()
            else:
                ids = Transaction.objects.order_by("id").values_list("id", flat=True)
                Transaction.objects.filter(id__in=list(ids[of[0] : of[0] + 1])).delete()
            assert kept() == added_up()
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_nobody_writes_balances_by_hand() -> None:
    make_transaction([{"amount": "1.5"}])
    for change in (
        lambda: Balance.objects.update(amount=Decimal(2)),
        lambda: Balance.objects.all().delete(),
        lambda: Balance.objects.create(wallet_id=1, asset_id=1, amount=1, count=1),
    ):
        refused = pytest.raises(IntegrityError, match="balances follow from the entries")
        with refused, transaction.atomic():
            change()
    assert [balance.amount for balance in Balance.objects.all()] == [Decimal("1.5")]


@pytest.mark.django_db(transaction=True)
def test_two_who_write_at_once_are_both_counted() -> None:
    """Both add an entry to the same transaction, which is one and not two."""
    first, second = (psycopg.connect(**parameters()) for _ in range(2))
    made = make_transaction([])
    wallet, asset = make_wallet("Main"), make_asset("ETH")
    make_transaction([{"wallet": wallet, "asset": asset, "amount": "10"}])
    insert = (
        "INSERT INTO transactions_entry (transaction_id, timestamp, wallet_id, asset_id, amount,"
        " kind, ordinal) VALUES (%s, %s, %s, %s, %s, 'transfer', 0)"
    )
    row = (made.pk, made.timestamp, wallet.pk, asset.pk)
    with first, second, second.cursor() as waiting:
        first.execute(insert, [*row, 1])
        pid = second.info.backend_pid
        second.pgconn.send_query_params(
            insert.replace("%s", "${}").format(1, 2, 3, 4, 5).encode(),
            [str(value).encode() for value in (*row, 2)],
        )
        while not is_waiting(pid):
            pass
        first.commit()
        while second.pgconn.is_busy():
            second.pgconn.consume_input()
        result = second.pgconn.get_result()
        assert result
        assert result.error_message == b""
        while second.pgconn.get_result():
            pass
        waiting.connection.commit()
    assert kept() == added_up() == {(wallet.pk, asset.pk, Decimal(13), 2)}


def parameters() -> dict[str, Any]:
    used = connection.get_connection_params()
    return {key: used[key] for key in ("dbname", "user", "password", "host", "port") if key in used}


def is_waiting(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [pid])
        return cursor.fetchone() == ("Lock",)
