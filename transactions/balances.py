"""What every wallet holds of every asset."""

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Collate

from transactions.models import Balance


def balances() -> QuerySet[Balance]:
    """Every wallet's balance of every asset that it ever saw, zero too, by names; one query."""
    return Balance.objects.select_related("wallet__address", "asset").order_by(
        Collate(Coalesce("wallet__address__value", "wallet__name"), "C"),
        Collate("asset__symbol", "C"),
        F("asset__network"),
        F("asset__code"),
        "asset_id",
        "wallet_id",
    )
