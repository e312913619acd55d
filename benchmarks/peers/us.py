"""The site as it is deployed: all its middleware, and a person who is logged in."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
