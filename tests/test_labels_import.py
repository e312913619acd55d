"""Labels of wallets (BIP-329), both ways and without loss."""

import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from factories import make_transaction, make_user
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transactions.exports import FORMATS
from transactions.imports.importer import import_batch, new_batch
from transactions.imports.labels import LabelsError, Meaning, carry_out, meaning_of, plan_of
from transactions.models import LabelRecord, Transaction

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
    return [line.rstrip("\n") for line in make(queryset or Transaction.objects.all())]


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


MEANINGS = st.builds(
    Meaning,
    st.lists(
        st.text(st.sampled_from("ab|\\ "), min_size=1, max_size=8).map(str.strip).filter(bool),
        max_size=3,
        unique_by=str.casefold,
    ).map(tuple),
    st.text(st.sampled_from("ab|\\ \n"), max_size=8),
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(meaning=MEANINGS)
def test_what_we_write_is_what_we_read(meaning: Meaning) -> None:
    assert meaning_of(meaning.text) == meaning


def test_label_waits_for_its_transaction() -> None:
    carry_out(content(tx(A, "Rent")))
    assert not Transaction.objects.exists()
    file = (
        "Date,Network,TxHash,Received Amount,Received Currency\n"
        f"2024-01-01 10:00,bitcoin,{A},1,BTC\n"
    )
    batch = new_batch(BytesIO(file.encode()), "x.csv", options={"wallet": "Cold"})
    import_batch(batch, BytesIO(file.encode()))
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


def test_page_refuses_what_is_no_file_of_labels(editor: Client) -> None:
    assert "Line 1 is not a JSON object" in upload(editor, b"nothing").content.decode()
    assert editor.post("/labels/import/", {}).status_code == 422
    too_large = b" " * (1024 * 1024 + 1)
    assert "more than 1 MB" in upload(editor, too_large).content.decode()


def test_viewer_imports_no_labels(client: Client) -> None:
    client.force_login(make_user("Viewers"))
    assert client.get("/labels/import/").status_code == 403


def test_half_a_character_is_rejected_with_its_line() -> None:
    plan = plan_of(content('{"type":"tx","ref":"' + A + '","label":"\\ud800"}', tx(B, "ok")))
    assert [line for line, _ in plan.rejected] == [1]
