"""What the web servers of the prover serve: the site, or an app with a mistake in it."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from prover import controls

Start = Callable[..., Any]
chosen = controls.application(os.environ.get("PROVER_CONTROL", ""))


def application(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """Says which worker it was that answered."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], *rest)

    return chosen(environ, start)
