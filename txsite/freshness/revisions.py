"""The ledger's revision: the number of the last commit that changed it.

The database gives it at commit, in commit order, whoever writes; see
`txsite/migrations/0001_revisions.py`.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

CURRENT = """
    SELECT r.revision, c.committed_at
    FROM txsite_revision r LEFT JOIN txsite_change c ON c.revision = r.revision
"""


@dataclass(frozen=True)
class Revision:
    """Which commit a snapshot reflects, and when that was; no time before the first one."""

    number: int
    committed_at: datetime | None


def current_number() -> int:
    """The number alone, as of now: all that an open page asks again and again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT revision FROM txsite_revision")
        return int(cursor.fetchone()[0])


def current_revision(before: str = "") -> Revision:
    """The revision of the snapshot that this transaction reads in; one indexed row.

    Statements to run `before` go to the database with the question.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"{before} {CURRENT}")
        cursor.set_result(-1)
        return Revision(*cursor.fetchone())
