"""The app of `before.py`, repaired: the patch of the documents is the difference of the two."""

import os

from flask import Flask, render_template_string, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Mapped, mapped_column

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
# Each statement sees what was committed before it began. SQLite has no such level.
if not os.environ["DATABASE_URL"].startswith("sqlite"):
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"isolation_level": "READ COMMITTED"}
db = SQLAlchemy(app)

PAGE = """<h1>{{ count }} transactions</h1>
{% for row in rows %}<p id={{ row.id }}>{{ row.label }}</p>{% endfor %}"""


class Transaction(db.Model):  # type: ignore[name-defined]
    __tablename__ = "transactions"

    id: Mapped[int] = mapped_column(primary_key=True)
    network: Mapped[str]
    label: Mapped[str]
    note: Mapped[str]


@app.teardown_request
def end_session(problem: BaseException | None) -> None:
    """Whatever happened, even under a pushed context: roll back what was not committed, let go."""
    db.session.remove()


@app.get("/")
def transactions() -> str:
    network = request.args.get("network", "ethereum")
    found = db.session.query(Transaction).filter_by(network=network)
    rows = found.order_by(Transaction.id).limit(10).all()
    return render_template_string(PAGE, rows=rows, count=found.count())


@app.post("/label/<int:number>")
def label(number: int) -> str:
    db.session.get_one(Transaction, number).label = request.form["label"]
    db.session.commit()
    return "saved"


@app.post("/note/<int:number>")
def note(number: int) -> str:
    db.session.get_one(Transaction, number).note = request.form["note"]
    db.session.commit()
    return "saved"


@app.get("/report")
def report() -> str:
    return str(db.session.query(Transaction).filter_by(label="NEW").count())
