"""The project of `django_settings` as WSGI."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
