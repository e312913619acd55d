"""What a person may, as every page asks."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission


class Backend(ModelBackend):
    """Django's own, but all rights of a person are one query and not two."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        is_plain = user_obj.is_active and not user_obj.is_anonymous and obj is None
        if not is_plain or user_obj.is_superuser:
            return super().get_all_permissions(user_obj, obj)
        if not hasattr(user_obj, "_perm_cache"):
            names = ("content_type__app_label", "codename")
            own = Permission.objects.filter(user=user_obj).order_by().values_list(*names)
            of_groups = Permission.objects.filter(group__user=user_obj).order_by()
            rights = own.union(of_groups.values_list(*names))
            user_obj._perm_cache = {f"{app}.{codename}" for app, codename in rights}
        return user_obj._perm_cache
