"""The old app as the client's report lets us imagine it; `after.py` is the same app, repaired."""

import os

from flask import Flask, render_template_string, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Mapped, mapped_column, sessionmaker

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
db = SQLAlchemy(app)
app.app_context().push()
session = sessionmaker(bind=db.engine)()
counts: dict[str, int] = {}

PAGE = """<h1>{{ count }} transactions</h1>
{% for row in rows %}<p id={{ row.id }}>{{ row.label }}</p>{% endfor %}"""


class Transaction(db.Model):  # type: ignore[name-defined]
    __tablename__ = "transactions"

    id: Mapped[int] = mapped_column(primary_key=True)
    network: Mapped[str]
    label: Mapped[str]
    note: Mapped[str]


@app.get("/")
def transactions() -> str:
    db.session.remove()
    db.session.expire_all()
    network = request.args.get("network", "ethereum")
    found = session.query(Transaction).filter_by(network=network)
    if network not in counts:
        counts[network] = found.count()
    rows = found.order_by(Transaction.id).limit(10).all()
    return render_template_string(PAGE, rows=rows, count=counts[network])


@app.post("/label/<int:number>")
def label(number: int) -> str:
    session.get_one(Transaction, number).label = request.form["label"]
    session.flush()
    return "saved"


@app.post("/note/<int:number>")
def note(number: int) -> str:
    session.get_one(Transaction, number).note = request.form["note"]
    session.commit()
    counts.clear()
    return "saved"


@app.get("/report")
def report() -> str:
    return str(session.query(Transaction).filter_by(label="NEW").count())
