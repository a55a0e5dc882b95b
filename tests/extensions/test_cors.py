"""Flask-CORS: on the application, on a blueprint, on a view; preflights, errors, and what is not allowed."""

from __future__ import annotations

from tests.differential.harness import get, options, post

from . import needs
from .differential import case

needs.installed(flask_cors="Flask-CORS")

ORIGIN = {"Origin": "https://shop.example"}
PREFLIGHT = {
    **ORIGIN,
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "X-Token, Content-Type",
}


@case
def test_application(fw):
    from flask_cors import CORS

    app = fw.Flask(__name__)
    CORS(app)

    @app.route("/", methods=["GET", "PUT"])
    def index():
        return {"method": fw.request.method}

    @app.get("/redirect")
    def redirect():
        return fw.redirect("/")

    @app.get("/cookie")
    def cookie():
        response = fw.make_response("set")
        response.set_cookie("a", "b")
        return response

    return app, [
        "/",
        get("/", headers=ORIGIN),
        options("/", headers=PREFLIGHT),
        options("/"),
        get("/redirect", headers=ORIGIN),
        get("/cookie", headers=ORIGIN),
        get("/missing", headers=ORIGIN),
        post("/", headers=ORIGIN),
    ]


@case
def test_resources(fw):
    from flask_cors import CORS

    app = fw.Flask(__name__)
    app.config["CORS_MAX_AGE"] = 600
    CORS(
        app,
        resources={
            r"/api/*": {
                "origins": ["https://shop.example", r"https://.*\.test"],
                "expose_headers": ["X-Total"],
            },
            r"/open/*": {"origins": "*", "send_wildcard": True, "methods": ["GET"]},
        },
        supports_credentials=False,
        allow_private_network=True,
    )

    @app.route("/api/<int:number>", methods=["GET", "PUT", "DELETE"])
    def api(number):
        return {"number": number}, 200, {"X-Total": "1"}

    @app.get("/open/<name>")
    def public(name):
        return name

    @app.get("/closed")
    def closed():
        return "closed"

    others = {"Origin": "https://elsewhere.example"}
    network = {**PREFLIGHT, "Access-Control-Request-Private-Network": "true"}
    return app, [
        get("/api/1", headers=ORIGIN),
        get("/api/1", headers={"Origin": "https://a.test"}),
        get("/api/1", headers=others),
        options("/api/1", headers=PREFLIGHT),
        options("/api/1", headers=network),
        options("/api/1", headers={**PREFLIGHT, **others}),
        get("/open/a", headers=others),
        options("/open/a", headers=PREFLIGHT),
        get("/closed", headers=ORIGIN),
        get("/api/x", headers=ORIGIN),
    ]


@case
def test_blueprint_and_view(fw):
    from flask_cors import CORS, cross_origin

    app = fw.Flask(__name__)
    blueprint = fw.Blueprint("api", __name__, url_prefix="/api")
    CORS(blueprint, origins="https://shop.example", supports_credentials=True, allow_headers=["X-Token"])

    @blueprint.route("/", methods=["GET", "PUT"])
    def api():
        return "api"

    @app.route("/view", methods=["POST", "OPTIONS"])
    @cross_origin(origins=["https://shop.example"], methods=["POST"], max_age=60, vary_header=False)
    def view():
        return {"form": fw.request.form.to_dict()}

    @app.get("/plain")
    def plain():
        return "plain"

    app.register_blueprint(blueprint)
    return app, [
        get("/api/", headers=ORIGIN),
        options("/api/", headers=PREFLIGHT),
        post("/view", headers=ORIGIN, data={"a": "1"}),
        options("/view", headers=PREFLIGHT),
        post("/view", headers={"Origin": "https://elsewhere.example"}),
        get("/plain", headers=ORIGIN),
        get("/api/missing", headers=ORIGIN),
    ]


@case
def test_errors(fw):
    """The headers have to be on the answers to exceptions as well: Flask-CORS wraps the error handling."""
    from flask_cors import CORS

    app = fw.Flask(__name__)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    CORS(app)

    @app.errorhandler(LookupError)
    def lookup(error):
        return {"error": str(error)}, 410

    @app.errorhandler(403)
    def forbidden(error):
        return {"error": error.description}, 403

    @app.get("/lookup")
    def raise_lookup():
        raise KeyError("gone")

    @app.get("/forbidden")
    def abort():
        fw.abort(403, "no")

    @app.get("/unhandled")
    def unhandled():
        raise RuntimeError("oops")

    return app, [get(path, headers=ORIGIN) for path in ("/lookup", "/forbidden", "/unhandled", "/missing")]
