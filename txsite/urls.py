"""Addresses of the site; each app names its own."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from txsite.freshness import changes

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="transaction-list")),
    path("login/", LoginView.as_view(template_name="login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("changes/", changes.change_list, name="change-list"),
    path("contacts/", include("contacts.urls")),
    path("", include("transactions.urls")),
]
