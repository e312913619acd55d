"""The ledger as a file, in an order that depends on nothing but its content."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Collate
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from transactions.export_formats import (
    COLUMNS,
    FULL_COLUMNS,
    Cells,
    Row,
    csv_lines,
    csv_rows,
    ending_within_lines,
    full_rows,
    xlsx_chunks,
)
from transactions.filters import TransactionFilter
from transactions.imports import labels
from transactions.models import Transaction
from txsite.freshness.middleware import snapshot
from txsite.prepared import fetch

# A list's address may say where its reader stood; an export is of the whole list.
PLACE = ("sort", "per_page", "cursor", "min_revision")
CHUNK = 1_000
ENTRY_FIELDS = ("wallet", "asset", "contract", "amount", "kind", "counterparty", "contact")


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


def rows(queryset: QuerySet[Transaction]) -> Iterator[Row]:
    """In the order of the file. The ids alone are sorted, and what is told of each is read by the
    thousand, so that the first lines of a long file come at once and none of it is kept."""
    ids = (
        Transaction.objects.filter(pk__in=queryset.order_by().values("pk"))
        .order_by(
            "timestamp",
            Collate("network", "C").asc(nulls_last=True),
            Collate(Coalesce("txid", "external_id"), "C"),
            Collate(Coalesce("source_wallet__address__value", "source_wallet__name"), "C"),
        )
        .values_list("pk", flat=True)
        .iterator(chunk_size=CHUNK)
    )
    while pks := list(islice(ids, CHUNK)):
        told = dict(told_of(pks))
        yield from (told[pk] for pk in pks)


# As texts from PostgreSQL: a JSON number would be read as a float.
TOLD = """
    SELECT t.id, coalesce(t.txid, t.external_id), t.network,
        coalesce(source_address.value, source.name), t.timestamp, t.type, t.status, t.method,
        t.block, t.note, contact.name,
        ARRAY(
            SELECT l.name FROM transactions_transactionlabel on_it
            JOIN transactions_label l ON l.id = on_it.label_id
            WHERE on_it.transaction_id = t.id ORDER BY l.name COLLATE "C"
        ),
        (
            SELECT json_agg(json_build_array(
                coalesce(own.value, w.name), a.symbol,
                CASE WHEN a.kind IN ('token', 'nft') THEN a.code END,
                trim_scale(e.amount)::text, e.kind, other.value, theirs.name,
                a.code, a.token_id, a.kind, a.name
            ) ORDER BY coalesce(own.value, w.name) COLLATE "C", a.network COLLATE "C",
                a.code COLLATE "C", a.token_id COLLATE "C", e.kind,
                coalesce(other.value, '') COLLATE "C", e.amount)
            FROM transactions_entry e
            JOIN transactions_wallet w ON w.id = e.wallet_id
            LEFT JOIN contacts_address own ON own.id = w.address_id
            JOIN transactions_asset a ON a.id = e.asset_id
            LEFT JOIN contacts_address other ON other.id = e.counterparty_id
            LEFT JOIN contacts_contact theirs ON theirs.id = other.contact_id
            WHERE e.transaction_id = t.id
        )
    FROM transactions_transaction t
    LEFT JOIN transactions_wallet source ON source.id = t.source_wallet_id
    LEFT JOIN contacts_address source_address ON source_address.id = source.address_id
    LEFT JOIN contacts_contact contact ON contact.id = t.contact_id
    WHERE t.id = ANY (%s::bigint[])
"""
FIELDS = (
    *("known_as", "network", "of_wallet", "timestamp", "type", "status", "method", "block"),
    *("note", "contact_name", "label_names"),
)
OF_ENTRY = (*ENTRY_FIELDS, "code", "token_id", "asset_kind", "asset_name")


def told_of(pks: list[int]) -> Iterator[tuple[int, Row]]:
    """Each id with its row; entries and labels come with it, so that no row costs a query."""
    for pk, *told, entries in fetch(TOLD, [pks]):
        row = dict(zip(FIELDS, told, strict=True))
        row["entry_objects"] = [dict(zip(OF_ENTRY, entry, strict=True)) for entry in entries or ()]
        yield pk, row


def as_object(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "txid": row["known_as"],
        "network": row["network"],
        "timestamp": row["timestamp"].isoformat().replace("+00:00", "Z"),
        "type": row["type"],
        "status": row["status"],
        "note": row["note"],
        "contact": row["contact_name"],
        "labels": row["label_names"],
        "entries": [
            {field: entry[field] for field in ENTRY_FIELDS} for entry in row["entry_objects"]
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
