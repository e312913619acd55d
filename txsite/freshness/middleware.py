"""One page, one snapshot; and who it is that writes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers

from txsite.freshness.revisions import Revision, current_revision

HEADER = "X-Ledger-Revision"
MAX_REVISION = 2**63 - 1


class SnapshotMiddleware:
    """Answer every GET from one read-only snapshot that spans view and template rendering.

    Count, rows, totals and choices of a page then agree, and none of them is older than the
    request. The answer names the revision that it reflects; who asks for `min_revision=N` gets
    at least that, or 503. Other requests tell the database who writes. It stands last in
    MIDDLEWARE, so that sessions and messages are saved outside of the snapshot. Pages about
    data are never kept by the browser. A view that sets `own_snapshot` opens its own, as a
    streamed answer has to.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with ExitStack() as request.snapshot:  # type: ignore[attr-defined]
            response = self.get_response(request)
        revision = getattr(request, "revision", None)
        if revision and HEADER not in response:
            response[HEADER] = str(revision.number)
        add_never_cache_headers(response)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        # Who asks is settled first: it may have to write the session.
        user = request.user.get_username() if request.user.is_authenticated else ""
        if request.method not in {"GET", "HEAD"}:
            say_who_writes(user, "admin" if is_admin(request) else "page")
            return None
        if getattr(view, "own_snapshot", False):
            return None
        try:
            request.snapshot.enter_context(snapshot(request))  # type: ignore[attr-defined]
        except TooOld as refusal:
            return refusal.response
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Of a view that opens its own snapshot."""
        return exception.response if isinstance(exception, TooOld) else None


class TooOld(Exception):
    """The snapshot is not what the client asked for with `min_revision`; says so in its place."""

    def __init__(self, response: HttpResponse) -> None:
        self.response = response


@contextmanager
def snapshot(request: HttpRequest | None = None) -> Iterator[Revision]:
    """A read-only transaction in which every query sees the same moment; yields its revision.

    With a request the revision is kept in `request.revision`, for the page and its header, and
    TooOld is raised when the client asked for a later one. Inside an open transaction, as in a
    TestCase, the isolation is that one's; it only becomes read-only.
    """
    isolation = "" if connection.in_atomic_block else "ISOLATION LEVEL REPEATABLE READ,"
    with transaction.atomic():
        # Pages are short: to compile their queries, or start processes for them, takes longer,
        # and so does to plan prepared ones again.
        revision = current_revision(
            f"SET TRANSACTION {isolation} READ ONLY; SET LOCAL jit = off; "
            "SET LOCAL max_parallel_workers_per_gather = 0; "
            "SET LOCAL plan_cache_mode = force_generic_plan; "
        )
        if request is not None:
            request.revision = revision  # type: ignore[attr-defined]
            check_asked(request, revision)
        yield revision


def is_admin(request: HttpRequest) -> bool:
    return request.path.startswith(reverse("admin:index"))


def say_who_writes(actor: str, via: str) -> None:
    """Tell this connection's transactions, until it is told anew, whose changes they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('txsite.actor', %s, false), set_config('txsite.via', %s, false)",
            [actor, via],
        )


def check_asked(request: HttpRequest, revision: Revision) -> None:
    """Raise TooOld when a page is asked for with a later `min_revision`, or an unreadable one."""
    asked = request.GET.get("min_revision", "")
    if not asked or request.method not in {"GET", "HEAD"}:
        return
    if not (asked.isascii() and asked.isdigit() and int(asked) <= MAX_REVISION):
        context = {"exception": "min_revision is the number of a change, such as 23574."}
        raise TooOld(render(request, "400.html", context, status=400))
    if int(asked) > revision.number:
        response = render(request, "503.html", {"asked": int(asked)}, status=503)
        response["Retry-After"] = "1"
        raise TooOld(response)
