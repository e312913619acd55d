"""No acknowledged edit is lost: forms that compare the version that a person saw.

The database raises `version` when a field that people edit changes; nothing here sets it.
A row is locked from the comparison to the end of the transaction that writes it, so of two
people who saved at the same moment one is refused.
"""

from collections.abc import Callable
from copy import copy
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django import forms
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, OperationalError, transaction
from psycopg.errors import DeadlockDetected

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 3
STALE = (
    "Changed by somebody else meanwhile. The ledger now has: {theirs}. You entered: {yours}. "
    "Nothing was saved. Save again to put yours in its place, or enter theirs to keep it."
)


def again_when_raced(act: Callable[P, T]) -> Callable[P, T]:
    """Run `act` in a transaction of its own, and anew when another writer came in between.

    The checks of the next attempt see what the other has written, so that a name taken at
    the same moment is a form error like any name that is taken.
    """

    @wraps(act)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(ATTEMPTS - 1):
            try:
                with transaction.atomic():
                    return act(*args, **kwargs)
            except (IntegrityError, ObjectDoesNotExist):
                continue
            except OperationalError as error:
                if not isinstance(error.__cause__, DeadlockDetected):
                    raise
        with transaction.atomic():
            return act(*args, **kwargs)

    return run


class VersionField(forms.IntegerField):
    """The version that a person saw; it is compared, and never an edit by itself."""

    widget = forms.HiddenInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class VersionedForm(forms.ModelForm):
    """A form about a row that is refused when somebody has changed the row since.

    The view locks the row before it makes the form. `is_stale` says, after validation, that
    values differ; the errors show both, and the form then carries the version they are of.
    """

    version = VersionField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_stale = False
        if self.instance.pk:
            self.initial["version"] = self.instance.version

    @property
    def changed_fields(self) -> list[str]:
        """The row's own fields for which something else was entered than it has."""
        own = {field.name for field in self.instance._meta.fields}
        return [name for name in self.changed_data if name in own]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.instance.pk and cleaned.get("version") != self.instance.version:
            for name in self.changed_fields:
                self.is_stale = True
                yours = cleaned.get(name, self[name].data)
                theirs = getattr(self.instance, name)
                self.add_error(name, STALE.format(theirs=shown(theirs), yours=shown(yours)))
            data: Any = copy(self.data)
            data[self.add_prefix("version")] = self.instance.version
            self.data = data
        return cleaned

    def full_clean(self) -> None:
        super().full_clean()
        for name, field in self.fields.items():
            if isinstance(field, forms.ModelChoiceField) and name in self.errors:
                self._forget_what_is_no_id(self.add_prefix(name))

    def _forget_what_is_no_id(self, name: str) -> None:
        """The admin's completing widget looks a refused choice up again, and fails on these."""
        data: Any = copy(self.data)
        data.setlist(name, [value for value in data.getlist(name) if value.isdecimal()])
        self.data = data

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            # Fields that the form does not show count too: a rule may span both.
            try:
                self.instance.validate_constraints()
            except forms.ValidationError as error:
                self.add_error(None, error.messages)

    def save(self, commit: bool = True) -> Any:
        """Write only what was changed, so that nothing else is put back."""
        if not commit or not self.instance.pk:
            return super().save(commit)
        self.instance.save(update_fields=self.changed_fields)
        return self.instance


def shown(value: Any) -> str:
    """A value in an error's sentence."""
    return f"“{value}”" if value not in (None, "") else "nothing"
