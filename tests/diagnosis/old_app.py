"""The old app, Flask + SQLAlchemy, once for each cause that could have made its page stale.

Each function below builds one variant, written as people write them; what is wrong with it is in
the function's docstring. `build` puts the views on it. Only gunicorn imports this (see stage.py).
"""

import functools
import os
import queue
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from jinja2 import Template
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Mapped, Query, Session, mapped_column, scoped_session, sessionmaker

PER_PAGE = 10
PAGE = Template(
    "<h1>{{ count }} transactions</h1>"
    "{% for row in rows %}<p id={{ row.id }}>{{ row.label }}</p>{% endfor %}"
)

db = SQLAlchemy()


class Transaction(db.Model):  # type: ignore[name-defined]
    __tablename__ = "transactions"

    id: Mapped[int] = mapped_column(primary_key=True)
    network: Mapped[str]
    label: Mapped[str]
    note: Mapped[str]


AnySession = Session | scoped_session[Any]


class Variant(NamedTuple):
    """What differs between the variants. What is None, `build` does with `session`."""

    session: AnySession  # the one really used: by the page, or by the write that is not seen
    page: Callable[[], str] | None = None
    label: Callable[[int, str], None] | None = None
    note: Callable[[int, str], None] | None = None


# --- What every variant does, given a session ----------------------------------------------------


def found(session: AnySession) -> Query[Transaction]:
    return session.query(Transaction).filter_by(network="ethereum").order_by(Transaction.id)


def page_on(session: AnySession) -> str:
    rows = found(session).limit(PER_PAGE).all()
    return PAGE.render(rows=rows, count=found(session).count())


def set_label(session: AnySession, number: int, label: str) -> None:
    session.get_one(Transaction, number).label = label


def set_note(session: AnySession, number: int, note: str) -> None:
    session.get_one(Transaction, number).note = note


def build(cause: str) -> tuple[Flask, AnySession]:
    """The app with one fault, and the session that the fault lives in."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    variant = VARIANTS[cause](app)
    session = variant.session

    @app.get("/")
    def page() -> str:
        return variant.page() if variant.page else page_on(session)

    @app.post("/label/<int:number>")
    def label(number: int) -> str:
        if variant.label:
            variant.label(number, request.form["label"])
        else:
            set_label(session, number, request.form["label"])
            session.commit()
        return "saved"

    @app.post("/note/<int:number>")
    def note(number: int) -> str:
        """The "other function that modifies the database": another row, properly committed."""
        if variant.note:
            variant.note(number, request.form["note"])
        else:
            set_note(session, number, request.form["note"])
            session.commit()
        return "saved"

    @app.get("/report")
    def report() -> str:
        """The other function that only reads."""
        return str(found(session).filter(Transaction.label == "NEW").count())

    return app, session


def own_engine(app: Flask) -> Engine:
    return create_engine(app.config["SQLALCHEMY_DATABASE_URI"])


# --- 0: nothing wrong ----------------------------------------------------------------------------


def control(app: Flask) -> Variant:
    """Flask-SQLAlchemy as documented: a session a request, removed when the request ends."""
    return Variant(db.session)


# --- 1: rows kept in a global or a cache ---------------------------------------------------------


def module_list(app: Flask) -> Variant:
    """Rows in a module's list; the functions that modify load it anew."""
    rows: list[Transaction] = []

    def load() -> None:
        rows[:] = found(db.session).all()

    def page() -> str:
        if not rows:
            load()
        return PAGE.render(rows=rows[:PER_PAGE], count=len(rows))

    def note(number: int, text: str) -> None:
        set_note(db.session, number, text)
        db.session.commit()
        load()

    return Variant(db.session, page=page, note=note)


def module_list_never_reloaded(app: Flask) -> Variant:
    """The same list, and nobody loads it anew."""
    return module_list(app)._replace(note=None)


def memoised(app: Flask) -> Variant:
    """A memoised page; the functions that modify clear it, in their own process."""

    @functools.lru_cache
    def page() -> str:
        return page_on(db.session)

    def label(number: int, text: str) -> None:
        set_label(db.session, number, text)
        db.session.commit()
        page.cache_clear()

    def note(number: int, text: str) -> None:
        set_note(db.session, number, text)
        db.session.commit()
        page.cache_clear()

    return Variant(db.session, page=page, label=label, note=note)


# --- 2: one session across requests --------------------------------------------------------------


def module_session(app: Flask) -> Variant:
    """One Session for all requests of the process."""
    return Variant(Session(own_engine(app)))


def module_session_with_rows_held(app: Flask) -> Variant:
    """The same, and something keeps the rows alive: a list of those "recently seen"."""
    return holding_rows(Session(own_engine(app)))


def module_session_that_expires_nothing(app: Flask) -> Variant:
    """The same, made with expire_on_commit=False."""
    return holding_rows(Session(own_engine(app), expire_on_commit=False))


def holding_rows(session: Session) -> Variant:
    recently_seen: list[Transaction] = []

    def page() -> str:
        recently_seen[:] = found(session).limit(PER_PAGE).all()
        return PAGE.render(rows=recently_seen, count=found(session).count())

    return Variant(session, page=page)


def pushed_context(app: Flask) -> Variant:
    """A context pushed at import, so that db.session "works everywhere": its scope never ends."""
    app.app_context().push()
    return Variant(db.session)


def pushed_context_with_teardown(app: Flask) -> Variant:
    """The same with the textbook remove(), which waits for the end of that context."""

    @app.teardown_appcontext
    def remove(problem: BaseException | None) -> None:
        db.session.remove()

    return pushed_context(app)


def pushed_context_with_request_teardown(app: Flask) -> Variant:
    """The same with remove() at the end of each request, as the patch has it."""

    @app.teardown_request
    def remove(problem: BaseException | None) -> None:
        db.session.remove()

    return pushed_context(app)


def session_on_open_connection(app: Flask) -> Variant:
    """A Session bound to one Connection whose transaction has begun already."""
    connection = own_engine(app).connect()
    connection.begin()
    return Variant(Session(bind=connection))


# --- 3: changes that are not committed -----------------------------------------------------------


def flush_on_module_session(app: Flask) -> Variant:
    """Labels are flushed on a module's Session; the page reads with db.session."""
    session = Session(own_engine(app))

    def label(number: int, text: str) -> None:
        set_label(session, number, text)
        session.flush()

    return Variant(session, page=lambda: page_on(db.session), label=label)


def flush_on_the_pages_session(app: Flask) -> Variant:
    """One Session of the process for both, and labels are flushed: the other workers see none."""
    session = Session(own_engine(app))

    def label(number: int, text: str) -> None:
        set_label(session, number, text)
        session.flush()

    return Variant(session, label=label)


def flush_on_closed_session(app: Flask) -> Variant:
    """Labels are flushed on a Session of the function's own, which it closes."""
    engine = own_engine(app)

    def label(number: int, text: str) -> None:
        with Session(engine) as session:
            set_label(session, number, text)
            session.flush()

    def note(number: int, text: str) -> None:
        with Session(engine) as session:
            set_note(session, number, text)
            session.commit()

    return Variant(db.session, label=label, note=note)


def flush_on_leaked_session(app: Flask) -> Variant:
    """The same, but those Sessions are kept, and nobody closes them."""
    engine = own_engine(app)
    leaked: list[Session] = []

    def label(number: int, text: str) -> None:
        session = Session(engine)
        leaked.append(session)
        set_label(session, number, text)
        session.flush()

    return Variant(db.session, label=label)


def flush_on_db_session(app: Flask) -> Variant:
    """Labels are flushed on db.session, which is rolled back when the request ends."""

    def label(number: int, text: str) -> None:
        set_label(db.session, number, text)
        db.session.flush()

    return Variant(db.session, label=label)


# --- 4: a wrongly scoped scoped_session ----------------------------------------------------------


def scope_never_removed(app: Flask) -> Variant:
    """A hand-made scoped_session, a session a thread, and nobody calls its remove()."""
    return Variant(scoped_session(sessionmaker(own_engine(app))))


def scope_of_all_threads(app: Flask) -> Variant:
    """A scope function that gives every thread the same session."""
    return Variant(scoped_session(sessionmaker(own_engine(app)), scopefunc=lambda: 0))


def background_thread(app: Flask) -> Variant:
    """A thread that answers the pages' questions and never ends its session."""
    session = Session(own_engine(app))
    questions: queue.Queue[queue.Queue[str]] = queue.Queue()

    def answer() -> None:
        while True:
            questions.get().put(page_on(session))

    def page() -> str:
        mine: queue.Queue[str] = queue.Queue()
        questions.put(mine)
        return mine.get(timeout=10)

    def note(number: int, text: str) -> None:
        set_note(db.session, number, text)
        db.session.commit()

    threading.Thread(target=answer, daemon=True).start()
    return Variant(session, page=page, note=note)


VARIANTS: dict[str, Callable[[Flask], Variant]] = {
    "0": control,
    "1a": module_list,
    "1a'": module_list_never_reloaded,
    "1b": memoised,
    "1c": memoised,
    "2a": module_session,
    "2a-held": module_session_with_rows_held,
    "2a-noEOC": module_session_that_expires_nothing,
    "2p": pushed_context,
    "2p-td": pushed_context_with_teardown,
    "2p-tr": pushed_context_with_request_teardown,
    "2c": session_on_open_connection,
    "3a": flush_on_module_session,
    "3a-B": flush_on_the_pages_session,
    "3b": flush_on_closed_session,
    "3b-leak": flush_on_leaked_session,
    "3c": flush_on_db_session,
    "4a-thr": scope_never_removed,
    "4a-const": scope_of_all_threads,
    "4c-bg": background_thread,
}
