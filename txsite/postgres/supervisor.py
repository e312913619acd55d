"""The parent of the private server: a script that imports nothing of ours.

It has a session of its own, so that Ctrl-C in a terminal does not reach it or postgres.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any


def supervise(
    folder: str, socket: str, throw_away: bool, command: list[str], account: dict[str, Any]
) -> None:
    """Runs `command` while anybody shares `users.lock` in `folder`, then shuts it down.

    `account` is what `subprocess` takes to run it as another user.
    """
    fcntl.flock(os.open(f"{folder}/supervisor.lock", os.O_RDWR), fcntl.LOCK_EX)
    users = os.open(f"{folder}/users.lock", os.O_RDWR)
    # Who started us waits for the parent; the child keeps its lock, which is the same open file.
    if os.fork():
        os._exit(0)
    postgres = subprocess.Popen(command, **account)

    def give_up(number: int, _: object) -> None:
        if number == signal.SIGTERM or postgres.poll() is not None:
            sys.exit(1)

    try:
        signal.signal(signal.SIGTERM, give_up)
        signal.signal(signal.SIGCHLD, give_up)
        if postgres.poll() is not None:
            sys.exit(1)
        fcntl.flock(users, fcntl.LOCK_EX)
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        postgres.send_signal(signal.SIGINT)  # to PostgreSQL: end the sessions and shut down
        postgres.wait()
        with contextlib.suppress(OSError):
            Path(socket).rmdir()
    if throw_away:
        shutil.rmtree(folder)


if __name__ == "__main__":
    supervise(**json.loads(sys.argv[1]))
