"""Addresses of the import pages."""

from django.urls import path

from transactions import import_views, mapping_views

import_urls = [
    path("imports/", import_views.import_list, name="import-list"),
    path("imports/<int:pk>/", import_views.import_detail, name="import-detail"),
    path("imports/<int:pk>/columns/", mapping_views.map_columns, name="import-mapping"),
    path("imports/<int:pk>/cancel/", import_views.import_cancel, name="import-cancel"),
    path("imports/<int:pk>/confirm/", import_views.import_confirm, name="import-confirm"),
    path("imports/<int:pk>/undo/", import_views.import_undo, name="import-undo"),
    path("imports/<int:pk>/redo/", import_views.import_redo, name="import-redo"),
    path("imports/<int:pk>/file/", import_views.import_file, name="import-file"),
    path("imports/<int:pk>/left-out/", import_views.import_left_out, name="import-left-out"),
    path("imports/<int:pk>/receipt/", import_views.import_receipt, name="import-receipt"),
]
