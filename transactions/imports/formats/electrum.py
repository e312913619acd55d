"""Electrum's history: View, History, Export, as CSV; every generation of its header.

Amounts are bitcoin, signed and net: what a spend paid as a fee is in it. Times are the computer's
own, so the zone is asked for; one that is empty is not confirmed. What a wallet holds in Lightning
channels is its own: opening one moves nothing but the fee. A payment over Lightning has no
transaction on the chain and is known by its payment hash. Source: files of the generations, and
Electrum's source.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from transactions.imports.formats import cells
from transactions.imports.formats.cells import Unreadable
from transactions.imports.formats.reader import Line, Record, line_of, records, rows_of
from transactions.imports.formats.wallets import OnceEach, label_or_note, net_of_fee
from transactions.imports.rows import (
    FileError,
    Options,
    Question,
    Reading,
    Row,
    Table,
)

NETWORK = "bitcoin"
SATOSHIS = -8
LIGHTNING = "Lightning payment"
BARE = {"transaction_hash", "label", "value", "timestamp"}
UNCONFIRMED = {"", "unconfirmed", "pending", "---", "none"}


class HistoryFile:
    """The format itself."""

    name = "electrum"
    title = "Electrum history"

    def matches(self, header: tuple[str, ...]) -> bool:
        names = {name.casefold() for name in header}
        is_known = {"label", "confirmations", "timestamp"} <= names or names == BARE
        return is_known and bool({"transaction_hash", "oc_transaction_hash"} & names)

    def questions(self, table: Table, options: Options) -> list[Question]:
        found = []
        if not options.wallet:
            text = "Which wallet is the file of? Give it the name that it has in Electrum."
            found.append(Question("wallet", text))
        if not options.timezone:
            example = next((line["timestamp"] for line in lines_of(table) if line["timestamp"]), "")
            text = (
                "In which time zone was the file exported? It has the times of the computer, such "
                f"as {example}."
            )
            found.append(Question("timezone", text))
        return found

    def read(self, table: Table, options: Options) -> Reading:
        if options.network not in ("", NETWORK):
            raise FileError(f"Electrum's wallets are on {NETWORK}, not on {options.network}.")
        if questions := self.questions(table, options):
            raise FileError(" ".join(question.text for question in questions))
        zone = options.timezone or UTC
        now = options.brought_at
        once = OnceEach()

        def read(record: Record) -> Row:
            line = line_of(record, table.header)
            once.check(hash_of(line), record.line)
            return read_row(record, line, zone, now)

        return Reading(replace(options, network=NETWORK), rows_of(table, read))


def lines_of(table: Table) -> Iterator[Line]:
    return (line_of(one, table.header) for one in records(table) if isinstance(one, Record))


def hash_of(line: Line) -> str:
    chain_id = line["oc_transaction_hash"] or line["transaction_hash"]
    return chain_id or line["ln_payment_hash"]


def read_row(record: Record, line: Line, zone: tzinfo, now: datetime) -> Row:
    txid = hash_of(line)
    if not txid:
        raise Unreadable("there is neither a transaction hash nor a payment hash. Export again.")
    values = [_bitcoin(line, name) for name in ("value", "amount_chain_bc", "amount_lightning_bc")]
    if all(value is None for value in values):
        raise Unreadable("there is no amount. Export the file again.")
    value = cells.total((value for value in values if value is not None), "The amount")
    is_pending = line["timestamp"].casefold() in UNCONFIRMED
    labels, note = label_or_note(line["label"], "label")
    movements = net_of_fee(value, _fee(line))
    return Row(
        line=record.line,
        raw=record.raw,
        timestamp=now if is_pending else cells.time(line["timestamp"], "timestamp", zone),
        movements=tuple(movements),
        network=NETWORK,
        txid=cells.wallet_txid(txid, "The hash"),
        status="pending" if is_pending else "ok",
        type="self" if len(movements) > 1 and not movements[0].amount else "",
        method=LIGHTNING if txid == line["ln_payment_hash"] else "",
        labels=labels,
        note=note,
    )


def _bitcoin(line: Line, name: str) -> Decimal | None:
    text = line.get(name, "").removesuffix(" BTC")
    return cells.number(text, name)


def _fee(line: Line) -> Decimal | None:
    if line.get("network_fee_satoshi"):
        # Of satoshis there are no parts, so that no comma is before decimals.
        fee = cells.amount(line["network_fee_satoshi"], "network_fee_satoshi", thousands=True)
        return cells.amount(f"{fee.scaleb(SATOSHIS):f}", "network_fee_satoshi") if fee else fee
    for name in ("network_fee_bc", "fee"):
        if (fee := _bitcoin(line, name)) is not None:
            return fee.copy_abs()
    return None


HISTORY = HistoryFile()
