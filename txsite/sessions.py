"""Sessions in the database, as Django keeps them; only they are found by a prepared query."""

from typing import Any

from django.contrib.sessions.backends import db
from django.utils import timezone

from txsite.prepared import fetch
from txsite.rights import names_of, select


class SessionStore(db.SessionStore):
    """Django's own, but for how a session is read."""

    def _get_session_from_db(self) -> Any:
        condition = "session_key = %s AND expire_date > %s"
        rows = fetch(select(self.model, condition), [self.session_key, timezone.now()])
        if rows:
            return self.model.from_db("default", names_of(self.model), rows[0])
        self._session_key = None
        return None
