"""Django without any middleware, for the floor."""

from benchmarks.peers.django_settings import *  # noqa: F403

MIDDLEWARE = []
ROOT_URLCONF = "benchmarks.peers.floor"
