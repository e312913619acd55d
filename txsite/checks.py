"""Checks that stand between the ledger and a page that is older than it."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

LEDGER_APPS = ("contacts", "transactions")
EVENTS = {"record_insert", "record_update", "record_delete", "record_truncate"}


@register(Tags.database)
def every_ledger_table_is_numbered(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Every table of the ledger has the triggers that number its commits."""
    if not databases or "default" not in databases:
        return []
    connection = connections["default"]
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return []  # they may be what is still to be made
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, array_agg(tgname::text) FROM pg_trigger "
            "JOIN pg_class ON pg_class.oid = tgrelid "
            "WHERE NOT tgisinternal AND tgenabled <> 'D' GROUP BY relname"
        )
        triggers = dict(cursor.fetchall())
    return [
        Error(
            f"Commits that change {model._meta.db_table} get no revision.",
            hint="Add txsite.triggers.record_changes() for it to a migration.",
            obj=model,
            id="txsite.E001",
        )
        for label in LEDGER_APPS
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
        if model._meta.managed and not set(triggers.get(model._meta.db_table, ())) >= EVENTS
    ]
