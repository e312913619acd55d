"""Database rules that migrations of every app make in the same way."""

from django.db.migrations import RunSQL


def raise_version(table: str, columns: tuple[str, ...], *, marks_edited: bool = False) -> RunSQL:
    """Raise `version` of a row of `table` when one of `columns` changes, whoever writes.

    Nobody sets `version` by hand: any other value given for it is put back. With
    `marks_edited` the row also keeps in `is_edited` that somebody other than an import
    (which says `SET LOCAL txsite.importing = 'on'`) has changed it.
    """
    return RunSQL(
        f"""
        {_counting(table, columns, marks_edited=marks_edited)}
        CREATE TRIGGER raise_version BEFORE UPDATE ON {table}
            FOR EACH ROW EXECUTE FUNCTION {table}_raise_version();
        """,
        f"DROP TRIGGER raise_version ON {table}; DROP FUNCTION {table}_raise_version();",
    )


def spare_capitals(table: str, columns: tuple[str, ...]) -> RunSQL:
    """An import that writes a name in other capitals raises no version: no person edits then."""
    spared = """
            IF current_setting('txsite.importing', true) = 'on'
                AND lower(NEW.name) = lower(OLD.name)
            THEN OLD.name := NEW.name; END IF;"""
    return RunSQL(_counting(table, columns, before=spared), _counting(table, columns))


def _counting(
    table: str, columns: tuple[str, ...], *, before: str = "", marks_edited: bool = False
) -> str:
    new = ", ".join(f"NEW.{column}" for column in columns)
    old = ", ".join(f"OLD.{column}" for column in columns)
    edited = (
        "IF current_setting('txsite.importing', true) IS DISTINCT FROM 'on' "
        "THEN NEW.is_edited := true; END IF;"
        if marks_edited
        else ""
    )
    return f"""
        CREATE OR REPLACE FUNCTION {table}_raise_version() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.version := OLD.version;{before}
            IF ROW({new}) IS DISTINCT FROM ROW({old}) THEN
                NEW.version := OLD.version + 1;
                {edited}
            END IF;
            RETURN NEW;
        END $$;
    """


def record_changes(table: str) -> RunSQL:
    """Have every commit that changes rows of `table` numbered, TRUNCATE included."""
    triggers = [
        f"""
        CREATE TRIGGER record_{event.lower()} AFTER {event} ON {table}
            {references} FOR EACH STATEMENT EXECUTE FUNCTION txsite_record_change();
        """
        for event, references in (
            ("INSERT", "REFERENCING NEW TABLE AS touched"),
            ("UPDATE", "REFERENCING NEW TABLE AS touched"),
            ("DELETE", "REFERENCING OLD TABLE AS touched"),
            ("TRUNCATE", ""),
        )
    ]
    drops = [
        f"DROP TRIGGER record_{event} ON {table};"
        for event in ("insert", "update", "delete", "truncate")
    ]
    return RunSQL("".join(triggers), "".join(drops))
