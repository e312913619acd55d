"""How far running imports are, kept in the name that each one's connection bears.

The name is visible to others at once and gone with the process, however that ends, so an import
that is said to run but has no connection has died. Nothing is stored.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error, connection
from django.utils import timezone

from transactions.models import ImportBatch

# A process needs a moment to start before it has a connection.
START_TIME = timedelta(seconds=30)
UNDO = "undo"  # the option of a batch that is being taken back

_name = re.compile(r"txsite import ([0-9]+): ([0-9]+) of ([0-9]+), ([0-9]+) lines").fullmatch


@dataclass(frozen=True)
class Progress:
    """Bytes read of the file's `size`, and lines; all read means that it is being saved."""

    batch_id: int
    read: int
    size: int
    lines: int

    @property
    def is_all_read(self) -> bool:
        return self.read >= self.size

    @property
    def name(self) -> str:
        # At most 63 bytes, which is what PostgreSQL keeps of a name.
        return f"txsite import {self.batch_id}: {self.read} of {self.size}, {self.lines} lines"


@contextmanager
def at_work(batch: ImportBatch) -> Iterator[None]:
    """Others see this connection at work on the batch until all is said and done.

    Also while a transaction commits, and between one that was rolled back and the next.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('application_name')")
        (before,) = cursor.fetchone()
    bear(Progress(batch.pk, 0, batch.size, 0).name)
    try:
        yield
    finally:
        # A transaction that failed gives the name back itself, and a lost connection has none.
        with suppress(Error):
            bear(before)


def bear(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, false)", [name])


def show(progress: Progress) -> None:
    """Show it to others until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, true)", [progress.name])


def running() -> dict[int, Progress]:
    """The imports that have a live connection, by batch.

    Asked before the batches are read: an import that ends in between then reads as ended, not
    as dead.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND starts_with(application_name, %s)",
            ["txsite import "],
        )
        names = [_name(name) for (name,) in cursor.fetchall()]
    found = [Progress(*map(int, name.groups())) for name in names if name]
    return {progress.batch_id: progress for progress in found}


def end(batch_id: int) -> None:
    """End the connection that imports this batch, if there is one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND starts_with(application_name, %s)",
            [f"txsite import {batch_id}: "],
        )


def state_of(batch: ImportBatch, running: dict[int, Progress]) -> str:
    """A batch's status; `running` can also be `starting`, or `stopped` where its process died.

    An import that is being taken back is `undoing`, and `imported` again where that process died.
    """
    asked = batch.options.get(UNDO) if batch.status == ImportBatch.Status.IMPORTED else None
    if asked:
        is_undoing = batch.pk in running or is_new(datetime.fromisoformat(asked["at"]))
        return "undoing" if is_undoing else batch.status
    if batch.status != ImportBatch.Status.RUNNING or batch.pk in running:
        return batch.status
    return "starting" if is_new(batch.made_at) else "stopped"


def is_new(begun: datetime) -> bool:
    return timezone.now() - begun < START_TIME
