"""The balances and sums that the database keeps are what the entries add up to, whoever writes."""

from datetime import timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F, Sum
from factories import make_asset, make_transaction, make_wallet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transactions.models import Balance, Entry, EntrySum, Transaction

KEY = ("wallet_id", "asset_id", "amount", "count")
SUM_KEY = ("transaction_id", "asset_id", "kind", "amount", "timestamp")


def kept() -> set[tuple[Any, ...]]:
    return set(Balance.objects.values_list(*KEY))


def kept_sums() -> set[tuple[Any, ...]]:
    return set(EntrySum.objects.values_list(*SUM_KEY))


def summed() -> set[tuple[Any, ...]]:
    sums = Entry.objects.order_by().values("transaction_id", "asset_id", "kind", "timestamp")
    found = sums.annotate(total=Sum("amount"), number=Count("id")).filter(number__gt=1)
    return set(found.values_list("transaction_id", "asset_id", "kind", "total", "timestamp"))


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
        st.tuples(st.just("move in time"), st.integers(0, 5)),
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
            elif deed == "move in time":
                ids = Transaction.objects.order_by("id").values_list("id", flat=True)
                Transaction.objects.filter(id__in=list(ids[of[0] : of[0] + 2])).update(
                    timestamp=F("timestamp") + timedelta(days=1)
                )
            else:
                ids = Transaction.objects.order_by("id").values_list("id", flat=True)
                Transaction.objects.filter(id__in=list(ids[of[0] : of[0] + 1])).delete()
            assert kept() == added_up()
            assert kept_sums() == summed()
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_nobody_writes_balances_and_sums_by_hand() -> None:
    make_transaction([{"amount": "1.5"}])
    for change in (
        lambda: Balance.objects.update(amount=Decimal(2)),
        lambda: Balance.objects.all().delete(),
        lambda: Balance.objects.create(wallet_id=1, asset_id=1, amount=1, count=1),
        lambda: EntrySum.objects.update(amount=Decimal(2)),
        lambda: EntrySum.objects.all()._raw_delete("default"),
    ):
        refused = pytest.raises(IntegrityError, match=r"(balances|sums) follow from the entries")
        with refused, transaction.atomic():
            change()
    assert [balance.amount for balance in Balance.objects.all()] == [Decimal("1.5")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("other", ["Main", "Savings"])
def test_two_who_write_at_once_are_both_counted(other: str) -> None:
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
    second_wallet = wallet if other == "Main" else make_wallet(other)
    beside = (made.pk, made.timestamp, second_wallet.pk, asset.pk)
    with first, second, second.cursor() as waiting:
        first.execute(insert, [*row, 1])
        pid = second.info.backend_pid
        second.pgconn.send_query_params(
            insert.replace("%s", "${}").format(1, 2, 3, 4, 5).encode(),
            [str(value).encode() for value in (*beside, 2)],
        )
        latest = monotonic() + 10
        while not is_waiting(pid):
            assert monotonic() < latest, "the second does not wait for the first"
        first.commit()
        while second.pgconn.is_busy():
            second.pgconn.consume_input()
        result = second.pgconn.get_result()
        assert result
        assert result.error_message == b""
        while second.pgconn.get_result():
            pass
        waiting.connection.commit()
    assert kept() == added_up()
    assert sum(amount for _, _, amount, _ in kept()) == Decimal(13)
    assert kept_sums() == {(made.pk, asset.pk, "transfer", Decimal(3), made.timestamp)}


def parameters() -> dict[str, Any]:
    used = connection.get_connection_params()
    return {key: used[key] for key in ("dbname", "user", "password", "host", "port") if key in used}


def is_waiting(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [pid])
        return cursor.fetchone() == ("Lock",)
