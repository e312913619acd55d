"""Who asks, and what that person may, as every page has to know: one prepared query."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.db.models import Model

from txsite.prepared import fetch

RIGHTS = """
    SELECT content_type.app_label || '.' || permission.codename
    FROM auth_permission permission
    JOIN django_content_type content_type ON content_type.id = permission.content_type_id
    WHERE permission.id IN (
        SELECT permission_id FROM auth_user_user_permissions WHERE user_id = asked.id
        UNION ALL
        SELECT of_group.permission_id FROM auth_group_permissions of_group
        JOIN auth_user_groups of_user ON of_user.group_id = of_group.group_id
        WHERE of_user.user_id = asked.id
    )
"""


def names_of(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def select(model: type[Model], condition: str, also: str = "") -> str:
    """All columns of the rows `asked` for, and what is wanted beside them."""
    columns = ", ".join(f'asked."{field.column}"' for field in model._meta.concrete_fields)
    return f'SELECT {columns}{also} FROM "{model._meta.db_table}" asked WHERE {condition}'  # noqa: S608


class Backend(ModelBackend):
    """Django's own, but a person comes with all rights."""

    def get_user(self, user_id: Any) -> Any:
        """The person whose session it is; None where it is nobody's, or may no longer come in."""
        model = get_user_model()
        rows = fetch(select(model, "id = %s", f", ARRAY({RIGHTS})"), [user_id])
        if not rows:
            return None
        *values, rights = rows[0]
        found = model.from_db("default", names_of(model), values)
        found._granted = set(rights)  # type: ignore[attr-defined]
        return found if self.user_can_authenticate(found) else None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        is_plain = user_obj.is_active and not user_obj.is_anonymous and obj is None
        if is_plain and not user_obj.is_superuser and hasattr(user_obj, "_granted"):
            return user_obj._granted
        return super().get_all_permissions(user_obj, obj)
