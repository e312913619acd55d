from django.db import migrations

from txsite.triggers import raise_version

# An entry carries its transaction's time, and goes with its transaction.
ENTRY_TIME = migrations.RunSQL(
    """
    ALTER TABLE transactions_entry ADD CONSTRAINT entry_has_its_transactions_time
        FOREIGN KEY (transaction_id, timestamp) REFERENCES transactions_transaction (id, timestamp)
        ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
    """,
    "ALTER TABLE transactions_entry DROP CONSTRAINT entry_has_its_transactions_time;",
)

# Asked once a statement, over the rows that it touched, so that COPY stays quick.
FAILED_MOVES_NOTHING = migrations.RunSQL(
    """
    CREATE FUNCTION transactions_failed_moves_nothing() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        wrong text;
    BEGIN
        IF TG_TABLE_NAME = 'transactions_entry' THEN
            SELECT coalesce(t.txid, t.external_id) INTO wrong
                FROM touched e JOIN transactions_transaction t ON t.id = e.transaction_id
                WHERE t.status = 'failed' AND e.kind <> 'fee' AND e.amount <> 0 LIMIT 1;
        ELSE
            SELECT coalesce(t.txid, t.external_id) INTO wrong
                FROM touched t JOIN transactions_entry e ON t.id = e.transaction_id
                WHERE t.status = 'failed' AND e.kind <> 'fee' AND e.amount <> 0 LIMIT 1;
        END IF;
        IF wrong IS NOT NULL THEN
            RAISE check_violation USING
                MESSAGE = 'transaction ' || wrong || ' failed, so it moved nothing but its fee',
                CONSTRAINT = 'failed_moves_nothing';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER failed_moves_nothing_insert AFTER INSERT ON transactions_entry
        REFERENCING NEW TABLE AS touched
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_failed_moves_nothing();
    CREATE TRIGGER failed_moves_nothing_update AFTER UPDATE ON transactions_entry
        REFERENCING NEW TABLE AS touched
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_failed_moves_nothing();
    CREATE TRIGGER failed_moves_nothing AFTER UPDATE ON transactions_transaction
        REFERENCING NEW TABLE AS touched
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_failed_moves_nothing();
    """,
    """
    DROP TRIGGER failed_moves_nothing ON transactions_transaction;
    DROP TRIGGER failed_moves_nothing_update ON transactions_entry;
    DROP TRIGGER failed_moves_nothing_insert ON transactions_entry;
    DROP FUNCTION transactions_failed_moves_nothing();
    """,
)


class Migration(migrations.Migration):
    """Rules that hold whoever writes: a page, the admin, a command or psql."""

    dependencies = [("transactions", "0001_initial")]

    operations = [
        ENTRY_TIME,
        FAILED_MOVES_NOTHING,
        raise_version("transactions_transaction", ("note", "contact_id"), marks_edited=True),
        raise_version("transactions_wallet", ("name", "kind", "address_id", "venue")),
        raise_version("transactions_asset", ("symbol", "name"), marks_edited=True),
        raise_version("transactions_label", ("name", "colour", "description")),
    ]
