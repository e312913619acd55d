"""The ledger that is written and read, and the database's own record of what it held when.

Run as a script, with DATABASE_URL, it makes the ledger and prints its plan as JSON.
"""

import json
import math
import os
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from prover.checks import Truth
from prover.history import Operation

TESTS = Path(__file__).resolve().parent.parent
PASSWORD = "prover's own"
EDITED, NAMED, LASTING, KEEPING, SLOTS, EDITORS = 8, 4, 60, 60, 48, 2
FIRST = "as it was"


@dataclass(frozen=True)
class Plan:
    """What the clients have to know of the ledger."""

    edited: list[int]  # transactions whose notes and labels change
    labels: dict[str, int]  # N0… -> the label whose name changes
    keeping: list[int]  # transactions on which labels are put for good
    wallets: list[str]  # those that are filled by an import and emptied again
    churn: int  # the wallet of transactions that come and go, and its asset
    asset: int

    def labels_of(self, pk: int) -> list[str]:
        """The registers of the labels that a transaction has at any time."""
        named = f"N{self.edited.index(pk) % NAMED}"
        return [named, *(label_of(pk, editor) for editor in range(EDITORS))]

    @property
    def initial(self) -> dict[str, str]:
        """register -> its value in the beginning."""
        notes = {note_of(pk): FIRST for pk in self.edited}
        labels = {
            label_of(pk, editor): first_label(pk, editor)
            for pk in self.edited
            for editor in range(EDITORS)
        }
        return notes | labels | {name: f"{name}:{FIRST}" for name in self.labels}


def note_of(pk: int) -> str:
    return f"note of {pk}"


def label_of(pk: int, editor: int) -> str:
    return f"label W{editor} of {pk}"


def register_of(plan: Plan, pk: int, label: str) -> str:
    """Which register the label of a transaction is a value of."""
    prefix = label.partition(":")[0]
    return prefix if prefix in plan.labels else f"label {prefix} of {pk}"


def first_label(pk: int, editor: int) -> str:
    return f"W{editor}:{pk} {FIRST}"


def lasting() -> frozenset[str]:
    return frozenset(f"lasting-{number}" for number in range(LASTING))


# Who wrote what in which transaction, whatever the path; the numbers are looked up afterwards.
AUDIT = """
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid text NOT NULL DEFAULT pg_current_xact_id()::text,
    register text NOT NULL,
    value text NOT NULL
);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_NAME = 'comes' THEN
        INSERT INTO audit (register, value) VALUES ('comes', NEW.external_id);
    ELSIF TG_NAME = 'goes' THEN
        INSERT INTO audit (register, value) VALUES ('goes', OLD.external_id);
    ELSIF TG_TABLE_NAME = 'transactions_transaction' THEN
        INSERT INTO audit (register, value) VALUES ('note of ' || NEW.id, NEW.note);
    ELSIF TG_TABLE_NAME = 'transactions_label' THEN
        INSERT INTO audit (register, value) VALUES (split_part(NEW.name, ':', 1), NEW.name);
    ELSIF TG_TABLE_NAME = 'transactions_transactionlabel' THEN
        INSERT INTO audit (register, value)
            SELECT 'label ' || split_part(name, ':', 1) || ' of ' || NEW.transaction_id, name
            FROM transactions_label WHERE id = NEW.label_id AND name LIKE 'W%';
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO audit (register, value) VALUES ('wallet ' || NEW.wallet_id, '1');
    ELSE
        INSERT INTO audit (register, value) VALUES ('wallet ' || OLD.wallet_id, '-1');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER UPDATE OF note ON transactions_transaction
    FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER comes AFTER INSERT ON transactions_transaction
    FOR EACH ROW WHEN (NEW.external_id LIKE 'churn-%') EXECUTE FUNCTION audit();
CREATE TRIGGER goes AFTER DELETE ON transactions_transaction
    FOR EACH ROW WHEN (OLD.external_id LIKE 'churn-%') EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER UPDATE OF name ON transactions_label
    FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER INSERT ON transactions_transactionlabel
    FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER INSERT OR DELETE ON transactions_entry
    FOR EACH ROW EXECUTE FUNCTION audit();
"""


def make() -> Plan:
    """The ledger, in the migrated database of Django's settings."""
    from django.db import connection
    from factories import make_asset, make_label, make_transaction, make_user, make_wallet

    from transactions.models import TransactionLabel, Wallet

    asset = make_asset("TST", "prover", code="TST", kind="exchange")
    wallets = {
        name: make_wallet(name, kind=Wallet.Kind.EXCHANGE, venue="prover")
        for name in ("edited", "lasting", "keeping", "churn", *slots())
    }

    def many(count: int, wallet: str) -> list[int]:
        entry = {"wallet": wallets[wallet], "asset": asset}
        return [
            make_transaction(
                [entry],
                source_wallet=wallets[wallet],
                external_id=f"{wallet}-{number}",
                note=FIRST,
            ).pk
            for number in range(count)
        ]

    edited = many(EDITED, "edited")
    labels = {f"N{number}": make_label(f"N{number}:{FIRST}") for number in range(NAMED)}
    for number, pk in enumerate(edited):
        on = [labels[f"N{number % NAMED}"]]
        on += [make_label(first_label(pk, editor)) for editor in range(EDITORS)]
        for label in on:
            TransactionLabel.objects.create(transaction_id=pk, label=label)
    many(LASTING, "lasting")
    keeping = many(KEEPING, "keeping")
    for name in ("reader", "editor", "manager"):
        user = make_user("Managers", name, is_staff=True)
        user.set_password(PASSWORD)
        user.save()
    with connection.cursor() as cursor:
        cursor.execute(AUDIT)
    return Plan(
        edited=edited,
        labels={name: label.pk for name, label in labels.items()},
        keeping=keeping,
        wallets=list(slots()),
        churn=wallets["churn"].pk,
        asset=asset.pk,
    )


def slots() -> list[str]:
    return [f"slot-{number}" for number in range(SLOTS)]


def truth(url: str, plan: Plan) -> Truth:
    """What the ledger held from which revision on, by the database's own record."""
    registers = {name: ([0], [value]) for name, value in plan.initial.items()}
    counts: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([0], [0]))
    kept: dict[int, set[str]] = defaultdict(set)
    lives: dict[str, tuple[int, float]] = {}
    with psycopg.connect(url) as connection:
        wallets = {
            f"wallet {pk}": name
            for pk, name in connection.execute("SELECT id, name FROM transactions_wallet")
        }
        for revision, register, value in connection.execute(
            "SELECT c.revision, a.register, a.value FROM audit a "
            "JOIN txsite_change c ON c.xid::text = a.xid ORDER BY c.revision, a.id"
        ):
            if register in wallets:
                numbers, totals = counts[wallets[register]]
                record(numbers, totals, revision, totals[-1] + int(value))
            elif register == "comes":
                lives[value] = (revision, math.inf)
            elif register == "goes":
                lives[value] = (lives[value][0], revision)
            elif register in registers:
                record(*registers[register], revision, value)
        for pk, name in connection.execute(
            "SELECT tl.transaction_id, l.name FROM transactions_transactionlabel tl "
            "JOIN transactions_label l ON l.id = tl.label_id WHERE tl.transaction_id = ANY(%s)",
            [plan.keeping],
        ):
            kept[pk].add(name)
    return Truth(registers, counts, kept, lives)


def last_look(url: str, plan: Plan) -> Operation:
    """What the database holds in the end: every acknowledged write is there, or a later one."""
    start = time.monotonic()
    with psycopg.connect(url) as connection:
        seen = {
            note_of(pk): note
            for pk, note in connection.execute(
                "SELECT id, note FROM transactions_transaction WHERE id = ANY(%s)", [plan.edited]
            )
        }
        for pk, names in connection.execute(
            "SELECT tl.transaction_id, array_agg(l.name ORDER BY l.name) "
            "FROM transactions_transactionlabel tl JOIN transactions_label l ON l.id = tl.label_id "
            "WHERE tl.transaction_id = ANY(%s) GROUP BY 1, split_part(l.name, ':', 1)",
            [plan.edited],
        ):
            seen[register_of(plan, pk, names[0])] = " and ".join(names)
        counts = {
            name: (count,)
            for name, count in connection.execute(
                "SELECT w.name, count(e.id) FROM transactions_wallet w "
                "LEFT JOIN transactions_entry e ON e.wallet_id = w.id "
                "WHERE w.name = ANY(%s) GROUP BY 1",
                [plan.wallets],
            )
        }
        ids = connection.execute(
            "SELECT external_id FROM transactions_transaction t "
            "JOIN transactions_wallet w ON w.id = t.source_wallet_id "
            "WHERE w.name IN ('churn', 'lasting')"
        )
        return Operation(
            "last look",
            "SQL",
            "the database in the end",
            start,
            time.monotonic(),
            seen=seen,
            figures=counts,
            ids=tuple(name for (name,) in ids),
            is_whole=True,
        )


def record(numbers: list[int], values: list, revision: int, value: object) -> None:
    """Of several values in one commit the last one counts."""
    if numbers[-1] == revision:
        values[-1] = value
    else:
        numbers.append(revision)
        values.append(value)


if __name__ == "__main__":
    sys.path[:1] = [str(TESTS), str(TESTS.parent)]
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "txsite.settings")
    django.setup()
    print(json.dumps(asdict(make())))
