"""What gunicorn serves: the app that the first request to a fresh worker names.

Outside the apps, so that these stay what people write: it puts the treatment at the top of the
view, chooses the thread, and counts what `echo=True` would have shown.
"""

import importlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, request
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import scoped_session

from diagnosis import old_app

TWO_THREADS = threading.Barrier(2)

app: Flask | None = None
building = threading.Lock()
thread_names: dict[int, str] = {}
sql: Counter[str] = Counter()


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/meet":
        return meet(start_response)
    thread = environ.get("HTTP_X_THREAD")
    if thread and thread_names[threading.get_ident()] != thread:
        # Asked again until the right one happens to answer.
        start_response("421 Misdirected Request", [("Content-Length", "0")])
        return []
    with building:
        chosen = app or load(environ["HTTP_X_CAUSE"], environ["HTTP_X_DATABASE_URL"])
    sql.clear()
    return chosen(environ, with_receipt(start_response))


def meet(start_response: StartResponse) -> Iterable[bytes]:
    """Returns once two requests are here at once: before, the pool may have one thread only."""
    turn = TWO_THREADS.wait(timeout=10)
    thread_names[threading.get_ident()] = "AB"[turn]
    start_response("204 No Content", [])
    return []


def with_receipt(start_response: StartResponse) -> Any:
    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        seen = f"{sql['SELECT']} {sql['BEGIN']}"
        receipt = [("X-Selects-And-Begins", seen), ("X-Worker", str(os.getpid()))]
        return start_response(status, headers + receipt, *rest)

    return start


# --- Building the app ----------------------------------------------------------------------------


def load(cause: str, database_url: str) -> Flask:
    global app
    os.environ["DATABASE_URL"] = database_url
    event.listen(Engine, "begin", lambda connection: sql.update(["BEGIN"]))
    event.listen(Engine, "before_cursor_execute", count_statement)
    if cause in ("before", "after"):
        module = importlib.import_module(f"diagnosis.{cause}")
        chosen, db = module.app, module.db
        session = getattr(module, "session", db.session)
    else:
        chosen, session = old_app.build(cause)
        db = old_app.db
    add_treatments(chosen, db.session, session)
    add_other_function(chosen, db.session)
    app = chosen
    return chosen


def count_statement(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
    sql[statement.split()[0].upper()] += 1


def add_treatments(app: Flask, db_session: Any, session: Any) -> None:
    """`session` is the one really used: for most causes not db.session, which the client reset."""

    def let_go() -> None:
        if isinstance(session, scoped_session):
            session.remove()
        else:
            session.close()

    treatments: dict[str, list[Callable[[], Any]]] = {
        "dR": [db_session.remove],
        "dE": [db_session.expire_all],
        "dRE": [db_session.remove, db_session.expire_all],
        "oR": [let_go],
        "oE": [session.expire_all],
        "oEc": [session.expire_all, session.commit],
    }

    @app.before_request
    def treat() -> None:
        for step in treatments.get(request.headers.get("X-Treatment", ""), []):
            step()


def add_other_function(app: Flask, db_session: Any) -> None:
    @app.post("/note-by-db-session/<int:number>")
    def note_by_db_session(number: int) -> str:
        """Modifies and commits properly, and knows of no other session and no cache."""
        change = text("UPDATE transactions SET note = :note WHERE id = :id")
        db_session.execute(change, {"note": request.form["note"], "id": number})
        db_session.commit()
        return "saved"
