"""What people type about a transaction, checked once."""

from typing import Any

from django import forms

from contacts.forms import MAX_NAME, NameField, NoteField

MAX_LABEL = 100
MAX_LABELS = 100


class NamesWidget(forms.TextInput):
    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return [value for value in data.getlist(name) if value.strip()]


class NamesField(forms.Field):
    """Several label names, one parameter each; empty ones are left out."""

    widget = NamesWidget

    def clean(self, values: list[str]) -> list[str]:
        if len(values) > MAX_LABELS:
            raise forms.ValidationError(f"At most {MAX_LABELS} labels at once.")
        field = NameField(max_length=MAX_LABEL)
        names = [field.clean(value) for value in values]
        return list({name.lower(): name for name in names}.values())


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


class SeenForm(forms.Form):
    """A form about a value of which the person saw a version."""

    version = forms.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        widget=forms.HiddenInput,
        error_messages={"required": "Say which version you saw: version=…"},
    )


class NoteForm(SeenForm):
    note = NoteField()


class ContactForm(SeenForm):
    """A contact for one transaction, or for an address of it and so for all of the address's."""

    contact = NameField(max_length=MAX_NAME, required=False)
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
