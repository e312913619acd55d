"""Rules of contacts and addresses that the database holds, whoever writes."""

import pytest
from django import forms
from django.db import DataError, IntegrityError, connection, transaction
from factories import make_address, make_contact, make_transaction, make_wallet

from contacts.forms import NameField
from contacts.models import Address, Contact

pytestmark = pytest.mark.django_db

EVM = "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359"


@pytest.mark.parametrize("name", ["Alice", "ALICE", "alice"])
def test_name_is_unique_whatever_its_case(name: str) -> None:
    make_contact("Alice")
    with pytest.raises(IntegrityError, match="contact_name_is_unique"):
        make_contact(name)


def test_name_is_unique_whatever_its_case_beyond_ascii() -> None:
    make_contact("ÉMILE")
    with pytest.raises(IntegrityError, match="contact_name_is_unique"):
        make_contact("émile")


@pytest.mark.parametrize("name", ["", " ", " Alice", "Alice ", "Al\nice", "\tAlice", "Al\x7fice"])
def test_name_is_one_clean_line(name: str) -> None:
    with pytest.raises(IntegrityError, match="contact_name_is_clean"):
        make_contact(name)


def test_name_of_more_than_200_characters_does_not_fit() -> None:
    with pytest.raises(DataError):
        make_contact("x" * 201)


def test_every_name_that_the_database_refuses_is_refused_when_typed() -> None:
    """So that no character that somebody can type becomes a failure of ours."""
    rule = "^[^[:cntrl:][:space:]]([^[:cntrl:]]*[^[:cntrl:][:space:]])?$"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT point FROM generate_series(1, 1114111) AS point"
            " WHERE point NOT BETWEEN 55296 AND 57343"
            " AND (chr(point) !~ %s OR 'a' || chr(point) || 'b' !~ %s)",
            [rule, rule],
        )
        refused = [chr(point) for (point,) in cursor.fetchall()]
    assert "\n" in refused
    assert len(refused) < 200
    for character in refused:
        for typed in (character, f"{character}a", f"a{character}", f"a{character}b"):
            assert is_refused_or_cleaned(typed, rule), f"U+{ord(character):04X}"


def is_refused_or_cleaned(typed: str, rule: str) -> bool:
    try:
        name = NameField().clean(typed)
    except forms.ValidationError:
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s ~ %s", [name, rule])
        return cursor.fetchone() == (True,)


def test_address_is_known_once_per_family() -> None:
    Address.objects.create(family="evm", value=EVM)
    Address.objects.create(family="other", value=EVM)
    with pytest.raises(IntegrityError, match="address_is_unique"):
        Address.objects.create(family="evm", value=EVM)


@pytest.mark.parametrize(
    ("family", "value", "rule"),
    [
        ("evm", EVM.upper(), "address_evm_is_normalised"),
        ("evm", EVM[:-1], "address_evm_is_normalised"),
        ("bitcoin", "bc1 q", "address_has_no_space"),
        ("bitcoin", "", "address_has_no_space"),
        ("bitcoin", "ü", "address_has_no_space"),
    ],
)
def test_address_is_stored_in_its_one_form(family: str, value: str, rule: str) -> None:
    with pytest.raises(IntegrityError, match=rule):
        Address.objects.create(family=family, value=value)


@pytest.mark.parametrize(("field", "value"), [("name", "Bob"), ("note", "new")])
def test_version_rises_when_people_change_a_field(field: str, value: str) -> None:
    contact = make_contact("Alice")
    Contact.objects.update(**{field: value})
    contact.refresh_from_db()
    assert contact.version == 2


def test_version_stays_when_nothing_changes() -> None:
    contact = make_contact("Alice")
    Contact.objects.update(name="Alice", note="")
    contact.refresh_from_db()
    assert contact.version == 1


def test_nobody_sets_the_version() -> None:
    contact = make_contact("Alice")
    Contact.objects.update(version=40)
    contact.refresh_from_db()
    assert contact.version == 1
    Contact.objects.update(note="new", version=40)
    contact.refresh_from_db()
    assert contact.version == 2


def test_version_of_an_address_rises_when_it_changes_hands() -> None:
    address = make_address(contact=make_contact("Alice"))
    before = address.version
    Address.objects.update(contact=make_contact("Bob"))
    address.refresh_from_db()
    assert address.version == before + 1


def test_removed_contact_leaves_addresses_and_transactions() -> None:
    contact = make_contact("Alice")
    address = make_address(contact=contact)
    made = make_transaction([{"counterparty": address}], contact=contact)
    contact.delete()
    address.refresh_from_db()
    made.refresh_from_db()
    assert (address.contact, made.contact) == (None, None)


def run_and_check(sql: str, *values: int) -> None:
    """Write by hand, and check at once what the database would check at the commit."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)
        connection.check_constraints()


def test_address_in_use_cannot_be_deleted() -> None:
    address = make_address()
    make_transaction([{"counterparty": address}])
    ours = make_wallet().address
    assert ours
    for used in (address, ours):
        with pytest.raises(IntegrityError):
            run_and_check("DELETE FROM contacts_address WHERE id = %s", used.pk)


def test_contact_that_does_not_exist_cannot_be_given_an_address() -> None:
    make_address()
    with pytest.raises(IntegrityError):
        run_and_check("UPDATE contacts_address SET contact_id = %s", 10**9)
