"""The floor: a bare Django view with the limit's SQL, so what any Django page costs at least."""

import json
import os
from pathlib import Path

from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

CASES = json.loads(Path(os.environ["BENCH_CASES"]).read_text())


def page(request: HttpRequest) -> HttpResponse:
    case = CASES[request.GET.get("case", "first page")]
    with connection.cursor() as cursor:
        cursor.execute(case["sql"])
        rows = cursor.fetchall()
    if case["empty"]:
        return HttpResponse(status=204)
    return HttpResponse("\n".join(row[0] for row in rows).encode().ljust(case["bytes"]))


urlpatterns = [path("", page)]
application = get_wsgi_application()
