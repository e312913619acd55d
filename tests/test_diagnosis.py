"""docs/diagnosis.md, in both languages, says what its experiments show."""

import os
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from diagnosis import servers
from diagnosis.cells import CAUSE, CAUSES, TREATMENTS, Stage
from diagnosis.documents import (
    CITED_LETTER,
    DATABASES,
    DOCUMENTS,
    Evidence,
    false_claims,
    rendered,
)
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from psycopg.conninfo import make_conninfo

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = list(DOCUMENTS)

# The cells on which the documents' argument rests; `prove diagnosis` measures all of them.
DECISIVE = (
    ("0", "PG-RR", "base"),
    ("1a", "PG-RC", "dRE"),
    ("1a", "PG-RC", "mdA"),
    ("1c", "PG-RC", "mdB"),
    ("2a", "PG-RC", "base"),
    ("2a", "PG-RR", "base"),
    ("2a", "PG-RR", "dRE"),
    ("2a", "PG-RR", "oE"),
    ("2a", "PG-RR", "oEc"),
    ("2a", "PG-RR", "rdA"),
    ("2a", "PG-RR", "mdA"),
    ("2a", "PG-RR", "mdA'"),
    ("2a-noEOC", "PG-RR", "mdA"),
    ("2a-held", "SQLite", "base"),
    ("2p-td", "PG-RR", "base"),
    ("2p", "PG-RR", "dR"),
    ("3a", "PG-RC", "oR"),
    ("3a", "PG-RC", "mdA"),
    ("3a", "SQLite", "mdA'"),
    ("4a-thr", "PG-RR", "mdB"),
    ("4a-const", "PG-RR", "mdB"),
    ("before", "PG-RR", "base"),
    ("after", "PG-RR", "base"),
    ("after-label", "PG-RC", "base"),
)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence.read()


@pytest.fixture(scope="module")
def databases() -> Iterator[dict[str, servers.Database]]:
    url = make_conninfo(os.environ["DATABASE_URL"], dbname="postgres")
    with servers.postgresql(url) as postgresql, servers.sqlite() as sqlite:
        yield {database.name: database for database in (*postgresql, *sqlite)}


@pytest.fixture(scope="module")
def web() -> Iterator[dict[str, servers.Server]]:
    with servers.web_servers() as web:
        yield web


@pytest.mark.parametrize(("cause", "database", "treatment"), DECISIVE)
def test_page_does_what_the_documents_say(
    web: dict[str, servers.Server],
    databases: dict[str, servers.Database],
    evidence: Evidence,
    cause: str,
    database: str,
    treatment: str,
) -> None:
    cell = Stage(web, databases[database]).measure(CAUSE[cause], treatment)
    assert cell.result == evidence.letters[database][cause][treatment]
    if treatment in evidence.signs[database][cause]:
        assert cell.signs == evidence.signs[database][cause][treatment]


def test_every_cell_was_measured(evidence: Evidence) -> None:
    assert evidence.databases() == list(DATABASES)
    for rows in evidence.letters.values():
        assert list(rows) == [cause.name for cause in CAUSES]
        assert all(list(cells) == list(TREATMENTS) for cells in rows.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_measured_parts_of_the_documents_are_those_of_the_evidence(
    language: str, evidence: Evidence
) -> None:
    text = DOCUMENTS[language].read_text()
    assert text == rendered(text, evidence, language)
    assert str(len(CAUSES) * len(TREATMENTS) * len(DATABASES)) in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cause_column_and_link_is_explained(language: str) -> None:
    text = DOCUMENTS[language].read_text()
    described = re.findall(r"^\| `([^|]+)` \| ", text, re.MULTILINE)
    assert set(CAUSE) <= set(described)
    assert all(f"`{treatment}`" in text for treatment in TREATMENTS)
    anchors = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_cite_cells_as_they_were_measured(language: str, evidence: Evidence) -> None:
    text = DOCUMENTS[language].read_text()
    assert len(CITED_LETTER.findall(text)) > 30
    assert false_claims(text, evidence) == []


def test_false_sentence_is_found(evidence: Evidence) -> None:
    assert false_claims("Wrong: `2a RR oE=F`. Right: `2a RR oE=S`.", evidence) == [
        "`2a RR oE=F`, not on PG-RR",
        "`2a RR oE=F`, not on MY-RR",
    ]
    assert false_claims("`2a PG-RR oE: 2 SELECT, 1 BEGIN`", evidence) == [
        "`2a PG-RR oE: 2 SELECT, 1 BEGIN`, not on PG-RR"
    ]


def test_repaired_app_is_fresh_whatever_is_tried(evidence: Evidence) -> None:
    letters = {
        letter
        for rows in evidence.letters.values()
        for name in ("after", "after-label")
        for letter in rows[name].values()
    }
    assert letters == {"F"}


def test_both_languages_say_the_same() -> None:
    english, russian = (path.read_text() for path in DOCUMENTS.values())
    assert structure(english) == structure(russian)
    assert sorted(CITED_LETTER.findall(english)) == sorted(CITED_LETTER.findall(russian))


def structure(text: str) -> list[str]:
    """Levels of headings and what stands in code blocks, which no translation changes."""
    blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+(?= )", re.sub(r"(?ms)^```.*?^```", "", text), re.MULTILINE)
    return headings + blocks


@pytest.mark.parametrize("language", LANGUAGES)
def test_guards_that_the_documents_name_exist(language: str) -> None:
    text = DOCUMENTS[language].read_text()
    tests = re.findall(r"`(test_\w+)`", text)
    written = "".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))
    assert tests
    assert [name for name in tests if f"def {name}(" not in written] == []
    checks = re.findall(r"`(txsite\.E\d+)`", text)
    assert checks
    code = (ROOT / "txsite/checks.py").read_text()
    assert [check for check in checks if f'"{check}"' not in code] == []


def test_postgresql_commands_of_the_document_run(databases: dict[str, servers.Database]) -> None:
    blocks = re.findall(r"```sql\n-- PostgreSQL.*?\n(.*?)```", english(), re.DOTALL)
    assert blocks
    databases["PG-RR"].reset()
    for statement in "".join(blocks).split(";"):
        if statement.strip():
            databases["PG-RR"].execute(statement)


def english() -> str:
    return DOCUMENTS["en"].read_text()


def test_packages_of_the_experiments_are_pinned_with_all_they_need_and_have_a_reason() -> None:
    files = ("requirements.txt", "requirements-dev.txt", "requirements-diagnosis.txt")
    lines = {name: (ROOT / name).read_text().splitlines() for name in files}
    own = [line.partition("==")[0] for line in lines[files[2]]]
    assert [line for line in lines[files[2]] if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert f"-r {files[2]}" in lines[files[1]]
    pinned = {
        canonicalize_name(line.partition("==")[0]) for text in lines.values() for line in text
    }
    needed = {
        canonicalize_name(requirement.name)
        for package in own
        for requirement in map(Requirement, metadata.requires(package) or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    assert needed <= pinned
    assert sorted(reasons_for(files[2])) == sorted(own)


def reasons_for(name: str) -> list[str]:
    """The packages of a file that docs/dependencies.md has a reason for."""
    text = (ROOT / "docs" / "dependencies.md").read_text()
    section = text.partition(f"(`{name}`)")[2].partition("\n## ")[0]
    return re.findall(r"^- `([\w-]+)`: ", section, re.MULTILINE)


def test_packages_of_the_benchmarks_are_pinned_and_have_a_reason() -> None:
    lines = (ROOT / "requirements-bench.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    packages = [line.partition("==")[0] for line in lines]
    assert sorted(reasons_for("requirements-bench.txt")) == sorted(packages)


def test_site_itself_never_needs_the_packages_of_the_experiments() -> None:
    for app in ("txsite", "contacts", "transactions"):
        for path in (ROOT / app).rglob("*.py"):
            assert not re.search(
                r"^\s*(from|import) (flask|sqlalchemy|pymysql)\b", path.read_text(), re.M
            )
