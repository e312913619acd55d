"""The demo files can be read with the options that their README gives, and their story adds up."""

import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from transactions.imports.formats import open_table
from transactions.imports.rows import Options, Row

DEMO = Path(__file__).parent.parent / "transactions" / "demo"
LINES = re.findall(
    r"^\| `(.+?)` \| `?(.*?)`? ?\| `?(.*?)`? ?\| (\d+) \|$",
    (DEMO / "README.md").read_text(),
    re.MULTILINE,
)


def read(name: str, wallet: str, network: str) -> tuple[Options, list[Row]]:
    with (DEMO / name).open("rb") as file:
        known, table = open_table(file, name)
        reading = known.read(table, Options(wallet=wallet, network=network))
        records = list(reading.records)
    rows = [record for record in records if isinstance(record, Row)]
    assert len(rows) == len(records), records
    return reading.options, rows


def test_readme_lists_every_file() -> None:
    assert {name for name, *_ in LINES} == {path.name for path in DEMO.glob("*.csv")}


@pytest.mark.parametrize(("name", "wallet", "network", "lines"), LINES)
def test_every_line_can_be_read(name: str, wallet: str, network: str, lines: str) -> None:
    _, rows = read(name, wallet, network)
    assert len(rows) == int(lines)


def test_no_wallet_ever_spends_what_it_does_not_have() -> None:
    movements = []
    for name, wallet, network, _ in LINES:
        options, rows = read(name, wallet, network)
        movements += [(row, movement, options.wallet) for row in rows for movement in row.movements]
    balances: defaultdict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    # Within a second, what came in counts first.
    for row, movement, wallet in sorted(movements, key=lambda m: (m[0].timestamp, -m[1].amount)):
        asset = movement.asset
        balances[wallet, row.network, asset.code] += movement.amount
        assert balances[wallet, row.network, asset.code] >= 0, row
    assert len(balances) == 14


def test_demo_is_large_enough_to_filter_and_small_enough_to_load() -> None:
    ids = {
        (row.network, row.txid, row.external_id)
        for name, wallet, network, _ in LINES
        for row in read(name, wallet, network)[1]
    }
    assert 60 <= len(ids) <= 120
