import django.db.models.deletion
import transactions.models
from django.db import migrations, models

# Two who add to one transaction at once would not see each other's entry: whoever writes entries
# waits for others that do, from the first of them to the commit.
LOCK = """
    CREATE FUNCTION transactions_lock_entries() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(7290132);
        RETURN NULL;
    END $$;
    CREATE TRIGGER lock_entries BEFORE INSERT OR UPDATE OR DELETE ON transactions_entry
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_lock_entries();
"""
NO_LOCK = """
    DROP TRIGGER lock_entries ON transactions_entry;
    DROP FUNCTION transactions_lock_entries();
"""
KEY = "transaction_id, asset_id, kind"
ADDED, REMOVED = f"SELECT {KEY} FROM added", f"SELECT {KEY} FROM removed"
# Event -> whose sums may be others now, and the rows that PostgreSQL hands over.
EVENTS = {
    "insert": (ADDED, "REFERENCING NEW TABLE AS added"),
    "delete": (REMOVED, "REFERENCING OLD TABLE AS removed"),
    "update": (
        f"{ADDED} UNION ALL {REMOVED}",
        "REFERENCING NEW TABLE AS added OLD TABLE AS removed",
    ),
}
SUMS = f"""
    INSERT INTO transactions_entrysum AS known ({KEY}, amount, timestamp)
    SELECT {KEY}, sum(amount), min(timestamp) FROM {{entries}}
    GROUP BY {KEY} HAVING count(*) > 1
"""
# A plan is kept for the connection, also one that was made when the tables were small: it has to
# use the indexes.
KEEP = f"""
    CREATE FUNCTION transactions_keep_sums_{{event}}() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            DELETE FROM transactions_entrysum known USING ({{changed}}) changed
            WHERE (known.transaction_id, known.asset_id, known.kind)
                = (changed.transaction_id, changed.asset_id, changed.kind)
            AND (
                SELECT count(*) FROM transactions_entry e
                WHERE (e.transaction_id, e.asset_id, e.kind)
                    = (known.transaction_id, known.asset_id, known.kind)
            ) < 2;
        END IF;
        {SUMS.format(entries=f"(SELECT DISTINCT {KEY} FROM ({{changed}}) every) changed"
            f" JOIN transactions_entry USING ({KEY})")}
        ON CONFLICT ({KEY}) DO UPDATE SET amount = excluded.amount, timestamp = excluded.timestamp
        WHERE (known.amount, known.timestamp) <> (excluded.amount, excluded.timestamp);
        RETURN NULL;
    END $$;
    CREATE TRIGGER keep_sums_{{event}} AFTER {{event}} ON transactions_entry
        {{references}} FOR EACH STATEMENT EXECUTE FUNCTION transactions_keep_sums_{{event}}();
"""
DROP = """
    DROP TRIGGER keep_sums_{event} ON transactions_entry;
    DROP FUNCTION transactions_keep_sums_{event}();
"""
CLEAR = """
    CREATE FUNCTION transactions_clear_sums() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM transactions_entrysum;
        RETURN NULL;
    END $$;
    CREATE TRIGGER clear_sums AFTER TRUNCATE ON transactions_entry
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_clear_sums();
"""
NO_CLEAR = """
    DROP TRIGGER clear_sums ON transactions_entry;
    DROP FUNCTION transactions_clear_sums();
"""
PROTECT = """
    CREATE FUNCTION transactions_protect_sums() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF pg_trigger_depth() < 2 THEN
            RAISE EXCEPTION USING ERRCODE = 'check_violation',
                MESSAGE = 'sums follow from the entries: change those';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER protect_sums BEFORE INSERT OR UPDATE OR DELETE ON transactions_entrysum
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_protect_sums();
"""
NO_PROTECT = """
    DROP TRIGGER protect_sums ON transactions_entrysum;
    DROP FUNCTION transactions_protect_sums();
"""


def refers_to(model: str) -> models.ForeignKey:
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.DO_NOTHING,
        related_name="+",
        to=model,
    )


AMOUNT = models.Func(
    "amount", function="trim_scale", output_field=transactions.models.AmountField()
)
BY_AMOUNT = ("asset", "kind", AMOUNT, "timestamp", "transaction")


class Migration(migrations.Migration):
    dependencies = [
        ("transactions", "0017_expected_fees"),
    ]

    operations = [
        migrations.CreateModel(
            name="EntrySum",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("transfer", "Transfer"), ("fee", "Fee")], max_length=8
                    ),
                ),
                ("amount", transactions.models.AmountField()),
                ("timestamp", models.DateTimeField()),
                ("asset", refers_to("transactions.asset")),
                ("transaction", refers_to("transactions.transaction")),
            ],
            options={
                "indexes": [models.Index(*BY_AMOUNT, name="entry_sum_amount")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("transaction", "asset", "kind"), name="entry_sum_is_one"
                    )
                ],
            },
        ),
        migrations.RunSQL(SUMS.format(entries="transactions_entry"), migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="entry",
            index=models.Index(*BY_AMOUNT, name="entry_asset_amount"),
        ),
        migrations.RunSQL(LOCK, NO_LOCK),
        *(
            migrations.RunSQL(
                KEEP.format(event=event, changed=changed, references=references),
                DROP.format(event=event),
            )
            for event, (changed, references) in EVENTS.items()
        ),
        migrations.RunSQL(CLEAR, NO_CLEAR),
        migrations.RunSQL(PROTECT, NO_PROTECT),
    ]
