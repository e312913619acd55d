"""Address books, both ways: Safe's, rotki's and our own, as CSV.

A line is an address and a name. What a line would do is told first: it makes a contact, gives an
address to one, is known already, or contradicts what we have, and then a person chooses.
"""

import csv
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from itertools import zip_longest

from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from contacts.addresses import AddressError, normalise, recognise
from contacts.forms import MAX_NAME, MAX_NOTE, NameField, NoteField
from contacts.models import Address, Contact
from contacts.networks import FAMILIES, NETWORKS
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
from txsite.spreadsheets import protected, unprotected
from txsite.versions import again_when_raced

COLUMNS = ("name", "note", "family", "address")
# What rotki calls the networks of its `SupportedBlockchain` that we call otherwise, and the family
# of their addresses. Those of zkSync Lite are Ethereum's.
ROTKI = {
    "eth": "evm",
    "eth2": "evm",
    "avax": "evm",
    "polygon_pos": "evm",
    "arbitrum_one": "evm",
    "binance_sc": "evm",
    "zksync_lite": "evm",
    "btc": "bitcoin",
    "bch": "bitcoin-cash",
    "bnb": "evm",
    "matic": "evm",
    "xdai": "evm",
    "sol": "solana",
}
CHUNK = 1_000
TOO_LONG = "The {} has %(show_value)d characters, of %(limit_value)d at most. Shorten it."
NAME = NameField(
    max_length=MAX_NAME,
    error_messages={
        "required": "The name is missing. Write it into the line, or remove the line.",
        "max_length": TOO_LONG.format("name"),
    },
)
NOTE = NoteField(strip=False, error_messages={"max_length": TOO_LONG.format("note")})


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
    """What a line would do: `new`, `adds` to a contact, `known`, or `conflict`.

    `owner` is the other contact that has the address.
    """

    entry: Entry
    outcome: str
    ours: str = ""
    owner: Contact | None = None

    @property
    def key(self) -> str:
        return self.entry.key


@dataclass
class Plan:
    changes: list[Change] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    passed_over: list[tuple[int, str]] = field(default_factory=list)  # a later line counts
    left: int = 0  # conflicts that were left as they are

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
        if earlier := entries.pop(entry.key, None):
            plan.passed_over.append((earlier.line, why_passed_over(earlier, entry)))
        entries[entry.key] = entry
    if not entries and not plan.rejected:
        raise BookError("The file has no lines under its header. Export it again.")
    notes: dict[str, Entry] = {}
    for key, entry in list(entries.items()):
        first = notes.setdefault(entry.name.lower(), entry) if entry.note else entry
        if first.note != entry.note:
            other = f"{entry.name} has another note in line {first.line}. Write one into both."
            plan.rejected.append((entry.line, other))
            del entries[key]
    contacts = Contact.objects.by_name({entry.name for entry in entries.values()})
    known = addresses_of(entries.values())
    plan.changes = [
        compare(entry, contacts.get(entry.name), known.get((entry.family, entry.address)))
        for entry in entries.values()
    ]
    return plan


def why_passed_over(earlier: Entry, later: Entry) -> str:
    what = "address" if later.address else "name"
    if (earlier.name, earlier.note) == (later.name, later.note):
        return f"{earlier.name}: line {later.line} says the same."
    own = " with another note" if earlier.name == later.name else f" as {later.name}"
    return f"{earlier.name}: line {later.line} has the same {what}{own}, and the last line counts."


def addresses_of(entries: Iterable[Entry]) -> dict[tuple[str, str], Address]:
    found = Address.objects.filter(value__in=[entry.address for entry in entries if entry.address])
    return {(one.family, one.value): one for one in found.select_related("contact")}


def compare(entry: Entry, contact: Contact | None, address: Address | None) -> Change:
    owner = address.contact if address and address.contact != contact else None
    if owner and stands_in(entry.name, owner.note) and stands_in(entry.note, owner.note):
        return Change(entry, "known", owner=owner)
    against = [f"{owner.name} has this address"] if owner else []
    if contact and contact.note and not stands_in(entry.note, contact.note):
        against.append(f"the note of {contact.name} is “{contact.note}”")
    if against:
        return Change(entry, "conflict", "; ".join(against), owner)
    if not contact:
        return Change(entry, "new")
    is_there = not entry.address or (address is not None and address.contact == contact)
    return Change(entry, "known" if is_there and stands_in(entry.note, contact.note) else "adds")


def lines_in(content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Each record with its line, its cells under the names of their columns in small letters."""
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
        lines = (cells for cells in reader if any(map(str.strip, cells)))
        header = [name.strip().lower() for name in next(lines, [])]
        if "name" not in header or len(set(header)) != len(header):
            raise BookError(
                "The first line has to name the columns: name and address, and note, family, "
                "chainId, blockchain or location where there are such."
            )
        needed = max(header.index(name) for name in ("name", "address") if name in header)
        line = reader.line_num + 1
        for cells in reader:
            if any(map(str.strip, cells)):
                # A comma too much at the end says nothing, nor does one too few after the name.
                more = cells[len(header) :]
                if len(cells) <= needed or any(map(str.strip, more)):
                    raise BookError(
                        f"Line {line} has {len(cells)} cells, the header has {len(header)}. "
                        "Correct the line."
                    )
                yield line, dict(zip_longest(header, cells[: len(header)], fillvalue=""))
            line = reader.line_num + 1
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
    if not text and "note" not in cells:  # of others' books, whose contacts are addresses
        raise ValueError("The address is missing. Write it into the line, or remove the line.")
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
    named = cells.get("family", "").strip().lower()
    blockchain = cells.get("blockchain", "").strip().lower()
    if named:
        if named not in FAMILIES:
            raise AddressError(f"the family is none of {', '.join(FAMILIES)}.")
        return named, normalise(text, named)
    if blockchain:
        family = ROTKI.get(blockchain) or family_of_network(blockchain)
        return family, normalise(text, family)
    if cells.get("chainid", "").strip():
        return "evm", normalise(text, "evm")
    return recognise(text)


def family_of_network(slug: str) -> str:
    if slug not in NETWORKS:
        raise AddressError(
            f"the blockchain “{slug[:30]}” is not known here. Write another, such as eth, btc or "
            "solana, or remove the line."
        )
    return NETWORKS[slug].family


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

    To replace gives the address to the file's contact, and takes the file's note; to merge leaves
    the address where it is and adds the file's name and note to the note of who has it. Raises
    Changed where it would no longer do what was `seen`, and BookError.
    """
    list(Contact.objects.order_by("pk").select_for_update())
    told = [change.entry.address for change in plan_of(content).changes]
    list(Address.objects.filter(value__in=told).order_by("pk").select_for_update())
    plan = plan_of(content)  # as it is now that nobody changes it any more
    if seen and plan.digest != seen:
        raise Changed
    chosen = [
        (one, (choices or {}).get(one.key, default) if one.outcome == "conflict" else MERGE)
        for one in plan.changes
    ]
    plan.left = sum(choice == KEEP for _, choice in chosen)
    # Who has another's address stays away, unless the address is to move.
    own = [(one.entry, choice) for one, choice in chosen if not one.owner or choice == REPLACE]
    names = sorted({entry.name for entry, _ in own}, key=str.lower)
    Contact.objects.bulk_create([Contact(name=name) for name in names], ignore_conflicts=True)
    people = Contact.objects.by_name(names)
    give({entry: people[entry.name] for entry, _ in own if entry.address})
    notes: dict[int, str] = {}
    for change, choice in chosen:
        entry, owner = change.entry, change.owner
        if choice == KEEP:
            continue
        merges = owner if choice == MERGE else None
        contact = merges or people[entry.name]
        note = notes.get(contact.pk, contact.note)
        if merges:
            note = joined(note, entry.name)
        takes = entry.note and choice == REPLACE
        notes[contact.pk] = entry.note if takes else joined(note, entry.note)
        check_length(entry, contact, notes[contact.pk])
    write(notes)
    if file:
        lines = receipt_lines(content, plan, chosen)
        brought.send(Plan, receipt=Receipt("address-book", file, content, lines))
    return plan


def receipt_lines(
    content: bytes, plan: Plan, chosen: list[tuple[Change, str]]
) -> list[tuple[int, str, str, str]]:
    found = [(line, "rejected", why) for line, why in plan.rejected]
    found += [(line, "conflict", why) for line, why in plan.passed_over]
    for change, choice in chosen:
        outcome, detail = change.outcome, ""
        if outcome == "conflict":
            outcome, detail = settled(choice, change.ours)
        found.append((change.entry.line, outcome, detail))
    found.sort()
    text = re.split(r"\r\n|\n|\r", content.decode("utf-8-sig"))
    ends = [line - 1 for line, _, _ in found[1:]] + [len(text)]
    return [
        (line, outcome, detail, "\n".join(text[line - 1 : end]).rstrip())
        for (line, outcome, detail), end in zip(found, ends, strict=True)
    ]


def check_length(entry: Entry, contact: Contact, note: str) -> None:
    """BookError where a note is longer than the ledger's: nothing is cut."""
    if len(note) > MAX_NOTE:
        raise BookError(
            f"Line {entry.line}: the note of {contact} would have {len(note):,} characters, of "
            f"{MAX_NOTE:,} at most. Shorten one of the two first."
        )


def give(owners: dict[Entry, Contact]) -> None:
    """Each address to its contact."""
    new = [
        Address(family=entry.family, value=entry.address, contact=contact)
        for entry, contact in sorted(owners.items(), key=lambda one: one[0].key)
    ]
    Address.objects.bulk_create(new, ignore_conflicts=True, batch_size=CHUNK)
    known, moved = addresses_of(owners), []
    for entry, contact in owners.items():
        address = known[entry.family, entry.address]
        if address.contact != contact:
            address.contact = contact
            moved.append(address)
    Address.objects.bulk_update(moved, ["contact"], batch_size=CHUNK)


def write(notes: dict[int, str]) -> None:
    changed = []
    for contact in Contact.objects.filter(pk__in=notes).order_by("pk"):
        if contact.note != notes[contact.pk]:
            contact.note = notes[contact.pk]
            changed.append(contact)
    Contact.objects.bulk_update(changed, ["note"], batch_size=CHUNK)


# --- Out ------------------------------------------------------------------------------------------


def own_rows(contact: Contact) -> list[list[str]]:
    """Every address a line, and a contact without any one too."""
    addresses = [(one.family, one.display) for one in contact.addresses.all()] or [("", "")]
    name, note = protected(contact.name), protected(contact.note)
    return [[name, note, family, protected(address)] for family, address in addresses]


def safe_rows(contact: Contact) -> list[list[str]]:
    """Addresses of EVM networks, each for Ethereum, since Safe wants one network for each line."""
    found = [one for one in contact.addresses.all() if one.family == "evm"]
    return [[one.display, protected(contact.name), "1"] for one in found]


def rotki_rows(contact: Contact) -> list[list[str]]:
    """Addresses of the blockchains that rotki has; without one, it is of all EVM networks."""
    found = [one for one in contact.addresses.all() if one.family in ROTKI_BLOCKCHAINS]
    return [[one.display, protected(contact.name), ROTKI_BLOCKCHAINS[one.family]] for one in found]


ROTKI_BLOCKCHAINS = {"evm": "", "bitcoin": "BTC", "bitcoin-cash": "BCH", "solana": "SOLANA"}


@dataclass(frozen=True)
class Book:
    """A kind of address book that we write."""

    title: str
    columns: tuple[str, ...]
    rows: Callable[[Contact], list[list[str]]]
    file_name: str


BOOKS = {
    "own": Book("ours", COLUMNS, own_rows, "contacts.csv"),
    "safe": Book("Safe", ("address", "name", "chainId"), safe_rows, "contacts-safe.csv"),
    "rotki": Book("rotki", ("address", "name", "blockchain"), rotki_rows, "contacts-rotki.csv"),
}


def lines_for(contacts: QuerySet[Contact], book: str = "own") -> Iterator[str]:
    """The address book as `BOOKS` has it."""
    buffer = StringIO()
    writer = csv.writer(buffer)
    writer.writerow(BOOKS[book].columns)
    for contact in contacts.prefetch_related("addresses").order_by("pk"):
        writer.writerows(BOOKS[book].rows(contact))
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()
