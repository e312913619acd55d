"""What a file says, copied as it is read into temporary tables.

Rows go to PostgreSQL by the chunk, so that memory stays flat however long the file is.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import DataError, connection
from django.db.backends.utils import CursorWrapper
from django.utils.text import slugify

from contacts.addresses import AddressError, looks_like_address, normalise
from contacts.networks import NETWORKS
from transactions.imports.rows import FileError, Reading, Rejected, Row
from transactions.imports.scripts import run

CHUNK_LINES = 1_000  # few, so that Python's collector has little to look through
CHUNK_CHARACTERS = 8_000_000
MAX_WALLETS = 1_000

TABLES = """
    CREATE TEMP TABLE staged_line (
        line integer, raw text, reason text, network text, family text,
        txid text, external_id text, wallet integer, timestamp timestamptz, status text, type text,
        method text, block numeric, note text, contact text, labels text[]
    ) ON COMMIT DROP;
    CREATE TEMP TABLE staged_movement (
        line integer, position integer, amount numeric, kind text, asset_kind text, code text,
        token_id text, symbol text, name text, counterparty text, wallet integer, is_whole boolean
    ) ON COMMIT DROP;
    CREATE TEMP TABLE staged_wallet (
        number integer, family text, address text, name text, slug text, reason text,
        id bigint, venue text, told text
    ) ON COMMIT DROP;
    CREATE TEMP TABLE staged_wallet_name (wallet integer, line integer, name text) ON COMMIT DROP;
    CREATE TEMP TABLE staged_look (name text, colour text, description text) ON COMMIT DROP;
    CREATE TEMP TABLE called_anew (kind text, key text, name text, id bigint) ON COMMIT DROP;
    CREATE TEMP TABLE written (kind text, name text, key text) ON COMMIT DROP;
"""
COPY_LINES = "COPY staged_line FROM STDIN"
COPY_MOVEMENTS = "COPY staged_movement FROM STDIN"
COPY_WALLETS = "COPY staged_wallet (number, family, address, name, slug, reason) FROM STDIN"
COPY_WALLET_NAMES = "COPY staged_wallet_name FROM STDIN"
COPY_LOOKS = "COPY staged_look FROM STDIN"
# What the file calls it, whatever it is called by now.
KEEP_NAMES = """
    UPDATE staged_wallet SET told = lower(name);

    INSERT INTO written
    SELECT 'wallet', name, told FROM staged_wallet WHERE name <> ''
    UNION SELECT 'label', told.name, lower(told.name)
    FROM staged_line l, unnest(l.labels) told (name) WHERE l.reason IS NULL
    UNION SELECT 'contact', contact, lower(contact)
    FROM staged_line WHERE reason IS NULL AND contact <> '';
"""
ANALYZE = "ANALYZE staged_line; ANALYZE staged_movement; ANALYZE staged_wallet;"

# What the names of a file are in the ledger, so that a renamed one is known when it is read again.
NAMES = {
    "wallet": """
        SELECT told, id FROM staged_wallet WHERE told <> '' AND id IS NOT NULL
    """,
    "label": """
        SELECT DISTINCT lower(told.name), label.id
        FROM staged_line l, unnest(l.labels) told (name), transactions_label label
        WHERE l.reason IS NULL AND lower(label.name) = lower(told.name)
        UNION ALL SELECT key, id FROM called_anew WHERE kind = 'label'
    """,
    "contact": """
        SELECT DISTINCT lower(l.contact), contact.id
        FROM staged_line l JOIN contacts_contact contact ON lower(contact.name) = lower(l.contact)
        WHERE l.reason IS NULL
        UNION ALL SELECT key, id FROM called_anew WHERE kind = 'contact'
    """,
    # Wallets that were there already, and had no name.
    "named": "SELECT name, id FROM named_wallet",
}
TABLES_OF_NAMES = {
    "wallet": "transactions_wallet",
    "label": "transactions_label",
    "contact": "contacts_contact",
}
# Of capitals the alphabetically first count that any import wrote, unless a person named it.
CAPITALS = """
    UPDATE {table} known SET name = first.name FROM (
        SELECT told.key, min(told.name COLLATE "C") AS name
        FROM transactions_importbatch own, jsonb_each_text(own.names -> '{kind} as written')
            mine (name, key)
        JOIN transactions_importbatch b ON b.status = 'imported'
        JOIN jsonb_each_text(b.names -> '{kind} as written') told (name, key) USING (key)
        WHERE own.id = %(batch)s GROUP BY told.key
    ) first
    WHERE lower(known.name) = first.key AND known.name <> first.name AND known.version = 1
        AND EXISTS (
            SELECT FROM transactions_importbatch b
            WHERE b.made @> jsonb_build_object('{kind}', jsonb_build_array(known.id))
        );
"""
WALLETS_BY_NEW_NAMES = """
    WITH known AS (
        SELECT old.key, wallet.name FROM transactions_importbatch b,
            jsonb_each_text(b.names -> 'wallet') old (key, id)
        JOIN transactions_wallet wallet ON wallet.id = old.id::bigint
        WHERE b.id = %(batch)s AND wallet.name <> '' AND lower(wallet.name) <> old.key
    )
    UPDATE staged_wallet w SET name = known.name FROM known WHERE lower(w.name) = known.key;
"""
# What this import called something that is called otherwise now; and what nothing is called any
# more, but another import, be it taken back since, called something so.
RENAMED = """
    INSERT INTO called_anew
    WITH unknown AS MATERIALIZED (
        SELECT DISTINCT lower(told.name) AS key FROM staged_line l, {told} told (name)
        WHERE l.reason IS NULL AND NOT EXISTS (
            SELECT FROM {table} bears WHERE lower(bears.name) = lower(told.name)
        )
    )
    SELECT DISTINCT ON (old.key) '{kind}', old.key, known.name, known.id
    FROM transactions_importbatch b, jsonb_each_text(b.names -> '{kind}') old (key, id)
    JOIN {table} known ON known.id = old.id::bigint
    WHERE b.id = %(batch)s AND lower(known.name) <> old.key
        OR old.key IN (SELECT key FROM unknown)
    ORDER BY old.key, b.id = %(batch)s DESC, b.id DESC;
"""
LABELS_BY_NEW_NAMES = """
    UPDATE staged_line l SET labels = told.labels FROM (
        SELECT s.line, array_agg(coalesce(called_anew.name, one.name) ORDER BY one.place) AS labels
        FROM staged_line s CROSS JOIN unnest(s.labels) WITH ORDINALITY one (name, place)
        LEFT JOIN called_anew ON called_anew.kind = 'label' AND called_anew.key = lower(one.name)
        GROUP BY s.line HAVING count(called_anew.key) > 0
    ) told
    WHERE l.line = told.line;
"""
CONTACTS_BY_NEW_NAMES = """
    UPDATE staged_line l SET contact = called_anew.name FROM called_anew
    WHERE called_anew.kind = 'contact' AND lower(l.contact) = called_anew.key;
"""
BY_NEW_NAMES = (
    WALLETS_BY_NEW_NAMES,
    RENAMED.format(kind="label", told="unnest(l.labels)", table="transactions_label"),
    LABELS_BY_NEW_NAMES,
    RENAMED.format(kind="contact", told="unnest(ARRAY[l.contact])", table="contacts_contact"),
    CONTACTS_BY_NEW_NAMES,
)

_line_of_copy = re.compile(r"COPY \w+, line ([0-9]+)").search
_one_line = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}").fullmatch


def stage(
    cursor: CursorWrapper, reading: Reading, on_chunk: Callable[[int], None] | None = None
) -> None:
    """Reads all records into the temporary tables of this connection's transaction.

    `on_chunk` is called with the number of lines so far. Raises FileError where a line cannot
    even be copied.
    """
    Staging(cursor, reading.options.wallet, on_chunk or (lambda _: None)).add_all(reading.records)


def names_of(cursor: CursorWrapper) -> dict[str, dict[str, Any]]:
    """`wallet`, `label` and `contact` -> each name that the staged lines have, lower-case -> id;
    `wallet as written`… -> each as it stands there -> lower-case; `named` -> the name that a wallet
    got -> its id. Asked once they are merged."""
    found: dict[str, dict[str, Any]] = {f"{kind} as written": {} for kind in TABLES_OF_NAMES}
    for kind, query in NAMES.items():
        cursor.execute(query)
        found[kind] = dict(cursor.fetchall())
    cursor.execute("SELECT kind, name, key FROM written")
    for kind, name, key in cursor.fetchall():
        found[f"{kind} as written"][name] = key
    return found


def settle_capitals(cursor: CursorWrapper, batch_id: int) -> None:
    """Of the names of a batch that was just imported or taken back."""
    for kind, table in TABLES_OF_NAMES.items():
        run(cursor, {"batch": batch_id}, CAPITALS.format(kind=kind, table=table))


def call_by_new_names(cursor: CursorWrapper, batch_id: int) -> None:
    """Where people called anew what this batch, or another, has named before."""
    run(cursor, {"batch": batch_id}, *BY_NEW_NAMES)


class Staging:
    """The records of one file on their way into the temporary tables."""

    def __init__(self, cursor: CursorWrapper, wallet: str, on_chunk: Callable[[int], None]) -> None:
        self.cursor, self.wallet, self.on_chunk = cursor, wallet, on_chunk
        self.lines: list[tuple[Any, ...]] = []
        self.movements: list[tuple[Any, ...]] = []
        self.wallets: dict[tuple[str, str], int] = {}
        self.wallet_names: dict[int, tuple[int, str]] = {}
        self.looks: dict[str, tuple[str, str]] = {}
        self.characters = self.count = 0

    def add_all(self, records: Iterable[Row | Rejected]) -> None:
        run(self.cursor, {}, TABLES)
        for record in records:
            if isinstance(record, Rejected):
                self._add_rejected(record)
            else:
                self._add_row(record)
            self.characters += len(record.raw)
            if len(self.lines) >= CHUNK_LINES or self.characters >= CHUNK_CHARACTERS:
                self._copy_chunk()
        self._copy_chunk()
        self._copy(COPY_WALLETS, [wallet_cells(*found) for found in self.wallets.items()])
        self._copy(COPY_WALLET_NAMES, [(number, *one) for number, one in self.wallet_names.items()])
        self._copy(COPY_LOOKS, [(name, *look) for name, look in self.looks.items()])
        run(self.cursor, {}, KEEP_NAMES)
        self.cursor.execute(ANALYZE)

    def _add_rejected(self, record: Rejected) -> None:
        reason = record.reason.removeprefix(f"Line {record.line}: ")
        self.lines.append((record.line, record.raw, reason, *(None,) * 13))

    def _add_row(self, row: Row) -> None:
        network = NETWORKS.get(row.network)
        family = network.family if network else None
        self.lines.append(
            (
                row.line,
                row.raw,
                None,
                row.network or None,
                family,
                row.txid or None,
                row.external_id or None,
                self._wallet_number(family or "", row.wallet or self.wallet),
                row.timestamp,
                row.status,
                row.type,
                row.method,
                row.block,
                row.note,
                row.contact,
                list(row.labels),
            )
        )
        own = self._wallet_number(family or "", row.wallet or self.wallet)
        if row.wallet_name:
            self.wallet_names.setdefault(own, (row.line, row.wallet_name))
        for label, *look in row.looks:
            self.looks.setdefault(label, (look[0], look[1]))
        for position, movement in enumerate(row.movements):
            asset = movement.asset
            is_native = asset.kind == "native" and network
            self.movements.append(
                (
                    row.line,
                    position,
                    movement.amount,
                    movement.kind,
                    asset.kind,
                    asset.code,
                    asset.token_id,
                    network.symbol if is_native and network else asset.symbol,
                    asset.name,
                    movement.counterparty,
                    self._wallet_number(family or "", movement.wallet) if movement.wallet else own,
                    movement.is_whole,
                )
            )

    def _wallet_number(self, family: str, text: str) -> int:
        number = self.wallets.setdefault((family, text), len(self.wallets))
        if number >= MAX_WALLETS:
            raise FileError(
                f"The file names more than {MAX_WALLETS:,} wallets. Is the column of the wallet "
                "the right one?"
            )
        return number

    def _copy_chunk(self) -> None:
        self._copy(COPY_LINES, self.lines)
        self._copy(COPY_MOVEMENTS, self.movements)
        self.count += len(self.lines)
        self.lines, self.movements, self.characters = [], [], 0
        self.on_chunk(self.count)

    def _copy(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        """The first cell of each row is its line, which is told when it cannot be stored."""
        row: tuple[Any, ...] = ()
        try:
            with connection.wrap_database_errors, self.cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except DataError as error:
            at = _line_of_copy(str(error))
            line = rows[int(at[1]) - 1][0] if at else row[0]
            reason = str(error).partition("\n")[0]
            raise FileError(
                f"Line {line} cannot be stored: {reason}. Correct it in the file."
            ) from error


@dataclass(frozen=True)
class WalletName:
    """A wallet as a line names it: by address or by name; `reason` when it is neither."""

    family: str
    address: str = ""
    name: str = ""
    reason: str | None = None


def wallet_named(family: str, text: str) -> WalletName:
    """What `text` names on a network of `family`, or with no family at an exchange."""
    if family:
        try:
            return WalletName(family, address=normalise(text, family))
        except AddressError as problem:
            if looks_like_address(text):
                return WalletName(family, reason=f"Wallet {text}: {problem}")
    elif looks_like_address(text):
        return WalletName(
            family, reason=f"Wallet {text} is an address. Say of which network, or give a name."
        )
    name = unicodedata.normalize("NFC", text).strip()
    if not name:
        return WalletName(family, reason="No wallet is named. Say which one the file is of.")
    if not _one_line(name):
        return WalletName(
            family, reason="The wallet's name is not one line of at most 200 characters."
        )
    return WalletName(family, name=name)


def wallet_cells(key: tuple[str, str], number: int) -> tuple[Any, ...]:
    wallet = wallet_named(*key)
    return (
        number,
        wallet.family,
        wallet.address,
        wallet.name,
        venue_of(wallet.name),
        wallet.reason,
    )


def venue_of(name: str) -> str:
    """Whose asset codes an account of this name uses: `Kraken` and `kraken` use the same."""
    slug = slugify(name)[:64].strip("-")
    return slug or "account-" + name.lower().encode().hex()[:40]
