"""Files that were read, are being read, or wait for an answer."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from contacts.views import SeeOther
from transactions.export_formats import csv_lines
from transactions.exports import followed
from transactions.import_forms import (
    DATE_ORDERS,
    PER_PAGE,
    AnswersForm,
    LinesForm,
    UndoForm,
    UploadForm,
)
from transactions.imports import progress
from transactions.imports.files import stored
from transactions.imports.formats.generic import GENERIC, without_numbers
from transactions.imports.formats.mapped import DECIMALS, FIELDS, PREFIX
from transactions.imports.importer import CANCELLED, new_batch
from transactions.imports.others import ADDRESS_BOOK, LABELS
from transactions.imports.process import Running
from transactions.imports.progress import Progress, Step
from transactions.imports.undo import NOT_TAKEN_BACK, ask_for_undo, give_up, plan_of
from transactions.models import ImportBatch, ImportLine, Transaction, Wallet
from txsite.freshness.middleware import snapshot
from txsite.spreadsheets import protected
from txsite.tables import ListForm, Ordering, Page

# So long a small file may take to show its result at once.
SECONDS_TO_WAIT = 3
RAW_SHOWN = 500
ORDERINGS = {"time": Ordering(F("made_at"), "time", newest_first=True)}
UNKNOWN = "None of the first"  # lines has the columns of a known format
# Errors of files that are brought in elsewhere: the page, and what its link says.
ELSEWHERE = {
    LABELS: ("labels-import", "Bring in labels"),
    ADDRESS_BOOK: ("contacts-import", "Bring in an address book"),
}
EDITED_SHOWN = 200
RECEIPT = ("Number", "Line", "Outcome", "Detail", "Transaction", "As in the file")
DIED = "The process that did it stopped before it was done. All of the file is in the ledger."
NOT_STARTED = "The process could not be started. The server's log says why."

may_see = permission_required("transactions.view_importbatch", raise_exception=True)
may_add = permission_required("transactions.add_importbatch", raise_exception=True)


def check_may_add(request: HttpRequest) -> None:
    if not request.user.has_perm("transactions.add_importbatch"):
        raise PermissionDenied


@require_http_methods(["GET", "HEAD", "POST"])
@may_see
def import_list(request: HttpRequest) -> HttpResponse:
    """All imports, newest first, and the form that begins one."""
    if request.method != "POST":
        return show_list(request, UploadForm())
    check_may_add(request)
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return show_list(request, form, status=422)
    batches = []
    for file in form.cleaned_data["file"]:
        batch = new_batch(
            file,
            printable(file.name),
            options=form.options,
            made_by=request.user,
            is_confirmed=False,
        )
        batches.append(batch)
    begin(batches)
    if len(batches) == 1:
        return SeeOther(batches[0].get_absolute_url())
    return SeeOther(reverse("import-list"))


def show_list(request: HttpRequest, form: UploadForm, status: int = 200) -> HttpResponse:
    # Before the batches are read: one that ends in between has then ended, and not died.
    running = progress.running()
    with snapshot(request):
        place = ListForm(request.GET, ORDERINGS, default="-time")
        page = place.page(ImportBatch.objects.for_list()) if place.is_valid() else None
        if page is None and status == 200:
            status = 400
        context = {
            "form": form,
            "place": place,
            "page": page or Page([], None, None),
            "rows": [
                (batch, progress.state_of(batch, running)) for batch in (page.rows if page else [])
            ],
            "is_empty": page is not None and not page.rows and not request.GET,
            "wallets": Wallet.objects.select_related("address")[:200],
        }
        return render(request, "transactions/import_list.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@may_see
def import_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """What became of a file and of each of its lines; asks what the file lacks."""
    if request.method != "POST":
        return show_batch(request, pk)
    check_may_add(request)
    batch = get_object_or_404(with_content(), pk=pk)
    if not can_begin(batch, progress.state_of(batch, progress.running())):
        messages.warning(request, "This import was begun already.")
        return SeeOther(batch.get_absolute_url())
    form = AnswersForm(batch.options.get("questions", []), request.POST)
    if not form.is_valid():
        return show_batch(request, pk, form, status=422)
    if take(batch, form.cleaned_data):
        begin([batch])
    return SeeOther(batch.get_absolute_url())


def show_batch(
    request: HttpRequest, pk: int, answers: AnswersForm | None = None, status: int = 200
) -> HttpResponse:
    running = progress.running()
    with snapshot(request):
        batch = get_object_or_404(with_content().select_related("made_by"), pk=pk)
        place = LinesForm(request.GET)
        is_valid = place.is_valid()
        state = progress.state_of(batch, running)
        context: dict[str, Any] = {
            "batch": batch,
            "state": state,
            "is_running": state in ("running", "starting", "undoing"),
            "progress": running.get(batch.pk),
            "steps": len(Step),
            "seconds_left": seconds_left(batch, running.get(batch.pk)),
            "can_begin": can_begin(batch, state)
            and not (batch.is_unknown or batch.error in ELSEWHERE),
            "elsewhere": ELSEWHERE.get(batch.error),
            "can_map": can_map(batch),
            "not_undone": batch.error or (DIED if progress.UNDO in batch.options else ""),
            "said": said_of(batch),
            "left_out": batch.rejected + batch.conflict,
            "can_mend": bool(batch.header) or is_of_objects(batch, lines_left_out(batch)[:1]),
            "answers": answers or AnswersForm(batch.options.get("questions", [])),
            "place": place,
            "is_valid": is_valid,
            "counts": [(o, getattr(batch, o.value)) for o in ImportLine.Outcome],
            **(lines_of(batch, place.cleaned_data) if is_valid else {}),
        }
        return render(
            request,
            "transactions/import_detail.html",
            context,
            status=status if is_valid else 400,
        )


def seconds_left(batch: ImportBatch, now: Progress | None) -> int | None:
    """How long it will take yet, at the pace so far."""
    if now is None or now.step or not now.read:
        return now.seconds_left if now else None
    elapsed = (timezone.now() - batch.made_at).total_seconds()
    return round(elapsed * (100 - now.done) / now.done)


def lines_of(batch: ImportBatch, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of a batch's lines, by number; `next` is the last number where more follow."""
    lines = batch.lines.select_related("transaction").order_by("number")
    if asked["outcome"]:
        lines = lines.filter(outcome=asked["outcome"])
    if asked["after"] is not None:
        lines = lines.filter(number__gt=asked["after"])
    found = list(lines.defer("raw").annotate(beginning=Left("raw", RAW_SHOWN + 1))[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    return {
        "lines": shown,
        "outcome": asked["outcome"],
        "next": shown[-1].number if len(found) > PER_PAGE else None,
    }


@require_POST
@may_add
def import_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Ends an import that runs, waits or is shown; nothing of its file is then in the ledger."""
    batch = get_object_or_404(ImportBatch.objects.defer("content"), pk=pk)
    status = ImportBatch.Status
    unfinished = (status.RUNNING, status.WAITING, status.SHOWN)
    was_ended = ImportBatch.objects.filter(pk=pk, status__in=unfinished).update(
        status=status.FAILED,
        error=CANCELLED,
        finished_at=timezone.now(),
        balances=[],
        **dict.fromkeys(ImportLine.Outcome.values, 0),
    )
    if was_ended:
        # It would notice by itself, but only at its end, and has the lines until then.
        progress.end(pk)
        batch.lines.all().delete()
    else:
        messages.warning(request, "The import was over already.")
    return SeeOther(batch.get_absolute_url())


@require_POST
@may_add
def import_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """Has a file do what was shown; where it no longer would, it is shown again."""
    batch = get_object_or_404(ImportBatch.objects.defer("content"), pk=pk)
    is_seen = request.POST.get("shown", "") == batch.shown
    shown = ImportBatch.objects.filter(pk=pk, status=ImportBatch.Status.SHOWN, shown=batch.shown)
    if is_seen and run_again(shown, is_confirmed=True, made_by=request.user):
        begin([batch])
    else:
        messages.warning(request, "This is not what was shown to you. Look at it once more.")
    return SeeOther(batch.get_absolute_url())


@require_http_methods(["GET", "HEAD", "POST"])
@may_add
def import_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks before an import is taken back, and what shall become of what people edited since."""
    if request.method != "POST":
        return show_undo(request, pk)
    form = UndoForm(request.POST)
    batch = get_object_or_404(ImportBatch.objects.defer("content"), pk=pk)
    if not form.is_valid():
        return show_undo(request, pk, "Choose from what is shown here.", status=422)
    asked = form.cleaned_data
    if problem := ask_for_undo(batch, asked["seen"], asked["also"], every=asked["every"]):
        return show_undo(request, pk, problem, status=409)
    running = Running("undo_import", "--asked", str(pk))
    if running.wait(SECONDS_TO_WAIT):
        give_up(batch, NOT_STARTED)
    if ImportBatch.objects.filter(pk=pk, status=ImportBatch.Status.UNDONE).exists():
        messages.success(request, "The import was taken back.")
    return SeeOther(batch.get_absolute_url())


def show_undo(request: HttpRequest, pk: int, problem: str = "", status: int = 200) -> HttpResponse:
    running = progress.running()
    with snapshot(request):
        batch = get_object_or_404(ImportBatch.objects.defer("content"), pk=pk)
        if progress.state_of(batch, running) != ImportBatch.Status.IMPORTED:
            messages.warning(request, problem or "This import is not in the ledger.")
            return SeeOther(batch.get_absolute_url())
        if batch.kind:
            messages.warning(request, NOT_TAKEN_BACK)
            return SeeOther(batch.get_absolute_url())
        plan = plan_of(batch)
        edited = Transaction.objects.for_list().filter(pk__in=plan.edited[:EDITED_SHOWN])
        context = {
            "batch": batch,
            "plan": plan,
            "edited": edited.order_by("-timestamp", "pk"),
            "others": len(plan.edited) - EDITED_SHOWN,
            "problem": problem,
        }
        return render(request, "transactions/import_undo.html", context, status=status)


@require_POST
@may_add
def import_redo(request: HttpRequest, pk: int) -> HttpResponse:
    """Brings back an import that was taken back: its file is read again."""
    batch = get_object_or_404(ImportBatch.objects.defer("content"), pk=pk)
    undone = ImportBatch.objects.filter(
        pk=pk, status=ImportBatch.Status.UNDONE, content__isnull=False
    )
    if run_again(undone, is_confirmed=True, shown=""):
        begin([batch])
    else:
        messages.warning(request, "This import cannot be brought back: see what became of it.")
    return SeeOther(batch.get_absolute_url())


@require_safe
@may_see
def import_file(request: HttpRequest, pk: int) -> HttpResponse:
    """The file as it was given to us, byte by byte."""
    batch = get_object_or_404(with_content(), pk=pk, has_content=True)
    return download(stored(batch).read(), batch.file_name)


@require_safe
@may_see
def import_left_out(request: HttpRequest, pk: int) -> HttpResponse:
    """The lines that were not taken, under their header: to be mended, and imported again."""
    batch = get_object_or_404(ImportBatch.objects.defer("content"), pk=pk)
    lines = list(lines_left_out(batch))
    if batch.kind:
        text = "\n".join([*lines, ""])
    elif is_of_objects(batch, lines[:1]):
        text = "[\n{}\n]\n".format(",\n".join(lines))
    else:
        text = "\r\n".join([batch.header, *lines, ""])
    if batch.format == GENERIC.name:
        text = without_numbers(text)
    return download(text.encode(), f"left out of {batch.file_name}")


def lines_left_out(batch: ImportBatch) -> Any:
    left = (ImportLine.Outcome.REJECTED, ImportLine.Outcome.CONFLICT)
    return batch.lines.filter(outcome__in=left).order_by("number").values_list("raw", flat=True)


def is_of_objects(batch: ImportBatch, lines: Iterable[str]) -> bool:
    """Whether a file has JSON objects for lines, and no header."""
    return not batch.header and any(line.startswith("{") for line in lines)


@require_safe
@may_see
def import_receipt(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """What is known of the file, and what became of each of its lines, as a table."""
    batch = get_object_or_404(with_content().select_related("made_by"), pk=pk)
    parts = receipt(batch, request)
    # The first step, so that what goes wrong at once is an error page and not half a file.
    first = next(parts, "")
    name = content_disposition_header(True, f"receipt of {batch.file_name}.csv")
    return StreamingHttpResponse(
        followed(first, parts),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": name},
    )


def receipt(batch: ImportBatch, request: HttpRequest) -> Iterator[str]:
    with snapshot(request):
        yield from csv_lines(RECEIPT, receipt_rows(batch))


def receipt_rows(batch: ImportBatch) -> Iterator[dict[str, str]]:
    """First lines that are of no line of the file; then each is numbered, so that a receipt that
    was cut short shows it."""
    by = batch.made_by.get_username() if batch.made_by else "command"
    known = [
        ("File", batch.file_name),
        ("SHA-256", batch.sha256),
        ("Size", f"{batch.size} bytes"),
        ("Begun", f"{batch.made_at:%Y-%m-%d %H:%M:%S} UTC, by {by}"),
        ("State", batch.status),
        *said_of(batch),
        *(("Found in the file", text) for text in batch.told),
    ]
    for name, text in known:
        yield {"Outcome": "file", "Detail": protected(f"{name}: {text}")}
    count = batch.lines.count()
    lines = batch.lines.order_by("number").values_list(
        "number", "outcome", "detail", "raw", "transaction__txid", "transaction__external_id"
    )
    for place, line in enumerate(lines.iterator(), start=1):
        number, outcome, detail, raw, txid, external_id = line
        yield {
            "Number": f"{place} of {count}",
            "Line": str(number),
            "Outcome": outcome,
            "Detail": protected(detail),
            "Transaction": protected(txid or external_id),
            "As in the file": protected(raw),
        }


def said_of(batch: ImportBatch) -> list[tuple[str, str]]:
    """By what a file was read: its format, and what was said about it or found."""
    said = batch.options
    order = said.get("date_order", "")
    told = [
        ("Format", batch.format),
        ("Wallet", said.get("wallet", "")),
        ("Network", said.get("network", "")),
        ("Time zone", said.get("timezone", "")),
        ("Encoding", said.get("encoding", "")),
        ("Date order", DATE_ORDERS.get(order, order)),
    ]
    if mapping := said.get("mapping"):
        columns = [f"{FIELDS.get(name, name)}: {of}" for name, of in mapping["columns"].items()]
        told.append(("Mapping", f"{mapping['name']}. {'; '.join(columns)}"))
        order = mapping.get("date_order", "")
        told += [
            ("Amounts", f"like {DECIMALS.get(mapping.get('decimal', '.'), '')}"),
            ("Dates", DATE_ORDERS.get(order, "")),
            ("Currency", mapping.get("currency", "")),
        ]
    return [(name, text) for name, text in told if text]


def download(content: bytes, name: str) -> HttpResponse:
    return HttpResponse(
        content,
        content_type="application/octet-stream",
        headers={"Content-Disposition": content_disposition_header(True, name)},
    )


def run_again(batches: Any, **fields: Any) -> bool:
    """Makes a batch run, unless it is none of `batches` any more."""
    running = ImportBatch.Status.RUNNING
    fields |= {"status": running, "error": "", "made_at": timezone.now(), "finished_at": None}
    return bool(batches.update(**fields))


def with_content() -> Any:
    """Batches that know whether their upload is still there, without reading it."""
    return ImportBatch.objects.defer("content", "made", "names").annotate(
        has_content=Q(content__isnull=False),
        is_unknown=Q(status=ImportBatch.Status.FAILED, error__startswith=UNKNOWN),
    )


def can_begin(batch: Any, state: str) -> bool:
    return batch.has_content and state in ("waiting", "stopped", "failed")


def can_map(batch: Any) -> bool:
    """Whether the columns are nobody's, or were mapped and nothing was imported by that yet."""
    status = ImportBatch.Status
    is_open = batch.status in (status.FAILED, status.SHOWN)
    return batch.has_content and (batch.is_unknown or (is_open and is_mapped(batch)))


def is_mapped(batch: ImportBatch) -> bool:
    return batch.format.startswith(PREFIX)


def take(batch: ImportBatch, answers: dict[str, str]) -> bool:
    """Makes a batch run with these answers, unless somebody else just has."""
    options = {name: value for name, value in batch.options.items() if name != "questions"}
    unchanged = ImportBatch.objects.filter(pk=batch.pk, status=batch.status, made_at=batch.made_at)
    return run_again(unchanged, options=options | answers)


def begin(batches: list[ImportBatch]) -> None:
    """Starts the imports, and waits a little for them."""
    until = time.monotonic() + SECONDS_TO_WAIT
    for batch, running in [(one, start(one)) for one in batches]:
        if running.wait(until - time.monotonic()):
            ImportBatch.objects.filter(pk=batch.pk, status=ImportBatch.Status.RUNNING).update(
                status=ImportBatch.Status.FAILED, error=NOT_STARTED, finished_at=timezone.now()
            )


def start(batch: ImportBatch) -> Running:
    return Running("import_transactions", "--batch", str(batch.pk))


def printable(name: str | None) -> str:
    """A file's name as a line of text."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name or "")
    return text or "unnamed"


import_list.own_snapshot = import_detail.own_snapshot = True  # type: ignore[attr-defined]
import_undo.own_snapshot = import_receipt.own_snapshot = True  # type: ignore[attr-defined]
