"""`manage.py undo_import ID`"""

from argparse import SUPPRESS
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transactions.imports.undo import CannotUndo, Plan, undo, undo_asked
from transactions.models import ImportBatch


class Command(BaseCommand):
    help = (
        "Takes an import back, as though its file had never been read. What people edited since "
        "stays, and the import can be brought back on its page."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, help="the import's number, as in the page's address")
        parser.add_argument("--edited", action="store_true", help="also what people edited since")
        # As the page that asks for it starts it.
        parser.add_argument("--asked", action="store_true", help=SUPPRESS)

    def handle(self, *args: Any, **said: Any) -> None:
        batch = ImportBatch.objects.defer("content").filter(pk=said["id"]).first()
        if batch is None:
            raise CommandError(f"There is no import {said['id']}.")
        try:
            if said["asked"]:
                undo_asked(batch)
            elif plan := undo(batch, every=said["edited"]):
                self.tell(batch, plan, said["edited"])
        except CannotUndo as problem:
            raise CommandError(f"{batch.file_name}: {problem}") from problem

    def tell(self, batch: ImportBatch, plan: Plan, every: bool) -> None:
        edited = len(plan.edited)
        gone = len(plan.alone) + (edited if every else 0)
        kept = "" if every else f", {edited:,} that people edited stay"
        self.stdout.write(
            f"{batch.file_name}: {gone:,} transactions gone, {len(plan.shared):,} stay as other "
            f"files tell them{kept}"
        )
