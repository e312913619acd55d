#!/usr/bin/env python3
"""How soon an open page in Chromium shows a commit, and what many open pages cost the server.

Starts a PostgreSQL and gunicorn with three workers. First, fifty times: psql commits another note
of a row in sight; the time runs from the answer to the COMMIT until Chromium gives the first
picture of the page that differs (it makes one only when a pixel has changed, and the page is
otherwise still). Then two hundred clients ask as live.js does. Ends with 1 when a change did not
arrive.
"""

import argparse
import asyncio
import random
import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    # In place of this folder, whose modules are meant to be found in their package only.
    sys.path[:1] = [str(TESTS), str(TESTS.parent)]

import psutil  # type: ignore[import-untyped]  # noqa: E402
import psycopg  # noqa: E402
from playwright.sync_api import CDPSession, Page, sync_playwright  # noqa: E402

from prover import stage  # noqa: E402
from prover.chromium import launch  # noqa: E402
from prover.ledger import PASSWORD, Plan  # noqa: E402
from prover.pages import Client  # noqa: E402

CHANGES, PAGES, SECONDS, LONGEST = 50, 200, 30, 60
SCRIPT = (TESTS.parent / "txsite/static/txsite/live.js").read_text()


def milliseconds(name: str) -> int:
    """A constant of live.js."""
    found = re.search(rf"const {name} = ([\d_]+);", SCRIPT)
    assert found
    return int(found[1])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="prove live", description=__doc__)
    parser.add_argument("--changes", type=int, default=CHANGES)
    parser.add_argument("--pages", type=int, default=PAGES)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    options = parser.parse_args(arguments)
    with site() as (server, url, served, plan):
        waits = until_pixels_change(served.port, url, plan, options.changes)
        arrived = [wait for wait in waits if wait is not None]
        print(
            f"From commit to changed pixels, {len(waits)} times, asking every "
            f"{milliseconds('SHORT') / 1000:g} s: median {statistics.median(arrived):.2f} s, "
            f"worst {max(arrived):.2f} s; not arrived: {len(waits) - len(arrived)}",
            flush=True,
        )
        cost_of_pages(server, served, options.pages, options.seconds)
    return 0 if len(arrived) == len(waits) else 1


@contextmanager
def site() -> Iterator[tuple[stage.Postgres, str, stage.Site, Plan]]:
    with ExitStack() as stack:
        server = stack.enter_context(stage.postgres_server())
        plan = stage.make_template(server)
        url = stack.enter_context(stage.fresh_database(server, "live"))
        served = stage.Site("gunicorn", url, "", server.server.folder / "site.log")
        stack.callback(served.close)
        yield server, url, served, plan


# --- From a commit to pixels ---------------------------------------------------------------------


def until_pixels_change(port: int, url: str, plan: Plan, changes: int) -> list[float | None]:
    """Seconds, one a change; None for one that did not arrive."""
    with sync_playwright() as playwright, psycopg.connect(url, autocommit=True) as somebody:
        browser = launch(playwright)
        base = f"http://127.0.0.1:{port}"
        context = browser.new_context(base_url=base, reduced_motion="reduce")
        reader = Client(port)
        reader.log_in("reader", PASSWORD)
        context.add_cookies(
            [{"name": name, "value": value, "url": base} for name, value in reader.cookies.items()]
        )
        page = context.new_page()
        page.goto("/transactions/?wallet=edited")
        pictures: list[float] = []
        watch(context.new_cdp_session(page), pictures)
        waits = []
        for number in range(changes):
            # Somebody is there, or the page would ask less and less often.
            page.mouse.move(number, number)
            # At any moment between two questions, and with the marks of the last change settled.
            page.wait_for_timeout(1_000 + random.random() * milliseconds("SHORT"))
            waits.append(one_wait(page, somebody, plan.edited[number % 5], number, pictures))
        browser.close()
        return waits


def watch(session: CDPSession, pictures: list[float]) -> None:
    def taken(frame: dict[str, int]) -> None:
        pictures.append(time.monotonic())
        session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    session.on("Page.screencastFrame", taken)
    session.send("Page.startScreencast", {"format": "jpeg", "everyNthFrame": 1})


def one_wait(
    page: Page, somebody: psycopg.Connection, pk: int, number: int, pictures: list[float]
) -> float | None:
    note = f"change {number}"
    somebody.execute("UPDATE transactions_transaction SET note = %s WHERE id = %s", [note, pk])
    committed = time.monotonic()
    pictures.clear()
    while not pictures and time.monotonic() < committed + LONGEST:
        page.wait_for_timeout(10)
    is_shown = page.locator(f"tr[data-id='{pk}'] .note").text_content() == note
    return pictures[0] - committed if pictures and is_shown else None


# --- Many pages ----------------------------------------------------------------------------------


def cost_of_pages(server: stage.Postgres, served: stage.Site, pages: int, seconds: int) -> None:
    """Prints what share of one processor the workers and PostgreSQL spend on `pages` open pages."""
    clients = [Client(served.port) for _ in range(pages)]
    for client in clients:
        client.log_in("reader", PASSWORD)
    newest = clients[0].get("/changes/").number("x-ledger-revision") or 0
    interval = milliseconds("SHORT") / 1000
    web, database = processor_time(served.workers), processor_time(backends(server))
    began = time.monotonic()
    answers = asyncio.run(ask_all(clients, served.port, newest, interval, seconds))
    took = time.monotonic() - began
    web = processor_time(served.workers) - web
    database = processor_time(backends(server)) - database
    idle = milliseconds("SHORT") / milliseconds("LONG")
    print(
        f"{pages} open pages for {took:.0f} s: {len(answers)} answers "
        f"({len(answers) / took:.0f}/s), "
        f"{answers.count(204)} of them 204\n"
        f"Processor time of one: web {1000 * web / len(answers):.2f} ms, "
        f"PostgreSQL {1000 * database / len(answers):.2f} ms\n"
        f"Share of one worker's time: {web / took:.1%} while all are used "
        f"(PostgreSQL {database / took:.1%}); {idle * web / took:.1%} while all are idle "
        f"(derived: one question in {milliseconds('LONG') / 1000:g} s)"
    )


def processor_time(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def backends(server: stage.Postgres) -> list[psutil.Process]:
    return [server.postmaster, *server.postmaster.children()]


async def ask_all(
    clients: list[Client], port: int, newest: int, interval: float, seconds: int
) -> list[int]:
    """The status of every answer; each client begins at another moment."""
    answers: list[int] = []
    over = time.monotonic() + seconds

    async def page(client: Client, place: int) -> None:
        await asyncio.sleep(interval * place / len(clients))
        while time.monotonic() < over:
            began = time.monotonic()
            answers.append(await ask(client, port, newest))
            await asyncio.sleep(max(0, began + interval - time.monotonic()))

    await asyncio.gather(*(page(client, place) for place, client in enumerate(clients)))
    return answers


async def ask(client: Client, port: int, newest: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    writer.write(
        f"GET /changes/?since={newest} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        f"Cookie: {cookies}\r\nConnection: close\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
