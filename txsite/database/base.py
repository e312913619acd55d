"""Django's PostgreSQL, asked less often whether it is still there."""

import select

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

IDLE = TransactionStatus.IDLE


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but for how a connection is found to be lost."""

    def is_usable(self) -> bool:
        """Whether the server still answers. One that has ended the connection has said so to the
        socket: only then it is asked, since every page asks this first."""
        if self.connection is None or self.connection.info.transaction_status != IDLE:
            return super().is_usable()
        socket = select.poll()
        socket.register(self.connection.fileno(), select.POLLIN)
        return not socket.poll(0) or super().is_usable()
