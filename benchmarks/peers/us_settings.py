"""The site's own settings, with static files from where they are written."""

import os

from txsite.settings import *  # noqa: F403
from txsite.settings import DATABASES, STORAGES

STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = False
# The default hasher is slow on purpose; a login is no part of any case.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# What the ladder leaves out.
WITHOUT = os.environ.get("BENCH_WITHOUT", "").split(",")
if "connections" in WITHOUT:
    DATABASES["default"]["CONN_MAX_AGE"] = 0
if "prepared" in WITHOUT:
    DATABASES["default"]["OPTIONS"]["prepare_threshold"] = None
