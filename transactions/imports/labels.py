"""Labels of wallets, both ways: BIP-329, one JSON object a line.

A record's one text is our labels and our note by this rule: the labels, joined by ` | `; then,
where there is a note, ` || ` and the note. A stroke or a backslash in a label has a backslash
before it. A text that is too long for a label, or has several lines, is a note. Records of
transactions of Bitcoin's networks are put on them, now or when they arrive; all records are kept as
they stood, so that an export gives them back unchanged while nobody has changed what they say.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower

from contacts.networks import NETWORKS
from transactions.imports.formats.cells import MAX_LABEL, MAX_NOTE, Unreadable, line_text, note_text
from transactions.models import Label, LabelRecord, Transaction, TransactionLabel
from txsite.previews import KEEP, MERGE, REPLACE, Changed

TYPES = ("tx", "addr", "pubkey", "input", "output", "xpub", "spscan")
NETWORK_SLUGS = tuple(s for s, one in NETWORKS.items() if one.family.startswith("bitcoin"))
BETWEEN, NOTE = " | ", " || "
MAX_LINE = 100_000
SUGGESTED = 255  # characters that BIP-329 suggests at most

_half = re.compile("[\ud800-\udfff]")
_masked = re.compile(r"\\([\\|])")


class LabelsError(Exception):
    """The file is none of labels; the message names the line and says what to do."""


@dataclass(frozen=True)
class Meaning:
    """Labels and a note, as a record's text has them."""

    labels: tuple[str, ...] = ()
    note: str = ""

    def __bool__(self) -> bool:
        return bool(self.labels or self.note)

    @property
    def text(self) -> str:
        labels = BETWEEN.join(masked(label) for label in self.labels)
        return f"{labels}{NOTE}{self.note}" if self.note else labels

    def has(self, other: "Meaning") -> bool:
        ours = {label.casefold() for label in self.labels}
        return {one.casefold() for one in other.labels} <= ours and other.note in ("", self.note)


@dataclass
class Change:
    """What a file says of one thing, and what that would do."""

    type: str
    ref: str
    line: int
    raws: list[str]
    outcome: str  # new, known, conflict, later, kept
    told: Meaning = Meaning()
    ours: Meaning = Meaning()
    transaction: Any = None
    remark: str = ""

    @property
    def key(self) -> str:
        return f"{self.type} {self.ref}"


@dataclass
class Plan:
    changes: list[Change] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)

    @property
    def digest(self) -> str:
        told = [(c.key, c.raws, c.outcome, c.ours) for c in self.changes]
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def count(self, outcome: str) -> int:
        return sum(change.outcome == outcome for change in self.changes)


# --- A record's text ------------------------------------------------------------------------------


def masked(label: str) -> str:
    return label.replace("\\", "\\\\").replace("|", "\\|")


def meaning_of(text: str) -> Meaning:
    """Labels and note of a record's text; Unreadable where they do not fit."""
    before, mark, after = f" {text}".partition(NOTE)
    labels = before.strip() if mark else text
    note = after if mark else ""
    parts = [_masked.sub(r"\1", part.strip()) for part in labels.split(BETWEEN)]
    parts = list({part.casefold(): part for part in parts if part}.values())
    if not mark and any(len(part) > MAX_LABEL or "\n" in part for part in parts):
        return Meaning((), note_text(text, "label"))
    return Meaning(
        tuple(line_text(part, "label", MAX_LABEL) for part in parts), note_text(note, "label")
    )


def of_record(record: dict[str, Any]) -> Meaning | None:
    """None where the record has no label, which changes nothing."""
    label = record.get("label")
    return meaning_of(label) if isinstance(label, str) else None


def together(meanings: Iterable[Meaning]) -> Meaning:
    """What several records of one thing say: some wallets write one for each label."""
    labels: dict[str, str] = {}
    notes: dict[str, None] = {}
    for one in meanings:
        labels |= {
            label.casefold(): label for label in one.labels if label.casefold() not in labels
        }
        notes |= {one.note: None} if one.note else {}
    return Meaning(tuple(labels.values()), "\n".join(notes))


# --- In -------------------------------------------------------------------------------------------


def plan_of(content: bytes) -> Plan:
    """What a file would do to the ledger as it is now; LabelsError where it is none of labels."""
    plan = Plan()
    found: dict[tuple[str, str], Change] = {}
    meanings: dict[tuple[str, str], list[Meaning]] = {}
    for number, raw, record in records_in(content):
        problem = problem_of(record)
        try:
            meaning = of_record(record) if not problem else None
        except Unreadable as unreadable:
            problem = str(unreadable)
        if problem:
            plan.rejected.append((number, problem))
            continue
        key = (record["type"], record["ref"])
        change = found.setdefault(key, Change(*key, number, [], "kept"))
        if raw not in change.raws:
            change.raws.append(raw)
        if meaning is not None:
            meanings.setdefault(key, []).append(meaning)
            if len(record["label"]) > SUGGESTED:
                change.remark = f"longer than the {SUGGESTED} characters that BIP-329 suggests"
    if not found and not plan.rejected:
        raise LabelsError("The file has no records. Export the labels again.")
    plan.changes = list(found.values())
    known = transactions_of([change.ref for change in plan.changes if change.type == "tx"])
    for change in plan.changes:
        told = meanings.get((change.type, change.ref))
        if change.type == "tx" and told:
            compare(change, together(told), known.get(change.ref.lower()))
            check_length(change, change.told)
    return plan


def check_length(change: Change, meaning: Meaning) -> None:
    """LabelsError where a note is longer than the ledger's: nothing is cut."""
    if len(meaning.note) > MAX_NOTE:
        raise LabelsError(
            f"Line {change.line}: the note of {change.ref} would have {len(meaning.note):,} "
            f"characters, of {MAX_NOTE:,} at most. Shorten it, or keep one of the two."
        )


def records_in(content: bytes) -> Iterator[tuple[int, str, dict[str, Any]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise LabelsError(f"Line {line} is not UTF-8. Export the labels again.") from None
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if not raw.strip():
            continue
        if len(raw) > MAX_LINE or "\0" in raw:
            raise LabelsError(f"Line {number} is no record of a label: it is too long, or damaged.")
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError):
            raise LabelsError(
                f"Line {number} is not a JSON object. A file of BIP-329 has one in each line."
            ) from None
        if not isinstance(record, dict):
            raise LabelsError(f"Line {number} is not a JSON object, but {raw.strip()[:40]!r}.")
        yield number, raw.strip(), record


def problem_of(record: dict[str, Any]) -> str:
    for name, limit in (("type", 64), ("ref", 1_000)):
        value = record.get(name)
        if not isinstance(value, str) or not value:
            return f"it has no {name}, or one that is no text."
        if len(value) > limit or "\0" in value:
            return f"its {name} has more than {limit} characters."
    texts = [record.get(name) for name in ("type", "ref", "label")]
    if any(isinstance(text, str) and _half.search(text) for text in texts):
        return "it has half a character in it (a lone surrogate). Export the labels again."
    return ""


def transactions_of(refs: list[str]) -> dict[str, tuple[int, Meaning]]:
    """Hash -> the transaction of a network of Bitcoin's, and what it has."""
    found = Transaction.objects.filter(
        network__in=NETWORK_SLUGS, txid__in=[ref.lower() for ref in refs]
    )
    return {one.txid or "": (one.pk, meaning) for one, meaning in with_meaning(found)}


def with_meaning(queryset: QuerySet[Transaction]) -> Iterator[tuple[Transaction, Meaning]]:
    for one in queryset.prefetch_related("labels"):
        labels = sorted((label.name for label in one.labels.all()), key=str.casefold)
        yield one, Meaning(tuple(labels), one.note)


def compare(change: Change, told: Meaning, known: tuple[int, Meaning] | None) -> None:
    change.told = told
    if known is None:
        change.outcome = "later"
        return
    change.transaction, change.ours = known
    if change.ours.has(told):
        change.outcome = "known"
    else:
        change.outcome = "conflict" if change.ours else "new"


def carry_out(
    content: bytes, choices: dict[str, str] | None = None, default: str = KEEP, seen: str = ""
) -> Plan:
    """Does what the plan says; `choices` tell by key what becomes of a conflict.

    Raises Changed where it would no longer do what was `seen`, and LabelsError.
    """
    with transaction.atomic():
        plan = plan_of(content)
        pks = [change.transaction for change in plan.changes if change.transaction]
        list(Transaction.objects.filter(pk__in=pks).order_by("pk").select_for_update())
        plan = plan_of(content)  # as it is now that nobody changes it any more
        if seen and plan.digest != seen:
            raise Changed
        store(plan.changes)
        for change in plan.changes:
            if change.outcome == "new":
                put(change.transaction, change.told)
            elif change.outcome == "conflict":
                settle(change, (choices or {}).get(change.key, default))
    return plan


def settle(change: Change, choice: str) -> None:
    if choice == REPLACE:
        TransactionLabel.objects.filter(transaction=change.transaction).delete()
        Transaction.objects.filter(pk=change.transaction).update(note="")
        put(change.transaction, change.told)
    elif choice == MERGE:
        both = together([change.ours, change.told])
        check_length(change, both)
        put(change.transaction, both)


def put(pk: Any, meaning: Meaning) -> None:
    """Adds the labels, and sets the note where there is one."""
    Label.objects.bulk_create(
        [Label(name=name) for name in sorted(meaning.labels, key=str.casefold)],
        ignore_conflicts=True,
    )
    labels = [Label.objects.named(name).get() for name in meaning.labels]
    TransactionLabel.objects.bulk_create(
        [TransactionLabel(transaction_id=pk, label=label) for label in labels],
        ignore_conflicts=True,
    )
    if meaning.note:
        Transaction.objects.filter(pk=pk).exclude(note=meaning.note).update(note=meaning.note)


def store(changes: Iterable[Change]) -> None:
    """The lines of each thing in the place of those that were there."""
    for change in changes:
        kept = LabelRecord.objects.filter(type=change.type, ref=change.ref).order_by("position")
        if list(kept.values_list("raw", flat=True)) == change.raws:
            continue
        kept.delete()
        LabelRecord.objects.bulk_create(
            LabelRecord(type=change.type, ref=change.ref, position=place, raw=raw)
            for place, raw in enumerate(change.raws)
        )


def attach_to(pks: Iterable[int]) -> None:
    """Labels that waited for these transactions, which have just come into being."""
    new = Transaction.objects.filter(pk__in=list(pks), network__in=NETWORK_SLUGS)
    by_hash = {one.txid: one.pk for one in new}
    waiting = LabelRecord.objects.annotate(txid=Lower("ref")).filter(
        type="tx", txid__in=list(by_hash)
    )
    for ref, found in groupby(
        waiting.order_by("txid", "position"), key=lambda record: record.ref.lower()
    ):
        meaning = together(meanings_of(record.raw for record in found))
        put(by_hash[ref], meaning)


def meanings_of(raws: Iterable[str]) -> list[Meaning]:
    found = (of_record(json.loads(raw)) for raw in raws)
    return [meaning for meaning in found if meaning is not None]


# --- Out ------------------------------------------------------------------------------------------


def lines_for(queryset: QuerySet[Transaction], *, with_rest: bool) -> Iterator[str]:
    """The records of these transactions, one a line; `with_rest` also all that are kept of others.

    A record is as it came while it says what the ledger says; else it has the ledger's text, and
    its other fields as they were.
    """
    kept: dict[str, list[str]] = {}
    for record in LabelRecord.objects.filter(type="tx").order_by("id"):
        kept.setdefault(record.ref.lower(), []).append(record.raw)
    bitcoin = queryset.filter(network__in=NETWORK_SLUGS).order_by("timestamp", "pk")
    told = set()
    for one, meaning in with_meaning(bitcoin):
        raws = kept.get(one.txid or "", [])
        told.add(one.txid)
        yield from (f"{line}\n" for line in lines_of(one.txid or "", meaning, raws))
    if with_rest:
        here = set(
            Transaction.objects.filter(network__in=NETWORK_SLUGS).values_list("txid", flat=True)
        )
        for record in LabelRecord.objects.order_by("id"):
            if record.type != "tx" or record.ref.lower() not in here:
                yield f"{record.raw}\n"


def lines_of(txid: str, meaning: Meaning, raws: list[str]) -> list[str]:
    if raws:
        told = together(meanings_of(raws))
        if told.has(meaning) and meaning.has(told):
            return raws
        first = json.loads(raws[0])
        return [json.dumps(first | {"label": meaning.text}, ensure_ascii=False)]
    if not meaning:
        return []
    record = {"type": "tx", "ref": txid, "label": meaning.text}
    return [json.dumps(record, ensure_ascii=False)]
