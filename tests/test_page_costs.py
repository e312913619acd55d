"""What pages of 20,000 transactions cost the database: by what it reads, and not by time."""

import re

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from factories import make_user

from benchmarks.cases import Case, Facts, all_cases

pytestmark = pytest.mark.django_db

# Session, user, and the snapshot with its revision: a savepoint, its mode, and its end.
OF_EVERY_PAGE = 6
OF_A_PAGE = 4
# Names that are looked up, and what is found out about several conditions at once.
OF_FILTERS = {"all filters": 12}
MOST = 5
# Blocks of tables and indexes: a first page is some 1,800, of which 50 rows are 1,300.
BLOCKS = 4_000
MORE_BLOCKS = {
    "amount range": 10_000,  # walks through time until there are 51, and counts
    "contact of a fifth": 30_000,  # looks whether each transaction has a contact of its own
    "all filters": 30_000,
    "export of a tenth": 30_000,  # 2,000 transactions with all that they tell
}
FETCHED = """
    SELECT sum(pg_stat_get_xact_blocks_fetched(c.oid)) FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i')
"""
ALL_ROWS = re.compile(r"Seq Scan on (transactions_transaction|transactions_entry)\b")


def fetched() -> int:
    """Blocks that this transaction has read so far."""
    with connection.cursor() as cursor:
        cursor.execute(FETCHED)
        return int(cursor.fetchone()[0] or 0)


def plans(queries: list[dict[str, str]]) -> str:
    """How PostgreSQL would answer these, if it may read a whole table only where it has to."""
    told = []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for query in queries:
            if query["sql"].lstrip(" \n(").startswith("SELECT") and "%s" not in query["sql"]:
                cursor.execute(f"EXPLAIN {query['sql']}")
                told += [line for (line,) in cursor.fetchall()]
        cursor.execute("SET LOCAL enable_seqscan = on")
    return "\n".join(told)


@pytest.fixture
def cases(client: Client) -> list[Case]:
    """All that the benchmark measures, of a ledger that has it, asked by an editor."""
    call_command("make_ledger", transactions=20_000)
    client.force_login(make_user("Editors"))
    connection.ensure_connection()
    found = all_cases(Facts(connection.connection))
    return [one for one in found if one.path.startswith(("/transactions/?", "/transactions/"))]


def test_pages_ask_little_and_read_what_they_show(client: Client, cases: list[Case]) -> None:
    """After ten times on one connection, since a prepared plan settles only then."""
    assert len(cases) > 40
    problems = []
    for case in cases:
        if "edit" in case.asks or "/export/" in case.path:
            continue
        for _ in range(9):
            assert client.get(case.path).status_code == 200
        before = fetched()
        with CaptureQueriesContext(connection) as captured:
            client.get(case.path)
        blocks, queries = fetched() - before, captured.captured_queries
        allowed = OF_A_PAGE + (OF_FILTERS.get(case.name, MOST) if "=" in case.path else 0)
        if len(queries) > OF_EVERY_PAGE + allowed:
            problems.append(f"{case.name}: {len(queries)} queries")
        if blocks > MORE_BLOCKS.get(case.name, BLOCKS):
            problems.append(f"{case.name}: {blocks:,} blocks")
        if reads_all := ALL_ROWS.search(plans(queries)):
            problems.append(f"{case.name}: {reads_all[0]}")
    assert problems == []


def test_an_export_of_a_tenth_reads_no_more_of_the_ledger(
    client: Client, cases: list[Case]
) -> None:
    [case] = [one for one in cases if "/export/" in one.path]
    before = fetched()
    assert client.get(case.path).getvalue().count(b"\n") > 2_000
    blocks = fetched() - before
    assert blocks < MORE_BLOCKS[case.name], blocks
