#!/usr/bin/env python3
"""Feeds every format with damaged files of its kind, and looks whether any goes wrong in an
unforeseen way: each must be read, line by line, or refused with a sentence."""

import argparse
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

TESTS = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:1] = [str(TESTS), str(TESTS.parent)]

from transactions.imports.formats import open_table  # noqa: E402
from transactions.imports.rows import FileError, Options, Rejected, Row  # noqa: E402

DATA = TESTS / "data"
ALICE = "0xa11ce0000000000000000000000000000000a11c"
CELLS = (
    *("", "-", "0", "-0", "1e400", "1E-40", "NaN", "Infinity", "1,5", "1.5.5", "٣", "−1", "0x"),
    *("9" * 100, "=1+1", "'", '"', "\\", "\x00", "\x07", "\u202e", "é" * 300, "x" * 20_000),
    *("2024-02-30", "99/99/9999", "1970-01-01 00:00", "31.12.2500", "Jan. 1, 2024, 1 PM", "1e12"),
    *("BTC", "ETH2.S", "eip155:1/erc20:0x", ALICE, "GENESIS_x", "null", "true", "[]", "{}"),
)
ANSWERS = {"wallet": "Mine", "network": "ethereum", "date_order": "dmy"}


def damaged(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = chance.randrange(len(lines))
        line = lines[place]
        kind = chance.randrange(7)
        if kind == 0 and line:
            at = chance.randrange(len(line))
            lines[place] = line[:at] + bytes([chance.randrange(256)]) + line[at + 1 :]
        elif kind == 1 and line:
            start, end = sorted(chance.randrange(len(line) + 1) for _ in "ab")
            lines[place] = line[:start] + line[end:]
        elif kind == 2:
            lines.insert(place, chance.choice(lines))
        elif kind == 3 and len(lines) > 1:
            del lines[place]
        elif kind == 4:
            return b"".join(lines)[: chance.randrange(len(content) + 1)]
        else:
            mark = b";" if b";" in line and b"," not in line else b","
            cells = line.split(mark)
            cells[chance.randrange(len(cells))] = chance.choice(CELLS).encode()
            lines[place] = mark.join(cells)
    return b"".join(lines)


def read(content: bytes, name: str) -> str:
    """How it ended: refused, or read, with or without rejected lines."""
    try:
        known, table = open_table(BytesIO(content), name)
        options = Options(wallet="", timezone=ZoneInfo("Europe/Berlin"))
        for question in known.questions(table, options):
            answer = question.choices[0] if question.choices else ANSWERS[question.option]
            options = replace(options, **{question.option: answer})  # type: ignore[arg-type]
        if any(question.option == "wallet" for question in known.questions(table, options)):
            options = replace(options, wallet=ALICE)
        found = list(known.read(table, options).records)
    except FileError:
        return "refused"
    for record in found:
        assert isinstance(record, Row | Rejected)
        if isinstance(record, Rejected):
            assert record.reason
        else:
            assert all(one.amount.is_finite() for one in record.movements)
            assert record.timestamp.tzinfo
    return "with rejected lines" if any(isinstance(r, Rejected) for r in found) else "read"


def try_sample(task: tuple[str, int, int]) -> tuple[str, Counter[str], list[str]]:
    name, examples, seed = task
    content, chance = (DATA / name).read_bytes(), random.Random(f"{seed} {name}")
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    for number in range(examples):
        broken = damaged(content, chance)
        try:
            outcomes[read(broken, name)] += 1
        except Exception as problem:  # noqa: BLE001 (that is what is looked for)
            outcomes["FAILED"] += 1
            failures.append(f"{name}, example {number}: {type(problem).__name__}: {problem}")
    return name, outcomes, failures[:3]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="prove formats", description=__doc__)
    parser.add_argument("--examples", type=int, default=50_000, help="for each sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=[], metavar="SAMPLE")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    names = options.only or sorted(path.name for path in DATA.iterdir())
    tasks = [(name, options.examples, options.seed) for name in names]
    failed = 0
    with multiprocessing.Pool() as pool:
        for name, outcomes, failures in pool.imap_unordered(try_sample, tasks):
            told = ", ".join(f"{count:,} {what}" for what, count in outcomes.most_common())
            print(f"{name}: {told}", flush=True)
            for failure in failures:
                print(f"  {failure}", flush=True)
            failed += outcomes["FAILED"]
    seconds = time.monotonic() - began
    print(f"VERDICT: {len(tasks) * options.examples:,} files in {seconds:.0f} s, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
