"""The contacts' pages: the list, one contact, and everything that people change there."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from contacts.filters import ADDRESS_ORDERINGS, CONTACT_ORDERINGS, ContactFilter
from contacts.forms import AddressForm, ContactForm, RemoveAddressForm, RemoveContactForm
from contacts.models import Address, Contact
from contacts.tables import AddressTable, ContactTable, literal, moment, transactions_url
from txsite.freshness.middleware import snapshot
from txsite.tables import ListForm, Page
from txsite.versions import again_when_raced

MAX_COMPLETIONS = 20
ADDRESS_IS_STALE = (
    "Somebody else has changed {address} meanwhile: it belongs to “{owner}” now. "
    "Nothing was changed. Look, and remove it again if it should go."
)


class SeeOther(HttpResponseRedirect):
    """After a change: the next page is asked for with GET, whatever the method was."""

    status_code = 303


@require_safe
@permission_required("contacts.view_contact", raise_exception=True)
def contact_list(request: HttpRequest) -> HttpResponse:
    """Every contact that the URL asks for, a page at a time, in one query."""
    filterset = ContactFilter(request.GET, queryset=Contact.objects.with_activity())
    place = ListForm(request.GET, CONTACT_ORDERINGS, default="name", known=filterset.filters)
    # Both are asked, so that both show their errors.
    is_valid = all([filterset.is_valid(), place.is_valid()])
    page = place.page(filterset.qs) if is_valid else Page([], None, None)
    context = {
        "filter": filterset,
        "place": place,
        "is_valid": is_valid,
        "page": page,
        "table": ContactTable(page.rows, place),
    }
    return render(request, "contacts/list.html", context, status=200 if is_valid else 400)


@require_safe
@permission_required("contacts.view_contact", raise_exception=True)
def contact_complete(request: HttpRequest) -> HttpResponse:
    """Up to 20 names for a text field, those that begin with the text first."""
    filterset = ContactFilter(request.GET, queryset=Contact.objects.all())
    if not filterset.is_valid():
        return JsonResponse({"errors": filterset.errors}, status=400)
    names = Contact.objects.completing(filterset.form.cleaned_data["q"])
    return JsonResponse(list(names[:MAX_COMPLETIONS]), safe=False)


@require_safe
@permission_required("contacts.view_contact", raise_exception=True)
def contact_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One contact: note, addresses, and the way to the transactions."""
    return show(request, pk, request.GET)


def show(
    request: HttpRequest, pk: int, query: QueryDict, status: int = 200, **more: Any
) -> HttpResponse:
    """A contact's page; `more` holds forms that could not be accepted."""
    contact = get_object_or_404(Contact.objects.with_activity(), pk=pk)
    place = ListForm(query, ADDRESS_ORDERINGS, default="address")
    is_valid = place.is_valid()
    addresses = Address.objects.with_counts().filter(contact=pk)
    page = place.page(addresses) if is_valid else Page([], None, None)
    context = {
        "contact": contact,
        "last_activity": moment(contact),
        "transactions_url": transactions_url(contact=literal(contact.name)),
        "place": place,
        "is_valid": is_valid,
        "page": page,
        "table": AddressTable(
            page.rows,
            place,
            can_remove=request.user.has_perm("contacts.change_address"),
        ),
        "form": ContactForm(instance=contact),
        "address_form": AddressForm(),
        **more,
    }
    return render(request, "contacts/detail.html", context, status=status if is_valid else 400)


# The answer to a change: where to go on, or what draws the page that tells why not.
Outcome = HttpResponse | Callable[[], HttpResponse]


def changing(act: Callable[..., Outcome]) -> Callable[..., HttpResponse]:
    """Run `act` in a transaction of its own; what it refuses is drawn after that, in one snapshot.

    The page then carries the revision that it was read at, like any other.
    """

    @wraps(act)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        outcome = again_when_raced(act)(request, *args, **kwargs)
        if isinstance(outcome, HttpResponse):
            return outcome
        with snapshot(request):
            return outcome()

    return run


def held(pk: int) -> Contact:
    """The contact, which nobody else changes or removes before the change is committed."""
    return get_object_or_404(Contact.objects.select_for_update(no_key=True), pk=pk)


def done(request: HttpRequest, told: str, url: str) -> SeeOther:
    messages.success(request, told)
    return SeeOther(url)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("contacts.add_contact", raise_exception=True)
def contact_add(request: HttpRequest) -> HttpResponse:
    """The form for a new contact."""
    if request.method == "POST":
        return add(request)
    return render(request, "contacts/add.html", {"form": ContactForm()})


@changing
def add(request: HttpRequest) -> Outcome:
    form = ContactForm(request.POST)
    if not form.is_valid():
        return partial(render, request, "contacts/add.html", {"form": form}, status=422)
    contact = form.save()
    return done(request, f"Contact “{contact}” added.", contact.get_absolute_url())


@require_POST
@permission_required("contacts.change_contact", raise_exception=True)
@changing
def contact_edit(request: HttpRequest, pk: int) -> Outcome:
    """Save name and note, unless somebody else has changed them since `version`."""
    form = ContactForm(request.POST, instance=held(pk))
    if not form.is_valid():
        return partial(
            show, request, pk, QueryDict(), status=409 if form.is_stale else 422, form=form
        )
    contact = form.save()
    return done(request, f"Contact “{contact}” saved.", contact.get_absolute_url())


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("contacts.delete_contact", raise_exception=True)
def contact_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask before removing a contact; its transactions and addresses stay."""
    return remove(request, pk) if request.method == "POST" else confirm(request, pk)


def confirm(request: HttpRequest, pk: int, status: int = 200) -> HttpResponse:
    contact = get_object_or_404(Contact.objects.with_activity(), pk=pk)
    context = {"contact": contact, "is_stale": status == 409}
    return render(request, "contacts/remove.html", context, status=status)


@changing
def remove(request: HttpRequest, pk: int) -> Outcome:
    contact = get_object_or_404(Contact.objects.select_for_update(), pk=pk)
    form = RemoveContactForm(request.POST)
    if not form.is_valid() or form.cleaned_data["version"] != contact.version:
        return partial(confirm, request, pk, status=409)
    contact.delete()
    told = f"Contact “{contact}” removed. Its addresses and transactions stay."
    return done(request, told, reverse("contact-list"))


@require_POST
@permission_required(("contacts.add_address", "contacts.change_address"), raise_exception=True)
@changing
def address_add(request: HttpRequest, pk: int) -> Outcome:
    """Give an address to a contact; one of another contact only when that is asked for."""
    contact = held(pk)
    form = AddressForm(request.POST)
    if not form.is_valid():
        return partial(show, request, pk, QueryDict(), status=422, address_form=form)
    address, _ = Address.objects.select_for_update(no_key=True).get_or_create(
        family=form.cleaned_data["family"], value=form.cleaned_data["address"]
    )
    seen = form.cleaned_data["move"]
    if address.contact not in (None, contact) and seen != address.version:
        form.add_error("address", f"This address belongs to “{address.contact}”.")
        status = 409 if seen else 422
        return partial(show, request, pk, QueryDict(), status, address_form=form, others=address)
    address.contact = contact
    address.save(update_fields=["contact"])
    told = f"Address {address.shortened} ({address.get_family_display()}) is now of “{contact}”."
    return done(request, told, contact.get_absolute_url())


@require_POST
@permission_required("contacts.change_address", raise_exception=True)
@changing
def address_remove(request: HttpRequest, pk: int) -> Outcome:
    """Take an address from a contact; the address and its transactions stay."""
    contact = held(pk)
    form = RemoveAddressForm(request.POST)
    if not form.is_valid():
        return partial(show, request, pk, QueryDict(), status=422, remove_form=form)
    chosen, seen = form.cleaned_data["address"]
    address = get_object_or_404(Address.objects.select_for_update(no_key=True), pk=chosen)
    if address.contact and (address.contact, address.version) != (contact, seen):
        form.add_error(
            "address", ADDRESS_IS_STALE.format(address=address.display, owner=address.contact)
        )
        return partial(show, request, pk, QueryDict(), status=409, remove_form=form)
    address.contact = None
    address.save(update_fields=["contact"])
    told = f"Address {address.shortened} is no longer of “{contact}”."
    return done(request, told, contact.get_absolute_url())
