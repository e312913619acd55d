"""Which entries follow from what files tell, in SQL over the staged tables.

A movement that one file tells less exactly than another, without the other side, by a token's
code alone, or with the fee or several movements in one sum, is kept beside the entries as a
CoveredEntry. So they depend on all that was ever told, and on no order.
"""

# What an NFT's code has beside its symbol.
NUMBER = "CASE WHEN a.kind = 'nft' THEN '#' || upper(a.token_id) ELSE '' END"
# What files call a token or an NFT, whatever people call it.
SYMBOLS = """
    SELECT a.id AS asset_id, upper(told.symbol) || {NUMBER} AS code
    FROM transactions_toldasset told JOIN transactions_asset a ON a.id = told.asset_id
    WHERE told.symbol <> ''
    UNION
    SELECT a.id, upper(a.symbol) || {NUMBER} FROM transactions_asset a
    WHERE a.kind IN ('token', 'nft') AND NOT a.is_edited
""".replace("{NUMBER}", NUMBER)
# A transaction on a chain pays one fee in a coin, which a file may tell in parts. Where two files
# tell it differently, the higher one is it: the other lacks a part. What was told while it waited
# was expected, and gives way to what was paid.
TOLD_FEES = """
    DELETE FROM told_movement m USING told_line l
    WHERE l.line = m.line AND m.kind = 'fee' AND l.status = 'pending' AND EXISTS (
        SELECT FROM told_line other JOIN told_movement paid ON paid.line = other.line
        WHERE other.number = l.number AND other.status <> 'pending' AND paid.kind = 'fee'
            AND (paid.wallet_id, paid.network, paid.code, paid.token_id, paid.asset_kind)
                = (m.wallet_id, m.network, m.code, m.token_id, m.asset_kind)
    );

    CREATE TEMP TABLE file_fee ON COMMIT DROP AS
        SELECT t.known_id, m.wallet_id, a.id AS asset_id, min(m.line) AS line,
            m.network, m.code, m.token_id, m.asset_kind, a.symbol,
            bool_and(l.status = 'pending') AS is_expected,
            sum(m.amount) AS amount, array_agg(m.amount ORDER BY m.amount) AS parts
        FROM told_movement m
        JOIN told_line l ON l.line = m.line
        JOIN settled_transaction t ON t.number = l.number
        JOIN transactions_asset a ON a.network = m.network AND a.code = m.code
            AND a.token_id = m.token_id AND a.kind = m.asset_kind
        WHERE m.kind = 'fee' AND t.network IS NOT NULL AND t.known_id IS NOT NULL
        GROUP BY t.known_id, m.wallet_id, a.id, m.network, m.code, m.token_id, m.asset_kind;
    ANALYZE file_fee;
    CREATE TEMP TABLE known_fee ON COMMIT DROP AS
        SELECT e.transaction_id, e.wallet_id, e.asset_id, bool_and(e.is_expected) AS is_expected,
            sum(e.amount) AS amount,
            array_agg(e.amount ORDER BY e.amount) AS parts
        FROM transactions_entry e
        WHERE e.kind = 'fee' AND e.transaction_id IN (SELECT known_id FROM file_fee)
        GROUP BY e.transaction_id, e.wallet_id, e.asset_id;
    ANALYZE known_fee;

    CREATE TEMP TABLE told_fee ON COMMIT DROP AS
    SELECT told.*, known.amount AS known_amount, known.is_expected AS was_expected,
        told.parts <> known.parts AS is_other,
        (told.is_expected, told.amount, told.parts)
            < (known.is_expected, known.amount, known.parts) AS is_better
    FROM file_fee told JOIN known_fee known
        ON (known.transaction_id, known.wallet_id, known.asset_id)
            = (told.known_id, told.wallet_id, told.asset_id)
    WHERE told.parts <> known.parts OR told.is_expected <> known.is_expected;
    ANALYZE told_fee;

    DELETE FROM transactions_entry e USING told_fee f
    WHERE f.is_better AND e.kind = 'fee' AND (e.transaction_id, e.wallet_id, e.asset_id)
        = (f.known_id, f.wallet_id, f.asset_id);

    DELETE FROM told_movement m USING told_fee f, told_line l
    WHERE NOT f.is_better AND m.kind = 'fee' AND l.line = m.line AND l.known_id = f.known_id
        AND (m.wallet_id, m.network, m.code, m.token_id, m.asset_kind)
            = (f.wallet_id, f.network, f.code, f.token_id, f.asset_kind);
"""
# Entries that the ledger lacks. Where one file says that a transaction failed, it moved nothing,
# whatever others say. A movement that its file tells beside others as large, whose other side or
# contract it does tell, is one more than those; so is one beside a fee as large, which is no sum.
TOLD_ENTRIES = """
    CREATE TEMP TABLE beside_contract ON COMMIT DROP AS
    SELECT l.number, m.wallet_id, m.amount, m.code, count(*) AS movements
    FROM told_movement m JOIN told_line l USING (line)
    JOIN told_line other ON other.number = l.number
    JOIN told_movement token ON token.line = other.line AND token.asset_kind IN ('token', 'nft')
        AND (token.wallet_id, token.amount, token.kind) = (m.wallet_id, m.amount, m.kind)
        AND upper(token.symbol)
            || CASE WHEN token.asset_kind = 'nft' THEN '#' || upper(token.token_id) ELSE '' END
            = m.code
    WHERE m.asset_kind = 'exchange' AND m.kind = 'transfer' AND l.network IS NOT NULL
    GROUP BY l.number, m.wallet_id, m.amount, m.code, m.line, m.position;

    CREATE TEMP TABLE numbered ON COMMIT DROP AS
    WITH movement AS (
        SELECT t.id AS transaction_id, t.known_id, l.line, m.position, m.wallet_id,
            coalesce(t.old_timestamp, t.timestamp) AS timestamp, a.id AS asset_id,
            m.kind::varchar AS kind, c.id AS counterparty_id,
            CASE WHEN undone.is_true THEN 0 ELSE m.amount END AS amount,
            undone.is_true AS is_undone,
            m.kind = 'fee' AND l.status = 'pending' AS is_expected,
            c.id IS NULL AND m.kind = 'transfer' AND t.network IS NOT NULL AS has_no_side,
            CASE
                WHEN m.kind <> 'transfer' OR t.network IS NULL OR undone.is_true THEN 0
                WHEN m.asset_kind = 'native' AND c.id IS NULL AND NOT m.is_whole THEN greatest(
                    0, count(*) FILTER (WHERE m.amount <> 0 AND NOT m.is_whole) OVER (
                        PARTITION BY t.id, m.wallet_id, a.id, m.kind
                    ) - 1
                ) + CASE WHEN m.amount <> 0 AND m.amount = sum(m.amount) FILTER (
                    WHERE m.kind = 'fee'
                ) OVER (PARTITION BY t.id, m.wallet_id, a.id) THEN 1 ELSE 0 END
                WHEN m.asset_kind = 'exchange' THEN coalesce((
                    SELECT max(movements) FROM beside_contract b
                    WHERE (b.number, b.wallet_id, b.amount, b.code)
                        = (t.number, m.wallet_id, m.amount, m.code)
                ), 0)
                ELSE 0
            END AS beside
        FROM told_movement m
        JOIN told_line l ON l.line = m.line
        JOIN settled_transaction t ON t.number = l.number
        JOIN transactions_asset a ON a.network = m.network AND a.code = m.code
            AND a.token_id = m.token_id AND a.kind = m.asset_kind
        LEFT JOIN contacts_address c ON c.family = m.family AND c.value = m.counterparty
        CROSS JOIN LATERAL (
            SELECT t.status = 'failed' AND m.kind = 'transfer' AND m.amount <> 0 AS is_true
        ) undone
    )
    SELECT *, row_number() OVER (
        PARTITION BY transaction_id, wallet_id, asset_id, kind, amount, is_undone,
            counterparty_id
        ORDER BY line, position
    ) - 1 + CASE WHEN has_no_side AND NOT is_undone THEN
        count(counterparty_id) OVER (
            PARTITION BY transaction_id, wallet_id, asset_id, kind, amount, is_undone
        )
    ELSE 0 END AS ordinal
    FROM movement;

    CREATE TEMP TABLE told_entry ON COMMIT DROP AS
    SELECT transaction_id, known_id, timestamp, line, position, wallet_id, asset_id, kind,
        counterparty_id, amount, ordinal, beside, is_expected
    FROM numbered n
    WHERE (ordinal = 0 OR NOT is_undone) AND (n.known_id IS NULL OR NOT EXISTS (
        SELECT FROM transactions_entry e
        WHERE e.transaction_id = n.transaction_id AND e.wallet_id = n.wallet_id
            AND e.asset_id = n.asset_id AND e.kind = n.kind AND e.amount = n.amount
            AND e.ordinal = n.ordinal AND e.counterparty_id IS NOT DISTINCT FROM n.counterparty_id
    ) AND NOT EXISTS (
        SELECT FROM transactions_coveredentry e
        WHERE e.transaction_id = n.transaction_id AND e.wallet_id = n.wallet_id
            AND e.asset_id = n.asset_id AND n.kind = 'transfer' AND e.amount = n.amount
            AND e.ordinal = n.ordinal AND e.counterparty_id IS NOT DISTINCT FROM n.counterparty_id
    ));

    -- What is known, and told beside more than before.
    CREATE TEMP TABLE told_beside ON COMMIT DROP AS
    SELECT transaction_id, wallet_id, asset_id, counterparty_id, amount, ordinal, beside
    FROM numbered WHERE known_id IS NOT NULL AND beside > 0;

    UPDATE transactions_entry e SET beside = b.beside FROM told_beside b
    WHERE (e.transaction_id, e.wallet_id, e.asset_id, e.amount, e.ordinal)
            = (b.transaction_id, b.wallet_id, b.asset_id, b.amount, b.ordinal)
        AND e.counterparty_id IS NOT DISTINCT FROM b.counterparty_id
        AND e.kind = 'transfer' AND e.beside < b.beside;

    UPDATE transactions_coveredentry e SET beside = b.beside FROM told_beside b
    WHERE (e.transaction_id, e.wallet_id, e.asset_id, e.amount, e.ordinal)
            = (b.transaction_id, b.wallet_id, b.asset_id, b.amount, b.ordinal)
        AND e.counterparty_id IS NOT DISTINCT FROM b.counterparty_id AND e.beside < b.beside;

    CREATE TEMP TABLE failed_entry ON COMMIT DROP AS
    SELECT e.id, e.transaction_id, e.timestamp, e.wallet_id, e.asset_id, e.counterparty_id,
        trim_scale(e.amount) AS amount
    FROM transactions_entry e JOIN settled_transaction t ON t.id = e.transaction_id
    WHERE t.old_status <> 'failed' AND t.status = 'failed' AND e.kind = 'transfer'
        AND e.amount <> 0;

    DELETE FROM transactions_entry WHERE id IN (SELECT id FROM failed_entry);

    WITH failed AS (
        SELECT id FROM settled_transaction WHERE old_status <> 'failed' AND status = 'failed'
    ), covered AS (
        DELETE FROM transactions_coveredentry e USING failed, settled_transaction t
        WHERE failed.id = e.transaction_id AND t.id = failed.id AND e.amount <> 0
        RETURNING e.transaction_id, t.old_timestamp, e.wallet_id, e.asset_id, e.counterparty_id
    )
    INSERT INTO told_entry
    SELECT transaction_id, transaction_id, timestamp, NULL::integer, 0, wallet_id,
        asset_id, 'transfer', counterparty_id, 0, 0, 0
    FROM (
        SELECT transaction_id, timestamp, wallet_id, asset_id, counterparty_id FROM failed_entry
        UNION SELECT * FROM covered
    ) zero;
    ANALYZE told_entry;
"""
# Transactions on a chain of which something is told less exactly.
MIXED = """
    CREATE TEMP TABLE mixed ON COMMIT DROP AS
    -- Apart, or PostgreSQL looks for each entry that there is through all that are told.
    WITH known AS MATERIALIZED (
        SELECT DISTINCT e.known_id AS id, t.network FROM told_entry e
        JOIN settled_transaction t ON t.id = e.known_id
    )
    SELECT e.transaction_id AS id FROM told_entry e
    JOIN settled_transaction t ON t.id = e.transaction_id
    JOIN transactions_asset a ON a.id = e.asset_id
    WHERE t.network IS NOT NULL AND e.kind = 'transfer'
        AND (e.counterparty_id IS NULL OR a.kind = 'exchange')
    UNION
    SELECT e.transaction_id FROM transactions_entry e
    JOIN transactions_asset a ON a.id = e.asset_id
    JOIN known ON known.id = e.transaction_id AND known.network IS NOT NULL
    WHERE e.kind = 'transfer' AND (e.counterparty_id IS NULL OR a.kind = 'exchange')
    UNION
    SELECT e.transaction_id FROM transactions_coveredentry e
    JOIN known ON known.id = e.transaction_id
    UNION
    SELECT transaction_id FROM told_beside
    UNION
    SELECT e.transaction_id FROM new_symbol s
    JOIN transactions_asset a ON a.kind = 'exchange' AND a.code = s.code
    JOIN transactions_entry e ON e.asset_id = a.id
    JOIN transactions_transaction t ON t.id = e.transaction_id AND t.network IS NOT NULL
    WHERE EXISTS (
        SELECT FROM transactions_entry token
        WHERE token.transaction_id = e.transaction_id AND token.asset_id = s.asset_id
    );
"""
# Which movements of these are entries: what is told without the other side is one that is told
# with it, and what is told by its code one that is told by a contract that is called so, where the
# same wallet moved as much. A coin's movement without the other side that its files tell alone is
# all that moved: the sum of those that others tell as several, with the fee, a part of it or none;
# or it is the fee. Depends on all that was ever told, and on no order.
COVER = """
    CREATE TEMP TABLE fact ON COMMIT DROP AS
    SELECT f.*, a.kind AS asset_kind, a.code, counterparty_id IS NULL AND ordinal < count(
        counterparty_id
    ) OVER (PARTITION BY transaction_id, wallet_id, asset_id, amount) AS is_covered,
        counterparty_id IS NULL AND a.kind = 'native' AND beside = 0 AS is_whole
    FROM (SELECT DISTINCT ON (
        transaction_id, wallet_id, asset_id, counterparty_id, amount, ordinal
    ) * FROM (
        SELECT e.transaction_id, e.wallet_id, e.asset_id, e.counterparty_id, e.amount, e.ordinal,
            e.beside, e.timestamp, 'entry' AS source, NULL::integer AS line
        FROM transactions_entry e
        WHERE e.transaction_id IN (SELECT id FROM mixed) AND e.kind = 'transfer'
        UNION ALL
        SELECT e.transaction_id, e.wallet_id, e.asset_id, e.counterparty_id, e.amount, e.ordinal,
            e.beside, t.timestamp, 'hidden', NULL
        FROM transactions_coveredentry e JOIN transactions_transaction t ON t.id = e.transaction_id
        WHERE e.transaction_id IN (SELECT id FROM mixed)
        UNION ALL
        SELECT e.transaction_id, e.wallet_id, e.asset_id, e.counterparty_id, e.amount, e.ordinal,
            e.beside, e.timestamp, 'told', e.line
        FROM told_entry e
        WHERE e.transaction_id IN (SELECT id FROM mixed) AND e.kind = 'transfer'
    ) one
    ORDER BY transaction_id, wallet_id, asset_id, counterparty_id, amount, ordinal, source
    ) f JOIN transactions_asset a ON a.id = f.asset_id;
    ANALYZE fact;

    CREATE TEMP TABLE net ON COMMIT DROP AS
    WITH paid AS (
        SELECT transaction_id, wallet_id, asset_id, sum(amount) AS fee, min(line) AS line
        FROM (
            SELECT transaction_id, wallet_id, asset_id, kind, amount, line FROM told_entry
            UNION ALL
            SELECT transaction_id, wallet_id, asset_id, kind, amount, NULL FROM transactions_entry
            WHERE transaction_id IN (SELECT id FROM mixed)
        ) one
        WHERE kind = 'fee' GROUP BY transaction_id, wallet_id, asset_id
    ), moved AS (
        SELECT transaction_id, wallet_id, asset_id, min(line) AS line,
            count(*) FILTER (WHERE NOT is_covered AND NOT is_whole) AS parts,
            sum(amount) FILTER (WHERE NOT is_covered AND NOT is_whole) AS amount,
            count(*) AS movements, min(amount) AS least
        FROM fact WHERE asset_kind = 'native'
        GROUP BY transaction_id, wallet_id, asset_id
    )
    SELECT moved.transaction_id, moved.wallet_id, moved.asset_id, moved.parts, moved.amount,
        coalesce(paid.fee, 0) AS fee, coalesce(moved.line, paid.line) AS by_line
    FROM moved LEFT JOIN paid USING (transaction_id, wallet_id, asset_id)
    WHERE movements > 1 OR least = paid.fee;
    ANALYZE net;

    CREATE TEMP TABLE covered ON COMMIT DROP AS
    WITH whole AS (
        SELECT * FROM (
            SELECT f.*, n.by_line, n.parts, n.amount AS all_parts, n.fee, lead(f.amount) OVER (
                PARTITION BY f.transaction_id, f.wallet_id, f.asset_id ORDER BY f.amount
            ) AS next
            FROM fact f JOIN net n ON (n.transaction_id, n.wallet_id, n.asset_id)
                = (f.transaction_id, f.wallet_id, f.asset_id)
            WHERE f.is_whole
        ) one
        WHERE amount <> 0 AND NOT is_covered AND (
            parts > 0 AND amount BETWEEN all_parts + fee AND all_parts
            OR parts = 0 AND amount = fee
            OR fee <> 0 AND next <= amount - fee
        )
    ), contract AS (
        SELECT token.transaction_id, token.wallet_id, token.amount, known.code,
            count(*) AS movements, array_agg(token.counterparty_id) AS sides,
            min(token.line) AS line
        FROM fact token JOIN ({SYMBOLS}) known ON known.asset_id = token.asset_id
        WHERE token.asset_kind IN ('token', 'nft') AND NOT token.is_covered
            AND token.transaction_id IN (
                SELECT transaction_id FROM fact WHERE asset_kind = 'exchange'
            )
        GROUP BY token.transaction_id, token.wallet_id, token.amount, known.code
    ), by_code AS (
        SELECT f.*, c.line AS by_line, c.movements, count(*) OVER of_code AS number,
            max(f.ordinal + f.beside) OVER of_code + 1 AS least, row_number() OVER (
                of_code ORDER BY f.counterparty_id = ANY (c.sides) DESC NULLS LAST,
                    f.counterparty_id IS NULL DESC, other.value COLLATE "C", f.ordinal
            ) AS place
        FROM fact f
        JOIN contract c ON (c.transaction_id, c.wallet_id, c.amount, c.code)
            = (f.transaction_id, f.wallet_id, f.amount, f.code)
        LEFT JOIN contacts_address other ON other.id = f.counterparty_id
        WHERE f.asset_kind = 'exchange' AND NOT f.is_covered
        WINDOW of_code AS (PARTITION BY f.transaction_id, f.wallet_id, f.amount, f.code)
    )
    SELECT transaction_id, wallet_id, asset_id, counterparty_id, amount, ordinal, beside, source,
        NULL::integer AS by_line, '' AS what
    FROM fact WHERE is_covered
    UNION ALL
    SELECT w.transaction_id, w.wallet_id, w.asset_id, w.counterparty_id, w.amount, w.ordinal,
        w.beside, w.source, w.by_line, a.symbol || ', which was the sum'
    FROM whole w JOIN transactions_asset a ON a.id = w.asset_id
    UNION ALL
    SELECT transaction_id, wallet_id, asset_id, counterparty_id, amount, ordinal, beside, source,
        by_line, code || ', whose contract was not told'
    FROM by_code WHERE place <= number - greatest(0, greatest(number, least) - movements);

    DELETE FROM transactions_coveredentry WHERE transaction_id IN (SELECT id FROM mixed);

    INSERT INTO transactions_coveredentry
        (transaction_id, wallet_id, asset_id, counterparty_id, amount, ordinal, beside)
    SELECT transaction_id, wallet_id, asset_id, counterparty_id, amount, ordinal, beside
    FROM covered;

    DELETE FROM told_entry e USING covered c
    WHERE (e.transaction_id, e.wallet_id, e.asset_id, e.amount, e.ordinal)
            = (c.transaction_id, c.wallet_id, c.asset_id, c.amount, c.ordinal)
        AND e.kind = 'transfer' AND e.counterparty_id IS NOT DISTINCT FROM c.counterparty_id;

    DELETE FROM transactions_entry e USING covered c
    WHERE (e.transaction_id, e.wallet_id, e.asset_id, e.amount, e.ordinal)
            = (c.transaction_id, c.wallet_id, c.asset_id, c.amount, c.ordinal)
        AND e.kind = 'transfer' AND e.counterparty_id IS NOT DISTINCT FROM c.counterparty_id
        AND c.source = 'entry';

    CREATE TEMP TABLE uncovered ON COMMIT DROP AS
    SELECT f.* FROM fact f
    WHERE f.source = 'hidden' AND NOT EXISTS (
        SELECT FROM covered c
        WHERE (c.transaction_id, c.wallet_id, c.asset_id, c.amount, c.ordinal)
                = (f.transaction_id, f.wallet_id, f.asset_id, f.amount, f.ordinal)
            AND c.counterparty_id IS NOT DISTINCT FROM f.counterparty_id
    );

    INSERT INTO told_entry
    SELECT transaction_id, transaction_id, timestamp, NULL::integer, 0, wallet_id, asset_id,
        'transfer', counterparty_id, amount, ordinal, beside
    FROM uncovered;
""".replace("{SYMBOLS}", SYMBOLS)
ADD_ENTRIES = """
    INSERT INTO transactions_entry (transaction_id, timestamp, wallet_id, asset_id, amount, kind,
        counterparty_id, ordinal, beside, is_expected)
    SELECT transaction_id, timestamp, wallet_id, asset_id, amount, kind, counterparty_id, ordinal,
        beside, coalesce(is_expected, false)
    FROM told_entry ORDER BY transaction_id, line, position
    ON CONFLICT DO NOTHING;
"""
