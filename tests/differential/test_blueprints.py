"""Blueprints: names, prefixes, nesting, and what registration allows."""

from __future__ import annotations

import os

from .harness import case, get, raised


@case
def test_url_prefixes(fw):
    app = fw.Flask(__name__)

    def blueprint(name, **options):
        bp = fw.Blueprint(name, __name__, **options)
        bp.add_url_rule("/", "index", lambda **values: f"{name} index {sorted(values.items())}")
        bp.add_url_rule("/page", "page", lambda **values: f"{name} page {sorted(values.items())}")
        bp.add_url_rule("", "bare", lambda **values: f"{name} bare")
        return bp

    app.register_blueprint(blueprint("a", url_prefix="/a"))
    app.register_blueprint(blueprint("b", url_prefix="/b/"))
    app.register_blueprint(blueprint("c", url_prefix="/ignored"), url_prefix="/c")
    app.register_blueprint(blueprint("d"), url_prefix="/d/<int:n>")
    app.register_blueprint(blueprint("e", url_prefix="/e/<x>", url_defaults={"y": 2}))

    paths = [
        f"/{name}{path}" for name in ("a", "b", "c", "d/5", "e/x") for path in ("", "/", "/page", "//page")
    ]

    def steps(client):
        yield sorted((rule.rule, rule.endpoint) for rule in app.url_map.iter_rules())
        for path in paths:
            yield client.get(path)

    return app, steps


@case
def test_url_defaults_of_a_blueprint(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__, url_defaults={"lang": "en", "kind": "default"})

    @bp.get("/show", defaults={"kind": "own"})
    def show(lang, kind):
        return f"{lang} {kind}"

    @bp.get("/<lang>/page")
    def page(lang, kind):
        return f"{lang} {kind}"

    app.register_blueprint(bp, url_prefix="/one", url_defaults={"lang": "de"})
    app.register_blueprint(bp, url_prefix="/two", name="two")
    return app, ["/one/show", "/two/show", "/one/fr/page", "/two/fr/page", "/one/de/page", "/two/en/page"]


@case
def test_nesting(fw):
    app = fw.Flask(__name__)
    parent = fw.Blueprint("parent", __name__, url_prefix="/parent")
    child = fw.Blueprint("child", __name__)
    grandchild = fw.Blueprint("grandchild", __name__, url_prefix="/grandchild")

    def show():
        request = fw.request
        urls = fw.url_for(".index"), fw.url_for(request.endpoint)
        return f"{request.endpoint} {request.blueprint} {request.blueprints} {urls}"

    for bp in (parent, child, grandchild):
        bp.add_url_rule("/", "index", show)

    @parent.errorhandler(404)
    def parent_404(error):
        return "parent 404", 404

    @grandchild.get("/lost")
    def lost():
        fw.abort(404)

    child.register_blueprint(grandchild)
    child.register_blueprint(grandchild, name="renamed", url_prefix="/renamed")
    parent.register_blueprint(child, url_prefix="/child")
    parent.register_blueprint(child, url_prefix="/again", name="again")
    app.register_blueprint(parent)
    app.register_blueprint(parent, name="other", url_prefix="/other")

    def steps(client):
        yield sorted(
            (rule.rule, rule.endpoint) for rule in app.url_map.iter_rules() if rule.endpoint != "static"
        )
        yield sorted(app.blueprints)
        for prefix in ("/parent", "/other"):
            for path in (
                "/",
                "/child/",
                "/again/",
                "/child/grandchild/",
                "/child/renamed/",
                "/child/grandchild/lost",
                "/nothing",
            ):
                yield client.get(prefix + path)

    return app, steps


@case
def test_nested_subdomains_and_prefixes(fw):
    def build(parent_options, child_options, register_parent, register_child):
        app = fw.Flask(__name__, subdomain_matching=True, static_folder=None)
        app.config["SERVER_NAME"] = "example.com"
        parent = fw.Blueprint("parent", __name__, **parent_options)
        child = fw.Blueprint("child", __name__, **child_options)
        child.add_url_rule("/x", "x", lambda **values: f"child {sorted(values.items())} {fw.url_for('.x')}")
        parent.add_url_rule("/x", "x", lambda: "parent")
        parent.register_blueprint(child, **register_child)
        app.register_blueprint(parent, **register_parent)
        return [
            (rule.subdomain, rule.rule, rule.endpoint)
            for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.endpoint)
        ]

    app = fw.Flask(__name__)
    sub, prefix = ({"subdomain": "s"}, {"url_prefix": "/p"})
    other = {"subdomain": "o", "url_prefix": "/o"}

    def steps(_):
        for options in [
            (sub, {}, {}, {}), ({}, sub, {}, {}), (sub, {"subdomain": "t"}, {}, {}), ({}, {}, sub, {}),
            ({}, {}, {}, sub), (prefix, {}, {}, {}), (prefix, prefix, {}, {}), ({}, prefix, prefix, prefix),
            (sub, prefix, other, {}), (sub, prefix, {}, other),
            ({"url_prefix": "/"}, {"url_prefix": "/c/"}, {}, {}), (other, other, other, other),
        ]:  # fmt: skip
            yield build(*options)

    return app, steps


@case
def test_names(fw):
    app = fw.Flask(__name__)
    one = fw.Blueprint("same", __name__)
    two = fw.Blueprint("same", __name__)

    def register():
        app.register_blueprint(one)
        yield raised(app.register_blueprint, one)
        yield raised(app.register_blueprint, two)
        app.register_blueprint(two, name="different")
        app.register_blueprint(one, name="third", url_prefix="/third")
        yield raised(app.register_blueprint, one, name="third")

    def steps(_):
        yield from register()
        yield sorted(app.blueprints), app.blueprints["third"] is one, app.blueprints["different"] is two
        yield raised(fw.Blueprint, "", __name__)
        yield raised(fw.Blueprint, "a.b", __name__)
        yield raised(one.add_url_rule, "/", "a.b", lambda: "")
        yield raised(two.add_url_rule, "/", view_func=lambda: "", endpoint="dotted.name")
        yield raised(two.register_blueprint, two)
        bp = fw.Blueprint("bp", __name__, url_prefix="/bp", root_path="/tmp")
        yield (
            bp.name,
            bp.import_name == __name__,
            bp.url_prefix,
            bp.root_path,
            bp.has_static_folder,
            bp.static_folder,
            str(bp)[:16],
        )

    return app, steps


@case
def test_view_function_names(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__)

    def dotted():
        return "dotted"

    dotted.__name__ = "a.b"

    def steps(client):
        yield raised(bp.add_url_rule, "/dotted", view_func=dotted)
        yield raised(bp.add_url_rule, "/named", "named", dotted)
        app.add_url_rule("/dotted", view_func=dotted)
        yield client.get("/dotted")
        yield sorted(app.view_functions)

    return app, steps


@case
def test_record(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__, url_prefix="/bp", subdomain=None)
    log = []

    @bp.record
    def recorded(state):
        log.append(
            (
                "record",
                state.app is app,
                state.blueprint is bp,
                state.first_registration,
                state.url_prefix,
                sorted(state.options),
            )
        )
        state.add_url_rule("/recorded", f"recorded{len(log)}", lambda: "recorded")

    @bp.record_once
    def once(state):
        log.append(("once", state.name, state.name_prefix, state.subdomain, state.url_defaults))
        state.app.config["ONCE"] = state.app.config.get("ONCE", 0) + 1

    def steps(client):
        app.register_blueprint(bp)
        app.register_blueprint(bp, name="again", url_prefix="/again", own=1)
        yield app.config["ONCE"]
        yield client.get("/bp/recorded")
        yield client.get("/again/recorded")

    return app, steps, log


@case
def test_own_register(fw):
    log = []

    class Blueprint(fw.Blueprint):
        def register(self, app, options):
            log.append(sorted(options.items()))
            super().register(app, options)

    app = fw.Flask(__name__)
    bp = Blueprint("bp", __name__)

    @bp.get("/")
    def index():
        return "index"

    app.register_blueprint(bp, url_prefix="/x", own="option")
    return app, ["/x/"], log


@case
def test_endpoint_decorator_and_methods(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__, url_prefix="/bp")

    @bp.endpoint("bp.own")
    def own():
        return fw.request.endpoint

    bp.add_url_rule("/own", endpoint="own")

    @bp.route("/many", methods=["POST", "PUT"])
    @bp.get("/many")
    def many():
        return f"{fw.request.method} {fw.request.endpoint}"

    @bp.delete("/many", endpoint="gone")
    def gone():
        return "", 204

    @bp.patch("/many")
    def change():
        return "changed"

    app.register_blueprint(bp)

    def steps(client):
        yield client.get("/bp/own")
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
            yield client.open("/bp/many", method=method)

    return app, steps


@case
def test_resources_of_a_blueprint(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint(
        "bp", __name__, static_folder="static", static_url_path="/bp-static", template_folder="bp_templates"
    )

    @bp.get("/")
    def index():
        return "\n".join([
            fw.render_template("shared.html"), fw.render_template("only.html", app_value="given"),
            fw.url_for(".static", filename="x"), str(bp.has_static_folder),
            os.path.basename(bp.static_folder), bp.static_url_path, os.path.basename(bp.root_path),
            str(bp.get_send_file_max_age("x")), type(bp.jinja_loader).__name__,
        ])  # fmt: skip

    app.register_blueprint(bp)

    def steps(client):
        yield client.get("/")
        with app.test_request_context():
            response = bp.send_static_file("hello.txt")
            yield response.status
            response.close()
        yield client.get("/bp-static/hello.txt")
        yield raised(fw.Blueprint("without", __name__).send_static_file, "x")

    return app, steps


@case
def test_cli_group_of_a_blueprint(fw):
    def build(**options):
        app = fw.Flask(__name__)
        bp = fw.Blueprint("bp", __name__, **options)

        @bp.cli.command("hello")
        def hello():
            print("hello")

        app.register_blueprint(
            bp, **({"cli_group": "late"} if options.get("cli_group") == "replaced" else {})
        )
        runner = app.test_cli_runner()
        return [
            runner.invoke(args=arguments).output
            for arguments in (["bp", "hello"], ["hello"], ["own", "hello"], ["late", "hello"])
        ]

    app = fw.Flask(__name__)

    def steps(_):
        for options in ({}, {"cli_group": None}, {"cli_group": "own"}, {"cli_group": "replaced"}):
            yield [output == "hello\n" for output in build(**options)]

    return app, steps


@case
def test_blueprint_of_a_blueprint_in_url_for(fw):
    app = fw.Flask(__name__)
    api = fw.Blueprint("api", __name__, url_prefix="/api")
    v1 = fw.Blueprint("v1", __name__, url_prefix="/v1")

    @v1.get("/users/<int:n>")
    def user(n):
        return fw.jsonify(
            own=fw.url_for(".user", n=n + 1), absolute=fw.url_for("api.v1.user", n=n),
            external=fw.url_for(".user", n=1, _external=True),
            query=fw.url_for(".user", n=1, page=2, _anchor="top"), root=fw.url_for("root"),
            wrong=raised(fw.url_for, ".nothing"),
        )  # fmt: skip

    @app.get("/")
    def root():
        return fw.url_for("api.v1.user", n=1)

    api.register_blueprint(v1)
    app.register_blueprint(api)
    return app, ["/", "/api/v1/users/1", get("/api/v1/users/1", base_url="https://example.com/root")]
