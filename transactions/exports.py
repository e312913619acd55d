"""The ledger as a file, in an order that depends on nothing but its content."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from transactions.export_formats import (
    COLUMNS,
    FULL_COLUMNS,
    Cells,
    csv_lines,
    csv_rows,
    ending_within_lines,
    full_rows,
    xlsx_chunks,
)
from transactions.export_rows import Row, rows
from transactions.filters import TransactionFilter
from transactions.imports import labels
from transactions.models import Transaction
from txsite.freshness.middleware import snapshot

# A list's address may say where its reader stood; an export is of the whole list.
PLACE = ("sort", "per_page", "cursor", "count", "min_revision")


class CannotExport(ValueError):
    """The format or the filter is not one that we have; the message is for people."""


def filtered_by(query: QueryDict) -> QuerySet[Transaction]:
    """The transactions of the list's filter, of which no parameter may be unknown or unreadable."""
    filterset = TransactionFilter(query, queryset=Transaction.objects.all())
    for name in query:
        if name not in filterset.filters and name not in PLACE:
            raise CannotExport(f"There is no filter “{name[:100]}”. Remove it.")
    if not filterset.is_valid():
        raise CannotExport(
            " ".join(f"{name}: {' '.join(texts)}" for name, texts in filterset.errors.items())
        )
    return filterset.qs


def json_lines(
    queryset: QuerySet[Transaction], request: HttpRequest | None = None
) -> Iterator[str]:
    """One JSON object a line and a transaction, by time, network and txid, from one snapshot.

    Amounts are text: exact, without exponent or trailing zeros. `txid` is the source's own id
    where there is no chain; a wallet is told by its address, else by its name.
    """
    with snapshot(request):
        for row in rows(queryset):
            yield json.dumps(as_object(row)) + "\n"


def numbered(queryset: QuerySet[Transaction], make: Callable[[Row, str], Iterable[Cells]]) -> Any:
    """The lines that `make` makes of each transaction, which is told its number and of how many.

    So a file that was cut short shows it, and our own import refuses it.
    """
    count = queryset.order_by().count()
    for number, row in enumerate(rows(queryset), start=1):
        yield from make(row, f"{number} of {count}")


def csv_file(queryset: QuerySet[Transaction], request: HttpRequest | None = None) -> Iterator[str]:
    """Koinly's universal columns and ours: what our generic format reads."""
    with snapshot(request):
        yield from csv_lines(COLUMNS, numbered(queryset, csv_rows))


def full_csv(queryset: QuerySet[Transaction], request: HttpRequest | None = None) -> Iterator[str]:
    """Every field, an entry a line."""
    with snapshot(request):
        yield from csv_lines(FULL_COLUMNS, numbered(queryset, full_rows))


def xlsx_file(
    queryset: QuerySet[Transaction], request: HttpRequest | None = None
) -> Iterator[bytes]:
    """The same as a workbook."""
    with snapshot(request):
        yield from xlsx_chunks(FULL_COLUMNS, numbered(queryset, full_rows))


def json_file(queryset: QuerySet[Transaction], request: HttpRequest | None = None) -> Iterator[str]:
    """The same as a download."""
    return ending_within_lines(json_lines(queryset, request))


def bip329(queryset: QuerySet[Transaction], request: HttpRequest | None = None) -> Iterator[str]:
    """The labels of Bitcoin's transactions; of the whole ledger also all that wallets told else."""
    with snapshot(request):
        yield from ending_within_lines(
            labels.lines_for(queryset, with_rest=not queryset.query.where)
        )


def as_object(row: Row) -> dict[str, Any]:
    time = row.time
    return {
        "txid": row.known_as,
        "network": row.network,
        "timestamp": f"{time[:10]}T{time[11:]}Z",
        "type": row.type,
        "status": row.status,
        "note": row.note,
        "contact": row.contact,
        "labels": row.labels,
        "entries": [
            {
                "wallet": entry.wallet,
                "asset": entry.asset.symbol,
                "contract": entry.asset.contract,
                "amount": entry.amount,
                "kind": entry.kind,
                "counterparty": entry.counterparty,
                "contact": entry.contact,
            }
            for entry in row.entries
        ],
    }


@dataclass(frozen=True)
class Format:
    """One kind of download: how it is made, and as what it is sent."""

    title: str
    make: Callable[..., Iterator[Any]]
    file_name: str
    content_type: str


FORMATS = {
    "csv": Format("CSV", csv_file, "transactions.csv", "text/csv; charset=utf-8"),
    "csv-full": Format(
        "CSV of every field", full_csv, "transactions-full.csv", "text/csv; charset=utf-8"
    ),
    "xlsx": Format(
        "Workbook",
        xlsx_file,
        "transactions.xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    "bip329": Format("Labels (BIP-329)", bip329, "labels.jsonl", "application/x-ndjson"),
    "json": Format("JSON lines", json_file, "transactions.jsonl", "application/x-ndjson"),
}


def followed(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    """`rest` is closed, and its snapshot with it, when the reader goes away."""
    yield first
    yield from rest


@require_safe
@permission_required("transactions.view_transaction", raise_exception=True)
def export_view(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The transactions of the list's filter as a download."""
    query = request.GET.copy()
    try:
        format_name = query.pop("format", [""])[-1]
        if format_name not in FORMATS:
            raise CannotExport(f"Say which format: {' or '.join(FORMATS)}, as in ?format=json.")
        queryset = filtered_by(query)
    except CannotExport as problem:
        return render(request, "400.html", {"exception": str(problem)}, status=400)
    chosen = FORMATS[format_name]
    parts = chosen.make(queryset, request)
    # The first step, so that what goes wrong at once is an error page and not half a file.
    first = next(parts, "")
    return StreamingHttpResponse(
        followed(first, parts),
        content_type=chosen.content_type,
        headers={"Content-Disposition": f'attachment; filename="{chosen.file_name}"'},
    )


export_view.own_snapshot = True  # type: ignore[attr-defined]
