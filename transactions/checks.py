"""What `manage.py migrate` and `manage.py check --database default` look at in the ledger."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

NUMBERS = """
    SELECT number, (SELECT count(*) FROM transactions_transaction)
    FROM transactions_transactioncount
"""
REMEDY = (
    "UPDATE transactions_transactioncount "
    "SET number = (SELECT count(*) FROM transactions_transaction)"
)


@register(Tags.database)
def number_of_transactions_is_right(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What commits have kept count of is how many transactions there are."""
    if not databases or "default" not in databases:
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT to_regclass('transactions_transactioncount')")
        if cursor.fetchone()[0] is None:
            return []  # it is still to be made
        cursor.execute(NUMBERS)
        known, number = cursor.fetchone() or (None, None)
    if known == number:
        return []
    text = f"The list says {known} transactions where there are {number}: triggers were off."
    return [Error(text, hint=f"Run in psql: {REMEDY};", id="transactions.E001")]
