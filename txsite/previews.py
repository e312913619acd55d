"""A small file that is shown first: what it would do is seen, conflicts chosen, then it is done.

The page carries the file until it is confirmed, so that nothing half-done is kept.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction
from django.dispatch import Signal
from django.http import HttpRequest

KEEP, REPLACE, MERGE = "keep", "replace", "merge"
CHOICES = ((KEEP, "Keep ours"), (REPLACE, "Take the file's"), (MERGE, "Both"))
CHANGED_SINCE = "The ledger has changed since you looked, so nothing was imported. Look again."
MAX_SIZE = 1024 * 1024
SHOWN = 500  # lines, and conflicts with a choice of their own


# Sent with a `receipt` in the transaction that did it.
brought = Signal()


class Changed(Exception):
    """The file would no longer do what was seen."""


@dataclass(frozen=True)
class File:
    """A file that is brought, and who brings it (a user, or None for a command)."""

    name: str
    made_by: Any = None


@dataclass(frozen=True)
class Receipt:
    """What became of a file: `lines` are number, outcome (as an import's line has it), detail and
    text of each record."""

    kind: str
    file: File
    content: bytes
    lines: list[tuple[int, str, str, str]]


@contextmanager
def tried() -> Iterator[None]:
    """What is done here is taken back at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def settled(choice: str, ours: str) -> tuple[str, str]:
    """Outcome and detail of a conflict."""
    outcome, words = {
        KEEP: ("conflict", "left as it is"),
        REPLACE: ("changed", "the file's was taken"),
        MERGE: ("adds", "both are kept"),
    }[choice]
    return outcome, f"{ours}: {words}"


def stands_in(text: str, note: str) -> bool:
    """Whether the note has the text, in lines of its own."""
    return not text or f"\n{text}\n" in f"\n{note}\n"


def joined(note: str, text: str) -> str:
    """Both, one under the other, where neither has the other in it."""
    if stands_in(text, note):
        return note
    return text if stands_in(note, text) else f"{note}\n{text}"


class FileForm(forms.Form):
    """The file; afterwards its name and content (in base64).

    `seen` is the digest of what the person saw it would do; `rest` is what becomes of the
    conflicts that had no room on the page.
    """

    file = forms.FileField(required=False)
    content = forms.CharField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(required=False, max_length=255, widget=forms.HiddenInput)
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    rest = forms.ChoiceField(
        required=False, choices=CHOICES, widget=forms.RadioSelect, initial=KEEP
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file = cleaned.get("file")
        if file is None and not cleaned.get("content"):
            self.add_error("file", "Choose a file.")
        elif file is not None and file.size > MAX_SIZE:
            self.add_error("file", "The file has more than 1 MB. Use the command, or split it.")
        elif file is not None:
            cleaned["content"] = b64encode(file.read()).decode()
            cleaned["name"] = "".join(filter(str.isprintable, file.name or ""))[-255:]
        try:
            b64decode(cleaned.get("content") or "", validate=True)
        except ValueError:
            self.add_error("file", "The file did not come back whole. Choose it again.")
        return cleaned

    @property
    def default(self) -> str:
        return self.cleaned_data["rest"] or KEEP

    @property
    def text(self) -> bytes:
        return b64decode(self.cleaned_data["content"])

    def brought_by(self, user: Any) -> File:
        return File(self.cleaned_data["name"] or "unnamed", user)


def choices_in(request: HttpRequest) -> dict[str, str]:
    """What the person chose, by the key of what is in conflict."""
    allowed = dict(CHOICES)
    return {
        name.removeprefix("choice "): value
        for name, value in request.POST.items()
        if name.startswith("choice ") and value in allowed
    }
