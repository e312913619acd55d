from django.apps import AppConfig
from django.db.models.signals import post_migrate

from txsite.permissions import keep_groups


class TxsiteConfig(AppConfig):
    name = "txsite"

    def ready(self) -> None:
        from txsite import checks  # noqa: F401 (registers its checks)

        # The only signal: permissions do not exist yet while migrations run.
        post_migrate.connect(keep_groups, dispatch_uid="txsite.keep_groups")
