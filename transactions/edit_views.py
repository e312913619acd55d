"""Editing labels, note and contact: a form of its own without script, in place with it.

Script asks with `X-Fragment` and gets the form alone, and after saving the row as it is now.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from contacts.models import Address, Contact
from transactions import editing
from transactions.forms import ContactForm, LabelsForm, NoteForm
from transactions.listing import listed
from transactions.models import Label, Transaction
from transactions.tables import TransactionTable
from txsite.freshness.middleware import snapshot

may_change = permission_required(
    ["transactions.view_transaction", "transactions.change_transaction"], raise_exception=True
)

NO_NEW = "Your account may not make a new {}: choose one that exists."


def wants_fragment(request: HttpRequest) -> bool:
    return "X-Fragment" in request.headers


def find(pk: int) -> Transaction:
    return get_object_or_404(Transaction.objects.for_list(), pk=pk)


def counterparties(record: Transaction) -> list[Address]:
    by_id = {e.counterparty_id: e.counterparty for e in record.entries.all() if e.counterparty}
    return list(by_id.values())


def way_back(request: HttpRequest, record: Transaction) -> str:
    """Where the person came from, if that is a page of ours that they can come back to."""
    for asked in (request.POST.get("next"), request.headers.get("Referer")):
        if asked and is_ours(asked, request):
            return asked
    return record.get_absolute_url()


def is_ours(url: str, request: HttpRequest) -> bool:
    if not url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}):
        return False
    # A relative address would be taken as relative to the form; the login was only on the way.
    path = urlsplit(url).path
    return path.startswith("/") and path != reverse("login")


def show(
    request: HttpRequest,
    pk: int,
    what: str,
    form: forms.Form,
    status: int = 200,
    is_stale: bool = False,
) -> HttpResponse:
    """The form of one field, alone or on a page of its own."""
    with snapshot(request):
        record = find(pk)
        context = {
            "transaction": record,
            "what": what,
            "form": form,
            "is_stale": is_stale,
            "next": way_back(request, record),
            "table": TransactionTable(listed([pk])),
            "scopes": scopes(request, record, form) if what == "contact" else [],
        }
        kind = f"edit_{what}" if wants_fragment(request) else "edit"
        return render(request, f"transactions/{kind}.html", context, status=status)


@dataclass(frozen=True)
class Scope:
    """What a contact can be chosen for: an address, or without one this transaction alone."""

    value: str
    address: Address | None
    is_chosen: bool


def scopes(request: HttpRequest, record: Transaction, form: forms.Form) -> list[Scope]:
    """Every scope that this person may choose, as of now, with what was chosen before kept."""
    chosen = str(form["scope"].value() or "transaction").split(":")[:2]
    addresses = counterparties(record) if request.user.has_perm("contacts.change_address") else []
    return [
        Scope("transaction", None, chosen == ["transaction"]),
        *(
            Scope(
                f"address:{address.pk}:{address.version}",
                address,
                chosen == ["address", str(address.pk)],
            )
            for address in addresses
        ),
    ]


def saved(request: HttpRequest, pk: int, what: str) -> HttpResponse:
    """The row as it is now, read after the commit."""
    with snapshot(request):
        record = find(pk)
        if wants_fragment(request):
            return HttpResponse(TransactionTable(listed([pk]), can_edit=True).body())
    messages.success(request, f"{what} saved.")
    return HttpResponseRedirect(way_back(request, record))


@require_http_methods(["GET", "HEAD", "POST"])
@may_change
def edit_labels(request: HttpRequest, pk: int) -> HttpResponse:
    if request.method != "POST":
        return show(request, pk, "labels", LabelsForm())
    find(pk)
    form = LabelsForm(request.POST)
    if (
        form.is_valid()
        and not request.user.has_perm("transactions.add_label")
        and any(not Label.objects.named(name).exists() for name in form.cleaned_data["add"])
    ):
        form.add_error("add", NO_NEW.format("label"))
    if not form.is_valid():
        return show(request, pk, "labels", form, status=422)
    try:
        editing.change_labels(pk, **form.cleaned_data)
    except IntegrityError:
        form.add_error(None, "A label or the transaction was removed meanwhile. Try again.")
        return show(request, pk, "labels", form, status=409)
    return saved(request, pk, "Labels")


@require_http_methods(["GET", "HEAD", "POST"])
@may_change
def edit_note(request: HttpRequest, pk: int) -> HttpResponse:
    record = find(pk)
    if request.method != "POST":
        form = NoteForm(initial={"note": record.note, "version": record.version})
        return show(request, pk, "note", form)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return show(request, pk, "note", form, status=422)
    try:
        editing.set_note(pk, **form.cleaned_data)
    except editing.Stale:
        return stale(request, pk, "note", form)
    return saved(request, pk, "Note")


@require_http_methods(["GET", "HEAD", "POST"])
@may_change
def edit_contact(request: HttpRequest, pk: int) -> HttpResponse:
    record = find(pk)
    if request.method != "POST":
        return show(request, pk, "contact", ContactForm(initial=as_it_is(request, record)))
    form = ContactForm(request.POST)
    if form.is_valid():
        check_rights(request, record, form)
    if not form.is_valid():
        return show(request, pk, "contact", form, status=422)
    name, version = form.cleaned_data["contact"], form.cleaned_data["version"]
    try:
        if form.cleaned_data["scope"]:
            editing.set_address_contact(pk, name, version, *form.cleaned_data["scope"])
        else:
            editing.set_contact(pk, name, version)
    except editing.Stale:
        return stale(request, pk, "contact", form)
    return saved(request, pk, "Contact")


def as_it_is(request: HttpRequest, record: Transaction) -> dict[str, Any]:
    """What the form begins with: saving it unchanged changes nothing."""
    addresses = counterparties(record)
    now = {"version": record.version, "scope": "transaction", "contact": record.contact or ""}
    if (
        record.contact
        or len(addresses) != 1
        or not request.user.has_perm("contacts.change_address")
    ):
        return now
    [address] = addresses
    scope = f"address:{address.pk}:{address.version}"
    return {**now, "scope": scope, "contact": address.contact or ""}


def check_rights(request: HttpRequest, record: Transaction, form: forms.Form) -> None:
    """Add to the form's errors what this person may not choose."""
    name, scope = form.cleaned_data["contact"], form.cleaned_data["scope"]
    if scope and scope[0] not in {address.pk for address in counterparties(record)}:
        form.add_error("scope", "That address is not in this transaction.")
    elif scope and not request.user.has_perm("contacts.change_address"):
        form.add_error("scope", "Your account may set the contact of this transaction alone.")
    may_add = request.user.has_perm("contacts.add_contact")
    if name and not may_add and not Contact.objects.named(name).exists():
        form.add_error("contact", NO_NEW.format("contact"))


def stale(request: HttpRequest, pk: int, what: str, form: forms.Form) -> HttpResponse:
    """409: what is there now beside what was typed; saving again overwrites what was shown."""
    data: Any = copy(form.data)
    data["version"] = str(find(pk).version)
    return show(request, pk, what, type(form)(data), status=409, is_stale=True)
