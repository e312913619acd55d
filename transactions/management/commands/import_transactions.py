"""`manage.py import_transactions FILE…`"""

import json
import sys
from argparse import SUPPRESS
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import available_timezones

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.db.models import Q

from contacts.networks import NETWORKS
from transactions.imports.examples import read_as
from transactions.imports.files import stored
from transactions.imports.formats import FORMATS
from transactions.imports.formats.encodings import ENCODINGS
from transactions.imports.formats.mapped import PREFIX, Mapping, mapping_of
from transactions.imports.importer import (
    Unanswered,
    import_batch,
    is_taken,
    keep_mapping,
    new_batch,
)
from transactions.imports.progress import Progress, Step
from transactions.imports.rows import FileError, Question
from transactions.models import ImportBatch, ImportLine
from txsite.previews import tried

OPTIONS = ("wallet", "network", "timezone", "date_order", "encoding")
# What is told of each line, and how the others are counted.
TOLD = (ImportLine.Outcome.CONFLICT, ImportLine.Outcome.REJECTED)
TOLD_IF_DRY = (*TOLD, ImportLine.Outcome.ADDS, ImportLine.Outcome.CHANGED)
NEW_TOLD = 50  # of a dry run
COUNTED = {
    "new": "new",
    "known": "known",
    "adds": "added to known ones",
    "changed": "changed",
    "conflict": "in conflict",
    "rejected": "rejected",
}
ALWAYS_COUNTED = ("new", "known", "changed", "rejected")


class Command(BaseCommand):
    help = (
        "Imports files of transactions, each as a whole or not at all. The format is recognised "
        "by the columns; what a file lacks is asked for in a terminal, or given as an option."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        formats = ", ".join(known.name for known in FORMATS)
        parser.add_argument("files", nargs="*", metavar="FILE")
        parser.add_argument("--format", default="", help=f"one of {formats}")
        parser.add_argument(
            "--mapping",
            metavar="JSON",
            help="a file that says what the columns of an unknown table are; kept once a file "
            "was imported by it",
        )
        parser.add_argument(
            "--replace-mapping", action="store_true", help="where another of its name is kept"
        )
        parser.add_argument("--wallet", default="", help="your address, or the account's name")
        parser.add_argument("--network", default="", help="such as ethereum, polygon or bitcoin")
        parser.add_argument("--timezone", default="", help="such as Europe/Berlin")
        parser.add_argument(
            "--date-order", default="", choices=["dmy", "mdy"], help="of dates such as 5/9/2017"
        )
        parser.add_argument(
            "--encoding", default="", choices=[*ENCODINGS], help="where it is neither UTF-8 nor -16"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would happen")
        # An upload that is waiting, as the import page starts it.
        parser.add_argument("--batch", type=int, help=SUPPRESS)

    def handle(self, *args: Any, **said: Any) -> None:
        self.options: dict[str, Any] = {
            name: said[name] for name in OPTIONS if said[name] or name != "encoding"
        }
        self.format, self.is_dry_run = said["format"], said["dry_run"]
        self.mapping: Mapping | None = None
        self.replaces_mapping = said["replace_mapping"]
        self.check_options()
        if said["mapping"]:
            self.mapping = self.mapping_in(said["mapping"])
            self.format = f"{PREFIX}{self.mapping.name}"
            self.options["mapping"] = self.mapping.as_json()
        try:
            if said["batch"] is not None:
                self.import_upload(said["batch"])
            else:
                self.import_files(said["files"])
        except OperationalError as problem:
            raise CommandError(f"The database gave up: {problem}") from problem

    def check_options(self) -> None:
        zone, network = self.options["timezone"], self.options["network"]
        if zone and zone not in available_timezones():
            raise CommandError(f"--timezone {zone} is not known. Write it like Europe/Berlin.")
        if network and network not in NETWORKS:
            raise CommandError(
                f"--network {network} is not known. Choose one of: {', '.join(NETWORKS)}."
            )

    def mapping_in(self, path: str) -> Mapping:
        """The mapping of a file, which may replace another of its name only where that is said."""
        try:
            mapping = mapping_of(json.loads(Path(path).read_text("utf-8-sig")))
        except OSError as problem:
            raise CommandError(f"{path}: {problem.strerror}.") from problem
        except (ValueError, RecursionError) as problem:
            raise CommandError(f"{path} is not JSON: {problem}.") from problem
        except FileError as problem:
            raise CommandError(f"{path}: {problem}") from problem
        if is_taken(mapping) and not self.replaces_mapping:
            raise CommandError(
                f"{path}: another mapping is kept as “{mapping.name}”. Give this one a name of "
                "its own, or say --replace-mapping."
            )
        return mapping

    def import_files(self, paths: list[str]) -> None:
        if not paths:
            raise CommandError("Say which files to import.")
        failed = [path for path in paths if not self.import_path(path)]
        if failed:
            raise CommandError(f"Nothing was imported from {', '.join(failed)}.")

    def import_path(self, path: str) -> bool:
        """Whether anything of the file was imported, or known already."""
        try:
            with Path(path).open("rb") as file:
                if not file.seekable():
                    raise FileError("This is not a file. Save it as one, and import that.")
                with tried() if self.is_dry_run else nullcontext():
                    self.import_file(path, file)
        except (FileError, Unanswered) as problem:
            self.stderr.write(f"{path}: {problem}")
        except OSError as problem:
            self.stderr.write(f"{path}: {problem.strerror}.")
        else:
            if self.mapping and not self.is_dry_run:
                keep_mapping(self.mapping)
            return True
        return False

    def import_file(self, path: str, file: BinaryIO) -> None:
        batch = new_batch(
            file,
            Path(path).name,
            options=self.options,
            format=self.format,
            is_confirmed=not self.is_dry_run,
        )
        while True:
            try:
                return self.import_and_tell(batch, file, path)
            except Unanswered as unanswered:
                answers = self.answers(batch, unanswered.questions)
                batch.options = {**self.options, **answers}
                batch.status = ImportBatch.Status.RUNNING
                batch.save(update_fields=["options", "status"])

    def import_upload(self, batch_id: int) -> None:
        try:
            batch = (
                ImportBatch.objects.annotate(has_content=Q(content__isnull=False))
                .defer("content")
                .get(pk=batch_id, status=ImportBatch.Status.RUNNING)
            )
        except ImportBatch.DoesNotExist:
            raise CommandError(f"No import {batch_id} is to be done.") from None
        if not batch.has_content:
            raise CommandError(f"The file of import {batch_id} is gone. Upload it again.")
        try:
            self.import_and_tell(batch, stored(batch), batch.file_name)
        except Unanswered as unanswered:
            self.stdout.write(f"{batch.file_name}: {unanswered}")
        except FileError as problem:
            raise CommandError(f"{batch.file_name}: {problem}") from problem

    def import_and_tell(self, batch: ImportBatch, file: BinaryIO, path: str) -> None:
        shows_progress = sys.stderr.isatty()
        try:
            import_batch(batch, file, self.show if shows_progress else None)
        finally:
            if shows_progress:
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self.tell(batch, path)

    def show(self, progress: Progress) -> None:
        what = f"reading, {100 * progress.read // max(progress.size, 1)}%"
        if step := progress.step:
            what = f"step {step.value} of {len(Step)}: {step.text}"
        left = progress.seconds_left
        about = f", about {left:,} s left" if left else ""
        line = f"{progress.lines:,} lines read, {what}{about}"
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)

    def tell(self, batch: ImportBatch, path: str) -> None:
        """The counts, and every line that was not taken, also where that is all of them.

        A dry run tells of every line that would change something that is there, of the first new
        ones, and the balances.
        """
        told, new = Q(outcome__in=TOLD_IF_DRY if self.is_dry_run else TOLD), 0
        if self.is_dry_run:
            first = batch.lines.filter(outcome=ImportLine.Outcome.NEW).order_by("number")
            told |= Q(pk__in=[line.pk for line in first.only("pk")[:NEW_TOLD]])
            new = max(batch.new - NEW_TOLD, 0)
        lines = batch.lines.filter(told)
        is_done = batch.status in (ImportBatch.Status.IMPORTED, ImportBatch.Status.SHOWN)
        if not is_done and not lines.exists():
            return
        for text in batch.told:
            self.stdout.write(f"{path}: {text}")
        for line in lines.order_by("number").defer("raw").iterator():
            self.stdout.write(line_and_reason(line))
        if new:
            self.stdout.write(f"and {new:,} more new lines")
        if self.is_dry_run:
            for wallet, asset, before, after in batch.balances:
                self.stdout.write(f"{wallet}: {before} {asset} → {after} {asset}")
        counts = ", ".join(
            f"{getattr(batch, outcome):,} {words}"
            for outcome, words in COUNTED.items()
            if getattr(batch, outcome) or outcome in ALWAYS_COUNTED
        )
        self.stdout.write(f"{path}: {counts}{' (dry run)' if self.is_dry_run else ''}")

    def answers(self, batch: ImportBatch, questions: Iterable[Question]) -> dict[str, str]:
        """What a person says in the terminal; where there is none, raises Unanswered."""
        questions = list(questions)
        if not sys.stdin.isatty():
            batch.delete()
            raise Unanswered([as_option(question) for question in questions])
        try:
            return {question.option: ask(question) for question in questions}
        except EOFError:
            batch.delete()
            raise Unanswered(questions) from None


def line_and_reason(line: ImportLine) -> str:
    text = line.detail
    return text if text.startswith(f"Line {line.number} ") else f"Line {line.number}: {text}"


def as_option(question: Question) -> Question:
    choices = f": {', '.join(question.choices)}" if question.choices else ""
    return Question(
        question.option,
        f"{question.text} Say it with --{question.option.replace('_', '-')}{choices}.",
        (),
    )


def ask(question: Question) -> str:
    """Asks until the answer is one that the file can be read with."""
    examples = dict(question.examples)
    print(question.text)
    if question.line:
        print(f"  {question.line}")
    for number, choice in enumerate(question.choices, start=1):
        print(f"  {number}  {read_as(choice, examples.pop(choice, ''))}")
    for answer, text in examples.items():
        print(f"  {read_as(answer, text)}")
    default = f" [{question.suggestion}]" if question.suggestion else ""
    while True:
        answer = input(f"{question.option}{default}: ").strip() or question.suggestion
        if question.choices and answer.isdecimal() and 0 < int(answer) <= len(question.choices):
            return question.choices[int(answer) - 1]
        known = available_timezones() if question.option == "timezone" else question.choices
        if answer and (not known or answer in known):
            return answer
        print("Choose one of these." if question.choices else "Say which.")
