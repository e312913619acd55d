"""One page, one snapshot."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers


class SnapshotMiddleware:
    """Answer every GET from one read-only snapshot that spans view and template rendering.

    Count, rows, totals and choices of a page then agree, and none of them is older than the
    request. It stands last in MIDDLEWARE, so that sessions and messages are saved outside of
    it. Pages about data are never kept by the browser. A view that sets `own_snapshot` opens
    its own, as a streamed answer has to.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with ExitStack() as request.snapshot:  # type: ignore[attr-defined]
            response = self.get_response(request)
        add_never_cache_headers(response)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        if request.method in {"GET", "HEAD"} and not getattr(view, "own_snapshot", False):
            # Who asks is settled first: it may have to write the session.
            bool(request.user.is_authenticated)
            request.snapshot.enter_context(snapshot())  # type: ignore[attr-defined]


@contextmanager
def snapshot() -> Iterator[None]:
    """A read-only transaction in which every query sees the same moment.

    Inside an open transaction, as in a TestCase, the isolation is that one's; it only
    becomes read-only.
    """
    isolation = "" if connection.in_atomic_block else "ISOLATION LEVEL REPEATABLE READ,"
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION {isolation} READ ONLY")
        yield
