"""What goes wrong while the prover runs, on request."""

import signal
import threading
import time
from collections import Counter
from random import Random

import psutil  # type: ignore[import-untyped]

from prover.stage import Postgres, Proxy, Site

KILL, RELOAD, RESTART, CUT = 5.0, 17.0, 30.0, 41.0  # seconds from one to the next
CUT_SECONDS = 5.0
KINDS = FAST, IMMEDIATE, KILLS, RELOADS, CUTS = (
    "fast restarts of PostgreSQL",
    "immediate restarts of PostgreSQL",
    "workers killed",
    "reloads",
    "TCP cuts",
)


class Faults:
    """Kills workers, reloads, restarts PostgreSQL (fast and as in a crash, by turns), cuts TCP."""

    def __init__(self, site: Site, server: Postgres, proxy: Proxy, seed: int) -> None:
        self.site, self.server, self.proxy = site, server, proxy
        self.random = Random(f"{seed} faults")
        self.done: Counter[str] = Counter()
        self.over = threading.Event()
        self.problem: BaseException | None = None
        self.threads = [
            threading.Thread(target=self.every, args=(seconds, act))
            for seconds, act in (
                (KILL, self.kill),
                (RELOAD, self.reload),
                (RESTART, self.restart),
                (CUT, self.cut),
            )
        ]
        for thread in self.threads:
            thread.start()

    def every(self, seconds: float, act) -> None:  # type: ignore[no-untyped-def]
        while not self.over.wait(seconds):
            try:
                act()
            except BaseException as problem:
                self.problem = problem
                raise

    def kill(self) -> None:
        workers = self.site.workers
        if workers:
            try:
                self.random.choice(workers).kill()
            except psutil.NoSuchProcess:
                return
            self.done[KILLS] += 1

    def reload(self) -> None:
        self.site.process.send_signal(signal.SIGHUP)
        self.done[RELOADS] += 1

    def restart(self) -> None:
        name = FAST if self.done[FAST] == self.done[IMMEDIATE] else IMMEDIATE
        self.server.restart(signal.SIGINT if name == FAST else signal.SIGQUIT)
        self.done[name] += 1

    def cut(self) -> None:
        self.proxy.cut()
        time.sleep(CUT_SECONDS)
        self.proxy.heal()
        self.done[CUTS] += 1

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
        if self.problem:
            raise self.problem
