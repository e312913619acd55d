"""Address books, both ways: Safe's, rotki's and our own, as CSV.

A line is an address and a name. What a line would do is told first: it makes a contact, gives an
address to one, is known already, or contradicts what we have, and then a person chooses.
"""

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from contacts.addresses import AddressError, normalise, recognise
from contacts.forms import MAX_NAME, MAX_NOTE, NameField, NoteField
from contacts.models import Address, Contact
from contacts.networks import FAMILIES, NETWORKS
from txsite.previews import KEEP, MAX_SIZE, MERGE, REPLACE, Changed
from txsite.spreadsheets import protected, unprotected

COLUMNS = ("name", "note", "family", "address")
MAX_LINES = 10_000
NAME, NOTE = NameField(max_length=MAX_NAME), NoteField(strip=False)


class BookError(Exception):
    """The file is no address book; the message names the line and says what to do."""


@dataclass(frozen=True)
class Entry:
    """One line: a name, and perhaps a note and an address in its stored form."""

    line: int
    name: str
    note: str = ""
    family: str = ""
    address: str = ""

    @property
    def key(self) -> str:
        return f"{self.family} {self.address}" if self.address else f"contact {self.name.lower()}"


@dataclass
class Change:
    """What a line would do: `new`, `adds` an address, `known`, or `conflict`."""

    entry: Entry
    outcome: str
    ours: str = ""

    @property
    def key(self) -> str:
        return self.entry.key


@dataclass
class Plan:
    changes: list[Change] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)

    @property
    def digest(self) -> str:
        told = [(one.entry, one.outcome, one.ours) for one in self.changes]
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def count(self, outcome: str) -> int:
        return sum(one.outcome == outcome for one in self.changes)


# --- In -------------------------------------------------------------------------------------------


def plan_of(content: bytes) -> Plan:
    """What a file would do to the contacts as they are now; BookError where it is none."""
    plan = Plan()
    entries: dict[str, Entry] = {}
    for line, cells in lines_in(content):
        try:
            entry = entry_of(line, cells)
        except ValueError as problem:
            plan.rejected.append((line, str(problem)))
            continue
        # Of an address that stands there twice the last line counts, as in Safe.
        entries[entry.key] = entry
    if not entries and not plan.rejected:
        raise BookError("The file has no lines under its header. Export it again.")
    found = list(entries.values())
    contacts = {
        one.name.lower(): one
        for one in Contact.objects.filter(pk__in=[c.pk for c in contacts_named(found)])
    }
    known = {
        (one.family, one.value): one
        for one in Address.objects.select_related("contact").filter(
            value__in=[entry.address for entry in found if entry.address]
        )
    }
    plan.changes = [compare(entry, contacts, known) for entry in found]
    return plan


def contacts_named(entries: list[Entry]) -> list[Contact]:
    names = {entry.name.lower() for entry in entries}
    return [one for one in Contact.objects.all() if one.name.lower() in names]


def compare(
    entry: Entry, contacts: dict[str, Contact], known: dict[tuple[str, str], Address]
) -> Change:
    contact = contacts.get(entry.name.lower())
    address = known.get((entry.family, entry.address)) if entry.address else None
    owner = address.contact if address else None
    if owner and owner != contact:
        return Change(entry, "conflict", f"{owner.name} has this address")
    if contact and entry.note and contact.note not in ("", entry.note):
        return Change(entry, "conflict", f"its note is “{contact.note[:80]}”")
    if not contact:
        return Change(entry, "new")
    is_there = owner == contact if entry.address else True
    is_told = entry.note in ("", contact.note)
    return Change(entry, "known" if is_there and is_told else "adds")


def lines_in(content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Each record with its line, its cells under the names of their columns in small letters."""
    if len(content) > MAX_SIZE:
        raise BookError("An address book has at most 1 MB.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise BookError(f"Line {line} is not UTF-8. Save the file as UTF-8.") from None
    if "\0" in text:
        raise BookError("The file has a NUL character in it: it is damaged. Export it again.")
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        if "name" not in header or len(set(header)) != len(header):
            raise BookError(
                "The first line has to name the columns: name and address, and note, family, "
                "chainId, blockchain or location where there are such."
            )
        line = reader.line_num + 1
        for cells in reader:
            if any(map(str.strip, cells)):
                if len(cells) != len(header):
                    raise BookError(
                        f"Line {line} has {len(cells)} cells, the header has {len(header)}. "
                        "Correct the line."
                    )
                yield line, dict(zip(header, cells, strict=True))
            line = reader.line_num + 1
            if line > MAX_LINES:
                raise BookError(f"An address book has at most {MAX_LINES:,} lines.")
    except csv.Error:
        raise BookError(f"Line {reader.line_num} has a quote that is not closed.") from None


def entry_of(line: int, cells: dict[str, str]) -> Entry:
    """ValueError with what is wrong with the line."""
    try:
        name = NAME.clean(unprotected(cells["name"].strip()))
        note = NOTE.clean(unprotected(cells.get("note", "")))
    except ValidationError as problem:
        raise ValueError(" ".join(problem.messages)) from None
    text = cells.get("address", "").strip()
    if not text:
        return Entry(line, name, note)
    try:
        family, address = address_in(text, cells)
    except AddressError as problem:
        raise ValueError(f"{text[:60]}: {problem}") from None
    return Entry(line, name, note, family, address)


def address_in(text: str, cells: dict[str, str]) -> tuple[str, str]:
    """Safe's files are of EVM chains, and rotki's say which; else the address tells."""
    text = re.sub(r"^[a-z0-9]+:(?=0x)", "", text)  # Safe's own `eth:0x…`
    named = cells.get("family", "").strip().casefold()
    blockchain = cells.get("blockchain", "").strip().casefold()
    if named:
        if named not in FAMILIES:
            raise AddressError(f"the family is none of {', '.join(FAMILIES)}.")
        return named, normalise(text, named)
    if blockchain in NETWORKS:
        family = NETWORKS[blockchain].family
        return family, normalise(text, family)
    if cells.get("chainid", "").strip():
        return "evm", normalise(text, "evm")
    return recognise(text)


def carry_out(
    content: bytes, choices: dict[str, str] | None = None, default: str = KEEP, seen: str = ""
) -> Plan:
    """Does what the plan says; `choices` tell by key what becomes of a conflict.

    To replace gives the address to the file's contact, and takes the file's note; to merge leaves
    the address where it is and adds the other name, or the other note, to the note. Raises Changed
    where it would no longer do what was `seen`, and BookError.
    """
    with transaction.atomic():
        list(Contact.objects.order_by("pk").select_for_update())
        plan = plan_of(content)
        if seen and plan.digest != seen:
            raise Changed
        for change in plan.changes:
            if change.outcome in ("new", "adds"):
                put(change.entry)
            elif change.outcome == "conflict":
                settle(change.entry, (choices or {}).get(change.key, default))
    return plan


def put(entry: Entry, *, takes_note: bool = False) -> None:
    contact = Contact.objects.named(entry.name).first() or Contact.objects.create(name=entry.name)
    if entry.note and (takes_note or not contact.note):
        Contact.objects.filter(pk=contact.pk).update(note=entry.note)
    if entry.address:
        address, _ = Address.objects.get_or_create(family=entry.family, value=entry.address)
        Address.objects.filter(pk=address.pk).exclude(contact=contact).update(contact=contact)


def settle(entry: Entry, choice: str) -> None:
    if choice == REPLACE:
        put(entry, takes_note=True)
    elif choice == MERGE:
        known = Address.objects.filter(family=entry.family, value=entry.address).first()
        owner = known.contact if known and known.contact else None
        contact = owner or Contact.objects.named(entry.name).get()
        more = entry.note if contact.name.lower() == entry.name.lower() else entry.name
        if more not in contact.note.split("\n"):
            note = "\n".join(filter(None, [contact.note, more]))
            if len(note) > MAX_NOTE:
                raise BookError(
                    f"Line {entry.line}: the note of {contact} would have {len(note):,} "
                    f"characters, of {MAX_NOTE:,} at most. Shorten one of the two first."
                )
            Contact.objects.filter(pk=contact.pk).update(note=note)
        if not owner and entry.address:
            put(entry)


# --- Out ------------------------------------------------------------------------------------------


def lines_for(contacts: QuerySet[Contact]) -> Iterator[str]:
    """Our own address book: every address a line, and a contact without any one too."""
    buffer = StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for contact in contacts.prefetch_related("addresses").order_by("pk"):
        addresses = [(one.family, one.display) for one in contact.addresses.all()] or [("", "")]
        for family, address in addresses:
            writer.writerow(
                [protected(contact.name), protected(contact.note), family, protected(address)]
            )
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()
