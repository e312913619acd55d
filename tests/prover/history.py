"""What every client did and saw, on one monotonic clock."""

import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# An operation either had its answer, was refused and changed nothing, or may have happened.
OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"

NOTHING: Mapping[str, str] = {}


@dataclass(slots=True, eq=False)
class Operation:
    """One request, statement or order, from before its first byte to after its last.

    Registers hold one value at a time, and every value is written once: the note of a
    transaction, the name of a label, a label that one editor exchanges for the next.
    """

    who: str
    via: str  # page, admin, SQL, command, import; browser for what Chromium shows
    what: str
    start: float  # seconds of the monotonic clock
    end: float
    outcome: str = OK
    writes: Mapping[str, str] = field(default_factory=dict)  # register -> new value
    base: tuple[str, int] | None = None  # the register and version that an edit was compared with
    inserted: str | None = None  # a transaction that is in no other operation
    deleted: str | None = None
    filled: tuple[str, int] | None = None  # a wallet, and how many transactions it now holds
    keeps: tuple[int, str] | None = None  # a label put on a transaction for good

    seen: Mapping[str, str] = field(default_factory=dict)  # register -> value
    ids: tuple[str, ...] | None = None  # the transactions shown that come and go, or stay for ever
    is_whole: bool = False  # a walk or an export: `ids` has to have those that stay, too
    figures: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # wallet -> count, rows…
    contradiction: str = ""  # what does not agree within the reply
    revision: int | None = None
    asked: int | None = None  # min_revision
    status: int = 0
    worker: int | None = None

    @property
    def is_write(self) -> bool:
        return bool(self.writes or self.inserted or self.deleted or self.filled or self.keeps)

    @property
    def latest_end(self) -> float:
        """When it had happened for certain."""
        return math.inf if self.outcome == UNKNOWN else self.end

    def told(self, zero: float) -> str:
        """One line of a history, for people."""
        parts = [
            f"{self.start - zero:9.4f}–{self.end - zero:.4f} s",
            f"{self.who} ({self.via})",
            self.what,
            self.outcome if self.outcome != OK else "",
            f"revision {self.revision}" if self.revision is not None else "",
            f"worker {self.worker}" if self.worker else "",
        ]
        return "  ".join(filter(None, parts))


class History:
    """All operations, in the order in which they ended."""

    def __init__(
        self, initial: Mapping[str, str] = NOTHING, lasting: frozenset[str] = frozenset()
    ) -> None:
        self.initial = dict(initial)  # register -> the value that it had before everything
        self.lasting = lasting  # transactions that nobody ever deletes
        self.operations: list[Operation] = []
        self._lock = threading.Lock()

    def add(self, operation: Operation) -> None:
        with self._lock:
            self.operations.append(operation)

    def __len__(self) -> int:
        return len(self.operations)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)
