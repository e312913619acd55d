"""Transactions as all exports tell them, in an order that depends on nothing but what they say."""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Collate

from transactions.models import Transaction
from txsite.prepared import array, fetch

CHUNK = 1_000


class ToldAsset(NamedTuple):
    """What an amount is of; `contract` is a token's or an NFT's `code`."""

    symbol: str
    contract: str | None
    network: str
    code: str
    token_id: str
    kind: str
    name: str


class ToldEntry(NamedTuple):
    """What moved in a wallet, which is told by its address, else by its name.

    `amount` is exact: without exponent or trailing zeros. `is_alone`: no file told more beside it.
    """

    wallet: str
    wallet_name: str  # where it is told by its address
    asset: ToldAsset
    amount: str
    kind: str
    is_alone: bool
    counterparty: str | None
    contact: str | None


class Row(NamedTuple):
    """A transaction; `known_as` is its txid, or the source's own id where there is no chain, and
    `time` is UTC, as `2024-01-31 12:00:00`, with six decimals where they are not 0."""

    known_as: str
    network: str | None
    of_wallet: str | None
    time: str
    type: str
    status: str
    method: str
    block: int | None
    note: str
    contact: str | None
    labels: list[str]
    entries: list[ToldEntry]
    looks: dict[str, tuple[str, str]]  # of all labels that have another than the usual one


def rows(queryset: QuerySet[Transaction]) -> Iterator[Row]:
    """In the order of the file. The ids alone are sorted, and what is told of each is read by the
    thousand, so that the first lines of a long file come at once and none of it is kept."""
    ids = (
        queryset.order_by(
            "timestamp",
            Collate("network", "C").asc(nulls_last=True),
            Collate(Coalesce("txid", "external_id"), "C"),
            Collate(Coalesce("source_wallet__address__value", "source_wallet__name"), "C"),
        )
        .values_list("pk", flat=True)
        .iterator(chunk_size=CHUNK)
    )
    names = Names()
    while pks := list(islice(ids, CHUNK)):
        yield from names.told_of(pks)


# The time and amounts are text: neither is to be made of anything else.
TRANSACTIONS = """
    SELECT t.id, coalesce(t.txid, t.external_id), t.network, t.source_wallet_id,
        to_char(t.timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), t.type, t.status,
        t.method, t.block, t.note, contact.name
    FROM transactions_transaction t LEFT JOIN contacts_contact contact ON contact.id = t.contact_id
    WHERE t.id = ANY (%s::bigint[])
"""
LABELS = """
    SELECT on_it.transaction_id, l.name FROM transactions_transactionlabel on_it
    JOIN transactions_label l ON l.id = on_it.label_id
    WHERE on_it.transaction_id = ANY (%s::bigint[]) ORDER BY l.name COLLATE "C"
"""
ENTRIES = """
    SELECT transaction_id, wallet_id, asset_id, trim_scale(amount)::text, kind, counterparty_id,
        beside = 0
    FROM transactions_entry WHERE transaction_id = ANY (%s::bigint[])
    ORDER BY transaction_id, amount
"""
WALLETS = """
    SELECT w.id, coalesce(a.value, w.name), CASE WHEN a.id IS NULL THEN '' ELSE w.name END
    FROM transactions_wallet w
    LEFT JOIN contacts_address a ON a.id = w.address_id WHERE w.id = ANY (%s::bigint[])
"""
ASSETS = """
    SELECT id, symbol, CASE WHEN kind IN ('token', 'nft') THEN code END, network, code, token_id,
        kind, name
    FROM transactions_asset WHERE id = ANY (%s::bigint[])
"""
LOOKS = """
    SELECT name, colour, description FROM transactions_label
    WHERE colour <> 'grey' OR description <> ''
"""
COUNTERPARTIES = """
    SELECT a.id, a.value, c.name FROM contacts_address a
    LEFT JOIN contacts_contact c ON c.id = a.contact_id WHERE a.id = ANY (%s::bigint[])
"""


class Names:
    """What transactions refer to by ids. Wallets and assets are few and kept; the other sides can
    be as many as the transactions and are not."""

    def __init__(self) -> None:
        self.wallets: dict[int, tuple[str, str]] = {}
        self.assets: dict[int, ToldAsset] = {}
        self.looks = {name: (colour, text) for name, colour, text in fetch(LOOKS, [])}

    def told_of(self, pks: list[int]) -> Iterator[Row]:
        """In the order of the ids."""
        ids = array(pks)
        transactions = {row[0]: row for row in fetch(TRANSACTIONS, [ids])}
        labels: dict[int, list[str]] = {}
        for pk, name in fetch(LABELS, [ids]):
            labels.setdefault(pk, []).append(name)
        entries: dict[int, list[tuple[Any, ...]]] = {}
        found = fetch(ENTRIES, [ids])
        for row in found:
            entries.setdefault(row[0], []).append(row)
        wallets = {row[1] for row in found} | {row[3] for row in transactions.values()}
        self.add_wallets(wallets - self.wallets.keys() - {None})
        self.add_assets({row[2] for row in found} - self.assets.keys())
        sides = array({row[5] for row in found} - {None})
        others = {pk: (value, name) for pk, value, name in fetch(COUNTERPARTIES, [sides])}
        others[None] = None, None
        for pk in pks:
            _, known_as, network, wallet, time, *rest = transactions[pk]
            of_wallet, time = self.wallets.get(wallet, (None,))[0], time.removesuffix(".000000")
            told = self.in_order(entries.get(pk, []), others)
            on_it = labels.get(pk, [])
            yield Row._make([known_as, network, of_wallet, time, *rest, on_it, told, self.looks])

    def in_order(self, entries: list[tuple[Any, ...]], others: dict[Any, Any]) -> list[ToldEntry]:
        told = [
            ToldEntry(*self.wallets[wallet], self.assets[asset], amount, kind, alone, *others[side])
            for _, wallet, asset, amount, kind, side, alone in entries
        ]
        if len(told) > 1:  # equal ones stay in the order of their amounts
            told.sort(key=place_of)
        return told

    def add_wallets(self, pks: Collection[int]) -> None:
        if pks:
            self.wallets |= {pk: (told, name) for pk, told, name in fetch(WALLETS, [array(pks)])}

    def add_assets(self, pks: Collection[int]) -> None:
        if pks:
            self.assets |= {pk: ToldAsset(*told) for pk, *told in fetch(ASSETS, [array(pks)])}


def place_of(entry: ToldEntry) -> tuple[str, ...]:
    asset = entry.asset
    side = entry.counterparty or ""
    return entry.wallet, asset.network, asset.code, asset.token_id, entry.kind, side
