"""The page that brings in a wallet's labels (BIP-329): shown first, then chosen, then done."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from contacts.views import SeeOther
from transactions.imports.labels import (
    KEEP,
    MERGE,
    REPLACE,
    Changed,
    LabelsError,
    Plan,
    carry_out,
    plan_of,
)
from txsite.freshness.middleware import snapshot

MAX_SIZE = 1024 * 1024
SHOWN = 500
CHOICES = ((KEEP, "Keep ours"), (REPLACE, "Take the file's"), (MERGE, "Both"))
CHANGED_SINCE = "The ledger has changed since you looked, so nothing was imported. Look again."

may_import = permission_required(
    (
        "transactions.add_transactionlabel",
        "transactions.change_transaction",
        "transactions.add_label",
    ),
    raise_exception=True,
)


class LabelsForm(forms.Form):
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
            self.add_error(
                "file", "The file has more than 1 MB. Import it with manage.py import_labels."
            )
        elif file is not None:
            cleaned["content"] = file.read().decode("utf-8", "surrogateescape")
        return cleaned

    @property
    def text(self) -> bytes:
        return self.cleaned_data["content"].encode("utf-8", "surrogateescape")


@require_http_methods(["GET", "HEAD", "POST"])
@may_import
def import_labels(request: HttpRequest) -> HttpResponse:
    """Shows what a file of labels would do; with `seen` it does that."""
    if request.method != "POST":
        return show(request, LabelsForm())
    form = LabelsForm(request.POST, request.FILES)
    if not form.is_valid():
        return show(request, form, status=422)
    try:
        if not form.cleaned_data["seen"]:
            return show(request, form, form.text)
        allowed = dict(CHOICES)
        choices = {
            name.removeprefix("choice "): value
            for name, value in request.POST.items()
            if name.startswith("choice ") and value in allowed
        }
        done = carry_out(form.text, choices, KEEP, form.cleaned_data["seen"])
    except LabelsError as problem:
        form.add_error("file", str(problem))
        return show(request, form, status=422)
    except Changed:
        return show(request, form, form.text, CHANGED_SINCE, 409)
    messages.success(request, f"The labels of {count_of(done)} transactions were imported.")
    return SeeOther(reverse("transaction-list"))


def count_of(plan: Plan) -> int:
    return plan.count("new") + plan.count("conflict") + plan.count("known")


def show(
    request: HttpRequest,
    form: LabelsForm,
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
            "conflicts": [c for c in plan.changes if c.outcome == "conflict"] if plan else [],
            "changes": [c for c in plan.changes if c.outcome != "conflict"][:SHOWN] if plan else [],
            "counts": [(name, plan.count(key)) for key, name in COUNTED.items()] if plan else [],
            "choices": CHOICES,
            "problem": problem,
        }
        return render(request, "transactions/labels_import.html", context, status=status)


COUNTED = {
    "new": "Labelled",
    "known": "Known",
    "conflict": "In conflict",
    "later": "For transactions to come",
    "kept": "Others, kept",
}
import_labels.own_snapshot = True  # type: ignore[attr-defined]
