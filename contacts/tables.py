"""Columns of the contacts' lists, and how each cell is drawn."""

from typing import Any
from urllib.parse import urlencode

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from contacts.models import Address, Contact
from contacts.querysets import NEVER
from txsite.tables import ListTable, literal

NOTHING = mark_safe('<span class="muted" aria-label="none">–</span>')


def transactions_url(**filters: str) -> str:
    """The transactions that a filter asks for."""
    return f"{reverse('transaction-list')}?{urlencode(filters)}"


def counted(count: int, **filters: str) -> SafeString:
    """A number of transactions, linked to them."""
    if not count:
        return NOTHING
    return format_html('<a href="{}">{}</a>', transactions_url(**filters), count)


class ContactTable(ListTable):
    name = django_tables2.Column(attrs={"th": {"data-sort": "name"}})
    address_count = django_tables2.Column(
        verbose_name="Addresses", attrs={"th": {"data-sort": "addresses"}}
    )
    transaction_count = django_tables2.Column(
        verbose_name="Transactions", attrs={"th": {"data-sort": "count"}}
    )
    last_activity = django_tables2.Column(
        verbose_name="Last activity (UTC)", attrs={"th": {"data-sort": "activity"}}
    )

    class Meta:
        attrs = {"class": "contacts", "caption": "Contacts"}
        row_attrs = {"data-id": lambda record: record.pk}

    def render_name(self, record: Contact) -> SafeString:
        return format_html(
            '<a class="contact" href="{}"><bdi>{}</bdi></a>', record.get_absolute_url(), record.name
        )

    def render_address_count(self, value: int) -> Any:
        return value or NOTHING

    def render_transaction_count(self, record: Any) -> SafeString:
        return counted(record.transaction_count, contact=literal(record.name))

    def render_last_activity(self, record: Any) -> SafeString:
        return moment(record)


def moment(contact: Any) -> SafeString:
    """When the latest transaction with a contact was."""
    if contact.last_activity == NEVER:
        return NOTHING
    return format_html(
        '<time datetime="{}">{}</time>',
        contact.last_activity.isoformat(),
        contact.last_activity.strftime("%Y-%m-%d %H:%M"),
    )


class AddressTable(ListTable):
    """A contact's addresses. Context beside the rows: `can_remove`."""

    address = django_tables2.Column(empty_values=(), attrs={"th": {"data-sort": "address"}})
    network = django_tables2.Column(
        accessor="get_family_display", attrs={"th": {"data-sort": "network"}}
    )
    transaction_count = django_tables2.Column(
        verbose_name="Transactions", attrs={"th": {"data-sort": "count"}}
    )
    remove = django_tables2.Column(
        empty_values=(), verbose_name=mark_safe('<span class="sr-only">Remove</span>')
    )

    class Meta:
        attrs = {"class": "addresses", "caption": "Addresses"}
        row_attrs = {"data-id": lambda record: record.pk}

    def __init__(self, *args: Any, can_remove: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, exclude=() if can_remove else ("remove",), **kwargs)

    def render_address(self, record: Address) -> SafeString:
        return format_html(
            '<span class="address whole">{0}</span> <button type="button" class="copy small" '
            'data-copy="{0}" aria-label="Copy address {0}">copy</button>',
            record.display,
        )

    def render_transaction_count(self, record: Any) -> SafeString:
        return counted(record.transaction_count, address=record.display)

    def render_remove(self, record: Address) -> SafeString:
        """A button of the page's one form for removing, outside of the table."""
        return format_html(
            '<button form="remove-address" class="quiet" name="address" value="{}:{}" '
            'aria-label="Remove address {}">Remove</button>',
            record.pk,
            record.version,
            record.display,
        )
