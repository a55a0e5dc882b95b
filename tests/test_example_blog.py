"""The example blog, used as its readers and authors use it."""

from __future__ import annotations

import importlib
import io
import re
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def blog() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        yield importlib.import_module("examples.blog")


@pytest.fixture(scope="module")
def demo_database(blog: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database after the first start: passwords are slow to hash, so it is made once and copied."""
    instance = tmp_path_factory.mktemp("first_start")
    return Path(blog.create_app({"INSTANCE": str(instance)}).config["DATABASE"])


@pytest.fixture
def app(blog: ModuleType, demo_database: Path, tmp_path: Path) -> Any:
    shutil.copy(demo_database, tmp_path)
    return blog.create_app({"INSTANCE": str(tmp_path), "SECRET_KEY": "test", "TESTING": True})


class Person:
    """Someone with a browser: it keeps cookies, and sends each form with the token of its page."""

    def __init__(self, app: Any) -> None:
        self.client = app.test_client()

    def get(self, path: str, status: int = 200) -> str:
        response = self.client.get(path)
        assert response.status_code == status
        return str(response.get_data(as_text=True))

    def send(self, path: str, *, form: str | None = None, **fields: Any) -> Any:
        """Open the page with the form, send it filled in, and follow to where that leads."""
        page = self.get(form or path)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token is not None
        data = {"csrf_token": token[1], **fields}
        return self.client.post(path, data=data, follow_redirects=True)

    def login(self, name: str = "ada", password: str = "demo", path: str = "/auth/login") -> Any:
        return self.send(path, name=name, password=password)

    def write(self, title: str = "A title", body: str = "Some text", **fields: Any) -> Any:
        return self.send("/write", title=title, body=body, **fields)


@pytest.fixture
def reader(app: Any) -> Person:
    return Person(app)


@pytest.fixture
def ada(app: Any) -> Person:
    """One of the two users of the demo data, logged in."""
    ada = Person(app)
    with ada.client.session_transaction() as session:
        session["user_id"] = 1
    return ada


def image_file(content: bytes = PNG, name: str = "my moth.png") -> tuple[io.BytesIO, str]:
    return io.BytesIO(content), name


def uploads(app: Any) -> list[Path]:
    return sorted(Path(app.config["UPLOAD_FOLDER"]).iterdir())


def test_first_start_fills_the_database(reader: Person) -> None:
    page = reader.get("/")
    assert "The seventh post" in page
    assert "Page 1 of 2" in page
    assert "Welcome to the blog" not in page
    assert 'href="/?page=2"' in page
    assert "Welcome to the blog" in reader.get("/?page=2")
    assert "The seventh post" in reader.get("/?page=nonsense")
    for number in (0, 3, -1, 10**30):
        assert "404" in reader.get(f"/?page={number}", 404)


def test_second_start_keeps_the_data(blog: ModuleType, app: Any, ada: Person) -> None:
    ada.write("Kept over a restart")
    again = blog.create_app(dict(app.config))
    assert "Kept over a restart" in Person(again).get("/")
    assert Person(again).get("/").count("Kept over a restart") == 1


def test_without_demo_data_there_is_nothing(blog: ModuleType, tmp_path: Path) -> None:
    app = blog.create_app({"INSTANCE": str(tmp_path), "DEMO_DATA": False})
    page = Person(app).get("/")
    assert "Nothing has been written yet." in page
    assert "Page 1" not in page


def test_processes_that_start_together_fill_the_database_once(blog: ModuleType, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        apps = list(pool.map(blog.create_app, [{"INSTANCE": str(tmp_path)}] * 4))
    assert len({app.config["SECRET_KEY"] for app in apps}) == 1
    with closing(sqlite3.connect(apps[0].config["DATABASE"])) as connection:
        assert connection.execute("select count(*) from user").fetchone() == (2,)
        assert connection.execute("select count(*) from post").fetchone() == (7,)


def test_secret_key_is_kept_and_private(blog: ModuleType, tmp_path: Path) -> None:
    keys = {blog.create_app({"INSTANCE": str(tmp_path)}).config["SECRET_KEY"] for _ in range(2)}
    assert len(keys) == 1
    assert len(keys.pop()) == 64
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_reading_a_post(reader: Person) -> None:
    page = reader.get("/1")
    assert "<h1>Welcome to the blog</h1>" in page
    assert page.count("<p>") >= 2
    assert "Edit" not in page
    assert "There is no such post." in reader.get("/99", 404)
    reader.get("/9999999999999999999999", 404)
    reader.get("/not-a-number", 404)


def test_register_log_out_and_in(reader: Person) -> None:
    page = reader.send("/auth/register", name="Zoë", password=PASSWORD).get_data(as_text=True)
    assert "Welcome, Zoë!" in page
    assert "Log out Zoë" in page
    assert "Welcome, Zoë!" not in reader.get("/")
    page = reader.send("/auth/logout", form="/").get_data(as_text=True)
    assert "You are logged out." in page
    assert "Log in" in page
    assert "Hello, Zoë." in reader.login("zoë", PASSWORD).get_data(as_text=True)


@pytest.mark.parametrize(
    ("name", "password", "problem"),
    [
        ("", PASSWORD, "Please choose a name."),
        ("   ", PASSWORD, "Please choose a name."),
        ("x" * 41, PASSWORD, "at most 40"),
        ("new\x00line", PASSWORD, "at most 40"),
        ("eve", "short", "at least 8"),
        ("ada", PASSWORD, "The name ada is taken."),
        ("ADA", PASSWORD, "The name ADA is taken."),
        ("<b>ada</b>" * 5, PASSWORD, "at most 40"),
    ],
)
def test_registrations_that_are_refused(reader: Person, name: str, password: str, problem: str) -> None:
    page = reader.send("/auth/register", name=name, password=password).get_data(as_text=True)
    assert problem in page
    assert "Log out" not in page
    assert "<b>" not in page


def test_passwords_are_stored_as_hashes(app: Any, reader: Person) -> None:
    reader.send("/auth/register", name="Eve", password=PASSWORD)
    with closing(sqlite3.connect(app.config["DATABASE"])) as connection:
        (stored,) = connection.execute("select password_hash from user where name = 'Eve'").fetchone()
    assert stored.startswith("scrypt:")
    assert PASSWORD not in stored
    assert PASSWORD.encode() not in Path(app.config["DATABASE"]).read_bytes()


@pytest.mark.parametrize(
    ("name", "password"), [("ada", "wrong"), ("nobody", "demo"), ("", ""), ("ada' --", "demo")]
)
def test_logins_that_fail(reader: Person, name: str, password: str) -> None:
    page = reader.login(name, password).get_data(as_text=True)
    assert "Wrong name or password." in page
    assert "Log out" not in page


def test_login_leads_back(reader: Person) -> None:
    response = reader.client.get("/write?draft=1")
    assert response.status_code == 302
    assert response.headers["Location"] == "/auth/login?next=/write?draft%3D1"
    response = reader.login(path=response.headers["Location"])
    assert response.request.path == "/write"
    assert response.request.args["draft"] == "1"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "evil",
        "\\\\evil",
        "",
    ],
)
def test_login_does_not_lead_elsewhere(reader: Person, target: str) -> None:
    reader.get("/auth/login")
    token = session_of(reader)["csrf_token"]
    data = {"csrf_token": token, "name": "ada", "password": "demo"}
    response = reader.client.post("/auth/login", query_string={"next": target}, data=data)
    assert response.status_code == 302
    assert response.headers["Location"] == "/"


def session_of(person: Person) -> dict[str, Any]:
    with person.client.session_transaction() as session:
        return dict(session)


def test_login_begins_a_new_session(reader: Person) -> None:
    reader.get("/auth/login")
    with reader.client.session_transaction() as session:
        session["planted"] = "before the login"
    reader.login()
    session = session_of(reader)
    assert "planted" not in session
    assert session["user_id"] == 1


def test_a_deleted_user_is_logged_out(app: Any, ada: Person) -> None:
    with closing(sqlite3.connect(app.config["DATABASE"])) as connection:
        connection.executescript("delete from post; delete from user")
    assert "Log out" not in ada.get("/")


def test_write_change_and_delete(app: Any, ada: Person) -> None:
    response = ada.write("First <title>", "One\r\ntwo\r\n\r\n<script>three</script>")
    page = response.get_data(as_text=True)
    path = response.request.path
    assert "Published." in page
    assert "<h1>First &lt;title&gt;</h1>" in page
    assert "<p>One<br>\ntwo</p>\n<p>&lt;script&gt;three&lt;/script&gt;</p>" in page
    assert "changed" not in page
    assert "First &lt;title&gt;" in ada.get("/")

    assert "&lt;script&gt;three" in ada.get(f"{path}/edit")
    page = ada.send(f"{path}/edit", title="Second title", body="Four").get_data(as_text=True)
    assert "Saved." in page
    assert "Second title" in page
    assert "changed" in page
    assert "three" not in page

    page = ada.send(f"{path}/delete", form=path).get_data(as_text=True)
    assert "“Second title” is deleted." in page
    ada.get(path, 404)


@pytest.mark.parametrize(
    ("title", "body", "problem"),
    [("", "text", "needs a title"), ("x" * 121, "text", "at most 120"), ("title", " \n", "needs some text")],
)
def test_posts_that_are_refused(app: Any, ada: Person, title: str, body: str, problem: str) -> None:
    page = ada.write(title, body, image=image_file()).get_data(as_text=True)
    assert problem in page
    assert uploads(app) == []
    page = ada.send("/1/edit", title=title, body=body, image=image_file()).get_data(as_text=True)
    assert problem in page
    assert uploads(app) == []
    assert "Welcome to the blog" in ada.get("/1")


def test_missing_fields_are_a_bad_request(ada: Person) -> None:
    assert ada.send("/write", title="no body").status_code == 400
    assert ada.send("/auth/login", name="no password").status_code == 400


def test_only_the_author_may_change_a_post(app: Any, ada: Person, reader: Person) -> None:
    reader.login("grace")
    assert "Edit" not in reader.get("/1")
    assert "Only its author can change a post." in reader.get("/1/edit", 403)
    for path in ("/1/edit", "/1/delete"):
        assert reader.send(path, form="/write", title="Taken over", body="x").status_code == 403
    assert "Welcome to the blog" in ada.get("/1")
    assert ada.send("/99/delete", form="/write").status_code == 404


@pytest.mark.parametrize("path", ["/write", "/1/edit", "/1/delete"])
def test_visitors_are_sent_to_the_login(reader: Person, path: str) -> None:
    response = reader.send(path, form="/auth/login", title="x", body="y")
    assert response.request.path == "/auth/login"
    assert "Welcome to the blog" in reader.get("/1")


@pytest.mark.parametrize(
    "path", ["/write", "/1/edit", "/1/delete", "/auth/login", "/auth/logout", "/auth/register"]
)
@pytest.mark.parametrize("token", [None, "", "wrong", "ä"])
def test_forms_without_the_token_are_refused(ada: Person, path: str, token: str | None) -> None:
    ada.get("/write")
    data = {"title": "x", "body": "y", "name": "x", "password": PASSWORD}
    if token is not None:
        data["csrf_token"] = token
    response = ada.client.post(path, data=data)
    assert response.status_code == 400
    assert "This form has expired." in response.get_data(as_text=True)
    assert "Welcome to the blog" in ada.get("/1")
    assert "Log out ada" in ada.get("/")


def test_a_token_belongs_to_its_session(app: Any, ada: Person, reader: Person) -> None:
    reader.get("/auth/login")
    token = session_of(reader)["csrf_token"]
    ada.get("/write")
    assert session_of(ada)["csrf_token"] != token
    response = ada.client.post("/write", data={"csrf_token": token, "title": "x", "body": "y"})
    assert response.status_code == 400
    fresh = app.test_client()
    assert (
        fresh.post("/auth/login", data={"csrf_token": "", "name": "ada", "password": "demo"}).status_code
        == 400
    )


def test_pictures_are_kept_and_sent_back(app: Any, ada: Person, reader: Person) -> None:
    response = ada.write(image=image_file(name="../../my moth.PNG"))
    (kept,) = uploads(app)
    assert re.fullmatch(r"[0-9a-f]{16}-my_moth\.png", kept.name)
    assert kept.read_bytes() == PNG
    path = f"/images/{kept.name}"
    assert f'src="{path}"' in response.get_data(as_text=True)

    with reader.client.get(path) as picture:
        assert picture.data == PNG
        assert picture.mimetype == "image/png"
        assert picture.headers["X-Content-Type-Options"] == "nosniff"
        assert "max-age=31536000" in picture.headers["Cache-Control"]
        etag = picture.headers["ETag"]
    with reader.client.get(path, headers={"If-None-Match": etag}) as picture:
        assert picture.status_code == 304
    with reader.client.get(path, headers={"Range": "bytes=0-3"}) as picture:
        assert picture.status_code == 206
        assert picture.data == PNG[:4]
    for missing in ("/images/other.png", "/images/..%2Fblog.sqlite", "/images/../secret_key"):
        assert reader.client.get(missing).status_code == 404


def test_a_new_picture_replaces_the_old_one(app: Any, ada: Person) -> None:
    path = ada.write(image=image_file()).request.path
    (first,) = uploads(app)
    ada.send(f"{path}/edit", title="t", body="kept picture")
    assert uploads(app) == [first]
    ada.send(f"{path}/edit", title="t", body="b", image=image_file(PNG + b"new", "new.png"))
    (second,) = uploads(app)
    assert second.read_bytes() == PNG + b"new"
    page = ada.send(f"{path}/edit", title="t", body="b", remove_image="on").get_data(as_text=True)
    assert "<img" not in page
    assert uploads(app) == []


def test_a_deleted_post_takes_its_picture_along(app: Any, ada: Person) -> None:
    path = ada.write(image=image_file()).request.path
    assert len(uploads(app)) == 1
    ada.send(f"{path}/delete", form=path)
    assert uploads(app) == []


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<svg onload=alert(1)>", "picture.svg"),
        (b"<script>", "picture.png"),
        (PNG, "picture.exe"),
        (PNG, "picture"),
        (PNG, "picture.jpg"),
        (b"", "empty.png"),
        (PNG, "../.png"),
    ],
)
def test_what_is_no_picture_is_refused(app: Any, ada: Person, content: bytes, name: str) -> None:
    page = ada.write("Not published", image=image_file(content, name)).get_data(as_text=True)
    assert "A picture is a PNG, JPEG or GIF file." in page
    assert uploads(app) == []
    assert "Not published" not in ada.get("/")


def test_too_large_a_picture_gets_a_page_of_its_own(app: Any, ada: Person) -> None:
    assert app.config["MAX_CONTENT_LENGTH"] == 2 * 1024 * 1024
    app.config["MAX_CONTENT_LENGTH"] = 256 * 1024
    response = ada.write(image=image_file(PNG + b"\0" * 256 * 1024))
    assert response.status_code == 413
    page = response.get_data(as_text=True)
    assert "may have 0.25 MB" in page
    assert "Log out ada" in page
    assert uploads(app) == []


def test_search_page(reader: Person) -> None:
    page = reader.get("/?q=moth")
    assert "Found: one moth" in page
    assert "The seventh post" not in page
    assert "Nothing was found." in reader.get("/?q=%25")
    assert "Nothing was found." in reader.get("/?q=_")
    assert "&lt;b&gt;" in reader.get("/?q=%3Cb%3E")
    reader.get("/?q=" + "x" * 10_000)


def test_pages_of_a_search_keep_the_words(app: Any, ada: Person) -> None:
    for number in range(6):
        ada.write(f"Needle {number}")
    page = ada.get("/?q=needle")
    assert "Page 1 of 2" in page
    assert 'href="/?page=2&amp;q=needle"' in page
    assert "Needle 0" in ada.get("/?page=2&q=needle")


def test_search_as_json(reader: Person, ada: Person) -> None:
    ada.write("Schön & gut", "needle")
    response = reader.client.get("/api/search?q=needle")
    assert response.mimetype == "application/json"
    found = response.get_json()
    assert found["query"] == "needle"
    (post,) = found["posts"]
    assert (post["title"], post["author"], post["url"]) == ("Schön & gut", "ada", f"/{post['id']}")
    assert reader.client.get("/api/search").get_json() == {"query": "", "posts": []}
    assert len(reader.client.get("/api/search?q=e").get_json()["posts"]) == 5
    assert len(reader.client.get("/api/search?q=e&limit=2").get_json()["posts"]) == 2
    assert len(reader.client.get("/api/search?q=e&limit=-7").get_json()["posts"]) == 1
    assert len(reader.client.get("/api/search?q=e&limit=999").get_json()["posts"]) == 8
    assert reader.client.get("/api/search?q=%25").get_json()["posts"] == []


def test_search_with_a_logged_in_user_uses_both_kinds_of_function(ada: Person) -> None:
    """The user is loaded by a ``def`` hook, the view is ``async def``, the teardown ``def`` again."""
    for _ in range(20):
        assert ada.client.get("/api/search?q=moth").status_code == 200


def test_errors_look_like_the_site_or_are_json(reader: Person) -> None:
    page = reader.get("/nowhere", 404)
    assert "Back to the posts" in page
    response = reader.client.get("/api/nowhere")
    assert response.status_code == 404
    assert response.get_json()["error"] == "Not Found"
    response = reader.client.delete("/1")
    assert response.status_code == 400  # the missing token is found before the method
    response = reader.client.get("/1/delete")
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert "Method Not Allowed" in response.get_data(as_text=True)


def test_every_answer_has_the_security_headers(reader: Person) -> None:
    for path in ("/", "/nowhere", "/api/search", "/static/style.css"):
        with reader.client.get(path) as response:
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]


def test_init_db_command(app: Any, ada: Person, reader: Person) -> None:
    ada.write("Soon to be gone")
    runner = app.test_cli_runner()
    assert runner.invoke(args=["init-db"], input="n\n").exit_code == 1
    assert "Soon to be gone" in reader.get("/")
    result = runner.invoke(args=["init-db", "--yes"])
    assert result.exit_code == 0, result.output
    assert "The database is ready." in result.output
    page = reader.get("/")
    assert "Soon to be gone" not in page
    assert "The seventh post" in page
    assert runner.invoke(args=["init-db", "--yes", "--no-demo"]).exit_code == 0
    assert "Nothing has been written yet." in reader.get("/")


def test_connections_are_closed(
    blog: ModuleType, app: Any, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = importlib.import_module("examples.blog.db")
    opened: list[sqlite3.Connection] = []
    connect = db.connect

    def counting(path: str) -> sqlite3.Connection:
        opened.append(connect(path))
        return opened[-1]

    monkeypatch.setattr(db, "connect", counting)
    ada.get("/")
    ada.get("/99", 404)
    assert len(opened) == 2
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("select 1")
