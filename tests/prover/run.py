#!/usr/bin/env python3
"""Runs writers and readers against the site and tries to catch a page that is old or wrong.

First against the site itself, for every seed; then against apps with one mistake each, which
have to be caught. Ends with 0 when the one was clean and every other was caught.
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    # In place of this folder, whose modules are meant to be found in their package only.
    sys.path[:1] = [str(TESTS), str(TESTS.parent)]

from prover import checks, clients, ledger, stage  # noqa: E402
from prover.controls import CONTROLS, SEQUENCE  # noqa: E402
from prover.faults import KINDS, Faults  # noqa: E402
from prover.history import OK, History  # noqa: E402
from txsite import postgres  # noqa: E402

OPERATIONS, CONTROL_OPERATIONS = 20_000, 2_000
ENOUGH, ENOUGH_WITH_FAULTS = 0.95, 0.30  # of the operations have to be ok, or nothing is proved
LEAST_SHARE = 0.10  # of the replies come from each worker
PATHS = ("page", "admin", "SQL", "command", "import")
SHOWN = 3  # violations told in full
# What has to be read, and what has to go wrong, for a run to prove anything.
READ = (
    *("list", "transaction", "form of", "completion", "changes", "balances", "count of"),
    *("list of slot", "list of churn", "export", "walk"),
)
KEPT_CHANGES = 100_000  # older ones are no longer recorded
OLDER, RECEIPT, FELL = (
    "older than what was acknowledged",
    "not what its receipt says",
    "revision fell",
)
THE_OLD_APP = frozenset({"list", "detail"})


@dataclass(frozen=True)
class Setting:
    """What stays the same over all runs of a proof."""

    server: stage.Postgres
    plan: ledger.Plan
    kind: str
    folder: Path


@dataclass(frozen=True)
class Result:
    """One run, judged."""

    run: clients.Run
    seconds: float
    violations: list[checks.Violation]
    faults: Counter[str]
    with_faults: bool
    has_browser: bool

    @property
    def history(self) -> History:
        return self.run.history

    @property
    def ok_share(self) -> float:
        return sum(one.outcome == OK for one in self.history) / len(self.history)

    @property
    def workers(self) -> Counter[int]:
        return Counter(one.worker for one in self.history if one.worker)

    @property
    def written(self) -> Counter[str]:
        return Counter(one.via for one in self.history if one.is_write and one.outcome == OK)

    def gaps(self, enough: float) -> list[str]:
        """Why the run proves nothing, if it does not."""
        found = [f"nothing was written through {path}" for path in PATHS if not self.written[path]]
        found += [f"nobody read: {kind}" for kind in READ if not self.was_read(kind)]
        if self.newest > KEPT_CHANGES:
            found.append(f"{self.newest:,} changes are more than the ledger records")
        if self.ok_share < enough:
            found.append(f"only {self.ok_share:.1%} of the operations were ok")
        if self.with_faults:
            found += [f"there were no {kind}" for kind in KINDS if not self.faults[kind]]
        else:
            replies = self.workers.total()
            found += [
                f"worker {worker} gave {count / replies:.1%} of the replies"
                for worker, count in self.workers.items()
                if count / replies < LEAST_SHARE
            ]
            if len(self.workers) < stage.WORKERS:
                found.append(f"only {len(self.workers)} workers replied")
        if self.has_browser and not self.backs:
            found.append("nobody pressed Back")
        return found

    def was_read(self, kind: str) -> bool:
        return any(one.what.startswith(kind) and one.outcome == OK for one in self.history)

    @property
    def newest(self) -> int:
        return max((one.revision or 0 for one in self.history), default=0)

    @property
    def backs(self) -> int:
        return sum(one.what == "Back in Chromium" and one.outcome == OK for one in self.history)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    # So that the servers end with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with setting(options.server) as there:
            print(f"{there.kind}, {stage.WORKERS} workers with {stage.THREADS} threads", flush=True)
            clean = [prove(there, seed, options) for seed in options.seeds]
            caught = [
                catch(there, control, seed, options.control_operations)
                for control in options.controls
                for seed in options.seeds
            ]
    except (postgres.CannotServe, stage.CannotStart) as problem:
        sys.exit(str(problem))
    is_proved = all(clean) and all(caught)
    print(
        f"VERDICT: {'proved' if is_proved else 'NOT PROVED'}: "
        f"{clean.count(True)} of {len(clean)} runs of the site without a violation, "
        f"{caught.count(True)} of {len(caught)} runs of broken apps caught"
    )
    return 0 if is_proved else 1


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="prove freshness", description=__doc__)
    parser.add_argument("--operations", type=int, default=OPERATIONS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--server", choices=["gunicorn", "uwsgi"], default="gunicorn")
    parser.add_argument(
        "--faults",
        action="store_true",
        help="kill workers, reload, restart PostgreSQL and cut its connections meanwhile",
    )
    parser.add_argument("--no-browser", action="store_true", help="without Chromium's Back")
    parser.add_argument("--controls", nargs="*", choices=CONTROLS, default=list(CONTROLS))
    parser.add_argument("--control-operations", type=int, default=CONTROL_OPERATIONS)
    return parser.parse_args(arguments)


@contextlib.contextmanager
def setting(kind: str) -> Iterator[Setting]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(stage.postgres_server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="txsite-prover-")))
        yield Setting(server, stage.make_template(server), kind, folder)


# --- Runs ----------------------------------------------------------------------------------------


def prove(there: Setting, seed: int, options: argparse.Namespace) -> bool:
    """Whether the site itself shows nothing that it must not."""
    result = perform(
        there,
        seed,
        options.operations,
        with_faults=options.faults,
        with_browser=not options.no_browser,
    )
    print(f"\nthe site{' with faults' if options.faults else ''}, seed {seed}: {summary(result)}")
    gaps = result.gaps(ENOUGH_WITH_FAULTS if options.faults else ENOUGH)
    for gap in gaps:
        print(f"  void: {gap}")
    for violation in result.violations[:SHOWN]:
        print(f"  VIOLATION {violation.told(result.run.zero)}")
    print(f"  violations: {len(result.violations)}", flush=True)
    return not result.violations and not gaps


def catch(there: Setting, control: str, seed: int, operations: int) -> bool:
    """Whether the mistake of a control is seen."""
    result = perform(there, seed, operations, control=control)
    stale, reads = checks.count_stale_reads(result.history)
    print(f"\ncontrol {control} ({CONTROLS[control]}), seed {seed}: {summary(result)}")
    print(f"  stale reads: {stale} of {reads}, {1000 * stale / max(reads, 1):.1f} per 1,000")
    expected = {RECEIPT, FELL} if control == "sequence" else {OLDER}
    first = next((one for one in result.violations if one.rule in expected), None)
    if first is None:
        print(f"  NOT CAUGHT; other violations: {len(result.violations)}", flush=True)
        return False
    number = sum(one.end <= first.end for one in result.history)
    rules = Counter(violation.rule for violation in result.violations)
    print(f"  caught after {number} operations: {told(rules)}; the first:")
    print(f"  {first.told(result.run.zero)}", flush=True)
    return True


def perform(
    there: Setting,
    seed: int,
    operations: int,
    control: str = "",
    with_faults: bool = False,
    with_browser: bool = False,
) -> Result:
    with contextlib.ExitStack() as stack:
        name = f"run_{seed}_{control.replace('-', '_')}"
        url = stack.enter_context(stage.fresh_database(there.server, name))
        if control == "sequence":
            stage.execute(there.server, SEQUENCE, name)
        proxy = None
        if with_faults:
            proxy = stage.Proxy(there.server)
            stack.callback(proxy.close)
        log = there.folder / f"{name}.log"
        site = stage.Site(there.kind, proxy.url(name) if proxy else url, control, log)
        stack.callback(site.close)
        is_old = control == "old-app"
        run = clients.Run(
            plan=there.plan,
            port=site.port,
            database_url=url,
            psql=there.server.psql,
            folder=there.folder,
            history=History(there.plan.initial, ledger.lasting()),
            seed=seed,
            target=operations,
            sees=THE_OLD_APP if is_old else frozenset(),
        )
        makers = clients.of_the_old_app(run) if is_old else clients.everybody(run)
        if with_browser:
            # Not for machines without a browser.
            from prover.chromium import ChromiumReader

            makers.append(lambda: ChromiumReader(run))
        faults = Faults(site, there.server, proxy, seed) if proxy else None
        if faults:
            stack.callback(faults.end)
        began = time.monotonic()
        failures: list[BaseException] = []
        clients.run_all(run, makers, failures)
        seconds = time.monotonic() - began
        if failures:
            raise failures[0]
        if faults:
            faults.end()
        run.history.add(ledger.last_look(url, there.plan))
        violations = checks.all_violations(run.history, ledger.truth(url, there.plan))
        done = faults.done if faults else Counter()
        return Result(run, seconds, violations, done, with_faults, with_browser)


# --- What is printed -----------------------------------------------------------------------------


def summary(result: Result) -> str:
    history, seconds = result.history, result.seconds
    reads = Counter(one.via for one in history if not one.is_write)
    missed = Counter(f"{one.via} {one.outcome}" for one in history if one.outcome != OK)
    lines = [
        f"{len(history):,} operations in {seconds:.0f} s ({len(history) / seconds:.0f}/s), "
        f"{result.ok_share:.2%} ok",
        f"written: {told(result.written)}; read: {told(reads)}, {result.backs} times by Back",
        f"replies of each worker: {told(Counter(result.workers.values()), keys=True)}"
        if not result.with_faults
        else f"faults: {told(result.faults)}; workers that replied: {len(result.workers)}",
        f"newest revision: {result.newest:,}; not ok: {told(missed) or 'none'}",
    ]
    return "\n  ".join(lines)


def told(counts: Counter[Any], keys: bool = False) -> str:
    if keys:
        return ", ".join(f"{count:,}" for count in counts.elements())
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


if __name__ == "__main__":
    os.chdir(TESTS.parent)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
