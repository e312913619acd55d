"""Takes an import back, as though its file had never been read.

What it alone made goes. A transaction that other imports told of as well is made anew from their
files, which are kept, so that the ledger is what it would be without this one. What people edited
since stays unless they say otherwise.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Q
from django.utils import timezone

from transactions.imports import progress
from transactions.imports.entries import ADD_ENTRIES, COVER, NUMBER
from transactions.imports.files import stored
from transactions.imports.formats import open_table
from transactions.imports.importer import mapped_formats, options_of, said_by_import
from transactions.imports.labels import as_records_say, notes_that_waited
from transactions.imports.merge import OTHER_TYPES, merge_once_more, wait_for_others
from transactions.imports.progress import UNDO
from transactions.imports.rows import FileError
from transactions.imports.scripts import run
from transactions.imports.staging import call_by_new_names, names_of, settle_capitals, stage
from transactions.imports.trial import made
from transactions.models import ImportBatch

CHANGED_SINCE = "The ledger has changed since you looked, so nothing was taken back. Look again."
NOT_TAKEN_BACK = (
    "Labels and address books are not taken back. Change what they brought where it is."
)

# Every transaction that an import tells of: whether others do, and whether people edited it. An
# import that was taken back still tells of what stayed since people had edited it.
TOUCHED = """
    SELECT t.id, t.version, EXISTS (
        SELECT FROM transactions_importline other
        JOIN transactions_importbatch b ON b.id = other.batch_id
        WHERE other.transaction_id = t.id AND b.id <> %(batch)s
            AND b.status IN ('imported', 'undone') AND other.outcome <> 'rejected'
    ) AS is_shared, t.is_edited OR EXISTS (
        SELECT FROM transactions_transactionlabel l
        WHERE l.transaction_id = t.id AND NOT l.is_imported
    ) OR EXISTS (
        SELECT FROM transactions_takenofflabel gone WHERE gone.transaction_id = t.id
    ) AS is_edited
    FROM transactions_transaction t WHERE t.id IN (
        SELECT transaction_id FROM transactions_importline
        WHERE batch_id = %(batch)s AND outcome <> 'rejected'
    )
    ORDER BY t.id
"""
REMOVE = """
    UPDATE transactions_importline SET transaction_id = NULL
    WHERE transaction_id IN (SELECT id FROM pg_temp.gone);
    DELETE FROM transactions_transactionlabel WHERE transaction_id IN (SELECT id FROM pg_temp.gone);
    DELETE FROM transactions_entry WHERE transaction_id IN (SELECT id FROM pg_temp.gone);
    DELETE FROM transactions_transaction WHERE id IN (SELECT id FROM pg_temp.gone);
"""
# As a transaction is before any file has told of it; what people wrote stays.
EMPTY = """
    CREATE TEMP TABLE kept_label (transaction_id bigint, key text) ON COMMIT DROP;

    DELETE FROM transactions_entry WHERE transaction_id IN (SELECT id FROM pg_temp.shared);
    DELETE FROM transactions_coveredentry WHERE transaction_id IN (SELECT id FROM pg_temp.shared);

    UPDATE transactions_transaction SET status = 'pending', type = 'call', is_type_told = false,
        timestamp = timestamptz '2100-12-31 23:59:59Z', method = '', block = NULL,
        note = CASE WHEN is_edited THEN note ELSE '' END,
        contact_id = CASE WHEN is_edited THEN contact_id END
    WHERE id IN (SELECT id FROM pg_temp.shared);
"""
NOTE_THAT_WAITED = "UPDATE transactions_transaction SET note = %s WHERE id = %s"
NOT_TOLD = """
    SELECT count(*) FROM transactions_transaction
    WHERE id IN (SELECT id FROM pg_temp.shared) AND timestamp = timestamptz '2100-12-31 23:59:59Z'
"""
# What its file called assets: they are called as others do, and a token's code that its file alone
# knew is one again.
NOT_CALLED = """
    CREATE TEMP TABLE not_called ON COMMIT DROP AS
    SELECT a.id AS asset_id, upper(told.symbol) || {NUMBER} AS code
    FROM transactions_toldasset told JOIN transactions_asset a ON a.id = told.asset_id
    WHERE told.batch_id = %(batch)s;

    DELETE FROM transactions_toldasset WHERE batch_id = %(batch)s;

    -- One that only this import named is called by its contract again.
    UPDATE transactions_asset a SET symbol = told.symbol, name = told.name
    FROM (
        SELECT a.id, coalesce(max(told.name COLLATE "C"), '') AS name, coalesce(
            max(nullif(told.symbol, '') COLLATE "C"),
            CASE WHEN length(a.code) > 11 THEN left(a.code, 6) || '…' || right(a.code, 4)
                ELSE a.code END
        ) AS symbol
        FROM transactions_asset a LEFT JOIN transactions_toldasset told ON told.asset_id = a.id
        WHERE a.id IN (SELECT asset_id FROM not_called) AND (
            told.id IS NOT NULL OR a.kind IN ('token', 'nft') AND a.id IN (
                SELECT made.pk::bigint FROM transactions_importbatch b,
                    jsonb_array_elements_text(b.made -> 'asset') made (pk)
            )
        )
        GROUP BY a.id
    ) told
    WHERE a.id = told.id AND NOT a.is_edited
        AND (a.symbol, a.name) IS DISTINCT FROM (told.symbol, told.name);
""".replace("{NUMBER}", NUMBER)
# What it called wallets that had no name.
UNNAMED = """
    UPDATE transactions_wallet w SET name = ''
    FROM transactions_importbatch b, jsonb_each_text(b.names -> 'named') told (name, id)
    WHERE b.id = %(batch)s AND w.id = told.id::bigint AND w.name = told.name;
"""
UNCOVERED = """
    CREATE TEMP TABLE mixed ON COMMIT DROP AS
    SELECT DISTINCT e.transaction_id AS id FROM transactions_coveredentry e
    JOIN transactions_asset a ON a.id = e.asset_id AND a.kind = 'exchange'
    WHERE a.code IN (SELECT code FROM not_called);

    CREATE TEMP TABLE told_entry (transaction_id bigint, known_id bigint, timestamp timestamptz,
        line integer, position integer, wallet_id bigint, asset_id bigint, kind varchar,
        counterparty_id bigint, amount numeric, ordinal bigint, beside bigint, is_expected boolean)
        ON COMMIT DROP;
"""
# An import that is taken back keeps its lines' transactions where those stay as it told them, since
# people have edited them.
OTHERS = """
    SELECT DISTINCT b.id FROM transactions_importline l
    JOIN transactions_importbatch b ON b.id = l.batch_id
    WHERE l.transaction_id IN (SELECT id FROM pg_temp.shared) AND l.outcome <> 'rejected'
        AND b.status IN ('imported', 'undone') AND b.id <> %(batch)s
    ORDER BY b.id
"""
NOT_TOLD_ANY_MORE = """
    UPDATE transactions_importline SET transaction_id = NULL
    WHERE batch_id = %(batch)s AND transaction_id IN (SELECT id FROM pg_temp.shared);
"""
ONLY_SHARED = """
    DELETE FROM staged_line WHERE line NOT IN (
        SELECT l.number FROM transactions_importline l
        WHERE l.batch_id = %(batch)s AND l.outcome <> 'rejected'
            AND l.transaction_id IN (SELECT id FROM pg_temp.shared)
    );
    ANALYZE staged_line;

    INSERT INTO kept_label SELECT l.transaction_id, lower(told.name)
    FROM staged_line s JOIN transactions_importline l
        ON l.batch_id = %(batch)s AND l.number = s.line, unnest(s.labels) told (name);
"""
# A label that people took off is not brought back: only what nobody else told of goes.
LABELS_OF_NOBODY = """
    DELETE FROM transactions_transactionlabel on_it USING transactions_label label
    WHERE on_it.transaction_id IN (SELECT id FROM pg_temp.shared) AND on_it.is_imported
        AND label.id = on_it.label_id AND NOT EXISTS (
            SELECT FROM kept_label
            WHERE transaction_id = on_it.transaction_id AND key = lower(label.name)
        );
"""
# What an import that is taken back made, this one or one before it, and nothing uses, nor anybody
# has changed.
MADE = """
    SELECT pk::bigint FROM transactions_importbatch b,
        jsonb_array_elements_text(b.made -> '{name}') made (pk)
    WHERE b.status = 'undone'
"""
UNUSED = {
    "label": """
        DELETE FROM transactions_label x WHERE id IN ({made}) AND version = 1 AND NOT EXISTS (
            SELECT FROM transactions_transactionlabel WHERE label_id = x.id
        ) AND NOT EXISTS (SELECT FROM transactions_takenofflabel WHERE label_id = x.id)
    """,
    "wallet": """
        DELETE FROM transactions_wallet x
        WHERE id IN ({made}) AND (version = 1 OR kind = 'address' AND name = '') AND NOT EXISTS (
            SELECT FROM transactions_entry WHERE wallet_id = x.id
        ) AND NOT EXISTS (
            SELECT FROM transactions_coveredentry WHERE wallet_id = x.id
        ) AND NOT EXISTS (
            SELECT FROM transactions_transaction WHERE source_wallet_id = x.id
        )
    """,
    "asset": """
        DELETE FROM transactions_asset x WHERE id IN ({made}) AND NOT is_edited AND NOT EXISTS (
            SELECT FROM transactions_entry WHERE asset_id = x.id
        ) AND NOT EXISTS (
            SELECT FROM transactions_coveredentry WHERE asset_id = x.id
        )
    """,
    "contact": """
        DELETE FROM contacts_contact x WHERE id IN ({made}) AND version = 1 AND NOT EXISTS (
            SELECT FROM transactions_transaction WHERE contact_id = x.id
        ) AND NOT EXISTS (SELECT FROM contacts_address WHERE contact_id = x.id)
    """,
    "address": """
        DELETE FROM contacts_address x
        WHERE id IN ({made}) AND version = 1 AND contact_id IS NULL AND NOT EXISTS (
            SELECT FROM transactions_entry WHERE counterparty_id = x.id
        ) AND NOT EXISTS (
            SELECT FROM transactions_coveredentry WHERE counterparty_id = x.id
        ) AND NOT EXISTS (SELECT FROM transactions_wallet WHERE address_id = x.id)
    """,
}


class CannotUndo(Exception):
    """The import stays as it is; the message says why, and what to do."""


@dataclass(frozen=True)
class Plan:
    """What taking an import back would do: ids of transactions, in their order.

    `alone` go, `edited` were only told of by this import too but changed by people since, and
    `shared` stay as others told them. `digest` changes with any of that.
    """

    alone: list[int]
    edited: list[int]
    shared: list[int]
    digest: str


def plan_of(batch: ImportBatch) -> Plan:
    """As of now; a page asks in its snapshot, the deed in its own transaction."""
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED, {"batch": batch.pk})
        rows = cursor.fetchall()
    # What a wallet's labels say comes back with the transaction.
    said = as_records_say(pk for pk, _, _, is_edited in rows if is_edited)
    alone, edited, shared, versions = [], [], [], []
    for pk, version, is_shared, is_edited in rows:
        if is_shared:
            shared.append(pk)
        elif is_edited and pk not in said:
            edited.append(pk)
            versions.append(version)
        else:
            alone.append(pk)
    told = [edited, shared, len(alone), versions]
    return Plan(alone, edited, shared, hashlib.sha256(repr(told).encode()).hexdigest())


def undo(
    batch: ImportBatch, seen: str | None = None, also: Iterable[int] = (), *, every: bool = False
) -> Plan | None:
    """Takes the import back, and of what people edited what is among `also`, or every one.

    None when what would happen is no longer what was `seen`. Raises CannotUndo.
    """
    with (
        progress.at_work(batch),
        transaction.atomic(),
        connection.cursor() as cursor,
        said_by_import(cursor, batch),
    ):
        wait_for_others(cursor)
        imported = ImportBatch.objects.filter(pk=batch.pk, status=ImportBatch.Status.IMPORTED)
        options = imported.select_for_update().values_list("options", flat=True).first()
        if options is None:
            raise CannotUndo("This import is not in the ledger, or was taken back already.")
        if batch.kind:
            raise CannotUndo(NOT_TAKEN_BACK)
        plan = plan_of(batch)
        if seen is not None and plan.digest != seen:
            return None
        lock(cursor, plan.alone + plan.edited)
        if plan_of(batch).digest != plan.digest:  # what was being saved when we looked
            raise CannotUndo(CHANGED_SINCE)
        options.pop(UNDO, None)
        imported.update(status=ImportBatch.Status.UNDONE, options=options, error="")
        edited = plan.edited if every else sorted(set(plan.edited).intersection(also))
        make_list(cursor, "gone", plan.alone + edited)
        run(cursor, {}, REMOVE)
        run(cursor, {"batch": batch.pk}, NOT_CALLED, UNNAMED)
        if plan.shared:
            make_anew(cursor, batch, plan.shared)
            run(cursor, {"batch": batch.pk}, NOT_TOLD_ANY_MORE)
        run(cursor, {}, UNCOVERED, COVER, ADD_ENTRIES, OTHER_TYPES)
        for name in UNUSED:  # in an order in which none refers to one that is still there
            cursor.execute(UNUSED[name].format(made=MADE.format(name=name)))
        settle_capitals(cursor, batch.pk)
    batch.status = ImportBatch.Status.UNDONE
    return plan


def ask_for_undo(batch: ImportBatch, seen: str, also: Iterable[int], *, every: bool) -> str:
    """Keeps what a process is to do with `undo_asked`; why it cannot be, or nothing."""
    with transaction.atomic():
        ImportBatch.objects.select_for_update().get(pk=batch.pk)
        running = progress.running()
        batch.refresh_from_db(fields=["status", "options"])
        if progress.state_of(batch, running) != ImportBatch.Status.IMPORTED:
            return "This import is not in the ledger, or is being taken back already."
        if batch.kind:
            return NOT_TAKEN_BACK
        if plan_of(batch).digest != seen:
            return CHANGED_SINCE
        asked = {"seen": seen, "also": list(also), "every": every}
        batch.options[UNDO] = asked | {"at": timezone.now().isoformat()}
        batch.save(update_fields=["options"])
    return ""


def undo_asked(batch: ImportBatch) -> None:
    """Does what was asked for; where it cannot be done, the batch says why, and CannotUndo."""
    asked = batch.options.get(UNDO)
    if not asked:
        raise CannotUndo("Nobody has asked for it.")
    problem = CHANGED_SINCE
    with progress.at_work(batch):
        try:
            if undo(batch, asked["seen"], asked["also"], every=asked["every"]):
                return
        except CannotUndo as refused:
            problem = str(refused)
        except (IntegrityError, OperationalError):
            problem = "The database gave up. Take the import back once more."
        give_up(batch, problem)
    raise CannotUndo(problem)


def give_up(batch: ImportBatch, problem: str) -> None:
    """The import stays in the ledger, and its page says why."""
    with transaction.atomic():
        imported = ImportBatch.objects.filter(pk=batch.pk, status=ImportBatch.Status.IMPORTED)
        options = imported.select_for_update().values_list("options", flat=True).first() or {}
        if options.pop(UNDO, None):
            imported.update(options=options, error=problem)


def make_anew(cursor: CursorWrapper, batch: ImportBatch, shared: list[int]) -> None:
    """Transactions as all other imports tell them, whose files are read once more."""
    make_list(cursor, "shared", shared)
    cursor.execute(OTHERS, {"batch": batch.pk})
    others = [pk for (pk,) in cursor.fetchall()]
    waited = notes_that_waited(cursor, "pg_temp.shared")
    run(cursor, {}, EMPTY)
    cursor.executemany(NOTE_THAT_WAITED, [(note, pk) for pk, note in waited])
    found = ImportBatch.objects.defer("content").annotate(has_content=Q(content__isnull=False))
    for other in found.filter(pk__in=others).order_by("pk"):
        if not other.has_content:
            raise CannotUndo(
                f"The import of {other.file_name} told of some of these transactions too, and its "
                "file was not kept. Take that one back first, and import both files again."
            )
        file = stored(other)
        try:
            options, mapped = options_of(other), mapped_formats(other)
            format_, table = open_table(
                file, other.file_name, other.format, mapped, options.encoding
            )
            stage(cursor, format_.read(table, options))
        except FileError as problem:
            raise CannotUndo(
                f"{other.file_name} told of some of these transactions too, and can no longer be "
                f"read: {problem}"
            ) from problem
        call_by_new_names(cursor, other.pk)
        run(cursor, {"batch": other.pk}, ONLY_SHARED)
        merge_once_more(cursor)
        for name, pks in made(cursor).items():
            other.made[name] = sorted({*other.made.get(name, []), *pks})
        for kind, named in names_of(cursor).items():
            other.names[kind] = other.names.get(kind, {}) | named
        other.save(update_fields=["made", "names"])
    cursor.execute(NOT_TOLD)
    if cursor.fetchone()[0]:
        raise CannotUndo(
            "Other imports told of some of these transactions too, and their lines can no longer "
            "be read as they were: a wallet may be called otherwise now. Take those back first."
        )
    run(cursor, {}, LABELS_OF_NOBODY)


def lock(cursor: CursorWrapper, pks: list[int]) -> None:
    """So that nobody edits what goes; waits for those who are about to."""
    cursor.execute(
        "SELECT FROM transactions_transaction WHERE id = ANY (%s) ORDER BY id FOR UPDATE", [pks]
    )


def make_list(cursor: CursorWrapper, name: str, pks: list[int]) -> None:
    """A temporary table of ids, which PostgreSQL knows the size of."""
    run(cursor, {}, f"CREATE TEMP TABLE {name} (id bigint PRIMARY KEY) ON COMMIT DROP")
    cursor.execute(f"INSERT INTO {name} SELECT unnest(%s::bigint[])", [pks])
    cursor.execute(f"ANALYZE {name}")
