"""BTCPay Server's wallet transactions: Wallet, Export, as CSV.

`Amount` is signed and net: the fee of a spend is in it, and stands nowhere. Labels are joined by
commas. Source: the column names in BTCPay Server's source.
"""

import re
from datetime import UTC, datetime

from transactions.imports.formats import cells
from transactions.imports.formats.cells import Unreadable, shown
from transactions.imports.formats.reader import Line, Record, line_of, rows_of
from transactions.imports.formats.wallets import NATIVE, OnceEach, network_of, txid_of
from transactions.imports.rows import (
    FileError,
    Movement,
    Options,
    Question,
    Reading,
    Row,
    Table,
)

NEEDS = {"transaction id", "timestamp", "amount", "currency", "is confirmed"}
_american = re.compile(
    r"([0-9]{2})/([0-9]{2})/([0-9]{4}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) ?([+-][0-9]{2}:[0-9]{2})?"
).fullmatch
CONFIRMED, UNCONFIRMED = {"true", "yes", "1"}, {"false", "no", "0"}


class TransactionsFile:
    """The format itself."""

    name = "btcpay"
    title = "BTCPay Server wallet"

    def matches(self, header: tuple[str, ...]) -> bool:
        return {name.casefold() for name in header} >= NEEDS

    def questions(self, table: Table, options: Options) -> list[Question]:
        if options.wallet:
            return []
        return [Question("wallet", "Which wallet is the file of? Give it its store's name.")]

    def read(self, table: Table, options: Options) -> Reading:
        if questions := self.questions(table, options):
            raise FileError(" ".join(question.text for question in questions))
        once = OnceEach()

        def read(record: Record) -> Row:
            line = line_of(record, table.header)
            once.check(line["transaction id"], record.line)
            return read_row(record, line)

        return Reading(options, rows_of(table, read))


def read_row(record: Record, line: Line) -> Row:
    network = network_of(line["currency"])
    if not network:
        raise Unreadable(f"Currency {shown(line['currency'])} is not a coin that is known here.")
    amount = cells.number(line["amount"], "Amount")
    if amount is None:
        raise Unreadable("Amount is empty. Export the file again.")
    confirmed = line["is confirmed"].casefold()
    if confirmed not in CONFIRMED | UNCONFIRMED:
        raise Unreadable(f"Is Confirmed {shown(confirmed)} is neither True nor False.")
    labels = (part.strip() for part in line.get("labels", "").split(","))
    unique = {label.casefold(): label for label in labels if label}
    return Row(
        line=record.line,
        raw=record.raw,
        timestamp=time_of(line["timestamp"]),
        movements=(Movement(amount, NATIVE),),
        network=network,
        txid=txid_of(line["transaction id"], network, "Transaction Id"),
        status="pending" if confirmed in UNCONFIRMED else "ok",
        note=cells.note_text(line.get("comment", ""), "Comment"),
        labels=tuple(cells.line_text(one, "A label", cells.MAX_LABEL) for one in unique.values()),
    )


def time_of(text: str) -> datetime:
    """ISO, or month first with an offset, as BTCPay writes it; without one it is UTC."""
    found = _american(text)
    if not found:
        return cells.time(text, "Timestamp", UTC)
    month, day, year, clock, offset = found.groups()
    return cells.time(f"{year}-{month}-{day} {clock}{offset or ''}", "Timestamp", UTC)


TRANSACTIONS = TransactionsFile()
