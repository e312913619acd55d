"""What settings.py puts into the site for a control."""

from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified

from txsite.freshness.middleware import SnapshotMiddleware
from txsite.models import Change

GetResponse = Callable[[HttpRequest], HttpResponse]


class SnapshotThatMayBeKept(SnapshotMiddleware):
    """Without `never_cache`, since Django's cache keeps nothing that says `private`."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = super().__call__(request)
        del response["Cache-Control"]
        del response["Expires"]
        return response


def last_modified(get_response: GetResponse) -> GetResponse:
    """As often recommended: the time of the last change, which HTTP tells in whole seconds."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method != "GET":
            return get_response(request)
        newest = Change.objects.filter(revision__isnull=False).order_by("-revision")
        changed = int(newest[0].committed_at.timestamp())
        asked = request.headers.get("If-Modified-Since")
        if asked and parsedate_to_datetime(asked).timestamp() >= changed:
            return HttpResponseNotModified()
        response = get_response(request)
        response["Last-Modified"] = formatdate(changed, usegmt=True)
        return response

    return middleware
