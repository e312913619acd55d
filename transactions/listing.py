"""What a row of the list shows, read for a whole page at once.

A page's ids are found first, by a query that depends on what was filtered; this one never does, so
that PostgreSQL plans it once for each connection. Plain tuples, since objects of models would take
longer to make than the page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from contacts import addresses
from contacts.networks import NETWORKS
from transactions.amounts import format_amount
from transactions.balances import balances
from transactions.models import Entry, ImportBatch, ImportLine, Status, TransactionType
from txsite.prepared import array, fetch
from txsite.tables import MAX_ID, literal

LISTED = """
    SELECT t.id, t.network, t.txid, t.external_id, t.timestamp, t.status, t.type, t.method,
        t.note, t.version, t.block, contact.id, contact.name,
        source.id, source.name, source_address.family, source_address.value, labels.told
    FROM unnest(%s::bigint[]) WITH ORDINALITY asked (id, place)
    JOIN transactions_transaction t ON t.id = asked.id
    LEFT JOIN contacts_contact contact ON contact.id = t.contact_id
    LEFT JOIN transactions_wallet source ON source.id = t.source_wallet_id
    LEFT JOIN contacts_address source_address ON source_address.id = source.address_id
    LEFT JOIN (
        SELECT on_it.transaction_id, json_agg(
            json_build_array(l.name, l.colour, l.description) ORDER BY lower(l.name)
        ) told
        FROM transactions_transactionlabel on_it
        JOIN transactions_label l ON l.id = on_it.label_id
        WHERE on_it.transaction_id = ANY (%s::bigint[])
        GROUP BY on_it.transaction_id
    ) labels ON labels.transaction_id = t.id
    ORDER BY asked.place
"""
# All entries at once: a look for each transaction costs twice as much. Not so for their assets,
# all of which PostgreSQL would read for a few entries.
ENTRIES = """
    SELECT e.transaction_id, e.kind, trim_scale(e.amount)::text,
        w.id, w.name, own.family, own.value,
        a.id, a.symbol, a.name, a.network, a.code,
        other.id, other.family, other.value, theirs.id, theirs.name, ours.name
    FROM transactions_entry e
    JOIN transactions_wallet w ON w.id = e.wallet_id
    LEFT JOIN contacts_address own ON own.id = w.address_id
    JOIN LATERAL (
        SELECT id, symbol, name, network, code FROM transactions_asset
        WHERE id = e.asset_id OFFSET 0
    ) a ON true
    LEFT JOIN contacts_address other ON other.id = e.counterparty_id
    LEFT JOIN contacts_contact theirs ON theirs.id = other.contact_id
    LEFT JOIN transactions_wallet ours ON ours.address_id = other.id
    WHERE e.transaction_id = ANY (%s::bigint[])
    ORDER BY e.id
"""
TYPES, STATUSES = dict(TransactionType.choices), dict(Status.choices)
KINDS = dict(Entry.Kind.choices)
TRANSFER = Entry.Kind.TRANSFER.value


class ListedWallet(NamedTuple):
    pk: int
    name: str
    family: str | None
    value: str | None

    @property
    def address(self) -> str:
        """As people write it; empty where the wallet has none."""
        return addresses.display(self.value, self.family) if self.value and self.family else ""

    @property
    def title(self) -> str:
        return self.name or addresses.shorten(self.address)

    @property
    def filter_value(self) -> str:
        """What the list's `wallet` filter takes for this wallet."""
        return self.address or literal(self.name)


class ListedAsset(NamedTuple):
    pk: int
    symbol: str
    name: str
    network: str
    code: str


class ListedAddress(NamedTuple):
    """An address with the contact whose it is, and the name of our wallet."""

    pk: int
    family: str
    value: str
    contact_id: int | None
    contact: str | None
    wallet: str | None

    @property
    def display(self) -> str:
        return addresses.display(self.value, self.family)


class ListedEntry(NamedTuple):
    """`amount` is the exact number as text, in whole units, with a sign."""

    kind: str
    amount: str
    wallet: ListedWallet
    asset: ListedAsset
    counterparty: ListedAddress | None

    @property
    def way(self) -> str:
        return "out" if self.amount.startswith("-") else "zero" if self.amount == "0" else "in"

    @property
    def kind_title(self) -> str:
        return KINDS.get(self.kind, self.kind)


class ListedLabel(NamedTuple):
    name: str
    colour: str
    description: str


@dataclass(slots=True)
class Listed:
    """One transaction, with its entries in their order and its labels by name."""

    source: ListedWallet
    entries: list[ListedEntry]
    labels: list[ListedLabel]
    pk: int
    network: str | None
    txid: str | None
    external_id: str | None
    timestamp: datetime
    status: str
    type: str
    method: str
    note: str
    version: int
    block: int | None
    contact_id: int | None
    contact: str | None

    def __str__(self) -> str:
        return self.name

    @property
    def movements(self) -> list[ListedEntry]:
        return [entry for entry in self.entries if entry.kind == TRANSFER]

    @property
    def fees(self) -> list[ListedEntry]:
        return [entry for entry in self.entries if entry.kind != TRANSFER]

    @property
    def name(self) -> str:
        return self.txid or self.external_id or ""

    @property
    def network_name(self) -> str:
        """The network's name for people, or the exchange's."""
        if not self.network:
            return self.source.title
        known = NETWORKS.get(self.network)
        return known.name if known else self.network

    @property
    def explorer_url(self) -> str | None:
        """The transaction's page at its chain's explorer, if there is one."""
        network = NETWORKS.get(self.network or "")
        return network.transaction_url(self.txid) if network and self.txid else None

    @property
    def type_title(self) -> str:
        return TYPES.get(self.type, self.type)

    @property
    def status_title(self) -> str:
        return STATUSES.get(self.status, self.status)


class ListedBalance(NamedTuple):
    """`amount` is the exact number as text, in whole units, with a sign."""

    wallet: ListedWallet
    asset: ListedAsset
    amount: str
    transactions: int


def listed_balances() -> list[ListedBalance]:
    """All balances, by names; one query."""
    rows = balances().values_list(
        *("wallet_id", "wallet__name", "wallet__address__family", "wallet__address__value"),
        *("asset_id", "asset__symbol", "asset__name", "asset__network", "asset__code"),
        *("amount", "count"),
    )
    return [
        ListedBalance(
            ListedWallet(*row[:4]), ListedAsset(*row[4:9]), format_amount(row[9]), row[10]
        )
        for row in rows
    ]


def listed(pks: Iterable[int]) -> list[Listed]:
    """The transactions that are there of these, in their order; two queries."""
    asked = array(pk for pk in pks if pk <= MAX_ID)
    entries: dict[int, list[ListedEntry]] = {}
    wallets: dict[int, ListedWallet] = {}
    assets: dict[int, ListedAsset] = {}
    for row in fetch(ENTRIES, [asked]):
        pk, kind, amount, wallet, asset = row[0], row[1], row[2], row[3], row[7]
        if wallet not in wallets:
            wallets[wallet] = ListedWallet._make(row[3:7])
        if asset not in assets:
            assets[asset] = ListedAsset._make(row[7:12])
        side = ListedAddress._make(row[12:]) if row[12] else None
        told = ListedEntry(kind, amount, wallets[wallet], assets[asset], side)
        entries.setdefault(pk, []).append(told)
    return [
        Listed(
            ListedWallet._make(row[13:17]),
            entries.get(row[0], []),
            [ListedLabel(*one) for one in row[17] or ()],
            *row[:13],
        )
        for row in fetch(LISTED, [asked, asked])
    ]


TOLD_BY = """
    SELECT line.number, line.outcome, line.detail, batch.id, batch.file_name
    FROM transactions_importline line
    JOIN transactions_importbatch batch ON batch.id = line.batch_id
    WHERE line.transaction_id = %s
    ORDER BY batch.made_at DESC, batch.id DESC, line.number LIMIT 50
"""


def told_by(pk: int) -> list[ImportLine]:
    """The lines of files, those of the latest import first, that told of a transaction."""
    return [
        ImportLine(
            number=number,
            outcome=outcome,
            detail=detail,
            batch=ImportBatch(pk=batch, file_name=file_name),
        )
        for number, outcome, detail, batch, file_name in fetch(TOLD_BY, [pk])
    ]
