from django.db import migrations, models

# A row goes with whatever it refers to: it says nothing any more.
REFER = """
    ALTER TABLE transactions_takenofflabel ADD CONSTRAINT takenofflabel_{column}_refers
        FOREIGN KEY ({column}) REFERENCES {other} ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
"""
# Asked once a statement; an import that takes off what it has put on is no person.
KEEP = """
    CREATE FUNCTION transactions_keep_taken_off() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        IF TG_OP <> 'DELETE' THEN
            DELETE FROM transactions_takenofflabel off USING put_on
            WHERE (off.transaction_id, off.label_id) = (put_on.transaction_id, put_on.label_id);
        END IF;
        IF TG_OP <> 'INSERT' AND current_setting('txsite.importing', true) IS DISTINCT FROM 'on'
        THEN
            INSERT INTO transactions_takenofflabel (transaction_id, label_id)
            SELECT off.transaction_id, off.label_id FROM taken_off off
            JOIN transactions_transaction t ON t.id = off.transaction_id
            JOIN transactions_label l ON l.id = off.label_id
            WHERE NOT EXISTS (
                SELECT FROM transactions_transactionlabel on_it
                WHERE (on_it.transaction_id, on_it.label_id) = (off.transaction_id, off.label_id)
            )
            ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER keep_taken_off AFTER DELETE ON transactions_transactionlabel
        REFERENCING OLD TABLE AS taken_off
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_keep_taken_off();
    CREATE TRIGGER keep_put_on AFTER INSERT ON transactions_transactionlabel
        REFERENCING NEW TABLE AS put_on
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_keep_taken_off();
    CREATE TRIGGER keep_moved AFTER UPDATE ON transactions_transactionlabel
        REFERENCING OLD TABLE AS taken_off NEW TABLE AS put_on
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_keep_taken_off();
"""
FORGET = """
    DROP TRIGGER keep_moved ON transactions_transactionlabel;
    DROP TRIGGER keep_put_on ON transactions_transactionlabel;
    DROP TRIGGER keep_taken_off ON transactions_transactionlabel;
    DROP FUNCTION transactions_keep_taken_off();
"""


class Migration(migrations.Migration):
    dependencies = [("transactions", "0015_told_beside")]

    operations = [
        migrations.CreateModel(
            name="TakenOffLabel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "label",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=models.DO_NOTHING,
                        related_name="+",
                        to="transactions.label",
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=models.DO_NOTHING,
                        related_name="+",
                        to="transactions.transaction",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("transaction", "label"), name="label_is_off_once"
                    )
                ],
            },
        ),
        *(
            migrations.RunSQL(
                REFER.format(column=column, other=other),
                f"ALTER TABLE transactions_takenofflabel DROP CONSTRAINT "
                f"takenofflabel_{column}_refers",
            )
            for column, other in (
                ("transaction_id", "transactions_transaction"),
                ("label_id", "transactions_label"),
            )
        ),
        migrations.RunSQL(KEEP, FORGET),
    ]
