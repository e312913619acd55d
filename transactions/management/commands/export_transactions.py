"""`manage.py export_transactions`"""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import QueryDict

from transactions.exports import FORMATS, CannotExport, filtered_by


class Command(BaseCommand):
    help = "Prints transactions as a file, in an order that depends on nothing but themselves."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=FORMATS, default="json")
        parser.add_argument(
            "--filter", default="", metavar="QUERYSTRING", help="as in the list's address"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            queryset = filtered_by(QueryDict(options["filter"].removeprefix("?")))
        except CannotExport as problem:
            raise CommandError(str(problem)) from problem
        for part in FORMATS[options["format"]].make(queryset):
            if isinstance(part, bytes):
                sys.stdout.buffer.write(part)
            else:
                self.stdout.write(part, ending="")
