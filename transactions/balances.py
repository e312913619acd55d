"""What every wallet holds of every asset."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, F, Sum
from django.db.models.functions import Coalesce, Collate

from transactions.models import Asset, Entry, Wallet


@dataclass(frozen=True)
class Balance:
    """`amount` is exact, in whole units; `count` is how many transactions it is the sum of."""

    wallet: Wallet
    asset: Asset
    amount: Decimal
    count: int


def balances() -> Iterator[Balance]:
    """Every wallet's balance of every asset that it ever saw, zero too, by names.

    Three queries; the sums are PostgreSQL's, since Decimal's own would round.
    """
    sums = list(
        Entry.objects.values("wallet_id", "asset_id")
        .annotate(
            amount=Sum("amount"),
            count=Count("transaction", distinct=True),
        )
        .order_by(
            Collate(Coalesce("wallet__address__value", "wallet__name"), "C"),
            Collate("asset__symbol", "C"),
            F("asset__network"),
            F("asset__code"),
            "asset_id",
            "wallet_id",
        )
    )
    wallets = Wallet.objects.select_related("address").in_bulk({row["wallet_id"] for row in sums})
    assets = Asset.objects.in_bulk({row["asset_id"] for row in sums})
    for row in sums:
        yield Balance(
            wallets[row["wallet_id"]], assets[row["asset_id"]], row["amount"], row["count"]
        )
