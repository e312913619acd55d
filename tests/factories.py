"""Rows to arrange tests with: everything defaulted, so a test states only what matters.

`make_contact`, `make_user` and `make_transaction` make a new row each time; assets, labels,
addresses and the default wallet are found again by their identity.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils.text import slugify

from contacts import addresses
from contacts.models import Address, Contact
from transactions.models import (
    Asset,
    Entry,
    ImportBatch,
    ImportLine,
    Label,
    Transaction,
    TransactionLabel,
    Wallet,
)

OUR_ADDRESS = "0x00000000000000000000000000000000000000a1"
START = datetime(2024, 1, 1, tzinfo=UTC)
_numbers = count(1)


def make_contact(name: str = "Alice", note: str = "", **fields: Any) -> Contact:
    return Contact.objects.create(name=name, note=note, **fields)


def make_address(
    value: str | None = None, contact: Contact | None = None, family: str = "evm"
) -> Address:
    """The address `value` (by default a new EVM address), given to `contact` if there is one."""
    value = value or f"0x{next(_numbers) + 0xB0B0 * 16**30:040x}"
    address, _ = Address.objects.get_or_create(
        family=family, value=addresses.normalise(value, family)
    )
    if contact:
        address.contact = contact
        address.save(update_fields=["contact"])
        address.refresh_from_db()
    return address


def make_wallet(
    name: str = "",
    kind: str = Wallet.Kind.ADDRESS,
    address: Address | str | None = None,
    venue: str = "",
) -> Wallet:
    """A wallet of ours, by default at an address that is new."""
    if kind == Wallet.Kind.ADDRESS:
        known = address if isinstance(address, Address) else make_address(address)
        return Wallet.objects.create(kind=kind, name=name, address=known)
    name = name or f"Wallet {next(_numbers)}"
    if kind == Wallet.Kind.EXCHANGE:
        venue = venue or slugify(name)
    return Wallet.objects.create(kind=kind, name=name, venue=venue)


def our_wallet() -> Wallet:
    """The wallet that entries are in unless a test names another."""
    address = make_address(OUR_ADDRESS)
    wallet, _ = Wallet.objects.get_or_create(kind=Wallet.Kind.ADDRESS, address=address)
    return wallet


def make_asset(
    symbol: str = "ETH",
    network: str = "ethereum",
    code: str = "",
    kind: str | None = None,
    token_id: str = "",
    name: str = "",
) -> Asset:
    """An asset: native without `code`, else a token; `kind` says otherwise."""
    kind = kind or (Asset.Kind.TOKEN if code else Asset.Kind.NATIVE)
    if kind in {Asset.Kind.EXCHANGE, Asset.Kind.FIAT}:
        code = code or symbol
    asset, _ = Asset.objects.get_or_create(
        network=network,
        code=code,
        token_id=token_id,
        kind=kind,
        defaults={"symbol": symbol, "name": name},
    )
    return asset


def make_label(name: str = "Rent", **fields: Any) -> Label:
    return Label.objects.named(name).first() or Label.objects.create(name=name, **fields)


def make_entry(
    transaction: Transaction,
    amount: str | int | Decimal = "1",
    wallet: Wallet | None = None,
    asset: Asset | None = None,
    counterparty: Address | str | None = None,
    kind: str = Entry.Kind.TRANSFER,
    ordinal: int = 0,
) -> Entry:
    """A movement of `transaction`; its amount is signed and in whole units."""
    if isinstance(counterparty, str):
        counterparty = make_address(counterparty)
    return Entry.objects.create(
        transaction=transaction,
        timestamp=transaction.timestamp,
        wallet=wallet or our_wallet(),
        asset=asset or make_asset(),
        amount=Decimal(amount),
        kind=kind,
        counterparty=counterparty,
        ordinal=ordinal,
    )


def make_transaction(
    entries: Iterable[Mapping[str, Any]] | None = None,
    labels: Iterable[Label | str] = (),
    **fields: Any,
) -> Transaction:
    """A transaction with `entries`, each the keyword arguments of `make_entry`.

    Without `entries` it receives 1 ETH. On Ethereum with a txid of its own unless
    `source_wallet` is given; each is a minute later than the one made before it.
    """
    entries = [{}] if entries is None else list(entries)
    number = next(_numbers)
    if "source_wallet" in fields:
        fields.setdefault("external_id", f"record-{number}")
    else:
        fields.setdefault("network", "ethereum")
        fields.setdefault("txid", f"0x{number:064x}")
    fields.setdefault("timestamp", START + timedelta(minutes=number))
    spent = any(Decimal(entry.get("amount", 1)) < 0 for entry in entries)
    fields.setdefault("type", "send" if spent else "receive")
    transaction = Transaction.objects.create(**fields)
    for entry in entries:
        make_entry(transaction, **entry)
    for label in labels:
        TransactionLabel.objects.create(
            transaction=transaction,
            label=make_label(label) if isinstance(label, str) else label,
        )
    return transaction


def make_user(group: str | None = "Editors", username: str | None = None, **fields: Any) -> User:
    """A user in one of the three groups, or in none; the password is "password"."""
    user = User.objects.create_user(
        username or f"{(group or 'nobody').lower()}-{next(_numbers)}",
        password="password",
        **fields,
    )
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def make_batch(
    file_name: str = "export.csv", lines: Iterable[Mapping[str, Any]] = (), **fields: Any
) -> ImportBatch:
    """A file that was read; each of `lines` is the fields of an `ImportLine`."""
    fields.setdefault("sha256", f"{next(_numbers):064x}")
    fields.setdefault("size", 1_000)
    fields.setdefault("status", ImportBatch.Status.IMPORTED)
    batch = ImportBatch.objects.create(file_name=file_name, **fields)
    for number, line in enumerate(lines, start=2):
        ImportLine.objects.create(
            **{"batch": batch, "number": number, "outcome": "new", "raw": "a,b", **line}
        )
    return batch
