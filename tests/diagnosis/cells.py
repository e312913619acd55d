"""One cell of the evidence: a cause, a treatment, a database, and what the page then showed.

The page is read once; somebody else commits a change; the treatment is applied; the page is read
again. Every cell has worker processes of its own.
"""

import concurrent.futures
import re
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlencode

from diagnosis.servers import ROWS, CannotStart, Database, Server

TREATMENTS = ("base", "dR", "dE", "dRE", "oR", "oE", "oEc", "rdA", "mdA", "mdA'", "mdB")
# Rows that no cell's change is about: each function modifies its own.
NOTE_ROW = {"mdA": 5, "mdA'": 6, "mdB": 7}
REQUEST_SECONDS = 60


@dataclass(frozen=True)
class Cause:
    """One row of the evidence. `variant` is its name in `old_app`, or a module of its own."""

    name: str
    variant: str
    change: str = "outside"  # or by the app's own label function, in worker "A" or "B"
    threads: bool = False  # A and B are threads of one worker


CAUSES = (
    Cause("0", "0"),
    Cause("1a", "1a"),
    Cause("1a'", "1a'"),
    Cause("1b", "1b"),
    Cause("1c", "1c", change="B"),
    Cause("2a", "2a"),
    Cause("2a-held", "2a-held"),
    Cause("2a-noEOC", "2a-noEOC"),
    Cause("2p", "2p"),
    Cause("2p-td", "2p-td"),
    Cause("2p-tr", "2p-tr"),
    Cause("2c", "2c"),
    Cause("3a", "3a", change="A"),
    Cause("3a-B", "3a-B", change="B"),
    Cause("3b", "3b", change="A"),
    Cause("3b-leak", "3b-leak", change="A"),
    Cause("3c", "3c", change="A"),
    Cause("4a-thr", "4a-thr", threads=True),
    Cause("4a-const", "4a-const", threads=True),
    Cause("4c-bg", "4c-bg"),
    Cause("before", "before"),
    Cause("before-label", "before", change="B"),
    Cause("after", "after"),
    Cause("after-label", "after", change="B"),
)
CAUSE = {cause.name: cause for cause in CAUSES}


@dataclass(frozen=True)
class Reply:
    status: int
    body: str
    selects: int
    begins: int


@dataclass(frozen=True)
class Signs:
    """What can be seen from outside while the page is stale; None: the database cannot say."""

    committed_label: str
    open_transactions: int | None
    selects: int
    begins: int


@dataclass(frozen=True)
class Cell:
    result: str
    signs: Signs


@dataclass(frozen=True)
class Stage:
    """The web servers, and the database that the cells are about."""

    servers: dict[str, Server]
    database: Database

    def measure(self, cause: Cause, treatment: str) -> Cell:
        browser = Browser(self, cause)
        browser.begin()
        self.database.reset()
        for where in ("A", "B"):
            if browser.get_page(where).status != 200:
                raise CannotStart(f"The page of {cause.name} fails at once: {self.last_words()}")
        if cause.change == "outside":
            self.database.commit_change()
        else:
            browser.post(cause.change, "/label/1", label="NEW")
        modified = browser.apply(treatment)
        label = self.database.committed_label()
        open_transactions = self.database.open_transactions()
        reply = browser.get_page("A", treatment)
        signs = Signs(label, open_transactions, reply.selects, reply.begins)
        result = classify(reply, cause)
        failed = modified is not None and modified.status != 200
        return Cell(f"{result}e" if failed and result != "E" else result, signs)

    def last_words(self) -> str:
        return "; ".join(filter(None, (server.last_words() for server in self.servers.values())))


@dataclass(frozen=True)
class Browser:
    """A client without a cache: each request has a connection of its own, as curl's."""

    stage: Stage
    cause: Cause

    def begin(self) -> None:
        for server in self.stage.servers.values():
            server.renew()
        if self.cause.threads:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                both = [pool.submit(self.request, "A", "GET", "/meet") for _ in range(2)]
                assert [future.result().status for future in both] == [204, 204]

    def get_page(self, where: str, treatment: str = "") -> Reply:
        return self.request(where, "GET", "/?network=ethereum", treatment=treatment)

    def apply(self, treatment: str) -> Reply | None:
        """Calls the other function, for the treatments that are one."""
        if treatment == "rdA":
            return self.request("A", "GET", "/report")
        if treatment not in NOTE_ROW:
            return None
        where = "B" if treatment == "mdB" else "A"
        path = "/note-by-db-session" if treatment == "mdA'" else "/note"
        return self.post(where, f"{path}/{NOTE_ROW[treatment]}", note="another")

    def post(self, where: str, path: str, **form: str) -> Reply:
        return self.request(where, "POST", path, urlencode(form))

    def request(
        self, where: str, method: str, path: str, body: str = "", treatment: str = ""
    ) -> Reply:
        """Asks until worker or thread `where` has answered; who is asked instead does nothing."""
        while True:
            reply = self.request_once(where, method, path, body, treatment)
            if reply.status != 421:
                return reply

    def request_once(self, where: str, method: str, path: str, body: str, treatment: str) -> Reply:
        server = self.stage.servers["threads" if self.cause.threads else where]
        headers = {
            "X-Cause": self.cause.variant,
            "X-Database-URL": self.stage.database.app_url,
            "X-Treatment": treatment,
            "Connection": "close",
        }
        if self.cause.threads and path != "/meet":
            headers["X-Thread"] = where
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = HTTPConnection("127.0.0.1", server.port, timeout=REQUEST_SECONDS)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        server.worker = int(response.headers.get("X-Worker") or server.worker or 0) or None
        selects, begins = response.headers.get("X-Selects-And-Begins", "0 0").split()
        return Reply(response.status, text, int(selects), int(begins))


def classify(reply: Reply, cause: Cause) -> str:
    """F fresh, S stale, L stale label beside fresh rows, C stale count beside fresh rows, E error.

    Where the change is the app's own, nothing is inserted, and the label alone decides.
    """
    if reply.status != 200:
        return "E"
    count = int(next(iter(re.findall(r"<h1>(\d+) ", reply.body))))
    new_label = "<p id=1>NEW</p>" in reply.body
    new_count = count == ROWS + 1 if cause.change == "outside" else new_label
    return {(True, True): "F", (False, False): "S", (False, True): "L", (True, False): "C"}[
        new_label, new_count
    ]
