"""`manage.py import_contacts FILE`"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contacts.books import BookError, carry_out
from txsite.previews import KEEP, MERGE, REPLACE


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

    def handle(self, *args: Any, **said: Any) -> None:
        path = Path(said["file"])
        try:
            plan = carry_out(path.read_bytes(), default=said["conflicts"])
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
        self.stdout.write(
            f"{path}: {plan.count('new')} new, {plan.count('adds')} added to known ones, "
            f"{plan.count('known')} known, {plan.count('conflict')} in conflict, "
            f"{len(plan.passed_over)} passed over for a later line, {len(plan.rejected)} rejected"
        )
        if plan.rejected and not plan.changes:
            raise CommandError(f"Nothing was imported from {path}.")
