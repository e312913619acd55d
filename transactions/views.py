"""The list, one transaction, and the balances."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from transactions.exports import FORMATS
from transactions.filters import DIRECTIONS, TransactionFilter, list_form, told
from transactions.listing import listed, listed_balances, told_by
from transactions.models import (
    Asset,
    Label,
    Status,
    Transaction,
    TransactionType,
    Wallet,
)
from transactions.querysets import known_number
from transactions.tables import TransactionTable, balance_rows
from txsite.tables import MAX_COUNT, ListForm, Page, RowCount

MAX_COMPLETIONS = 20
MANY_CONDITIONS = 4
MAX_TYPED = 120  # characters of a value that a field shows again
TYPED = ("date_after", "date_before", "amount_min", "amount_max")


def options(choices: Iterable[tuple[Any, Any]]) -> SafeString:
    return format_html_join("", '<option value="{}">{}</option>', choices)


TYPE_OPTIONS, STATUS_OPTIONS, DIRECTION_OPTIONS = map(
    options, (TransactionType.choices, Status.choices, DIRECTIONS)
)


def may_edit(request: HttpRequest) -> bool:
    return request.user.has_perm("transactions.change_transaction")


@require_safe
@permission_required("transactions.view_transaction", raise_exception=True)
def transaction_list(request: HttpRequest) -> HttpResponse:
    """Every transaction that the URL's filter asks for, a page at a time."""
    filterset = TransactionFilter(request.GET, queryset=Transaction.objects.only("timestamp"))
    place = list_form(request.GET, filterset)
    is_valid = place.is_valid() and filterset.is_valid()
    page = page_of(filterset, place) if is_valid else Page([], None, None)
    parts = told(request.GET)
    asked = place.without(*place.fields)
    export = f"{reverse('transaction-export')}?{asked}{'&' if asked else ''}"
    context = {
        "filter": filterset,
        "place": place,
        "parts": parts,
        "page": page,
        "is_valid": is_valid,
        "count": row_count(filterset, place, page) if is_valid else RowCount(0),
        "table": TransactionTable(
            listed(row.pk for row in page.rows),
            place,
            can_edit=may_edit(request),
        ),
        "is_by_time": place.cleaned_data.get("sort", "").removeprefix("-") == "time",
        "is_empty": is_valid and not parts and not page.rows and not place.cleaned_data["cursor"],
        "typed": {name: request.GET.get(name, "")[:MAX_TYPED] for name in TYPED},
        "types": TYPE_OPTIONS,
        "statuses": STATUS_OPTIONS,
        "directions": DIRECTION_OPTIONS,
        "downloads": [(f"{export}format={name}", one.title) for name, one in FORMATS.items()],
    }
    return render(request, "transactions/list.html", context, status=200 if is_valid else 400)


def page_of(filterset: TransactionFilter, place: ListForm) -> Page:
    return place.page(filterset.in_order(place.cleaned_data["sort"]))


def row_count(filterset: TransactionFilter, place: ListForm, page: Page) -> RowCount:
    """Of many transactions fewer are counted unasked where each has to be looked at."""
    if not place.cleaned_data["cursor"] and not page.next:
        return RowCount(len(page.rows))  # the page is all there is
    if place.cleaned_data["count"] == "exact":
        return RowCount.of(filterset.by_time, None)
    known = None if filterset.asked else known_number()
    if known is not None:
        return RowCount(known)
    limit = MAX_COUNT
    if filterset.looked_at and Transaction.objects.are_many():
        limit = MAX_COUNT // 10 if filterset.looked_at < MANY_CONDITIONS else MAX_COUNT // 100
    return RowCount.of(filterset.by_time, limit)


@require_safe
@permission_required("transactions.view_transaction", raise_exception=True)
def transaction_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One transaction: its entries, who it is with, and which files told of it."""
    found = listed([pk])
    if not found:
        raise Http404("There is no such transaction.")
    [record] = found
    context = {
        "transaction": record,
        "table": TransactionTable(found, can_edit=may_edit(request)),
        "lines": told_by(pk),
    }
    return render(request, "transactions/detail.html", context)


@require_safe
@permission_required("transactions.view_transaction", raise_exception=True)
def balance_list(request: HttpRequest) -> HttpResponse:
    """What every wallet holds of every asset."""
    return render(request, "transactions/balances.html", {"rows": balance_rows(listed_balances())})


@require_safe
@permission_required("transactions.view_transaction", raise_exception=True)
def complete(request: HttpRequest, what: str) -> HttpResponse:
    """Up to 20 names for a text field, those that begin with the text first."""
    typed = request.GET.get("q", "").strip()[:200].replace("\0", "")
    field = {"label": "name", "wallet": "name", "asset": "symbol"}[what]
    rows = {"label": Label, "wallet": Wallet, "asset": Asset}[what]._default_manager.all()
    names = rows.exclude(**{field: ""}).order_by(field).values_list(field, flat=True).distinct()
    first = list(names.filter(**{f"{field}__istartswith": typed})[:MAX_COMPLETIONS])
    if typed and len(first) < MAX_COMPLETIONS:
        first += names.filter(**{f"{field}__icontains": typed}).exclude(
            **{f"{field}__istartswith": typed}
        )[: MAX_COMPLETIONS - len(first)]
    return JsonResponse(first, safe=False)
