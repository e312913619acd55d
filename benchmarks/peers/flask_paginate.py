"""Flask and Flask-SQLAlchemy: `db.paginate()`, relations by `selectinload`, as documented."""

import os
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask, redirect, render_template_string, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import URL, ForeignKey, Select, and_, delete, func, or_, select
from sqlalchemy.orm import Mapped, mapped_column, relationship, selectinload

db = SQLAlchemy()


class Contact(db.Model):  # type: ignore[name-defined]
    __tablename__ = "contacts_contact"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    def __str__(self) -> str:
        return self.name


class Address(db.Model):  # type: ignore[name-defined]
    __tablename__ = "contacts_address"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[str]
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts_contact.id"))
    contact: Mapped[Contact | None] = relationship()


class Wallet(db.Model):  # type: ignore[name-defined]
    __tablename__ = "transactions_wallet"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    def __str__(self) -> str:
        return self.name


class Asset(db.Model):  # type: ignore[name-defined]
    __tablename__ = "transactions_asset"
    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str]

    def __str__(self) -> str:
        return self.symbol


class TransactionLabel(db.Model):  # type: ignore[name-defined]
    __tablename__ = "transactions_transactionlabel"
    id: Mapped[int] = mapped_column(primary_key=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("transactions_transaction.id"))
    label_id: Mapped[int] = mapped_column(ForeignKey("transactions_label.id"))


class Label(db.Model):  # type: ignore[name-defined]
    __tablename__ = "transactions_label"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    colour: Mapped[str]

    def __str__(self) -> str:
        return self.name


class Entry(db.Model):  # type: ignore[name-defined]
    __tablename__ = "transactions_entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("transactions_transaction.id"))
    wallet_id: Mapped[int] = mapped_column(ForeignKey("transactions_wallet.id"))
    asset_id: Mapped[int] = mapped_column(ForeignKey("transactions_asset.id"))
    counterparty_id: Mapped[int | None] = mapped_column(ForeignKey("contacts_address.id"))
    amount: Mapped[Decimal]
    kind: Mapped[str]
    wallet: Mapped[Wallet] = relationship()
    asset: Mapped[Asset] = relationship()
    counterparty: Mapped[Address | None] = relationship()


class Transaction(db.Model):  # type: ignore[name-defined]
    __tablename__ = "transactions_transaction"
    id: Mapped[int] = mapped_column(primary_key=True)
    network: Mapped[str | None]
    txid: Mapped[str | None]
    external_id: Mapped[str | None]
    timestamp: Mapped[datetime]
    status: Mapped[str]
    type: Mapped[str]
    note: Mapped[str]
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts_contact.id"))
    contact: Mapped[Contact | None] = relationship()
    entries: Mapped[list[Entry]] = relationship(order_by="Entry.id")
    labels: Mapped[list[Label]] = relationship(
        secondary="transactions_transactionlabel", order_by="Label.name", viewonly=True
    )


LIST = """<!DOCTYPE html><html lang="en"><title>Transactions</title>
<form><input name="q" value="{{ request.args.get('q', '') }}">
<select name="type">{% for one in ['send', 'receive', 'trade', 'self', 'call'] %}
<option>{{ one }}</option>{% endfor %}</select><button>Search</button></form>
<p>{{ page.total }} transactions</p>
<table><tr><th>Time<th>Type<th>Wallet<th>Amounts<th>Counterparty<th>Labels<th>Note<th>Transaction
{% for row in page.items %}<tr data-id="{{ row.id }}"><td>{{ row.timestamp }}
<td>{{ row.type }} {{ row.status }}
<td>{% for e in row.entries %}
<a href="?wallet={{ e.wallet_id }}">{{ e.wallet.name }}</a> {% endfor %}
<td>{% for e in row.entries %}{{ e.amount }} {{ e.asset.symbol }} {% endfor %}
<td>{{ row.contact.name if row.contact }}{% for e in row.entries if e.counterparty %}
{{ e.counterparty.contact.name if e.counterparty.contact else e.counterparty.value }}{% endfor %}
<td>{% for label in row.labels %}
<span class="{{ label.colour }}">{{ label.name }}</span> {% endfor %}
<td>{{ row.note }}<td><a href="/{{ row.id }}">{{ row.txid or row.external_id }}</a>
{% endfor %}</table>
{% for number in page.iter_pages() %}{% if number %}<a href="?page={{ number }}">{{ number }}</a>
{% else %}…{% endif %}{% endfor %}"""
RELATED = [
    selectinload(Transaction.contact),
    selectinload(Transaction.labels),
    selectinload(Transaction.entries).selectinload(Entry.wallet),
    selectinload(Transaction.entries).selectinload(Entry.asset),
    selectinload(Transaction.entries)
    .selectinload(Entry.counterparty)
    .selectinload(Address.contact),
]
SORTS = {
    "time": Transaction.timestamp,
    "type": Transaction.type,
    "status": Transaction.status,
    "note": func.lower(func.left(Transaction.note, 100)),
}


def asked_amounts(asked: Any) -> tuple[Decimal, Decimal]:
    return Decimal(asked["least"]), Decimal(asked["most"])


def filtered(asked: Any) -> Select:
    query = select(Transaction)
    if asked.get("type"):
        query = query.where(Transaction.type == asked["type"])
    entry = [
        getattr(Entry, f"{name}_id") == int(asked[name])
        for name in ("wallet", "asset", "counterparty")
        if asked.get(name)
    ]
    if asked.get("least"):
        amount = func.abs(Entry.amount)
        entry += [Entry.kind == "transfer", amount.between(*asked_amounts(asked))]
    if entry:
        query = query.where(Transaction.entries.any(and_(*entry)))
    if asked.get("label"):
        query = query.where(
            ~Transaction.labels.any()
            if asked["label"] == "none"
            else Transaction.labels.any(Label.id == int(asked["label"]))
        )
    if asked.get("contact"):
        theirs = Transaction.entries.any(
            Entry.counterparty.has(
                Address.contact_id.is_not(None)
                if asked["contact"] == "none"
                else Address.contact_id == int(asked["contact"])
            )
        )
        own = Transaction.contact_id
        query = query.where(
            and_(own.is_(None), ~theirs)
            if asked["contact"] == "none"
            else or_(own == int(asked["contact"]), and_(own.is_(None), theirs))
        )
    if asked.get("first"):
        last = datetime.fromisoformat(asked["last"] + "T00:00:00+00:00") + timedelta(days=1)
        first = datetime.fromisoformat(asked["first"] + "T00:00:00+00:00")
        query = query.where(Transaction.timestamp >= first, Transaction.timestamp < last)
    if asked.get("q"):
        words = f"%{asked['q']}%"
        query = query.where(
            or_(
                Transaction.txid.ilike(words),
                Transaction.external_id.ilike(words),
                Transaction.note.ilike(words),
                Transaction.entries.any(Entry.counterparty.has(Address.value.ilike(words))),
            )
        )
    sort = asked.get("sort", "-time")
    keys: list[Any] = [SORTS[sort.removeprefix("-")], Transaction.id]
    if sort.removeprefix("-") in ("type", "status"):
        keys.insert(1, Transaction.timestamp)
    return query.order_by(*(key.desc() for key in keys) if sort.startswith("-") else keys)


def configured(app: Flask) -> Flask:
    told = urlsplit(os.environ["DATABASE_URL"])
    host = unquote(told.hostname or "")
    app.config["SQLALCHEMY_DATABASE_URI"] = URL.create(
        "postgresql+psycopg",
        username=told.username,
        database=told.path.strip("/"),
        query={"host": host, "port": str(told.port)},
    )
    app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
    db.init_app(app)
    return app


def create_app() -> Flask:
    app = configured(Flask(__name__))

    @app.get("/")
    def index() -> str:
        page = db.paginate(filtered(request.args).options(*RELATED), per_page=50)
        return render_template_string(LIST, page=page)

    @app.get("/<int:pk>")
    def one(pk: int) -> str:
        query = select(Transaction).where(Transaction.id == pk).options(*RELATED)
        page = db.paginate(query, per_page=1, count=False)
        return render_template_string(LIST.replace("page.iter_pages()", "[]"), page=page)

    @app.post("/<int:pk>/labels/<int:label>")
    def toggle(pk: int, label: int) -> Any:
        found = delete(TransactionLabel).filter_by(transaction_id=pk, label_id=label)
        if not db.session.execute(found).rowcount:  # type: ignore[attr-defined]
            db.session.add(TransactionLabel(transaction_id=pk, label_id=label))
        db.session.commit()
        return redirect("/")

    @app.get("/balances")
    def balances() -> str:
        query = (
            select(Wallet.name, Asset.symbol, func.sum(Entry.amount), func.count())
            .join(Entry.wallet)
            .join(Entry.asset)
            .group_by(Wallet.id, Asset.id)
            .order_by(Wallet.name, Asset.symbol)
        )
        return render_template_string(
            "<table>{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}{% endfor %}"
            "{% endfor %}</table>",
            rows=db.session.execute(query).all(),
        )

    return app


application = create_app()
