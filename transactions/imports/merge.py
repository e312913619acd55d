"""Merges what a file says into the ledger, in SQL over the staged tables, never a query a row.

What is decided here depends on the lines alone, not on their order: whichever of several files
comes first, the ledger is the same in the end. Statuses rank pending, ok, failed; the earliest
confirmed time, the lowest block and the alphabetically last text win; entries are united, where
identical movements of one file are numbered. What a person has edited is never overwritten.

People's edits wait for none of it: rows that exist are locked only where they really change,
and last of all.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.db.backends.utils import CursorWrapper

from contacts.forms import MAX_NOTE
from transactions.imports.entries import (
    ADD_ENTRIES,
    COVER,
    MIXED,
    NUMBER,
    SYMBOLS,
    TOLD_ENTRIES,
    TOLD_FEES,
)
from transactions.imports.fiat import FIAT_CODES
from transactions.imports.labels import notes_that_waited, waiting_for_new
from transactions.imports.progress import Step
from transactions.imports.scripts import run
from transactions.models import FIAT, MAX_DECIMALS, MAX_INTEGER_DIGITS, Status, TransactionType

OnStep = Callable[[Step], None]
# Any number, the same in every process of this project.
IMPORT_LOCK = 7_290_131
STATUSES_BY_RANK = [Status.PENDING, Status.OK, Status.FAILED]

PARAMETERS: dict[str, Any] = {
    "batch": None,
    "fiat_codes": list(FIAT_CODES),
    "fiat": FIAT,
    "statuses": [str(status) for status in STATUSES_BY_RANK],
    "types": list(TransactionType.values),
    "largest": f"1e{MAX_INTEGER_DIGITS}",
    "decimals": MAX_DECIMALS,
    "longest": MAX_NOTE,
    # As the constraints on names have it.
    "name": r"^[^[:cntrl:][:space:]]([^[:cntrl:]]*[^[:cntrl:][:space:]])?$",
}

# Formats refuse all of these themselves; a line that slips through must not stop the others. The
# few that are refused are found first, so that not every line is joined to itself.
REFUSE_LINES = """
    WITH told AS MATERIALIZED (
        SELECT l.line, CASE
            WHEN l.network IS NULL AND EXISTS (
                SELECT FROM transactions_wallet known
                WHERE known.kind = 'address' AND known.name <> ''
                    AND lower(known.name) = lower(w.name)
            ) THEN 'The wallet is an address on a chain: write the address, and its network.'
            WHEN (l.network IS NULL) <> (l.txid IS NULL)
                OR (l.network IS NULL) = (l.external_id IS NULL)
                THEN 'The line is known neither by network and hash nor by an id of its source.'
            WHEN l.network IS NOT NULL AND l.family IS NULL
                THEN 'The network ' || l.network || ' is not known.'
            WHEN l.txid !~ '^[!-~]+$' OR length(l.txid) > 128
                THEN 'The hash has a space in it or more than 128 characters.'
            WHEN length(l.external_id) > 200 THEN 'The id has more than 200 characters.'
            WHEN l.status <> ALL (%(statuses)s) THEN 'The status ' || l.status || ' is not known.'
            WHEN l.type <> '' AND l.type <> ALL (%(types)s)
                THEN 'The type ' || l.type || ' is not known.'
            WHEN length(l.method) > 200 THEN 'The method has more than 200 characters.'
            WHEN length(l.note) > 10000 THEN 'The note has more than 10,000 characters.'
            WHEN l.block NOT BETWEEN 0 AND 9223372036854775807
                THEN 'The block number does not fit.'
            WHEN l.contact <> '' AND (l.contact !~ %(name)s OR length(l.contact) > 200)
                THEN 'The contact is not one line of at most 200 characters.'
            WHEN EXISTS (
                SELECT FROM unnest(l.labels) name WHERE name !~ %(name)s OR length(name) > 100
            ) THEN 'A label is not one line of at most 100 characters.'
            ELSE w.reason
        END AS reason
        FROM staged_line l LEFT JOIN staged_wallet w ON w.number = l.wallet
        WHERE l.reason IS NULL
    ), refused AS MATERIALIZED (
        SELECT line, reason FROM told WHERE reason IS NOT NULL
    )
    UPDATE staged_line SET reason = refused.reason FROM refused
    WHERE refused.line = staged_line.line
"""
REFUSE_MOVEMENTS = """
    WITH told AS MATERIALIZED (
        SELECT m.line, CASE
            WHEN abs(m.amount) >= %(largest)s::numeric OR min_scale(m.amount) > %(decimals)s
                THEN 'The amount ' || left(m.amount::text, 40) || ' has too many digits.'
            WHEN m.kind = 'fee' AND (m.amount > 0 OR m.counterparty <> '')
                THEN 'A fee is negative or zero, and goes to nobody in particular.'
            WHEN m.kind <> 'fee' AND m.amount <> 0 AND l.status = 'failed'
                THEN 'A failed transaction moves nothing but its fee.'
            WHEN w.reason IS NOT NULL THEN w.reason
            WHEN m.asset_kind <> 'code' AND l.network IS NULL
                THEN 'A coin or token needs a network.'
            WHEN (m.asset_kind = 'native') <> (m.code = '')
                OR (m.asset_kind = 'nft') <> (m.token_id <> '')
                OR length(m.code) > 128 OR length(m.token_id) > 80
                THEN 'The asset is not named by what identifies it.'
            WHEN length(m.symbol) > 100 OR length(m.name) > 200
                THEN 'The asset''s symbol or name is too long.'
            WHEN m.counterparty <> '' AND l.family IS NULL
                THEN 'An address needs a network.'
            WHEN m.counterparty !~ '^[!-~]*$' OR length(m.counterparty) > 128
                OR l.family = 'evm' AND m.counterparty <> ''
                AND (length(m.counterparty) <> 42 OR m.counterparty !~ '^0x[0-9a-f]+$')
                THEN 'The counterparty is not an address.'
        END AS reason
        FROM staged_movement m JOIN staged_line l USING (line)
        LEFT JOIN staged_wallet w ON w.number = m.wallet
        WHERE l.reason IS NULL
    ), refused AS MATERIALIZED (
        SELECT line, reason FROM told WHERE reason IS NOT NULL
    )
    UPDATE staged_line SET reason = refused.reason FROM refused
    WHERE refused.line = staged_line.line
"""

# What comes into being beside transactions, so that it can go with them again.
MADE = """
    CREATE TEMP TABLE made (name text, id bigint) ON COMMIT DROP;
"""
# What the file calls wallets of addresses, where nothing else is called so: those that come into
# being, and those that had no name.
NAME_WALLETS = """
    CREATE TEMP TABLE free_name ON COMMIT DROP AS
    SELECT DISTINCT ON (lower(told.name)) w.number, w.family, w.address, told.name, told.line
    FROM staged_wallet_name told JOIN staged_wallet w ON w.number = told.wallet
    WHERE w.address <> '' AND told.name ~ %(name)s AND length(told.name) <= 200 AND NOT EXISTS (
        SELECT FROM transactions_wallet known WHERE lower(known.name) = lower(told.name)
    ) AND NOT EXISTS (
        SELECT FROM staged_wallet other WHERE lower(other.name) = lower(told.name)
    )
    ORDER BY lower(told.name), told.line;

    CREATE TEMP TABLE named_wallet ON COMMIT DROP AS
    SELECT known.id, told.name, told.line
    FROM free_name told JOIN contacts_address a ON (a.family, a.value) = (told.family, told.address)
    JOIN transactions_wallet known ON known.address_id = a.id AND known.name = '';
"""
WALLET_NAME_CHANGES = """
    INSERT INTO told_change
    SELECT line, 1400, 'calls the wallet “' || name || '”', 'adds' FROM named_wallet;

    INSERT INTO told_change
    SELECT told.line, 3004, concat('the wallet is not called “', told.name, '”, since ',
        CASE WHEN known.name <> '' THEN 'its name is “' || known.name || '”'
            ELSE 'another has that name' END), 'known'
    FROM staged_wallet_name told JOIN staged_wallet w ON w.number = told.wallet
    JOIN transactions_wallet known ON known.id = w.id
    WHERE lower(known.name) <> lower(told.name)
        AND NOT EXISTS (SELECT FROM named_wallet WHERE named_wallet.id = known.id);
"""
# Wallets, addresses and assets come into being. A row that is there already is not touched.
ADD_WALLETS = """
    -- A name that no wallet bears any more is what files called one before it was renamed, also
    -- those that were taken back since.
    WITH known AS (
        SELECT DISTINCT ON (old.key) old.key, wallet.name
        FROM transactions_importbatch b, jsonb_each_text(b.names -> 'wallet') old (key, id)
        JOIN transactions_wallet wallet ON wallet.id = old.id::bigint
        WHERE wallet.name <> '' AND old.key IN (SELECT lower(name) FROM staged_wallet)
        ORDER BY old.key, b.id DESC
    )
    UPDATE staged_wallet w SET name = known.name FROM known
    WHERE lower(w.name) = known.key AND NOT EXISTS (
        SELECT FROM transactions_wallet bears WHERE lower(bears.name) = known.key
    );

    DELETE FROM staged_wallet w
    WHERE NOT EXISTS (SELECT FROM staged_line l WHERE l.wallet = w.number AND l.reason IS NULL)
        AND NOT EXISTS (
            SELECT FROM staged_movement m JOIN staged_line l USING (line)
            WHERE m.wallet = w.number AND l.reason IS NULL
        );

    WITH made AS (
        INSERT INTO contacts_address (family, value, version)
        SELECT DISTINCT family, address, 1 FROM staged_wallet WHERE address <> ''
        ON CONFLICT (family, value) DO NOTHING
        RETURNING id
    )
    INSERT INTO pg_temp.made SELECT 'address', id FROM made;

    WITH made AS (
        INSERT INTO transactions_wallet (kind, name, address_id, venue, version)
        SELECT DISTINCT ON (a.id) 'address', coalesce(told.name, ''), a.id, '', 1
        FROM staged_wallet w JOIN contacts_address a ON (a.family, a.value) = (w.family, w.address)
        LEFT JOIN free_name told ON told.number = w.number
        WHERE NOT EXISTS (SELECT FROM transactions_wallet known WHERE known.address_id = a.id)
        ON CONFLICT (address_id) DO NOTHING
        RETURNING id
    )
    INSERT INTO pg_temp.made SELECT 'wallet', id FROM made;

    WITH made AS (
    INSERT INTO transactions_wallet (kind, name, venue, version)
    SELECT CASE WHEN bool_and(family <> '') THEN 'hd' ELSE 'exchange' END,
        min(name COLLATE "C"), min(slug), 1
    FROM staged_wallet w WHERE name <> '' AND NOT EXISTS (
        SELECT FROM transactions_wallet known WHERE lower(known.name) = lower(w.name)
    )
    GROUP BY lower(name)
    ON CONFLICT (lower(name)) WHERE name <> '' DO NOTHING
    RETURNING id
    )
    INSERT INTO pg_temp.made SELECT 'wallet', id FROM made;

    UPDATE staged_wallet w SET id = known.id, venue = nullif(known.venue, '')
    FROM transactions_wallet known LEFT JOIN contacts_address a ON a.id = known.address_id
    WHERE (a.family, a.value) = (w.family, w.address)
        OR w.name <> '' AND lower(known.name) = lower(w.name);
"""
# A code is of the network that its line names, where a token can be called as a currency is, else
# of the account's venue.
TOLD_MOVEMENTS = """
    CREATE TEMP TABLE told_movement ON COMMIT DROP AS
    SELECT m.line, m.position, trim_scale(m.amount) AS amount, m.kind, w.id AS wallet_id,
        l.family, nullif(m.counterparty, '') AS counterparty, m.symbol, m.name, m.token_id,
        m.is_whole,
        CASE WHEN m.asset_kind <> 'code' THEN m.asset_kind
            WHEN l.network IS NULL AND upper(m.code) = ANY (%(fiat_codes)s)
                THEN 'fiat' ELSE 'exchange' END AS asset_kind,
        CASE WHEN m.asset_kind <> 'code' THEN l.network
            WHEN l.network IS NULL AND upper(m.code) = ANY (%(fiat_codes)s) THEN %(fiat)s
            ELSE coalesce(l.network, w.venue, w.slug) END AS network,
        CASE WHEN m.asset_kind <> 'code' THEN m.code ELSE upper(m.code) END AS code
    FROM staged_movement m JOIN staged_line l USING (line)
        JOIN staged_wallet w ON w.number = m.wallet
    WHERE l.reason IS NULL;
    ANALYZE told_movement;
"""
# A token without a symbol is called by its contract, until a file knows better.
ADD_ASSETS = """
    CREATE TEMP TABLE told_name ON COMMIT DROP AS
    SELECT DISTINCT asset_kind AS kind, network, code, token_id, name,
        coalesce(nullif(symbol, left(code, 6) || '…' || right(code, 4)), '') AS symbol
    FROM told_movement;

    CREATE TEMP TABLE told_asset ON COMMIT DROP AS
    SELECT kind, network, code, token_id, max(name COLLATE "C") AS name,
        max(nullif(symbol, '') COLLATE "C") AS symbol
    FROM told_name GROUP BY kind, network, code, token_id;

    -- Symbols of tokens that were there already, which no file has told yet.
    CREATE TEMP TABLE new_symbol ON COMMIT DROP AS
    SELECT DISTINCT a.id AS asset_id, upper(told.symbol) || {NUMBER} AS code
    FROM told_name told JOIN transactions_asset a ON (a.network, a.code, a.token_id, a.kind)
        = (told.network, told.code, told.token_id, told.kind)
    WHERE a.kind IN ('token', 'nft') AND told.symbol <> '' AND NOT EXISTS (
        SELECT FROM ({SYMBOLS}) known
        WHERE known.asset_id = a.id AND known.code = upper(told.symbol) || {NUMBER}
    );

    WITH made AS (
    INSERT INTO transactions_asset
        (kind, network, code, token_id, symbol, name, is_edited, version)
    SELECT kind, network, code, token_id, coalesce(
        nullif(symbol, ''),
        CASE WHEN length(code) > 11 THEN left(code, 6) || '…' || right(code, 4) ELSE code END
    ), name, false, 1
    FROM told_asset told WHERE NOT EXISTS (
        SELECT FROM transactions_asset known
        WHERE (known.network, known.code, known.token_id, known.kind)
            = (told.network, told.code, told.token_id, told.kind)
    )
    ON CONFLICT (network, code, token_id, kind) DO NOTHING
    RETURNING id
    )
    INSERT INTO pg_temp.made SELECT 'asset', id FROM made;

    INSERT INTO transactions_toldasset (batch_id, asset_id, symbol, name)
    SELECT %(batch)s::bigint, a.id, told.symbol, told.name
    FROM told_name told JOIN transactions_asset a ON (a.network, a.code, a.token_id, a.kind)
        = (told.network, told.code, told.token_id, told.kind)
    WHERE %(batch)s::bigint IS NOT NULL AND (told.symbol <> '' OR told.name <> '')
    ON CONFLICT DO NOTHING;

    -- What is called otherwise from now on, since the files' names make one.
    CREATE TEMP TABLE renamed ON COMMIT DROP AS
    SELECT known.id, known.symbol AS old_symbol, better.symbol, better.name,
        known.symbol = left(known.code, 6) || '…' || right(known.code, 4) AS was_nameless
    FROM transactions_asset known JOIN (
        SELECT a.id, greatest(a.name COLLATE "C", told.name) AS name, coalesce(greatest(
            nullif(a.symbol, left(a.code, 6) || '…' || right(a.code, 4)) COLLATE "C",
            nullif(told.symbol, '')
        ), a.symbol) AS symbol
        FROM told_asset told JOIN transactions_asset a
            ON (a.network, a.code, a.token_id, a.kind)
                = (told.network, told.code, told.token_id, told.kind)
    ) better USING (id)
    WHERE NOT known.is_edited
        AND (known.symbol, known.name) IS DISTINCT FROM (better.symbol, better.name);

    UPDATE transactions_asset known SET symbol = renamed.symbol, name = renamed.name
    FROM renamed WHERE known.id = renamed.id;
""".replace("{SYMBOLS}", SYMBOLS).replace("{NUMBER}", NUMBER)
ADD_ADDRESSES = """
    WITH made AS (
    INSERT INTO contacts_address (family, value, version)
    SELECT family, counterparty, 1
    FROM (
        SELECT DISTINCT family, counterparty FROM told_movement WHERE counterparty IS NOT NULL
    ) told
    WHERE NOT EXISTS (
        SELECT FROM contacts_address known
        WHERE (known.family, known.value) = (told.family, told.counterparty)
    )
    ON CONFLICT (family, value) DO NOTHING
    RETURNING id
    )
    INSERT INTO pg_temp.made SELECT 'address', id FROM made;
"""

# Each line with its transaction: `number` within the file, and the ledger's id where it is known.
TOLD_LINES = """
    CREATE TEMP TABLE told_line ON COMMIT DROP AS
    SELECT l.line, l.network, l.txid, l.external_id, l.timestamp, l.status, l.type, l.method,
        l.block::bigint AS block, l.note, l.contact, l.labels,
        CASE WHEN l.network IS NULL THEN w.id END AS source_wallet_id,
        coalesce(on_chain.id, off_chain.id) AS known_id,
        dense_rank() OVER (ORDER BY l.network COLLATE "C", l.txid COLLATE "C",
            CASE WHEN l.network IS NULL THEN w.id END, l.external_id COLLATE "C") AS number
    FROM staged_line l JOIN staged_wallet w ON w.number = l.wallet
    LEFT JOIN transactions_transaction on_chain
        ON on_chain.network = l.network AND on_chain.txid = l.txid
    LEFT JOIN transactions_transaction off_chain
        ON off_chain.source_wallet_id = w.id AND off_chain.external_id = l.external_id
        AND l.network IS NULL
    WHERE l.reason IS NULL;
    ANALYZE told_line;
"""
# Fees do not make a type. One asset's movements add up over all wallets, so what only went from
# one of ours to another is `self`, and so is a zero one whose other side is a wallet of the
# transaction; whether an address is a wallet of another transaction must not matter.
TYPES = """
    WITH entry AS (
        {ENTRIES}
    ), net AS (
        SELECT transaction_id, asset_id, sum(amount) FILTER (WHERE kind = 'transfer') AS amount,
            coalesce(bool_or(amount <> 0) FILTER (WHERE kind = 'transfer'), false) AS has_moved
        FROM entry GROUP BY transaction_id, asset_id
    ), shape AS (
        SELECT transaction_id, bool_or(amount > 0) AS has_in, bool_or(amount < 0) AS has_out,
            bool_or(has_moved) AS has_moved
        FROM net GROUP BY transaction_id
    ), own AS (
        SELECT DISTINCT seen.transaction_id FROM entry seen
        JOIN transactions_wallet w ON w.address_id = seen.counterparty_id
        JOIN entry ours ON ours.transaction_id = seen.transaction_id AND ours.wallet_id = w.id
        WHERE seen.kind = 'transfer' AND seen.amount = 0
    )
    SELECT transaction_id, CASE
        WHEN has_in AND has_out THEN 'trade' WHEN has_in THEN 'receive' WHEN has_out THEN 'send'
        WHEN has_moved OR own.transaction_id IS NOT NULL THEN 'self' ELSE 'call' END AS type
    FROM shape LEFT JOIN own USING (transaction_id)
"""
# A type that the file's own movements make as well is no more than they tell: another file can tell
# the other side of them.
PLAIN_TYPES = """
    CREATE TEMP TABLE plain ON COMMIT DROP AS
        SELECT DISTINCT number FROM told_line
        WHERE type IN ('send', 'receive', 'self', 'trade', 'call');
    ANALYZE plain;
    CREATE TEMP TABLE plain_entry ON COMMIT DROP AS
        SELECT l.number AS transaction_id, m.wallet_id, a.id AS asset_id,
            c.id AS counterparty_id, m.kind,
            CASE WHEN l.status = 'failed' THEN 0 ELSE m.amount END AS amount
        FROM plain JOIN told_line l USING (number) JOIN told_movement m USING (line)
        JOIN transactions_asset a ON a.network = m.network AND a.code = m.code
            AND a.token_id = m.token_id AND a.kind = m.asset_kind
        LEFT JOIN contacts_address c ON c.family = m.family AND c.value = m.counterparty;
    ANALYZE plain_entry;
    CREATE TEMP TABLE plain_type ON COMMIT DROP AS {TYPES};
    ANALYZE plain_type;
    UPDATE told_line l SET type = ''
    FROM plain LEFT JOIN plain_type made ON made.transaction_id = plain.number
    WHERE l.number = plain.number AND l.type = coalesce(made.type, 'call');
""".replace("{TYPES}", TYPES.replace("{ENTRIES}", "SELECT * FROM plain_entry"))
# What a person wrote in a wallet (BIP-329) stays below the note of the files.
RECORD_NOTES = """
    CREATE TEMP TABLE record_note (id bigint, note text) ON COMMIT DROP;
"""
KNOWN = "(SELECT known_id AS id FROM told_line) known"
ADD_RECORD_NOTE = "INSERT INTO record_note VALUES (%s, %s)"
# The least of these is the time that counts: the earliest, where a source without seconds yields to
# one of the same minute that has them.
EXACT = """ARRAY[date_trunc('minute', {0}), CASE WHEN date_trunc('minute', {0}) = {0}
    THEN 'infinity' ELSE {0} END, {0}]"""
# Each transaction as it is to be, beside what the ledger has of it (`old_…`).
TOLD_TRANSACTIONS = """
    CREATE TEMP TABLE settled_transaction ON COMMIT DROP AS
    WITH told AS (
        SELECT number, min(known_id) AS known_id, min(network) AS network, min(txid) AS txid,
            min(source_wallet_id) AS source_wallet_id, min(external_id) AS external_id,
            max(array_position(%(statuses)s::text[], status)) AS status_rank,
            min(timestamp) AS seen_at,
            min({EXACT}) FILTER (WHERE status <> 'pending') AS confirmed_at,
            min(block) AS block, max(method COLLATE "C") AS method, max(note COLLATE "C") AS note,
            min(array_position(%(types)s::text[], nullif(type, ''))) AS type_rank,
            (max(ARRAY[lower(contact), contact] COLLATE "C") FILTER (WHERE contact <> ''))[2]
                COLLATE "default" AS contact
        FROM told_line GROUP BY number
    ), settled AS (
        SELECT told.number, told.known_id, told.network, told.txid, told.source_wallet_id,
            told.external_id, t.timestamp AS old_timestamp, t.status AS old_status,
            t.block AS old_block, t.method AS old_method, t.note AS old_note, t.type AS old_type,
            contact.name AS old_contact, coalesce(t.is_edited, false) AS is_edited,
            (%(statuses)s::text[])[greatest(
                told.status_rank, array_position(%(statuses)s::text[], t.status::text)
            )] AS status,
            CASE
                WHEN t.id IS NULL THEN coalesce(told.confirmed_at[3], told.seen_at)
                WHEN t.status <> 'pending' THEN (least({OLD_EXACT}, told.confirmed_at))[3]
                ELSE coalesce(told.confirmed_at[3], least(t.timestamp, told.seen_at))
            END AS timestamp,
            least(t.block, told.block) AS block,
            greatest(t.method COLLATE "C", told.method) AS method,
            CASE WHEN t.is_edited THEN t.note ELSE greatest(CASE
                WHEN t.note = record.note THEN ''
                WHEN right(t.note, length(record.note) + 1) = E'\\n' || record.note
                    THEN left(t.note, -length(record.note) - 1)
                ELSE t.note
            END COLLATE "C", nullif(told.note, record.note)) END AS told_note,
            record.note AS record_note,
            CASE WHEN t.is_edited OR lower(contact.name) COLLATE "C" >= lower(told.contact)
                THEN NULL ELSE told.contact END AS new_contact,
            (%(types)s::text[])[least(
                told.type_rank,
                CASE WHEN t.is_type_told THEN array_position(%(types)s::text[], t.type::text) END
            )] AS told_type
        FROM told LEFT JOIN transactions_transaction t ON t.id = told.known_id
        LEFT JOIN contacts_contact contact ON contact.id = t.contact_id
        LEFT JOIN record_note record ON record.id = t.id
    )
    SELECT settled.*, CASE
        WHEN record_note IS NULL THEN told_note
        WHEN strpos(E'\\n' || record_note || E'\\n', E'\\n' || told_note || E'\\n') > 0
            OR told_note = '' THEN record_note
        WHEN strpos(E'\\n' || told_note || E'\\n', E'\\n' || record_note || E'\\n') > 0
            OR length(told_note) + length(record_note) >= %(longest)s THEN told_note
        ELSE told_note || E'\\n' || record_note
    END AS note, coalesce(
        known_id, nextval(pg_get_serial_sequence('transactions_transaction', 'id'))
    ) AS id
    FROM (SELECT * FROM settled ORDER BY timestamp, number) settled;
    ANALYZE settled_transaction;
""".replace("{EXACT}", EXACT.format("timestamp")).replace(
    "{OLD_EXACT}", EXACT.format("t.timestamp")
)
TOLD_TYPES = """
    CREATE TEMP TABLE told_type ON COMMIT DROP AS
    {TYPES};

    -- Written anew, which takes less than to change every row.
    CREATE TEMP TABLE told_transaction ON COMMIT DROP AS
    SELECT t.*, coalesce(t.told_type, told_type.type, t.old_type, 'call') AS type
    FROM settled_transaction t LEFT JOIN told_type ON told_type.transaction_id = t.id
    ORDER BY t.id;
    ANALYZE told_transaction;
""".replace(
    "{TYPES}",
    TYPES.replace(
        "{ENTRIES}",
        """
        SELECT transaction_id, wallet_id, asset_id, counterparty_id, kind, amount FROM told_entry
        UNION ALL
        SELECT transaction_id, wallet_id, asset_id, counterparty_id, kind, amount
        FROM transactions_entry WHERE transaction_id IN (
            SELECT known_id FROM told_entry WHERE known_id IS NOT NULL
        )
        """,
    ),
)
# Of transactions that the file does not tell of, but whose entries follow otherwise from what it
# calls a token.
OTHER_TYPES = """
    UPDATE transactions_transaction t SET type = found.type FROM ({TYPES}) found
    WHERE t.id = found.transaction_id AND NOT t.is_type_told AND t.type <> found.type;
""".replace(
    "{TYPES}",
    TYPES.replace(
        "{ENTRIES}",
        """
        SELECT transaction_id, wallet_id, asset_id, counterparty_id, kind, amount
        FROM transactions_entry
        WHERE transaction_id IN (
            SELECT transaction_id FROM covered
            UNION SELECT transaction_id FROM told_entry WHERE line IS NULL
        )
        """,
    ),
)
ADD_LABELS = """
    CREATE TEMP TABLE told_label ON COMMIT DROP AS
    SELECT t.id AS transaction_id, t.known_id, lower(told.name) AS key, min(l.line) AS line,
        min(told.name COLLATE "C") AS name
    FROM told_line l JOIN told_transaction t USING (number), unnest(l.labels) told (name)
    WHERE l.labels <> '{}' AND NOT EXISTS (
        SELECT FROM transactions_transactionlabel known
        JOIN transactions_label label ON label.id = known.label_id
        WHERE known.transaction_id = t.known_id AND lower(label.name) = lower(told.name)
    ) AND NOT EXISTS (
        SELECT FROM transactions_takenofflabel gone
        JOIN transactions_label label ON label.id = gone.label_id
        WHERE gone.transaction_id = t.known_id AND lower(label.name) = lower(told.name)
    ) AND NOT EXISTS (
        -- This very line has brought its labels before: one that is missing was deleted.
        SELECT FROM transactions_importline brought JOIN staged_line s ON s.raw = brought.raw
        JOIN transactions_importbatch batch ON batch.id = brought.batch_id
        WHERE brought.transaction_id = t.known_id AND s.line = l.line
            AND brought.outcome <> 'rejected' AND batch.status = 'imported'
    )
    GROUP BY t.id, t.known_id, lower(told.name);

    WITH made AS (
    INSERT INTO transactions_label (name, colour, description, version)
    SELECT min(told.name COLLATE "C"), coalesce(nullif(min(look.colour), ''), 'grey'),
        coalesce(min(look.description), ''), 1
    FROM told_label told LEFT JOIN staged_look look ON lower(look.name) = told.key
    WHERE NOT EXISTS (SELECT FROM transactions_label known WHERE lower(known.name) = told.key)
    GROUP BY key
    ON CONFLICT (lower(name)) DO NOTHING
    RETURNING id
    )
    INSERT INTO pg_temp.made SELECT 'label', id FROM made;
"""
ADD_CONTACTS = """
    WITH made AS (
    INSERT INTO contacts_contact (name, note, version)
    SELECT min(new_contact COLLATE "C"), '', 1 FROM told_transaction t
    WHERE new_contact IS NOT NULL AND NOT EXISTS (
        SELECT FROM contacts_contact known WHERE lower(known.name) = lower(t.new_contact)
    )
    GROUP BY lower(new_contact)
    ON CONFLICT (lower(name)) DO NOTHING
    RETURNING id
    )
    INSERT INTO pg_temp.made SELECT 'contact', id FROM made;
"""

ADD_TRANSACTIONS = """
    INSERT INTO transactions_transaction (id, network, txid, source_wallet_id, external_id,
        timestamp, status, type, is_type_told, method, block, note, contact_id, is_edited, version)
    SELECT t.id, t.network, t.txid, t.source_wallet_id, t.external_id, t.timestamp, t.status,
        t.type, t.told_type IS NOT NULL, t.method, t.block, t.note, contact.id, false, 1
    FROM told_transaction t
    LEFT JOIN contacts_contact contact ON lower(contact.name) = lower(t.new_contact)
    WHERE t.known_id IS NULL
    ORDER BY t.id;
"""
# What each line brings, and what that changes of a known transaction, told at the first line.
ENTRY_CHANGES = """
    CREATE INDEX IF NOT EXISTS told_entry_line ON told_entry (line);

    CREATE TEMP TABLE told_change (line integer, position integer, text text, outcome text)
        ON COMMIT DROP;

    INSERT INTO told_change
    SELECT e.line, e.position, concat(CASE WHEN e.known_id IS NOT NULL THEN 'adds ' END,
        CASE WHEN e.kind = 'fee' THEN 'fee ' END,
        CASE WHEN e.amount > 0 THEN '+' END, replace(e.amount::text, '-', '−'), ' ', a.symbol,
        CASE WHEN c.id IS NOT NULL THEN concat(
            CASE WHEN e.amount < 0 THEN ' to ' WHEN e.amount > 0 THEN ' from ' ELSE ' with ' END,
            CASE WHEN length(c.value) > 11 THEN left(c.value, 6) || '…' || right(c.value, 4)
                ELSE c.value END
        ) END), 'adds'
    FROM told_entry e JOIN transactions_asset a ON a.id = e.asset_id
    LEFT JOIN contacts_address c ON c.id = e.counterparty_id
    WHERE e.line IS NOT NULL;

    INSERT INTO told_change
    SELECT line, 1001, concat('takes the place of ', CASE WHEN amount > 0 THEN '+' END,
        replace(amount::text, '-', '−'), ' ', what), 'changed'
    FROM (
        -- Of transactions that the file does not tell of, what it calls a token says so.
        SELECT c.*, coalesce(by_line, (
            SELECT min(m.line) FROM told_movement m
            WHERE m.asset_kind = 'token' AND upper(m.symbol) = a.code
        )) AS line
        FROM covered c JOIN transactions_asset a ON a.id = c.asset_id
        WHERE source = 'entry' AND what <> ''
    ) told
    WHERE line IS NOT NULL;

    INSERT INTO told_change
    SELECT min(l.line), 1002, concat('counts ', CASE WHEN u.amount > 0 THEN '+' END,
        replace(u.amount::text, '-', '−'), ' ', a.symbol, ' again, since nothing takes its place'),
        'changed'
    FROM uncovered u JOIN transactions_asset a ON a.id = u.asset_id
    JOIN told_transaction t ON t.id = u.transaction_id JOIN told_line l USING (number)
    GROUP BY u.transaction_id, u.wallet_id, u.asset_id, u.counterparty_id, u.amount, u.ordinal,
        a.symbol;

    INSERT INTO told_change
    SELECT min(l.line), 1003, concat('counts ', CASE WHEN f.amount > 0 THEN '+' END,
        replace(f.amount::text, '-', '−'), ' ', a.symbol, ' no longer, since it failed'), 'changed'
    FROM failed_entry f JOIN transactions_asset a ON a.id = f.asset_id
    JOIN told_transaction t ON t.id = f.transaction_id
    JOIN told_line l ON l.number = t.number AND l.status = 'failed'
    GROUP BY f.id, f.amount, a.symbol;

    INSERT INTO told_change
    SELECT min(m.line), 1500,
        concat('all of ', r.old_symbol, ' is called ', r.symbol, ' from now on'),
        CASE WHEN r.was_nameless THEN 'adds' ELSE 'changed' END
    FROM renamed r JOIN transactions_asset a ON a.id = r.id JOIN told_movement m
        ON (m.network, m.code, m.token_id, m.asset_kind) = (a.network, a.code, a.token_id, a.kind)
        AND m.symbol = r.symbol
    WHERE r.symbol <> r.old_symbol GROUP BY r.id, r.old_symbol, r.symbol, r.was_nameless;

    INSERT INTO told_change
    SELECT line, 2000, 'adds label ' || name, 'adds' FROM told_label WHERE known_id IS NOT NULL;
"""
# For each field: what changes, which lines tell it, in which words, and whether it was blank or
# follows from what is added.
FIELD_CHANGES: list[tuple[str, str, str, str]] = [
    (
        "t.status <> t.old_status",
        "l.status = t.status",
        "false",
        "'status ' || t.old_status || ' → ' || t.status",
    ),
    (
        "t.timestamp <> t.old_timestamp",
        "l.timestamp = t.timestamp",
        "false",
        "'time ' || to_char(t.old_timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' → '"
        " || to_char(t.timestamp AT TIME ZONE 'UTC', CASE"
        " WHEN (t.old_timestamp AT TIME ZONE 'UTC')::date = (t.timestamp AT TIME ZONE 'UTC')::date"
        " THEN 'HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI:SS' END)",
    ),
    (
        "t.block IS DISTINCT FROM t.old_block",
        "l.block = t.block",
        "t.old_block IS NULL",
        "concat(CASE WHEN t.old_block IS NULL THEN 'fills block '"
        " ELSE 'block ' || t.old_block || ' → ' END, t.block)",
    ),
    (
        "t.method <> t.old_method",
        "l.method = t.method",
        "t.old_method = ''",
        "CASE WHEN t.old_method = '' THEN 'fills method ' || t.method"
        " ELSE 'method ' || t.old_method || ' → ' || t.method END",
    ),
    (
        "t.note <> t.old_note",
        "l.note = t.told_note",
        "t.old_note = ''",
        "CASE WHEN t.old_note = '' THEN 'fills the note' ELSE 'changes the note' END",
    ),
    (
        "t.new_contact IS NOT NULL",
        "l.contact = t.new_contact",
        "t.old_contact IS NULL",
        "concat('contact ', t.old_contact || ' → ', t.new_contact)",
    ),
    (
        "t.type <> t.old_type",
        "true",
        "t.told_type IS NULL",
        "'type ' || t.old_type || ' → ' || t.type",
    ),
]
FIELD_CHANGE = """
    INSERT INTO told_change
    SELECT DISTINCT ON (t.id) l.line, 1000, {text},
        CASE WHEN {was_blank} THEN 'adds' ELSE 'changed' END
    FROM told_transaction t JOIN told_line l USING (number)
    WHERE t.known_id IS NOT NULL AND {changes} AND {tells}
    ORDER BY t.id, EXISTS (SELECT FROM told_entry e WHERE e.line = l.line) DESC, l.line
"""
NOT_TAKEN = """
    INSERT INTO told_change
    SELECT line, 1500, concat('fee ', replace(known_amount::text, '-', '−'), ' → ',
        replace(amount::text, '-', '−'), ' ', symbol), 'changed'
    FROM told_fee WHERE is_better AND is_other;

    INSERT INTO told_change
    SELECT line, 3002, concat('the fee ', replace(amount::text, '-', '−'), ' ', symbol,
        ' is not taken, since another source told more: ', replace(known_amount::text, '-', '−')),
        'conflict'
    FROM told_fee WHERE NOT is_better AND is_other AND is_expected <= was_expected;

    INSERT INTO told_change
    SELECT DISTINCT l.line, 3003, 'a source says that this transaction failed, so what this line '
        'moves is not taken', 'conflict'
    FROM told_transaction t JOIN told_line l USING (number) JOIN staged_movement m USING (line)
    WHERE t.status = 'failed' AND l.status = 'ok' AND m.kind = 'transfer' AND m.amount <> 0;

    INSERT INTO told_change
    SELECT l.line, 3000, 'the note is not taken, since a person has edited note or contact',
        'conflict'
    FROM told_transaction t JOIN told_line l USING (number)
    WHERE t.is_edited AND l.note NOT IN ('', t.old_note);

    INSERT INTO told_change
    SELECT l.line, 3001, 'the contact is not taken, since a person has edited note or contact',
        'conflict'
    FROM told_transaction t JOIN told_line l USING (number)
    WHERE t.is_edited AND l.contact <> ''
        AND lower(l.contact) IS DISTINCT FROM lower(t.old_contact);

    ANALYZE told_change;

    -- What was told when this very line came before needs no second look.
    DELETE FROM told_change c USING staged_line s, told_line l
    WHERE c.outcome = 'conflict' AND s.line = c.line AND l.line = c.line AND EXISTS (
        SELECT FROM transactions_importline brought
        JOIN transactions_importbatch batch ON batch.id = brought.batch_id
        WHERE brought.transaction_id = l.known_id AND brought.raw = s.raw
            AND brought.outcome <> 'rejected' AND batch.status = 'imported'
    );
"""
TELL_WAITING = "INSERT INTO told_change VALUES (%s, 2500, %s, 'adds')"
ADD_LINES = """
    INSERT INTO transactions_importline (batch_id, number, outcome, detail, raw, transaction_id)
    SELECT %(batch)s, s.line, CASE
            WHEN s.reason IS NOT NULL THEN 'rejected' WHEN c.outcome = 'conflict' THEN c.outcome
            WHEN t.known_id IS NULL THEN 'new' ELSE coalesce(c.outcome, 'known') END,
        coalesce(s.reason, c.detail, ''), s.raw, coalesce(t.id, l.known_id)
    FROM staged_line s LEFT JOIN told_line l USING (line)
    LEFT JOIN told_transaction t USING (number) LEFT JOIN (
        SELECT line, string_agg(text, '; ' ORDER BY position, text) AS detail,
            (array_agg(outcome ORDER BY array_position(
                ARRAY['conflict', 'changed', 'adds'], outcome
            )))[1] AS outcome
        FROM told_change GROUP BY line
    ) c USING (line)
    ORDER BY s.line;
"""

# From here on rows that people may edit are locked, so this comes last. A changed time is a
# change of key, which locks harder, so the others are changed without it. What a person has
# edited since is looked at again.
CHANGE_TRANSACTIONS = """
    INSERT INTO transactions_transactionlabel (transaction_id, label_id, is_imported)
    SELECT told.transaction_id, label.id, true
    FROM told_label told JOIN transactions_label label ON lower(label.name) = told.key
    ON CONFLICT (transaction_id, label_id) DO NOTHING;

    UPDATE transactions_transaction known SET status = t.status, block = t.block,
        method = t.method, type = t.type, is_type_told = t.told_type IS NOT NULL,
        note = CASE WHEN known.is_edited THEN known.note ELSE t.note END,
        contact_id = CASE WHEN known.is_edited THEN known.contact_id
            ELSE coalesce(contact.id, known.contact_id) END
    FROM told_transaction t
    LEFT JOIN contacts_contact contact ON lower(contact.name) = lower(t.new_contact)
    WHERE known.id = t.known_id AND (
        t.status <> t.old_status OR t.block IS DISTINCT FROM t.old_block
        OR t.method <> t.old_method OR t.type <> t.old_type OR t.note <> t.old_note
        OR t.new_contact IS NOT NULL OR known.is_type_told <> (t.told_type IS NOT NULL)
    );

    UPDATE transactions_wallet known SET name = named_wallet.name
    FROM named_wallet WHERE known.id = named_wallet.id AND known.name = '';

    UPDATE transactions_transaction known SET timestamp = t.timestamp
    FROM told_transaction t WHERE known.id = t.known_id AND t.timestamp <> t.old_timestamp;
"""
# A contact that an import made goes once another has taken its place everywhere.
REPLACED_CONTACTS = """
    DELETE FROM contacts_contact known USING told_transaction t
    WHERE t.new_contact IS NOT NULL AND lower(known.name) = lower(t.old_contact)
        AND known.version = 1 AND EXISTS (
            SELECT FROM transactions_importbatch b
            WHERE b.made @> jsonb_build_object('contact', jsonb_build_array(known.id))
        )
        AND NOT EXISTS (SELECT FROM transactions_transaction WHERE contact_id = known.id)
        AND NOT EXISTS (SELECT FROM contacts_address WHERE contact_id = known.id);
"""
COUNTS = """
    SELECT outcome, count(*) FROM transactions_importline WHERE batch_id = %(batch)s
    GROUP BY outcome
"""


def merge(
    cursor: CursorWrapper, batch_id: int, *, is_trial: bool = False, on_step: OnStep | None = None
) -> dict[str, int]:
    """Merges the staged tables into the ledger; how many lines had which outcome.

    Waits for other imports, so that each sees what those before it made. Where it is only tried,
    and taken back by who calls, no row is changed that people may be editing. `on_step` is called
    as each step begins.
    """
    parameters = PARAMETERS | {"batch": batch_id}
    on_step = on_step or ignored
    compare(cursor, parameters, on_step)
    cursor.executemany(TELL_WAITING, waiting_for_new(cursor))
    on_step(Step.TRANSACTIONS)
    run(cursor, parameters, ADD_TRANSACTIONS)
    on_step(Step.MOVEMENTS)
    run(cursor, parameters, ADD_ENTRIES)
    on_step(Step.LINES)
    run(cursor, parameters, ADD_LINES)
    on_step(Step.CHECKING)
    cursor.execute(COUNTS, parameters)
    counts = dict(cursor.fetchall())
    if not is_trial:
        check_foreign_keys(cursor)
        run(cursor, parameters, CHANGE_TRANSACTIONS, OTHER_TYPES, REPLACED_CONTACTS)
    return counts


def merge_once_more(cursor: CursorWrapper) -> None:
    """Merges staged lines that have been told of before, and whose outcome is known."""
    compare(cursor, PARAMETERS, ignored)
    run(cursor, PARAMETERS, ADD_TRANSACTIONS, ADD_ENTRIES)
    check_foreign_keys(cursor)
    run(cursor, PARAMETERS, CHANGE_TRANSACTIONS, OTHER_TYPES, REPLACED_CONTACTS)


def ignored(step: Step) -> None:
    pass


def compare(cursor: CursorWrapper, parameters: dict[str, Any], on_step: OnStep) -> None:
    """What the staged tables tell, beside what the ledger has; makes what they refer to."""
    on_step(Step.WAITING)
    wait_for_others(cursor)
    on_step(Step.FINDING)
    run(cursor, parameters, REFUSE_LINES, REFUSE_MOVEMENTS, MADE, NAME_WALLETS, ADD_WALLETS)
    run(cursor, parameters, TOLD_MOVEMENTS)
    run(cursor, parameters, ADD_ASSETS, ADD_ADDRESSES, TOLD_LINES, PLAIN_TYPES, RECORD_NOTES)
    cursor.executemany(ADD_RECORD_NOTE, notes_that_waited(cursor, KNOWN))
    run(cursor, parameters, TOLD_TRANSACTIONS)
    on_step(Step.COMPARING)
    run(cursor, parameters, TOLD_FEES, TOLD_ENTRIES, MIXED, COVER, TOLD_TYPES)
    run(cursor, parameters, ADD_LABELS, ADD_CONTACTS)
    run(cursor, parameters, ENTRY_CHANGES, *field_changes())
    run(cursor, parameters, WALLET_NAME_CHANGES, NOT_TAKEN)


def wait_for_others(cursor: CursorWrapper) -> None:
    """Until this transaction ends, no other import begins to compare."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])


def check_foreign_keys(cursor: CursorWrapper) -> None:
    """The many deferred checks happen now, while nobody waits for a row.

    Not those of all constraints: the trigger that numbers the commit has to wait for it.
    """
    cursor.execute(
        "SELECT string_agg(quote_ident(conname), ', ') FROM pg_constraint "
        "WHERE contype = 'f' AND condeferrable AND connamespace = 'public'::regnamespace"
    )
    (names,) = cursor.fetchone()
    cursor.execute(f"SET CONSTRAINTS {names} IMMEDIATE")
    cursor.execute(f"SET CONSTRAINTS {names} DEFERRED")


def field_changes() -> Iterable[str]:
    for changes, tells, was_blank, text in FIELD_CHANGES:
        yield FIELD_CHANGE.format(changes=changes, tells=tells, was_blank=was_blank, text=text)
