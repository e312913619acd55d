"""Django's PostgreSQL, asked less often whether it is still there."""

import select
from time import monotonic

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

IDLE = TransactionStatus.IDLE
LATELY = 2.0  # seconds


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but for how a connection is found to be lost."""

    answered_at = -LATELY

    def is_usable(self) -> bool:
        """Whether the server still answers, as is asked before every page.

        One that has answered lately and has ended the connection since says so to the socket. One
        that is gone without a word, or an address that is another's now, says nothing.
        """
        if self.is_quiet() and monotonic() - self.answered_at < LATELY:
            return True
        usable = super().is_usable()
        if usable:
            self.answered_at = monotonic()
        return usable

    def is_quiet(self) -> bool:
        """Whether the connection is open, between two transactions, and nothing is to be read."""
        if self.connection is None or self.connection.info.transaction_status != IDLE:
            return False
        readable = select.poll()
        readable.register(self.connection.fileno(), select.POLLIN)
        return not readable.poll(0)
