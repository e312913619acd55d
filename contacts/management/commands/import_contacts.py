"""`manage.py import_contacts FILE`"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contacts.books import BookError, carry_out
from txsite.previews import KEEP, MERGE, REPLACE, File, tried

OUTCOMES = {"new": "new", "adds": "adds to a known one"}


class Command(BaseCommand):
    help = "Imports an address book: Safe's, rotki's or our own, as CSV."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument(
            "--conflicts",
            choices=[KEEP, REPLACE, MERGE],
            default=KEEP,
            help="what becomes of an address of another contact, or another note (keep)",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would happen")

    def handle(self, *args: Any, **said: Any) -> None:
        path = Path(said["file"])
        is_dry_run = said["dry_run"]
        try:
            with tried() if is_dry_run else nullcontext():
                plan = carry_out(path.read_bytes(), default=said["conflicts"], file=File(path.name))
        except OSError as problem:
            raise CommandError(f"{path}: {problem.strerror}.") from problem
        except BookError as problem:
            raise CommandError(f"{path}: {problem}") from problem
        for line, why in sorted(plan.rejected + plan.passed_over):
            self.stdout.write(f"Line {line}: {why}")
        for change in plan.changes:
            if change.outcome == "conflict":
                self.stdout.write(
                    f"Line {change.entry.line}: {change.entry.name}: {change.ours} "
                    f"({said['conflicts']})"
                )
            elif is_dry_run and change.outcome != "known":
                what = f"{change.entry.name} {change.entry.address}".strip()
                self.stdout.write(f"Line {change.entry.line}: {what}: {OUTCOMES[change.outcome]}")
        self.stdout.write(
            f"{path}: {plan.count('new')} new, {plan.count('adds')} added to known ones, "
            f"{plan.count('known')} known, {plan.count('conflict')} in conflict, "
            f"{len(plan.passed_over)} passed over for a later line, {len(plan.rejected)} rejected"
            f"{' (dry run)' if is_dry_run else ''}"
        )
        if plan.rejected and not plan.changes:
            raise CommandError(f"Nothing was imported from {path}.")
