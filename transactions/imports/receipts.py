"""Receipts of labels and address books, which are listed beside the imports of transactions.

Their lines point at no transaction, and they are not taken back.
"""

from collections import Counter
from io import BytesIO
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from transactions.imports.importer import new_batch
from transactions.models import ImportBatch, ImportLine
from txsite.previews import Receipt, brought


@receiver(brought)
def keep_receipt(receipt: Receipt, **_: Any) -> None:
    batch = new_batch(
        BytesIO(receipt.content),
        receipt.file.name,
        format=receipt.kind,
        made_by=receipt.file.made_by,
        status=ImportBatch.Status.IMPORTED,
        finished_at=timezone.now(),
        **Counter(outcome for _, outcome, _, _ in receipt.lines),
    )
    ImportLine.objects.bulk_create(
        [
            ImportLine(batch=batch, number=number, outcome=outcome, detail=detail, raw=raw)
            for number, outcome, detail, raw in receipt.lines
        ],
        batch_size=1_000,
    )
