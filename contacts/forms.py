"""What people type about contacts and addresses, checked once."""

import re
import unicodedata
from typing import Any

from django import forms

from contacts import addresses
from contacts.models import Contact
from contacts.networks import FAMILIES
from txsite.versions import VersionedForm

MAX_NAME = 200
MAX_NOTE = 10_000
# Control characters and separators of lines and paragraphs.
BREAKS = {"Cc", "Zl", "Zp"}
# What no import reads in a note, so that an export of what was typed comes back.
_control = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]").search


class NameField(forms.CharField):
    """A name in the form in which it is stored: one line in Unicode's composed form."""

    def to_python(self, value: Any) -> str:
        return unicodedata.normalize("NFC", super().to_python(value) or "").strip()

    def validate(self, value: str) -> None:
        super().validate(value)
        kinds = {unicodedata.category(character) for character in value}
        if kinds & BREAKS:
            raise forms.ValidationError("A name is one line without control characters.")
        if value and all(kind[0] in "CZ" for kind in kinds):
            raise forms.ValidationError("A name needs something that can be seen.")


class NoteField(forms.CharField):
    """A text of several lines."""

    widget = forms.Textarea(attrs={"rows": 3})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "max_length": MAX_NOTE, **kwargs})

    def to_python(self, value: Any) -> str:
        # A form sends CRLF; the text is the same whichever way it came.
        return (super().to_python(value) or "").replace("\r\n", "\n").replace("\r", "\n")

    def validate(self, value: str) -> None:
        super().validate(value)
        if _control(value):
            raise forms.ValidationError("A note has no control characters. Remove them.")


class ContactForm(VersionedForm):
    name = NameField(
        max_length=MAX_NAME, widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"})
    )
    note = NoteField()

    class Meta:
        model = Contact
        fields = ["name", "note"]

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        same = Contact.objects.named(name).exclude(pk=self.instance.pk).first()
        if same:
            raise forms.ValidationError(f"There is a contact “{same}” already.")
        return name


def family_choices() -> list[tuple[str, str]]:
    return [("", "Recognise the network"), *FAMILIES.items()]


class AddressForm(forms.Form):
    """An address as people write it; afterwards `family` and the stored form in `address`.

    `move` is the version of an address that a person saw with another contact and wants here.
    """

    address = forms.CharField(
        max_length=2 * addresses.MAX_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    family = forms.ChoiceField(label="Network", choices=family_choices, required=False)
    move = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "address" in cleaned and "family" in cleaned:
            try:
                cleaned["family"], cleaned["address"] = read_address(**cleaned)
            except addresses.AddressError as error:
                self.add_error("address", str(error))
        return cleaned


def read_address(address: str, family: str, **rest: Any) -> tuple[str, str]:
    """The family, recognised if it is empty, and the stored form; AddressError with the typo."""
    if family:
        return family, addresses.normalise(address, family)
    return addresses.recognise(address)


class RemoveContactForm(forms.Form):
    version = forms.IntegerField()


class RemoveAddressForm(forms.Form):
    """Which address, and the version of it that the person saw: `12:3`."""

    address = forms.RegexField(
        r"^[0-9]{1,18}:[0-9]{1,9}$",
        error_messages={
            "required": "Say which address to remove.",
            "invalid": "Say which address to remove, as id:version.",
        },
    )

    def clean_address(self) -> tuple[int, int]:
        pk, version = self.cleaned_data["address"].split(":")
        return int(pk), int(version)
