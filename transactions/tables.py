"""The list's columns and how each cell is drawn."""

from collections.abc import Iterable
from typing import Any

import django_tables2
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from contacts.models import Address
from contacts.tables import transactions_url
from transactions.amounts import format_amount
from transactions.models import Entry, Label, Transaction
from txsite.tables import ListTable, literal

NOTHING = mark_safe('<span class="muted" aria-label="none">–</span>')

LONG = 16  # digits beyond which an amount may be broken over lines


def joined(cells: Iterable[SafeString], separator: str = "<br>") -> SafeString:
    text = format_html_join(mark_safe(separator), "{}", ((cell,) for cell in cells))  # noqa: S308
    return text or NOTHING


def amount(entry: Entry) -> SafeString:
    """The exact amount of an entry with its asset."""
    asset, number = entry.asset, format_amount(entry.amount.copy_abs())
    where = f"{asset.name or asset.symbol} on {asset.network}"
    return format_html(
        '<span class="amount {}{}"><span class="number">{}</span> '
        '<a class="asset" href="{}" title="{}"><bdi>{}</bdi></a></span>',
        "in" if entry.amount > 0 else "out" if entry.amount < 0 else "zero",
        " long" if len(number) > LONG else "",
        number,
        transactions_url(asset=asset.filter_value),
        f"{where}, contract {asset.code}" if asset.code else where,
        asset.symbol,
    )


def copyable(address: Address, named: bool = False) -> SafeString:
    """An address, short, whole on hover and copied with a click; only "copy" beside a name."""
    return format_html(
        '<button type="button" class="copy {2}" data-copy="{0}" title="{0}" '
        'aria-label="Copy address {0}"><bdi>{1}</bdi></button>',
        address.display,
        "copy" if named else address.shortened,
        "small" if named else "address",
    )


def counterparty(address: Address) -> SafeString:
    """The contact behind an address, else our own wallet, else the address."""
    if address.contact:
        return format_html(
            '<a class="contact" href="{}" title="{}"><bdi>{}</bdi></a> {}',
            address.contact.get_absolute_url(),
            address.display,
            address.contact.name,
            copyable(address, named=True),
        )
    wallet = getattr(address, "wallet", None)
    if wallet and wallet.name:
        return format_html("<bdi>{}</bdi> {}", wallet.name, copyable(address, named=True))
    return copyable(address)


def chip(label: Label) -> SafeString:
    return format_html(
        '<a class="chip colour-{}" href="{}" title="{}"><bdi>{}</bdi></a>',
        label.colour,
        transactions_url(label=literal(label.name)),
        label.description,
        label.name,
    )


def movements(transaction: Transaction) -> list[Entry]:
    return [entry for entry in transaction.entries.all() if entry.kind == Entry.Kind.TRANSFER]


class TransactionTable(ListTable):
    """One row a transaction. Context beside the rows: `can_edit`."""

    time = django_tables2.Column(
        accessor="timestamp", verbose_name="Time (UTC)", attrs={"th": {"data-sort": "time"}}
    )
    type = django_tables2.Column(attrs={"th": {"data-sort": "type"}})
    wallet = django_tables2.Column(empty_values=())
    out = django_tables2.Column(empty_values=(), attrs={"th": {"data-sort": "amount"}})
    into = django_tables2.Column(
        empty_values=(), verbose_name="In", attrs={"th": {"data-sort": "amount"}}
    )
    counterparty = django_tables2.Column(empty_values=())
    labels = django_tables2.Column(empty_values=())
    note = django_tables2.Column(empty_values=(), attrs={"th": {"data-sort": "note"}})
    fee = django_tables2.Column(empty_values=(), attrs={"th": {"data-sort": "fee"}})
    transaction = django_tables2.Column(empty_values=())

    class Meta:
        attrs = {"class": "transactions", "caption": "Transactions"}
        row_attrs = {
            "id": lambda record: f"tx-{record.pk}",
            "data-id": lambda record: record.pk,
            "data-version": lambda record: record.version,
        }

    def __init__(self, *args: Any, can_edit: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.can_edit = can_edit

    def render_time(self, record: Transaction) -> SafeString:
        return format_html(
            '<time datetime="{}">{} <span class="clock">{}</span></time>',
            record.timestamp.isoformat(),
            record.timestamp.strftime("%Y-%m-%d"),
            record.timestamp.strftime("%H:%M:%S"),
        )

    def render_type(self, record: Transaction) -> SafeString:
        status = (
            ""
            if record.status == "ok"
            else format_html(
                ' <span class="status {}">{}</span>', record.status, record.get_status_display()
            )
        )
        return format_html(
            '<span title="{}">{}</span>{}', record.method, record.get_type_display(), status
        )

    def render_wallet(self, record: Transaction) -> SafeString:
        wallets = {entry.wallet_id: entry.wallet for entry in record.entries.all()}
        return joined(
            format_html(
                '<a href="{}" title="{}"><bdi>{}</bdi></a>',
                transactions_url(wallet=wallet.filter_value),
                wallet.address.display if wallet.address else wallet.name,
                wallet,
            )
            for wallet in wallets.values()
        )

    def render_out(self, record: Transaction) -> SafeString:
        return joined(amount(entry) for entry in movements(record) if entry.amount < 0)

    def render_into(self, record: Transaction) -> SafeString:
        return joined(amount(entry) for entry in movements(record) if entry.amount > 0)

    def render_fee(self, record: Transaction) -> SafeString:
        fees = [entry for entry in record.entries.all() if entry.kind == Entry.Kind.FEE]
        return joined(amount(entry) for entry in fees)

    def render_counterparty(self, record: Transaction) -> SafeString:
        addresses = {e.counterparty_id: e.counterparty for e in movements(record) if e.counterparty}
        if record.contact:
            of_its_own = format_html(
                '<a class="contact" href="{}" title="Set for this transaction"><bdi>{}</bdi></a>',
                record.contact.get_absolute_url(),
                record.contact.name,
            )
            copies = [copyable(address, named=True) for address in addresses.values()]
            shown = joined([of_its_own, *copies], " ")
        else:
            shown = joined(counterparty(address) for address in addresses.values())
        return format_html("{} {}", shown, self.edit(record, "contact", "contact"))

    def render_labels(self, record: Transaction) -> SafeString:
        labels = list(record.labels.all())
        chips = joined([chip(label) for label in labels], " ") if labels else SafeString("")
        return format_html("{} {}", chips, self.edit(record, "labels", "labels"))

    def render_note(self, record: Transaction) -> SafeString:
        return format_html(
            '<bdi class="note">{}</bdi> {}', record.note, self.edit(record, "note", "note")
        )

    def edit(self, record: Transaction, what: str, title: str) -> SafeString:
        """A link to the form, which script opens in place."""
        if not self.can_edit:
            return SafeString("")
        return format_html(
            '<a class="edit" href="{}" data-edit="{}" '
            'aria-label="Edit {} of {} {}"><span aria-hidden="true">✎</span></a>',
            reverse(f"transaction-{what}", args=[record.pk]),
            what,
            title,
            record.get_type_display().lower(),
            record.timestamp.strftime("%Y-%m-%d %H:%M"),
        )

    def render_transaction(self, record: Transaction) -> SafeString:
        known = str(record)
        shown = f"{known[:8]}…{known[-4:]}" if len(known) > 14 else known
        details = format_html(
            '<a href="{}" title="{}"><bdi>{}</bdi></a>', record.get_absolute_url(), known, shown
        )
        where = format_html('<span class="muted network">{}</span>', record.network_name)
        if not record.explorer_url:
            return format_html("{}<br>{}", details, where)
        return format_html(
            '{} <a class="explorer" href="{}" rel="noreferrer noopener" target="_blank" '
            'aria-label="Open in the explorer of {}">↗</a><br>{}',
            details,
            record.explorer_url,
            record.network_name,
            where,
        )
