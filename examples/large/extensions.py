"""The extensions, one object of each; an application that is made joins them with ``init_app``."""

from __future__ import annotations

from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy

from .models import Base

db = SQLAlchemy(model_class=Base)
login = LoginManager()
login.login_view = "accounts.log_in"
