"""The page that says what the columns of an unknown table are, and shows it read that way."""

from dataclasses import replace
from datetime import UTC
from itertools import islice
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from contacts.views import SeeOther
from transactions.import_views import begin, can_map, run_again, with_content
from transactions.imports.files import stored
from transactions.imports.formats.mapped import (
    DATE_ORDERS,
    DECIMALS,
    FIELDS,
    PREFIX,
    Mapping,
    format_of,
    mapping_of,
)
from transactions.imports.formats.reader import Record, open_any, records
from transactions.imports.importer import is_taken, keep_mapping, options_of
from transactions.imports.rows import FileError, Rejected, Row, Table
from transactions.models import ImportBatch
from txsite.freshness.middleware import snapshot

SAMPLES = 5
UPLOAD_OPTIONS = ("wallet", "network", "timezone", "encoding")
TAKEN = (
    "There is another mapping of this name. Give this one a name of its own, or replace the "
    "other: files are read by this one from then on, and imports that are done keep theirs."
)
GUESSES = {
    "date": ("date", "day", "time", "datum", "timestamp"),
    "amount": ("amount", "value", "sum", "betrag", "quantity"),
    "currency": ("currency", "asset", "coin", "unit"),
    "fee_amount": ("fee",),
    "id": ("txid", "hash", "id", "reference"),
    "note": ("note", "description", "comment", "memo"),
    "labels": ("label", "labels", "tag"),
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
    except FileError as problem:
        return render(request, "400.html", {"exception": str(problem)}, status=422)
    if request.method != "POST":
        return show(request, batch, table, used(batch) or guessed(table), [])
    mapping = asked(request, table)
    problems = mapping.problems()
    if problems or "show" in request.POST:
        return show(request, batch, table, mapping, problems, status=422 if problems else 200)
    if is_taken(mapping) and "replace" not in request.POST:
        return show(request, batch, table, mapping, [TAKEN], status=409, is_taken=True)
    with transaction.atomic():
        keep_mapping(mapping)
        again = ImportBatch.objects.filter(pk=pk, status=batch.status, made_at=batch.made_at)
        options = {name: said for name, said in batch.options.items() if name in UPLOAD_OPTIONS}
        name = f"{PREFIX}{mapping.name}"
        is_running = run_again(again, format=name, options=options, is_confirmed=False)
    if is_running:
        begin([batch])
    return SeeOther(batch.get_absolute_url())


def used(batch: ImportBatch) -> Mapping | None:
    """The mapping by which the file was read."""
    own = batch.options.get("mapping")
    return mapping_of(own) if own else None


def asked(request: HttpRequest, table: Table) -> Mapping:
    columns = {name: request.POST.get(f"column {name}", "") for name in FIELDS}
    return Mapping(
        " ".join(request.POST.get("name", "").split()),
        table.header,
        {name: column for name, column in columns.items() if column},
        request.POST.get("decimal", "."),
        request.POST.get("date_order", ""),
        request.POST.get("currency", "").strip(),
    )


def guessed(table: Table) -> Mapping:
    """The columns that are called as we would call them."""
    found: dict[str, str] = {}
    for name, words in GUESSES.items():
        for column in table.header:
            if column.casefold() in words and column not in found.values():
                found.setdefault(name, column)
    return Mapping("", table.header, found)


def show(
    request: HttpRequest,
    batch: ImportBatch,
    table: Table,
    mapping: Mapping,
    problems: list[str],
    status: int = 200,
    is_taken: bool = False,
) -> HttpResponse:
    with snapshot(request):
        try:
            first = [one for one in islice(records(table), SAMPLES) if isinstance(one, Record)]
            as_read = read(batch, table, mapping) if not mapping.problems() else []
        except FileError as problem:  # the file breaks off further down
            first, as_read, status = [], [], 422
            problems = [*problems, str(problem)]
        context = {
            "batch": batch,
            "header": table.header,
            "lines": [one.cells for one in first],
            "fields": [(n, title, mapping.columns.get(n, "")) for n, title in FIELDS.items()],
            "mapping": mapping,
            "decimals": DECIMALS.items(),
            "date_orders": DATE_ORDERS.items(),
            "problems": problems,
            "is_taken": is_taken,
            "read": as_read,
        }
        return render(request, "transactions/import_mapping.html", context, status=status)


def read(batch: ImportBatch, table: Table, mapping: Mapping) -> list[dict[str, Any]]:
    """The first lines as the mapping reads them."""
    format_ = format_of(mapping)
    options = replace(options_of(batch), network="", date_order="")
    # What is still open is asked later; here any answer shows the columns.
    given = replace(options, wallet=options.wallet or "-", timezone=options.timezone or UTC)
    if format_.questions(table, given):
        given = replace(given, date_order="dmy")
    found = islice(format_.read(table, given).records, SAMPLES)
    return [as_cells(one) for one in found]


def as_cells(record: Row | Rejected) -> dict[str, Any]:
    if isinstance(record, Rejected):
        return {"reason": record.reason}
    movements = [
        f"{'fee ' if one.kind == 'fee' else ''}{one.amount:f} {one.asset.symbol}"
        for one in record.movements
    ]
    return {
        "time": record.timestamp,
        "movements": ", ".join(movements),
        "id": "" if record.external_id.startswith("row:") else record.external_id,
        "labels": ", ".join(record.labels),
        "note": record.note,
    }


map_columns.own_snapshot = True  # type: ignore[attr-defined]
