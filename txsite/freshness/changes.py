"""What happened to the ledger, newest first; and for open pages, whether anything did."""

import django_tables2
from django import forms
from django.contrib.auth.decorators import permission_required
from django.db.models import F
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from txsite.freshness.middleware import snapshot
from txsite.freshness.revisions import Revision, current_number
from txsite.models import Change
from txsite.tables import ListForm, ListTable, Ordering, Page

MAX_ANSWERED = 200
MAX_DIGITS = 18  # fewer than the largest number has, more than there will be changes
VIAS = ("page", "admin", "import", "command", "SQL")
ORDERINGS = {"revision": Ordering(F("revision"), "number", newest_first=True)}


class ChangeForm(ListForm):
    """The filters of the list of changes: all that were made after `since`, or just one."""

    since = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
    revision = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
    actor = forms.CharField(required=False, max_length=200)
    via = forms.ChoiceField(required=False, choices=[("", "any"), *((via, via) for via in VIAS)])


class ChangeTable(ListTable):
    revision = django_tables2.Column(verbose_name="Change", attrs={"th": {"data-sort": "revision"}})
    committed_at = django_tables2.Column(verbose_name="Time (UTC)")
    actor = django_tables2.Column(verbose_name="Who")
    via = django_tables2.Column(verbose_name="Through")
    summary = django_tables2.Column(verbose_name="What")

    class Meta:
        attrs = {"class": "changes", "caption": "Changes"}
        row_attrs = {"data-id": lambda record: record.revision}

    def render_committed_at(self, record: Change) -> SafeString:
        return format_html(
            '<time datetime="{}">{}</time>',
            record.committed_at.isoformat(),
            record.committed_at.strftime("%Y-%m-%d %H:%M:%S"),
        )

    def render_actor(self, record: Change) -> SafeString:
        return format_html("<bdi>{}</bdi>", record.actor)

    def render_summary(self, record: Change) -> SafeString:
        return format_html_join(mark_safe("<br>"), "{}", ((text,) for text in record.summary))


may_view = permission_required("transactions.view_transaction", raise_exception=True)


@require_safe
def change_list(request: HttpRequest) -> HttpResponse:
    """The changes; as JSON those after `since`, or 204 when there are none."""
    wants_json = "application/json" in request.headers.get("Accept", "")
    if wants_json and is_up_to_date(request):
        return HttpResponse(status=204)
    with snapshot(request):
        return (as_json if wants_json else as_page)(request)


change_list.own_snapshot = True  # type: ignore[attr-defined]


def is_up_to_date(request: HttpRequest) -> bool:
    """Whether nothing happened after `since`, when that is all that is asked.

    Every open page asks this every few seconds, so that it is one query and no transaction;
    it tells nothing that the receipt of a refusal does not.
    """
    since = request.GET.get("since", "")
    if list(request.GET) != ["since"] or not (since.isascii() and since.isdigit()):
        return False
    number = current_number()
    request.revision = Revision(number, None)  # type: ignore[attr-defined]
    return len(since) <= MAX_DIGITS and int(since) == number


@may_view
def as_page(request: HttpRequest) -> HttpResponse:
    form = ChangeForm(request.GET, ORDERINGS, default="-revision")
    is_valid = form.is_valid()
    changes = Change.objects.filter(revision__isnull=False)
    if is_valid:
        asked = form.cleaned_data
        if asked["since"] is not None:
            changes = changes.filter(revision__gt=asked["since"])
        if asked["revision"] is not None:
            changes = changes.filter(revision=asked["revision"])
        if asked["actor"]:
            changes = changes.filter(actor__icontains=asked["actor"])
        if asked["via"]:
            changes = changes.filter(via=asked["via"])
    page = form.page(changes) if is_valid else Page([], None, None)
    table = ChangeTable(page.rows, form)
    context = {"form": form, "is_valid": is_valid, "page": page, "table": table}
    return render(request, "changes.html", context, status=200 if is_valid else 400)


@may_view
def as_json(request: HttpRequest) -> HttpResponse:
    """204 when nothing happened after `since`; else the changes, the oldest first.

    `complete` is false when there are more than are told, some are no longer kept, or `since`
    is not there yet (the database was put back): then only the page itself tells what became
    of it.
    """
    form = ChangeForm(request.GET, ORDERINGS, default="-revision")
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=400)
    since = form.cleaned_data["since"] or 0
    now = request.revision.number  # type: ignore[attr-defined]
    if since == now:
        return HttpResponse(status=204)
    changes = list(Change.objects.filter(revision__gt=since).order_by("revision")[:MAX_ANSWERED])
    is_complete = len(changes) == now - since
    told = [
        {
            "revision": change.revision,
            "committed_at": change.committed_at.isoformat(),
            "actor": change.actor,
            "via": change.via,
            "tables": change.tables,
        }
        for change in changes
    ]
    return JsonResponse({"revision": now, "complete": is_complete, "changes": told})
