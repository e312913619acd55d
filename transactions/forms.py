"""What people type about a transaction, checked once."""

import re
import unicodedata
from typing import Any

from django import forms

MAX_LABEL = 100
MAX_NAME = 200
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def clean_line(text: str, what: str, longest: int) -> str:
    """One line in Unicode's composed form, without space around it."""
    text = unicodedata.normalize("NFC", text).strip()
    if CONTROL.search(text):
        raise forms.ValidationError(f"A {what} is one line without control characters.")
    if len(text) > longest:
        raise forms.ValidationError(
            f"A {what} has at most {longest} characters, this one {len(text):,}. Shorten it."
        )
    return text


class NameField(forms.CharField):
    """The name of a contact or a label, in the form in which it is stored."""

    def __init__(self, what: str, longest: int, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)
        self.what, self.longest = what, longest

    def clean(self, value: Any) -> str:
        return clean_line(self.to_python(value) or "", self.what, self.longest)


class NamesField(forms.Field):
    """Several label names, one parameter each; empty ones are left out."""

    class widget(forms.TextInput):
        def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
            return data.getlist(name)

    def clean(self, values: list[str]) -> list[str]:
        if len(values) > 100:
            raise forms.ValidationError("At most 100 labels at once.")
        names = [clean_line(value, "label", MAX_LABEL) for value in values]
        return list({name.lower(): name for name in names if name}.values())


class LabelsForm(forms.Form):
    """`add` and `remove`: names against the set that the person saw."""

    add = NamesField(required=False)
    remove = NamesField(required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        removed = {name.lower() for name in cleaned.get("remove", [])}
        both = [name for name in cleaned.get("add", []) if name.lower() in removed]
        if both:
            raise forms.ValidationError(f"“{both[0]}” is to be added and removed. Choose one.")
        return cleaned


class VersionedForm(forms.Form):
    version = forms.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        widget=forms.HiddenInput,
        error_messages={"required": "Say which version you saw: version=…"},
    )


class NoteForm(VersionedForm):
    note = forms.CharField(
        required=False,
        max_length=10_000,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": 10_000}),
    )

    def clean_note(self) -> str:
        # A form sends CRLF; the note is the same text whichever way it came.
        return self.cleaned_data["note"].replace("\r\n", "\n")


class ContactForm(VersionedForm):
    """A contact for one transaction, or for an address of it and so for all of the address's."""

    contact = NameField("contact name", MAX_NAME)
    scope = forms.RegexField(
        r"^(transaction|address:[0-9]{1,18}:[0-9]{1,9})$",
        required=False,
        error_messages={"invalid": "Choose this transaction or one of its addresses."},
    )

    def clean_scope(self) -> tuple[int, int] | None:
        """(address, its version as seen), or None for this transaction alone."""
        scope = self.cleaned_data["scope"]
        if scope in ("", "transaction"):
            return None
        _, address, version = scope.split(":")
        return int(address), int(version)
