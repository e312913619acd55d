"""A client that keeps cookies and pages as a browser does, and reads what pages show."""

import http.client
import re
import time
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlencode

SECONDS = 20
BOUNDARY = "prover-boundary-7f3a"


@dataclass(frozen=True)
class Reply:
    """Status 0 is no answer: the connection was cut or it took too long."""

    status: int
    text: str
    headers: dict[str, str]
    start: float
    end: float

    def number(self, name: str) -> int | None:
        text = self.headers.get(name, "")
        return int(text) if text.isdigit() else None


class Client:
    """One browser's worth of cookies; every URL is asked with what is known of it already."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}
        self.kept: dict[str, tuple[Reply, float]] = {}  # URL -> last reply, fresh until

    def get(self, path: str, accept: str = "*/*", fragment: bool = False) -> Reply:
        key = f"{path} {accept} {fragment}"
        start = time.monotonic()
        known, fresh_until = self.kept.get(key, (None, 0.0))
        if known and start < fresh_until:
            return Reply(200, known.text, known.headers, start, time.monotonic())
        headers = {"Accept": accept} | ({"X-Fragment": "1"} if fragment else {})
        for validator, ask in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since")):
            if known and validator in known.headers:
                headers[ask] = known.headers[validator]
        reply = self.send("GET", path, headers)
        if reply.status == 304 and known:
            headers = known.headers | {"x-worker": reply.headers.get("x-worker", "")}
            return Reply(200, known.text, headers, reply.start, reply.end)
        if reply.status == 200:
            self.kept[key] = (reply, reply.start + may_be_kept(reply))
        return reply

    def post(self, path: str, fields: dict[str, str | list[str]], fragment: bool = False) -> Reply:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        headers |= {"X-CSRFToken": self.cookies.get("csrftoken", "")}
        if fragment:
            headers["X-Fragment"] = "1"
        return self.send("POST", path, headers, urlencode(fields, doseq=True).encode())

    def upload(self, path: str, file_name: str, content: bytes, fields: dict[str, str]) -> Reply:
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        file = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{file_name}"\r\nContent-Type: text/csv\r\n\r\n'
        )
        body = (
            "".join(parts).encode() + file.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
        )
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        headers |= {"X-CSRFToken": self.cookies.get("csrftoken", "")}
        return self.send("POST", path, headers, body)

    def log_in(self, name: str, password: str) -> None:
        self.get("/login/")
        reply = self.post("/login/", {"username": name, "password": password, "next": "/contacts/"})
        if reply.status != 302:
            raise RuntimeError(f"{name} cannot log in: {reply.status} {reply.text[:500]}")

    def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> Reply:
        if self.cookies:
            pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            headers = {**headers, "Cookie": pairs}
        start = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            text = answer.read().decode()
            end = time.monotonic()
        except (OSError, http.client.HTTPException):
            return Reply(0, "", {}, start, time.monotonic())
        finally:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        told = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status, text, told, start, end)


def may_be_kept(reply: Reply) -> float:
    """For how many seconds a browser would not ask again."""
    control = reply.headers.get("cache-control", "")
    found = re.search(r"max-age=(\d+)", control)
    return float(found[1]) if found and "no-" not in control else 0.0


# --- What a page shows ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    pk: int
    version: int
    known_as: str
    note: str
    labels: list[str]


ROW = re.compile(r'<tr[^>]* data-id="(\d+)" data-version="(\d+)"[^>]*>(.*?)</tr>', re.DOTALL)
NOTE = re.compile(r'<bdi class="note">(.*?)</bdi>', re.DOTALL)
LABEL = re.compile(r'<a class="chip [^>]*><bdi>(.*?)</bdi></a>')
KNOWN_AS = re.compile(r'<a href="/transactions/\d+/" title="([^"]*)">')
COUNT = re.compile(r'<strong id="count">([\d,]+)</strong>')
NEXT = re.compile(r'href="([^"]+)" rel="next"')
BALANCE = re.compile(
    r'title="(slot-\d+)"><bdi>.*?<span class="number">([^<]*)</span>.*?>(\d+)</a>', re.DOTALL
)
TEXTAREA = re.compile(r"<textarea[^>]*>\r?\n?(.*?)</textarea>", re.DOTALL)
VERSION = re.compile(r'name="version" value="(\d+)"')
SHOWN = re.compile(r'name="shown" value="([0-9a-f]+)"')
NAME = re.compile(r'name="name" value="([^"]*)"')


def rows(text: str) -> list[Row]:
    found = []
    for pk, version, cells in ROW.findall(text):
        known_as, note = KNOWN_AS.search(cells), NOTE.search(cells)
        labels = [unescape(name) for name in LABEL.findall(cells)]
        found.append(
            Row(
                int(pk),
                int(version),
                unescape(known_as[1]) if known_as else "",
                unescape(note[1]) if note else "",
                labels,
            )
        )
    return found


def first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return unescape(found[1]) if found else None


def count(text: str) -> int:
    """A list that nothing fits has no count on it."""
    return int((first(COUNT, text) or "0").replace(",", ""))


def balances(text: str) -> dict[str, tuple[int, ...]]:
    """wallet -> number of transactions and total, which is the same, since each is of 1."""
    return {wallet: (int(number), int(total)) for wallet, total, number in BALANCE.findall(text)}
