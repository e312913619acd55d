"""The old app on the ledger's own tables: one SQLAlchemy session for the whole process.

It stays in one transaction, which under REPEATABLE READ is as old as its first query.
"""

import os
import threading
from html import escape

import psycopg
from flask import Flask, request
from sqlalchemy import create_engine, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

engine = create_engine(
    "postgresql+psycopg://",
    creator=lambda: psycopg.connect(os.environ["DATABASE_URL"]),
    isolation_level="REPEATABLE READ",
)
session = sessionmaker(bind=engine)()
# A session is not made for several threads; the old server had one.
one_at_a_time = threading.RLock()
app = Flask(__name__)


class Base(DeclarativeBase):
    pass


class Transaction(Base):
    __tablename__ = "transactions_transaction"

    id: Mapped[int] = mapped_column(primary_key=True)
    external_id: Mapped[str]
    note: Mapped[str]
    version: Mapped[int]


@app.before_request
def begin() -> None:
    one_at_a_time.acquire()


@app.teardown_request
def end(problem: BaseException | None) -> None:
    if problem:
        session.rollback()
    one_at_a_time.release()


def row(record: Transaction) -> str:
    return (
        f'<tr data-id="{record.id}" data-version="{record.version}">'
        f'<td><bdi class="note">{escape(record.note)}</bdi></td></tr>'
    )


@app.get("/login/")
def login() -> str:
    return ""


@app.get("/transactions/")
def transactions() -> str:
    found = select(Transaction).where(Transaction.external_id.like("edited-%"))
    return "".join(map(row, session.scalars(found.order_by(Transaction.id))))


@app.get("/transactions/<int:pk>/")
def detail(pk: int) -> str:
    return row(session.get_one(Transaction, pk))


@app.post("/transactions/<int:pk>/note/")
def note(pk: int) -> str:
    session.execute(update(Transaction).filter_by(id=pk).values(note=request.form["note"]))
    session.commit()
    return row(session.get_one(Transaction, pk))
