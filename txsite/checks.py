"""Checks that stand between the ledger and a page that is older than it.

Those that ask no database also run when `txsite.wsgi` starts, which refuses to serve otherwise.
docs/freshness.md lists them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.middleware.cache import FetchFromCacheMiddleware, UpdateCacheMiddleware
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string
from psycopg import IsolationLevel

FRESHNESS = "freshness"
CHANGES = "txsite_change"
LEDGER_APPS = ("contacts", "transactions")
# Written in the commit that changes what they follow from, and shown on no page but by that.
FOLLOWING = {
    "transactions_balance",
    "transactions_coveredentry",
    "transactions_entrysum",
    "transactions_takenofflabel",
    "transactions_toldasset",
}
EVENTS = {"record_insert", "record_update", "record_delete", "record_truncate"}
NUMBERING = {"last_check", "give_number", "keep_count"}
SNAPSHOT = "txsite.freshness.middleware.SnapshotMiddleware"
CACHES = (UpdateCacheMiddleware, FetchFromCacheMiddleware)
READ_COMMITTED = "read committed"


def refuse_to_be_stale() -> None:
    """ImproperlyConfigured where the settings or the URLs could make a page old."""
    problems = [one for one in run_checks(tags=[FRESHNESS]) if not one.is_silenced()]
    if problems:
        raise ImproperlyConfigured("\n".join(map(str, problems)))


# --- Settings and URLs ---------------------------------------------------------------------------


@register(FRESHNESS)
def no_transaction_outlives_a_request(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Nothing but the snapshot of a page and the transaction of an edit is ever open."""
    found: list[CheckMessage] = []
    databases: dict[str, dict[str, Any]] = settings.DATABASES
    for name, database in databases.items():
        if not database.get("AUTOCOMMIT", True):
            found.append(
                Error(
                    f"Database “{name}” has AUTOCOMMIT off: what is read in one request keeps a "
                    "transaction open for the next.",
                    hint="Remove AUTOCOMMIT.",
                    id="txsite.E002",
                )
            )
        if database.get("ATOMIC_REQUESTS"):
            found.append(
                Error(
                    f"Database “{name}” has ATOMIC_REQUESTS: a page is then read at READ "
                    "COMMITTED, and not in one snapshot.",
                    hint="Remove ATOMIC_REQUESTS; SnapshotMiddleware does more.",
                    id="txsite.E003",
                )
            )
        level = database.get("OPTIONS", {}).get("isolation_level")
        if level not in (None, IsolationLevel.READ_COMMITTED):
            found.append(wrong_level(IsolationLevel(level).name.replace("_", " ")))
    return found


def wrong_level(level: str) -> CheckMessage:
    return Error(
        f"Transactions of the default database are {level.upper()}: edits that come together "
        "would fail instead of following one another.",
        hint="Remove isolation_level from OPTIONS and default_transaction_isolation from the "
        "database, the role and PGOPTIONS: READ COMMITTED is PostgreSQL's own.",
        id="txsite.E004",
    )


@register(FRESHNESS)
def pages_ask_the_one_database(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """A replica is always older than its primary."""
    if not settings.DATABASE_ROUTERS and list(settings.DATABASES) == ["default"]:
        return []
    return [
        Error(
            "There is another database than “default”, or a router that chooses among several.",
            hint="Let DATABASE_URL name the primary, and remove the others and DATABASE_ROUTERS.",
            id="txsite.E005",
        )
    ]


@register(FRESHNESS)
def pages_are_read_in_a_snapshot_and_kept_nowhere(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """No cache stands in front of a page, and the snapshot spans the whole of it."""
    found: list[CheckMessage] = [
        Error(
            f"{name} keeps pages, which are then older than the ledger.",
            hint="Remove it from MIDDLEWARE.",
            id="txsite.E006",
        )
        for name in settings.MIDDLEWARE
        if is_cache(import_string(name))
    ]
    if settings.MIDDLEWARE[-1:] != [SNAPSHOT]:
        found.append(
            Error(
                f"{SNAPSHOT} is not the last of MIDDLEWARE, so that pages are not read in one "
                "snapshot, or what stands behind it writes in a read-only one.",
                hint="Put it last.",
                id="txsite.E007",
            )
        )
    return found


def is_cache(part: Any) -> bool:
    """Whether it is one of Django's caches for pages, or the class of one."""
    return isinstance(part, CACHES) or (isinstance(part, type) and issubclass(part, CACHES))


@register(FRESHNESS)
def no_view_is_cached(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """No URL leads to a view in a `cache_page`."""
    return [
        Error(
            f"The view of “{route}” is kept by cache_page, and then older than the ledger.",
            hint="Remove cache_page.",
            id="txsite.E008",
        )
        for route, view in views(get_resolver().url_patterns)
        if is_kept(view)
    ]


def views(patterns: Sequence[URLPattern | URLResolver], before: str = "") -> Iterator[tuple]:
    """Every route with its view."""
    for pattern in patterns:
        route = f"{before}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, route)
        else:
            yield route, pattern.callback


def is_kept(view: Any) -> bool:
    """Whether a cache is among the decorators of a view, or of the class that it is made of."""
    waiting, known = [view], set()
    while waiting:
        part = waiting.pop()
        if is_cache(part):
            return True
        if id(part) not in known:
            known.add(id(part))
            waiting += parts_of(part)
    return False


def parts_of(view: Any) -> list[Any]:
    """What a decorator holds on to: the function that it wraps, and its own middleware."""
    if isinstance(view, list | tuple):
        return list(view)
    held = [cell.cell_contents for cell in getattr(view, "__closure__", None) or ()]
    view_class = getattr(view, "view_class", None)
    handlers = [vars(one).get("dispatch") for one in getattr(view_class, "__mro__", ())]
    return [*held, *handlers, getattr(view, "__wrapped__", None), getattr(view, "func", None)]


# --- The database --------------------------------------------------------------------------------


@register(Tags.database)
def writers_see_what_is_committed(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Writers use READ COMMITTED; a connection in anything higher refuses to be numbered."""
    if not databases or "default" not in databases:
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute("SHOW default_transaction_isolation")
        level = cursor.fetchone()[0]
    return [] if level == READ_COMMITTED else [wrong_level(level)]


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
            # Those of replicas alone do not fire here.
            "WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') GROUP BY relname"
        )
        triggers = dict(cursor.fetchall())
    if not set(triggers.get(CHANGES, ())) >= NUMBERING:
        text = f"{CHANGES} lacks triggers that give a commit its number and count transactions."
        hint = f"Enable {' and '.join(sorted(NUMBERING))}, or migrate a database that was put back."
        return [Error(text, hint=hint, id="txsite.E001")]
    return [
        Error(
            f"Commits that change {model._meta.db_table} get no revision.",
            hint="Add txsite.triggers.record_changes() for it to a migration.",
            obj=model,
            id="txsite.E001",
        )
        for label in LEDGER_APPS
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
        if model._meta.managed
        and model._meta.db_table not in FOLLOWING
        and not set(triggers.get(model._meta.db_table, ())) >= EVENTS
    ]
