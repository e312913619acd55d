"""The page that brings in a wallet's labels (BIP-329): shown first, then chosen, then done."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from contacts.views import SeeOther
from transactions.imports.labels import LabelsError, Plan, carry_out, plan_of
from txsite.freshness.middleware import snapshot
from txsite.previews import CHANGED_SINCE, CHOICES, SHOWN, Changed, FileForm, choices_in

may_import = permission_required(
    (
        "transactions.add_transactionlabel",
        "transactions.change_transaction",
        "transactions.add_label",
    ),
    raise_exception=True,
)


@require_http_methods(["GET", "HEAD", "POST"])
@may_import
def import_labels(request: HttpRequest) -> HttpResponse:
    """Shows what a file of labels would do; with `seen` it does that."""
    if request.method != "POST":
        return show(request, FileForm())
    form = FileForm(request.POST, request.FILES)
    if not form.is_valid():
        return show(request, form, status=422)
    try:
        if not form.cleaned_data["seen"]:
            return show(request, form, form.text)
        seen, file = form.cleaned_data["seen"], form.brought_by(request.user)
        done = carry_out(form.text, choices_in(request), form.default, seen, file)
    except LabelsError as problem:
        form.add_error("file", str(problem))
        return show(request, form, status=422)
    except Changed:
        return show(request, form, form.text, CHANGED_SINCE, 409)
    messages.success(request, f"The labels were imported: {what_was(done)}.")
    return SeeOther(reverse("transaction-list"))


def what_was(done: Plan) -> str:
    """Counts of what became of the file, without those of nothing."""
    told = {
        "labelled": done.count("new") + done.count("conflict") - done.left,
        "labelled so already": done.count("known"),
        "in conflict and left as they were": done.left,
        "for transactions to come": done.count("later"),
        "others kept": done.count("kept"),
        "rejected": len(done.rejected),
    }
    return ", ".join(f"{count:,} {words}" for words, count in told.items() if count)


def show(
    request: HttpRequest,
    form: FileForm,
    content: bytes | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    with snapshot(request):
        plan = plan_of(content) if content is not None else None
        conflicts = [one for one in plan.changes if one.outcome == "conflict"] if plan else []
        others = [one for one in plan.changes if one.outcome != "conflict"] if plan else []
        context = {
            "form": form,
            "plan": plan,
            "content": form.cleaned_data["content"] if plan else "",
            "conflicts": conflicts[:SHOWN],
            "more_conflicts": len(conflicts[SHOWN:]),
            "changes": others[:SHOWN],
            "more_changes": len(others[SHOWN:]),
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
