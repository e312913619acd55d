"""Reads a file into the ledger: all of it in one database transaction, or nothing.

A batch that is not confirmed yet is tried in the same way and taken back; what it would have done
stays with it as its lines. Once it is confirmed it does just that, or it is shown again.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from django.db import DataError, Error, IntegrityError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from transactions.imports import progress
from transactions.imports.examples import with_examples
from transactions.imports.files import keep
from transactions.imports.formats import open_table
from transactions.imports.formats.accounts import AccountFile
from transactions.imports.formats.encodings import UnknownEncoding
from transactions.imports.formats.mapped import PREFIX, Mapping, formats_of, mapping_of
from transactions.imports.formats.reader import encoding_question, header_of
from transactions.imports.labels import NETWORK_SLUGS, attach_to
from transactions.imports.merge import OnStep, merge
from transactions.imports.others import problem_of_other
from transactions.imports.progress import Course, Progress
from transactions.imports.rows import FileError, Options, Question, Reading
from transactions.imports.staging import call_by_new_names, names_of, settle_capitals, stage
from transactions.imports.trial import Trial, made
from transactions.models import ImportBatch, ImportLine, ImportMapping, Wallet

CANCELLED = "The import was cancelled. Nothing of the file is in the ledger."
CHANGED_MEANWHILE = (
    "The ledger has changed since this was shown, so nothing was imported yet. Below is what the "
    "file would do now."
)
NOTHING_IMPORTED = "No line of the file could be imported; each says why ({:,} rejected)."
# Somebody deleted or merged what the import had just found, or waited for us as we for them.
MEANWHILE = {"23503", "23505", "40P01"}  # foreign key, unique, deadlock
ATTEMPTS = 3
# A larger file, which only a command takes, is not kept: PostgreSQL has it in one piece.
MAX_KEPT = 64 * 1024 * 1024

# Large statements over new tables: compiling them takes longer than running them, and spilling
# their sorts to disk as well; a small sample tells enough of the staged tables to plan with.
# `importing` tells the triggers that no person is editing.
SETTINGS = """
    SELECT set_config('txsite.importing', %s, true), set_config('txsite.via', %s, true),
        set_config('txsite.actor', %s, true), set_config('jit', 'off', true),
        set_config('work_mem', '64MB', true), set_config('default_statistics_target', '10', true)
"""
# PostgreSQL's own statistics come a minute later. Until then it would look for what an import has
# just brought as in the few rows that were there before.
MANY_NEW = 2_000
ANALYZE = """
    ANALYZE contacts_address, transactions_transaction, transactions_entry, transactions_entrysum,
        transactions_transactionlabel, transactions_importline
"""


class Differs(Exception):
    """The file would no longer do what was shown and confirmed."""


class Unanswered(Exception):
    """The file lacks something that the options do not say either."""

    def __init__(self, questions: list[Question]) -> None:
        super().__init__(" ".join(question.text for question in questions))
        self.questions = questions


def new_batch(file: BinaryIO, file_name: str, **fields: Any) -> ImportBatch:
    """A batch of a seekable file, saved together with the file."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(1024 * 1024):
        digest.update(chunk)
    with transaction.atomic():
        batch = ImportBatch.objects.create(
            file_name=file_name[-255:], sha256=digest.hexdigest(), size=file.tell(), **fields
        )
        if batch.size <= MAX_KEPT:
            keep(batch, file)
    return batch


def import_batch(
    batch: ImportBatch, file: BinaryIO, on_progress: Callable[[Progress], None] | None = None
) -> None:
    """Imports the file of a batch that is saved and running; the batch keeps what became of it.

    Raises FileError where nothing was imported, and Unanswered where the file lacks something:
    the batch is then failed, or waits with its questions.
    """
    course = Course(batch, on_progress)

    def read(cursor: CursorWrapper) -> Reading:
        course.begin()
        try:
            reading = _reading(batch, file)
            stage(cursor, reading, lambda lines: course.read(lines, file.tell()))
        except UnknownEncoding:
            if question := encoding_question(file):
                raise Unanswered([remembered(question, batch.format)]) from None
            raise
        call_by_new_names(cursor, batch.pk)
        return reading

    import_staged(batch, read, course.step)


def import_staged(
    batch: ImportBatch,
    read: Callable[[CursorWrapper], Reading],
    on_step: OnStep | None = None,
) -> None:
    """Imports what `read` stages, once more where others came in between.

    Raises what `import_batch` does.
    """
    with progress.at_work(batch):
        _import_staged(batch, read, on_step)
    if batch.status == ImportBatch.Status.IMPORTED and batch.new > MANY_NEW:
        with connection.cursor() as cursor:
            cursor.execute(ANALYZE)


def _import_staged(batch: ImportBatch, *how: Any) -> None:
    try:
        try:
            _attempt(batch, *how)
        except Differs:
            _change(batch, is_confirmed=False, shown="", error=CHANGED_MEANWHILE)
            _attempt(batch, *how)
    except Unanswered as unanswered:
        questions = [asdict(question) for question in unanswered.questions]
        options = batch.options | {"questions": questions}
        _change(batch, status=ImportBatch.Status.WAITING, options=options)
        raise
    except FileError as problem:
        _fail(batch, str(problem))
        raise
    except (DataError, IntegrityError) as problem:
        _fail(batch, f"The database refused the file: {_first_line(problem)}.")
        raise FileError(batch.error) from problem
    except OperationalError as problem:
        _fail_without_connection(batch, problem)
        raise FileError(batch.error) from problem
    except KeyboardInterrupt:
        _fail(batch, CANCELLED)
        raise
    if batch.status == ImportBatch.Status.FAILED:
        raise FileError(batch.error)


def options_of(batch: ImportBatch) -> Options:
    """What was said about a file; a wallet of an address may be said by its name.

    One that was an account's when the file was imported stays that, whatever bears it now.
    """
    said = batch.options
    wallet, zone = said.get("wallet", ""), said.get("timezone", "")
    is_known = wallet.lower() in batch.names.get("wallet", {})
    named = None if is_known else _wallet_named(wallet)
    return Options(
        wallet=named.address.value if named and named.address else wallet,
        network=said.get("network", ""),
        timezone=ZoneInfo(zone) if zone else None,
        encoding=said.get("encoding", ""),
        date_order=said.get("date_order", ""),
        brought_at=batch.made_at.replace(microsecond=0),
    )


def _wallet_named(name: str) -> Wallet | None:
    return Wallet.objects.named(name).select_related("address").first() if name else None


def _attempt(batch: ImportBatch, *how: Any) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                _import(batch, cursor, *how)
            return
        except (IntegrityError, OperationalError) as problem:
            if attempt == ATTEMPTS or getattr(problem.__cause__, "sqlstate", "") not in MEANWHILE:
                raise


def _import(
    batch: ImportBatch,
    cursor: CursorWrapper,
    read: Callable[[CursorWrapper], Reading],
    on_step: OnStep | None,
) -> None:
    with said_by_import(cursor, batch):
        reading = read(cursor)
        cursor.execute("DELETE FROM transactions_importline WHERE batch_id = %s", [batch.pk])
        if not batch.is_confirmed:
            _try(batch, cursor, reading, on_step)
            return
        counts = merge(cursor, batch.pk, on_step=on_step)
        if batch.shown and Trial.of(cursor, batch.pk).digest != batch.shown:
            raise Differs
        _finish(batch, reading, counts, **_beside(cursor, batch))
        settle_capitals(cursor, batch.pk)
        cursor.execute(
            "SELECT id FROM told_transaction WHERE known_id IS NULL AND network = ANY (%s)",
            [list(NETWORK_SLUGS)],
        )
        attach_to([pk for (pk,) in cursor.fetchall()])


@contextmanager
def said_by_import(cursor: CursorWrapper, batch: ImportBatch) -> Iterator[None]:
    """What is done here is told as the import's, and marks nothing as edited by a person."""
    cursor.execute(
        "SELECT current_setting('txsite.via', true), current_setting('txsite.actor', true)"
    )
    before = cursor.fetchone()
    actor = batch.made_by.get_username() if batch.made_by else before[1]
    cursor.execute(SETTINGS, ["on", "import", actor])
    yield
    # In an open transaction the settings would outlast us.
    cursor.execute(SETTINGS, ["off", *before])


def _reading(batch: ImportBatch, file: BinaryIO) -> Reading:
    options = options_of(batch)
    mapped = mapped_formats(batch)
    try:
        format_, table = open_table(file, batch.file_name, batch.format, mapped, options.encoding)
    except FileError:
        if other := problem_of_other(file):
            raise FileError(other) from None
        raise
    questions = format_.questions(table, options)
    if questions:
        asked = [remembered(question, format_.name) for question in questions]
        raise Unanswered(with_examples(format_, table, options, asked))
    batch.format, batch.header = format_.name, header_of(table)
    return format_.read(table, options)


def _try(
    batch: ImportBatch,
    cursor: CursorWrapper,
    reading: Reading,
    on_step: OnStep | None,
) -> None:
    """Merges, keeps what that did to each line, and takes the rest back."""
    with TemporaryFile() as kept:
        before = transaction.savepoint()
        counts = merge(cursor, batch.pk, is_trial=True, on_step=on_step)
        trial = Trial.of(cursor, batch.pk)
        trial.keep_lines(cursor, kept)
        transaction.savepoint_rollback(before)
        trial.put_lines(cursor, kept)
        balances = trial.balances(cursor)
    _finish(batch, reading, counts, shown=trial.digest, balances=balances)


def mapped_formats(batch: ImportBatch) -> tuple[AccountFile, ...]:
    """What people have mapped; the batch's own mapping as it was when its file was read."""
    found = {one.name: one.mapping for one in ImportMapping.objects.all()}
    if own := batch.options.get("mapping"):
        found[own["name"]] = own
    return formats_of(map(mapping_of, found.values()))


def is_taken(mapping: Mapping) -> bool:
    """Whether another mapping is kept under the name."""
    known = ImportMapping.objects.filter(name=mapping.name).first()
    return known is not None and mapping_of(known.mapping) != mapping


def keep_mapping(mapping: Mapping) -> None:
    ImportMapping.objects.update_or_create(
        name=mapping.name, defaults={"mapping": mapping.as_json()}
    )


def _beside(cursor: CursorWrapper, batch: ImportBatch) -> dict[str, Any]:
    """What the merge made and named beside transactions, now and when it was done before."""
    before = ImportBatch.objects.only("made", "names").get(pk=batch.pk)
    now, named = made(cursor), names_of(cursor)
    return {
        "made": {
            name: sorted({*now.get(name, []), *before.made.get(name, [])})
            for name in now | before.made
        },
        "names": {kind: before.names.get(kind, {}) | named[kind] for kind in named},
    }


def remembered(question: Question, format_name: str) -> Question:
    """The question with what was answered for the last file of the kind, where that fits."""
    if question.suggestion:
        return question
    imported = ImportBatch.objects.filter(status=ImportBatch.Status.IMPORTED)
    if question.option == "encoding":  # by which the format is known
        imported = imported.filter(options__has_key="encoding")
    else:
        imported = imported.filter(format=format_name)
    last = imported.order_by("-made_at").only("options", "names").first()
    answer = last.options.get(question.option, "") if last else ""
    if last and question.option == "wallet":
        known = Wallet.objects.filter(pk=last.names.get("wallet", {}).get(answer.lower(), 0))
        answer = known.values_list("name", flat=True).first() or answer
    if question.choices and answer not in question.choices:
        return question
    return replace(question, suggestion=answer)


def _mapping(batch: ImportBatch) -> dict[str, Any]:
    """An option of a batch that is read by a mapping: that mapping."""
    if not batch.format.startswith(PREFIX):
        return {}
    known = ImportMapping.objects.filter(name=batch.format.removeprefix(PREFIX)).first()
    own = batch.options.get("mapping") or (known and known.mapping)
    return {"mapping": own} if own else {}


def _finish(batch: ImportBatch, reading: Reading, counts: dict[str, int], **fields: Any) -> None:
    """Part of the import's own transaction, so that the batch and the ledger never disagree."""
    options = reading.options
    is_nothing = counts.keys() == {"rejected"}
    done = ImportBatch.Status.IMPORTED if batch.is_confirmed else ImportBatch.Status.SHOWN
    if is_nothing:
        fields |= {"error": NOTHING_IMPORTED.format(counts["rejected"])}
    elif batch.is_confirmed:
        fields |= {"error": ""}
    _change(
        batch,
        status=ImportBatch.Status.FAILED if is_nothing else done,
        format=batch.format,
        header=batch.header,
        options={
            "wallet": options.wallet,
            "network": options.network,
            "timezone": str(options.timezone or ""),
            "date_order": options.date_order,
            **({"encoding": options.encoding} if options.encoding else {}),
            **_mapping(batch),
        },
        told=reading.told,
        finished_at=timezone.now(),
        **dict.fromkeys(ImportLine.Outcome.values, 0) | counts | fields,
    )


def _change(batch: ImportBatch, **fields: Any) -> None:
    """Changes a batch that is still running; raises FileError where somebody has ended it."""
    running = ImportBatch.objects.filter(pk=batch.pk, status=ImportBatch.Status.RUNNING)
    if not running.update(**fields):
        raise FileError(CANCELLED)
    for name, value in fields.items():
        setattr(batch, name, value)


def _fail(batch: ImportBatch, error: str) -> None:
    """Marks the batch failed, unless somebody has ended it already."""
    batch.status, batch.error = ImportBatch.Status.FAILED, error
    ImportBatch.objects.filter(pk=batch.pk, status=ImportBatch.Status.RUNNING).update(
        status=batch.status, error=error, finished_at=timezone.now()
    )


def _fail_without_connection(batch: ImportBatch, problem: OperationalError) -> None:
    """The connection may be lost because somebody cancelled; the batch then says so already."""
    if connection.in_atomic_block:
        raise problem
    connection.close()
    _fail(batch, f"The database gave up: {_first_line(problem)}. Import the file again.")
    batch.refresh_from_db(fields=["error"])


def _first_line(problem: Error) -> str:
    return str(problem).partition("\n")[0].rstrip(".")
