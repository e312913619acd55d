"""Labels of wallets (BIP-329), both ways and without loss."""

import json
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from factories import START, make_label, make_transaction, make_user
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.forms import NoteField
from transactions.exports import FORMATS
from transactions.forms import NamesField
from transactions.imports.importer import import_batch, new_batch
from transactions.imports.labels import (
    LabelsError,
    Meaning,
    attach_to,
    carry_out,
    meaning_of,
    plan_of,
    with_label,
)
from transactions.models import ImportBatch, LabelRecord, Transaction, TransactionLabel

pytestmark = pytest.mark.django_db
A, B = "a" * 64, "b" * 64
OTHERS = [
    '{"type":"addr","ref":"bc1qexample","label":"Savings"}',
    '{"type":"pubkey","ref":"02aa","label":"Key"}',
    f'{{"type":"input","ref":"{A}:0","label":"In"}}',
    f'{{ "type": "output", "ref": "{A}:1", "label": "Out", "spendable": "false" }}',
    '{"type":"xpub","ref":"xpub1","label":"Account"}',
    '{"type":"spscan","ref":"sp1","heights":[1,2]}',
    '{"type":"novel","ref":"x","label":"?","more":{"a":[1,2.50]}}',
]


def tx(ref: str, label: str, **more: Any) -> str:
    return json.dumps({"type": "tx", "ref": ref, "label": label, **more})


def content(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def bitcoin(ref: str, **fields: Any) -> Transaction:
    return make_transaction(network="bitcoin", txid=ref, **fields)


def of(one: Transaction) -> tuple[list[str], str]:
    one.refresh_from_db()
    return sorted(one.labels.values_list("name", flat=True)), one.note


def exported(queryset: Any = None) -> list[str]:
    make = FORMATS["bip329"].make
    return "".join(make(queryset or Transaction.objects.all())).split("\n")[:-1]


def stored() -> list[str]:
    return list(LabelRecord.objects.order_by("id").values_list("raw", flat=True))


def keep_long_notes() -> list[str]:
    """The records of two wallets about A, whose notes are too long together."""
    noted = [tx(A, f" || {name * 6_000}", origin=name, heights=[1]) for name in "xy"]
    for at, raw in enumerate(noted):
        LabelRecord.objects.create(type="tx", ref=A, position=at, raw=raw)
    return noted


def import_generic(note: str = "") -> None:
    """A file that tells of transaction A."""
    file = (
        "Date,Network,TxHash,Received Amount,Received Currency,Description\n"
        f"2024-01-01 10:00,bitcoin,{A},1,BTC,{note}\n"
    ).encode()
    batch = new_batch(BytesIO(file), "x.csv", options={"wallet": "Cold"})
    import_batch(batch, BytesIO(file))


def test_everything_comes_back_as_it_was() -> None:
    bitcoin(A)
    lines = [tx(A, "Rent | Tax", origin="wpkh([d34db33f])", height=1), tx(B, "later"), *OTHERS]
    assert carry_out(content(*lines))
    assert sorted(exported()) == sorted(lines)
    assert carry_out(content(*lines))
    assert LabelRecord.objects.count() == len(lines)


def test_text_is_labels_and_a_note() -> None:
    one = bitcoin(A)
    carry_out(content(tx(A, "Rent | a \\| b || paid late")))
    assert of(one) == (["Rent", "a | b"], "paid late")
    one.labels.clear()
    assert json.loads(exported()[0])["label"] == " || paid late"


TEXTS = st.text(st.sampled_from("ab|\\ '=")) | st.text(max_size=12)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(names=st.lists(TEXTS, max_size=3), note=TEXTS)
def test_what_can_be_typed_is_read_as_it_was_written(names: list[str], note: str) -> None:
    try:
        labels = NamesField().clean([name for name in names if name.strip()])
        meaning = Meaning(tuple(labels), NoteField(strip=False).clean(note))
    except ValidationError:
        return
    assert meaning_of(meaning.text) == meaning


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(
    record=st.dictionaries(st.text(max_size=3) | st.just("label"), VALUES, min_size=1),
    label=st.text(max_size=5),
    indent=st.sampled_from([None, 0, 1]),
)
def test_only_the_label_is_written_anew(
    record: dict[str, Any], label: str, indent: int | None
) -> None:
    raw = json.dumps(record, indent=indent)
    assert json.loads(with_label(raw, label)) == record | {"label": label}
    assert list(json.loads(with_label(raw, label))) == list(record | {"label": label})


def test_label_waits_for_its_transaction() -> None:
    carry_out(content(tx(A, "Rent")))
    assert not Transaction.objects.exists()
    import_generic()
    assert of(Transaction.objects.get()) == (["Rent"], "")


def test_conflict_is_settled_as_chosen() -> None:
    for choice, expected in (
        ("keep", (["Ours"], "our note")),
        ("replace", (["Theirs"], "")),
        ("merge", (["Ours", "Theirs"], "our note")),
    ):
        Transaction.objects.all().delete()
        LabelRecord.objects.all().delete()
        one = bitcoin(A, note="our note", labels=["Ours"])
        plan = plan_of(content(tx(A, "Theirs")))
        assert plan.count("conflict") == 1
        carry_out(content(tx(A, "Theirs")), {f"tx {A}": choice})
        assert of(one) == expected


def test_several_lines_of_one_transaction_are_all_its_labels() -> None:
    one = bitcoin(A)
    carry_out(content(tx(A, "Rent"), tx(A, "Tax")))
    assert of(one) == (["Rent", "Tax"], "")
    assert exported() == [tx(A, "Rent"), tx(A, "Tax")]


def test_record_without_a_label_changes_nothing() -> None:
    one = bitcoin(A, labels=["Ours"])
    carry_out(content(json.dumps({"type": "tx", "ref": A, "fee": 7})))
    assert of(one) == (["Ours"], "")
    assert json.loads(exported()[0]) == {"type": "tx", "ref": A, "fee": 7, "label": "Ours"}


def test_changed_label_leaves_every_other_field_to_the_last_digit() -> None:
    one = bitcoin(A)
    lines = [
        f'{{"type":"tx","ref":"{A}","label":"Rent","rate":1.50,"big":1e400,"x":1, "x":2}}',
        f'{{"type":"tx","ref":"{A}","fee":"false"}}',
    ]
    carry_out(content(*lines))
    one.labels.clear()
    Transaction.objects.update(note="paid")
    assert exported() == [
        lines[0].replace("Rent", " || paid"),
        lines[1],
    ]
    carry_out(content(*exported()))
    assert of(one) == ([], "paid")


def test_hash_in_capitals_is_the_same_transaction() -> None:
    carry_out(content(tx(A.upper(), "Rent"), tx(A, "Tax")))
    assert sorted(exported()) == sorted([tx(A.upper(), "Rent"), tx(A, "Tax")])
    import_generic()
    one = Transaction.objects.get()
    assert of(one) == (["Rent", "Tax"], "")
    assert exported() == [tx(A.upper(), "Rent"), tx(A, "Tax")]


def test_note_that_waited_stays_beside_what_files_say() -> None:
    carry_out(content(tx(A, "Rent || from the wallet")))
    import_generic("from the file")
    one = Transaction.objects.get()
    assert of(one) == (["Rent"], "from the file\nfrom the wallet")
    for note in ("zzz of another file", "from the file", ""):
        import_generic(note)
        assert of(one) == (["Rent"], "zzz of another file\nfrom the wallet")
    assert not ImportBatch.objects.filter(conflict__gt=0).exists()
    Transaction.objects.update(note="mine")
    import_generic("zzzz")
    assert of(one) == (["Rent"], "mine")
    assert ImportBatch.objects.latest("pk").conflict == 1


def test_note_that_waited_is_below_the_highest_of_files_in_any_order() -> None:
    carry_out(content(tx(A, "Rent || of the wallet")))
    for note in ("of the wallet", "", "a of a file", "of the wallet"):
        import_generic(note)
    assert Transaction.objects.get().note == "a of a file\nof the wallet"
    import_generic("z of a file")
    assert Transaction.objects.get().note == "z of a file\nof the wallet"


def test_notes_that_do_not_fit_together_wait_for_a_choice() -> None:
    carry_out(content(tx(A, f"Rent || {'w' * 9_000}")))
    import_generic("f" * 9_000)
    assert of(Transaction.objects.get()) == (["Rent"], "f" * 9_000)
    assert plan_of(content(tx(A, f"Rent || {'w' * 9_000}"))).count("conflict") == 1


@pytest.mark.parametrize(("kind", "ref"), [("tx", A), ("addr", "bc1qexample")])
def test_line_without_a_label_takes_none_away(kind: str, ref: str) -> None:
    labelled = json.dumps({"type": kind, "ref": ref, "label": "Rent"})
    plain = json.dumps({"type": kind, "ref": ref, "spendable": "false"})
    carry_out(content(labelled))
    carry_out(content(plain))
    carry_out(content(plain))
    assert exported() == [labelled, plain]


@pytest.mark.parametrize(("kind", "ref"), [("tx", A), ("addr", "bc1qexample")])
@pytest.mark.parametrize(
    ("choice", "first_has", "other_has"),
    [("keep", "Rent", "Rent"), ("replace", "Tax", "Tax"), ("merge", "Rent", "Tax")],
)
def test_other_label_of_what_is_no_transaction_is_a_conflict_too(
    kind: str, ref: str, choice: str, first_has: str, other_has: str
) -> None:
    first = {"type": kind, "ref": ref, "label": "Rent", "height": 7}
    other = {"type": kind, "ref": ref, "label": "Tax", "fee": 2}
    carry_out(content(json.dumps(first)))
    [change] = plan_of(content(json.dumps(other))).changes
    assert (change.outcome, change.texts) == ("conflict", ("Rent", "Tax"))
    carry_out(content(json.dumps(other)), {change.key: choice})
    assert exported() == [
        json.dumps(first | {"label": first_has}),
        json.dumps(other | {"label": other_has}),
    ]


def test_labels_that_differ_in_more_than_case_are_two() -> None:
    one = bitcoin(A, labels=["Straße"])
    carry_out(content(tx(A, "Strasse | STRASSE | STRAßE")), default="merge")
    assert of(one) == (["Strasse", "Straße"], "")
    assert plan_of(content(tx(A, "strasse | straße"))).count("known") == 1


def test_what_both_said_is_known_afterwards() -> None:
    one = bitcoin(A, note="ours")
    for _ in range(2):
        carry_out(content(tx(A, " || one\ntwo")), default="merge")
        assert of(one) == ([], "ours\none\ntwo")
    assert plan_of(content(tx(A, " || one\ntwo"))).count("known") == 1


def test_what_we_have_no_place_for_is_kept_whatever_its_text() -> None:
    lines = [
        json.dumps({"type": "addr", "ref": "a", "label": "x" * 20_000}),
        '{"type":"addr","ref":"b","label":"\\u0000"}',
        '{"type":"addr","ref":"c","label":"\\ud800"}',
    ]
    assert carry_out(content(*lines)).rejected == []
    assert exported() == lines


def test_half_a_character_is_rejected_with_its_line() -> None:
    plan = carry_out(
        content(
            '{"type":"addr","ref":"\\ud800","label":"x"}',
            f'{{"type":"tx","ref":"{A}","label":"\\udfff"}}',
            tx(A, "ok"),
        )
    )
    assert [line for line, _ in plan.rejected] == [1, 2]


def test_long_text_is_a_note_and_nothing_is_cut() -> None:
    one, text = bitcoin(A), "x" * 300
    plan = carry_out(content(tx(A, text)))
    assert plan
    assert "longer than the 255" in plan.changes[0].remark
    assert of(one) == ([], text)
    assert exported() == [tx(A, text)]


def test_notes_that_are_too_long_together_are_refused_and_nothing_is_done() -> None:
    one = bitcoin(A, note="x" * 9_000, labels=["Ours"])
    with pytest.raises(LabelsError, match=r"Line 1: the note of a+ would have 11,001 characters"):
        carry_out(content(tx(A, f"Rent || {'y' * 2_000}")), default="merge")
    assert of(one) == (["Ours"], "x" * 9_000)
    assert not LabelRecord.objects.exists()


def test_export_of_a_filter_has_its_transactions_alone() -> None:
    bitcoin(A, labels=["Rent"])
    bitcoin(B, labels=["Tax"])
    carry_out(content(*OTHERS))
    assert exported(Transaction.objects.filter(labels__name="Rent")) == [tx(A, "Rent")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "no records"),
        (b"not json", "Line 1 is not a JSON object"),
        (b"[1]", "Line 1 is not a JSON object"),
        (b'{"a":1}\n\xff', "Line 2 is not UTF-8"),
        (b"[" * 50_000, "Line 1"),
    ],
)
def test_file_that_is_none_says_where(text: bytes, told: str) -> None:
    with pytest.raises(LabelsError, match=told):
        plan_of(text)


def test_record_that_cannot_be_is_rejected_with_its_line() -> None:
    plan = plan_of(content('{"ref":"x"}', '{"type":"tx","ref":""}', tx(A, "a\x07b"), tx(A, "ok")))
    assert [line for line, _ in plan.rejected] == [1, 2, 3]
    assert len(plan.changes) == 1


def test_command_tells_what_it_did(tmp_path: Path) -> None:
    bitcoin(A, labels=["Ours"])
    path, out = tmp_path / "labels.jsonl", StringIO()
    path.write_bytes(content(tx(A, "Theirs"), tx(B, "later"), *OTHERS))
    call_command("import_labels", str(path), "--conflicts", "merge", stdout=out)
    assert f"Line 1: {A} has “Ours”, and the file “Theirs” (merge)" in out.getvalue()
    assert "0 labelled, 0 known, 1 in conflict, 1 for transactions to come, 7 others" in (
        out.getvalue()
    )
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_labels", str(tmp_path / "nothing"))


def test_dry_run_tells_and_writes_nothing(tmp_path: Path) -> None:
    one = bitcoin(A)
    path, out = tmp_path / "labels.jsonl", StringIO()
    path.write_bytes(content(tx(A, "Rent"), tx(B, "later"), OTHERS[0]))
    call_command("import_labels", str(path), "--dry-run", stdout=out)
    for told in (
        f"Line 1: tx {A} “Rent”: labelled\n",
        f"Line 2: tx {B} “later”: for a transaction to come\n",
        "Line 3: addr bc1qexample “Savings”: kept\n",
        "1 labelled, 0 known, 0 in conflict, 1 for transactions to come, 1 others kept, "
        "0 rejected (dry run)",
    ):
        assert told in out.getvalue()
    assert (of(one), stored()) == (([], ""), [])


def test_receipt_of_labels_tells_of_each_record_and_is_not_taken_back(editor: Client) -> None:
    bitcoin(A, labels=["Ours"])
    carry_out(content(OTHERS[0]))
    lines = [tx(A, "a"), tx(A, "b", x=1), tx(B, "later"), '{"type": "tx"}', OTHERS[0], OTHERS[1]]
    page = upload(editor, content(*lines))
    form = {"content": page.context["content"], "name": "l", "seen": page.context["plan"].digest}
    editor.post("/labels/import/", form)
    [batch] = ImportBatch.objects.all()
    assert list(batch.lines.order_by("number").values_list("outcome", "detail", "raw")) == [
        ("conflict", "has “Ours”, and the file “a | b”: left as it is", lines[0]),
        ("conflict", "has “Ours”, and the file “a | b”: left as it is", lines[1]),
        ("new", "waits for its transaction", lines[2]),
        ("rejected", "it has no ref, or one that is no text.", lines[3]),
        ("known", "kept", lines[4]),
        ("new", "kept", lines[5]),
    ]
    assert "labels</span>" in editor.get("/imports/").content.decode()
    assert editor.get(f"/imports/{batch.pk}/file/").content == content(*lines)
    left_out = editor.get(f"/imports/{batch.pk}/left-out/").content
    assert left_out == content(lines[0], lines[1], lines[3])  # which /labels/import/ reads
    undone = editor.get(f"/imports/{batch.pk}/undo/", follow=True).content.decode()
    assert "Labels and address books are not taken back." in undone
    with pytest.raises(CommandError, match="are not taken back"):
        call_command("undo_import", str(batch.pk))
    batch.refresh_from_db()
    assert batch.status == "imported"


@pytest.mark.django_db(transaction=True)
def test_label_and_transaction_that_come_at_the_same_moment_find_each_other() -> None:
    def label() -> None:
        try:
            carry_out(content(tx(A, "Rent")))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            one = bitcoin(A)
            attach_to([one.pk])
            done = pool.submit(label)
            waits = False
            while not waits and not done.done():
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                waits = cursor.fetchone() != (0,)
        done.result()
    assert of(one) == (["Rent"], "")


# The page


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("Editors"))
    return client


def upload(client: Client, text: bytes) -> Any:
    return client.post("/labels/import/", {"file": SimpleUploadedFile("l.jsonl", text)})


def test_page_shows_first_and_does_what_was_chosen(editor: Client) -> None:
    one = bitcoin(A, labels=["Ours"])
    page = upload(editor, content(tx(A, "Theirs"), tx(B, "<b>later</b>")))
    text = page.content.decode()
    assert page.status_code == 200
    assert page["X-Ledger-Revision"]
    assert "<b>later" not in text
    assert of(one) == (["Ours"], "")
    form = {
        "content": page.context["content"],
        "seen": page.context["plan"].digest,
        f"choice tx {A}": "merge",
    }
    one.labels.clear()
    assert editor.post("/labels/import/", form).status_code == 409
    form["seen"] = (
        upload(editor, content(tx(A, "Theirs"), tx(B, "<b>later</b>"))).context["plan"].digest
    )
    assert editor.post("/labels/import/", form).status_code == 303
    assert of(one) == (["Theirs"], "")


def test_browser_sends_other_line_ends_and_it_is_the_same_file(editor: Client) -> None:
    text = content(tx(A, "Theirs"), tx(B, "later"))
    page = upload(editor, text.replace(b"\n", b"\r"))
    sent = page.context["content"].replace("\n", "\r\n")
    form = {"content": sent, "seen": page.context["plan"].digest}
    assert editor.post("/labels/import/", form).status_code == 303


def test_more_conflicts_than_the_page_has_room_for_are_chosen_together(editor: Client) -> None:
    hashes = [f"{number:064x}" for number in range(1_100)]
    new = [Transaction(network="bitcoin", txid=one, timestamp=START, type="send") for one in hashes]
    Transaction.objects.bulk_create(new)
    Transaction.objects.update(note="ours")
    page = upload(editor, content(*[tx(one, " || theirs") for one in hashes]))
    assert "And 600 more conflicts" in page.content.decode()
    form = {
        "content": page.context["content"],
        "seen": page.context["plan"].digest,
        "rest": "replace",
        **{f"choice {one.key}": "keep" for one in page.context["conflicts"]},
    }
    told = editor.post("/labels/import/", form, follow=True).content.decode()
    assert "600 labelled, 500 in conflict and left as they were" in told
    assert Transaction.objects.filter(note="ours").count() == 500
    assert Transaction.objects.filter(note="theirs").count() == 600


def test_conflict_with_what_waits_is_shown(editor: Client) -> None:
    carry_out(content(OTHERS[0]))
    page = upload(editor, content(OTHERS[0].replace("Savings", "<b>Spending")))
    text = page.content.decode()
    assert "Savings" in text
    assert "&lt;b&gt;Spending" in text


def test_page_refuses_what_is_no_file_of_labels(editor: Client) -> None:
    assert "Line 1 is not a JSON object" in upload(editor, b"nothing").content.decode()
    assert editor.post("/labels/import/", {}).status_code == 422
    too_large = b" " * (1024 * 1024 + 1)
    assert "more than 1 MB" in upload(editor, too_large).content.decode()


def test_viewer_imports_no_labels(client: Client) -> None:
    client.force_login(make_user("Viewers"))
    assert client.get("/labels/import/").status_code == 403


def test_records_of_two_wallets_are_both_kept() -> None:
    lines = [tx(A, "Rent", origin="w1"), tx(A, "Rent", origin="w2")]
    for line in lines:
        assert carry_out(content(line)).left == 0
    assert exported() == lines


@pytest.mark.parametrize("origins", [("w1", "w2"), ("w", "w")])
def test_records_that_nobody_edited_come_back_beside_what_was_added_since(
    origins: tuple[str, str],
) -> None:
    one, two = origins
    lines = [tx(A, "payout || a", origin=one), tx(A, "invoice", origin=two, height=1.50)]
    carry_out(content(*lines))
    import_generic("hello")
    assert of(Transaction.objects.get()) == (["invoice", "payout"], "hello\na")
    assert exported() == [tx(A, " || hello"), *lines]


def test_several_records_have_what_is_left_of_them_and_new_ones_once() -> None:
    one = bitcoin(A)
    plain = json.dumps({"type": "tx", "ref": A, "spendable": True})
    carry_out(content(plain, tx(A, "payout", origin="x"), tx(A, "invoice | Tax || b"), tx(A, "c")))
    one.labels.set([make_label("New"), make_label("payout"), *one.labels.filter(name="Tax")])
    assert exported() == [
        plain,
        tx(A, "payout", origin="x"),
        tx(A, "Tax || b"),
        tx(A, ""),
        tx(A, "New"),
    ]
    Transaction.objects.update(note="c\nb")
    content_again = exported()
    Transaction.objects.all().delete()
    LabelRecord.objects.all().delete()
    one = bitcoin(A)
    carry_out(content(*content_again))
    assert of(one) == (["New", "Tax", "payout"], "c\nb")


def test_choice_about_a_field_leaves_the_labels_of_a_transaction() -> None:
    one = make_transaction(network="bitcoin", txid=A, labels=["Rent", "Tax"], note="mine")
    carry_out(content(tx(A, "Rent", spendable=True)))
    carry_out(content(tx(A, "Rent", spendable=False)), default="replace")
    one.refresh_from_db()
    assert (sorted(label.name for label in one.labels.all()), one.note) == (["Rent", "Tax"], "mine")


@pytest.mark.parametrize("is_known", [True, False])
def test_line_without_a_label_adds_none_to_long_notes(is_known: bool) -> None:
    """Two wallets' notes do not fit into one, which is nothing that this line could change."""
    if is_known:
        bitcoin(A, note="ours")
    noted = keep_long_notes()
    plain = json.dumps({"type": "tx", "ref": A, "spendable": True})
    carry_out(content(plain))
    assert stored() == [*noted, plain]


def test_note_of_a_line_that_is_replaced_is_not_written_where_it_does_not_fit() -> None:
    noted = keep_long_notes()
    with pytest.raises(LabelsError, match="12,001 characters"):
        carry_out(
            content(json.dumps({"type": "tx", "ref": A, "origin": "x", "heights": [2]})),
            default="replace",
        )
    assert stored() == noted


@pytest.mark.parametrize("names", [["Tax"], []])
def test_label_that_a_person_changed_stays_so_when_a_field_is_replaced(names: list[str]) -> None:
    one = bitcoin(A)
    carry_out(content(tx(A, "Rent", spendable=True)))
    TransactionLabel.objects.all().delete()
    for name in names:
        TransactionLabel.objects.create(transaction=one, label=make_label(name))
    plain = {"type": "tx", "ref": A, "spendable": False}
    carry_out(content(json.dumps(plain)), default="replace")
    assert of(one) == (names, "")
    assert [json.loads(raw) for raw in stored()] == [plain]
    labelled = {**plain, "label": names[0]} if names else plain
    assert [json.loads(line) for line in exported()] == [labelled]


@pytest.mark.parametrize("choice", ["keep", "replace", "merge"])
@pytest.mark.parametrize("kind", ["tx", "output"])
def test_choice_about_a_field_takes_no_label_away(kind: str, choice: str) -> None:
    def line(**fields: Any) -> str:
        return json.dumps({"type": kind, "ref": A, **fields})

    carry_out(content(line(label="Rent", spendable=True)))
    carry_out(content(line(spendable=False)), default=choice)
    told = [json.loads(one) for one in exported()]
    assert next(one["label"] for one in told if "label" in one) == "Rent"
    assert told[0]["spendable"] == (choice != "replace")
    LabelRecord.objects.all().delete()
    carry_out(content(line(spendable=True)))
    carry_out(content(line(label="Rent", spendable=False)), default=choice)
    assert "Rent" in "".join(exported())


@pytest.mark.parametrize(("choice", "kept"), [("keep", [0]), ("replace", [1]), ("merge", [0, 1])])
def test_field_that_two_files_tell_otherwise_is_a_conflict(choice: str, kept: list[int]) -> None:
    lines = [
        f'{{"type":"output","ref":"{A}:1","label":"Out","spendable":false}}',
        f'{{"type":"output","ref":"{A}:1","label":"Out","spendable":true}}',
    ]
    carry_out(content(lines[0]))
    (change,) = plan_of(content(lines[1])).changes
    assert (change.outcome, change.remark) == (
        "conflict",
        "spendable: false here, true in the file",
    )
    carry_out(content(lines[1]), default=choice)
    assert exported() == [lines[number] for number in kept]
