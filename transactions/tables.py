"""The list's columns and how each cell is drawn.

A page has some thousand pieces of HTML, so they are written as text, with every value escaped, and
what several rows show alike is drawn once.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import quote_plus

from django.urls import get_script_prefix, reverse
from django.utils.safestring import SafeString, mark_safe

from contacts import addresses
from transactions.listing import (
    Listed,
    ListedAddress,
    ListedAsset,
    ListedBalance,
    ListedEntry,
    ListedWallet,
)
from txsite.tables import FixedColumn, ListTable, literal

NOTHING = '<span class="muted" aria-label="none">–</span>'
LONG = 16  # digits beyond which an amount may be broken over lines


def joined(cells: Iterable[str], separator: str = "<br>") -> str:
    return separator.join(cells) or NOTHING


def copyable(address: ListedAddress, *, is_named: bool = False) -> str:
    """An address, short, whole on hover and copied with a click; only "copy" beside a name."""
    shown = address.display
    whole = escape(shown)
    kind, text = ("small", "copy") if is_named else ("address", escape(addresses.shorten(shown)))
    return (
        f'<button type="button" class="copy {kind}" data-copy="{whole}" title="{whole}" '
        f'aria-label="Copy address {whole}"><bdi>{text}</bdi></button>'
    )


@lru_cache(maxsize=100)
def around(name: str, prefix: str) -> tuple[str, str]:
    """What stands before and after the id in the address of a page of the site at `prefix`."""
    before, _, after = reverse(name, args=[0]).rpartition("0")
    return before, after


class Addresses:
    """Of pages that every row links to."""

    def __init__(self) -> None:
        self.list, self.prefix = reverse("transaction-list"), get_script_prefix()

    def filtered(self, name: str, value: str) -> str:
        return f"{self.list}?{name}={quote_plus(value)}"

    def around(self, name: str) -> tuple[str, str]:
        return around(name, self.prefix)

    def of(self, name: str, pk: int) -> str:
        """The page `name` of the row with this id."""
        before, after = self.around(name)
        return f"{before}{pk}{after}"


class TransactionTable(ListTable):
    """One row a transaction, of `listed` ones. Context beside the rows: `can_edit`."""

    time = FixedColumn(verbose_name="Time (UTC)", attrs={"th": {"data-sort": "time"}})
    type = FixedColumn(attrs={"th": {"data-sort": "type"}})
    wallet = FixedColumn()
    out = FixedColumn(attrs={"th": {"data-sort": "amount"}})
    into = FixedColumn(verbose_name="In", attrs={"th": {"data-sort": "amount"}})
    counterparty = FixedColumn()
    labels = FixedColumn()
    note = FixedColumn(attrs={"th": {"data-sort": "note"}})
    fee = FixedColumn(attrs={"th": {"data-sort": "fee"}})
    transaction = FixedColumn()

    class Meta:
        attrs = {"class": "transactions", "caption": "Transactions"}

    def __init__(self, rows: list[Listed], *args: Any, can_edit: bool = False, **kwargs: Any):
        super().__init__(rows, *args, **kwargs)
        self.listed, self.can_edit = rows, can_edit
        self.addresses = Addresses()
        self.drawn: dict[tuple[str, Any], Any] = {}

    def body(self) -> SafeString:
        cells: list[tuple[str, Callable[[Listed], str]]] = [
            (self.cell_head(name), getattr(self, f"draw_{name}")) for name in self.titles
        ]
        return mark_safe("".join(self.rows_of(cells)))  # noqa: S308 (every value is escaped)

    def rows_of(self, cells: list[tuple[str, Callable[[Listed], str]]]) -> Iterator[str]:
        for row in self.listed:
            yield f'<tr id="tx-{row.pk}" data-id="{row.pk}" data-version="{row.version}">\n'
            for head, draw in cells:
                yield f"{head}{draw(row)}</td>\n"
            yield "</tr>"

    def once(self, kind: str, key: Any, draw: Callable[[Any], Any], value: Any) -> Any:
        """What `draw` makes of the value, which is the same for the same key."""
        known = self.drawn.get((kind, key))
        if known is None:
            known = self.drawn[kind, key] = draw(value)
        return known

    def draw_time(self, row: Listed) -> str:
        text = row.timestamp.isoformat()
        return (
            f'<time datetime="{text}">{text[:10]} <span class="clock">{text[11:19]}</span></time>'
        )

    def draw_type(self, row: Listed) -> str:
        text = f'<span title="{escape(row.method)}">{escape(row.type_title)}</span>'
        if row.status == "ok":
            return text
        return f'{text} <span class="status {row.status}">{escape(row.status_title)}</span>'

    def draw_wallet(self, row: Listed) -> str:
        wallets = {entry.wallet.pk: entry.wallet for entry in row.entries}
        return joined([self.once("wallet", pk, self.wallet_link, w) for pk, w in wallets.items()])

    def wallet_link(self, wallet: ListedWallet) -> str:
        address = self.addresses.filtered("wallet", wallet.filter_value)
        return (
            f'<a href="{escape(address)}" title="{escape(wallet.address or wallet.name)}">'
            f"<bdi>{escape(wallet.title)}</bdi></a>"
        )

    def draw_out(self, row: Listed) -> str:
        return joined([self.amount(one) for one in row.movements if one.way == "out"])

    def draw_into(self, row: Listed) -> str:
        return joined([self.amount(one) for one in row.movements if one.way == "in"])

    def draw_fee(self, row: Listed) -> str:
        return joined([self.amount(one) for one in row.fees])

    def amount(self, entry: ListedEntry) -> str:
        """The exact amount of an entry with its asset."""
        number = entry.amount.removeprefix("-")
        long = " long" if len(number) > LONG else ""
        asset = self.once("asset", entry.asset.pk, self.asset_link, entry.asset)
        return (
            f'<span class="amount {entry.way}{long}"><span class="number">{number}</span> '
            f"{asset}</span>"
        )

    def asset_link(self, asset: ListedAsset) -> str:
        where = f"{asset.name or asset.symbol} on {asset.network}"
        title = f"{where}, contract {asset.code}" if asset.code else where
        address = self.addresses.filtered("asset", f"id:{asset.pk}")
        return (
            f'<a class="asset" href="{escape(address)}" title="{escape(title)}">'
            f"<bdi>{escape(asset.symbol)}</bdi></a>"
        )

    def draw_counterparty(self, row: Listed) -> str:
        others = {e.counterparty.pk: e.counterparty for e in row.movements if e.counterparty}
        if row.contact is not None and row.contact_id:
            of_its_own = (
                f'<a class="contact" href="{self.addresses.of("contact-detail", row.contact_id)}" '
                f'title="Set for this transaction"><bdi>{escape(row.contact)}</bdi></a>'
            )
            copies = [copyable(address, is_named=True) for address in others.values()]
            shown = joined([of_its_own, *copies], " ")
        else:
            shown = joined(
                [self.once("address", pk, self.party, one) for pk, one in others.items()]
            )
        return f"{shown} {self.edit(row, 'contact')}"

    def party(self, address: ListedAddress) -> str:
        """The contact behind an address, else our own wallet, else the address."""
        if address.contact_id and address.contact is not None:
            page = self.addresses.of("contact-detail", address.contact_id)
            return (
                f'<a class="contact" href="{page}" title="{escape(address.display)}">'
                f"<bdi>{escape(address.contact)}</bdi></a> "
                f"{copyable(address, is_named=True)}"
            )
        if address.wallet:
            return f"<bdi>{escape(address.wallet)}</bdi> {copyable(address, is_named=True)}"
        return copyable(address)

    def draw_labels(self, row: Listed) -> str:
        chips = (self.once("label", one.name, self.chip, one) for one in row.labels)
        return f"{' '.join(chips)} {self.edit(row, 'labels')}"

    def chip(self, label: Any) -> str:
        address = self.addresses.filtered("label", literal(label.name))
        return (
            f'<a class="chip colour-{label.colour}" href="{escape(address)}" '
            f'title="{escape(label.description)}"><bdi>{escape(label.name)}</bdi></a>'
        )

    def draw_note(self, row: Listed) -> str:
        return f'<bdi class="note">{escape(row.note)}</bdi> {self.edit(row, "note")}'

    def edit(self, row: Listed, what: str) -> str:
        """A link to the form, which script opens in place."""
        if not self.can_edit:
            return ""
        begin, middle = self.once("edit", what, self.edit_parts, what)
        title = self.once("title", row.pk, self.title_of, row)
        return f'{begin}{row.pk}{middle}{title}"><span aria-hidden="true">✎</span></a>'

    def title_of(self, row: Listed) -> str:
        return f"{escape(row.type_title.lower())} {row.timestamp.isoformat(' ', 'minutes')[:16]}"

    def edit_parts(self, what: str) -> tuple[str, str]:
        """Of a link to a form: what stands before the row's id, and between that and its name."""
        before, after = self.addresses.around(f"transaction-{what}")
        return (
            f'<a class="edit" href="{before}',
            f'{after}" data-edit="{what}" aria-label="Edit {what} of ',
        )

    def draw_transaction(self, row: Listed) -> str:
        known = row.name
        shown = f"{known[:8]}…{known[-4:]}" if len(known) > 14 else known
        details = (
            f'<a href="{self.addresses.of("transaction-detail", row.pk)}" title="{escape(known)}">'
            f"<bdi>{escape(shown)}</bdi></a>"
        )
        name = escape(row.network_name)
        where = f'<span class="muted network">{name}</span>'
        explorer = row.explorer_url
        if not explorer:
            return f"{details}<br>{where}"
        return (
            f'{details} <a class="explorer" href="{escape(explorer)}" rel="noreferrer noopener" '
            f'target="_blank" aria-label="Open in the explorer of {name}">↗</a><br>{where}'
        )


def balance_rows(balances: Iterable[ListedBalance]) -> SafeString:
    """The rows of the balances' table: there can be thousands."""
    addresses = Addresses()
    wallets: dict[int, tuple[str, str]] = {}  # the cell's end, and the link's beginning
    rows = []
    for wallet, asset, amount, count in balances:
        if wallet.pk not in wallets:
            title = escape(wallet.address or wallet.name)
            link = addresses.filtered("wallet", wallet.filter_value)
            shown = f'title="{title}"><bdi>{escape(wallet.title)}</bdi></a>'
            wallets[wallet.pk] = shown, escape(f"{link}&asset=id%3A")
        shown, link = wallets[wallet.pk]
        href = f"{link}{asset.pk}"
        code = f" · {asset.code}" if asset.code else ""
        symbol, muted = escape(asset.symbol), ' class="muted"' if amount == "0" else ""
        rows.append(
            f'<tr data-id="{wallet.pk}-{asset.pk}"{muted}>\n<td><a href="{href}" {shown}</td>\n'
            f'<td title="{escape(asset.name + code)}"><bdi>{symbol}</bdi></td>\n'
            f"<td>{escape(asset.network)}</td>\n"
            f'<td class="col-amount"><span class="number">{amount}</span></td>\n'
            f'<td class="col-amount"><a href="{href}" aria-label="{count} transactions of '
            f'{symbol}">{count}</a></td>\n</tr>'
        )
    return mark_safe("".join(rows))  # noqa: S308 (every value is escaped)
