"""Who may: the three groups, and what each of them meets on the contacts' pages."""

import pytest
from django.apps import apps
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db.models.signals import post_migrate
from django.test import Client
from django.utils import timezone
from factories import make_address, make_contact, make_user

from contacts.models import Contact
from txsite.permissions import GROUPS, codenames_of, keep_groups
from txsite.rights import Backend

pytestmark = pytest.mark.django_db

APPS = ("contacts", "transactions")


def rights(group: str) -> set[str]:
    permissions = Group.objects.get(name=group).permissions.select_related("content_type")
    return {f"{right.content_type.app_label}.{right.codename}" for right in permissions}


def keep() -> None:
    for label in APPS:
        keep_groups(app_config=apps.get_app_config(label), using="default", apps=apps)


@pytest.mark.parametrize("group", GROUPS)
def test_groups_have_exactly_the_rights_that_are_declared(group: str) -> None:
    declared = {f"{app}.{name}" for app in APPS for name in codenames_of(group, app)}
    assert rights(group) == declared


def test_each_group_may_what_the_one_before_may() -> None:
    assert rights("Viewers") < rights("Editors") < rights("Managers")


def test_viewers_may_look_at_every_model_and_change_nothing() -> None:
    models = [model for label in APPS for model in apps.get_app_config(label).get_models()]
    own = [model._meta for model in models if not model._meta.auto_created]
    assert rights("Viewers") == {f"{meta.app_label}.view_{meta.model_name}" for meta in own}


def test_editors_may_neither_delete_nor_touch_what_files_tell() -> None:
    more = rights("Editors") - rights("Viewers")
    assert {right for right in more if ".delete_" in right} == {
        "transactions.delete_transactionlabel"
    }
    assert not {right for right in more if right.endswith(("_entry", "_asset", "_wallet"))}


@pytest.mark.parametrize("group", GROUPS)
def test_nobody_but_a_superuser_may_delete_transactions(group: str) -> None:
    user = make_user(group, is_staff=True)
    assert not user.has_perm("transactions.delete_transaction")
    assert not user.has_perm("transactions.add_transaction")


def test_keeping_groups_again_changes_nothing() -> None:
    before = {group: rights(group) for group in GROUPS}
    keep()
    assert {group: rights(group) for group in GROUPS} == before
    assert Group.objects.count() == len(GROUPS)


def test_rights_that_a_person_added_stay_and_missing_ones_come_back() -> None:
    viewers = Group.objects.get(name="Viewers")
    viewers.permissions.set([Permission.objects.get(codename="add_user")])
    keep()
    assert "auth.add_user" in rights("Viewers")
    assert "contacts.view_contact" in rights("Viewers")


def test_renamed_or_deleted_group_is_made_again() -> None:
    Group.objects.filter(name="Editors").update(name="Friends")
    keep()
    assert rights("Editors") == rights("Friends")


def test_migrating_is_what_keeps_groups() -> None:
    Group.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert set(Group.objects.values_list("name", flat=True)) == set(GROUPS)


def test_it_is_the_only_signal_of_ours() -> None:
    ours = [
        receiver
        for _, receiver, *_ in post_migrate.receivers
        if getattr(receiver(), "__module__", "").split(".")[0] in {"txsite", *APPS}
    ]
    assert len(ours) == 1


CONTACT_URLS = ["/contacts/", "/contacts/complete/", "/contacts/{pk}/"]
CHANGES = [
    "/contacts/add/",
    "/contacts/{pk}/edit/",
    "/contacts/{pk}/remove/",
    "/contacts/{pk}/addresses/add/",
    "/contacts/{pk}/addresses/remove/",
]


@pytest.mark.parametrize("url", [*CONTACT_URLS, *CHANGES])
@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_sees_anything_without_login(client: Client, url: str, method: str) -> None:
    contact = make_contact("Alice")
    answer = getattr(client, method)(url.format(pk=contact.pk))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/?next=")
    assert b"Alice" not in answer.content


@pytest.mark.parametrize("url", [*CONTACT_URLS, *CHANGES])
def test_without_a_group_every_page_is_refused(client: Client, url: str) -> None:
    contact = make_contact("Alice")
    client.force_login(make_user(None))
    method = client.post if url in CHANGES else client.get
    answer = method(url.format(pk=contact.pk))
    assert answer.status_code == 403
    assert b"Alice" not in answer.content


@pytest.mark.parametrize("url", CHANGES)
def test_viewer_is_refused_every_change(client: Client, url: str) -> None:
    contact = make_contact("Alice")
    address = make_address(contact=contact)
    client.force_login(make_user("Viewers"))
    data = {"name": "Bob", "version": 1, "address": f"{address.pk}:2", "family": ""}
    assert client.post(url.format(pk=contact.pk), data).status_code == 403
    address.refresh_from_db()
    assert (Contact.objects.get().name, address.contact) == ("Alice", contact)


def test_viewer_sees_no_edit_controls(client: Client) -> None:
    contact = make_contact("Alice")
    make_address(contact=contact)
    client.force_login(make_user("Viewers"))
    for url in ("/contacts/", contact.get_absolute_url()):
        page = client.get(url).content.decode()
        main = page[page.index("<main") :]
        assert 'method="post"' not in main
        assert "Add contact" not in main
        assert "Remove" not in main


def test_editor_may_not_remove_a_contact_and_sees_no_way_to(client: Client) -> None:
    contact = make_contact("Alice")
    client.force_login(make_user("Editors"))
    assert "Remove contact" not in client.get(contact.get_absolute_url()).content.decode()
    url = f"/contacts/{contact.pk}/remove/"
    assert client.post(url, {"version": 1}).status_code == 403
    assert Contact.objects.exists()


@pytest.mark.parametrize("url", CHANGES)
@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_not_allowed(client: Client, url: str, method: str) -> None:
    contact = make_contact("Alice")
    client.force_login(make_user("Managers"))
    assert getattr(client, method)(url.format(pk=contact.pk)).status_code == 405


def test_change_without_the_token_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("Editors"))
    assert client.post("/contacts/add/", {"name": "Alice"}).status_code == 403
    assert not Contact.objects.exists()


def test_a_session_ends_with_its_time_and_with_its_person(client: Client) -> None:
    user = make_user("Viewers")
    client.force_login(user)
    assert client.get("/contacts/").status_code == 200
    Session.objects.update(expire_date=timezone.now())
    assert client.get("/contacts/").status_code == 302
    client.force_login(user)
    type(user).objects.update(is_active=False)
    assert client.get("/contacts/").status_code == 302
    client.cookies["sessionid"] = "no such session"
    assert client.get("/contacts/").status_code == 302


def test_rights_are_those_that_django_would_tell() -> None:
    user = make_user("Editors")
    user.groups.add(Group.objects.get(name="Managers"))
    user.user_permissions.add(Permission.objects.get(codename="add_session"))
    plain = type(user).objects.create_user("nobody")
    root = type(user).objects.create_superuser("root")
    for one in (user, plain, root):
        found = Backend().get_user(one.pk)
        assert Backend().get_all_permissions(found) == ModelBackend().get_all_permissions(one)
    found.is_active = False
    assert Backend().get_all_permissions(found) == set()
