"""The Django admin: a ModelAdmin with the list's columns and filters, each as documented."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from transactions.models import Transaction


class TransactionAdmin(admin.ModelAdmin):
    list_display = [
        "timestamp",
        "type",
        "status",
        "wallets",
        "amounts",
        "counterparties",
        "all_labels",
        "contact",
        "note",
        "txid",
    ]
    list_filter = ["type", "status", "timestamp", "labels", "entries__wallet", "entries__asset"]
    search_fields = ["txid", "external_id", "note", "contact__name"]
    list_select_related = ["contact"]
    list_per_page = 50
    ordering = ["-timestamp", "-id"]
    raw_id_fields = ["contact", "source_wallet"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        related = (
            "labels",
            "entries__wallet",
            "entries__asset",
            "entries__counterparty__contact",
        )
        return super().get_queryset(request).prefetch_related(*related)

    def wallets(self, record: Any) -> str:
        return ", ".join(dict.fromkeys(one.wallet.name for one in record.entries.all()))

    def amounts(self, record: Any) -> str:
        return ", ".join(f"{one.amount:f} {one.asset.symbol}" for one in record.entries.all())

    def counterparties(self, record: Any) -> str:
        others = [one.counterparty for one in record.entries.all() if one.counterparty]
        return ", ".join(one.contact.name if one.contact else one.value for one in others)

    def all_labels(self, record: Any) -> str:
        return ", ".join(label.name for label in record.labels.all())


site = admin.AdminSite()
site.register(Transaction, TransactionAdmin)
