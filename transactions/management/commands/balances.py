"""`manage.py balances`"""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from transactions.amounts import format_amount
from transactions.balances import balances
from transactions.models import Asset, Balance
from txsite.freshness.middleware import snapshot


class Command(BaseCommand):
    help = "Prints what every wallet holds of every asset, to the last digit."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=("text", "json"), default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        with snapshot():
            found = list(balances())
        if options["format"] == "json":
            self.stdout.write(json.dumps([as_object(balance) for balance in found], indent=2))
            return
        for balance in found:
            held = as_object(balance)
            self.stdout.write(
                f"{held['wallet']}  {held['amount']} {held['asset']} "
                f"({', '.join(filter(None, (held['network'], held['contract'])))})"
            )


def as_object(balance: Balance) -> dict[str, str | None]:
    """A wallet is told by its address, else by its name; only a token has a contract."""
    wallet, asset = balance.wallet, balance.asset
    has_contract = asset.kind in (Asset.Kind.TOKEN, Asset.Kind.NFT)
    return {
        "wallet": wallet.address.value if wallet.address else wallet.name,
        "asset": asset.symbol,
        "contract": asset.code if has_contract else None,
        "network": asset.network,
        "amount": format_amount(balance.amount),
    }
