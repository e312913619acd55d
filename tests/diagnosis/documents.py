"""Writes what was measured into docs/diagnosis.md and docs/diagnosis.ru.md, between markers."""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import TypeVar

from diagnosis.cells import CAUSE, TREATMENTS, Cell, Signs

T = TypeVar("T")

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"
DOCUMENTS = {"en": DOCS / "diagnosis.md", "ru": DOCS / "diagnosis.ru.md"}
EVIDENCE = HERE / "evidence.json"
DATABASES = ("PG-RC", "PG-RR", "MY-RC", "MY-RR", "SQLite")
GROUPS = {"RC": ("PG-RC", "MY-RC"), "RR": ("PG-RR", "MY-RR")}
PACKAGES = ("Flask", "Flask-SQLAlchemy", "SQLAlchemy", "Werkzeug", "gunicorn", "psycopg", "PyMySQL")
# Of these cells the signs are kept; the others are judged by their letter alone.
SIGNS_KEPT = ("base", "oE", "oEc")
HEADS = {
    "en": {
        "cause": "cause",
        "database": "database",
        "cured": "stale pages cured",
        "fits": "fits the report on",
        "never": "never stale on",
        "reset": "`remove()` or `expire_all()` cures on",
        "incurable": "no modifying function cures on",
        "committed_label": "row read from outside",
        "open_transactions": "open transactions",
        "selects": "SELECT",
        "begins": "BEGIN",
    },
    "ru": {
        "cause": "причина",
        "database": "база",
        "cured": "устаревших страниц исправлено",
        "fits": "согласуется с рассказом на",
        "never": "страница не устаревает на",
        "reset": "`remove()` или `expire_all()` помогает на",
        "incurable": "никакая пишущая функция не помогает на",
        "committed_label": "строка, прочитанная извне",
        "open_transactions": "открытых транзакций",
        "selects": "SELECT",
        "begins": "BEGIN",
    },
}


@dataclass
class Evidence:
    """Letters and signs by database, cause and treatment, and what they were measured with."""

    versions: dict[str, str] = field(default_factory=dict)
    letters: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    signs: dict[str, dict[str, dict[str, Signs]]] = field(default_factory=dict)

    @classmethod
    def read(cls) -> "Evidence":
        if not EVIDENCE.exists():
            return cls()
        kept = json.loads(EVIDENCE.read_text())
        signs = {
            database: {
                cause: {treatment: Signs(*values) for treatment, values in cells.items()}
                for cause, cells in causes.items()
            }
            for database, causes in kept["signs"].items()
        }
        return cls(kept["versions"], kept["letters"], signs)

    def write(self) -> None:
        kept = {
            "versions": in_order(self.versions, ("packages", *DATABASES)),
            "letters": {name: in_order(self.letters[name], CAUSE) for name in self.databases()},
            "signs": {name: in_order(self.signs[name], CAUSE) for name in self.databases()},
        }
        text = json.dumps(kept, default=lambda signs: list(vars(signs).values()), indent=1)
        # One line a row: the innermost dictionaries and lists are short.
        text = re.sub(r"\[[^\[\]{}]*\]", lambda part: re.sub(r"\s+", " ", part[0]), text)
        text = re.sub(r"\{[^{}]*\}", lambda part: re.sub(r"\s*\n\s*", " ", part[0]), text)
        EVIDENCE.write_text(text + "\n")

    def record(self, database: str, cause: str, treatment: str, cell: Cell) -> None:
        self.letters.setdefault(database, {}).setdefault(cause, {})[treatment] = cell.result
        if treatment in SIGNS_KEPT:
            self.signs.setdefault(database, {}).setdefault(cause, {})[treatment] = cell.signs

    def databases(self) -> list[str]:
        return [name for name in DATABASES if name in self.letters]

    def measured(self, cause: str) -> list[str]:
        """The databases on which this cause was tried."""
        return [name for name in self.databases() if cause in self.letters[name]]

    def stale(self, cause: str) -> list[str]:
        """The databases on which the page of this cause is not fresh if nothing is done."""
        return [name for name in self.measured(cause) if self.letters[name][cause]["base"] != "F"]


def in_order(rows: dict[str, T], names: Iterable[str]) -> dict[str, T]:
    """Whatever was measured last stands where it belongs."""
    return {name: rows[name] for name in names if name in rows}


# --- The generated parts -------------------------------------------------------------------------


def parts(evidence: Evidence, language: str) -> dict[str, str]:
    heads = HEADS[language]
    return {
        "cells": cells_table(evidence, heads),
        "cured": cured_table(evidence, heads),
        "fits": fits_table(evidence, heads),
        "signs": signs_table(evidence, heads),
        "versions": versions_list(evidence),
        "patch": f"```diff\n{patch()}```",
    }


def markdown_table(rows: list[list[str]]) -> str:
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *body])


def cells_table(evidence: Evidence, heads: dict[str, str]) -> str:
    """One row for the databases on which a cause behaves alike."""
    rows = [[heads["cause"], heads["database"], *TREATMENTS]]
    for cause in CAUSE:
        alike: dict[tuple[str, ...], list[str]] = {}
        for database in evidence.measured(cause):
            cells = evidence.letters[database][cause]
            letters = tuple(cells[treatment] for treatment in TREATMENTS)
            alike.setdefault(letters, []).append(database)
        rows += [[cause, shortened(names), *letters] for letters, names in alike.items()]
    return markdown_table(rows)


def cured_table(evidence: Evidence, heads: dict[str, str]) -> str:
    """Of the pages that are not fresh if nothing is done, how many each treatment made fresh."""
    stale = [
        evidence.letters[database][cause] for cause in CAUSE for database in evidence.stale(cause)
    ]
    cured = [sum(cells[treatment] == "F" for cells in stale) for treatment in TREATMENTS if stale]
    row = [heads["cured"], *(f"{count} / {len(stale)}" for count in cured[1:])]
    return markdown_table([["", *TREATMENTS[1:]], row])


def fits_table(evidence: Evidence, heads: dict[str, str]) -> str:
    """Where each cause shows all that the client saw, and where it fails to, first reason first."""
    verdicts = ("fits", "never", "reset", "incurable")
    rows = [[heads["cause"], *(heads[verdict] for verdict in verdicts)]]
    for cause in CAUSE:
        found: dict[str, list[str]] = {verdict: [] for verdict in verdicts}
        for database in evidence.measured(cause):
            found[verdict_on(evidence.letters[database][cause])].append(database)
        rows.append([cause, *(shortened(found[verdict]) or "–" for verdict in verdicts)])
    return markdown_table(rows)


def verdict_on(cells: dict[str, str]) -> str:
    if cells["base"] == "F":
        return "never"
    if "F" in (cells["dR"], cells["dE"], cells["dRE"]):
        return "reset"
    modifying = (cells["mdA"], cells["mdA'"], cells["mdB"])
    return "fits" if "F" in modifying and cells["rdA"] != "F" else "incurable"


def signs_table(evidence: Evidence, heads: dict[str, str]) -> str:
    """For databases that can tell all of them: what was to be seen while the page was stale."""
    names = ("committed_label", "open_transactions", "selects", "begins")
    rows = [[heads["cause"], heads["database"], *(heads[name] for name in names)]]
    for cause in CAUSE:
        alike: dict[Signs, list[str]] = {}
        for database in evidence.stale(cause):
            signs = evidence.signs[database][cause]["base"]
            if signs.open_transactions is not None:
                alike.setdefault(signs, []).append(database)
        for signs, databases in alike.items():
            shown = [str(getattr(signs, name)) for name in names]
            rows.append([cause, shortened(databases), *shown])
    return markdown_table(rows)


def shortened(databases: list[str]) -> str:
    """The names as the sentences use them: all, RC, RR."""
    if databases == list(DATABASES):
        return "all"
    for group, names in GROUPS.items():
        if set(names) <= set(databases):
            databases = [group, *(name for name in databases if name not in names)]
    return ", ".join(databases)


def versions_list(evidence: Evidence) -> str:
    named = [f"- {name}: {evidence.versions[name]}" for name in evidence.databases()]
    return "\n".join([f"- {evidence.versions['packages']}", *named])


def packages() -> str:
    versions = [f"{name} {metadata.version(name)}" for name in PACKAGES]
    return ", ".join([f"Python {python_version()}", *versions])


def patch() -> str:
    """From before.py to after.py, without their docstrings, which are about the experiments."""
    before, after = (code_lines(name) for name in ("before.py", "after.py"))
    return "".join(difflib.unified_diff(before, after, "a/app.py", "b/app.py", n=2))


def code_lines(name: str) -> list[str]:
    return (HERE / name).read_text().splitlines(keepends=True)[2:]


# --- The documents -------------------------------------------------------------------------------


def marked(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- measured: {name} -->\n)(.*?)(\n<!-- /measured -->)", re.DOTALL)


def rendered(document: str, evidence: Evidence, language: str) -> str:
    """The document with its measured parts as the evidence has them."""
    for name, part in parts(evidence, language).items():
        document, count = marked(name).subn(
            lambda found, part=part: found[1] + part + found[3],  # type: ignore[misc]
            document,
        )
        if count != 1:
            raise ValueError(f"The document has {count} places for '{name}': it needs one.")
    return document


def write_documents(evidence: Evidence) -> None:
    for language, path in DOCUMENTS.items():
        path.write_text(rendered(path.read_text(), evidence, language))


# --- What the sentences say ----------------------------------------------------------------------

CITED_LETTER = re.compile(r"`([\w'-]+) ([\w-]+) ([\w']+)=(\w+)`")
CITED_SQL = re.compile(r"`([\w'-]+) ([\w-]+) ([\w']+): (\d+) SELECT, (\d+) BEGIN`")


def false_claims(document: str, evidence: Evidence) -> list[str]:
    """The cells that the sentences cite otherwise than they were measured.

    A sentence cites `2a RR oE=S` (cause, database, treatment, letter; RC and RR stand for both
    servers, "all" for every database) or `2a RR oE: 2 SELECT, 0 BEGIN`.
    """
    false = []
    for found in CITED_LETTER.finditer(document):
        cause, databases, treatment, letter = found.groups()
        for database in meant(databases):
            if evidence.letters[database][cause][treatment] != letter:
                false.append(f"{found[0]}, not on {database}")
    for found in CITED_SQL.finditer(document):
        cause, databases, treatment, selects, begins = found.groups()
        for database in meant(databases):
            signs = evidence.signs[database][cause][treatment]
            if (signs.selects, signs.begins) != (int(selects), int(begins)):
                false.append(f"{found[0]}, not on {database}")
    return false


def meant(databases: str) -> tuple[str, ...]:
    if databases == "all":
        return DATABASES
    return GROUPS.get(databases, (databases,))
