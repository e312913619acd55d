"""`manage.py load_demo`: a small ledger to look around in."""

import os
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import transaction

from contacts.models import Address, Contact
from transactions.models import Colour, ImportBatch, Label, Transaction, Wallet

FILES = Path(__file__).resolve().parents[2] / "demo"
MAIN = "0x5254843961cea8b08f0b8cac42eaa0f712f2e9c4"
SAVINGS = "0xceb71a21fa2b1901c38eef17a9824f997042f3fb"
COLD = "bc1qs7n78lhl27a8veawcj3sylr9756u87nuy8fzdj"
# As transactions/demo/README.md says; a test holds the two together.
OPTIONS = {
    f"ethereum-export-{MAIN}.csv": {"network": "ethereum"},
    f"ethereum-export-internal-{MAIN}.csv": {"network": "ethereum"},
    f"ethereum-export-address-token-{MAIN}.csv": {"network": "ethereum"},
    f"ethereum-export-{SAVINGS}.csv": {"network": "ethereum"},
    f"polygon-export-{MAIN}.csv": {},
    "kraken.csv": {"wallet": "Kraken"},
    "bitcoin-cold-storage.csv": {"wallet": COLD, "network": "bitcoin"},
}
WALLETS = {MAIN: "Main", SAVINGS: "Savings", COLD: "Cold storage"}
UNISWAP = "0x7a250d5630b4cf539739df2c5dacb4c659f2488d", "0x3fc91a3afd70395cd496c647d5a6cc9d4b2b7fad"
CONTACTS = {
    "Bob": ("0xde3249266dc10664be8ee3af6b187e34836835db",),
    "Alice (flat share)": ("0xdc872a9be7d9932d04b1f65a2125813f4b211efb",),
    "Blue Harbour Ltd": ("0xb88700183aa8d2999d49e1755109e4c40acf22a3",),
    "Kraken": ("0x91bdc458b086fb8be2028f09c2311271499b71fa",),
    "Uniswap": UNISWAP,
}
NOTES = {
    "Bob": "From the climbing gym. Owes me a pizza.",
    "Blue Harbour Ltd": "Employer since March 2023; pays at the beginning of the month.",
}
# Which label goes on the transactions with whom, and its colour.
LABELS = {
    "rent": ("Alice (flat share)", Colour.RED),
    "salary": ("Blue Harbour Ltd", Colour.GREEN),
    "swap": ("Uniswap", Colour.PURPLE),
    "friends": ("Bob", Colour.ORANGE),
}

USER = "demo"
# Known to everybody who can read this, so it is made only for a server on loopback.
PASSWORD = "demo"  # noqa: S105


class Command(BaseCommand):
    help = "Fills an empty ledger with invented transactions; with DEBUG, the first login too."

    def handle(self, *args: Any, **options: Any) -> None:
        is_first = not User.objects.exists()
        if not (ImportBatch.objects.exists() or Transaction.objects.exists()):
            self.load()
        # Never on a server that others reach: everybody knows this password.
        if settings.DEBUG and not os.environ.get("DATABASE_URL"):
            if is_first:
                self.make_user()
            self.tell_login()

    def load(self) -> None:
        for name, said in OPTIONS.items():
            call_command("import_transactions", str(FILES / name), **said, stdout=StringIO())
        with transaction.atomic():
            for address, name in WALLETS.items():
                Wallet.objects.filter(address__value=address).update(name=name)
            add_people()
        self.stdout.write(f"The demo ledger has {Transaction.objects.count()} transactions.")

    def make_user(self) -> None:
        user = User.objects.create_user(USER, password=PASSWORD, is_staff=True)
        user.groups.add(Group.objects.get(name="Managers"))

    def tell_login(self) -> None:
        """As long as it is the one that everybody knows."""
        user = User.objects.filter(username=USER, is_active=True).first()
        if user and user.check_password(PASSWORD):
            self.stdout.write(f"Log in as {USER} with the password {PASSWORD}.")


def add_people() -> None:
    """Contacts with their addresses, and a label on the transactions with some of them."""
    for name, values in CONTACTS.items():
        contact, _ = Contact.objects.get_or_create(
            name=name, defaults={"note": NOTES.get(name, "")}
        )
        Address.objects.filter(family="evm", value__in=values).update(contact=contact)
    for name, (contact_name, colour) in LABELS.items():
        label = Label.objects.named(name).first() or Label(name=name)
        label.colour = colour
        label.save()
        theirs = Transaction.objects.filter(entries__counterparty__contact__name=contact_name)
        label.transactions.add(*theirs.distinct())
