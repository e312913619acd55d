"""A walk through all pages of 10,000 transactions while another process inserts and deletes."""

import html
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.test import Client
from factories import START, make_asset, make_user, our_wallet

from transactions.models import Entry, Transaction

COUNT = 10_000

# At every line that it is sent: inserts around every place of the list, deletes a part, answers.
WRITER = """
import os, sys, psycopg
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    for number, line in enumerate(sys.stdin):
        connection.execute(
            "INSERT INTO transactions_transaction (network, txid, timestamp, status, type, method, "
            "note, is_edited, is_type_told, version) "
            "SELECT 'ethereum', 'new-' || %s::int || '-' || n, "
            "%s::timestamptz + n * interval '1 minute', 'ok', 'call', '', '', false, false, 1 "
            "FROM generate_series(0, 2500, 97) n", [number, sys.argv[1]])
        connection.execute(
            "DELETE FROM transactions_transaction WHERE starts_with(txid, 'new-') AND id % 3 = 0")
        print(number, flush=True)
"""


@contextmanager
def writing() -> Iterator[Callable[[], None]]:
    """A function that has another process write once, and returns when that is committed."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, START.isoformat()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    told, answers = writer.stdin, writer.stdout
    assert told
    assert answers

    def write() -> None:
        print(file=told, flush=True)
        assert answers.readline(), "the writer has ended"

    try:
        yield write
    finally:
        writer.communicate(timeout=60)


def make_many() -> set[int]:
    """Several at each moment, so that the tie-break matters."""
    wallet, asset = our_wallet(), make_asset()
    made = Transaction.objects.bulk_create(
        Transaction(
            network="ethereum",
            txid=f"old-{number}",
            timestamp=START + timedelta(minutes=number // 4),
            type="receive",
        )
        for number in range(COUNT)
    )
    Entry.objects.bulk_create(
        Entry(transaction=one, timestamp=one.timestamp, wallet=wallet, asset=asset, amount=1)
        for one in made
    )
    return {one.pk for one in made}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("start", "link"), [("", "next"), ("&cursor=last", "prev")])
def test_every_transaction_that_existed_throughout_is_seen_exactly_once(
    client: Client, start: str, link: str
) -> None:
    stays = make_many()
    client.force_login(make_user("Viewers"))
    seen: list[int] = []
    path: str | None = f"/transactions/?per_page=200{start}"
    with writing() as write:
        while path:
            write()
            page = client.get(path).content.decode()
            seen += [int(pk) for pk in re.findall(r'data-id="(\d+)"', page)]
            found = re.search(rf'href="([^"]+)" rel="{link}"', page)
            path = f"/transactions/{html.unescape(found[1])}" if found else None
    assert len(seen) == len(set(seen))
    assert set(seen) >= stays
    assert set(seen) - stays, "the writer's rows are in the list too"
