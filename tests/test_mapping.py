"""A table of an unknown kind: its columns are mapped once, and known from then on."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from factories import make_user

from transactions.imports.formats import cells
from transactions.imports.formats.mapped import FIELDS
from transactions.imports.formats.reader import open_any
from transactions.imports.importer import import_batch, new_batch
from transactions.imports.rows import FileError
from transactions.imports.undo import undo
from transactions.mapping_views import GROUPS
from transactions.models import ImportBatch, ImportMapping, Transaction

BANK = (
    "Account statement of 2024\n\nDay;Sum;Unit;Costs;Text;Ref\n"
    "31.01.2024 10:00;-1.234,56;EUR;1,50;Rent;r-1\n01.02.2024 11:00;0,5;BTC;;Gift;r-2\n"
    "02.02.2024 11:00;half;BTC;;Gift;r-3\n"
)
COLUMNS = {"date": "Day", "amount": "Sum", "currency": "Unit", "fee_amount": "Costs"}
COLUMNS |= {"fee_currency": "Unit", "note": "Text", "id": "Ref"}
MAPPING: dict[str, Any] = {"name": "My bank", "columns": COLUMNS, "decimal": ","}
MAPPING |= {"header": ["Day", "Sum", "Unit", "Costs", "Text", "Ref"]}


def moved() -> list[tuple[str, list[str]]]:
    return [
        (one.note, [f"{entry.amount:f}" for entry in one.entries.order_by("amount")])
        for one in Transaction.objects.order_by("timestamp")
    ]


EXPECTED = [("Rent", ["-1234.56", "-1.5"]), ("Gift", ["0.5"])]


@pytest.mark.django_db
def test_command_reads_an_unknown_table_by_a_mapping_and_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "bank.csv").write_text(BANK)
    # With the mark that editors of Windows put before it.
    (tmp_path / "mapping.json").write_text(json.dumps(MAPPING), encoding="utf-8-sig")
    out = StringIO()
    said = ["--wallet", "Bank", "--timezone", "UTC"]
    call_command(
        "import_transactions",
        str(tmp_path / "bank.csv"),
        "--mapping",
        str(tmp_path / "mapping.json"),
        *said,
        stdout=out,
    )
    assert moved() == EXPECTED
    assert "Line 6: Sum 'half' is not an amount" in out.getvalue()
    # The same header is known from now on.
    call_command("import_transactions", str(tmp_path / "bank.csv"), *said, stdout=out)
    assert "0 new, 2 known" in out.getvalue()
    # One with another column, which may say which way the amounts went, is not.
    other = BANK.replace("Ref\n", "Ref;Way\n").replace("r-1\n", "r-1;out\n")
    (tmp_path / "other.csv").write_text(other)
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("import_transactions", str(tmp_path / "other.csv"), *said, stdout=out)


@pytest.mark.django_db
def test_command_keeps_a_mapping_only_with_an_import_and_replaces_none_unasked(
    tmp_path: Path,
) -> None:
    (tmp_path / "bank.csv").write_text(BANK)
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps(MAPPING))

    def run(*said: str) -> None:
        command = ["import_transactions", str(tmp_path / "bank.csv"), "--mapping", str(path)]
        call_command(*command, "--wallet", "Bank", *said, stdout=StringIO(), stderr=StringIO())

    run("--timezone", "UTC", "--dry-run")
    with pytest.raises(CommandError, match="Nothing was imported"):
        run()  # asks for the time zone
    assert not ImportMapping.objects.exists()
    run("--timezone", "UTC")
    kept = ImportMapping.objects.get()

    path.write_text(json.dumps(MAPPING | {"date_order": "dmy"}))
    for said in ([], ["--dry-run"]):
        with pytest.raises(CommandError, match="a name of its own, or say --replace-mapping"):
            run("--timezone", "UTC", *said)
    run("--timezone", "UTC", "--replace-mapping", "--dry-run")
    assert ImportMapping.objects.get().mapping == kept.mapping
    run("--timezone", "UTC", "--replace-mapping")
    assert ImportMapping.objects.get().mapping["date_order"] == "dmy"


@pytest.mark.parametrize(
    ("days", "order", "is_open"),
    [
        (["31/01/2024", "05/09/2017"], "dmy", False),
        (["01/31/2024", "05/09/2017"], "mdy", False),
        (["31/01/2024", "01/31/2024"], "", False),
        (["31/01/2024", "01/31/2024", "05/09/2017"], "", True),
        (["17-09-05", "05/09/2017"], "", True),
    ],
)
def test_days_tell_an_order_only_where_none_tells_another(
    days: list[str], order: str, is_open: bool
) -> None:
    assert (cells.order_of(days), cells.is_order_open(days)) == (order, is_open)


@pytest.mark.parametrize("text", ["2024-01-31 13:45 AM", "31/01/2024 13:45 PM"])
def test_hour_that_no_half_day_has_is_refused(text: str) -> None:
    with pytest.raises(cells.Unreadable):
        cells.written_time(text, "Day", UTC, "dmy")


def test_year_may_come_first_before_any_clock() -> None:
    for text in ("2021/5/3 9:05", "2021/5/3 9:05:00", "2021/5/3 9:05 AM"):
        moment = cells.written_time(text, "Day", UTC)
        assert moment == datetime(2021, 5, 3, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize("day", ["2024-05-01", "2024/5/1", "01/05/2024", "1.5.2024"])
def test_day_without_a_time_is_its_midnight(day: str) -> None:
    assert cells.written_time(day, "Day", UTC, "dmy") == datetime(2024, 5, 1, tzinfo=UTC)
    at_ten = cells.written_time(f"{day} 10:30", "Day", UTC, "dmy")
    assert at_ten == datetime(2024, 5, 1, 10, 30, tzinfo=UTC)


@pytest.mark.django_db
def test_file_that_breaks_off_further_down_is_shown_with_its_problem(client: Client) -> None:
    client.force_login(make_user("Editors"))
    content = b"Day,Sum,Unit\n" + b"2024-01-01,1,EUR\n" * 20 + b"2024-01-02,1,\0\n"
    batch = new_batch(BytesIO(content), "x.csv")
    with pytest.raises(FileError):
        import_batch(batch, BytesIO(content))
    url = f"{batch.get_absolute_url()}columns/"
    said = {"name": "Bank", "column date": "Day", "column amount": "Sum", "column currency": "Unit"}
    page = client.post(url, {**said, "decimal": ".", "show": ""})
    assert page.status_code == 422
    assert "Line 22 contains a NUL character" in page.content.decode()


@pytest.mark.django_db
def test_file_that_nobody_knows_is_offered_a_mapping_first(client: Client) -> None:
    client.force_login(make_user("Editors"))
    content = b"Day,Sum,Unit\n2024-01-01,1,EUR\n"
    batch = new_batch(BytesIO(content), "x.csv")
    with pytest.raises(FileError, match="Say what they are in a mapping, or export the file"):
        import_batch(batch, BytesIO(content))
    page = client.get(batch.get_absolute_url()).content.decode()
    mapping = f'<a role="button" href="{batch.get_absolute_url()}columns/">'
    assert 0 < page.index(mapping) < page.index("Import another file")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        (json.dumps({**MAPPING, "decimals": ","}), "A mapping has no 'decimals', but name, header"),
        ("[]", "A mapping is a JSON object such as"),
        ('{"name": "x", "columns": {}}', "Say which column is the date"),
        ('{"name": "x", "columns": {"date": "a", "amount": "b"}}', "currency of the amount"),
        ('{"name": "x", "columns": {"date": "a", "sum": "b"}}', "The fields are: date"),
        ('{"name": "", "columns": {"date": "a"}}', "Give the mapping a name"),
    ],
)
def test_mapping_that_is_none_says_why(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mapping.json"
    path.write_text(text)
    with pytest.raises(CommandError, match=told):
        call_command("import_transactions", "x.csv", "--mapping", str(path))


def ended(pk: int) -> ImportBatch:
    end = monotonic() + 30
    while ImportBatch.objects.filter(pk=pk, status="running").exists():
        assert monotonic() < end
        sleep(0.05)
    return ImportBatch.objects.get(pk=pk)


@pytest.mark.django_db(transaction=True)
def test_page_shows_samples_as_they_would_be_read_and_reads_the_file(client: Client) -> None:
    client.force_login(make_user("Editors"))
    client.post("/imports/", {"file": file_of(BANK), "wallet": "Bank", "timezone": "UTC"})
    batch = ended(ImportBatch.objects.get().pk)
    assert batch.status == "failed"
    url = f"{batch.get_absolute_url()}columns/"
    assert url in client.get(batch.get_absolute_url()).content.decode()
    page = client.get(url).content.decode()
    assert "1.234,56" in page
    form: dict[str, Any] = {f"column {name}": column for name, column in COLUMNS.items()}
    form |= {"decimal": ",", "date_order": "", "name": ""}
    assert "Give the mapping a name" in client.post(url, form).content.decode()
    form["name"] = "My bank"
    shown = client.post(url, form | {"show": ""}).content.decode()
    assert "-1234.56 EUR, fee -1.5 EUR" in shown
    assert "Sum &#x27;half&#x27; is not an amount" in shown
    assert not ImportMapping.objects.exists()
    assert client.post(url, form).status_code == 303
    batch = ended(batch.pk)
    assert (batch.status, batch.new, batch.rejected) == ("shown", 2, 1)
    client.post(f"{batch.get_absolute_url()}confirm/", {"shown": batch.shown})
    assert ended(batch.pk).status == "imported"
    assert moved() == EXPECTED
    assert client.get(url).status_code == 404

    # Another mapping of the same name is not taken unasked, and changes nothing that is done.
    client.post("/imports/", {"file": file_of(BANK), "wallet": "Bank", "timezone": "UTC"})
    second = ended(ImportBatch.objects.latest("pk").pk)
    assert (second.status, second.known) == ("shown", 2)
    url = f"{second.get_absolute_url()}columns/"
    assert url in client.get(second.get_absolute_url()).content.decode()
    form["column note"] = "Ref"
    answer = client.post(url, form)
    assert (answer.status_code, "another mapping of this name" in answer.content.decode()) == (
        409,
        True,
    )
    assert ImportMapping.objects.get().mapping == MAPPING | {
        "date_order": "",
        "currency": "",
        "network": "",
    }
    assert client.post(url, form | {"replace": "on"}).status_code == 303
    assert ended(second.pk).changed == 2
    client.post(f"{second.get_absolute_url()}cancel/")
    undo(ended(batch.pk))
    assert not Transaction.objects.exists()
    client.post(f"{batch.get_absolute_url()}redo/")
    assert ended(batch.pk).status == "imported"
    assert moved() == EXPECTED


def file_of(content: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("bank.csv", content.encode())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no table\nat all\n", "No line of the file&#x27;s beginning has columns"),
        (b'[{"a": 1, "b": 2}]', "A JSON file has no columns"),
        (b"Day,Day,Sum\n1,2,3\n", "Day"),
    ],
)
def test_file_that_is_no_table_is_not_to_be_mapped(
    client: Client, content: bytes, told: str
) -> None:
    client.force_login(make_user("Editors"))
    batch = new_batch(BytesIO(content), "x.csv")
    with pytest.raises(FileError):
        import_batch(batch, BytesIO(content))
    page = client.get(f"{batch.get_absolute_url()}columns/")
    assert page.status_code == 422
    assert told in page.content.decode()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("-5", "-5"),
        ("−5.00", "-5"),
        ("$ - 3", "-3"),
        ("€ −3", "-3"),
        ("-€1,234.50", "-1234.5"),
        ("€-3", "-3"),
        ("EUR 7", "7"),
        ("CA$67.01", "67.01"),
        ("-R$67.01", "-67.01"),
        ("A$-3", "-3"),
        ("R 100.50", "100.5"),
        ("ABCD3", None),
        ("+7", "7"),
        ("-€-3", None),
        ("5 -", None),
        ("- -5", None),
        ("–5", "-5"),
        ("—5", "-5"),
        ("－5", "-5"),
        ("﹣5", "-5"),
        ("<0.01", None),
        ("~5", None),
        ("(5", None),
        ("E5", None),
        ("5 €", "5"),
        ("-1,234.50€", "-1234.5"),
        ("-5 EUR", "-5"),
        ("5 k", None),
        ("5%", None),
        ("5 USD", None),
        ("USD 5", None),
        ("(1,234.50)", "-1234.5"),
        ("(€5)", "-5"),
        ("(-5)", None),
        ("€(5)", "-5"),
        ("(5.00) EUR", "-5"),
        ("(5) €", "-5"),
        ("€(€5)", None),
        ("HK$5", "5"),
        ("5 HK$", None),
    ],
)
def test_sign_of_money_is_never_lost(text: str, told: str | None) -> None:
    if told is None:
        with pytest.raises(cells.Unreadable):
            cells.money(text, "Sum", "EUR" if "USD" in text else "")
    else:
        currency = "EUR" if "EUR" in text else ""
        assert f"{cells.money(text, 'Sum', currency):f}" == told


def test_remedy_of_an_unreadable_amount_is_one_that_is_read() -> None:
    for text, has_commas in (("half", True), ("half", False), ("5 k", True), ("5 k", False)):
        with pytest.raises(cells.Unreadable) as told:
            cells.money(text, "Sum", "EUR", has_commas=has_commas)
        written = str(told.value).removesuffix(".").rpartition(" such as ")[2]
        assert cells.money(written, "Sum", "EUR", has_commas=has_commas) == Decimal("1234.5")


@pytest.mark.parametrize(
    "text", ["12.5", "0.001", "1,234.56", "1.23,4", "1.2345,6", "1.23e4", "6.0E-12"]
)
def test_point_that_groups_no_three_digits_is_refused(text: str) -> None:
    with pytest.raises(cells.Unreadable, match="decimal comma"):
        cells.pointed(text, "Sum")


def test_decimal_comma_is_read_with_its_groups() -> None:
    for text, told in {"1.234.567,89": "1234567.89", "-0,5": "-0.5", "7": "7", "": ""}.items():
        assert cells.pointed(text, "Sum") == told


@pytest.mark.django_db
def test_currency_that_no_column_tells_is_said_by_the_mapping(tmp_path: Path) -> None:
    lines = [";Day;Sum;Fee", "0;31.01.2024;1.234,50 €;0,1", "1;01.02.2024;-7 EUR;"]
    (tmp_path / "bank.csv").write_text("\n".join(lines))
    columns = {"date": "Day", "amount": "Sum", "fee_amount": "Fee"}
    said = {"name": "Bank", "columns": columns, "decimal": ","}
    options = ["--wallet", "Bank", "--timezone", "UTC", "--mapping", str(tmp_path / "m.json")]
    command = ["import_transactions", str(tmp_path / "bank.csv"), *options]
    (tmp_path / "m.json").write_text(json.dumps(said))
    with pytest.raises(CommandError, match="or in which currency all amounts are"):
        call_command(*command, stdout=StringIO())
    (tmp_path / "m.json").write_text(json.dumps({**said, "currency": "EUR"}))
    call_command(*command, stdout=StringIO())
    assert moved() == [("", ["-0.1", "1234.5"]), ("", ["-7"])]


@pytest.mark.parametrize(
    ("content", "columns", "line"),
    [
        ("Day;Sum;Text\n1.2.2024;1,50;Rent, May, flat, house\n2.2.2024;2;x\n", 3, 1),
        ("Day;Sum;Text\n1.2.2024;1,50;Rent, May, flat, house\n", 3, 1),
        ("Day\tSum\tText\n1.2.2024\t1\ta; b; c; d\n", 3, 1),
        ("My, bank, of, all, banks\n\nDay;Sum;Text;\n1.2.2024;1,50;x;\n", 3, 3),
        ("Day;Sum;Text\n1.2.2024;1;x;\n1.2.2024;2;x;\n", 3, 1),
        ('Day;Sum;Text\n1.2.2024;1;"x\ny"\n', 3, 1),
    ],
)
def test_header_is_the_line_that_others_are_like(content: str, columns: int, line: int) -> None:
    table = open_any(BytesIO(content.encode()), "bank.csv")
    assert (len(table.header), table.header_line, table.header[0]) == (columns, line, "Day")


@pytest.mark.django_db
def test_received_amount_that_is_negative_and_a_sign_of_another_currency_are_rejected(
    tmp_path: Path,
) -> None:
    (tmp_path / "bank.csv").write_text(
        "Day,In,Unit\n2024-01-31 10:00,-5,EUR\n2024-01-31 10:00,$5,EUR\n2024-01-31 10:00,€5,EUR\n"
    )
    columns = {"date": "Day", "received_amount": "In", "received_currency": "Unit"}
    (tmp_path / "mapping.json").write_text(json.dumps({"name": "Bank", "columns": columns}))
    out = StringIO()
    said = ["--wallet", "Bank", "--timezone", "UTC"]
    mapping = ["--mapping", str(tmp_path / "mapping.json")]
    call_command("import_transactions", str(tmp_path / "bank.csv"), *mapping, *said, stdout=out)
    assert moved() == [("", ["5"])]
    assert "Line 2: In '-5' was received, and is negative." in out.getvalue()
    assert "Line 3: In '$5' is in another currency than EUR." in out.getvalue()


ME, SHOP = "0x" + "a1" * 20, "0x" + "b2" * 20
TXID = "0x" + "0c" * 32
WALLET = {
    "date": "Day",
    "amount": "Sum",
    "way": "Way",
    "currency": "Unit",
    "fee_amount": "Gas",
    "fee_currency": "Paid in",
    "type": "Kind",
    "status": "State",
    "txid": "Hash",
    "network": "Chain",
    "block": "Block",
    "counterparty": "Other",
    "contact": "Who",
    "id": "Ref",
    "note": "Text",
    "labels": "Tags",
}


def brought(tmp_path: Path, said: dict[str, Any], lines: list[dict[str, str]], *more: str) -> str:
    """Imports lines of our names of cells by a mapping of all columns; what the command told."""
    columns = WALLET | said.get("columns", {})
    header = [*columns.values()]
    rows = [";".join(line.get(name, "") for name in columns) for line in lines]
    (tmp_path / "t.csv").write_text("\n".join([";".join(header), *rows, ""]))
    (tmp_path / "m.json").write_text(json.dumps({"name": "T", **said, "columns": columns}))
    out = StringIO()
    command = ["import_transactions", str(tmp_path / "t.csv")]
    said_ = ["--mapping", str(tmp_path / "m.json"), "--timezone", "UTC", *more]
    call_command(*command, *said_, stdout=out, stderr=out)
    return out.getvalue()


SENT = {"date": "2024-01-31 10:00", "amount": "1.5", "way": "Sent", "currency": "ETH"}
SENT |= {"fee_amount": "0.01", "fee_currency": "ETH", "status": "Completed", "type": "Rent"}
SENT |= {"txid": TXID.upper().replace("X", "x"), "network": "Ethereum", "block": "19000000"}
SENT |= {"counterparty": SHOP, "contact": "Bob", "note": "May", "labels": "Home", "id": "7"}


@pytest.mark.django_db
def test_line_with_a_hash_and_a_network_is_the_transaction_that_others_know(
    tmp_path: Path,
) -> None:
    header = "Date,Sent Amount,Sent Currency,Fee Amount,Fee Currency,TxHash,Network,Counterparty"
    (tmp_path / "g.csv").write_text(
        f"{header}\n2024-01-31 10:00,1.5,ETH,0.01,ETH,{TXID},ethereum,{SHOP}\n"
    )
    told = brought(tmp_path, {}, [SENT], "--wallet", ME)
    assert "1 new" in told
    [made] = Transaction.objects.all()
    assert (made.network, made.txid, made.block, made.status) == ("ethereum", TXID, 19000000, "ok")
    assert (made.note, made.contact and made.contact.name) == ("May", "Bob")
    assert sorted(made.labels.values_list("name", flat=True)) == ["Home", "Rent"]
    assert [
        (one.kind, f"{one.amount:f}", one.asset.symbol, one.counterparty and one.counterparty.value)
        for one in made.entries.order_by("amount")
    ] == [("transfer", "-1.5", "ETH", SHOP), ("fee", "-0.01", "ETH", None)]
    out = StringIO()
    call_command("import_transactions", str(tmp_path / "g.csv"), "--wallet", ME, stdout=out)
    assert "0 new, 1 known" in out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("said", ["in the mapping", "of the file", "nowhere"])
def test_network_that_no_column_tells_is_said_or_the_hash_is_an_id(
    tmp_path: Path, said: str
) -> None:
    line = SENT | {"network": "", "id": "", "counterparty": SHOP, "note": ""}
    mapping = {"network": "polygon"} if said == "in the mapping" else {}
    option = ["--network", "polygon"] if said == "of the file" else []
    brought(tmp_path, mapping, [line], "--wallet", "Mine", *option)
    [made] = Transaction.objects.all()
    if said == "nowhere":
        assert (made.network, made.external_id) == (None, line["txid"])
        assert made.note == f"address {SHOP}"
    else:
        assert (made.network, made.txid, made.note) == ("polygon", TXID, "")
        assert ImportBatch.objects.get().options["network"] == (option[1:] or [""])[0]


@pytest.mark.django_db
@pytest.mark.parametrize("nothing", ["-", "N/A"])
def test_mark_of_an_unknown_id_or_network_is_none(tmp_path: Path, nothing: str) -> None:
    unknown = dict.fromkeys(("txid", "network", "id", "block", "counterparty", "contact"), nothing)
    lines = [SENT | unknown | {"amount": amount} for amount in ("1", "2")]
    brought(tmp_path, {}, lines, "--wallet", "Bank")
    assert [(one.note, one.contact) for one in Transaction.objects.all()] == [("May", None)] * 2


@pytest.mark.django_db
def test_failed_line_of_an_account_moves_nothing(tmp_path: Path) -> None:
    brought(tmp_path, {}, [SENT | {"txid": "", "status": "Canceled"}], "--wallet", "Bank")
    assert [amounts for _, amounts in moved()] == [["0"]]


@pytest.mark.django_db
def test_failed_transaction_moves_its_fee_alone_and_a_call_nothing(tmp_path: Path) -> None:
    call = SENT | {"amount": "0", "fee_amount": "", "txid": "0x" + "0d" * 32}
    told = brought(tmp_path, {}, [SENT | {"status": "Reverted"}, call], "--wallet", ME)
    assert "2 new" in told
    assert [(one.status, f"{one.block}") for one in Transaction.objects.order_by("txid")] == [
        ("failed", "19000000"),
        ("ok", "19000000"),
    ]
    assert [amounts for _, amounts in moved()] == [["-0.01", "0"], ["0"]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ({"way": "sideways"}, "Way 'sideways' tells no way. Write in or out."),
        ({"amount": "-1", "way": "in"}, "Sum '-1' has a minus, and Way 'in' came in."),
        ({"status": "odd"}, "State 'odd' is not known. Write ok, failed or pending."),
        ({"network": "Narnia"}, "Chain 'Narnia' is not a network that is known. Write one of: "),
        ({"block": "1.5"}, "Block '1.5' is not a block's number. Write digits alone."),
        ({"counterparty": "Bob"}, "Other 'Bob': "),
        ({"txid": "0x12"}, "Hash '0x12' has 4 characters instead of 66."),
    ],
)
def test_cell_that_cannot_be_read_names_its_column_and_the_remedy(
    tmp_path: Path, cell: dict[str, str], told: str
) -> None:
    with pytest.raises(CommandError):
        brought(tmp_path, {}, [SENT | cell], "--wallet", ME)
    [line] = ImportBatch.objects.get().lines.all()
    assert line.detail.startswith(told)


@pytest.mark.django_db
@pytest.mark.parametrize("type_", ["Withdrawal", "Sent", "Auszahlung"])
def test_amount_without_a_sign_is_not_read_against_its_type(tmp_path: Path, type_: str) -> None:
    (tmp_path / "t.csv").write_text(f"Day,Sum,Unit,Kind\n2024-01-31,5,BTC,{type_}\n")
    columns = {"date": "Day", "amount": "Sum", "currency": "Unit", "type": "Kind"}
    (tmp_path / "m.json").write_text(json.dumps({"name": "T", "columns": columns}))
    command = ["import_transactions", str(tmp_path / "t.csv"), "--mapping"]
    with pytest.raises(CommandError):
        call_command(
            *command,
            str(tmp_path / "m.json"),
            *("--timezone", "UTC", "--wallet", "Bank"),
            stdout=StringIO(),
            stderr=StringIO(),
        )
    [rejected] = ImportBatch.objects.get().lines.all()
    assert f"Sum '5' has no minus, and Kind '{type_}' went out." in rejected.detail


def waiting(content: str, name: str = "table.csv", **options: str) -> ImportBatch:
    """An upload of columns that nobody knows."""
    file = BytesIO(content.encode())
    batch = new_batch(file, name, options=options, is_confirmed=False)
    with pytest.raises(FileError):
        import_batch(batch, file)
    return batch


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            "Buchungstag;Uhrzeit;Empfänger;Verwendungszweck;Betrag;Währung;Gebühr\n"
            "31.01.2024;10:30;Bob;Miete;-1.234,56;EUR;0,50\n",
            ["2024-01-31 10:30:00", "-1234.56 EUR, fee -0.5 EUR", "Bob", "Miete"],
        ),
        (
            "Date (UTC),Type,Amount,Asset,Tx Hash,Chain,Address,Network fee,Fee asset,Status\n"
            f"2024-01-31 10:00,Sell,1.5,ETH,{TXID},ERC20,{SHOP},0.01,ETH,Success\n",
            ["-1.5 ETH, fee -0.01 ETH", "trade", "ethereum", "0x0c0c…0c0c", "0xb2b2…b2b2"],
        ),
        (
            "Time,Sent,Sent currency,Received,Received currency,Tag,Id\n"
            "2024-01-31 10:00,100,EUR,0.01,BTC,Fun,a-7\n",
            ["-100 EUR, 0.01 BTC", "Fun", "a-7"],
        ),
        (
            "UTC_Time,Coin,Change,Fee,FeeCoin\n2024-01-31 10:00,BTC,0.5,0.01,BNB\n",
            ["0.5 BTC, fee -0.01 BNB"],
        ),
    ],
)
def test_columns_are_guessed_and_the_first_lines_shown_by_them_at_once(
    client: Client, content: str, told: list[str]
) -> None:
    client.force_login(make_user("Editors"))
    batch = waiting(content, "Some table.csv")
    page = client.get(f"{batch.get_absolute_url()}columns/").content.decode()
    assert 'value="Some table"' in page
    sample = page.partition("Read that way</h2>")[2]
    assert [one for one in told if f"<bdi>{one}</bdi>" not in sample] == []


@pytest.mark.django_db
def test_network_that_was_chosen_for_the_file_is_offered_and_can_be_chosen_otherwise(
    client: Client,
) -> None:
    client.force_login(make_user("Editors"))
    batch = waiting(f"Date,Amount,Asset,Txid\n2024-01-31 10:00,1,POL,{TXID}\n", network="base")
    url = f"{batch.get_absolute_url()}columns/"
    assert '<option value="base" selected>' in client.get(url).content.decode()
    form = {"name": "T", "column date": "Date", "column amount": "Amount", "network": "polygon"}
    form |= {"column currency": "Asset", "column txid": "Txid"}
    shown = client.post(url, form | {"show": ""}).content.decode()
    assert "<bdi>polygon</bdi>" in shown.partition("Read that way</h2>")[2]
    assert client.post(url, form | {"network": "narnia"}).status_code == 422


def test_fields_of_a_mapping_are_told() -> None:
    told = (Path(__file__).parent.parent / "docs" / "imports.md").read_text()
    assert [name for name in FIELDS if f"`{name}`" not in told] == []


@pytest.mark.django_db
def test_times_of_an_unknown_zone_are_not_shown_as_utc(client: Client) -> None:
    client.force_login(make_user("Editors"))
    batch = waiting("Date,Amount,Asset\n05/09/2017 00:30,1,BTC\n2024-02-01T00:30Z,1,BTC\n")
    url = f"{batch.get_absolute_url()}columns/"
    page = client.get(url).content.decode()
    assert "Time (UTC)" not in page
    assert '<th scope="col">Time as in the file</th>' in page
    assert "<bdi>2017-09-05 00:30:00</bdi>" in page
    assert "<bdi>2024-02-01 00:30:00 UTC</bdi>" in page
    assert "Is 05/09/2017 00:30 a day before a month, or a month before a day?" in page
    form = {"name": "T", "column date": "Date", "column amount": "Amount", "date_order": "dmy"}
    form |= {"column currency": "Asset", "timezone": "Europe/Berlin"}
    page = client.post(url, form | {"show": ""}).content.decode()
    assert '<th scope="col">Time (UTC)</th>' in page
    assert "<bdi>2017-09-04 22:30:00</bdi>" in page
    assert "<bdi>2024-02-01 00:30:00</bdi>" in page
    assert "a day before a month" not in page
    answer = client.post(url, form | {"timezone": "Bavaria"})
    assert answer.status_code == 422
    assert "“Bavaria” is not a time zone." in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_time_zone_of_the_mapping_screen_is_not_asked_again(client: Client) -> None:
    client.force_login(make_user("Editors"))
    batch = waiting("Date,Amount,Asset\n2024-02-01 00:30,1,BTC\n", wallet="Bank")
    form = {"name": "T", "column date": "Date", "column amount": "Amount", "timezone": "Asia/Tokyo"}
    url = f"{batch.get_absolute_url()}columns/"
    assert client.post(url, form | {"column currency": "Asset"}).status_code == 303
    read = ended(batch.pk)
    assert (read.status, read.options["timezone"]) == ("shown", "Asia/Tokyo")


@pytest.mark.django_db
def test_columns_that_say_nothing_to_us_and_broken_lines_are_shown_too(client: Client) -> None:
    client.force_login(make_user("Editors"))
    batch = waiting("A,B,C\n1,2,3\n")
    page = client.get(f"{batch.get_absolute_url()}columns/")
    assert page.status_code == 200
    assert "No line can be shown yet. Say which column is the date. Say which" in (
        page.content.decode()
    )
    batch = waiting("Date,Amount,Asset\n2024-02-01 00:30,1\n2024-02-01 00:30,1,BTC\n")
    page = client.get(f"{batch.get_absolute_url()}columns/")
    assert "Line 2 has 2 cells, the header has 3." in page.content.decode()


@pytest.mark.django_db
def test_screen_tells_what_is_not_read_and_takes_the_zone_of_the_date_column(
    client: Client,
) -> None:
    client.force_login(make_user("Editors"))
    batch = waiting("Date (UTC),Size,Ticker,Balance\n2024-02-01 00:30,1,BTC,1\n")
    page = client.get(f"{batch.get_absolute_url()}columns/").content.decode()
    assert "Not read: <bdi>Balance</bdi>." in page
    assert '<th scope="col">Time (UTC)</th>' in page
    batch = waiting("Date (UTC+8),Size,Ticker\n2024-02-01 00:30,1,BTC\n")
    page = client.get(f"{batch.get_absolute_url()}columns/").content.decode()
    assert '<th scope="col">Time as in the file</th>' in page


def test_screen_has_every_field_once() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(FIELDS)
