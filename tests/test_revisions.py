"""Every commit that changes the ledger has one number, in commit order, whoever makes it."""

import json
import os
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from factories import (
    make_address,
    make_batch,
    make_contact,
    make_entry,
    make_label,
    make_transaction,
    make_user,
    our_wallet,
)
from psycopg.conninfo import make_conninfo

from transactions.models import Transaction
from transactions.querysets import known_number
from txsite.freshness.revisions import current_revision
from txsite.models import Change
from txsite.postgres.account import server_account
from txsite.postgres.binaries import find_binaries
from txsite.postgres.data import data_version

pytestmark = pytest.mark.django_db(transaction=True)


def now() -> int:
    return current_revision().number


def last() -> Change:
    return Change.objects.get(revision=now())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transactions_transaction SET note = 'x'",
        "UPDATE transactions_entry SET amount = 2",
        "UPDATE transactions_label SET colour = 'red'",
        "UPDATE transactions_wallet SET name = 'Main'",
        "UPDATE transactions_asset SET symbol = 'X'",
        "UPDATE transactions_importbatch SET error = 'x'",
        "UPDATE contacts_contact SET note = 'x'",
        "UPDATE contacts_address SET contact_id = NULL",
        "DELETE FROM transactions_transactionlabel",
        "DELETE FROM transactions_importline",
        "TRUNCATE transactions_importline",
        "INSERT INTO contacts_contact (name, note, version) VALUES ('Carol', '', 1)",
    ],
)
def test_every_kind_of_change_by_anybody_gets_the_next_number(
    psql: psycopg.Connection, statement: str
) -> None:
    contact = make_contact()
    make_transaction(labels=["Rent"], contact=contact)
    make_batch(lines=[{}])
    before = now()
    psql.execute(statement)
    assert now() == before + 1
    assert (last().actor, last().via) == (connection.settings_dict["USER"], "SQL")
    operation = statement.split()[0].lower()
    assert [what.split()[1] for what in last().tables] == [operation]


def test_statement_that_touches_no_row_is_no_change(psql: psycopg.Connection) -> None:
    before = now()
    psql.execute("UPDATE transactions_transaction SET note = 'x'")
    psql.execute("SELECT count(*) FROM transactions_transaction")
    assert now() == before


def test_one_transaction_is_one_change_with_all_its_rows(psql: psycopg.Connection) -> None:
    make_transaction()
    before = now()
    with psql.transaction():
        for _ in range(3):
            psql.execute("UPDATE transactions_transaction SET note = note || 'x'")
        psql.execute("INSERT INTO contacts_contact (name, note, version) VALUES ('Bob', '', 1)")
    assert now() == before + 1
    assert last().tables == {"transactions_transaction update": 3, "contacts_contact insert": 1}


def test_what_is_rolled_back_has_no_number(psql: psycopg.Connection) -> None:
    make_transaction()
    before = now()
    with psql.transaction(force_rollback=True):
        psql.execute("UPDATE transactions_transaction SET note = 'x'")
    with psql.transaction(), psql.transaction(force_rollback=True):
        psql.execute("UPDATE transactions_transaction SET note = 'x'")
    assert now() == before


def test_change_says_who_and_through_what(client: Client, psql: psycopg.Connection) -> None:
    made = make_transaction()
    editor = make_user("Managers", "alice", is_staff=True)
    client.force_login(editor)
    client.post(f"/transactions/{made.pk}/note/", {"note": "x", "version": 1})
    assert (last().actor, last().via) == ("alice", "page")
    client.post("/admin/transactions/label/add/", {"name": "Rent", "colour": "red"})
    assert (last().actor, last().via) == ("alice", "admin")
    psql.execute("UPDATE transactions_transaction SET note = 'y'")
    assert last().via == "SQL"


def test_number_is_not_given_before_the_commit(psql: psycopg.Connection) -> None:
    made = make_transaction()
    before = now()
    with psql.transaction():
        psql.execute("UPDATE transactions_transaction SET note = 'first'")
        # Another commit comes in between, and is first.
        Transaction.objects.filter(pk=made.pk + 1).update(note="no such row")
        make_contact("Bob")
        assert now() == before + 1
    assert now() == before + 2
    assert last().tables == {"transactions_transaction update": 1}


def test_numbers_have_no_gap_or_repeat_and_readers_see_them_in_order() -> None:
    """Eight writers on foreign keys that are checked at commit, and a reader all the while."""
    wallet = our_wallet()
    made = [make_transaction() for _ in range(8)]
    before, commits, seen = now(), 25, []
    done = threading.Event()

    def write(number: int) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as mine:
            for turn in range(commits):
                with mine.transaction():
                    mine.execute(
                        "INSERT INTO transactions_entry (transaction_id, timestamp, wallet_id, "
                        "asset_id, amount, kind, ordinal) SELECT t.id, t.timestamp, %s, a.id, %s, "
                        "'transfer', 0 FROM transactions_transaction t, transactions_asset a "
                        "WHERE t.id = %s",
                        [wallet.pk, turn + 2, made[number].pk],
                    )
                    mine.execute(
                        "UPDATE transactions_transaction SET note = %s WHERE id = %s",
                        [str(turn), made[number - turn % 3].pk],
                    )

    def read() -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as mine:
            while not done.is_set():
                row = mine.execute(
                    "SELECT (SELECT revision FROM txsite_revision), "
                    "(SELECT max(revision) FROM txsite_change), "
                    "(SELECT count(*) FROM txsite_change WHERE revision > %s)",
                    [before],
                ).fetchone()
                assert row
                seen.append(row)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    # A deadlock would have ended its writer before its last commit.
    assert now() == before + 8 * commits
    numbers = Change.objects.filter(revision__gt=before).values_list("revision", flat=True)
    assert sorted(numbers) == list(range(before + 1, before + 8 * commits + 1))
    assert all(number == newest == before + count for number, newest, count in seen)
    assert [row[0] for row in seen] == sorted(row[0] for row in seen)


def test_numbering_goes_on_after_the_counter_is_restored(psql: psycopg.Connection) -> None:
    """A restored database has transaction ids that begin anew: old ones may come again."""
    make_transaction()
    before = now()
    with psql.transaction():
        psql.execute(
            "UPDATE txsite_change SET xid = pg_current_xact_id() WHERE revision = %s", [before]
        )
        psql.execute("UPDATE transactions_transaction SET note = 'x'")
    assert now() == before + 1
    assert Change.objects.filter(revision__in=[before, before + 1]).count() == 2


def test_numbering_goes_on_after_a_dump_and_its_restoration(psql: psycopg.Connection) -> None:
    make_transaction(labels=["Rent"])
    before, records = now(), Change.objects.count()
    [data] = psql.execute("SHOW data_directory").fetchone() or ()
    binaries = find_binaries(Path(data), data_version(Path(data)), server_account(Path(data)))
    url = os.environ["DATABASE_URL"]
    dump = subprocess.run([binaries / "pg_dump", "-Fc", url], check=True, capture_output=True)
    psql.execute("CREATE DATABASE restored")
    try:
        conninfo = make_conninfo(url, dbname="restored")
        restore: list[str | Path] = [
            binaries / "pg_restore",
            "--exit-on-error",
            f"--dbname={conninfo}",
        ]
        subprocess.run(restore, input=dump.stdout, check=True)
        with psycopg.connect(conninfo, autocommit=True) as restored:
            restored.execute("UPDATE transactions_label SET colour = 'red'")
            row = restored.execute(
                "SELECT (SELECT revision FROM txsite_revision), max(revision), count(*)"
                " FROM txsite_change"
            ).fetchone()
        assert row == (before + 1, before + 1, records + 1)
    finally:
        psql.execute("DROP DATABASE restored WITH (FORCE)")


def test_truncate_of_several_tables_is_one_change_with_all_of_them(
    psql: psycopg.Connection,
) -> None:
    make_transaction(labels=["Rent"])
    before = now()
    psql.execute("TRUNCATE transactions_label CASCADE")
    assert now() == before + 1
    assert last().tables == {
        "transactions_label truncate": None,
        "transactions_transactionlabel truncate": None,
    }
    assert "labels of transactions: all removed" in last().summary


def test_transaction_that_has_its_constraints_checked_early_is_told_in_two_changes(
    psql: psycopg.Connection,
) -> None:
    make_transaction()
    before = now()
    with psql.transaction():
        psql.execute("UPDATE transactions_transaction SET note = 'x'")
        psql.execute("SET CONSTRAINTS ALL IMMEDIATE")
        psql.execute("INSERT INTO contacts_contact (name, note, version) VALUES ('Bob', '', 1)")
    assert now() == before + 2
    told = Change.objects.filter(revision__gt=before).order_by("revision")
    assert [change.tables for change in told] == [
        {"transactions_transaction update": 1},
        {"contacts_contact insert": 1},
    ]


def test_role_with_rights_on_the_ledger_alone_is_numbered_and_cannot_forge(
    psql: psycopg.Connection,
) -> None:
    make_transaction()
    before = now()
    psql.execute("CREATE ROLE bookkeeper")
    try:
        psql.execute(
            "GRANT SELECT, UPDATE ON transactions_transaction, transactions_entry TO bookkeeper"
        )
        psql.execute("SET ROLE bookkeeper")
        psql.execute("UPDATE transactions_transaction SET note = 'x'")
        for forgery in (
            "UPDATE txsite_revision SET revision = 1",
            "DELETE FROM txsite_change",
            "INSERT INTO txsite_change (xid, revision, actor, via, tables)"
            " VALUES (pg_current_xact_id(), 1, 'alice', 'page', '{}')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                psql.execute(forgery)
        psql.execute("RESET ROLE")
        assert now() == before + 1
    finally:
        psql.execute("RESET ROLE")
        psql.execute("DROP OWNED BY bookkeeper")
        psql.execute("DROP ROLE bookkeeper")


def test_old_changes_are_dropped(psql: psycopg.Connection) -> None:
    make_transaction()
    psql.execute("UPDATE txsite_revision SET revision = revision - revision %% 1000 + 200999", [])
    psql.execute("UPDATE transactions_transaction SET note = 'x'")
    assert list(Change.objects.values_list("revision", flat=True)) == [now()]


@pytest.mark.parametrize(
    ("table", "trigger", "how"),
    [
        ("transactions_entry", "record_delete", "DISABLE"),
        ("transactions_entry", "record_delete", "ENABLE REPLICA"),
        ("txsite_change", "last_check", "DISABLE"),
        ("txsite_change", "give_number", "DISABLE"),
        ("txsite_change", "keep_count", "DISABLE"),
    ],
)
def test_check_fails_when_a_table_has_lost_its_trigger(
    psql: psycopg.Connection, table: str, trigger: str, how: str
) -> None:
    def complaints() -> list[str]:
        return [
            error.id for error in run_checks(databases=["default"]) if error.id == "txsite.E001"
        ]

    assert complaints() == []
    psql.execute(f"ALTER TABLE {table} {how} TRIGGER {trigger}")
    try:
        assert complaints() == ["txsite.E001"]
    finally:
        psql.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")


# --- How many transactions there are


def test_number_of_transactions_is_known_whoever_adds_and_removes_them(
    psql: psycopg.Connection,
) -> None:
    assert known_number() == 0
    made = [make_transaction() for _ in range(3)]
    assert known_number() == 3
    psql.execute("DELETE FROM transactions_transaction WHERE id = %s", [made[0].pk])
    assert known_number() == 2
    with psql.transaction():
        psql.execute("DELETE FROM transactions_transaction")
        with psql.transaction(force_rollback=True):
            copy_of(psql, made[1].pk)
        copy_of(psql, made[1].pk)
    assert known_number() == 1
    with psql.transaction(force_rollback=True):
        psql.execute("DELETE FROM transactions_transaction")
    assert known_number() == 1
    psql.execute("UPDATE transactions_transaction SET note = 'x'")
    assert known_number() == 1
    with psql.transaction():
        psql.execute("TRUNCATE transactions_transaction CASCADE")
        copy_of(psql, made[2].pk)
        psql.execute("SET CONSTRAINTS ALL IMMEDIATE")
        copy_of(psql, made[1].pk)
    assert known_number() == 2
    psql.execute("TRUNCATE transactions_transaction CASCADE")
    assert known_number() == 0


def copy_of(psql: psycopg.Connection, pk: int) -> None:
    """A bare transaction, in place of one that was removed."""
    psql.execute(
        "INSERT INTO transactions_transaction (id, network, txid, timestamp, status, type, method,"
        " note, version, is_edited, is_type_told) SELECT %(id)s, 'bitcoin',"
        " lpad(%(id)s::text, 64, '0'), now(), 'ok', 'send', '', '', 1, false, false",
        {"id": pk},
    )


def test_number_is_not_told_within_a_transaction_that_has_written() -> None:
    make_transaction()
    with transaction.atomic():
        assert known_number() == 1
        make_transaction()
        assert known_number() is None
    assert known_number() == 2


def test_number_is_exact_after_many_commits_at_once() -> None:
    def work(first: int) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as one:
            for pk in range(first, first + 8):
                copy_of(one, pk)
            one.execute("DELETE FROM transactions_transaction WHERE id <= %s", [first + 2])

    threads = [threading.Thread(target=work, args=[1000 * number]) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert known_number() == Transaction.objects.count() > 0


def test_number_that_triggers_did_not_keep_is_seen_and_mended(
    psql: psycopg.Connection, viewer: Client
) -> None:
    def complaints() -> list[str]:
        found = run_checks(databases=["default"])
        return [str(one.hint) for one in found if one.id == "transactions.E001"]

    make_transaction()
    assert complaints() == []
    psql.execute("SET session_replication_role = replica")  # as rows come to a replica
    for pk in (1001, 1002):
        copy_of(psql, pk)
    psql.execute("RESET session_replication_role")
    exact = viewer.get("/transactions/?per_page=1&count=exact").content.decode()
    assert '<strong id="count">3</strong>' in exact
    assert known_number() == 1
    [hint] = complaints()
    with pytest.raises(psycopg.errors.CheckViolation, match="follows from the transactions"):
        psql.execute("UPDATE transactions_transactioncount SET number = 7")
    psql.execute(hint.removeprefix("Run in psql: "))
    assert known_number() == 3
    assert complaints() == []


def test_number_below_nothing_is_counted_again(psql: psycopg.Connection) -> None:
    psql.execute("SET session_replication_role = replica")
    for pk in (1001, 1002, 1003):
        copy_of(psql, pk)
    psql.execute("RESET session_replication_role")
    psql.execute("DELETE FROM transactions_transaction WHERE id > 1001")
    assert known_number() == 1


# --- Receipts


def test_every_page_names_its_change(viewer: Client) -> None:
    made = make_transaction()
    label = make_label("Rent")
    for path in (
        "/transactions/",
        "/transactions/?label=Nobody",
        f"/transactions/{made.pk}/",
        "/balances/",
        "/contacts/",
        "/imports/",
        "/changes/",
        "/transactions/export/?format=json",
        "/labels/complete/?q=R",
    ):
        answer = viewer.get(path)
        answer.getvalue()  # to the end of what is streamed, as every server reads it
        assert answer["X-Ledger-Revision"] == str(now()), path
    page = viewer.get("/transactions/").content.decode()
    assert f'href="/changes/?revision={now()}"' in page
    label.delete()
    assert viewer.get("/balances/")["X-Ledger-Revision"] == str(now())


def test_refused_change_names_the_change_that_it_was_compared_with(client: Client) -> None:
    client.force_login(make_user("Managers", is_staff=True))
    contact = make_contact("Alice")
    address = make_address(contact=contact)
    page = f"/contacts/{contact.pk}"
    refused: list[tuple[str, dict[str, Any], int]] = [
        ("/contacts/add/", {"name": "Alice"}, 422),
        (f"{page}/edit/", {"name": "Bob", "version": 99}, 409),
        (f"{page}/remove/", {"version": 99}, 409),
        (f"{page}/addresses/add/", {"address": "?"}, 422),
        (f"{page}/addresses/remove/", {"address": f"{address.pk}:99"}, 409),
        (f"/transactions/{make_transaction().pk}/note/", {"note": "x", "version": 99}, 409),
        ("/imports/", {}, 422),
        (f"/admin/contacts/contact/{contact.pk}/change/", {"name": ""}, 200),
    ]
    for path, data, status in refused:
        answer = client.post(path, data)
        assert answer.status_code == status, path
        assert answer["X-Ledger-Revision"] == str(now()), path
        assert f'href="/changes/?revision={now()}"' in answer.content.decode(), path


def test_refused_change_is_drawn_as_of_one_moment(client: Client) -> None:
    """A reader's snapshot, and not a writer's transaction, which sees every commit at once."""
    client.force_login(make_user("Editors"))
    contact = make_contact("Alice")
    with CaptureQueriesContext(connection) as queries:
        client.post(f"/contacts/{contact.pk}/edit/", {"name": "", "version": 1})
    told = [query["sql"] for query in queries]
    begins = next(n for n, sql in enumerate(told) if "REPEATABLE READ" in sql)
    assert "FOR NO KEY UPDATE" in "".join(told[:begins])
    assert [sql for sql in told[begins:] if 'FROM "contacts_contact"' in sql]


def test_admin_tells_its_change(client: Client) -> None:
    client.force_login(make_user("Managers", is_staff=True))
    make_contact("Alice")
    for path in ("/admin/", "/admin/contacts/contact/", "/admin/contacts/contact/add/"):
        answer = client.get(path)
        assert answer["X-Ledger-Revision"] == str(now())
        assert f'href="/changes/?revision={now()}"' in answer.content.decode(), path


def test_fragment_after_an_edit_names_a_change_that_has_it(client: Client) -> None:
    client.force_login(make_user("Editors"))
    made = make_transaction()
    before = now()
    answer = client.post(
        f"/transactions/{made.pk}/note/", {"note": "x", "version": 1}, headers={"X-Fragment": "1"}
    )
    assert int(answer["X-Ledger-Revision"]) == now() == before + 1


def test_page_that_is_asked_for_a_later_change_is_refused(viewer: Client) -> None:
    make_transaction()
    assert viewer.get(f"/transactions/?min_revision={now()}").status_code == 200
    answer = viewer.get(f"/transactions/?min_revision={now() + 1}")
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert "data-id" not in answer.content.decode()
    for bad in ("x", "-1", "9" * 30, "%00", "1e3"):
        assert viewer.get(f"/balances/?min_revision={bad}").status_code == 400


def test_pages_with_a_snapshot_of_their_own_are_refused_too(viewer: Client) -> None:
    made, batch = make_transaction(), make_batch(lines=[{}])
    for path in (
        "/transactions/export/?format=json",
        "/imports/?sort=time",
        f"/imports/{batch.pk}/?after=0",
        f"/transactions/{made.pk}/?",
    ):
        with closing(viewer.get(f"{path}&min_revision={now()}")) as answer:
            assert answer.status_code == 200, path
        answer = viewer.get(f"{path}&min_revision={now() + 1}")
        assert (answer.status_code, answer["Retry-After"]) == (503, "1"), path
        assert answer["X-Ledger-Revision"] == str(now())
        assert viewer.get(f"{path}&min_revision=x").status_code == 400
        assert not connection.in_atomic_block


def test_edit_is_not_refused_after_it_was_done(client: Client) -> None:
    client.force_login(make_user("Editors"))
    made = make_transaction()
    path = f"/transactions/{made.pk}/note/?min_revision={now() + 100}"
    assert client.post(path, {"note": "x", "version": 1}).status_code == 302


def test_changes_are_listed_newest_first_and_filtered(client: Client) -> None:
    client.force_login(make_user("Editors", "alice"))
    made = make_transaction()
    client.post(f"/transactions/{made.pk}/labels/", {"add": "Rent"})
    page = client.get("/changes/").content.decode()
    assert page.index(f">{now()}<") < page.index(f">{now() - 1}<")
    assert "1 labels of transactions added" in page
    page = client.get("/changes/?via=page&actor=ALICE").content.decode()
    assert page.count('<td class="col-revision"') == 1
    for bad in ("via=magic", "since=x", "since=-1", "colour=red", "actor=%00", "sort=actor"):
        assert client.get(f"/changes/?{bad}").status_code == 400


JSON = {"Accept": "application/json"}


def asked(client: Client, since: int) -> tuple[int, Any]:
    answer = client.get(f"/changes/?since={since}", headers=JSON)
    return answer.status_code, json.loads(answer.content) if answer.content else None


def test_open_page_is_told_what_happened_since(viewer: Client) -> None:
    make_transaction()
    before = now()
    assert asked(viewer, before) == (204, None)
    make_contact("Bob")
    status, told = asked(viewer, before)
    assert status == 200
    assert (told["revision"], told["complete"]) == (before + 1, True)
    assert [change["tables"] for change in told["changes"]] == [{"contacts_contact insert": 1}]
    assert asked(viewer, before + 1) == (204, None)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM txsite_change")
    assert asked(viewer, before)[1]["complete"] is False


def test_open_page_costs_one_query_beside_session_and_user(
    viewer: Client, django_assert_num_queries: Any
) -> None:
    make_transaction()
    newest = now()
    with django_assert_num_queries(3):
        answer = viewer.get(f"/changes/?since={newest}", headers=JSON)
    assert answer.status_code == 204
    assert answer["X-Ledger-Revision"] == str(now())


@pytest.mark.parametrize(
    "since", ["x", "-1", "9" * 30, "9" * 5000, "²", "1&since=x", "1&colour=red"]
)
def test_question_that_cannot_be_read_is_answered_with_what_is_wrong(
    viewer: Client, since: str
) -> None:
    answer = viewer.get(f"/changes/?since={since}", headers=JSON)
    assert (answer.status_code, list(answer.json())) == (400, ["errors"])


def test_viewer_without_rights_is_told_nothing(client: Client) -> None:
    assert client.get("/changes/?since=0").status_code == 302
    client.force_login(make_user(None))
    make_contact()
    for headers in ({}, JSON):
        assert client.get("/changes/?since=0", headers=headers).status_code == 403


def test_command_names_itself(tmp_path: Any) -> None:
    make_entry(make_transaction(), "3")
    file = tmp_path / "export.csv"
    file.write_text(
        "Date,Received Amount,Received Currency,TxHash\n2024-01-02 03:04:05 UTC,1,BTC,abc\n"
    )
    call_command("import_transactions", str(file), wallet="Kraken")
    assert last().via == "import"
    assert last().tables["transactions_transaction insert"] == 1
