"""Who may: the groups that every ledger has, and what each of them is allowed."""

from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed_apps
from django.apps.registry import Apps

# Each group may what the groups before it may.
VIEWERS = {
    "contacts.contact": ("view",),
    "contacts.address": ("view",),
    "transactions.wallet": ("view",),
    "transactions.asset": ("view",),
    "transactions.label": ("view",),
    "transactions.transaction": ("view",),
    "transactions.transactionlabel": ("view",),
    "transactions.entry": ("view",),
    "transactions.balance": ("view",),
    "transactions.coveredentry": ("view",),
    "transactions.entrysum": ("view",),
    "transactions.takenofflabel": ("view",),
    "transactions.toldasset": ("view",),
    "transactions.importbatch": ("view",),
    "transactions.importline": ("view",),
    "transactions.importmapping": ("view",),
    "transactions.labelrecord": ("view",),
}
EDITORS = {
    "contacts.contact": ("add", "change"),
    "contacts.address": ("add", "change"),
    "transactions.label": ("add", "change"),
    "transactions.transaction": ("change",),
    "transactions.transactionlabel": ("add", "delete"),
    "transactions.importbatch": ("add",),
}
MANAGERS = {
    "contacts.contact": ("delete",),
    "contacts.address": ("delete",),
    "transactions.label": ("delete",),
    "transactions.importmapping": ("delete",),
    "transactions.wallet": ("add", "change"),
    "transactions.asset": ("add", "change"),
}
GROUPS = {
    "Viewers": (VIEWERS,),
    "Editors": (VIEWERS, EDITORS),
    "Managers": (VIEWERS, EDITORS, MANAGERS),
}


def keep_groups(
    app_config: AppConfig, using: str, apps: Apps = installed_apps, **kwargs: Any
) -> None:
    """Make the groups and give them their rights on this app's models, after it was migrated.

    Rights that a person has added to a group stay; one taken from it comes back with the
    next migration, so who should have less belongs in a group of one's own.
    """
    try:
        group_model, permission_model = (
            apps.get_model("auth", name) for name in ("Group", "Permission")
        )
    except LookupError:
        return  # auth itself is not migrated yet
    for name in GROUPS:
        codenames = codenames_of(name, app_config.label)
        if codenames:
            group, _ = group_model.objects.using(using).get_or_create(name=name)
            group.permissions.add(
                *permission_model.objects.using(using).filter(
                    content_type__app_label=app_config.label, codename__in=codenames
                )
            )


def codenames_of(group: str, app_label: str) -> list[str]:
    """What a group is allowed on the models of an app, as Django names permissions."""
    return [
        f"{action}_{model.removeprefix(f'{app_label}.')}"
        for rights in GROUPS[group]
        for model, actions in rights.items()
        if model.startswith(f"{app_label}.")
        for action in actions
    ]
