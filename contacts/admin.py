"""Contacts and addresses in the admin, by the rules of the contacts' own pages."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts.addresses import AddressError
from contacts.forms import ContactForm, family_choices, read_address
from contacts.models import Address, Contact
from contacts.tables import counted, literal, moment
from txsite.admin import LedgerAdmin, MergingAdmin, is_searchable
from txsite.versions import VersionedForm

# More would not fit into one form; they are found in the list of addresses.
MAX_INLINE = 100
MOVED = "Somebody else has moved or changed this address meanwhile. Reload the page and look."


class TypedAddressForm(VersionedForm):
    """An address as people write it; its network is chosen, or recognised."""

    family = forms.ChoiceField(label="Network", choices=family_choices, required=False)
    value = forms.CharField(
        label="Address", max_length=300, widget=forms.TextInput(attrs={"class": "vTextField"})
    )

    class Meta:
        model = Address
        fields = ["family", "value"]
        labels = {"family": "network", "value": "address"}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if "value" in cleaned and "family" in cleaned:
            try:
                cleaned["family"], cleaned["value"] = read_address(
                    cleaned["value"], cleaned["family"]
                )
            except AddressError as error:
                self.add_error("value", str(error))
        return cleaned


class NewAddressForm(TypedAddressForm):
    """An address for a contact; one that is known already and nobody's is taken."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        known = (
            Address.objects.filter(family=cleaned.get("family"), value=cleaned.get("value"))
            .select_for_update(no_key=True)
            .first()
        )
        if known and known.contact:
            self.add_error("value", f"This address belongs to “{known.contact}”: move it there.")
        elif known:
            self.instance = known
        return cleaned

    def save(self, commit: bool = True) -> Address:
        if self.instance.pk:
            self.instance.save(update_fields=["contact"])
        return super().save(commit)


class KnownAddressForm(VersionedForm):
    """An address of a contact, which may be taken from it; the address itself stays."""

    is_removed = forms.BooleanField(label="Take away", required=False)

    class Meta:
        model = Address
        fields: list[str] = []

    def save(self, commit: bool = True) -> Address:
        if self.cleaned_data["is_removed"]:
            self.instance.contact = None
            self.instance.save(update_fields=["contact"])
        return self.instance


class KnownAddresses(forms.BaseInlineFormSet):
    @classmethod
    def get_default_prefix(cls) -> str:
        return "known"

    def clean(self) -> None:
        """An address that is no longer the contact's has no row any more."""
        super().clean()
        for form in self.initial_forms:
            is_same = form.cleaned_data.get("version") == form.instance.version
            if form.cleaned_data.get("is_removed") and not (form.instance.pk and is_same):
                raise forms.ValidationError(MOVED)


class NewAddresses(forms.BaseInlineFormSet):
    @classmethod
    def get_default_prefix(cls) -> str:
        return "new"

    def initial_form_count(self) -> int:
        """None of these forms is of a row that was shown, whatever the form says."""
        return 0


class KnownAddressInline(admin.TabularInline):
    model = Address
    form = KnownAddressForm
    formset = KnownAddresses
    verbose_name_plural = "addresses"
    fields = ["network", "transactions", "is_removed", "version"]
    readonly_fields = ["network", "transactions"]
    exclude = ["version"]
    can_delete = False
    show_change_link = True
    max_num = extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Address]:
        addresses = super().get_queryset(request).with_counts()  # type: ignore[attr-defined]
        if request.method == "POST" and connection.in_atomic_block:
            return addresses.select_for_update(of=("self",), no_key=True)
        return addresses

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def network(self, record: Address) -> str:
        return record.get_family_display()

    def transactions(self, record: Any) -> SafeString:
        return counted(record.transaction_count, address=record.display)


class NewAddressInline(admin.TabularInline):
    model = Address
    form = NewAddressForm
    formset = NewAddresses
    verbose_name = "address"
    verbose_name_plural = "new addresses"
    fields = ["value", "family"]
    can_delete = False
    extra = 1

    def get_queryset(self, request: HttpRequest) -> QuerySet[Address]:
        return super().get_queryset(request).none()


@admin.register(Contact)
class ContactAdmin(MergingAdmin):
    form = ContactForm
    fields = ["name", "note"]
    search_fields = ["name"]
    search_help_text = "Name, note or address"
    list_display = ["name", "address_count", "transaction_count", "last_activity"]
    joined_field = "note"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        return super().get_queryset(request).with_activity()  # type: ignore[attr-defined]

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        """As on the contacts' own page, where addresses are searched without a join."""
        found = queryset.matching(search_term) if is_searchable(search_term) else queryset.none()
        return found, False

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[type[InlineModelAdmin]]:
        inlines: list[type[InlineModelAdmin]] = []
        # What was shown is what comes back, whatever was added meanwhile.
        is_shown = (
            "known-TOTAL_FORMS" in request.POST
            if request.method == "POST"
            else obj and 1 <= obj.address_count <= MAX_INLINE
        )
        if obj and is_shown:
            inlines.append(KnownAddressInline)
        # Taking an address that is known is a change of it.
        if request.user.has_perms(["contacts.add_address", "contacts.change_address"]):
            inlines.append(NewAddressInline)
        return inlines

    @admin.display(description="addresses", ordering="address_count")
    def address_count(self, record: Any) -> SafeString:
        return format_html(
            '<a href="{}?contact__id__exact={}">{}</a>',
            reverse("admin:contacts_address_changelist"),
            record.pk,
            record.address_count,
        )

    @admin.display(description="transactions", ordering="transaction_count")
    def transaction_count(self, record: Any) -> SafeString:
        return counted(record.transaction_count, contact=literal(record.name))

    @admin.display(description="last activity", ordering="last_activity")
    def last_activity(self, record: Any) -> SafeString:
        return moment(record)

    def what_moves(self, row: Any) -> str:
        counts = f"{row.transaction_count} transactions, {row.address_count} addresses"
        return f"{counts}, a note" if row.note else counts

    def move(self, others: list[Any], kept: Any) -> None:
        """Whatever refers to a contact refers to the kept one, in whichever app it is."""
        for relation in Contact._meta.related_objects:
            link = relation.field
            link.model._base_manager.filter(**{f"{link.name}__in": others}).update(
                **{link.name: kept}
            )


@admin.register(Address)
class AddressAdmin(LedgerAdmin):
    autocomplete_fields = ["contact"]
    search_fields = ["value", "contact__name"]
    search_help_text = "Address or contact"
    list_display = ["address", "family", "contact", "transaction_count"]
    list_display_links = ["address"]
    list_filter = ["family", ("contact", admin.EmptyFieldListFilter)]
    list_select_related = ["contact"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Address]:
        return super().get_queryset(request).with_counts()  # type: ignore[attr-defined]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        kwargs["form"] = VersionedForm if change else TypedAddressForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What an address is never changes; whose it is may."""
        return ["address", "family", "contact"] if obj else ["value", "family", "contact"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["address", "family"] if obj else []

    @admin.display(ordering="value")
    def address(self, record: Address) -> str:
        return record.display

    @admin.display(description="transactions", ordering="transaction_count")
    def transaction_count(self, record: Any) -> SafeString:
        return counted(record.transaction_count, address=record.display)
