"""Flask-Admin: a ModelView of the transactions, its columns and filters as documented."""

from typing import Any

from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from markupsafe import escape

from benchmarks.peers.flask_paginate import Transaction, configured, db


def joined(texts: Any) -> str:
    return escape(", ".join(dict.fromkeys(str(text) for text in texts)))


class TransactionView(ModelView):
    can_view_details = True
    named_filter_urls = True
    page_size = 50
    column_list = ["timestamp", "type", "status", "entries", "contact", "labels", "note", "txid"]
    column_sortable_list = ["timestamp", "type", "status"]
    column_default_sort = [("timestamp", True), ("id", True)]
    column_filters = ["type", "status", "timestamp", "contact.name", "labels.name"]
    column_searchable_list = ["txid", "external_id", "note"]
    column_formatters = {
        "entries": lambda view, context, row, name: joined(
            f"{one.wallet.name}: {one.amount:f} {one.asset.symbol}" for one in row.entries
        ),
        "labels": lambda view, context, row, name: joined(row.labels),
    }


def create_app() -> Flask:
    app = configured(Flask(__name__))
    admin = Admin(app, name="Transactions")
    admin.add_view(TransactionView(Transaction, db, endpoint="transaction"))
    return app


application = create_app()
