"""What people say about files that they upload."""

import unicodedata
from collections.abc import Iterable
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.files.uploadedfile import UploadedFile

from contacts.addresses import AddressError, looks_like_address, normalise, recognise
from contacts.models import one_line
from contacts.networks import NETWORKS
from transactions.imports.examples import read_as
from transactions.models import ImportLine

MAX_FILES = 20
MAX_SIZE = 64 * 1024 * 1024
MAX_RADIO = 6
DATE_ORDERS = {"dmy": "Day before month", "mdy": "Month before day"}
PER_PAGE = 100


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or more files, of which none is empty or too large."""

    widget = FilesInput

    def clean(self, files: Any, initial: Any = None) -> list[UploadedFile]:
        if not files:
            raise forms.ValidationError("Choose a file.")
        if len(files) > MAX_FILES:
            raise forms.ValidationError(f"At most {MAX_FILES} files at once, not {len(files)}.")
        return [self.clean_one(file) for file in files]

    def clean_one(self, file: UploadedFile) -> UploadedFile:
        name, size = file.name or "", file.size or 0
        if size > MAX_SIZE:
            raise forms.ValidationError(
                f"{name} has {size / 2**20:,.0f} MB; at most {MAX_SIZE // 2**20} MB can be "
                "uploaded. Use “manage.py import_transactions” on the server, or split it."
            )
        if not size:
            raise forms.ValidationError(f"{name} is empty. Export it again.")
        return super().clean(file)


def network_choices() -> list[tuple[str, str]]:
    return [("", "as the file says"), *((n.slug, n.name) for n in NETWORKS.values())]


class TimeZoneField(forms.CharField):
    def clean(self, value: Any) -> str:
        name = super().clean(value)
        if name and name not in available_timezones():
            raise forms.ValidationError(
                f"“{name}” is not a time zone. Write it like Europe/Berlin."
            )
        return name


class WalletField(forms.CharField):
    """An address, or the name of an account."""

    default_validators = [one_line]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 200, **kwargs})

    def to_python(self, value: Any) -> str:
        return unicodedata.normalize("NFC", super().to_python(value) or "").strip()


class UploadForm(forms.Form):
    """Files, and what holds for all of them; a file that tells more is believed."""

    file = FilesField(label="Files")
    wallet = WalletField(required=False, help_text="Your address, or the account's name.")
    network = forms.ChoiceField(required=False, choices=network_choices)
    timezone = TimeZoneField(required=False, max_length=100, label="Time zone")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        wallet, network = cleaned.get("wallet", ""), cleaned.get("network", "")
        if looks_like_address(wallet):
            try:
                if network:
                    normalise(wallet, NETWORKS[network].family)
                else:
                    recognise(wallet)
            except AddressError as problem:
                self.add_error("wallet", str(problem))
        return cleaned

    @property
    def options(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ("wallet", "network", "timezone")}


class AnswersForm(forms.Form):
    """The questions that a file leaves open, as the batch keeps them."""

    def __init__(self, questions: Iterable[dict[str, Any]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for question in questions:
            self.fields[question["option"]] = answer_field(question)


def answer_field(question: dict[str, Any]) -> forms.Field:
    examples = dict(question.get("examples", []))
    choices = [
        (slug, read_as(choice_name(slug), examples.pop(slug, ""))) for slug in question["choices"]
    ]
    about = {
        "label": question["text"],
        "initial": question["suggestion"],
        "help_text": example_text(question, examples),
    }
    if choices:
        is_short = len(choices) <= MAX_RADIO
        return forms.ChoiceField(
            # Where nothing tells the answer, none is chosen for the person.
            choices=choices if is_short else [("", "Choose one"), *choices],
            widget=forms.RadioSelect if is_short else forms.Select,
            error_messages={"required": "Choose one of these."},
            **about,
        )
    if question["option"] == "timezone":
        return TimeZoneField(max_length=100, **about)
    return WalletField(**about)


def example_text(question: dict[str, Any], examples: dict[str, str]) -> str:
    """A line of the file, and how it is read with answers that are not among the choices."""
    read = [read_as(answer, text) for answer, text in examples.items()]
    return "\n".join(filter(None, [question.get("line", ""), *read]))


def choice_name(choice: str) -> str:
    return NETWORKS[choice].name if choice in NETWORKS else DATE_ORDERS.get(choice, choice)


class IdsField(forms.Field):
    """Any ids; whether they may be chosen is found out where they are needed."""

    def to_python(self, value: Any) -> list[int]:
        if not all(pk.isascii() and pk.isdigit() and len(pk) < 19 for pk in value or []):
            raise forms.ValidationError("Choose from what is shown.")
        return [int(pk) for pk in value or []]


class UndoForm(forms.Form):
    """What the person saw of an import that is to be taken back, and what shall go as well."""

    seen = forms.CharField(max_length=64)
    also = IdsField(required=False, widget=forms.MultipleHiddenInput)
    every = forms.BooleanField(required=False)


class LinesForm(forms.Form):
    """Which of an import's lines the URL asks for; any other parameter is an error."""

    outcome = forms.ChoiceField(required=False, choices=[("", "all"), *ImportLine.Outcome.choices])
    after = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    # Of every page, and answered before the lines are asked.
    min_revision = forms.CharField(required=False)

    def clean(self) -> dict[str, Any]:
        for name in self.data:
            if name not in self.fields:
                self.add_error(None, f"There is no parameter “{name[:100]}”. Remove it.")
            elif len(self.data.getlist(name)) > 1:  # type: ignore[attr-defined]
                self.add_error(name, f"“{name}” is given more than once.")
        return super().clean() or {}
