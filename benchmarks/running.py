"""A peer that is up, and how it is asked for a case."""

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import stage
from benchmarks.cases import Case
from benchmarks.client import Client, Reply
from benchmarks.peer_list import Peer


@dataclass
class Measured:
    """A peer that is up, and somebody who is logged in."""

    peer: Peer
    site: stage.Site
    client: Client

    def ask(self, case: Case, path: str) -> Reply:
        if "edit" not in case.asks:
            return self.client.get(path, case.headers)
        pk, name, label = case.asks["edit"]
        began = time.perf_counter()
        if self.peer.name == "us":
            reply = self.client.post(f"/transactions/{pk}/labels/", self.edit(name))
        elif self.peer.name == "flask":
            reply = self.client.post(f"/{pk}/labels/{label}", {})
        else:
            reply = self.client.post(path, {})
        if reply.status != 302:
            return reply
        reply = self.client.get(path)
        return Reply(reply.status, reply.body, time.perf_counter() - began)

    def edit(self, name: str) -> dict[str, str]:
        """Puts the label on and takes it off, in turn."""
        self.has_label = not getattr(self, "has_label", False)
        return {"add" if self.has_label else "remove": name}


def start(
    peer: Peer,
    urls: dict[str, str],
    told: Path,
    folder: Path,
    more: dict[str, str] | None = None,
) -> Measured:
    """Starts a peer's web server, and somebody logs in there where there is a login."""
    environment = stage.surroundings(
        urls[peer.database],
        DJANGO_SETTINGS_MODULE=peer.settings,
        BENCH_CASES=str(told),
        **(more or {}),
    )
    site = stage.Site(peer.name, peer.command, environment, folder / f"{peer.name}.log")
    try:
        site.wait(peer.log_in or "/")
        client = Client(site.port)
        if peer.log_in:
            client.log_in(peer.log_in, peer.user, stage.PASSWORD)
    except BaseException:
        site.close()
        raise
    return Measured(peer, site, client)
