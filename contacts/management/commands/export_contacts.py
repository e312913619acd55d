"""`manage.py export_contacts`"""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from contacts.books import BOOKS, lines_for
from contacts.models import Contact
from txsite.freshness.middleware import snapshot


class Command(BaseCommand):
    help = "Prints all contacts as an address book: our own, Safe's or rotki's, as CSV."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=BOOKS, default="own")

    def handle(self, *args: Any, **options: Any) -> None:
        with snapshot(None):
            for part in lines_for(Contact.objects.all(), options["format"]):
                self.stdout.write(part, ending="")
