"""Addresses of the ledger's pages."""

from django.urls import path

from transactions import edit_views, exports, label_views, views
from transactions.import_urls import import_urls

urlpatterns = [
    path("transactions/", views.transaction_list, name="transaction-list"),
    path("transactions/export/", exports.export_view, name="transaction-export"),
    path("transactions/<int:pk>/", views.transaction_detail, name="transaction-detail"),
    path("transactions/<int:pk>/labels/", edit_views.edit_labels, name="transaction-labels"),
    path("transactions/<int:pk>/note/", edit_views.edit_note, name="transaction-note"),
    path("transactions/<int:pk>/contact/", edit_views.edit_contact, name="transaction-contact"),
    path("balances/", views.balance_list, name="balances"),
    *(
        path(f"{what}s/complete/", views.complete, {"what": what}, name=f"{what}-complete")
        for what in ("label", "wallet", "asset")
    ),
    path("labels/import/", label_views.import_labels, name="labels-import"),
    *import_urls,
]
