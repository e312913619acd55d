"""What gunicorn serves. It never starts a database server, unlike manage.py."""

import os

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

missing = [name for name in ("DATABASE_URL", "SECRET_KEY") if not os.environ.get(name)]
if missing:
    raise ImproperlyConfigured(
        f"Set {' and '.join(missing)} before serving this site: "
        "a deployment needs both DATABASE_URL and SECRET_KEY (see docs/settings.md)."
    )

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "txsite.settings")
application = get_wsgi_application()

from txsite.checks import refuse_to_be_stale  # noqa: E402 (models are there only now)

refuse_to_be_stale()
