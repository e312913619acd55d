"""Addresses of the contacts' pages."""

from django.urls import path

from contacts import book_views, views

urlpatterns = [
    path("", views.contact_list, name="contact-list"),
    path("add/", views.contact_add, name="contact-add"),
    path("import/", book_views.import_contacts, name="contacts-import"),
    path("export/", book_views.export_contacts, name="contacts-export"),
    path("complete/", views.contact_complete, name="contact-complete"),
    path("<int:pk>/", views.contact_detail, name="contact-detail"),
    path("<int:pk>/edit/", views.contact_edit, name="contact-edit"),
    path("<int:pk>/remove/", views.contact_remove, name="contact-remove"),
    path("<int:pk>/addresses/add/", views.address_add, name="address-add"),
    path("<int:pk>/addresses/remove/", views.address_remove, name="address-remove"),
]
