"""Tries to catch a stale page, and shows by broken apps that it would."""
