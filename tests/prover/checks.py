"""What a history must not show. Each check is a pure function of it.

A value in a register is written once, so that linearizability can be decided exactly and
quickly: Gibbons and Korach, Testing Shared Memories, SIAM J. Comput. 26 (1997), section 4.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

from prover.history import OK, REFUSED, History, Operation


@dataclass(frozen=True)
class Truth:
    """The database's own record: what was held from which revision on, beginning with 0."""

    registers: Mapping[str, tuple[list[int], list[str]]]
    wallets: Mapping[str, tuple[list[int], list[int]]]  # how many transactions
    kept: Mapping[int, Set[str]]  # transaction -> its labels in the end
    # Those that come and go -> the revisions at which they came and went.
    lives: Mapping[str, tuple[int, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Violation:
    """Something that must not be, and the shortest history that shows it."""

    rule: str
    text: str
    operations: tuple[Operation, ...]

    @property
    def end(self) -> float:
        """When it could have been known."""
        return max(operation.end for operation in self.operations)

    def told(self, zero: float) -> str:
        lines = [operation.told(zero) for operation in sorted(self.operations, key=by_start)]
        return "\n    ".join([f"{self.rule}: {self.text}", *lines])


def by_start(operation: Operation) -> float:
    return operation.start


def all_violations(history: History, truth: Truth) -> list[Violation]:
    """What every check found, the first that could have been known first."""
    found = [
        *registers(history),
        *sets(history),
        *batches(history),
        *agreement(history),
        *edits(history, truth),
        *revisions(history),
        *receipts(history, truth),
    ]
    return sorted(found, key=lambda violation: violation.end)


# --- Registers: no reply is older than what was acknowledged before it began ---------------------


@dataclass(frozen=True)
class Value:
    """One value of a register: who wrote it (None: it was there before) and who saw it."""

    name: str
    write: Operation | None
    reads: list[Operation]
    is_known: bool = True

    @property
    def written(self) -> tuple[float, float]:
        return (self.write.start, self.write.latest_end) if self.write else (-math.inf, -math.inf)

    @cached_property
    def first_end(self) -> float:
        """The value was there at this moment or before."""
        return min([self.written[1], *(read.end for read in self.reads)])

    @cached_property
    def last_start(self) -> float:
        """The value was there at this moment or after."""
        return max([self.written[0], *(read.start for read in self.reads)])

    @property
    def happened(self) -> bool:
        """A write of which nobody knows whether it did, and which nobody saw, proves nothing."""
        return bool(self.reads) or self.write is None or self.write.outcome == OK

    def witnesses(self) -> list[Operation]:
        """The write, and the reads that show from when to when the value was there."""
        some = [self.write] if self.write else []
        some += [read for read in self.reads if read.end == self.first_end][:1]
        return some + [read for read in self.reads if read.start == self.last_start][:1]


def values_of(history: History) -> dict[str, dict[str, Value]]:
    """register -> value -> who wrote and who saw it."""
    found: dict[str, dict[str, Value]] = defaultdict(dict)
    for register, name in history.initial.items():
        found[register][name] = Value(name, None, [])
    for operation in history:
        for register, name in operation.writes.items():
            found[register][name] = Value(name, operation, [])
    for operation in history:
        for register, name in operation.seen.items():
            value = found[register].setdefault(name, Value(name, None, [], is_known=False))
            value.reads.append(operation)
    return found


def registers(history: History) -> Iterator[Violation]:
    for register, values in values_of(history).items():
        for value in values.values():
            yield from impossible(register, value)
        yield from crossed(register, [value for value in values.values() if value.happened])


def impossible(register: str, value: Value) -> Iterator[Violation]:
    text = f"{register} is shown as {value.name!r}"
    if not value.is_known:
        yield Violation("nobody wrote it", text, (value.reads[0],))
    elif value.write and value.reads and value.write.outcome == REFUSED:
        yield Violation("refused, and yet there", text, (value.write, value.reads[0]))
    elif value.write and value.first_end < value.written[0]:
        yield Violation("seen before it was written", text, tuple(value.witnesses()))


def crossed(register: str, values: list[Value]) -> Iterator[Violation]:
    """Two values, each of which must have been there both before and after the other.

    From its first end to its last start a value was there; where those spans overlap, or
    one that may have been shorter lies within another, no order of the writes explains it.
    """
    forward = [value for value in values if value.first_end < value.last_start]
    forward.sort(key=lambda value: value.first_end)
    for one, other in pairwise(forward):
        if other.first_end < one.last_start:
            yield in_no_order(register, one, other)
    firsts = [value.first_end for value in forward]
    for value in values:
        if value.first_end >= value.last_start:
            place = bisect_left(firsts, value.last_start) - 1
            if place >= 0 and value.first_end < forward[place].last_start:
                yield in_no_order(register, forward[place], value)


def in_no_order(register: str, one: Value, other: Value) -> Violation:
    return Violation(
        "older than what was acknowledged",
        f"{register}: {one.name!r} is there before and after {other.name!r}",
        tuple(dict.fromkeys([*one.witnesses(), *other.witnesses()])),
    )


def count_stale_reads(history: History) -> tuple[int, int]:
    """How many replies show a value that was overwritten for certain before they began; of all."""
    old: set[Operation] = set()
    for values in values_of(history).values():
        done = sorted(value.written for value in values.values() if value.happened)
        starts = [start for start, _ in done]
        # The earliest end among the writes from here on.
        ends = [math.inf] * (len(done) + 1)
        for place in range(len(done) - 1, -1, -1):
            ends[place] = min(done[place][1], ends[place + 1])
        for value in values.values():
            overwritten = ends[bisect_right(starts, value.written[1])]
            old |= {read for read in value.reads if read.start > overwritten}
    return len(old), sum(1 for operation in history if operation.seen)


# --- Transactions that come and go ---------------------------------------------------------------


def sets(history: History) -> Iterator[Violation]:
    """A list, a walk through its pages or an export has every transaction that was there
    throughout exactly once, and none that had gone before or came after."""
    inserted, deleted = {}, {}
    for operation in history:
        if operation.inserted:
            inserted[operation.inserted] = operation
        if operation.deleted and operation.outcome != REFUSED:
            deleted[operation.deleted] = operation
    coming = sorted(inserted, key=lambda name: inserted[name].latest_end)
    there: dict[str, None] = {}
    place = 0
    for read in sorted((one for one in history if one.ids is not None), key=by_start):
        assert read.ids is not None
        while place < len(coming) and inserted[coming[place]].latest_end < read.start:
            if inserted[coming[place]].outcome == OK:
                there[coming[place]] = None
            place += 1
        for name in [name for name in there if starts_by(deleted.get(name), read.start)]:
            del there[name]
        shown = Counter(read.ids)
        for name in history.lasting if read.is_whole else ():
            if shown[name] == 0:
                yield Violation("missing", f"{name} is not shown", (read,))
        for name in there:
            if shown[name] == 0 and not starts_by(deleted.get(name), read.end):
                yield Violation("missing", f"{name} is not shown", (inserted[name], read))
        for name, times in shown.items():
            if times > 1:
                yield Violation("shown twice", f"{name} is shown {times} times", (read,))
            if name not in history.lasting:
                yield from misplaced(name, read, inserted.get(name), deleted.get(name))


def starts_by(deletion: Operation | None, moment: float) -> bool:
    return deletion is not None and deletion.start <= moment


def misplaced(
    name: str, read: Operation, insertion: Operation | None, deletion: Operation | None
) -> Iterator[Violation]:
    if insertion is None or insertion.outcome == REFUSED:
        some = (insertion, read) if insertion else (read,)
        yield Violation("nobody wrote it", f"{name} is shown", some)
    elif read.end < insertion.start:
        yield Violation("seen before it was written", f"{name} is shown", (insertion, read))
    if deletion and deletion.outcome == OK and deletion.end < read.start:
        yield Violation("came back", f"{name} is shown after it was deleted", (deletion, read))


def batches(history: History) -> Iterator[Violation]:
    """An import is seen whole or not at all, and every reply that begins later has it."""
    fillings: dict[str, list[Operation]] = defaultdict(list)
    for operation in sorted(history, key=by_start):
        if operation.filled and operation.outcome != REFUSED:
            fillings[operation.filled[0]].append(operation)
    for read in history:
        for wallet, figures in read.figures.items():
            allowed, reasons = may_hold(fillings[wallet], read)
            for figure in figures:
                if figure not in allowed:
                    yield Violation(
                        "neither before nor after",
                        f"{wallet} is shown with {figure} transactions, not {sorted(allowed)}",
                        (*reasons, read),
                    )


def may_hold(fillings: list[Operation], read: Operation) -> tuple[set[int], list[Operation]]:
    """How many transactions a wallet could have held while a reply was made, and since when.

    One client after the other fills and empties it; what may have happened may happen any
    time later.
    """
    settled, reasons, allowed = 0, [], set()
    for one in fillings:
        assert one.filled
        if one.start > read.end:
            break
        if one.outcome == OK and one.end < read.start:
            settled, reasons = one.filled[1], [one]
        else:
            allowed.add(one.filled[1])
            reasons.append(one)
    return allowed | {settled}, reasons[-3:]


def agreement(history: History) -> Iterator[Violation]:
    """Count, rows and totals of one reply are the same."""
    for read in history:
        if read.contradiction:
            yield Violation("does not agree", read.contradiction, (read,))
        for wallet, figures in read.figures.items():
            if len(set(figures)) > 1:
                yield Violation("does not agree", f"{wallet} is shown as {figures}", (read,))


# --- Edits ---------------------------------------------------------------------------------------


def edits(history: History, truth: Truth) -> Iterator[Violation]:
    """Of two edits of the same version at most one is acknowledged, and what was added stays."""
    acknowledged: dict[tuple[str, int], Operation] = {}
    for operation in history:
        if operation.outcome != OK:
            continue
        if operation.base:
            before = acknowledged.setdefault(operation.base, operation)
            if before is not operation:
                what = f"{operation.base[0]}, version {operation.base[1]}"
                yield Violation("edit lost", f"two edits of {what}", (before, operation))
        if operation.keeps:
            transaction, label = operation.keeps
            if label not in truth.kept.get(transaction, ()):
                what = f"label {label!r} of transaction {transaction} is gone"
                yield Violation("edit lost", what, (operation,))


# --- Revisions -----------------------------------------------------------------------------------


def revisions(history: History) -> Iterator[Violation]:
    """No reply has a lower one than a reply that had ended before it began, whoever was asked;
    who asks for one gets at least that."""
    told = [one for one in history if one.revision is not None]
    ended = iter(sorted(told, key=lambda one: one.end))
    newest = None  # the reply with the highest revision among those that had ended
    following = next(ended, None)
    for operation in sorted(told, key=by_start):
        assert operation.revision is not None
        while following and following.end < operation.start:
            if newest is None or (following.revision or 0) > (newest.revision or 0):
                newest = following
            following = next(ended, None)
        if newest and newest.revision is not None and operation.revision < newest.revision:
            yield Violation(
                "revision fell",
                f"{newest.revision} was told, and then {operation.revision}",
                (newest, operation),
            )
        if operation.asked and operation.status == 200 and operation.revision < operation.asked:
            yield Violation(
                "older than asked for",
                f"min_revision={operation.asked} was answered with {operation.revision}",
                (operation,),
            )


def receipts(history: History, truth: Truth) -> Iterator[Violation]:
    """What a reply shows is what the ledger held at the revision that the reply claims."""
    for read in history:
        if read.revision is None:
            continue
        for register, value in read.seen.items():
            held = at(truth.registers.get(register), read.revision)
            if held != value:
                yield wrong_receipt(read, register, held, value)
        for wallet, figures in read.figures.items():
            count = at(truth.wallets.get(wallet), read.revision) or 0
            if any(figure != count for figure in figures):
                yield wrong_receipt(read, wallet, count, figures)
        if read.ids is not None:
            there = {
                name for name, (came, went) in truth.lives.items() if came <= read.revision < went
            }
            shown = set(read.ids) - history.lasting
            if truth.lives and there != shown:
                missing, wrong = sorted(there - shown), sorted(shown - there)
                yield wrong_receipt(read, "the list without what agrees", missing, wrong)


def wrong_receipt(read: Operation, what: str, held: object, shown: object) -> Violation:
    return Violation(
        "not what its receipt says",
        f"{what} held {held!r} at revision {read.revision}, and is shown as {shown!r}",
        (read,),
    )


T = TypeVar("T")


def at(record: tuple[list[int], list[T]] | None, revision: int) -> T | None:
    """What was held at a revision; None where nothing was yet."""
    if record is None:
        return None
    place = bisect_right(record[0], revision) - 1
    return record[1][place] if place >= 0 else None
