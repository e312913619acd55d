"""A reader with a real browser, its back/forward cache on, who presses Back."""

import contextlib
import os
import time

from playwright.sync_api import Browser, Error, Playwright, sync_playwright

from dev import find_chromium
from prover.clients import Run, seen_in
from prover.history import OK, UNKNOWN, Operation
from prover.stage import CannotStart

LIST = "/transactions/?wallet=edited"
# What a person sees, once they see it: the list, and the change that it says it reflects.
SHOWN = """() => {
    if (document.readyState !== "complete" || document.documentElement.hidden) return null;
    const receipt = document.querySelector("#receipt a");
    const table = document.querySelector("table.transactions");
    return receipt && table ? [table.outerHTML, receipt.getAttribute("href")] : null;
}"""


def launch(playwright: Playwright) -> Browser:
    """The Chromium that is here; CannotStart where there is none."""
    path = find_chromium()
    if path is None:
        raise CannotStart("Chromium is not there: python3 dev.py test --browser installs it.")
    return playwright.chromium.launch(
        executable_path=path,
        args=["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])],
        ignore_default_args=["--disable-back-forward-cache"],
    )


class ChromiumReader:
    def __init__(self, run: Run) -> None:
        self.run, self.who = run, "chromium"
        self.random = run.random(self.who)
        self.playwright = sync_playwright().start()
        self.browser = launch(self.playwright)
        base = f"http://127.0.0.1:{run.port}"
        context = self.browser.new_context(base_url=base)
        cookies = run.visitor("reader").cookies
        context.add_cookies(
            [{"name": name, "value": value, "url": base} for name, value in cookies.items()]
        )
        context.set_default_timeout(20_000)
        self.page = context.new_page()

    def act(self) -> None:
        start = time.monotonic()
        what = "list in Chromium"
        try:
            if self.random.random() < 0.7:
                self.page.goto(LIST)
                self.page.goto("/contacts/")
                start, what = time.monotonic(), "Back in Chromium"
                self.page.go_back(wait_until="load")
            else:
                self.page.goto(LIST)
            table, receipt = self.page.wait_for_function(SHOWN).json_value()
        except Error:
            # No page came, which is none that is old.
            end = time.monotonic()
            self.run.history.add(Operation(self.who, "browser", what, start, end, UNKNOWN))
            return
        self.run.history.add(
            Operation(
                self.who,
                "browser",
                what,
                start,
                time.monotonic(),
                OK,
                seen=seen_in(self.run, table, self.run.plan.edited),
                revision=int(receipt.partition("revision=")[2]),
            )
        )

    def close(self) -> None:
        with contextlib.suppress(Error):
            self.browser.close()
        self.playwright.stop()
