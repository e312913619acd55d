"""Dependencies run one way: txsite ← contacts ← transactions."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "txsite": {"txsite"},
    "contacts": {"txsite", "contacts"},
    "transactions": {"txsite", "contacts", "transactions"},
}


def imported_by(source: str) -> set[str]:
    """The first part of every module that Python source imports, wherever it does so."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import hides its direction"
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_what_stands_below_them(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        ours = imported_by(file.read_text()) & set(MAY_IMPORT)
        assert ours <= MAY_IMPORT[package], f"{file.relative_to(ROOT)} imports upwards"


def test_formats_know_no_django() -> None:
    for file in (ROOT / "transactions/imports/formats").glob("*.py"):
        assert "django" not in imported_by(file.read_text()), file.name


@pytest.mark.parametrize(
    "source", ["import transactions", "def f():\n    from transactions.models import Entry"]
)
def test_import_is_found_wherever_it_stands(source: str) -> None:
    assert imported_by(source) == {"transactions"}
