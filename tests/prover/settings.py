"""The site's own settings; a control may put a mistake into them (see controls.py)."""

import os

from txsite.settings import *  # noqa: F403
from txsite.settings import MIDDLEWARE, STORAGES

# Static files come from where they are written, without a collectstatic before.
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
# The default hasher is slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

CONTROL = os.environ.get("PROVER_CONTROL", "")
if CONTROL == "cache-middleware":
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CACHE_MIDDLEWARE_SECONDS = 2
    # With this mistake the site itself refuses to start.
    SILENCED_SYSTEM_CHECKS = ["txsite.E006", "txsite.E007"]
    MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        *(one for one in MIDDLEWARE if "Snapshot" not in one),
        "django.middleware.cache.FetchFromCacheMiddleware",
        "prover.middleware.SnapshotThatMayBeKept",
    ]
if CONTROL == "last-modified":
    MIDDLEWARE = [
        *(one for one in MIDDLEWARE if "Snapshot" not in one),
        "prover.middleware.last_modified",
        "txsite.freshness.middleware.SnapshotMiddleware",
    ]
