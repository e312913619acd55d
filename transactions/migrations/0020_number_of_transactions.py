from django.db import migrations

# At the moment when a commit gets its number, which happens one commit at a time: how many
# transactions there are then follows from how many it added and removed.
COUNT = """
    CREATE TABLE transactions_transactioncount (
        id boolean PRIMARY KEY DEFAULT true CHECK (id),
        number bigint NOT NULL CHECK (number >= 0)
    );
    CREATE FUNCTION transactions_keep_count() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        more bigint := coalesce((NEW.tables ->> 'transactions_transaction insert')::bigint, 0)
            - coalesce((NEW.tables ->> 'transactions_transaction delete')::bigint, 0);
    BEGIN
        IF NEW.tables ? 'transactions_transaction truncate' THEN
            UPDATE transactions_transactioncount
                SET number = (SELECT count(*) FROM transactions_transaction);
        ELSIF more <> 0 THEN
            UPDATE transactions_transactioncount SET number = number + more;
        END IF;
        RETURN NULL;
    END $$;
    -- Whoever writes meanwhile is waited for, or waits.
    CREATE TRIGGER keep_count AFTER UPDATE ON txsite_change FOR EACH ROW
        WHEN (NEW.revision IS NOT NULL AND OLD.revision IS NULL)
        EXECUTE FUNCTION transactions_keep_count();
    INSERT INTO transactions_transactioncount (number)
        SELECT count(*) FROM transactions_transaction;
"""
NO_COUNT = """
    DROP TRIGGER keep_count ON txsite_change;
    DROP FUNCTION transactions_keep_count();
    DROP TABLE transactions_transactioncount;
"""


class Migration(migrations.Migration):
    """How many transactions there are is known without counting them."""

    dependencies = [("transactions", "0019_names_by_imports"), ("txsite", "0001_revisions")]

    operations = [migrations.RunSQL(COUNT, NO_COUNT)]
