"""Editing labels, note and contact: a form of its own without script, in place with it.

Script asks with `X-Fragment` and gets the form alone, and after saving the row as it is now.
"""

from copy import copy
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from contacts.models import Address, Contact
from transactions import editing
from transactions.forms import ContactForm, LabelsForm, NoteForm
from transactions.models import Label, Transaction
from transactions.tables import TransactionTable
from txsite.freshness.middleware import snapshot

may_change = permission_required("transactions.change_transaction", raise_exception=True)


def wants_fragment(request: HttpRequest) -> bool:
    return "X-Fragment" in request.headers


def find(pk: int) -> Transaction:
    return get_object_or_404(Transaction.objects.for_list(), pk=pk)


def counterparties(record: Transaction) -> set[Address]:
    return {entry.counterparty for entry in record.entries.all() if entry.counterparty}


def way_back(request: HttpRequest, record: Transaction) -> str:
    """Where the person came from, if that is a page of ours."""
    ours = {request.get_host()}
    for asked in (request.POST.get("next"), request.headers.get("Referer")):
        if asked and url_has_allowed_host_and_scheme(asked, allowed_hosts=ours):
            return asked
    return record.get_absolute_url()


def show(
    request: HttpRequest,
    record: Transaction,
    what: str,
    form: forms.Form,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """The form of one field, alone or on a page of its own."""
    context = {
        "transaction": record,
        "what": what,
        "form": form,
        "next": way_back(request, record),
        "table": TransactionTable([record]),
        "addresses": counterparties(record),
        **more,
    }
    template = (
        f"transactions/edit_{what}.html" if wants_fragment(request) else "transactions/edit.html"
    )
    return render(request, template, context, status=status)


def saved(request: HttpRequest, pk: int, what: str) -> HttpResponse:
    """The row as it is now, read after the commit."""
    with snapshot():
        record = find(pk)
        if wants_fragment(request):
            table = TransactionTable([record], can_edit=True)
            return render(request, "row.html", {"row": table.rows[0]})
    messages.success(request, f"{what} saved.")
    return redirect(way_back(request, record), permanent=False)


def need(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied("Your account may not make new ones: choose one that exists.")


@require_http_methods(["GET", "HEAD", "POST"])
@may_change
def edit_labels(request: HttpRequest, pk: int) -> HttpResponse:
    record = find(pk)
    if request.method != "POST":
        return show(request, record, "labels", LabelsForm())
    form = LabelsForm(request.POST)
    if not form.is_valid():
        return show(request, record, "labels", form, status=422)
    add, remove = form.cleaned_data["add"], form.cleaned_data["remove"]
    if any(not Label.objects.named(name).exists() for name in add):
        need(request, "transactions.add_label")
    try:
        editing.change_labels(pk, add, remove)
    except IntegrityError:
        form.add_error(
            None, "A label or the transaction was removed meanwhile. Look and try again."
        )
        return show(request, find(pk), "labels", form, status=409)
    return saved(request, pk, "Labels")


@require_http_methods(["GET", "HEAD", "POST"])
@may_change
def edit_note(request: HttpRequest, pk: int) -> HttpResponse:
    record = find(pk)
    if request.method != "POST":
        form = NoteForm(initial={"note": record.note, "version": record.version})
        return show(request, record, "note", form)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return show(request, record, "note", form, status=422)
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
        form = ContactForm(initial={"contact": record.contact or "", "version": record.version})
        return show(request, record, "contact", form)
    form = ContactForm(request.POST)
    if form.is_valid() and form.cleaned_data["scope"]:
        if form.cleaned_data["scope"][0] not in {address.pk for address in counterparties(record)}:
            form.add_error("scope", "That address is not in this transaction.")
        elif not request.user.has_perm("contacts.change_address"):
            raise PermissionDenied
    if not form.is_valid():
        return show(request, record, "contact", form, status=422)
    name, version = form.cleaned_data["contact"], form.cleaned_data["version"]
    if name and not Contact.objects.named(name).exists():
        need(request, "contacts.add_contact")
    try:
        if form.cleaned_data["scope"]:
            editing.set_address_contact(pk, name, version, *form.cleaned_data["scope"])
        else:
            editing.set_contact(pk, name, version)
    except editing.Stale:
        return stale(request, pk, "contact", form)
    return saved(request, pk, "Contact")


def stale(request: HttpRequest, pk: int, what: str, form: forms.Form) -> HttpResponse:
    """409: what is there now beside what was typed; saving again overwrites what was shown."""
    record = find(pk)
    data: Any = copy(form.data)
    data["version"] = str(record.version)
    again = type(form)(data)
    return show(request, record, what, again, status=409, is_stale=True)
