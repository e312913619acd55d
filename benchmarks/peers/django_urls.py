"""The admin and the tables, as their documentation says."""

from django.urls import path

from benchmarks.peers.django_admin import site
from benchmarks.peers.tables2 import Listed, ListedWithRelated

urlpatterns = [
    path("admin/", site.urls),
    path("tables/", Listed.as_view()),
    path("tables-related/", ListedWithRelated.as_view()),
]
