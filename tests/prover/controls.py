"""The site with one mistake each, and the old app: the prover has to catch every one of them."""

import threading
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# Said in the verdict; `sequence` is a mistake in the database alone.
CONTROLS = {
    "old-app": "Flask and SQLAlchemy, one session for the process, REPEATABLE READ",
    "process-cache": "pages kept in the process, dropped when it serves a POST itself",
    "cache-middleware": "Django's cache middleware, two seconds",
    "last-modified": "Last-Modified of one second, and 304",
    "early-acknowledgement": "answers a POST before its commit",
    "sequence": "revisions from a sequence, taken before the commit",
}
DELAY = 0.03

# What the numbering of the ledger would be, had it been made with a sequence.
SEQUENCE = """
CREATE SEQUENCE revisions;
SELECT setval('revisions', (SELECT max(revision) FROM txsite_revision));
-- One number a transaction, as now.
DROP INDEX txsite_change_open;
CREATE UNIQUE INDEX txsite_change_open ON txsite_change (xid);
DROP TRIGGER last_check ON txsite_change;
DROP TRIGGER give_number ON txsite_change;
CREATE FUNCTION number_at_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := nextval('revisions');
    NEW.committed_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER number_at_once BEFORE INSERT ON txsite_change
    FOR EACH ROW EXECUTE FUNCTION number_at_once();
ALTER TABLE txsite_revision RENAME TO txsite_counter;
CREATE VIEW txsite_revision AS SELECT true AS id, max(revision) AS revision FROM txsite_change;
"""


def application(control: str) -> Wsgi:
    if control == "old-app":
        from prover.old_ledger import app

        return app
    from txsite.wsgi import application as site

    if control == "process-cache":
        return with_process_cache(site)
    if control == "early-acknowledgement":
        return with_early_acknowledgement(site)
    return site


def with_process_cache(site: Wsgi) -> Wsgi:
    kept: dict[tuple[str, str, str], tuple[str, list[tuple[str, str]], list[bytes]]] = {}

    def cached(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            kept.clear()
            return site(environ, start_response)
        key = (
            environ["PATH_INFO"],
            environ["QUERY_STRING"],
            environ.get("HTTP_COOKIE", "") + environ.get("HTTP_ACCEPT", ""),
        )
        if key not in kept:
            told: list[Any] = []
            answer = site(environ, lambda *start: told.extend(start[:2]))
            body = list(answer)
            close = getattr(answer, "close", None)
            if close:
                close()
            if not told[0].startswith("200"):
                start_response(*told)
                return body
            kept[key] = (told[0], told[1], body)
        status, headers, body = kept[key]
        start_response(status, headers)
        return body

    return cached


def with_early_acknowledgement(site: Wsgi) -> Wsgi:
    def early(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"].startswith("/login"):
            return site(environ, start_response)
        size = int(environ.get("CONTENT_LENGTH") or 0)
        later = {**environ, "wsgi.input": BytesIO(environ["wsgi.input"].read(size))}

        def work() -> None:
            time.sleep(DELAY)
            answer = site(later, lambda *start: None)
            for _ in answer:
                pass
            close = getattr(answer, "close", None)
            if close:
                close()

        threading.Thread(target=work).start()
        start_response("202 Accepted", [("Content-Length", "0")])
        return []

    return early
