from django.db import migrations

# Who writes is waited for, but not for long: everybody else who writes waits behind.
HURRY = "SET LOCAL lock_timeout = '2s'"

# At the moment when a commit gets its number, which happens one commit at a time: how many
# transactions there are then follows from how many it added and removed.
COUNT = """
    CREATE TABLE transactions_transactioncount (
        id boolean PRIMARY KEY DEFAULT true CHECK (id),
        number bigint NOT NULL
    );
    CREATE FUNCTION transactions_keep_count() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        more bigint := coalesce((NEW.tables ->> 'transactions_transaction insert')::bigint, 0)
            - coalesce((NEW.tables ->> 'transactions_transaction delete')::bigint, 0);
    BEGIN
        IF more <> 0 THEN
            UPDATE transactions_transactioncount SET number = number + more;
        END IF;
        -- Where rows came without a commit's number, as to a replica, it is counted again.
        UPDATE transactions_transactioncount
            SET number = (SELECT count(*) FROM transactions_transaction)
            WHERE number < 0 OR NEW.tables ? 'transactions_transaction truncate';
        RETURN NULL;
    END $$;
    CREATE TRIGGER keep_count AFTER UPDATE ON txsite_change FOR EACH ROW
        WHEN (NEW.revision IS NOT NULL AND OLD.revision IS NULL)
        EXECUTE FUNCTION transactions_keep_count();
    INSERT INTO transactions_transactioncount (number)
        SELECT count(*) FROM transactions_transaction;

    CREATE FUNCTION transactions_protect_count() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.number <> (SELECT count(*) FROM transactions_transaction) THEN
            RAISE EXCEPTION USING ERRCODE = 'check_violation',
                MESSAGE = 'the number follows from the transactions: change those';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER protect_count BEFORE INSERT OR UPDATE ON transactions_transactioncount
        FOR EACH ROW WHEN (pg_trigger_depth() = 0)
        EXECUTE FUNCTION transactions_protect_count();
"""
NO_COUNT = """
    DROP TRIGGER keep_count ON txsite_change;
    DROP FUNCTION transactions_keep_count();
    DROP TABLE transactions_transactioncount;
    DROP FUNCTION transactions_protect_count();
"""


class Migration(migrations.Migration):
    """How many transactions there are is known without counting them."""

    dependencies = [("transactions", "0019_names_by_imports"), ("txsite", "0001_revisions")]

    operations = [
        migrations.RunSQL(HURRY, migrations.RunSQL.noop),
        migrations.RunSQL(COUNT, NO_COUNT),
    ]
