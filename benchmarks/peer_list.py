"""Who is measured: how each peer is started, asked for a case, and read.

A peer that has no way to ask for a case leaves it out. Unknown words in `asks` are such a thing
too: nothing is answered with other rows than those that were asked for.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from benchmarks import stage
from benchmarks.cases import Case

Asks = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """`address` makes the path that asks for a case, or None; `row` finds the ids of a page."""

    name: str
    title: str
    command: list[str]
    address: Callable[[Case], str | None]
    row: str
    settings: str = "benchmarks.peers.us_settings"
    database: str = "ours"  # or "ideal", or "sqlite"
    log_in: str = ""
    user: str = stage.USER


def limit(case: Case) -> str:
    return f"/?case={quote(case.name)}"


def floor(case: Case) -> str | None:
    return None if case.copy or case.write else limit(case)


def us(case: Case) -> str:
    return case.path


def only(asks: Asks, *known: str) -> bool:
    return set(asks) <= set(known)


def is_list(case: Case) -> bool:
    """Whether it is a list that the peers are asked for at all."""
    return bool(case.ids) and (bool(case.asks) or case.name == "first page")


def flask(case: Case) -> str | None:
    asks = dict(case.asks)
    if "balances" in asks:
        return "/balances"
    if "pk" in asks:
        return f"/{asks['pk']}"
    if "edit" in asks:
        return "/"
    if "export" in asks or "changes" in asks:
        return None
    for name in ("before", "txid", "txid_start", "note"):
        asks.pop(name, None)
    if "amount" in asks:
        asks["least"], asks["most"] = asks.pop("amount")
    if "address" in asks:
        asks["counterparty"] = asks.pop("address")
    known = ("page", "wallet", "asset", "type", "label", "contact", "first", "last", "q", "sort")
    if not is_list(case) or not only(asks, *known, "least", "most", "counterparty"):
        return None
    told = {name: "none" if value is None else value for name, value in asks.items()}
    return f"/?{urlencode(told)}"


def flask_admin(case: Case) -> str | None:
    """Its filters are numbered by their names; relations over entries would repeat rows."""
    asks = dict(case.asks)
    for name in ("before", "txid", "txid_start", "note"):
        asks.pop(name, None)
    if not is_list(case) or not only(asks, "page", "type", "q", "sort"):
        return None
    told: dict[str, Any] = {}
    if "page" in asks:
        told["page"] = asks["page"] - 1
    if "type" in asks:
        told["flt0_type_equals"] = asks["type"]
    if "q" in asks:
        told["search"] = asks["q"]
    if "sort" in asks:
        column = asks["sort"].removeprefix("-")
        columns = {"time": 0, "type": 1, "status": 2}
        if column not in columns:
            return None
        told["sort"] = columns[column]
        if asks["sort"].startswith("-"):
            told["desc"] = 1
    return f"/admin/transaction/?{urlencode(told)}"


def django_admin(case: Case) -> str | None:
    asks = dict(case.asks)
    if "pk" in asks:
        return f"/admin/transactions/transaction/{asks['pk']}/change/"
    for name in ("before", "txid", "txid_start", "note"):
        asks.pop(name, None)
    known = {"page": "p", "wallet": "entries__wallet__id__exact"}
    known |= {"asset": "entries__asset__id__exact", "label": "labels__id__exact"}
    known |= {"type": "type__exact", "q": "q", "first": "timestamp__gte", "last": "timestamp__lt"}
    if not is_list(case) or not only(asks, *known, "sort"):
        return None
    told: dict[str, Any] = {}
    for name, value in asks.items():
        if name == "sort":
            columns = {"time": 1, "type": 2, "status": 3}
            column = columns.get(value.removeprefix("-"))
            if column is None:
                return None
            told["o"] = f"{'-' if value.startswith('-') else ''}{column}"
        elif value is None:
            told["labels__isnull"] = "True"
        else:
            told[known[name]] = value
    if "last" in asks:
        day = int(asks["last"][-2:]) + 1
        told["timestamp__gte"] = asks["first"] + " 00:00:00+00:00"
        told["timestamp__lt"] = f"{asks['last'][:-2]}{day} 00:00:00+00:00"
    return f"/admin/transactions/transaction/?{urlencode(told)}"


def tables(folder: str) -> Callable[[Case], str | None]:
    def address(case: Case) -> str | None:
        asks = dict(case.asks)
        for name in ("before", "txid", "txid_start", "note"):
            asks.pop(name, None)
        known = {"page": "page", "wallet": "wallet", "asset": "asset"}
        known |= {"type": "type", "label": "labels", "contact": "contact", "q": "q"}
        known |= {"first": "timestamp_min", "last": "timestamp_max", "sort": "sort"}
        if not is_list(case) or not only(asks, *known) or None in asks.values():
            return None
        told = {known[name]: value for name, value in asks.items()}
        if "sort" in told:
            if told["sort"].removeprefix("-") not in ("time", "type", "status"):
                return None
            told["sort"] = told["sort"].replace("time", "timestamp")
        if "first" in asks:
            told["timestamp_after"] = told.pop("timestamp_min")
            told["timestamp_before"] = told.pop("timestamp_max")
        return f"/{folder}/?{urlencode(told)}"

    return address


def datasette(case: Case) -> str | None:
    """Its rows are the table's own; what is related is asked for with `_through`."""
    asks = dict(case.asks)
    table = "/ledger/transactions_transaction"
    if "pk" in asks:
        return f"{table}/{asks['pk']}"
    if "export" in asks:
        return f"{table}.csv?_stream=on&timestamp__gte={asks['export']}"
    page = asks.pop("page", None)
    if not is_list(case):
        return None
    told: list[tuple[str, Any]] = [("_size", 50)]
    sort = asks.pop("sort", "-time")
    columns = {"time": "timestamp", "type": "type", "status": "status", "note": "note"}
    column = columns[sort.removeprefix("-")]
    told.append(("_sort_desc" if sort.startswith("-") else "_sort", column))
    through = {
        "wallet": ("transactions_entry", "wallet_id"),
        "asset": ("transactions_entry", "asset_id"),
        "address": ("transactions_entry", "counterparty_id"),
        "label": ("transactions_transactionlabel", "label_id"),
    }
    if "txid" in asks:
        asks = {"txid": asks["txid"]}
    elif "txid_start" in asks:
        asks = {"txid__startswith": asks["txid_start"]}
    elif "note" in asks:
        asks = {"note__contains": asks["note"]}
    for name, value in asks.items():
        if name in through and value is not None:
            other, key = through[name]
            what = {"table": other, "column": key, "value": str(value)}
            told.append(("_through", json.dumps(what)))
        elif name == "type" or name.startswith(("txid", "note")):
            told.append((name, value))
        elif name == "first":
            told.append(("timestamp__gte", value))
        elif name == "last":
            told.append(("timestamp__lt", f"{value[:-2]}{int(value[-2:]) + 1}"))
        elif name == "before" and page:
            moment, pk = value
            told.append(("_next", f"{tilde(sqlite_time(moment))},{pk}"))
        else:
            return None
    return f"{table}?{urlencode(told)}"


def sqlite_time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def tilde(text: str) -> str:
    """As Datasette writes values into addresses."""
    safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
    return "".join(
        one if one in safe else "+" if one == " " else f"~{ord(one):02X}" for one in text
    )


IN_ROW = r'data-id="(\d+)"'
PEERS = [
    Peer("limit", "limit", stage.gunicorn("limit"), limit, r"(?m)^\[(\d+),", database="ideal"),
    Peer(
        "floor",
        "floor",
        stage.gunicorn("floor"),
        floor,
        r"(?m)^\[(\d+),",
        "benchmarks.peers.bare_settings",
        "ideal",
    ),
    Peer("us", "us", stage.gunicorn("us"), us, r'<tr id="tx-(\d+)"', log_in="/login/"),
    Peer("flask", "Flask", stage.gunicorn("flask_paginate"), flask, IN_ROW),
    Peer(
        "flask-admin",
        "Flask-Admin",
        stage.gunicorn("flask_admin_view"),
        flask_admin,
        r'name="rowid"[^>]* value="(\d+)"',
    ),
    Peer(
        "django-admin",
        "Django admin",
        stage.gunicorn("django_plain"),
        django_admin,
        r"/transaction/(\d+)/change/",
        "benchmarks.peers.django_settings",
        log_in="/admin/login/",
        user="admin",
    ),
    Peer(
        "tables2",
        "tables2",
        stage.gunicorn("django_plain"),
        tables("tables"),
        IN_ROW,
        "benchmarks.peers.django_settings",
    ),
    Peer(
        "tables2-related",
        "tables2 +sr",
        stage.gunicorn("django_plain"),
        tables("tables-related"),
        IN_ROW,
        "benchmarks.peers.django_settings",
    ),
    Peer(
        "datasette",
        "Datasette",
        [
            *(
                sys.executable,
                "-m",
                "datasette",
                "serve",
                "SQLITE",
                "--port",
                "PORT",
                "--setting",
                "suggest_facets",
                "off",
            ),
        ],
        datasette,
        r'/transactions_transaction/(\d+)"',
        database="sqlite",
    ),
]
[US] = [one for one in PEERS if one.name == "us"]
