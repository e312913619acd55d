"""Queries that PostgreSQL plans once for each connection.

Only those whose best plan does not depend on their parameters: PostgreSQL may settle for one plan
for all, and a search for what is rare would then be made like one for what is frequent.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Any

import psycopg
from django.db import connection


def fetch(query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows, in the transaction that is open on Django's connection."""
    connection.close_if_health_check_failed()  # as Django's own cursors do
    connection.ensure_connection()
    began = monotonic()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(query, parameters, prepare=True)
        rows = cursor.fetchall()
    if connection.queries_logged:
        connection.queries_log.append({"sql": query, "time": f"{monotonic() - began:.3f}"})
    return rows
