"""`manage.py import_labels FILE`"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transactions.imports.labels import LabelsError, carry_out
from txsite.previews import KEEP, MERGE, REPLACE, File, tried

OUTCOMES = {"new": "labelled", "later": "for a transaction to come", "kept": "kept"}


class Command(BaseCommand):
    help = "Imports a wallet's labels (BIP-329). Those of transactions to come wait for them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument(
            "--conflicts",
            choices=[KEEP, REPLACE, MERGE],
            default=KEEP,
            help="what becomes of what is labelled otherwise (keep)",
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
        except LabelsError as problem:
            raise CommandError(f"{path}: {problem}") from problem
        for line, why in plan.rejected:
            self.stdout.write(f"Line {line}: {why}")
        for change in plan.changes:
            if change.outcome == "conflict":
                ours, told = change.texts
                self.stdout.write(
                    f"Line {change.line}: {change.ref} has “{ours}”, and the file “{told}” "
                    f"({said['conflicts']})"
                )
            elif is_dry_run and change.outcome != "known":
                text = f" “{change.texts[1]}”" if change.told else ""
                self.stdout.write(
                    f"Line {change.line}: {change.type} {change.ref}{text}: "
                    f"{OUTCOMES[change.outcome]}"
                )
            if change.remark:
                self.stdout.write(f"Line {change.line}: {change.remark}")
        self.stdout.write(
            f"{path}: {plan.count('new')} labelled, {plan.count('known')} known, "
            f"{plan.count('conflict')} in conflict, {plan.count('later')} for transactions to "
            f"come, {plan.count('kept')} others kept, {len(plan.rejected)} rejected"
            f"{' (dry run)' if is_dry_run else ''}"
        )
        if plan.rejected and not plan.changes:
            raise CommandError(f"Nothing was imported from {path}.")
