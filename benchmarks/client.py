"""A client that keeps its cookies and its connection, and reads which rows a page shows."""

import http.client
import re
import time
from dataclasses import dataclass
from urllib.parse import urlencode

SECONDS = 60


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    seconds: float
    location: str = ""


class Client:
    """One person's browser; a server that closes the connection is connected to again."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}

    def get(self, path: str, headers: dict[str, str] | None = None) -> Reply:
        return self.send("GET", path, headers or {})

    def post(self, path: str, fields: dict[str, str]) -> Reply:
        fields = {"csrfmiddlewaretoken": self.cookies.get("csrftoken", ""), **fields}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send("POST", path, headers, urlencode(fields).encode())

    def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> Reply:
        if self.cookies:
            headers = headers | {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            content = answer.read()
        except TimeoutError:
            return Reply(0, b"", time.perf_counter() - began)
        finally:
            connection.close()
        seconds = time.perf_counter() - began
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return Reply(answer.status, content, seconds, answer.headers.get("Location", ""))

    def log_in(self, path: str, name: str, password: str) -> None:
        self.get(path)
        reply = self.post(path, {"username": name, "password": password, "next": "/contacts/"})
        if reply.status != 302:
            raise RuntimeError(f"{name} cannot log in: {reply.status}")


def ids_in(body: bytes, pattern: str) -> list[int]:
    """The ids that a page shows, in its order, each once."""
    return list(dict.fromkeys(int(one) for one in re.findall(pattern, body.decode())))
