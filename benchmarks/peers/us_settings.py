"""The site's own settings, with static files from where they are written."""

from txsite.settings import *  # noqa: F403
from txsite.settings import STORAGES

STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = False
# The default hasher is slow on purpose; a login is no part of any case.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
