"""What people edit in the list. No acknowledged edit is lost.

Labels are a set, edited as additions and removals, so that edits at the same time merge.
Note and contact are compared with the version that the person saw, in the same statement
that writes them. Each function is one transaction, done anew when another writer came in
between.
"""

from contacts.models import Address, Contact
from transactions.models import Label, Transaction, TransactionLabel
from txsite.versions import again_when_raced


class Stale(Exception):
    """Somebody else has changed the value since the person saw it."""


@again_when_raced
def change_labels(pk: int, add: list[str], remove: list[str]) -> None:
    """Put the labels of these names on a transaction and take others off.

    Names are clean and in either list only. A label that does not exist yet is made.
    IntegrityError when the transaction is gone.
    """
    labels = [get_label(name) for name in sorted(add, key=str.lower)]
    TransactionLabel.objects.bulk_create(
        [TransactionLabel(transaction_id=pk, label=label) for label in labels],
        ignore_conflicts=True,
    )
    unwanted = [label.pk for name in remove for label in Label.objects.named(name)]
    links = TransactionLabel.objects.filter(transaction=pk, label__in=unwanted)
    # Locked in one order, so that two people who take off the same labels do not wait in a ring.
    locked = links.order_by("pk").select_for_update().values_list("pk", flat=True)
    TransactionLabel.objects.filter(pk__in=list(locked)).delete()


def get_label(name: str) -> Label:
    """The label of this name, made when there is none; held so that nobody removes it now."""
    Label.objects.bulk_create([Label(name=name)], ignore_conflicts=True)
    return Label.objects.named(name).select_for_update(no_key=True).get()


def get_contact(name: str) -> Contact:
    """The contact of this name, made when there is none; held so that nobody removes it now."""
    Contact.objects.bulk_create([Contact(name=name)], ignore_conflicts=True)
    return Contact.objects.named(name).select_for_update(no_key=True).get()


@again_when_raced
def set_note(pk: int, note: str, version: int) -> None:
    """Write the note; Stale unless the transaction is still of this version."""
    if not Transaction.objects.filter(pk=pk, version=version).update(note=note):
        raise_unless(Transaction.objects.filter(pk=pk, note=note).exists())


@again_when_raced
def set_contact(pk: int, name: str, version: int) -> None:
    """Link one transaction to the contact of this name, or to none of its own when empty."""
    contact = get_contact(name) if name else None
    if not Transaction.objects.filter(pk=pk, version=version).update(contact=contact):
        raise_unless(Transaction.objects.filter(pk=pk, contact=contact).exists())


@again_when_raced
def set_address_contact(
    pk: int, name: str, version: int, address: int, address_version: int
) -> None:
    """Give an address to the contact of this name, for all its transactions.

    The transaction that the person had before them then shows it too: a contact of its own
    is taken back. Stale when either has changed since.
    """
    contact = get_contact(name) if name else None
    if not Address.objects.filter(pk=address, version=address_version).update(contact=contact):
        raise_unless(Address.objects.filter(pk=address, contact=contact).exists())
    if not Transaction.objects.filter(pk=pk, version=version).update(contact=None):
        raise_unless(Transaction.objects.filter(pk=pk, contact=None).exists())


def raise_unless(is_what_they_want: bool) -> None:
    """A value that is already what the person wants is no conflict."""
    if not is_what_they_want:
        raise Stale
