from django.db import migrations, models

# One row: the number of the last commit that changed the ledger.
TABLES = migrations.RunSQL(
    """
    CREATE TABLE txsite_revision (
        id boolean PRIMARY KEY DEFAULT true CHECK (id),
        revision bigint NOT NULL
    );
    INSERT INTO txsite_revision (revision) VALUES (0);
    CREATE TABLE txsite_change (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        xid xid8 NOT NULL,
        revision bigint UNIQUE,
        is_last boolean NOT NULL DEFAULT false,
        committed_at timestamptz,
        actor text NOT NULL,
        via text NOT NULL,
        tables jsonb NOT NULL
    );
    -- A transaction's id means something only until its commit: after a restore it recurs.
    CREATE UNIQUE INDEX txsite_change_open ON txsite_change (xid) WHERE revision IS NULL;
    """,
    "DROP TABLE txsite_change; DROP TABLE txsite_revision;",
)

# After every statement on a table of the ledger: whose transaction, and how many rows.
RECORD = migrations.RunSQL(
    """
    CREATE FUNCTION txsite_record_change() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        how_many bigint;
        what text := TG_TABLE_NAME || ' ' || lower(TG_OP);
    BEGIN
        IF TG_OP <> 'TRUNCATE' THEN
            SELECT count(*) INTO how_many FROM touched;
            IF how_many = 0 THEN
                RETURN NULL;
            END IF;
        END IF;
        INSERT INTO txsite_change (xid, actor, via, tables) VALUES (
            pg_current_xact_id(),
            coalesce(nullif(current_setting('txsite.actor', true), ''), session_user),
            coalesce(nullif(current_setting('txsite.via', true), ''), 'SQL'),
            jsonb_build_object(what, how_many)
        )
        ON CONFLICT (xid) WHERE revision IS NULL DO UPDATE SET tables = txsite_change.tables
            || jsonb_build_object(
                what, coalesce((txsite_change.tables ->> what)::bigint, 0) + how_many
            );
        RETURN NULL;
    END $$;
    """,
    "DROP FUNCTION txsite_record_change();",
)

# At the commit, in two steps: the second is queued behind every other deferred check, so that
# the counter's lock is held for the last moment alone. Numbers are given in commit order.
NUMBER = migrations.RunSQL(
    """
    CREATE FUNCTION txsite_last_check() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        UPDATE txsite_change SET is_last = true WHERE id = NEW.id;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER last_check AFTER INSERT ON txsite_change
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION txsite_last_check();

    CREATE FUNCTION txsite_give_number() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        number bigint;
    BEGIN
        UPDATE txsite_revision SET revision = revision + 1 RETURNING revision INTO number;
        UPDATE txsite_change SET revision = number, committed_at = clock_timestamp()
            WHERE id = NEW.id;
        -- The last 100,000 changes are kept, and at most 1,000 more.
        IF number % 1000 = 0 THEN
            DELETE FROM txsite_change WHERE txsite_change.revision <= number - 100000;
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER give_number AFTER UPDATE ON txsite_change
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.is_last AND NOT OLD.is_last)
        EXECUTE FUNCTION txsite_give_number();
    """,
    """
    DROP TRIGGER give_number ON txsite_change;
    DROP FUNCTION txsite_give_number();
    DROP TRIGGER last_check ON txsite_change;
    DROP FUNCTION txsite_last_check();
    """,
)


class Migration(migrations.Migration):
    """Every commit that changes the ledger gets a number, whoever writes."""

    operations = [
        TABLES,
        RECORD,
        NUMBER,
        migrations.CreateModel(
            name="Change",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("revision", models.BigIntegerField(unique=True)),
                ("committed_at", models.DateTimeField()),
                ("actor", models.TextField()),
                ("via", models.TextField()),
                ("tables", models.JSONField()),
            ],
            options={"db_table": "txsite_change", "managed": False, "default_permissions": ()},
        ),
    ]
