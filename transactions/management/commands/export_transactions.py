"""`manage.py export_transactions`"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import QueryDict

from transactions.exports import FORMATS, CannotExport, filtered_by, json_lines


class Command(BaseCommand):
    help = "Prints transactions, one JSON object a line, in an order of their own."

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
        for line in json_lines(queryset):
            self.stdout.write(line, ending="")
