"""Who: the people and organisations we deal with, and the addresses they use."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import reverse

from contacts import addresses
from contacts.networks import FAMILIES
from contacts.querysets import AddressQuerySet, ContactQuerySet

one_line = RegexValidator(
    r"^[^\x00-\x1f\x7f]*$", "Use one line of text without control characters."
)


def clean_name(table: str) -> models.CheckConstraint:
    """A name is one line without space around it; forms bring it into Unicode's composed form."""
    return models.CheckConstraint(
        condition=Q(name__regex=r"^[^[:cntrl:][:space:]]([^[:cntrl:]]*[^[:cntrl:][:space:]])?$"),
        name=f"{table}_name_is_clean",
        violation_error_message="A name is one line of text, not empty, without spaces around it.",
    )


def family_choices() -> list[tuple[str, str]]:
    """Network families, for people; a function, so that a new family is no migration."""
    return list(FAMILIES.items())


class Contact(models.Model):
    """A person or an organisation that we deal with."""

    name = models.CharField(max_length=200, validators=[one_line])
    note = models.TextField(blank=True, max_length=10_000)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects: ClassVar[ContactQuerySet] = ContactQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = [Lower("name"), "id"]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="contact_name_is_unique",
                violation_error_message="There is a contact of this name already.",
            ),
            clean_name("contact"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("contact-detail", args=[self.pk])


class Address(models.Model):
    """An address on a family of networks, whoever it belongs to.

    `value` is the stored form of `contacts.addresses.normalise`: an EVM address is one
    address on every EVM network.
    """

    family = models.CharField(max_length=32, choices=family_choices)
    value = models.CharField(max_length=128)
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="addresses"
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    objects: ClassVar[AddressQuerySet] = AddressQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["family", "value"]
        verbose_name_plural = "addresses"
        constraints = [
            models.UniqueConstraint(
                fields=["family", "value"],
                name="address_is_unique",
                violation_error_message="This address is known already.",
            ),
            models.CheckConstraint(
                condition=Q(value__regex=r"^[!-~]+$"), name="address_has_no_space"
            ),
            models.CheckConstraint(
                condition=~Q(family="evm") | Q(value__regex=r"^0x[0-9a-f]{40}$"),
                name="address_evm_is_normalised",
            ),
        ]

    def __str__(self) -> str:
        return self.display

    @property
    def display(self) -> str:
        """The address as people write it: EIP-55 for EVM networks."""
        return addresses.display(self.value, self.family)

    @property
    def shortened(self) -> str:
        """The beginning and the end, enough to recognise it by."""
        return addresses.shorten(self.display)
