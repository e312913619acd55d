"""Those who write, each through its own path, and those who read, on the ledger of `ledger.py`."""

import itertools
import json
import random
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from prover import pages
from prover.history import OK, REFUSED, UNKNOWN, History, Operation
from prover.ledger import PASSWORD, Plan, first_label, label_of, note_of, register_of
from prover.pages import Client, Reply
from prover.stage import surroundings

BATCH = 50
HEADER = "Date,Received Amount,Received Currency,TxHash\n"
ORDER_SECONDS = 30
PAUSE = 0.3
MAX_CHURN = 15
FULL_PAGE = 200


@dataclass
class Run:
    """What all clients of one run share."""

    plan: Plan
    port: int
    database_url: str
    psql: Path
    folder: Path
    history: History
    seed: int
    target: int  # operations
    sees: frozenset[str] = frozenset()  # what the app offers; empty: everything
    zero: float = field(default_factory=time.monotonic)
    numbers: Any = field(default_factory=itertools.count)
    slots: list[str] = field(default_factory=list)  # those that importers use just now
    versions: dict[str, int] = field(default_factory=dict)  # as last seen by anybody
    newest: int = 0  # revision

    def going(self) -> bool:
        return len(self.history) < self.target

    def random(self, who: str) -> random.Random:
        return random.Random(f"{self.seed} {who}")

    def value(self, register: str) -> str:
        """A value that nobody wrote before."""
        return f"{register}:v{next(self.numbers)}"

    def offers(self, what: str) -> bool:
        return not self.sees or what in self.sees

    def labels_of(self, pk: int) -> list[str]:
        """The registers of the labels that are always on a transaction."""
        return self.plan.labels_of(pk) if self.offers("labels") else []

    def record(self, who: str, via: str, what: str, reply: Reply, **fields: Any) -> None:
        """Of a page that was asked for; who gets none waits a moment, as people do."""
        revision = reply.number("x-ledger-revision")
        self.newest = max(self.newest, revision or 0)
        self.history.add(
            Operation(
                who,
                via,
                what,
                reply.start,
                reply.end,
                revision=revision,
                status=reply.status,
                worker=reply.number("x-worker"),
                **fields,
            )
        )
        if reply.status == 0 or reply.status >= 500:
            time.sleep(PAUSE)

    def visitor(self, user: str) -> Client:
        client = Client(self.port)
        if self.offers("login"):
            client.log_in(user, PASSWORD)
        return client


def outcome_of(reply: Reply, done: tuple[int, ...] = (200,)) -> str:
    """5xx and no answer at all: it may have happened."""
    if reply.status in done:
        return OK
    return UNKNOWN if reply.status == 0 or reply.status >= 500 else REFUSED


def seen_in(run: Run, text: str, expected: Iterable[int]) -> dict[str, str]:
    """register -> value, of those transactions; several values are joined.

    What should be there and is not is seen as nothing, which nobody ever wrote.
    """
    rows = {row.pk: row for row in pages.rows(text)}
    shown: dict[str, list[str]] = {}
    for pk in expected:
        row = rows.get(pk)
        shown[note_of(pk)] = [row.note if row else ""]
        names: dict[str, list[str]] = {register: [] for register in run.labels_of(pk)}
        for name in row.labels if row else ():
            names.setdefault(register_of(run.plan, pk, name), []).append(name)
        for register, found in names.items():
            shown.setdefault(register, []).extend(found or [""])
    # A label that is on two of the transactions is seen twice.
    return {register: " and ".join(dict.fromkeys(found)) for register, found in shown.items()}


def open_form(run: Run, who: str, client: Client, pk: int) -> None:
    """The form of a note, which tells it and its version."""
    reply = client.get(f"/transactions/{pk}/note/", fragment=True)
    note, version = (pages.first(one, reply.text) for one in (pages.TEXTAREA, pages.VERSION))
    is_shown = reply.status == 200 and note is not None and version
    if is_shown:
        run.versions[note_of(pk)] = int(str(version))
    run.record(
        who,
        "page",
        f"form of {pk}",
        reply,
        outcome=OK if is_shown else UNKNOWN,
        seen={note_of(pk): str(note)} if is_shown else {},
    )


# --- Writers -------------------------------------------------------------------------------------


class PageEditor:
    """Somebody who edits notes and labels in the list, in place."""

    def __init__(self, run: Run, number: int) -> None:
        self.run, self.number, self.who = run, number, f"page editor {number}"
        self.random = run.random(self.who)
        self.client = run.visitor("editor")
        self.labels = {pk: first_label(pk, number) for pk in run.plan.edited}

    def act(self) -> None:
        kind = self.random.random()
        if kind < 0.5 or not self.run.offers("labels"):
            self.edit_note(self.random.choice(self.run.plan.edited))
        elif kind < 0.9:
            self.exchange_label(self.random.choice(self.run.plan.edited))
        else:
            self.keep_label(self.random.choice(self.run.plan.keeping))

    def edit_note(self, pk: int) -> None:
        register = note_of(pk)
        if self.run.offers("form"):
            open_form(self.run, self.who, self.client, pk)
        value, version = self.run.value(register), self.run.versions.get(register, 1)
        fields: dict[str, str | list[str]] = {"note": value, "version": str(version)}
        reply = self.client.post(f"/transactions/{pk}/note/", fields, fragment=True)
        outcome = outcome_of(reply, (200, 202))
        seen = seen_in(self.run, reply.text, [pk]) if reply.status == 200 else {}
        newer = [row.version for row in pages.rows(reply.text)]
        newer += map(int, pages.VERSION.findall(reply.text))
        if newer:
            self.run.versions[register] = newer[0]
        base = (register, version) if self.run.offers("versions") else None
        self.run.record(
            self.who,
            "page",
            f"{register} := {value!r}",
            reply,
            outcome=outcome,
            writes={register: value},
            base=base,
            seen=seen,
        )

    def exchange_label(self, pk: int) -> None:
        if pk not in self.labels:
            return
        register = label_of(pk, self.number)
        value = self.run.value(f"W{self.number}")
        fields: dict[str, str | list[str]] = {"add": value, "remove": self.labels[pk]}
        reply = self.client.post(f"/transactions/{pk}/labels/", fields, fragment=True)
        outcome = outcome_of(reply, (200, 202))
        if outcome == OK:
            self.labels[pk] = value
        elif outcome == UNKNOWN:
            # It may still happen, after whatever we would do next.
            del self.labels[pk]
        self.run.record(
            self.who,
            "page",
            f"{register} := {value!r}",
            reply,
            outcome=outcome,
            writes={register: value},
            seen=seen_in(self.run, reply.text, [pk]) if reply.status == 200 else {},
        )

    def keep_label(self, pk: int) -> None:
        value = self.run.value("K")
        fields: dict[str, str | list[str]] = {"add": value}
        reply = self.client.post(f"/transactions/{pk}/labels/", fields, fragment=True)
        self.run.record(
            self.who,
            "page",
            f"label {value!r} on {pk}",
            reply,
            outcome=outcome_of(reply, (200, 202)),
            keeps=(pk, value),
        )


class AdminEditor:
    """Somebody who renames labels in the admin."""

    def __init__(self, run: Run) -> None:
        self.run, self.who = run, "admin editor"
        self.random = run.random(self.who)
        self.client = run.visitor("manager")
        self.versions: dict[str, int] = {}

    def act(self) -> None:
        register = self.random.choice(list(self.run.plan.labels))
        path = f"/admin/transactions/label/{self.run.plan.labels[register]}/change/"
        self.look(register, self.client.get(path))
        if register not in self.versions:
            return
        value, version = self.run.value(register), self.versions[register]
        fields: dict[str, str | list[str]] = {
            "name": value,
            "colour": "grey",
            "description": "",
            "version": str(version),
        }
        reply = self.client.post(path, fields)
        outcome = outcome_of(reply, (302, 202))
        self.run.record(
            self.who,
            "admin",
            f"{register} := {value!r}",
            reply,
            # A form that is shown again was refused.
            outcome=REFUSED if reply.status == 200 else outcome,
            writes={register: value},
            base=(register, version),
        )

    def look(self, register: str, reply: Reply) -> None:
        name, version = (pages.first(one, reply.text) for one in (pages.NAME, pages.VERSION))
        is_shown = reply.status == 200 and name and version
        self.versions.pop(register, None)
        if is_shown:
            self.versions[register] = int(str(version))
        self.run.record(
            self.who,
            "admin",
            f"look at {register}",
            reply,
            outcome=OK if is_shown else UNKNOWN,
            seen={register: str(name)} if is_shown else {},
        )


class Psql:
    """PostgreSQL's own client; each call is a transaction."""

    def __init__(self, run: Run, who: str) -> None:
        self.run, self.who = run, who
        self.process: subprocess.Popen[str] | None = None

    def execute(self, statements: str, what: str, **fields: Any) -> str:
        """How it ended; where psql ends or does not answer, it may have happened."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [self.run.psql, self.run.database_url, "-qAtX", "-v", "ON_ERROR_STOP=1"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        start = time.monotonic()
        answer = asked(self.process, f"BEGIN;\n{statements}\nCOMMIT;\n\\echo done\n")
        outcome = OK if answer == "done" else UNKNOWN
        self.run.history.add(
            Operation(self.who, "SQL", what, start, time.monotonic(), outcome=outcome, **fields)
        )
        return outcome

    def close(self) -> None:
        close(self.process)


def asked(process: subprocess.Popen[str], text: str) -> str:
    """What a process answers, in a line; nothing when it ends or takes too long, and it ends."""
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(text)
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], ORDER_SECONDS)
        answer = process.stdout.readline().strip() if ready else ""
    except OSError:
        answer = ""
    if not answer:
        process.kill()
        process.wait()
    return answer


def close(process: subprocess.Popen[str] | None) -> None:
    if process is not None:
        process.kill()
        process.communicate()


class SqlEditor:
    """Somebody at psql who changes notes and names, and now and then two notes at once."""

    def __init__(self, run: Run, number: int) -> None:
        self.run, self.who = run, f"psql {number}"
        self.random = run.random(self.who)
        self.psql = Psql(run, self.who)

    def act(self) -> None:
        plan = self.run.plan
        if self.random.random() < 0.3 and self.run.offers("names"):
            register = self.random.choice(list(plan.labels))
            writes = {register: self.run.value(register)}
            table, column, pks = "transactions_label", "name", [plan.labels[register]]
        else:
            table, column = "transactions_transaction", "note"
            pks = sorted(self.random.sample(plan.edited, self.random.choice((1, 1, 2))))
            writes = {note_of(pk): self.run.value(note_of(pk)) for pk in pks}
        statements = "\n".join(
            # The values are ours, without a quote in them.
            f"UPDATE {table} SET {column} = '{value}' WHERE id = {pk};"
            f" SELECT pg_sleep({self.random.random() * 0.008:.4f}) \\g /dev/null"
            for pk, value in zip(pks, writes.values(), strict=True)
        )
        self.psql.execute(statements, " and ".join(writes.values()), writes=writes)
        time.sleep(self.random.random() * 0.1)

    def close(self) -> None:
        self.psql.close()


class SqlChurner:
    """Somebody at psql who adds transactions and takes them out again."""

    def __init__(self, run: Run) -> None:
        self.run, self.who = run, "psql churner"
        self.random = run.random(self.who)
        self.psql = Psql(run, self.who)
        self.there: list[str] = []

    def act(self) -> None:
        if len(self.there) > self.random.randrange(MAX_CHURN):
            name = self.there.pop(self.random.randrange(len(self.there)))
            statements = f"DELETE FROM transactions_transaction WHERE external_id = '{name}';"
            self.psql.execute(statements, f"delete {name}", deleted=name)
        else:
            name = f"churn-{next(self.run.numbers)}"
            if self.psql.execute(self.insertion(name), f"insert {name}", inserted=name) == OK:
                self.there.append(name)
        time.sleep(self.random.random() * 0.15)

    def insertion(self, name: str) -> str:
        plan, minutes = self.run.plan, self.random.randrange(100_000)
        return (
            "WITH made AS (INSERT INTO transactions_transaction (source_wallet_id, external_id,"
            " timestamp, status, type, method, note, is_edited, is_type_told, version)"
            f" VALUES ({plan.churn}, '{name}', timestamptz '2024-01-01 00:00Z' +"
            f" {minutes} * interval '1 minute', 'ok', 'receive', '', '', false, false, 1)"
            " RETURNING id, timestamp) INSERT INTO transactions_entry (transaction_id, timestamp,"
            f" wallet_id, asset_id, amount, kind, ordinal) SELECT id, timestamp, {plan.churn},"
            f" {plan.asset}, 1, 'transfer', 0 FROM made;"
        )

    def close(self) -> None:
        self.psql.close()


class Commander:
    """A process set up as manage.py does, which obeys a line at a time (see `commander.py`)."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.process: subprocess.Popen[str] | None = None

    def obey(self, order: Mapping[str, Any]) -> str:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "prover.commander"],
                env=surroundings(self.run.database_url),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        answer = asked(self.process, json.dumps(order) + "\n")
        return answer if answer in (OK, REFUSED) else UNKNOWN

    def close(self) -> None:
        close(self.process)


class CommandEditor:
    """A command that changes notes and names."""

    def __init__(self, run: Run) -> None:
        self.run, self.who = run, "command"
        self.random = run.random(self.who)
        self.commander = Commander(run)

    def act(self) -> None:
        plan = self.run.plan
        if self.random.random() < 0.3 and self.run.offers("names"):
            register = self.random.choice(list(plan.labels))
            what, pk = "name", plan.labels[register]
        else:
            what, pk = "note", self.random.choice(plan.edited)
            register = note_of(pk)
        value = self.run.value(register)
        start = time.monotonic()
        outcome = self.commander.obey({"do": what, "pk": pk, "value": value})
        self.run.history.add(
            Operation(
                self.who,
                "command",
                f"{register} := {value!r}",
                start,
                time.monotonic(),
                outcome=outcome,
                writes={register: value},
            )
        )
        time.sleep(self.random.random() * 0.1)

    def close(self) -> None:
        self.commander.close()


class Importer:
    """Fills a wallet with a file of fifty transactions, and empties it at psql again.

    Where nobody knows how one of these ended, the next wallet is taken.
    """

    pace = 0.5  # seconds at the most between two of these

    def __init__(self, run: Run, number: int) -> None:
        self.run, self.who = run, f"importer {number}"
        self.random = run.random(self.who)
        self.psql = Psql(run, self.who)
        self.free = run.plan.wallets[number::2]
        self.wallet = ""
        self.is_filled = False

    def act(self) -> None:
        if not self.wallet:
            if not self.free:
                time.sleep(PAUSE)
                return
            self.wallet = self.free.pop(0)
            self.run.slots.append(self.wallet)
        outcome = self.empty() if self.is_filled else self.fill()
        if outcome == OK:
            self.is_filled = not self.is_filled
        elif outcome == UNKNOWN:
            self.run.slots.remove(self.wallet)
            self.wallet, self.is_filled = "", False
        time.sleep(self.random.random() * self.pace)

    def empty(self) -> str:
        there = (
            "SELECT t.id FROM transactions_transaction t JOIN transactions_wallet w"
            f" ON w.id = t.source_wallet_id WHERE w.name = '{self.wallet}'"
        )
        statements = (
            f"DELETE FROM transactions_importline WHERE transaction_id IN ({there});"
            f" DELETE FROM transactions_transaction WHERE id IN ({there});"
        )
        return self.psql.execute(statements, f"empty {self.wallet}", filled=(self.wallet, 0))

    def fill(self) -> str:
        raise NotImplementedError

    def file(self) -> tuple[str, str]:
        """Name and content."""
        number = next(self.run.numbers)
        lines = (
            f"2024-05-01 {line // 60:02}:{line % 60:02}:00 UTC,1,TST,file-{number}-{line}\n"
            for line in range(BATCH)
        )
        return f"file-{number}.csv", HEADER + "".join(lines)

    def close(self) -> None:
        self.psql.close()


class PageImporter(Importer):
    """Through the page, which has a process do it."""

    pace = 4.0

    def __init__(self, run: Run, number: int) -> None:
        super().__init__(run, number)
        self.client = run.visitor("manager")

    def fill(self) -> str:
        name, content = self.file()
        start = time.monotonic()
        outcome = self.upload(name, content)
        self.run.history.add(
            Operation(
                self.who,
                "import",
                f"import {name} into {self.wallet}",
                start,
                time.monotonic(),
                outcome=outcome,
                filled=(self.wallet, BATCH),
            )
        )
        return outcome

    def upload(self, name: str, content: str) -> str:
        reply = self.client.upload("/imports/", name, content.encode(), {"wallet": self.wallet})
        if reply.status == 202:
            return OK
        if reply.status != 303:
            return outcome_of(reply, ())
        path = unquote(reply.headers["location"])
        deadline = time.monotonic() + ORDER_SECONDS
        is_confirmed = False
        while time.monotonic() < deadline:
            text = self.client.get(path).text
            if 'data-state="imported"' in text:
                return OK
            shown = pages.first(pages.SHOWN, text)
            if shown and not is_confirmed:
                answer = self.client.post(f"{path}confirm/", {"shown": shown})
                is_confirmed = answer.status == 303
            time.sleep(0.1)
        return UNKNOWN


class CommandImporter(Importer):
    """Through `manage.py import_transactions`."""

    def __init__(self, run: Run, number: int) -> None:
        super().__init__(run, number)
        self.commander = Commander(run)

    def fill(self) -> str:
        name, content = self.file()
        path = self.run.folder / name
        path.write_text(content)
        start = time.monotonic()
        order = {"do": "import", "file": str(path), "wallet": self.wallet}
        outcome = self.commander.obey(order)
        self.run.history.add(
            Operation(
                self.who,
                "command",
                f"import {name} into {self.wallet}",
                start,
                time.monotonic(),
                outcome=outcome,
                filled=(self.wallet, BATCH),
            )
        )
        path.unlink()
        return outcome

    def close(self) -> None:
        super().close()
        self.commander.close()


def contradiction_in(reply: Reply, since: int) -> str:
    """What does not agree in an answer of `/changes/`."""
    now = reply.number("x-ledger-revision")
    if reply.status == 204:
        return "" if now == since else f"204 for {since} at revision {now}"
    if reply.status != 200:
        return ""
    told = json.loads(reply.text)
    numbers = [change["revision"] for change in told["changes"]]
    if told["revision"] != now:
        return f"revision {told['revision']} in the text, {now} in the header"
    if told["complete"] and numbers != list(range(since + 1, told["revision"] + 1)):
        return f"the changes from {since} to {now} are told as {numbers}"
    return ""


# --- Readers -------------------------------------------------------------------------------------


class Reader:
    """Somebody who looks, at the same addresses again and again."""

    def __init__(self, run: Run, number: int) -> None:
        self.run, self.who = run, f"reader {number}"
        self.random = run.random(self.who)
        self.client = run.visitor("reader")
        looks: list[tuple[int, str, Callable[[], None]]] = [
            (15, "list", self.look_at_list),
            (22, "detail", self.look_at_one),
            (16, "form", self.look_at_form),
            (14, "names", self.complete),
            (18, "changes", self.ask_for_changes),
            (6, "balances", self.look_at_balances),
            (4, "count", self.look_at_count),
            (4, "count", self.look_at_whole_count),
            (2, "wallet", self.look_at_wallet),
            (5, "churn", self.look_at_churn),
            (2, "export", self.export),
            (1, "walk", self.walk),
        ]
        self.looks = [(weight, look) for weight, what, look in looks if run.offers(what)]

    def act(self) -> None:
        weights, looks = zip(*self.looks, strict=True)
        self.random.choices(looks, weights)[0]()

    def record(
        self, what: str, reply: Reply, done: tuple[int, ...] = (200,), **fields: Any
    ) -> None:
        """What a page that did not come would have shown is not told."""
        is_there = reply.status in done
        shown = (
            fields if is_there else {name: fields[name] for name in ("asked",) if name in fields}
        )
        outcome = OK if is_there else UNKNOWN
        self.run.record(self.who, "page", what, reply, outcome=outcome, **shown)

    def look_at_list(self) -> None:
        path, asked = "/transactions/?wallet=edited", None
        if self.run.newest and self.random.random() < 0.1:
            asked = self.run.newest
            path += f"&min_revision={asked}"
        reply = self.client.get(path)
        seen = seen_in(self.run, reply.text, self.run.plan.edited) if reply.status == 200 else {}
        self.record("list", reply, done=(200, 503) if asked else (200,), seen=seen, asked=asked)

    def look_at_one(self) -> None:
        pk = self.random.choice(self.run.plan.edited)
        reply = self.client.get(f"/transactions/{pk}/")
        self.record(f"transaction {pk}", reply, seen=seen_in(self.run, reply.text, [pk]))

    def look_at_form(self) -> None:
        open_form(self.run, self.who, self.client, self.random.choice(self.run.plan.edited))

    def complete(self) -> None:
        reply = self.client.get("/labels/complete/?q=N")
        names = json.loads(reply.text) if reply.status == 200 else []
        seen = {name.partition(":")[0]: name for name in names}
        ours = {
            register: name for register, name in seen.items() if register in self.run.plan.labels
        }
        self.record("completion", reply, seen=ours)

    def ask_for_changes(self) -> None:
        since = max(self.run.newest - self.random.choice((0, 0, 1, 5)), 0)
        reply = self.client.get(f"/changes/?since={since}", accept="application/json")
        contradiction = contradiction_in(reply, since)
        self.record("changes", reply, done=(200, 204), contradiction=contradiction)

    def look_at_balances(self) -> None:
        active = list(self.run.slots)
        reply = self.client.get("/balances/")
        shown = pages.balances(reply.text)
        figures = {wallet: shown.get(wallet, (0,)) for wallet in active}
        self.record("balances", reply, figures=figures)

    def look_at_count(self) -> None:
        if self.run.slots:
            wallet = self.random.choice(self.run.slots)
            reply = self.client.get(f"/transactions/?wallet={wallet}&per_page=1")
            self.record(f"count of {wallet}", reply, figures={wallet: (pages.count(reply.text),)})

    def look_at_whole_count(self) -> None:
        """What commits keep count of beside what is counted, where both are of one revision."""
        known, counted = (
            self.client.get(f"/transactions/?per_page=1{more}") for more in ("", "&count=exact")
        )
        revisions = {reply.number("x-ledger-revision") for reply in (known, counted)}
        figures = [pages.count(reply.text) for reply in (known, counted)]
        contradiction = ""
        if known.status == counted.status == 200 and len(revisions) == 1 < len(set(figures)):
            contradiction = f"{figures[0]} are known of, and {figures[1]} counted"
        self.record("count of all", known, contradiction=contradiction)

    def look_at_wallet(self) -> None:
        if self.run.slots:
            wallet = self.random.choice(self.run.slots)
            reply = self.client.get(f"/transactions/?wallet={wallet}&per_page=60")
            shown = (pages.count(reply.text), len(pages.rows(reply.text)))
            self.record(f"list of {wallet}", reply, figures={wallet: shown})

    def look_at_churn(self) -> None:
        """Transactions whose deletion got no answer may stay, and be more than a page can hold."""
        reply = self.client.get(f"/transactions/?wallet=churn&per_page={FULL_PAGE}")
        rows = pages.rows(reply.text)
        count = pages.count(reply.text)
        ids = tuple(row.known_as for row in rows) if count <= FULL_PAGE else None
        contradiction = ""
        if len(rows) != min(count, FULL_PAGE):
            contradiction = f"{count} are counted, and {len(rows)} shown"
        self.record("list of churn", reply, ids=ids, contradiction=contradiction)

    def export(self) -> None:
        reply = self.client.get("/transactions/export/?format=json&wallet=churn&wallet=lasting")
        try:
            ids = tuple(json.loads(line)["txid"] for line in reply.text.splitlines())
        except ValueError:  # it was cut in the middle, or is a page that tells of an error
            self.record("export", reply, done=())
            return
        self.record("export", reply, ids=ids, is_whole=True)

    def walk(self) -> None:
        """Page after page; the whole walk is one more operation, with all that they showed."""
        query: str | None = "?wallet=churn&wallet=lasting&per_page=15"
        ids: list[str] = []
        start = time.monotonic()
        while query:
            reply = self.client.get(f"/transactions/{query}")
            self.record("page of a walk", reply)
            if reply.status != 200:
                return
            ids += (row.known_as for row in pages.rows(reply.text))
            query = pages.first(pages.NEXT, reply.text)
        end = time.monotonic()
        self.run.history.add(
            Operation(self.who, "page", "walk", start, end, ids=tuple(ids), is_whole=True)
        )

    def close(self) -> None:
        pass


# --- All of them ---------------------------------------------------------------------------------


def run_all(run: Run, makers: list[Callable[[], Any]], failures: list[BaseException]) -> None:
    """Every client in a thread of its own, until there are operations enough."""

    def work(make: Callable[[], Any]) -> None:
        try:
            client = make()
            try:
                while run.going() and not failures:
                    client.act()
            finally:
                if hasattr(client, "close"):
                    client.close()
        except BaseException as problem:
            failures.append(problem)
            raise

    threads = [threading.Thread(target=work, args=(make,)) for make in makers]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException as problem:
        # Ctrl-C: nobody goes on without us.
        failures.append(problem)
        raise


def everybody(run: Run) -> list[Callable[[], Any]]:
    """Eight writers and eight readers."""
    return [
        *(lambda number=number: PageEditor(run, number) for number in range(2)),
        lambda: AdminEditor(run),
        *(lambda number=number: SqlEditor(run, number) for number in range(1)),
        lambda: SqlChurner(run),
        lambda: CommandEditor(run),
        lambda: PageImporter(run, 0),
        lambda: CommandImporter(run, 1),
        *(lambda number=number: Reader(run, number) for number in range(8)),
    ]


def of_the_old_app(run: Run) -> list[Callable[[], Any]]:
    """What it can do: notes, in the list and alone."""
    return [
        *(lambda number=number: PageEditor(run, number) for number in range(2)),
        *(lambda number=number: SqlEditor(run, number) for number in range(2)),
        *(lambda number=number: Reader(run, number) for number in range(8)),
    ]
