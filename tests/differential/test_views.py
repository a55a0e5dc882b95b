"""Class-based views."""

from __future__ import annotations

from functools import wraps

from .harness import case, raised


@case
def test_view(fw):
    app = fw.Flask(__name__)

    class Item(fw.views.View):
        methods = ["GET", "PUT"]

        def __init__(self, prefix, suffix=""):
            self.prefix, self.suffix = prefix, suffix

        def dispatch_request(self, **values):
            return f"{self.prefix}{fw.request.method} {sorted(values.items())}{self.suffix}"

    app.add_url_rule("/item/<int:n>", view_func=Item.as_view("item", "p-", suffix="-s"))
    app.add_url_rule("/other", view_func=Item.as_view("other", "o-"))

    def steps(client):
        for path in ("/item/1", "/other"):
            for method in ("GET", "PUT", "POST", "HEAD", "OPTIONS"):
                yield client.open(path, method=method)
        view = app.view_functions["item"]
        yield view.__name__, view.view_class is Item, view.methods, raised(fw.views.View().dispatch_request)

    return app, steps


@case
def test_method_view(fw):
    app = fw.Flask(__name__)

    class ItemView(fw.views.MethodView):
        def get(self, n=None):
            return f"get {n}"

        def post(self):
            return f"post {fw.request.form.get('a')}", 201

        def delete(self, n):
            return "", 204

        def propfind(self):
            return "propfind"

    class ChildView(ItemView):
        def patch(self, n):
            return f"patch {n}"

    view = ItemView.as_view("items")
    app.add_url_rule("/items/", defaults={"n": None}, view_func=view, methods=["GET"])
    app.add_url_rule("/items/", view_func=view, methods=["POST", "PROPFIND"])
    app.add_url_rule("/items/<int:n>", view_func=view, methods=["GET", "DELETE"])
    app.add_url_rule("/child/<int:n>", view_func=ChildView.as_view("child"))

    def steps(client):
        yield sorted(ItemView.methods), sorted(ChildView.methods)
        for path in ("/items/", "/items/5", "/child/6"):
            for method in ("GET", "POST", "DELETE", "PATCH", "PUT", "HEAD", "OPTIONS", "PROPFIND"):
                yield client.open(path, method=method, data={"a": "b"} if method == "POST" else None)

    return app, steps


@case
def test_head_of_a_method_view(fw):
    app = fw.Flask(__name__)

    class GetView(fw.views.MethodView):
        def get(self):
            return "body", {"X-Via": "get"}

    class HeadView(fw.views.MethodView):
        def get(self):
            return "body", {"X-Via": "get"}

        def head(self):
            return "", {"X-Via": "head"}

    class OptionsView(fw.views.MethodView):
        def get(self):
            return "body"

        def options(self):
            return "own options"

    app.add_url_rule("/get", view_func=GetView.as_view("get"))
    app.add_url_rule("/head", view_func=HeadView.as_view("head"))
    app.add_url_rule("/options", view_func=OptionsView.as_view("options"))

    def steps(client):
        for path in ("/get", "/head", "/options"):
            for method in ("GET", "HEAD", "OPTIONS", "POST"):
                yield client.open(path, method=method)

    return app, steps


@case
def test_init_every_request(fw):
    app = fw.Flask(__name__)

    class FreshView(fw.views.MethodView):
        def __init__(self):
            self.count = 0

        def get(self):
            self.count += 1
            return str(self.count)

    class SharedView(FreshView):
        init_every_request = False

    class SharedPlainView(fw.views.View):
        init_every_request = False
        count = 0

        def dispatch_request(self):
            self.count += 1
            return str(self.count)

    for name, cls in {"fresh": FreshView, "shared": SharedView, "plain": SharedPlainView}.items():
        app.add_url_rule(f"/{name}", view_func=cls.as_view(name))

    return app, ["/fresh", "/fresh", "/shared", "/shared", "/plain", "/plain"]


@case
def test_decorators(fw):
    app = fw.Flask(__name__)

    def add(name):
        def decorate(view):
            @wraps(view)
            def wrapper(*args, **kwargs):
                log.append(name)
                return view(*args, **kwargs)

            return wrapper

        return decorate

    log = []

    class ListView(fw.views.View):
        decorators = [add("inner"), add("outer")]

        def dispatch_request(self):
            log.append("view")
            return "list"

    class OtherView(fw.views.MethodView):
        decorators = (add("only"),)

        def get(self):
            return "other"

    app.add_url_rule("/list", view_func=ListView.as_view("list"))
    app.add_url_rule("/other", view_func=OtherView.as_view("other"))
    return app, ["/list", "/other"], log


@case
def test_attributes_of_a_class(fw):
    app = fw.Flask(__name__)

    class NoOptionsView(fw.views.View):
        provide_automatic_options = False

        def dispatch_request(self):
            return f"{fw.request.method}"

    class OwnOptionsView(fw.views.View):
        methods = ["GET", "OPTIONS"]
        provide_automatic_options = False

        def dispatch_request(self):
            return f"own {fw.request.method}"

    class EmptyView(fw.views.MethodView):
        pass

    class NamedView(fw.views.MethodView):
        """The documentation of the view."""

        def get(self):
            return "named"

    for name, cls in {
        "no": NoOptionsView,
        "own": OwnOptionsView,
        "empty": EmptyView,
        "named": NamedView,
    }.items():
        app.add_url_rule(f"/{name}", view_func=cls.as_view(name))

    def steps(client):
        for name in ("no", "own", "empty", "named"):
            for method in ("GET", "OPTIONS", "POST"):
                yield client.open(f"/{name}", method=method)
        view = app.view_functions["named"]
        yield view.__doc__, view.__name__, view.__module__ == NamedView.__module__

    return app, steps


@case
def test_views_on_blueprints_and_errors(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__, url_prefix="/bp")

    class ItemView(fw.views.MethodView):
        def get(self, name):
            if name == "abort":
                fw.abort(404)
            if name == "fail":
                raise ValueError("in a class")
            return f"{fw.url_for('.item', name='x')} {fw.request.endpoint}"

    bp.add_url_rule("/<name>", view_func=ItemView.as_view("item"))

    @bp.errorhandler(ValueError)
    def value(error):
        return f"handled {error}", 400

    app.register_blueprint(bp)
    return app, ["/bp/x", "/bp/abort", "/bp/fail"]


@case
def test_own_dispatch_request(fw):
    """A MethodView whose dispatch_request works with the result of the method."""
    app = fw.Flask(__name__)

    class JSONView(fw.views.View):
        methods = ["GET", "POST"]

        def dispatch_request(self, **values):
            result = {"method": fw.request.method, "values": values}
            response = fw.jsonify(result)
            response.headers["X-View"] = type(self).__name__
            return response

    app.add_url_rule("/<int:n>", view_func=JSONView.as_view("json"))

    def steps(client):
        yield client.get("/1")
        yield client.post("/2")

    return app, steps
