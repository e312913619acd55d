"""docs/settings.md and docs/dependencies.md say what the code and the requirements say."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
READS_A_VARIABLE = re.compile(r'(?:environ(?:\.\w+)?\s*[\[(]|is_on\()\s*"(\w+)"')
# Django's and Python's own, which our programs set.
NOT_SETTINGS = {"DJANGO_SETTINGS_MODULE", "PYTHONUNBUFFERED"}


def source_files() -> Iterator[Path]:
    yield from (ROOT / "manage.py", ROOT / "dev.py")
    for app in ("txsite", "contacts", "transactions"):
        yield from (ROOT / app).rglob("*.py")


def first_cells(page: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / page).read_text(), re.MULTILINE)


def pins(name: str) -> list[str]:
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r "))]


def test_every_environment_variable_is_documented() -> None:
    read = {
        name for path in source_files() for name in READS_A_VARIABLE.findall(path.read_text())
    } - NOT_SETTINGS
    assert {"DATABASE_URL", "SECRET_KEY", "DEBUG", "TXSITE_POSTGRES"} <= read
    assert sorted(first_cells("settings.md")) == sorted(read)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_pinned_to_one_version(name: str) -> None:
    assert pins(name)
    assert [line for line in pins(name) if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_every_pinned_package_has_its_reason() -> None:
    pinned = [line.partition("==")[0] for name in REQUIREMENTS for line in pins(name)]
    assert sorted(first_cells("dependencies.md")) == sorted(pinned)


@pytest.mark.parametrize("names", [REQUIREMENTS[:1], REQUIREMENTS])
def test_what_the_packages_need_is_pinned_too(names: tuple[str, ...]) -> None:
    pinned = {canonicalize_name(line.partition("==")[0]) for name in names for line in pins(name)}
    needed = {
        canonicalize_name(requirement.name)
        for package in pinned
        for requirement in map(Requirement, metadata.requires(package) or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    assert needed <= pinned


def test_every_link_and_picture_is_there() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} names {target}"


def test_every_check_is_documented() -> None:
    code = (ROOT / "txsite/checks.py").read_text()
    assert sorted(first_cells("freshness.md")) == sorted(
        set(re.findall(r'id="(txsite\.E\d+)"', code))
    )
