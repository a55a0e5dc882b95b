"""Forms come from our own pages: a token in the session that every form must carry.

A browser sends our cookie with a form that another site has made, but that site cannot read the token.
"""

from __future__ import annotations

import hmac
import secrets

from markupsafe import Markup

from asyncflask import Flask, abort, request, session

FIELD = "csrf_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def init_app(app: Flask) -> None:
    app.before_request(check)
    app.template_global("csrf_field")(csrf_field)


def token() -> str:
    """The token of this session, made when the first form is shown."""
    if FIELD not in session:
        session[FIELD] = secrets.token_urlsafe()
    value: str = session[FIELD]
    return value


def csrf_field() -> Markup:
    """The hidden input that belongs into every form that is posted."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token())


def check() -> None:
    """Refuse with a 400 whatever would change something and does not carry the token."""
    if request.method in SAFE_METHODS:
        return
    known = session.get(FIELD, "")
    sent = request.form.get(FIELD, "")
    if not known or not hmac.compare_digest(known.encode(), sent.encode()):
        abort(400, "This form has expired. Please go back, reload the page and send it again.")
