"""`manage.py make_ledger --transactions N --seed S`"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from transactions.imports.merge import check_foreign_keys
from transactions.models import Transaction

MAX = 100_000_000
LOADED = ("transactions_transaction", "transactions_entry", "transactions_transactionlabel")
BESIDE = (
    *("contacts_contact", "contacts_address", "transactions_wallet", "transactions_asset"),
    *("transactions_label", "transactions_balance"),
    "transactions_entrysum",
)

# Everything follows from the number of a transaction and the seed: `pg_temp.r(n, k)` is the k-th
# fraction of transaction n, and `pg_temp.z(n, k, size)` a rank, of which low ones are frequent.
FUNCTIONS = """
    CREATE OR REPLACE FUNCTION pg_temp.r(n bigint, k int) RETURNS float8
    LANGUAGE sql IMMUTABLE AS $$
        SELECT (hashint8extended(n * 64 + k, {seed}) & 2147483647)::float8 / 2147483648
    $$;
    CREATE OR REPLACE FUNCTION pg_temp.z(n bigint, k int, size int) RETURNS int
    LANGUAGE sql IMMUTABLE AS $$
        SELECT 1 + floor(size * power(pg_temp.r(n, k), 3))::int
    $$;
    CREATE OR REPLACE FUNCTION pg_temp.hex(n bigint, k int) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
        SELECT lpad(to_hex(hashint8extended(n * 64 + k, {seed})), 16, '0')
    $$;
"""
# Some are there to be looked for: Contact 1 has a fifth of all transactions, by many addresses and
# by a person's choice, Contact 2000 has twelve; Label 1 is on one of eight, Label 41 and the word
# "zebra" on one of 12,000.
PEOPLE = """
    CREATE TEMP TABLE party ON COMMIT DROP AS
    SELECT n, '0x' || pg_temp.hex(-n, 1) || pg_temp.hex(-n, 2) || left(pg_temp.hex(-n, 3), 8)
        AS value
    FROM generate_series(1, {addresses} + 1) n;

    INSERT INTO contacts_contact (name, note, version)
    SELECT 'Contact ' || n, CASE WHEN n % 10 = 0 THEN 'Met in ' || 2010 + n % 15 ELSE '' END, 1
    FROM generate_series(1, 2000) n;

    INSERT INTO contacts_address (family, value, contact_id, version)
    SELECT 'evm', p.value, c.id, 1 FROM party p
    LEFT JOIN contacts_contact c ON c.name = CASE
        WHEN p.n <= {addresses} / 100 THEN 'Contact 1'
        WHEN p.n > {addresses} THEN 'Contact 2000'
        WHEN p.n % 4 = 0 THEN 'Contact ' || 2 + (p.n / 4) % 1998 END
    ORDER BY p.n;
    CREATE TEMP TABLE address ON COMMIT DROP AS
    SELECT p.n, a.id FROM party p JOIN contacts_address a ON (a.family, a.value) = ('evm', p.value);
    CREATE UNIQUE INDEX ON address (n);

    INSERT INTO contacts_address (family, value, version)
    SELECT 'evm', '0xa11ce' || lpad(to_hex(n), 35, '0'), 1 FROM generate_series(1, 8) n;
    INSERT INTO transactions_wallet (kind, name, address_id, venue, version)
    SELECT 'address', 'Wallet ' || n, a.id, '', 1 FROM generate_series(1, 8) n
    JOIN contacts_address a ON (a.family, a.value) = ('evm', '0xa11ce' || lpad(to_hex(n), 35, '0'));
    INSERT INTO transactions_wallet (kind, name, venue, version)
    SELECT 'exchange', name, lower(name), 1
    FROM unnest(ARRAY['Kraken', 'Coinbase', 'Bitstamp', 'Binance']) name;
    CREATE TEMP TABLE own ON COMMIT DROP AS
    SELECT row_number() OVER (PARTITION BY kind ORDER BY id) AS n, id, kind, address_id
    FROM transactions_wallet;

    INSERT INTO transactions_label (name, colour, description, version)
    SELECT 'Label ' || n, (ARRAY['red', 'blue', 'green', 'grey'])[1 + n % 4], '', 1
    FROM generate_series(1, 41) n;
    CREATE TEMP TABLE label ON COMMIT DROP AS
    SELECT row_number() OVER (ORDER BY id) AS n, id FROM transactions_label;
"""
ASSETS = """
    INSERT INTO transactions_asset (kind, network, code, token_id, symbol, name, is_edited, version)
    SELECT 'native', network, '', '', symbol, symbol, false, 1
    FROM (VALUES ('ethereum', 'ETH'), ('polygon', 'POL'), ('arbitrum', 'ETH')) t (network, symbol);
    INSERT INTO transactions_asset (kind, network, code, token_id, symbol, name, is_edited, version)
    SELECT 'token', (ARRAY['ethereum', 'polygon', 'arbitrum'])[1 + n % 3],
        '0xc0ffee' || lpad(to_hex(n), 34, '0'), '', 'TK' || n / 3, 'Token ' || n, false, 1
    FROM generate_series(1, 600) n;
    INSERT INTO transactions_asset (kind, network, code, token_id, symbol, name, is_edited, version)
    SELECT 'exchange', venue, code, '', code, '', false, 1
    FROM unnest(ARRAY['kraken', 'coinbase', 'bitstamp', 'binance']) venue,
        unnest(ARRAY['BTC', 'ETH', 'DOT', 'ADA', 'SOL', 'LTC', 'XRP', 'USDT']) code;
    INSERT INTO transactions_asset (kind, network, code, token_id, symbol, name, is_edited, version)
    VALUES ('fiat', 'fiat', 'EUR', '', 'EUR', '', false, 1);
    CREATE TEMP TABLE token ON COMMIT DROP AS
    SELECT network, row_number() OVER (PARTITION BY network ORDER BY id) AS n, id
    FROM transactions_asset WHERE kind = 'token';
    CREATE TEMP TABLE coin ON COMMIT DROP AS
    SELECT network, row_number() OVER (PARTITION BY network ORDER BY id) AS n, id
    FROM transactions_asset WHERE kind = 'exchange';
"""
# 12% are an exchange's; of the others 4% failed, 4% go from one of ours to another, 16% are swaps,
# 3% pay several at once.
PLAN = """
    CREATE TEMP TABLE plan ON COMMIT DROP AS
    SELECT n, nextval(pg_get_serial_sequence('transactions_transaction', 'id')) AS id,
        date_trunc('second', timestamptz '2018-01-01 00:00Z'
            + (n + pg_temp.r(n, 1)) * interval '8 years' / {count}) AS timestamp,
        CASE WHEN pg_temp.r(n, 2) < 0.12 THEN 'trade' WHEN pg_temp.r(n, 2) < 0.155 THEN 'failed'
            WHEN pg_temp.r(n, 2) < 0.19 THEN 'own' WHEN pg_temp.r(n, 2) < 0.33 THEN 'swap'
            WHEN pg_temp.r(n, 2) < 0.36 THEN 'batch' WHEN pg_temp.r(n, 2) < 0.66 THEN 'out'
            ELSE 'in' END AS kind,
        (ARRAY['ethereum', 'polygon', 'arbitrum'])[pg_temp.z(n, 3, 3)] AS network,
        pg_temp.z(n, 4, 8) AS wallet,
        CASE WHEN n % {twelfth} = 0 AND n <= 12 * {twelfth} THEN {addresses} + 1
            ELSE pg_temp.z(n, 5, {addresses}) END AS party,
        pg_temp.z(n, 6, 200) AS token, pg_temp.r(n, 7) < 0.5 AS is_coin,
        round((power(pg_temp.r(n, 8), 6) * 10000)::numeric, 6) + 0.000001 AS amount
    FROM generate_series(1, {count}) n;
"""
TRANSACTIONS = """
    INSERT INTO transactions_transaction (id, network, txid, source_wallet_id, external_id,
        timestamp, status, type, is_type_told, method, block, contact_id, note, is_edited, version)
    SELECT p.id, CASE WHEN kind <> 'trade' THEN network END,
        CASE WHEN kind <> 'trade' THEN '0x' || pg_temp.hex(n, 10) || pg_temp.hex(n, 11)
            || pg_temp.hex(n, 12) || pg_temp.hex(n, 13) END,
        CASE WHEN kind = 'trade' THEN (SELECT id FROM own w
            WHERE w.kind = 'exchange' AND w.n = 1 + p.wallet % 4) END,
        CASE WHEN kind = 'trade' THEN 'T-' || n END, timestamp,
        CASE WHEN kind = 'failed' THEN 'failed' ELSE 'ok' END,
        CASE kind WHEN 'trade' THEN 'trade' WHEN 'swap' THEN 'trade' WHEN 'failed' THEN 'call'
            WHEN 'own' THEN 'self' WHEN 'in' THEN 'receive' ELSE 'send' END,
        false, CASE WHEN kind = 'swap' THEN 'swap' WHEN kind = 'trade' THEN '' ELSE 'transfer' END,
        CASE WHEN kind <> 'trade' THEN 4000000 + n END, contact.id,
        CASE WHEN n % {rare} = {rare} / 3 THEN 'zebra ' || n WHEN pg_temp.r(n, 14) < 0.08 THEN
            (ARRAY['rent', 'salary', 'coffee', 'invoice', 'loan', 'gift'])[pg_temp.z(n, 15, 6)]
            || ' ' || n ELSE '' END,
        contact.id IS NOT NULL, 1
    FROM plan p LEFT JOIN contacts_contact contact ON contact.name = CASE
        WHEN p.party > {addresses} THEN CASE WHEN kind IN ('trade', 'own') THEN 'Contact 2000' END
        WHEN pg_temp.r(n, 16) < 0.03 THEN 'Contact 1' END
    ORDER BY p.id;
"""
ENTRIES = """
    WITH asset AS (
        SELECT p.*, own.id AS wallet_id, own.address_id, native.id AS native_id,
            CASE WHEN is_coin THEN native.id ELSE token.id END AS asset_id,
            other.id AS other_id, address.id AS counterparty_id
        FROM plan p
        JOIN own ON own.kind = 'address' AND own.n = p.wallet
        JOIN transactions_asset native ON native.kind = 'native' AND native.network = p.network
        JOIN token ON token.network = p.network AND token.n = p.token
        JOIN token other ON other.network = p.network AND other.n = 1 + (p.token + 7) % 200
        JOIN address ON address.n = p.party
        WHERE p.kind <> 'trade'
    ), movement AS (
        SELECT id, timestamp, wallet_id, asset_id, CASE kind WHEN 'in' THEN amount
            WHEN 'failed' THEN 0 ELSE -amount END AS amount, 'transfer' AS kind, CASE kind
            WHEN 'own' THEN (SELECT address_id FROM own w
                WHERE w.kind = 'address' AND w.n = 1 + a.wallet % 8)
            ELSE counterparty_id END AS counterparty_id, 1 AS place
        FROM asset a
        UNION ALL
        SELECT id, timestamp, (SELECT w.id FROM own w
            WHERE w.kind = 'address' AND w.n = 1 + a.wallet % 8), asset_id, amount, 'transfer',
            address_id, 2 FROM asset a WHERE kind = 'own'
        UNION ALL
        SELECT id, timestamp, wallet_id, other_id, amount * 3, 'transfer', counterparty_id, 2
        FROM asset WHERE kind = 'swap'
        UNION ALL
        SELECT a.id, timestamp, wallet_id, asset_id, -amount / 2, 'transfer', address.id, 2 + k
        FROM asset a, generate_series(1, 2) k
        JOIN address ON true WHERE a.kind = 'batch'
            AND address.n = 1 + (a.party + k * 31) % {addresses}
        UNION ALL
        SELECT id, timestamp, wallet_id, native_id, -round((pg_temp.r(n, 20) / 100)::numeric, 9)
            - 0.000000001, 'fee', NULL, 9
        FROM asset WHERE kind <> 'in'
        UNION ALL
        SELECT p.id, timestamp, own.id, CASE side WHEN 1 THEN coin.id ELSE eur.id END,
            CASE side WHEN 1 THEN amount WHEN 2 THEN -amount * 20 ELSE -0.01 - amount / 100 END,
            CASE side WHEN 3 THEN 'fee' ELSE 'transfer' END, NULL, side
        FROM plan p JOIN own ON own.kind = 'exchange' AND own.n = 1 + p.wallet % 4
        JOIN transactions_wallet w ON w.id = own.id
        JOIN coin ON coin.network = w.venue AND coin.n = 1 + p.token % 8
        JOIN transactions_asset eur ON eur.kind = 'fiat', generate_series(1, 3) side
        WHERE p.kind = 'trade'
    )
    INSERT INTO transactions_entry (transaction_id, timestamp, wallet_id, asset_id, amount, kind,
        counterparty_id, ordinal)
    SELECT id, timestamp, wallet_id, asset_id, trim_scale(amount), kind, counterparty_id, 0
    FROM movement ORDER BY id, place;
"""
LABELS = """
    INSERT INTO transactions_transactionlabel (transaction_id, label_id)
    SELECT DISTINCT p.id, label.id FROM plan p, generate_series(1, 2) k
    JOIN label ON true WHERE label.n = pg_temp.z(p.n, 30 + k, 40)
        AND pg_temp.r(p.n, 33) < CASE k WHEN 1 THEN 0.4 ELSE 0.08 END
    UNION ALL
    SELECT p.id, label.id FROM plan p JOIN label ON label.n = 41
    WHERE p.n % {rare} = {rare} / 2
    ORDER BY 1, 2;
"""
# Row by row the checks of references and indexes take longest; over all rows at once they are
# quick, so all are taken off but the primary keys, and put on again. Nobody sees anything of it
# before the commit.
CONSTRAINTS = """
    SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
    FROM pg_constraint WHERE contype IN ('f', 'u')
        AND conrelid = ANY (SELECT unnest(%s::text[])::regclass)
    ORDER BY contype = 'f', 1, 2
"""
INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = ANY (SELECT unnest(%s::text[])::regclass)
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    ORDER BY 1
"""
# Entry by entry what follows would be counted without an index; all at once it is quick too.
KEPT = """
    ALTER TABLE transactions_entry {do} TRIGGER keep_balances_insert;
    ALTER TABLE transactions_entry {do} TRIGGER keep_sums_insert;
    ALTER TABLE transactions_balance {do} TRIGGER protect_balances;
    ALTER TABLE transactions_entrysum {do} TRIGGER protect_sums
"""
BALANCES = """
    INSERT INTO transactions_balance (wallet_id, asset_id, amount, count)
    SELECT wallet_id, asset_id, sum(amount), count(DISTINCT transaction_id)
    FROM transactions_entry GROUP BY wallet_id, asset_id ORDER BY wallet_id, asset_id
"""
SUMS = """
    INSERT INTO transactions_entrysum (transaction_id, asset_id, kind, amount, timestamp)
    SELECT transaction_id, asset_id, kind, sum(amount), min(timestamp)
    FROM transactions_entry GROUP BY transaction_id, asset_id, kind HAVING count(*) > 1
    ORDER BY transaction_id, asset_id, kind
"""
# Of this transaction alone: sorts of a million rows stay in memory.
SETTINGS = """
    SET LOCAL work_mem = '256MB'; SET LOCAL maintenance_work_mem = '512MB'; SET LOCAL jit = off
"""


class Command(BaseCommand):
    help = "Makes a realistic synthetic ledger, for demos and benchmarks, in an empty database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--transactions", type=int, required=True, metavar="N")
        parser.add_argument("--seed", type=int, default=1, metavar="S")

    def handle(self, *args: Any, **options: Any) -> None:
        count, seed = options["transactions"], options["seed"]
        if not 1 <= count <= MAX:
            raise CommandError(f"--transactions is from 1 to {MAX:,}.")
        if Transaction.objects.exists():
            raise CommandError("There are transactions already. Use an empty database.")
        with transaction.atomic(), connection.cursor() as cursor:
            make(cursor, count, seed)
        with connection.cursor() as cursor:
            for table in (*LOADED, *BESIDE):
                cursor.execute(f"ANALYZE {table}")
        self.stdout.write(f"{count:,} transactions of seed {seed}")


def make(cursor: CursorWrapper, count: int, seed: int) -> None:
    """The same ledger for the same count and seed."""
    numbers = {
        "count": count,
        "seed": int(seed),
        "addresses": max(100, min(50_000, count // 5)),
        "twelfth": max(1, count // 12),
        "rare": min(12_000, count),
    }
    cursor.execute(SETTINGS)
    for script in (PEOPLE, ASSETS, PLAN, TRANSACTIONS, ENTRIES, LABELS):
        if script is PEOPLE:
            cursor.execute(FUNCTIONS.format(**numbers))
        if script is TRANSACTIONS:
            check_foreign_keys(cursor)  # or the tables could not be altered
            cursor.execute("ANALYZE plan, own, token, coin, address, label")
            put_back = take_off(cursor)
            cursor.execute(KEPT.format(do="DISABLE"))
        cursor.execute(script.format(**numbers))
    for statement in put_back:
        cursor.execute(statement)
    cursor.execute(BALANCES)
    cursor.execute(SUMS)
    check_foreign_keys(cursor)
    cursor.execute(KEPT.format(do="ENABLE"))


def take_off(cursor: CursorWrapper) -> list[str]:
    """Takes constraints and indexes off the tables that are filled; what puts them back."""
    cursor.execute(CONSTRAINTS, [list(LOADED)])
    constraints = cursor.fetchall()
    cursor.execute(INDEXES, [list(LOADED)])
    indexes = cursor.fetchall()
    for table, name, _ in reversed(constraints):  # references before what they refer to
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    return [definition for _, definition in indexes] + [
        f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"
        for table, name, definition in constraints
    ]
