"""An import's file, kept in the database and read back, a piece at a time either way."""

import struct
from io import BufferedReader, RawIOBase
from typing import IO, Any

from django.db import connection, transaction

from transactions.models import ImportBatch

CHUNK = 1024 * 1024
# Of COPY's binary form: signature, flags and no extension; then a row of one column.
BEGIN = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0) + struct.pack("!h", 1)
END = struct.pack("!h", -1)


def keep(batch: ImportBatch, file: IO[bytes]) -> None:
    """Stores the file with a batch that is saved; memory stays flat however long it is."""
    file.seek(0)
    with transaction.atomic(), connection.cursor() as cursor:
        # Not compressed, as it is not in the batch either.
        cursor.execute("CREATE TEMP TABLE kept (content bytea) ON COMMIT DROP")
        cursor.execute("ALTER TABLE kept ALTER COLUMN content SET STORAGE EXTERNAL")
        with cursor.copy("COPY kept FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(BEGIN + struct.pack("!i", batch.size))
            while data := file.read(CHUNK):
                copy.write(data)
            copy.write(END)
        cursor.execute(
            "UPDATE transactions_importbatch SET content = kept.content FROM kept WHERE id = %s",
            [batch.pk],
        )
        cursor.execute("DROP TABLE kept")


def stored(batch: ImportBatch) -> BufferedReader:
    """The file of a batch, to be read and sought as any other."""
    return BufferedReader(StoredFile(batch.pk, batch.size), CHUNK)


class StoredFile(RawIOBase):
    def __init__(self, batch_id: int, size: int) -> None:
        self.batch_id, self.size, self.place = batch_id, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = {0: 0, 1: self.place, 2: self.size}[whence] + offset
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self.size - self.place)
        if wanted <= 0:
            return 0
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT substring(content FROM %s FOR %s) FROM transactions_importbatch"
                " WHERE id = %s",
                [self.place + 1, wanted, self.batch_id],
            )
            data = bytes(cursor.fetchone()[0])
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)
