"""The page that says what the columns of an unknown table are, and shows it read that way."""

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from contacts.addresses import shorten
from contacts.networks import NETWORKS
from contacts.views import SeeOther
from transactions.import_forms import TimeZoneField
from transactions.import_views import begin, can_map, run_again, with_content
from transactions.imports.files import stored
from transactions.imports.formats.accounts import marks_of
from transactions.imports.formats.mapped import (
    DATE_ORDERS,
    DECIMALS,
    FIELDS,
    IN,
    OUT,
    PAIRS,
    PREFIX,
    MappedLine,
    Mapping,
    format_of,
    mapping_of,
)
from transactions.imports.formats.reader import Record, line_of, open_any, records
from transactions.imports.importer import is_taken, keep_mapping, options_of
from transactions.imports.rows import FileError, Rejected, Row, Table
from transactions.models import ImportBatch
from txsite.freshness.middleware import snapshot

SAMPLES = 5
is_utc = re.compile(r"\b(?:UTC|GMT)\b(?! ?[+-])", re.IGNORECASE).search
says_zone = re.compile(r":[0-9.]+ ?(UTC|Z|[+-][0-9]{2}:?[0-9]{2})$").search
UPLOAD_OPTIONS = ("wallet", "network", "timezone", "encoding")
TAKEN = (
    "There is another mapping of this name. Give this one a name of its own, or replace the "
    "other: files are read by this one from then on, and imports that are done keep theirs."
)
# The fields as the screen has them.
GROUPS = {
    "When, and what moved": (
        *("date", "clock", "amount", "way", "currency", "sent_amount", "sent_currency"),
        *("received_amount", "received_currency", "fee_amount", "fee_currency"),
    ),
    "Which transaction": ("type", "status", "txid", "network", "block", "id"),
    "Whose, with whom and what for": ("wallet", "counterparty", "contact", "note", "labels"),
}
# What tables call them, in small letters and without what stands in brackets.
GUESSES = {
    "date": "date, day, datetime, date time, date and time, timestamp, created, created at, "
    "transaction date, datum, zeitpunkt, buchungstag, buchungsdatum",
    "clock": "time, time of day, uhrzeit, zeit",
    "amount": "amount, value, sum, quantity, net amount, change, size, qty, "
    "betrag, menge, umsatz, anzahl",
    "way": "way, direction, side, in out, debit credit, richtung, soll haben",
    "currency": "currency, asset, coin, unit, symbol, token, ticker, amount currency, währung",
    "sent_amount": "sent, sent amount, amount sent, out, outgoing, outgoing amount, amount out, "
    "debit, paid out, ausgang, soll, gesendet",
    "sent_currency": "sent currency, currency sent, sent asset, outgoing asset, currency out",
    "received_amount": "received, received amount, amount received, in, incoming, "
    "incoming amount, amount in, credit, paid in, eingang, haben, erhalten",
    "received_currency": "received currency, currency received, received asset, incoming asset, "
    "currency in",
    "fee_amount": "fee, fees, fee amount, network fee, transaction fee, tx fee, txn fee, gas fee, "
    "commission, costs, gebühr, gebühren, kosten, entgelt",
    "fee_currency": "fee currency, currency fee, fee asset, fee coin, fee unit, "
    "commission asset, commission currency",
    "type": "type, transaction type, kind, operation, art, typ, buchungsart, vorgang",
    "status": "status, state",
    "txid": "txid, tx id, hash, txhash, tx hash, txn hash, transaction hash, transaktionshash",
    "network": "network, chain, blockchain, netzwerk",
    "block": "block, block number, blocknumber, block no, blockno, block height, height",
    "counterparty": "counterparty, address, recipient address, destination address, "
    "counterparty address, other address, to address, adresse",
    "contact": "contact, payee, recipient, merchant, who, kontakt, empfänger, auftraggeber "
    "empfänger, begünstigter zahlungspflichtiger, name zahlungsbeteiligter",
    "id": "id, reference, ref, transaction id, order id, trade id, referenz",
    "note": "note, notes, description, comment, memo, details, text, remark, remarks, message, "
    "verwendungszweck, buchungstext, beschreibung, notiz, bemerkung, kommentar",
    "labels": "label, labels, tag, tags, category, kategorie",
    "wallet": "wallet, account, portfolio, konto",
}
MEANT = {
    word.replace(" ", ""): name for name, words in GUESSES.items() for word in words.split(", ")
}


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("transactions.add_importbatch", raise_exception=True)
def map_columns(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks what the columns are; shows sample lines as they would be read; keeps the mapping."""
    batch = get_object_or_404(with_content(), pk=pk)
    if not can_map(batch):
        raise Http404("There is nothing to say about this file's columns.")
    try:
        table = open_any(stored(batch), batch.file_name, batch.options.get("encoding", ""))
        first = used(batch) or guessed(batch, table)
    except FileError as problem:
        return render(request, "400.html", {"exception": str(problem)}, status=422)
    said = batch.options.get("timezone", "")
    if request.method != "POST":
        return show(request, batch, table, first, said or zone_in(first), [])
    mapping, zone = asked(request, table), request.POST.get("timezone", said).strip()
    problems = [*mapping.problems(), *problems_of(zone)]
    if problems or "show" in request.POST:
        status = 422 if problems else 200
        return show(request, batch, table, mapping, zone, problems, status=status)
    if is_taken(mapping) and "replace" not in request.POST:
        return show(request, batch, table, mapping, zone, [TAKEN], status=409, is_taken=True)
    with transaction.atomic():
        keep_mapping(mapping)
        again = ImportBatch.objects.filter(pk=pk, status=batch.status, made_at=batch.made_at)
        options = {name: said for name, said in batch.options.items() if name in UPLOAD_OPTIONS}
        options |= {"timezone": zone, "network": ""}  # a network is the mapping's from now on
        name = f"{PREFIX}{mapping.name}"
        is_running = run_again(again, format=name, options=options, is_confirmed=False)
    if is_running:
        begin([batch])
    return SeeOther(batch.get_absolute_url())


def used(batch: ImportBatch) -> Mapping | None:
    """The mapping by which the file was read."""
    own = batch.options.get("mapping")
    if not own:
        return None
    mapping = mapping_of(own)
    return replace(mapping, network=batch.options.get("network") or mapping.network)


def zone_in(mapping: Mapping) -> str:
    """The time zone that the date's column is called after."""
    return "UTC" if is_utc(mapping.columns.get("date", "").replace("_", " ")) else ""


def problems_of(zone: str) -> list[str]:
    try:
        TimeZoneField(required=False, max_length=100).clean(zone)
    except ValidationError as problem:
        return problem.messages
    return []


def asked(request: HttpRequest, table: Table) -> Mapping:
    columns = {name: request.POST.get(f"column {name}", "") for name in FIELDS}
    return Mapping(
        " ".join(request.POST.get("name", "").split()),
        table.header,
        {name: column for name, column in columns.items() if column},
        request.POST.get("decimal", "."),
        request.POST.get("date_order", ""),
        request.POST.get("currency", "").strip(),
        request.POST.get("network", ""),
    )


def guessed(batch: ImportBatch, table: Table) -> Mapping:
    """What the columns' names and the first lines seem to say; FileError where the file breaks off
    there."""
    found = called(table.header)
    lines = [line_of(one, table.header) for one in first_of(table)]
    amounts = [line[found[name].casefold()] for name in PAIRS if name in found for line in lines]
    if "type" in found and not any("-" in one for one in amounts):
        types = {line[found["type"].casefold()].casefold() for line in lines}
        if types <= IN | OUT:
            found.setdefault("way", found["type"])
    marks = marks_of(re.sub(r"^\D+|\D+$", "", amount) for amount in amounts)
    return Mapping(
        Path(batch.file_name).stem[:50],
        table.header,
        found,
        decimal="," if marks.has_commas and not marks.has_points else ".",
        network=batch.options.get("network", ""),
    )


def called(header: Iterable[str]) -> dict[str, str]:
    """Our fields, and the columns that are called as people call them."""
    found: dict[str, str] = {}
    for column in header:
        words = re.sub(r"\(.*?\)|\b(utc|gmt)\b", " ", column.casefold().replace("_", " "))
        if name := MEANT.get("".join(re.findall(r"\w", words))):
            found.setdefault(name, column)
    if "clock" in found and "date" not in found:
        found["date"] = found.pop("clock")
    # A column of the only currency is that of every amount.
    for name in PAIRS:
        if name in found and "currency" in found:
            found.setdefault(name.replace("amount", "currency"), found["currency"])
    if "amount" not in found:
        found.pop("currency", None)
    return found


def first_of(table: Table) -> list[Record]:
    return [one for one in islice(records(table), SAMPLES) if isinstance(one, Record)]


def show(
    request: HttpRequest,
    batch: ImportBatch,
    table: Table,
    mapping: Mapping,
    zone: str,
    problems: list[str],
    status: int = 200,
    is_taken: bool = False,
) -> HttpResponse:
    with snapshot(request):
        try:
            first = first_of(table)
            missing = [*mapping.problems(), *problems_of(zone)]
            found, order = read(batch, table, mapping, zone) if not missing else ([], "")
        except FileError as problem:  # the file breaks off further down
            first, found, order, missing, status = [], [], "", [], 422
            problems = [*problems, str(problem)]
        when = {one.line: MappedLine(line_of(one, table.header), mapping).when for one in first}
        titles, as_read = sample([as_cells(one, when, zone) for one in found])
        context = {
            "batch": batch,
            "header": table.header,
            "lines": [one.cells for one in first],
            "groups": [
                (title, [(name, FIELDS[name], mapping.columns.get(name, "")) for name in names])
                for title, names in GROUPS.items()
            ],
            "unread": [one for one in table.header if one and one not in mapping.columns.values()],
            "missing": [] if problems else missing,
            "mapping": mapping,
            "zone": zone,
            "open_order": order,
            "decimals": DECIMALS.items(),
            "date_orders": DATE_ORDERS.items(),
            "networks": NETWORKS.values(),
            "problems": problems,
            "is_taken": is_taken,
            "titles": titles,
            "read": as_read,
        }
        return render(request, "transactions/import_mapping.html", context, status=status)


def read(
    batch: ImportBatch, table: Table, mapping: Mapping, zone: str
) -> tuple[list[Row | Rejected], str]:
    """The first lines as the mapping reads them, and what it leaves open of their days."""
    format_ = format_of(mapping)
    options = replace(options_of(batch), network="", date_order="")
    # What is still open is asked later; here any answer shows the columns.
    given = replace(options, wallet=options.wallet or "-", timezone=ZoneInfo(zone or "UTC"))
    questions = format_.questions(table, given)
    if questions:
        given = replace(given, date_order="dmy")
    found = list(islice(format_.read(table, given).records, SAMPLES))
    return found, " ".join(question.text for question in questions)


def sample(lines: list[dict[str, str]]) -> tuple[list[str], list[dict[str, Any]]]:
    """The titles of what some line says, and for each line its cells, or why it is none."""
    all_titles = dict.fromkeys(title for line in lines for title in line if title != "reason")
    titles = [title for title in all_titles if any(line.get(title) for line in lines)]
    return titles, [
        {"reason": line.get("reason", ""), "cells": [line.get(title, "") for title in titles]}
        for line in lines
    ]


def as_cells(record: Row | Rejected, when: dict[int, str], zone: str) -> dict[str, str]:
    """What a line says, by the titles of that, or its reason; `when` is its time as it stands."""
    if isinstance(record, Rejected):
        return {"reason": record.reason}
    moves, network = record.movements, NETWORKS.get(record.network)
    is_made = record.external_id.startswith("row:")
    moved = [
        f"{'fee ' if one.kind == 'fee' else ''}{one.amount:f} "
        f"{network.symbol if network and one.asset.kind == 'native' else one.asset.symbol}"
        for one in moves
    ]
    time = f"{record.timestamp:%Y-%m-%d %H:%M:%S}"
    if not zone and says_zone(when[record.line]):
        time += " UTC"
    return {
        "Time (UTC)" if zone else "Time as in the file": time,
        "Moved": ", ".join(moved),
        "Type": record.type,
        "Status": "" if record.status == "ok" else record.status,
        "Account": record.wallet,
        "Network": record.network,
        "Hash or id": shorten(record.txid) or ("" if is_made else record.external_id),
        "Block": str(record.block or ""),
        "Other side": shorten(next(filter(None, (one.counterparty for one in moves)), "")),
        "Contact": record.contact,
        "Labels": ", ".join(record.labels),
        "Note": record.note,
    }


map_columns.own_snapshot = True  # type: ignore[attr-defined]
