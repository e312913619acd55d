"""The page that brings in an address book: shown first, then chosen, then done; and the way out."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from contacts.books import BOOKS, BookError, Plan, carry_out, lines_for, plan_of
from contacts.models import Contact
from contacts.views import SeeOther
from txsite.freshness.middleware import snapshot
from txsite.previews import CHANGED_SINCE, CHOICES, SHOWN, Changed, FileForm, choices_in

COUNTED = {
    "new": "New",
    "adds": "Adds to a known one",
    "known": "Known",
    "conflict": "In conflict",
}


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(
    ("contacts.add_contact", "contacts.change_contact", "contacts.add_address"),
    raise_exception=True,
)
def import_contacts(request: HttpRequest) -> HttpResponse:
    """Shows what an address book would do; with `seen` it does that."""
    if request.method != "POST":
        return show(request, FileForm())
    form = FileForm(request.POST, request.FILES)
    if not form.is_valid():
        return show(request, form, status=422)
    try:
        if not form.cleaned_data["seen"]:
            return show(request, form, form.text)
        plan = carry_out(
            form.text,
            choices_in(request),
            form.default,
            form.cleaned_data["seen"],
            form.brought_by(request.user),
        )
    except BookError as problem:
        form.add_error("file", str(problem))
        return show(request, form, status=422)
    except Changed:
        return show(request, form, form.text, CHANGED_SINCE, 409)
    messages.success(request, f"The address book was imported: {what_was(plan)}.")
    return SeeOther(reverse("contact-list"))


def what_was(done: Plan) -> str:
    """Counts of what became of the file's lines, without those of nothing."""
    told = {
        "new": done.count("new"),
        "added to known ones": done.count("adds") + done.count("conflict") - done.left,
        "known": done.count("known"),
        "in conflict and left as they were": done.left,
        "passed over for a later line": len(done.passed_over),
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
        # What is to be chosen comes first.
        changes = sorted(plan.changes if plan else [], key=lambda one: one.outcome != "conflict")
        context = {
            "form": form,
            "plan": plan,
            "content": form.cleaned_data["content"] if plan else "",
            "counts": [(name, plan.count(key)) for key, name in COUNTED.items()] if plan else [],
            "changes": changes[:SHOWN],
            "more_changes": len(changes[SHOWN:]),
            "more_conflicts": sum(one.outcome == "conflict" for one in changes[SHOWN:]),
            "choices": CHOICES,
            "problem": problem,
        }
        return render(request, "contacts/import.html", context, status=status)


@require_safe
@permission_required("contacts.view_contact", raise_exception=True)
def export_contacts(request: HttpRequest) -> HttpResponse:
    """All contacts with their addresses, as our own address book or another program's."""
    book = request.GET.get("format", "own")
    if book not in BOOKS:
        problem = f"Say which format: {' or '.join(BOOKS)}, as in ?format=safe."
        return render(request, "400.html", {"exception": problem}, status=400)
    return HttpResponse(
        "".join(lines_for(Contact.objects.all(), book)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{BOOKS[book].file_name}"'},
    )


import_contacts.own_snapshot = True  # type: ignore[attr-defined]
