"""What differs from place to place. Secrets come from the environment: ``FLASK_SECRET_KEY=...``."""

from __future__ import annotations


class Production:
    SESSION_COOKIE_SAMESITE = "Lax"
    SESSION_COOKIE_SECURE = True
    #: Whether the database is brought up to date when the application is made, and a first user added.
    SET_UP = False


class Development(Production):
    SECRET_KEY = "for development only"
    SESSION_COOKIE_SECURE = False
    SET_UP = True


class Testing(Development):
    TESTING = True


NAMED = {"development": Development, "production": Production, "testing": Testing}
