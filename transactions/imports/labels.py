"""Labels of wallets, both ways: BIP-329, one JSON object a line.

A record's one text is our labels and our note by this rule: the labels, joined by ` | `; then,
where there is a note, ` || ` and the note. A stroke or a backslash in a label has a backslash
before it. A text of which a part cannot be a label, since it is too long or has several lines, is a
note. Records of transactions of Bitcoin's networks are put on them, now or when an import brings
them; all records are kept as they stood, so that an export gives them back unchanged while nobody
has changed what they say.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet

from contacts.forms import MAX_NOTE, NameField, NoteField
from contacts.networks import NETWORKS
from transactions.forms import MAX_LABEL
from transactions.models import (
    Label,
    LabelRecord,
    TakenOffLabel,
    Transaction,
    TransactionLabel,
)
from txsite.previews import (
    KEEP,
    MERGE,
    REPLACE,
    Changed,
    File,
    Receipt,
    brought,
    joined,
    settled,
    stands_in,
)
from txsite.versions import again_when_raced

NETWORK_SLUGS = tuple(s for s, one in NETWORKS.items() if one.family.startswith("bitcoin"))
BETWEEN, NOTE = " | ", " || "
MAX_LINE = 100_000
MAX_REMARK = 200
SUGGESTED = 255  # characters that BIP-329 suggests at most
CHUNK = 1_000
# A label and a note are what they may be when they are typed.
NAME, TEXT = NameField(max_length=MAX_LABEL), NoteField(strip=False)

_masked = re.compile(r"\\([\\|])")
_space = re.compile(r"[ \t\n\r]*")
_value = json.JSONDecoder().raw_decode


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
        ours = {label.lower() for label in self.labels}
        return {one.lower() for one in other.labels} <= ours and stands_in(other.note, self.note)


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
    transaction: int | None = None
    is_label_disputed: bool = False  # whatever else of the records is
    remark: str = ""
    stored: list[LabelRecord] = field(default_factory=list)
    outdated: list[LabelRecord] = field(default_factory=list)  # of these, what the file replaces

    @property
    def key(self) -> str:
        return f"{self.type} {self.ref}"

    @property
    def texts(self) -> tuple[str, str]:
        """Ours and the file's, as a record's text."""
        return text_for(self.type, self.ours), text_for(self.type, self.told)


@dataclass
class Plan:
    changes: list[Change] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    left: int = 0  # conflicts that were left as they are

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
    """Labels and note of a record's text; ValidationError where they do not fit."""
    before, _, note = f" {text}".partition(NOTE)
    parts = [_masked.sub(r"\1", part.strip()) for part in before.split(BETWEEN)]
    try:
        labels = [NAME.clean(part) for part in parts if part]
    except ValidationError:
        return Meaning((), TEXT.clean(text))
    unique = {label.lower(): label for label in reversed(labels)}
    return Meaning(tuple(reversed(unique.values())), TEXT.clean(note))


def of_record(record: dict[str, Any]) -> Meaning | None:
    """None where the record has no label, which changes nothing."""
    label = record.get("label")
    if not isinstance(label, str):
        return None
    # What is no transaction has no labels of ours: its text is told as it stands.
    return meaning_of(label) if record["type"] == "tx" else Meaning((), label)


def text_for(kind: str, meaning: Meaning) -> str:
    """The text of a record of this type that means it."""
    return meaning.text if kind == "tx" else meaning.note


def together(meanings: Iterable[Meaning]) -> Meaning:
    """What several records of one thing say: some wallets write one for each label."""
    labels: dict[str, str] = {}
    note = ""
    for one in meanings:
        for label in one.labels:
            labels.setdefault(label.lower(), label)
        note = joined(note, one.note)
    return Meaning(tuple(labels.values()), note)


def with_label(raw: str, text: str) -> str:
    """The record with this label, and all else to the last digit as it stood."""
    label, found = json.dumps(text, ensure_ascii=False), None
    at = after_space(raw, raw.index("{") + 1)
    while raw[at] != "}":
        name, at = _value(raw, at)
        start = after_space(raw, after_space(raw, at) + 1)
        _, end = _value(raw, start)
        if name == "label":
            found = start, end
        at = after_space(raw, end)
        at = after_space(raw, at + 1) if raw[at] == "," else at
    if found:
        return raw[: found[0]] + label + raw[found[1] :]
    return f'{raw[:at].rstrip()}, "label": {label}{raw[at:]}'


def after_space(raw: str, at: int) -> int:
    match = _space.match(raw, at)
    return match.end() if match else at


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
        except ValidationError as unfit:
            problem = f"its label cannot be: {' '.join(unfit.messages)}"
        if problem:
            plan.rejected.append((number, problem))
            continue
        kind, ref = record["type"], record["ref"]
        key = (kind, ref.lower() if kind == "tx" else ref)
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
    for kept in LabelRecord.objects.filter(ref__in=[ref for _, ref in found]).order_by("id"):
        if (kept.type, kept.ref) in found:
            found[kept.type, kept.ref].stored.append(kept)
    known = transactions_of([change.ref for change in plan.changes if change.type == "tx"])
    for change in plan.changes:
        if change.type == "tx" and change.ref in known:
            change.transaction, change.ours = known[change.ref]
        else:
            change.ours = together(meanings_of(record.raw for record in change.stored))
        if told := meanings.get((change.type, change.ref)):
            change.told = together(told)
            if change.type == "tx":
                check_length(change, change.told)
            compare(change)
        change.is_label_disputed = change.outcome == "conflict"
        if remarks := contradictions(change):
            change.outcome, change.remark = "conflict", "; ".join(remarks)[:MAX_REMARK]
    return plan


def contradictions(change: Change) -> list[str]:
    """What the file's records say otherwise than those that are kept."""
    pairs = ((record.raw, told) for record in change.stored for told in change.raws)
    return [remark for raw, told in pairs if (remark := contradiction(raw, told))]


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
        if len(value) > limit or "\0" in value or is_torn(value):
            return f"its {name} is damaged, or has more than {limit} characters."
    if record["type"] == "tx" and is_torn(str(record.get("label"))):
        return "its label has half a character. Write the label again in the wallet."
    return ""


def is_torn(text: str) -> bool:
    """JSON can tell half of a character, which no database takes."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def transactions_of(refs: list[str]) -> dict[str, tuple[int, Meaning]]:
    """Hash -> the transaction of a network of Bitcoin's, and what it has."""
    found = Transaction.objects.filter(network__in=NETWORK_SLUGS, txid__in=refs)
    return {one.txid or "": (one.pk, meaning) for one, meaning in with_meaning(found)}


def with_meaning(queryset: QuerySet[Transaction]) -> Iterator[tuple[Transaction, Meaning]]:
    for one in queryset.prefetch_related("labels").iterator(chunk_size=CHUNK):
        labels = sorted((label.name for label in one.labels.all()), key=str.lower)
        yield one, Meaning(tuple(labels), one.note)


def compare(change: Change) -> None:
    """With the transaction, or where there is none yet with what is kept of other files."""
    otherwise = "known" if change.transaction else "later" if change.type == "tx" else "kept"
    if change.ours.has(change.told):
        change.outcome = otherwise
    elif change.ours:
        change.outcome = "conflict"
    else:
        change.outcome = "new" if change.transaction else otherwise


@again_when_raced
def carry_out(
    content: bytes,
    choices: dict[str, str] | None = None,
    default: str = KEEP,
    seen: str = "",
    file: File | None = None,
) -> Plan:
    """Does what the plan says; `choices` tell by key what becomes of a conflict. Of a `file` the
    receipt is kept.

    Raises Changed where it would no longer do what was `seen`, and LabelsError.
    """
    with connection.cursor() as cursor:
        # Whoever else keeps or attaches records waits for us, or we see what they did.
        cursor.execute("LOCK TABLE transactions_labelrecord IN SHARE ROW EXCLUSIVE MODE")
    plan = plan_of(content)
    pks = [change.transaction for change in plan.changes if change.transaction]
    list(Transaction.objects.filter(pk__in=pks).order_by("pk").select_for_update())
    plan = plan_of(content)  # as it is now that nobody changes it any more
    if seen and plan.digest != seen:
        raise Changed
    wanted, replaced = {}, []
    for change in plan.changes:
        choice = (choices or {}).get(change.key, default) if change.outcome == "conflict" else MERGE
        plan.left += choice == KEEP
        settle(change, choice)
        of_label = choice if change.is_label_disputed else MERGE
        meaning = {KEEP: change.ours, REPLACE: change.told}.get(of_label)
        if meaning is None:
            meaning = together([change.ours, change.told])
            if change.type == "tx" and (change.told or change.outdated):
                check_length(change, meaning)
        if change.transaction:
            labels = () if of_label == KEEP else change.told.labels
            wanted[change.transaction] = replace(meaning, labels=labels)
            replaced += [change.transaction] if of_label == REPLACE else []
            change.raws = kept_lines(change)
        else:
            change.raws = kept_lines(change, text_for(change.type, meaning))
    TransactionLabel.objects.filter(transaction__in=replaced).delete()
    write(wanted)
    store(plan.changes)
    if file:
        lines = receipt_lines(content, plan, choices or {}, default)
        brought.send(Plan, receipt=Receipt("bip329", file, content, lines))
    return plan


def receipt_lines(
    content: bytes, plan: Plan, choices: dict[str, str], default: str
) -> list[tuple[int, str, str, str]]:
    rejected = dict(plan.rejected)
    changes = {(change.type, change.ref): change for change in plan.changes}
    lines = []
    for number, raw, record in records_in(content):
        if number in rejected:
            lines.append((number, "rejected", rejected[number], raw))
            continue
        kind, ref = record["type"], record["ref"]
        change = changes[kind, ref.lower() if kind == "tx" else ref]
        outcome, detail = OUTCOMES[change.outcome]
        if change.outcome == "conflict":
            ours, told = change.texts
            outcome, detail = settled(
                choices.get(change.key, default), f"has “{ours}”, and the file “{told}”"
            )
        elif outcome == "new" and any(raw == kept.raw for kept in change.stored):
            outcome = "known"
        remark = "; ".join(filter(None, (detail, change.remark)))
        lines.append((number, outcome, remark, raw))
    return lines


# Of a receipt's line, and in which words.
OUTCOMES = {
    "new": ("new", "put on its transaction"),
    "known": ("known", ""),
    "later": ("new", "waits for its transaction"),
    "kept": ("new", "kept"),
    "conflict": ("conflict", ""),
}


def settle(change: Change, choice: str) -> None:
    """Leaves of records that contradict each other those that were chosen, or both."""
    told, stored = list(change.raws), list(change.stored)
    if choice == KEEP:
        change.raws = [
            raw for raw in told if not any(contradiction(one.raw, raw) for one in stored)
        ]
    elif choice == REPLACE:
        change.outdated = [
            one for one in stored if any(contradiction(one.raw, raw) for raw in told)
        ]


def kept_lines(change: Change, text: str | None = None) -> list[str]:
    """The file's lines, and before them those kept of others that say more than a label.

    Those that have a label have this text, where it is told; where none has one any more, the
    first has.
    """
    stored = [record.raw for record in change.stored if record not in change.outdated]
    lines = [raw for raw in stored if not any(is_in(raw, told) for told in change.raws)]
    lines += change.raws
    if text is None or text_for(change.type, together(meanings_of(lines))) == text:
        return lines
    labelled = [isinstance(json.loads(raw).get("label"), str) for raw in lines]
    if not any(labelled):
        labelled[0] = True
    return [
        with_label(raw, text) if has_label else raw
        for raw, has_label in zip(lines, labelled, strict=True)
    ]


def is_in(raw: str, told: str) -> bool:
    """Whether the record says nothing that the other does not, but for its label."""
    one, other = json.loads(raw), json.loads(told)
    return all(
        name in other and (name == "label" or value == other[name]) for name, value in one.items()
    )


def contradiction(raw: str, told: str) -> str:
    """What two records of one wallet, which is their `origin`, say otherwise beside the label."""
    one, other = json.loads(raw), json.loads(told)
    if one.get("origin") != other.get("origin"):
        return ""
    names = [name for name in one if name != "label" and one[name] != other.get(name, one[name])]
    return ", ".join(
        f"{name}: {json.dumps(one[name])} here, {json.dumps(other[name])} in the file"
        for name in names
    )[:MAX_REMARK]


def write(wanted: dict[int, Meaning]) -> None:
    """Adds the labels to each transaction, and makes its note what is wanted.

    A label that a file has brought as well is a person's from now on, and stays without the file.
    """
    names = sorted({name for one in wanted.values() for name in one.labels}, key=str.lower)
    Label.objects.bulk_create([Label(name=name) for name in names], ignore_conflicts=True)
    labels = Label.objects.select_for_update(no_key=True).by_name(names)
    TransactionLabel.objects.bulk_create(
        [
            TransactionLabel(transaction_id=pk, label=labels[name])
            for pk, one in wanted.items()
            for name in one.labels
        ],
        update_conflicts=True,
        unique_fields=["transaction", "label"],
        update_fields=["is_imported"],
    )
    noted = []
    for one in Transaction.objects.filter(pk__in=wanted).only("note").order_by("pk"):
        if one.note != wanted[one.pk].note:
            one.note = wanted[one.pk].note
            noted.append(one)
    Transaction.objects.bulk_update(noted, ["note"], batch_size=CHUNK)


def store(changes: Iterable[Change]) -> None:
    """The lines of each thing in the place of those that were there."""
    changed = [one for one in changes if one.raws != [record.raw for record in one.stored]]
    old = [record.pk for change in changed for record in change.stored]
    LabelRecord.objects.filter(pk__in=old).delete()
    LabelRecord.objects.bulk_create(
        [
            LabelRecord(type=change.type, ref=change.ref, position=place, raw=raw)
            for change in changed
            for place, raw in enumerate(change.raws)
        ],
        batch_size=CHUNK,
    )


def attach_to(pks: Iterable[int]) -> None:
    """Labels that waited for these transactions, which have just come into being.

    What files say of them stays beside it. Notes that do not fit together are not cut: the file's
    stays, and the record is kept and in conflict when labels are imported again.
    """
    new = Transaction.objects.filter(pk__in=list(pks), network__in=NETWORK_SLUGS)
    if not new.exists():
        return
    with connection.cursor() as cursor:
        # Labels that are imported at this moment see these transactions, or are seen here.
        cursor.execute("LOCK TABLE transactions_labelrecord IN SHARE MODE")
    waiting: dict[str, list[str]] = {}
    for record in LabelRecord.objects.filter(type="tx", ref__in=new.values("txid")).order_by("id"):
        waiting.setdefault(record.ref, []).append(record.raw)
    wanted = {}
    for one, ours in with_meaning(new.filter(txid__in=waiting)):
        told = together(meanings_of(waiting[one.txid or ""]))
        note = joined(ours.note, told.note)
        wanted[one.pk] = replace(told, note=note if len(note) <= MAX_NOTE else ours.note)
    write(wanted)


# Each new transaction of the staged lines for which records wait, told at its first line.
WAITING = """
    SELECT (SELECT min(l.line) FROM told_line l WHERE l.number = t.number),
        array_agg(r.raw ORDER BY r.id)
    FROM told_transaction t JOIN transactions_labelrecord r ON r.type = 'tx' AND r.ref = t.txid
    WHERE t.known_id IS NULL AND t.network = ANY (%s)
    GROUP BY t.number
"""


def waiting_for_new(cursor: CursorWrapper) -> list[tuple[int, str]]:
    """Line of what is about to be imported, and what `attach_to` will put on its transaction."""
    cursor.execute(WAITING, [list(NETWORK_SLUGS)])
    told = [(line, together(meanings_of(raws)).text) for line, raws in cursor.fetchall()]
    return [(line, f"gets “{shortened(text)}”, which waited for it") for line, text in told if text]


NOTED = """
    SELECT t.id, t.note, array_agg(r.raw ORDER BY r.id)
    FROM transactions_transaction t JOIN transactions_labelrecord r
        ON r.type = 'tx' AND r.ref = t.txid
    WHERE t.network = ANY (%s) AND t.id IN (SELECT id FROM {}) AND NOT t.is_edited AND t.note <> ''
    GROUP BY t.id
"""


def notes_that_waited(cursor: CursorWrapper, table: str) -> list[tuple[int, str]]:
    """Of the transactions in `table` those whose note ends with what records say, as `attach_to`
    has put it there and no person has edited it since, and that."""
    cursor.execute(NOTED.format(table), [list(NETWORK_SLUGS)])
    told = [(pk, note, together(meanings_of(raws)).note) for pk, note, raws in cursor.fetchall()]
    return [(pk, end) for pk, note, end in told if end and f"\n{note}".endswith(f"\n{end}")]


def shortened(text: str) -> str:
    return text if len(text) <= SUGGESTED else f"{text[:SUGGESTED]}…"


def as_records_say(pks: Iterable[int]) -> set[int]:
    """Those of the transactions whose note and labels of people are just what records tell, and
    of which nobody took a label off."""
    found = set()
    ours = Transaction.objects.filter(pk__in=list(pks), network__in=NETWORK_SLUGS)
    ours = ours.exclude(is_edited=True, contact__isnull=False)
    ours = ours.exclude(pk__in=TakenOffLabel.objects.values("transaction"))
    kept: dict[str, list[str]] = {}
    for record in LabelRecord.objects.filter(type="tx", ref__in=ours.values("txid")).order_by("id"):
        kept.setdefault(record.ref, []).append(record.raw)
    imported = set(
        TransactionLabel.objects.filter(transaction__in=ours, is_imported=True).values_list(
            "transaction", "label__name"
        )
    )
    for one, all_of_it in with_meaning(ours.filter(txid__in=kept)):
        told = together(meanings_of(kept[one.txid or ""]))
        by_people = [name for name in all_of_it.labels if (one.pk, name) not in imported]
        note = one.note if one.is_edited else ""
        if told.has(Meaning(tuple(by_people), note)) and all_of_it.has(told):
            found.add(one.pk)
    return found


def meanings_of(raws: Iterable[str]) -> list[Meaning]:
    found = (of_record(json.loads(raw)) for raw in raws)
    return [meaning for meaning in found if meaning is not None]


# --- Out ------------------------------------------------------------------------------------------


def lines_for(queryset: QuerySet[Transaction], *, with_rest: bool) -> Iterator[str]:
    """The records of these transactions, one a line; `with_rest` also all that are kept of others.

    Records are as they came while they say what the ledger says; else each has the ledger's text,
    and its other fields as they were.
    """
    kept: dict[str, list[str]] = {}
    for record in LabelRecord.objects.filter(type="tx").order_by("id"):
        kept.setdefault(record.ref, []).append(record.raw)
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
            if record.type != "tx" or record.ref not in here:
                yield f"{record.raw}\n"


def lines_of(txid: str, meaning: Meaning, raws: list[str]) -> list[str]:
    """The only record of a label has the ledger's text. Of several, each stays as it came while the
    ledger has what it says, else has what is left of it; what none says is in a record more."""
    told = {at: one for at, raw in enumerate(raws) if (one := of_record(json.loads(raw)))}
    said = together(told.values())
    if raws and said.has(meaning) and meaning.has(said):
        return raws
    if raws and len(told) < 2:
        only = next(iter(told), 0)
        return [with_label(raw, meaning.text) if at == only else raw for at, raw in enumerate(raws)]
    left, rest, is_first = apart(meaning, told)
    lines = [
        raw if at not in told or left[at] == told[at] else with_label(raw, left[at].text)
        for at, raw in enumerate(raws)
    ]
    if not rest:
        return lines
    added = json.dumps({"type": "tx", "ref": txid, "label": rest.text}, ensure_ascii=False)
    return [added, *lines] if is_first else [*lines, added]


def apart(meaning: Meaning, told: dict[int, Meaning]) -> tuple[dict[int, Meaning], Meaning, bool]:
    """What the ledger still has of each record, what it has beside, and whether that comes first,
    so that all notes together are its note."""
    ours = {label.lower() for label in meaning.labels}
    said = {label.lower() for one in told.values() for label in one.labels}
    new = tuple(label for label in meaning.labels if label.lower() not in said)
    left, note = {}, f"\n{meaning.note}\n"
    for at, one in told.items():
        labels = tuple(label for label in one.labels if label.lower() in ours)
        left[at] = Meaning(labels, one.note if stands_in(one.note, meaning.note) else "")
        note = note.replace(f"\n{one.note}\n", "\n", 1) if one.note else note
    rest = Meaning(new, note[1:-1])
    for is_first in (False, True):
        parts = [rest, *left.values()] if is_first else [*left.values(), rest]
        if together(parts).note == meaning.note:
            return left, rest, is_first
    return {at: Meaning(one.labels) for at, one in left.items()}, Meaning(new, meaning.note), False
