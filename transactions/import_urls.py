"""Addresses of the import pages."""

from django.urls import path

from transactions import import_views

import_urls = [
    path("imports/", import_views.import_list, name="import-list"),
    path("imports/<int:pk>/", import_views.import_detail, name="import-detail"),
    path("imports/<int:pk>/cancel/", import_views.import_cancel, name="import-cancel"),
]
