"""The prover's checks see what must not be, and nothing else; a short run of it."""

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from prover import checks, clients, run
from prover.checks import Truth
from prover.history import OK, REFUSED, UNKNOWN, History, Operation
from prover.ledger import Plan
from prover.pages import Reply

NO_TRUTH = Truth({}, {}, {})
numbers = itertools.count()


def operation(start: float, end: float, who: str = "", **fields: Any) -> Operation:
    return Operation(who or f"client {next(numbers)}", "page", "", start, end, **fields)


def write(start: float, end: float, value: str, outcome: str = OK) -> Operation:
    return operation(start, end, writes={"note": value}, outcome=outcome)


def read(start: float, end: float, value: str, **fields: Any) -> Operation:
    return operation(start, end, seen={"note": value}, **fields)


def rules(*operations: Operation, truth: Truth = NO_TRUTH, **known: Any) -> list[str]:
    """What is found in a history in which the note is `a` at first."""
    history = History({"note": "a"}, **known)
    for one in operations:
        history.add(one)
    return [violation.rule for violation in checks.all_violations(history, truth)]


OLDER = "older than what was acknowledged"


# --- Registers


def test_present_values_in_any_order_that_time_allows_are_no_violation() -> None:
    assert rules(read(0, 1, "a"), write(2, 3, "b"), read(4, 5, "b")) == []
    # While it is written, both may be seen, the new one first even.
    assert rules(write(0, 10, "b"), read(1, 2, "a"), read(3, 4, "b")) == []
    assert rules(write(0, 10, "b"), read(1, 6, "b"), read(2, 5, "a")) == []


def test_reply_that_begins_after_the_acknowledgement_and_is_old() -> None:
    assert rules(write(0, 1, "b"), read(2, 3, "a")) == [OLDER]
    assert rules(write(0, 1, "b"), write(2, 3, "c"), read(4, 5, "b")) == [OLDER]


def test_reads_that_go_back_while_a_write_runs() -> None:
    assert rules(write(0, 10, "b"), read(1, 2, "b"), read(3, 4, "a")) == [OLDER]


def test_two_writes_that_readers_see_in_different_orders() -> None:
    both = [write(0, 10, "b"), write(0, 10, "c")]
    assert rules(*both, read(1, 2, "b"), read(3, 4, "c")) == []
    found = rules(*both, read(1, 2, "b"), read(3, 4, "c"), read(5, 6, "b"))
    assert found == [OLDER]


def test_write_without_an_answer_may_have_happened_at_any_time_or_never() -> None:
    lost = write(0, 1, "b", UNKNOWN)
    assert rules(lost, read(2, 3, "a"), read(8, 9, "a")) == []
    assert rules(lost, read(2, 3, "a"), read(8, 9, "b")) == []
    assert rules(lost, read(2, 3, "b"), read(8, 9, "a")) == [OLDER]


def test_refused_write_must_not_be_seen() -> None:
    refused = write(0, 1, "b", REFUSED)
    assert rules(refused, read(2, 3, "a")) == []
    assert rules(refused, read(2, 3, "b")) == ["refused, and yet there"]


def test_value_that_nobody_wrote_or_not_yet() -> None:
    assert "nobody wrote it" in rules(read(0, 1, "x"))
    assert "seen before it was written" in rules(read(0, 1, "b"), write(2, 3, "b"))


def test_stale_reads_are_counted() -> None:
    history = History({"note": "a"})
    for one in (write(0, 1, "b"), read(2, 3, "a"), read(2, 3, "b"), read(0.5, 3, "a")):
        history.add(one)
    assert checks.count_stale_reads(history) == (1, 3)


# --- Transactions that come and go, imports


def shown(start: float, end: float, *ids: str, **fields: Any) -> Operation:
    return operation(start, end, ids=ids, **fields)


def test_transaction_is_in_every_list_between_its_insertion_and_its_deletion() -> None:
    made, gone = operation(0, 1, inserted="x"), operation(8, 9, deleted="x")
    assert rules(made, gone, shown(2, 3, "x"), shown(8.5, 9.5), shown(10, 11)) == []
    assert rules(made, gone, shown(0.5, 0.7), shown(0.5, 2, "x")) == []
    assert rules(made, gone, shown(2, 3)) == ["missing"]
    assert rules(made, gone, shown(10, 11, "x")) == ["came back"]
    assert rules(made, shown(2, 3, "x", "x")) == ["shown twice"]
    assert rules(made, shown(2, 3, "x", "y")) == ["nobody wrote it"]
    assert rules(operation(5, 6, inserted="x"), shown(2, 3, "x")) == ["seen before it was written"]


def test_deletion_or_insertion_without_an_answer_allows_both() -> None:
    made, perhaps = operation(0, 1, inserted="x"), operation(2, 3, deleted="x", outcome=UNKNOWN)
    assert rules(made, perhaps, shown(4, 5), shown(4, 5, "x")) == []
    assert rules(operation(0, 1, inserted="x", outcome=UNKNOWN), shown(2, 3)) == []
    refused = operation(2, 3, deleted="x", outcome=REFUSED)
    assert rules(made, refused, shown(4, 5)) == ["missing"]


def test_walk_and_export_have_what_is_always_there() -> None:
    lasting = frozenset({"old"})
    assert rules(shown(0, 1, "old", is_whole=True), shown(0, 1), lasting=lasting) == []
    assert rules(shown(0, 1, is_whole=True), lasting=lasting) == ["missing"]
    assert rules(shown(0, 1, "old", "old", is_whole=True), lasting=lasting) == ["shown twice"]


def wallet(start: float, end: float, *figures: int, **fields: Any) -> Operation:
    return operation(start, end, figures={"w": figures}, **fields)


def test_import_is_seen_whole_or_not_at_all() -> None:
    filled, emptied = operation(2, 4, filled=("w", 50)), operation(6, 8, filled=("w", 0))
    seen = [wallet(0, 1, 0), wallet(3, 3.5, 0), wallet(3, 3.5, 50), wallet(5, 5.5, 50)]
    assert rules(filled, emptied, *seen, wallet(7, 7.5, 0), wallet(9, 10, 0)) == []
    partial = "neither before nor after"
    assert rules(filled, emptied, wallet(3, 3.5, 17)) == [partial]
    assert rules(filled, emptied, wallet(5, 5.5, 0)) == [partial]
    assert rules(filled, emptied, wallet(9, 10, 50)) == [partial]
    perhaps = operation(2, 4, filled=("w", 50), outcome=UNKNOWN)
    assert rules(perhaps, wallet(5, 6, 0), wallet(9, 10, 50)) == []


def test_count_rows_and_totals_of_one_reply_agree() -> None:
    filled = operation(0, 10, filled=("w", 50))
    assert rules(filled, wallet(1, 2, 50, 50)) == []
    assert rules(filled, wallet(1, 2, 50, 0)) == ["does not agree"]


# --- Edits and revisions


def test_edits_of_one_version_and_labels_that_are_gone() -> None:
    first, second = (operation(0, 1, base=("note", 3)) for _ in range(2))
    assert rules(first, second) == ["edit lost"]
    assert rules(first, operation(0, 1, base=("note", 3), outcome=REFUSED)) == []
    kept = operation(0, 1, keeps=(7, "K"))
    assert rules(kept, truth=Truth({}, {}, {7: {"K"}})) == []
    assert rules(kept) == ["edit lost"]


def test_revisions_never_fall_whoever_is_told_them() -> None:
    one = operation(0, 1, "bob", revision=7)
    for who in ("bob", "alice"):
        assert rules(one, operation(2, 3, who, revision=6)) == ["revision fell"]
    assert rules(one, operation(2, 3, revision=7), operation(4, 5, revision=8)) == []
    # One that began before the other had ended may be of a moment before it.
    assert rules(one, operation(0.5, 3, revision=6)) == []


def test_reply_is_at_least_of_the_revision_that_was_asked_for() -> None:
    assert rules(operation(0, 1, revision=6, asked=7, status=503)) == []
    assert rules(operation(0, 1, revision=6, asked=7, status=200)) == ["older than asked for"]


def test_reply_shows_what_was_there_at_its_revision() -> None:
    truth = Truth({"note": ([0, 5], ["a", "b"])}, {"w": ([0, 5], [0, 50])}, {})
    wrong, written = "not what its receipt says", write(0, 9, "b")
    assert rules(written, read(1, 2, "a", revision=4), truth=truth) == []
    assert rules(written, read(3, 4, "b", revision=5), truth=truth) == []
    assert rules(written, read(1, 2, "a", revision=5), truth=truth) == [wrong]
    assert rules(written, read(1, 2, "b", revision=4), truth=truth) == [wrong]
    filled = operation(0, 9, filled=("w", 50))
    assert rules(filled, wallet(1, 2, 50, revision=4), truth=truth) == [wrong]


def test_list_shows_the_transactions_that_were_there_at_its_revision() -> None:
    lives = Truth({}, {}, {}, {"x": (5, 8)})
    made, gone = operation(0, 9, inserted="x"), operation(0, 9, deleted="x")
    for revision, is_there in ((4, False), (5, True), (7, True), (8, False)):
        for ids in ([], ["x"]):
            found = rules(made, gone, shown(1, 2, *ids, revision=revision), truth=lives)
            assert bool(found) == (is_there != bool(ids)), (revision, ids)
    lasting = frozenset({"old"})
    export = shown(1, 2, "old", "x", is_whole=True, revision=5)
    assert rules(made, gone, export, truth=lives, lasting=lasting) == []


# --- What is read off a page


@pytest.fixture
def edited() -> clients.Run:
    plan = Plan([7, 9], {"N0": 1, "N1": 2}, [], [], 0, 0)
    return clients.Run(plan, 0, "", Path(), Path(), History(), 1, 1)


ROW = (
    '<tr data-id="7" data-version="1"><td><a class="chip c"><bdi>W0:7 x</bdi></a>'
    '<a class="chip c"><bdi>N0:y</bdi></a></td><td><bdi class="note">z</bdi></td></tr>'
)


def test_what_should_be_there_and_is_not_is_seen(edited: clients.Run) -> None:
    seen = clients.seen_in(edited, ROW, [7, 9])
    assert (seen["note of 7"], seen["note of 9"]) == ("z", "")
    assert (seen["label W0 of 7"], seen["label W1 of 7"]) == ("W0:7 x", "")
    assert (seen["N0"], seen["N1"]) == ("N0:y", "")
    assert "nobody wrote it" in rules(operation(0, 1, seen=seen))


@pytest.mark.parametrize(
    ("status", "revision", "numbers", "told"),
    [
        (204, 5, None, ""),
        (204, 6, None, "204 for 5 at revision 6"),
        (200, 7, [6, 7], ""),
        (200, 7, [7], "the changes from 5 to 7"),
        (200, 8, [6, 7], "revision 7 in the text, 8 in the header"),
    ],
)
def test_answer_about_changes_agrees_with_itself(
    status: int, revision: int, numbers: list[int] | None, told: str
) -> None:
    changes = [{"revision": number} for number in numbers or []]
    text = json.dumps({"revision": 7, "complete": True, "changes": changes})
    reply = Reply(status, text, {"x-ledger-revision": str(revision)}, 0, 1)
    assert clients.contradiction_in(reply, 5).startswith(told)
    assert bool(clients.contradiction_in(reply, 5)) == bool(told)


def test_reply_that_contradicts_itself() -> None:
    assert rules(operation(0, 1, contradiction="2 are counted, and 1 shown")) == ["does not agree"]


def test_run_that_did_not_read_or_break_everything_proves_nothing(edited: clients.Run) -> None:
    edited.history.add(read(0, 1, "a", worker=1))
    result = run.Result(edited, 1, [], Counter({"reloads": 1}), True, False)
    gaps = result.gaps(0.5)
    assert "nobody read: export" in gaps
    assert "there were no TCP cuts" in gaps
    assert "there were no reloads" not in gaps


# --- The whole of it, shortly


def test_site_is_clean_and_the_old_app_is_caught(capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["--operations", "300", "--no-browser", "--controls", "old-app"]
    code = run.main([*arguments, "--control-operations", "1000"])
    told = capfd.readouterr().out
    assert "violations: 0" in told
    assert "caught after" in told
    assert code == 0 or "void: " in told, told
