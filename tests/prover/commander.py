"""A long-lived command: it is set up as manage.py sets one up, and obeys JSON lines on stdin.

Answers `ok`, `refused` (certainly nothing happened) or `unknown`, a line each.
"""

import io
import json
import sys
from typing import Any

import manage

manage.say_who_writes("prover")

import django  # noqa: E402

django.setup()

from django.core.management import CommandError, call_command  # noqa: E402
from django.db import DatabaseError, InterfaceError, close_old_connections  # noqa: E402

from transactions.models import Label, Transaction  # noqa: E402


def obey(order: dict[str, Any]) -> bool:
    """Whether it was done; not, where there is no such row."""
    if order["do"] == "import":
        told = io.StringIO()
        call_command("import_transactions", order["file"], wallet=order["wallet"], stdout=told)
        return "50 new" in told.getvalue()
    if order["do"] == "name":
        return bool(Label.objects.filter(pk=order["pk"]).update(name=order["value"]))
    return bool(Transaction.objects.filter(pk=order["pk"]).update(note=order["value"]))


for line in sys.stdin:
    close_old_connections()
    try:
        answer = "ok" if obey(json.loads(line)) else "refused"
    except (DatabaseError, InterfaceError, CommandError):
        answer = "unknown"
    print(answer, flush=True)
