"""Addresses of the site; each app names its own."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView

from txsite.freshness import changes


class Logout(LogoutView):
    """Messages live in a cookie, which must not tell of the ledger after the logout."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        list(messages.get_messages(request))
        return super().post(request, *args, **kwargs)


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="transaction-list")),
    path("login/", LoginView.as_view(template_name="login.html"), name="login"),
    path("logout/", Logout.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("changes/", changes.change_list, name="change-list"),
    path("contacts/", include("contacts.urls")),
    path("", include("transactions.urls")),
]
