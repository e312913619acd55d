#!/usr/bin/env python3
"""Django's commands; without a DATABASE_URL they use the private PostgreSQL server."""

import getpass
import os
import secrets
import sys

from txsite import postgres

# Everything else may ask the database.
COMMANDS_WITHOUT_DATABASE = {
    "check",
    "collectstatic",
    "diffsettings",
    "findstatic",
    "help",
    "startapp",
    "version",
}


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "txsite.settings")
    command = arguments[1] if len(arguments) > 1 else "help"
    if command == "runserver":
        os.environ.setdefault("DEBUG", "1")
    else:
        say_who_writes(command)
    try:
        if not os.environ.get("SECRET_KEY"):
            os.environ["SECRET_KEY"] = own_secret_key()
        if not os.environ.get("DATABASE_URL") and needs_database(command, arguments):
            postgres.join_embedded()
        from django.core.management import execute_from_command_line

        execute_from_command_line(arguments)
    except postgres.CannotServe as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)


def say_who_writes(command: str) -> None:
    """Tell every connection of this process whose changes it makes, for the list of changes."""
    settings = {"via": "command", "actor": f"{command}\\ ({getpass.getuser()})"}
    told = " ".join(f"-c txsite.{name}={value}" for name, value in settings.items())
    os.environ["PGOPTIONS"] = f"{os.environ.get('PGOPTIONS', '')} {told}".strip()


def needs_database(command: str, arguments: list[str]) -> bool:
    asks_for_help = {"-h", "--help", "--version"}.intersection(arguments[1:])
    return not asks_for_help and command not in COMMANDS_WITHOUT_DATABASE


def own_secret_key() -> str:
    """The key in var/secret_key, made on first use. A deployment sets SECRET_KEY instead."""
    path = postgres.VAR_DIR / "secret_key"
    try:
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            new = path.with_name(f"secret_key.{os.getpid()}")
            new.touch(mode=0o600)
            new.write_text(secrets.token_urlsafe(50))
            new.rename(path)
        return path.read_text()
    except OSError as error:
        sys.exit(f"Set SECRET_KEY: {error.filename} cannot hold one ({error.strerror}).")


if __name__ == "__main__":
    main(sys.argv)
