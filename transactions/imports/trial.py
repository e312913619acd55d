"""What a file would do, taken out of the transaction that tried it before that is rolled back."""

import hashlib
from dataclasses import dataclass
from typing import IO, Any

from django.db.backends.utils import CursorWrapper

MAX_BALANCES = 300

# What the lines do. Of a new transaction, which is only tried and has no id that lasts, a line says
# all that it makes. One without a time of its own has that of its import, which is another once it
# is confirmed.
TOLD = """
    SELECT line.batch_id, line.number, line.outcome, line.raw,
        CASE WHEN t.number IS NULL OR t.known_id IS NOT NULL THEN line.transaction_id END
            AS transaction_id,
        CASE WHEN t.number IS NULL OR t.known_id IS NOT NULL THEN line.detail ELSE concat_ws('; ',
            concat_ws(', ',
                CASE WHEN t.timestamp = date_trunc('second', b.made_at) THEN 'time of the import'
                    ELSE to_char(t.timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC') END,
                t.type, nullif(t.status, 'ok')
            ),
            nullif(line.detail, ''),
            'label ' || labels.names,
            CASE WHEN t.note <> '' AND l.note = t.note THEN concat(
                'note “', left(t.note, 200), CASE WHEN length(t.note) > 200 THEN '…' END, '”'
            ) END,
            CASE WHEN l.contact <> '' THEN 'contact ' || t.new_contact END
        ) END AS detail
    FROM transactions_importline line
    JOIN transactions_importbatch b ON b.id = line.batch_id
    LEFT JOIN told_line l ON l.line = line.number
    LEFT JOIN told_transaction t ON t.number = l.number
    LEFT JOIN (
        SELECT line, string_agg(name, ', label ' ORDER BY name COLLATE "C") AS names
        FROM told_label GROUP BY line
    ) labels ON labels.line = line.number
    WHERE line.batch_id = {batch} ORDER BY line.number
"""
OUTCOMES = "COPY (SELECT number, outcome, detail FROM ({TOLD}) told) TO STDOUT".replace(
    "{TOLD}", TOLD
)
LINES = """
    COPY (
        SELECT batch_id, number, outcome, detail, raw, transaction_id FROM ({TOLD}) told
    ) TO STDOUT
""".replace("{TOLD}", TOLD)
PUT_LINES = """
    COPY transactions_importline (batch_id, number, outcome, detail, raw, transaction_id)
    FROM STDIN
"""
# Of everything that the file tells of, whether it is new or not, and of what it takes the place or
# says that it failed.
AFTER = """
    SELECT told.wallet_id, told.asset_id, coalesce(c.value, w.name) COLLATE "C" AS wallet,
        a.symbol COLLATE "C" AS symbol,
        (SELECT trim_scale(sum(e.amount))::text FROM transactions_entry e
            WHERE e.wallet_id = told.wallet_id AND e.asset_id = told.asset_id)
    FROM (
        SELECT DISTINCT m.wallet_id, a.id AS asset_id FROM told_movement m
        JOIN told_line l ON l.line = m.line
        JOIN transactions_asset a ON a.network = m.network AND a.code = m.code
            AND a.token_id = m.token_id AND a.kind = m.asset_kind
        UNION
        SELECT wallet_id, asset_id FROM covered WHERE source = 'entry'
        UNION
        SELECT wallet_id, asset_id FROM failed_entry
    ) told
    JOIN transactions_wallet w ON w.id = told.wallet_id
    LEFT JOIN contacts_address c ON c.id = w.address_id
    JOIN transactions_asset a ON a.id = told.asset_id
    ORDER BY wallet, symbol, a.network, a.code, a.token_id
    LIMIT %s
"""
BEFORE = """
    SELECT wallet_id, asset_id, trim_scale(sum(amount))::text FROM transactions_entry
    WHERE (wallet_id, asset_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))
    GROUP BY wallet_id, asset_id
"""
MADE = "SELECT name, array_agg(id ORDER BY id) FROM pg_temp.made GROUP BY name"


@dataclass
class Trial:
    """`digest` is of every line's outcome and of the balances that all of them lead to."""

    batch_id: int
    digest: str
    after: list[tuple[int, int, str, str, str]]  # wallet, asset, their names, amount

    @classmethod
    def of(cls, cursor: CursorWrapper, batch_id: int) -> "Trial":
        """Of the merge that this cursor's transaction has just done."""
        digest = hashlib.sha256()
        with cursor.copy(OUTCOMES.format(batch=int(batch_id))) as copy:
            for data in copy:
                digest.update(data)
        cursor.execute(AFTER, [MAX_BALANCES])
        after = cursor.fetchall()
        digest.update(repr([told[2:] for told in after]).encode())
        return cls(batch_id, digest.hexdigest(), after)

    def keep_lines(self, cursor: CursorWrapper, file: IO[bytes]) -> None:
        with cursor.copy(LINES.format(batch=int(self.batch_id))) as copy:
            for data in copy:
                file.write(data)

    def put_lines(self, cursor: CursorWrapper, file: IO[bytes]) -> None:
        file.seek(0)
        with cursor.copy(PUT_LINES) as copy:
            while data := file.read(1024 * 1024):
                copy.write(data)

    def balances(self, cursor: CursorWrapper) -> list[list[Any]]:
        """Wallet, asset, and their amounts now and afterwards; to be asked once it is undone."""
        pairs = [list(ids) for ids in zip(*(told[:2] for told in self.after), strict=True)]
        cursor.execute(BEFORE, pairs or [[], []])
        before = {(wallet, asset): amount for wallet, asset, amount in cursor.fetchall()}
        return [
            [wallet, symbol, before.get((wallet_id, asset_id), "0"), amount or "0"]
            for wallet_id, asset_id, wallet, symbol, amount in self.after
        ]


def made(cursor: CursorWrapper) -> dict[str, list[int]]:
    """What the merge has made beside transactions: `wallet`, `label`… -> ids."""
    cursor.execute(MADE)
    return dict(cursor.fetchall())
