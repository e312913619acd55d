"""Which contacts, and in what order: read from the URL."""

from typing import Any

import django_filters
from django import forms
from django.db.models import F
from django.db.models.functions import Left, Lower

from contacts.models import Contact
from contacts.querysets import ContactQuerySet
from txsite.tables import Ordering

MAX_SEARCH = 200

CONTACT_ORDERINGS = {
    "name": Ordering(Lower(Left("name", 100)), "text"),
    "addresses": Ordering(F("address_count"), "number", newest_first=True),
    "count": Ordering(F("transaction_count"), "number", newest_first=True),
    "activity": Ordering(F("last_activity"), "time", newest_first=True),
}
ADDRESS_ORDERINGS = {
    "address": Ordering(F("value"), "text"),
    "network": Ordering(F("family"), "text"),
    "count": Ordering(F("transaction_count"), "number", newest_first=True),
}


class SearchForm(forms.Form):
    def clean(self) -> dict[str, Any]:
        if len(self.data.getlist("q")) > 1:  # type: ignore[attr-defined]
            self.add_error("q", "“q” is given more than once.")
        return super().clean() or self.cleaned_data


class ContactFilter(django_filters.FilterSet):
    """`is_valid()` must be asked before `qs`: a bare `qs` of a bad filter is every row."""

    q = django_filters.CharFilter(
        method="search",
        label="Search",
        max_length=MAX_SEARCH,
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": "Search name, note or address"}
        ),
    )

    class Meta:
        model = Contact
        fields: list[str] = []
        form = SearchForm

    def search(self, queryset: ContactQuerySet, name: str, value: str) -> ContactQuerySet:
        return queryset.matching(value)
