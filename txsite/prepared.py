"""Rows as plain tuples, and queries that PostgreSQL plans once for each connection.

To be prepared is for those queries alone whose best plan does not depend on their parameters:
PostgreSQL may settle for one plan for all, and a search for what is rare would then be made like
one for what is frequent.
"""

from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any, cast

import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from psycopg.abc import Loader
from psycopg.pq import Format

TIME = psycopg.adapters.types["timestamptz"].oid
LOAD_TIME = cast(type[Loader], psycopg.adapters.get_loader(TIME, Format.TEXT))


def read_times_quickly(cursor: psycopg.Cursor[Any]) -> None:
    """By psycopg's own loader: Django's is in Python and takes as long as all other columns."""
    cursor.adapters.register_loader(TIME, LOAD_TIME)


def fetch(query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows, in the transaction that is open on Django's connection."""
    connection.close_if_health_check_failed()  # as Django's own cursors do
    connection.ensure_connection()
    began = monotonic()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        read_times_quickly(cursor)
        cursor.execute(query, parameters, prepare=True)
        rows = cursor.fetchall()
    if connection.queries_logged:
        connection.queries_log.append({"sql": query, "time": f"{monotonic() - began:.3f}"})
    return rows


def array(ids: Iterable[int]) -> str:
    """Numbers as the text of a parameter; psycopg takes longer to write a list of them."""
    return f"{{{','.join(map(str, ids))}}}"


def fetch_values(queryset: QuerySet[Any]) -> list[tuple[Any, ...]]:
    """The rows of a `values_list`, planned for its values."""
    try:
        query, parameters = queryset.query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        read_times_quickly(cursor.cursor)
        cursor.execute(query, parameters)
        return cursor.fetchall()
