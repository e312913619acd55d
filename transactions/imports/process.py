"""Imports, and what takes them back, in processes of their own: no page waits for a long one."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import connection


class Running:
    """A process that runs one of our commands."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            [interpreter(), str(Path(settings.BASE_DIR) / "manage.py"), *command],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # Neither Ctrl-C in the server's terminal nor a restart of its worker ends an import.
            start_new_session=True,
        )
        # Somebody has to ask how it ended, or it stays in the process table.
        self.waiter = Thread(target=self.process.wait, daemon=True)
        self.waiter.start()

    def wait(self, seconds: float) -> int | None:
        """The exit status, or None where it takes longer."""
        self.waiter.join(max(seconds, 0))
        return self.process.returncode


def interpreter() -> str:
    """The Python that we run in, with its packages.

    Under uWSGI `sys.executable` is uWSGI itself, or the Python that the virtualenv is made of.
    """
    own = Path(sys.prefix) / "bin"
    running = Path(sys.executable or "")
    is_ours = running.parent == own and running.name.startswith("python")
    return str(running if is_ours else own / "python3")


def environment() -> dict[str, str]:
    """Ours, with what the settings were made of, wherever that came from."""
    return os.environ | {
        "DATABASE_URL": database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "DEBUG": "1" if settings.DEBUG else "0",
    }


def database_url() -> str:
    """The very database that this process uses: in tests, the tests' own."""
    used = connection.settings_dict
    user, password, host, name = (
        quote(str(used[key] or ""), safe="") for key in ("USER", "PASSWORD", "HOST", "NAME")
    )
    account = user + (f":{password}" if password else "")
    port = f":{used['PORT']}" if used["PORT"] else ""
    # Of the options only libpq's own, such as sslmode, have a place in an address.
    options = {key: value for key, value in used["OPTIONS"].items() if isinstance(value, str)}
    query = f"?{urlencode(options)}" if options else ""
    return f"postgresql://{account}@{host}{port}/{name}{query}"
