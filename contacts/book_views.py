"""The page that brings in an address book: shown first, then chosen, then done; and the way out."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from contacts.books import (
    KEEP,
    MAX_SIZE,
    MERGE,
    REPLACE,
    BookError,
    Changed,
    carry_out,
    lines_for,
    plan_of,
)
from contacts.models import Contact
from contacts.views import SeeOther
from txsite.freshness.middleware import snapshot

CHOICES = ((KEEP, "Keep ours"), (REPLACE, "Take the file's"), (MERGE, "Both"))
CHANGED_SINCE = "The contacts have changed since you looked, so nothing was imported. Look again."
COUNTED = {
    "new": "New",
    "adds": "Adds to a known one",
    "known": "Known",
    "conflict": "In conflict",
}


class BookForm(forms.Form):
    """The file; afterwards its text, which the page carries until it is confirmed."""

    file = forms.FileField(required=False)
    content = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file = cleaned.get("file")
        if file is None and not cleaned.get("content"):
            self.add_error("file", "Choose a file.")
        elif file is not None and file.size > MAX_SIZE:
            self.add_error("file", "An address book has at most 1 MB.")
        elif file is not None:
            cleaned["content"] = file.read().decode("utf-8", "surrogateescape")
        return cleaned

    @property
    def text(self) -> bytes:
        return self.cleaned_data["content"].encode("utf-8", "surrogateescape")


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(
    ("contacts.add_contact", "contacts.change_contact", "contacts.add_address"),
    raise_exception=True,
)
def import_contacts(request: HttpRequest) -> HttpResponse:
    """Shows what an address book would do; with `seen` it does that."""
    if request.method != "POST":
        return show(request, BookForm())
    form = BookForm(request.POST, request.FILES)
    if not form.is_valid():
        return show(request, form, status=422)
    allowed = dict(CHOICES)
    choices = {
        name.removeprefix("choice "): value
        for name, value in request.POST.items()
        if name.startswith("choice ") and value in allowed
    }
    try:
        if not form.cleaned_data["seen"]:
            return show(request, form, form.text)
        plan = carry_out(form.text, choices, KEEP, form.cleaned_data["seen"])
    except BookError as problem:
        form.add_error("file", str(problem))
        return show(request, form, status=422)
    except Changed:
        return show(request, form, form.text, CHANGED_SINCE, 409)
    messages.success(request, f"{len(plan.changes)} lines of the address book were imported.")
    return SeeOther(reverse("contact-list"))


def show(
    request: HttpRequest,
    form: BookForm,
    content: bytes | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    with snapshot(request):
        plan = plan_of(content) if content is not None else None
        context = {
            "form": form,
            "plan": plan,
            "content": content.decode("utf-8", "replace") if content is not None else "",
            "counts": [(name, plan.count(key)) for key, name in COUNTED.items()] if plan else [],
            "choices": CHOICES,
            "problem": problem,
        }
        return render(request, "contacts/import.html", context, status=status)


@require_safe
@permission_required("contacts.view_contact", raise_exception=True)
def export_contacts(request: HttpRequest) -> HttpResponse:
    """All contacts with their addresses, as our own address book."""
    return HttpResponse(
        "".join(lines_for(Contact.objects.all())),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="contacts.csv"'},
    )


import_contacts.own_snapshot = True  # type: ignore[attr-defined]
