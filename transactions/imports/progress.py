"""How far running imports are, kept in the name that each one's connection bears.

The name is visible to others at once and gone with the process, however that ends, so an import
that is said to run but has no connection has died. Nothing is stored.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum

from django.db import Error, connection
from django.utils import timezone

from transactions.models import ImportBatch

# A process needs a moment to start before it has a connection.
START_TIME = timedelta(seconds=30)
UNDO = "undo"  # the option of a batch that is being taken back

_name = re.compile(
    r"txsite import ([0-9]+): (?:([0-9]+) of ([0-9]+), ([0-9]+) lines"
    r"|step ([1-7]), ([0-9]+) lines, ([0-9]+))"
).fullmatch


class Step(IntEnum):
    """What is done once a file is read, one after the other."""

    WAITING = 1
    FINDING = 2
    COMPARING = 3
    TRANSACTIONS = 4
    MOVEMENTS = 5
    LINES = 6
    CHECKING = 7

    @property
    def text(self) -> str:
        return WORDS[self]


WORDS = {
    Step.WAITING: "waiting for other imports",
    Step.FINDING: "finding what the ledger has",
    Step.COMPARING: "comparing",
    Step.TRANSACTIONS: "writing transactions",
    Step.MOVEMENTS: "writing movements",
    Step.LINES: "writing what became of each line",
    Step.CHECKING: "checking",
}
# Of a hundred seconds, as 50,000 new lines of an explorer took them.
READING = 18
SHARES = {
    Step.WAITING: 0,
    Step.FINDING: 12,
    Step.COMPARING: 12,
    Step.TRANSACTIONS: 15,
    Step.MOVEMENTS: 19,
    Step.LINES: 6,
    Step.CHECKING: 18,
}


@dataclass(frozen=True)
class Progress:
    """Bytes read of the file's `size`, and lines; then the step, and when all may be done.

    `until` is in Unix seconds, 0 where nothing tells it.
    """

    batch_id: int
    read: int
    size: int
    lines: int
    step: Step | None = None
    until: int = 0

    @property
    def is_all_read(self) -> bool:
        return self.read >= self.size

    @property
    def done(self) -> float:
        """Of a hundred."""
        if self.step is None:
            return READING * self.read / max(self.size, 1)
        return READING + sum(SHARES[one] for one in Step if one < self.step)

    @property
    def seconds_left(self) -> int | None:
        left = self.until - round(time.time())
        return left if self.until and left > 0 else None

    @property
    def name(self) -> str:
        # At most 63 bytes, which is what PostgreSQL keeps of a name.
        start = f"txsite import {self.batch_id}: "
        if self.step:
            return f"{start}step {self.step}, {self.lines} lines, {self.until}"
        return f"{start}{self.read} of {self.size}, {self.lines} lines"

    @classmethod
    def named(cls, name: str) -> "Progress | None":
        found = _name(name)
        if found is None:
            return None
        batch_id, read, size, lines, step, lines_then, until = (
            int(one or 0) for one in found.groups()
        )
        if step:
            return cls(batch_id, 0, 0, lines_then, Step(step), until)
        return cls(batch_id, read, size, lines)


class Course:
    """An import on its way: shows others how far it is, and whoever asked.

    How long it takes yet is told by how long it took so far, waiting for others left out.
    """

    def __init__(self, batch: ImportBatch, on_progress: Callable[[Progress], None] | None) -> None:
        self.batch, self.on_progress = batch, on_progress
        self.began, self.lines = time.monotonic(), 0
        self.waits_since: float | None = None

    def begin(self) -> None:
        """Once more, where others came in between."""
        self.began, self.waits_since = time.monotonic(), None
        self.read(0, 0)

    def read(self, lines: int, place: int) -> None:
        self.lines = lines
        self.show(Progress(self.batch.pk, min(place, self.batch.size), self.batch.size, lines))

    def step(self, step: Step) -> None:
        now = time.monotonic()
        if self.waits_since:
            self.began += now - self.waits_since
        self.waits_since = now if step is Step.WAITING else None
        self.show(Progress(self.batch.pk, 0, 0, self.lines, step))

    def show(self, progress: Progress) -> None:
        if progress.done and not self.waits_since:
            left = (time.monotonic() - self.began) * (100 - progress.done) / progress.done
            progress = replace(progress, until=round(time.time() + left))
        show(progress)
        if self.on_progress:
            self.on_progress(progress)


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
        found = [Progress.named(name) for (name,) in cursor.fetchall()]
    return {progress.batch_id: progress for progress in found if progress}


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
