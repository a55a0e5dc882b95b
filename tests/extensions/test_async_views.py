"""Extensions with ``async def`` views: decorators, forms, a database; the view runs on the server's loop.

Over a real server, whose loop and thread are compared with those that the view finds itself in.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from . import needs
from .serving import IN_A_WORKER, ON_THE_LOOP, place, served

needs.installed(
    cachelib="cachelib",
    flask_caching="Flask-Caching",
    flask_httpauth="Flask-HTTPAuth",
    flask_jwt_extended="Flask-JWT-Extended",
    flask_limiter="Flask-Limiter",
    flask_login="Flask-Login",
    flask_session="Flask-Session",
    flask_sqlalchemy="Flask-SQLAlchemy",
    flask_wtf="Flask-WTF",
)

TOGETHER = 60  # requests at once, more than there are worker threads

# Flask-Login


def with_login() -> Any:
    from flask import Flask
    from flask_login import (
        LoginManager,
        UserMixin,
        current_user,
        fresh_login_required,
        login_required,
        login_user,
        logout_user,
    )

    app = Flask(__name__)
    app.secret_key = "secret"
    manager = LoginManager(app)
    manager.login_view = "login"

    class User(UserMixin):
        def __init__(self, name: str) -> None:
            self.id = name

    @manager.user_loader
    def load(name: str) -> User | None:
        return User(name) if name in {"ann", "bob"} else None

    @app.get("/login")
    @app.get("/login/<name>")
    async def login(name="nobody"):
        return {"done": login_user(User(name), remember=True)}

    @app.get("/logout")
    @login_required
    async def logout():
        return {"done": logout_user()}

    @app.get("/user")
    @login_required
    async def user():
        await asyncio.sleep(0.01)
        return {"name": current_user.id, **place()}

    @app.get("/fresh")
    @fresh_login_required
    async def fresh():
        return {"name": current_user.id, **place()}

    @app.get("/anyone")
    async def anyone():
        return {"name": current_user.get_id(), **place()}

    @app.get("/sync")
    @login_required
    def sync():
        return {"name": current_user.id, **place()}

    together = asyncio.Barrier(TOGETHER)

    @app.get("/together")
    @login_required
    async def all_together():
        async with asyncio.timeout(10):
            await together.wait()
        return {"name": current_user.id, **place()}

    return app


def test_login_required():
    with served(with_login) as server, server.client() as ann, server.client() as bob:
        assert ann.get("/user").status_code == 302
        assert ann.get("/anyone").json() == {"name": None, **ON_THE_LOOP}
        for client, name in ((ann, "ann"), (bob, "bob")):
            assert client.get(f"/login/{name}").json() == {"done": True}
            assert client.get("/user").json() == {"name": name, **ON_THE_LOOP}
        for path in ("/fresh", "/anyone"):
            assert ann.get(path).json() == {"name": "ann", **ON_THE_LOOP}
        assert bob.get("/sync").json() == {"name": "bob", **IN_A_WORKER}
        # Only the cookie that remembers: logged in, but not fresh.
        ann.cookies.delete("session")
        assert ann.get("/user").json() == {"name": "ann", **ON_THE_LOOP}
        assert ann.get("/fresh").status_code == 401
        assert ann.get("/logout").json() == {"done": True}
        assert ann.get("/user").status_code == 302
        assert bob.get("/user").json()["name"] == "bob"


def test_many_at_once():
    """The decorator is sync and waits for the view: that takes no thread away from the others."""
    with served(with_login) as server, server.client(limits=httpx.Limits()) as client:
        client.get("/login/ann")
        with ThreadPoolExecutor(TOGETHER) as threads:
            answers = list(threads.map(lambda _: client.get("/together"), range(TOGETHER)))
        assert {answer.status_code for answer in answers} == {200}
        assert all(answer.json() == {"name": "ann", **ON_THE_LOOP} for answer in answers)


# Flask-Caching


def with_cache() -> Any:
    from flask import Flask
    from flask_caching import Cache

    app = Flask(__name__)
    app.config.update(CACHE_TYPE="SimpleCache", CACHE_DEFAULT_TIMEOUT=60)
    cache = Cache(app)
    calls = dict.fromkeys(("view", "query", "memoized", "helper", "sync_helper"), 0)

    @app.get("/view")
    @cache.cached()
    async def view():
        calls["view"] += 1
        await asyncio.sleep(0.01)
        return {"calls": calls["view"], **place()}

    @app.get("/query")
    @cache.cached(query_string=True)
    async def query():
        calls["query"] += 1
        return {"calls": calls["query"], **place()}, 201, {"X-Cached": "1"}

    @app.get("/memoized/<int:number>")
    @cache.memoize()
    async def memoized(number):
        calls["memoized"] += 1
        return {"number": number, "calls": calls["memoized"], **place()}

    @app.get("/forget/<int:number>")
    async def forget(number):
        cache.delete_memoized(memoized, number)
        return "forgotten"

    @cache.memoize()
    async def helper(number):
        calls["helper"] += 1
        await asyncio.sleep(0.01)
        return {"number": number, "calls": calls["helper"], **place()}

    @cache.memoize()
    def sync_helper(number):
        calls["sync_helper"] += 1
        return {"number": number, "calls": calls["sync_helper"]}

    @app.get("/helper/from-sync/<int:number>")
    def helper_from_sync(number):
        return helper(number)

    @app.get("/helper/from-async/<int:number>")
    async def helper_from_async(number):
        return await app.sync_to_async(helper)(number)

    @app.get("/sync-helper/<int:number>")
    async def sync_helper_from_async(number):
        return sync_helper(number)

    @app.get("/used")
    async def used():
        first = cache.get("count") or 0
        cache.set("count", first + 1)
        return {"count": first}

    return app


def test_cached():
    with served(with_cache) as server, server.client() as client:
        for _ in range(3):
            assert client.get("/view").json() == {"calls": 1, **ON_THE_LOOP}
        for query, calls in (("a=1", 1), ("a=2", 2), ("a=1", 1)):
            answer = client.get(f"/query?{query}")
            assert answer.json() == {"calls": calls, **ON_THE_LOOP}
            assert (answer.status_code, answer.headers["X-Cached"]) == (201, "1")
        for number, calls in ((1, 1), (2, 2), (1, 1), (2, 2)):
            answer = client.get(f"/memoized/{number}").json()
            assert answer == {"number": number, "calls": calls, **ON_THE_LOOP}
        client.get("/forget/1")
        assert client.get("/memoized/1").json()["calls"] == 3
        assert client.get("/memoized/2").json()["calls"] == 2
        assert [client.get("/used").json()["count"] for _ in range(3)] == [0, 1, 2]


def test_memoized_function():
    """A memoized ``async def`` is a sync function, which waits: it is not to be called on the loop."""
    with served(with_cache) as server, server.client() as client:
        for _ in range(2):
            for way, number in (("from-sync", 1), ("from-async", 2)):
                answer = client.get(f"/helper/{way}/{number}")
                assert answer.json() == {"number": number, "calls": number, **ON_THE_LOOP}, way
            assert client.get("/sync-helper/1").json() == {"number": 1, "calls": 1}


# Flask-Limiter


def with_limits() -> Any:
    from flask import Flask, request
    from flask_limiter import Limiter

    app = Flask(__name__)
    limiter = Limiter(
        lambda: request.headers.get("X-User", "?"),
        app=app,
        default_limits=["5/hour"],
        storage_uri="memory://",
        headers_enabled=True,
    )

    @app.get("/limited")
    @limiter.limit("2/minute")
    async def limited():
        await asyncio.sleep(0.01)
        return place()

    @app.get("/default")
    async def default():
        return place()

    @app.get("/exempt")
    @limiter.exempt
    async def exempt():
        return place()

    @app.get("/shared/<name>")
    @limiter.shared_limit("3/minute", scope="shared")
    async def shared(name):
        return place()

    @app.get("/failures")
    @limiter.limit("1/minute", deduct_when=lambda response: response.status_code == 400)
    async def failures():
        return place(), int(request.args["status"])

    @app.get("/inside")
    async def inside():
        with limiter.limit("1/minute"):
            return place()

    @app.errorhandler(429)
    async def too_many(error):
        return {"limit": error.description, **place()}, 429

    return app


def test_limit():
    def statuses(path: str, count: int, user: str = "ann") -> list[int]:
        return [client.get(path, headers={"X-User": user}).status_code for _ in range(count)]

    with served(with_limits) as server, server.client() as client:
        first = client.get("/limited", headers={"X-User": "ann"})
        assert first.json() == ON_THE_LOOP
        assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("2", "1")
        assert statuses("/limited", 2) == [200, 429]
        refused = client.get("/limited", headers={"X-User": "ann"})
        assert refused.json() == {"limit": "2 per 1 minute", **ON_THE_LOOP}
        assert statuses("/limited", 3, "bob") == [200, 200, 429]
        assert statuses("/default", 6) == [200] * 5 + [429]
        assert statuses("/exempt", 6) == [200] * 6
        assert statuses("/shared/a", 2) + statuses("/shared/b", 2) == [200, 200, 200, 429]
        good = statuses("/failures?status=200", 3)
        assert good + statuses("/failures?status=400", 2) == [200, 200, 200, 400, 429]
        assert statuses("/inside", 2) == [200, 429]


# Flask-HTTPAuth


def with_http_auth() -> Any:
    from flask import Flask
    from flask_httpauth import HTTPBasicAuth, HTTPDigestAuth, HTTPTokenAuth, MultiAuth

    app = Flask(__name__)
    app.secret_key = "secret"
    basic, digest, token = HTTPBasicAuth(), HTTPDigestAuth(), HTTPTokenAuth("Bearer")
    either = MultiAuth(basic, token)
    passwords = {"ann": "1", "bob": "2"}

    @basic.verify_password
    async def verify(name, password):
        await asyncio.sleep(0.001)
        return name if passwords.get(name) == password else None

    @basic.get_user_roles
    async def roles(name):
        return {"ann": ["admin"], "bob": ["user"]}[name]

    @basic.error_handler
    async def refused(status):
        return {"refused": status, **place()}, status

    @digest.get_password
    async def password_of(name):
        return passwords.get(name)

    @token.verify_token
    async def verify_token(value):
        return {"t-ann": "ann"}.get(value)

    @app.get("/basic")
    @basic.login_required
    async def basic_view():
        await asyncio.sleep(0.001)
        return {"user": basic.current_user(), **place()}

    @app.get("/admin")
    @basic.login_required(role="admin")
    async def admin():
        return {"user": basic.current_user(), **place()}

    @app.get("/optional")
    @basic.login_required(optional=True)
    async def optional():
        return {"user": basic.current_user(), **place()}

    @app.get("/digest")
    @digest.login_required
    async def digest_view():
        return {"user": digest.username(), **place()}

    @app.get("/token")
    @token.login_required
    async def token_view():
        return {"user": token.current_user(), **place()}

    @app.get("/either")
    @either.login_required
    async def either_view():
        return {"user": either.current_user(), **place()}

    return app


def test_http_auth():
    ann, bob, wrong = ("ann", "1"), ("bob", "2"), ("ann", "2")
    bearer = {"Authorization": "Bearer t-ann"}
    with served(with_http_auth) as server, server.client() as client:
        assert client.get("/basic", auth=ann).json() == {"user": "ann", **ON_THE_LOOP}
        for auth in (wrong, None):
            refused = client.get("/basic", auth=auth)
            assert refused.json() == {"refused": 401, **ON_THE_LOOP}
            assert refused.headers["WWW-Authenticate"].startswith("Basic ")
        assert client.get("/admin", auth=ann).json() == {"user": "ann", **ON_THE_LOOP}
        assert client.get("/admin", auth=bob).json() == {"refused": 403, **ON_THE_LOOP}
        assert client.get("/optional").json() == {"user": None, **ON_THE_LOOP}
        assert client.get("/optional", auth=bob).json()["user"] == "bob"
        assert client.get("/digest", auth=httpx.DigestAuth(*bob)).json() == {"user": "bob", **ON_THE_LOOP}
        client.cookies.clear()
        assert client.get("/digest", auth=httpx.DigestAuth(*wrong)).status_code == 401
        assert client.get("/token", headers=bearer).json() == {"user": "ann", **ON_THE_LOOP}
        assert client.get("/token", headers={"Authorization": "Bearer x"}).status_code == 401
        for options in ({"auth": ann}, {"headers": bearer}):
            assert client.get("/either", **options).json() == {"user": "ann", **ON_THE_LOOP}


# Flask-JWT-Extended


def with_jwt() -> Any:
    from flask import Flask
    from flask_jwt_extended import (
        JWTManager,
        create_access_token,
        create_refresh_token,
        current_user,
        get_jwt,
        get_jwt_identity,
        jwt_required,
        set_access_cookies,
    )

    app = Flask(__name__)
    app.config.update(JWT_SECRET_KEY="s" * 40, JWT_TOKEN_LOCATION=["headers", "cookies"])
    manager = JWTManager(app)
    revoked = set()

    @manager.user_lookup_loader
    def look_up(header, data):
        return {"ann": {"name": "Ann"}}.get(data["sub"])

    @manager.token_in_blocklist_loader
    def is_revoked(header, data):
        return data["jti"] in revoked

    @app.post("/login/<name>")
    async def login(name):
        from flask import jsonify

        access = create_access_token(name, fresh=True, additional_claims={"role": "admin"})
        response = jsonify(access=access, refresh=create_refresh_token(name))
        set_access_cookies(response, access)
        return response

    @app.get("/required")
    @jwt_required()
    async def required():
        await asyncio.sleep(0.01)
        return {"name": current_user["name"], "role": get_jwt().get("role"), **place()}

    @app.get("/optional")
    @jwt_required(optional=True)
    async def optional():
        return {"identity": get_jwt_identity(), **place()}

    @app.post("/refresh")
    @jwt_required(refresh=True)
    async def refresh():
        return {"access": create_access_token(get_jwt_identity(), fresh=False), **place()}

    @app.get("/fresh")
    @jwt_required(fresh=True)
    async def fresh():
        return place()

    @app.post("/revoke")
    @jwt_required(locations=["headers"])
    async def revoke():
        revoked.add(get_jwt()["jti"])
        return place()

    return app


def test_jwt_required():
    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    with served(with_jwt) as server, server.client() as client:
        tokens = client.post("/login/ann").json()
        access, refresh = bearer(tokens["access"]), bearer(tokens["refresh"])
        expected = {"name": "Ann", "role": "admin", **ON_THE_LOOP}
        assert client.get("/required").json() == expected  # by cookie
        client.cookies.clear()
        assert client.get("/required").status_code == 401
        assert client.get("/required", headers=access).json() == expected
        assert client.get("/required", headers=bearer("x.y.z")).status_code == 422
        assert client.get("/required", headers=refresh).status_code == 422
        assert client.get("/optional").json() == {"identity": None, **ON_THE_LOOP}
        assert client.get("/optional", headers=access).json() == {"identity": "ann", **ON_THE_LOOP}
        assert client.get("/fresh", headers=access).json() == ON_THE_LOOP
        renewed = client.post("/refresh", headers=refresh).json()
        assert renewed == {"access": renewed["access"], **ON_THE_LOOP}
        assert client.get("/fresh", headers=bearer(renewed["access"])).status_code == 401
        assert client.post("/revoke", headers=access).json() == ON_THE_LOOP
        assert client.get("/required", headers=access).status_code == 401


# Flask-WTF


def with_forms() -> Any:
    from flask import Flask, render_template_string
    from flask_wtf import CSRFProtect, FlaskForm
    from flask_wtf.file import FileField
    from wtforms import IntegerField, StringField
    from wtforms.validators import InputRequired, Length

    app = Flask(__name__)
    app.secret_key = "secret"
    csrf = CSRFProtect(app)

    class Form(FlaskForm):
        name = StringField(validators=[InputRequired(), Length(max=5)])
        age = IntegerField()
        file = FileField()

    @app.route("/form", methods=["GET", "POST"])
    async def form():
        form = Form()
        if form.validate_on_submit():
            size = len(form.file.data.read()) if form.file.data else 0
            return {"name": form.name.data, "age": form.age.data, "size": size, **place()}
        return render_template_string("{{ form.csrf_token }}|{{ form.errors }}", form=form)

    @app.post("/unprotected")
    @csrf.exempt
    async def unprotected():
        return place()

    @app.post("/protected")
    async def protected():
        return place()

    return app


def test_forms():
    with served(with_forms) as server, server.client() as client:
        token = client.get("/form").text.partition('value="')[2].partition('"')[0]
        data = {"csrf_token": token, "name": "Ann", "age": "7"}
        assert client.post("/form", data=data).json() == {"name": "Ann", "age": 7, "size": 0, **ON_THE_LOOP}
        uploaded = client.post("/form", data=data, files={"file": ("a.bin", b"x" * 700_000)})
        assert uploaded.json() == {"name": "Ann", "age": 7, "size": 700_000, **ON_THE_LOOP}
        assert "Field cannot be longer than 5" in client.post("/form", data=data | {"name": "Annemarie"}).text
        for wrong in ({}, {"csrf_token": "x"}):
            assert client.post("/form", data=wrong).status_code == 400
        assert client.post("/unprotected").json() == ON_THE_LOOP
        assert client.post("/protected").status_code == 400
        assert client.post("/protected", headers={"X-CSRFToken": token}).json() == ON_THE_LOOP
        with server.client() as other:
            assert other.post("/form", data=data).status_code == 400


# Flask-Session


def with_session() -> Any:
    from cachelib import FileSystemCache
    from flask import Flask, session
    from flask_session import Session

    places = []

    class Cache(FileSystemCache):
        def get(self, key):
            if key.startswith("session:"):
                places.append(place())
            return super().get(key)

        def set(self, key, *args, **kwargs):
            if key.startswith("session:"):
                places.append(place())
            return super().set(key, *args, **kwargs)

    app = Flask(__name__)
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=Cache("sessions"))
    Session(app)

    @app.get("/")
    async def index():
        session["visits"] = session.get("visits", 0) + 1
        await asyncio.sleep(0.001)
        return {"visits": session["visits"], "store": places, **place()}

    return app


def test_session():
    """The session's store, which may be slow, is asked in a worker thread."""
    with served(with_session) as server, server.client() as client:
        assert client.get("/").json() == {"visits": 1, "store": [], **ON_THE_LOOP}
        answer = client.get("/").json()
        assert answer == {"visits": 2, "store": answer["store"], **ON_THE_LOOP}
        assert len(answer["store"]) >= 2  # saved, and opened again
        assert all(found == IN_A_WORKER for found in answer["store"])


# Flask-SQLAlchemy


def with_database() -> Any:
    from flask import Flask, abort
    from flask_sqlalchemy import SQLAlchemy

    app = Flask(__name__, instance_path=str(Path("instance").absolute()))
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///notes.sqlite"
    db = SQLAlchemy(app)

    class Note(db.Model):
        id = db.mapped_column(db.Integer, primary_key=True)
        text = db.mapped_column(db.String, unique=True)

    with app.app_context():
        db.create_all()

    @app.post("/<text>")
    async def add(text):
        note = Note(text=text)
        db.session.add(note)
        await asyncio.sleep(0.001)
        db.session.commit()
        return {"id": note.id, **place()}

    @app.get("/<int:number>")
    async def show(number):
        note = db.get_or_404(Note, number)
        await asyncio.sleep(0.001)
        return {"text": note.text, **place()}

    @app.get("/")
    async def index():
        page = db.paginate(db.select(Note).order_by(Note.id), per_page=2)
        return {"texts": [note.text for note in page], "total": page.total, **place()}

    @app.post("/undone")
    async def undone():
        db.session.add(Note(text="undone"))
        db.session.flush()
        abort(409)

    return app


def test_database():
    with served(with_database) as server, server.client() as client:
        for number, text in enumerate(("a", "b", "c"), 1):
            assert client.post(f"/{text}").json() == {"id": number, **ON_THE_LOOP}
        assert client.get("/2").json() == {"text": "b", **ON_THE_LOOP}
        assert client.get("/4").status_code == 404
        assert client.post("/undone").status_code == 409
        assert client.get("/?page=2").json() == {"texts": ["c"], "total": 3, **ON_THE_LOOP}
