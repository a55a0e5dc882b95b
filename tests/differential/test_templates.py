"""Templates: rendering, escaping, what is in their context, and where they are found."""

from __future__ import annotations

import datetime
import decimal
import uuid

from jinja2 import DictLoader, Undefined
from markupsafe import Markup

from .harness import case, raised


@case
def test_render_template(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        return fw.render_template("simple.html", whiskey=42)

    @app.get("/page")
    def page():
        return fw.render_template("page.html", title="<Title>", items=["a", "<b>"], user="ann")

    @app.get("/empty")
    def empty():
        return fw.render_template("page.html")

    @app.get("/list")
    def first_found():
        return fw.render_template(["missing.html", "simple.html"], whiskey="from a list")

    @app.get("/object")
    def template():
        return fw.render_template(app.jinja_env.get_template("simple.html"), whiskey="object")

    @app.get("/string")
    def string():
        return fw.render_template_string("{{ a }} {{ b|default('none') }} {{ 1 + 1 }}", a="<x>")

    @app.get("/status")
    def status():
        return fw.render_template("simple.html", whiskey=1), 418, {"X-A": "1"}

    @app.get("/missing")
    def missing():
        return fw.render_template("missing.html")

    @app.get("/missing-list")
    def missing_list():
        return fw.render_template(["missing.html", "gone.html"])

    @app.get("/bad")
    def bad():
        return fw.render_template("bad.html")

    @app.get("/undefined")
    def undefined():
        return fw.render_template_string("{{ absent.attribute }}")

    return app, [
        "/", "/page", "/empty", "/list", "/object", "/string", "/status", "/missing", "/missing-list", "/bad",
        "/undefined",
    ]  # fmt: skip


@case
def test_autoescape(fw):
    app = fw.Flask(__name__)
    text, html = "<p>Hello & World\"'", Markup("<p>Hello")

    @app.get("/<path:name>")
    def show(name):
        return fw.render_template(name, text=text, html=html)

    @app.get("/string")
    def string():
        return fw.render_template_string(
            "{{ text }} {{ html }} {{ text|safe }} {{ text|e }} {{ html|e }}"
            "{% autoescape false %}{{ text }}{% endautoescape %}",
            text=text, html=html,
        )  # fmt: skip

    names = [
        "escaping.html",
        "plain.txt",
        *(f"escape.{suffix}" for suffix in ("htm", "xml", "xhtml", "svg", "js", "HTML", "html.j2")),
    ]
    return app, [*(f"/{name}" for name in names), "/string"]


@case
def test_own_autoescape(fw):
    class App(fw.Flask):
        def select_jinja_autoescape(self, filename):
            return filename is not None and filename.endswith(".txt")

    app = App(__name__)

    @app.get("/<path:name>")
    def show(name):
        return fw.render_template(name, text="<b>", html=Markup("<b>"))

    @app.get("/string")
    def string():
        return fw.render_template_string("{{ '<b>' }}")

    return app, ["/escaping.html", "/plain.txt", "/string"]


@case
def test_tojson(fw):
    app = fw.Flask(__name__)
    values = [
        "</script>", "<!--", "'\"&", "\u2028", [1, None, True], {"b": 1, "a": "ü"}, 1.5,
        datetime.date(2024, 1, 2), uuid.UUID(int=5), decimal.Decimal("1.50"), Markup("<b>"), "☃", (1, 2),
        {"<k>": "<v>"},
    ]  # fmt: skip

    @app.get("/")
    def index():
        return fw.render_template_string(
            "{% for value in values %}{{ value|tojson }}\n{% endfor %}", values=values
        )

    @app.get("/attribute")
    def attribute():
        return fw.render_template_string(
            "<a x='{{ v|tojson }}' y=\"{{ v|tojson|forceescape }}\">", v={"a": "'\"<>&"}
        )

    @app.get("/indent")
    def indent():
        return fw.render_template_string("{{ {'b': [1], 'a': 2}|tojson(indent=2) }}")

    return app, ["/", "/attribute", "/indent"]


@case
def test_standard_context(fw):
    app = fw.Flask(__name__)
    app.config.update(SECRET_KEY="k", OWN="own")

    @app.get("/")
    def index():
        fw.g.value = "from g"
        fw.session["key"] = "from session"
        return fw.render_template_string(
            "{{ config.OWN }} {{ config['OWN'] }} {{ request.path }} {{ request.args.q }} {{ session.key }} "
            "{{ g.value }} {{ url_for('index', q=1) }} {{ get_flashed_messages() }} {{ 'absent' in session }}"
        )

    @app.get("/override")
    def override():
        return fw.render_template_string("{{ request }} {{ config }} {{ g }}", request="r", config="c", g="g")

    def steps(client):
        yield client.get("/?q=<1>")
        yield client.get("/override")
        with app.app_context():
            yield fw.render_template_string(
                "{{ config.OWN }} {{ g is defined }} {{ request is defined }} {{ session is defined }}"
            )
        with app.test_request_context("/x?q=1"):
            yield fw.render_template("simple.html", whiskey="outside")
            yield fw.render_template_string("{{ request.args.q }} {{ request.path }}")
        yield raised(fw.render_template_string, "x")

    return app, steps


@case
def test_imported_templates_have_the_globals_but_no_context(fw):
    loader = DictLoader({
        "_macro.html": "{% macro show() %}{{ config.OWN }} {{ url_for('index') }} {{ v|default('none') }} "
        "{{ injected|default('none') }} {{ g.value }} {{ request.path }}{% endmacro %}",
        "without.html": "{% from '_macro.html' import show %}{{ show() }}",
        "with.html": "{% from '_macro.html' import show with context %}{{ show() }}",
        "include.html": "{% include '_included.html' %}",
        "_included.html": "{{ injected }} {{ v }}",
    })  # fmt: skip
    app = fw.Flask(__name__)
    app.jinja_loader = loader
    app.config["OWN"] = "own"

    @app.context_processor
    def inject():
        return {"injected": "injected"}

    @app.get("/", endpoint="index")
    @app.get("/<name>")
    def show(name="with"):
        fw.g.value = "g"
        return fw.render_template(f"{name}.html", v="value")

    return app, ["/without", "/with", "/include"]


@case
def test_context_processors(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__)
    other = fw.Blueprint("other", __name__)
    log = []

    @app.context_processor
    def first():
        log.append("first")
        return {"a": "first", "b": "first", "function": lambda value: f"called {value}"}

    @app.context_processor
    def second():
        log.append("second")
        return {"b": "second", "path": fw.request.path if fw.has_request_context() else "none"}

    @bp.context_processor
    def in_bp():
        log.append("bp")
        return {"a": "bp"}

    @bp.app_context_processor
    def for_app():
        log.append("app-wide")
        return {"wide": "wide"}

    @other.context_processor
    def in_other():
        log.append("other")
        return {"a": "other"}

    def show():
        return fw.render_template_string(
            "{{ a }} {{ b }} {{ path }} {{ wide }} {{ function(1) }} {{ given }}", given="given"
        )

    app.add_url_rule("/", "index", show)
    bp.add_url_rule("/bp", "index", show)
    other.add_url_rule("/other", "index", show)
    app.register_blueprint(bp)
    app.register_blueprint(other)

    @app.get("/explicit")
    def explicit():
        return fw.render_template_string("{{ a }} {{ b }}", a="explicit")

    @app.errorhandler(404)
    def lost(error):
        return fw.render_template_string("lost {{ a }}"), 404

    def steps(client):
        for path in ("/", "/bp", "/other", "/explicit", "/missing"):
            yield client.get(path)
        with app.app_context():
            yield fw.render_template_string("{{ a }} {{ path }}")

    return app, steps, log


@case(asynchronous=["inject", "inject_bp"], sync=["index"])
def test_context_processors_of_a_sync_view(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__)

    @app.context_processor
    def inject():
        return {"user": "ann"}

    @bp.context_processor
    def inject_bp():
        return {"site": fw.request.blueprint}

    def index():
        return fw.render_template_string("{{ user }} {{ site }}") + fw.render_template("nested/part.html")

    app.add_url_rule("/", "index", index)
    bp.add_url_rule("/bp", "index", index)
    app.register_blueprint(bp)
    return app, ["/", "/bp"]


@case
def test_filters_tests_and_globals(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__)

    @app.template_filter()
    def reverse_it(value):
        return value[::-1]

    @app.template_filter("shout")
    def loud(value, mark="!"):
        return value.upper() + mark

    @app.template_test()
    def boolean(value):
        return isinstance(value, bool)

    @app.template_test("longer_than")
    def longer(value, size):
        return len(value) > size

    @app.template_global()
    def double(value):
        return value * 2

    @app.template_global("named")
    def some_name():
        return "named global"

    @bp.app_template_filter()
    def bp_filter(value):
        return f"bp {value}"

    @bp.app_template_test("bp_test")
    def some_test(value):
        return value == "bp"

    @bp.app_template_global()
    def bp_global():
        return fw.request.path

    app.add_template_filter(lambda value: f"<{value}>", "angle")
    app.add_template_test(lambda value: value == 7, "seven")
    app.add_template_global(lambda: "added", "added")
    bp.add_app_template_filter(lambda value: f"[{value}]", "square")
    bp.add_app_template_test(lambda value: value == 8, "eight")
    bp.add_app_template_global(lambda: "bp added", "bp_added")
    app.jinja_env.filters["direct"] = len
    app.jinja_env.globals["direct"] = "direct global"
    app.register_blueprint(bp)

    @app.get("/")
    def index():
        return fw.render_template_string(
            "{{ 'abc'|reverse_it }} {{ 'a'|shout }} {{ 'a'|shout('?') }} {{ true is boolean }} "
            "{{ 1 is boolean }} {{ 'abc' is longer_than(2) }} {{ double(4) }} {{ named() }} "
            "{{ 'x'|bp_filter }} {{ 'bp' is bp_test }} {{ bp_global() }} {{ 'x'|angle }} {{ 7 is seven }} "
            "{{ added() }} {{ 'x'|square }} {{ 8 is eight }} {{ bp_added() }} {{ 'ab'|direct }} {{ direct }}"
        )

    return app, ["/"]


@case
def test_environment_options(fw):
    class App(fw.Flask):
        jinja_options = {"trim_blocks": True, "lstrip_blocks": True, "extensions": ["jinja2.ext.do"]}

    class Silent(Undefined):
        def __str__(self):
            return "undefined!"

    app = App(__name__)
    app.jinja_options = {
        **app.jinja_options,
        "undefined": Silent,
        "variable_start_string": "[[",
        "variable_end_string": "]]",
    }

    @app.get("/")
    def index():
        return fw.render_template_string(
            "{% if true %}\n  a\n  {% endif %}\n[[ absent ]]{% do [].append(1) %} {{ x }}"
        )

    @app.get("/details")
    def details():
        environment = app.jinja_env
        return repr((environment.trim_blocks, environment.auto_reload, app.jinja_env is environment))

    return app, ["/", "/details"]


@case
def test_auto_reload(fw):
    def reload(**config):
        app = fw.Flask(__name__)
        app.config.update(config)
        return app.jinja_env.auto_reload

    app = fw.Flask(__name__)

    def steps(_):
        yield (
            reload(),
            reload(DEBUG=True),
            reload(TEMPLATES_AUTO_RELOAD=True),
            reload(DEBUG=True, TEMPLATES_AUTO_RELOAD=False),
        )

    return app, steps


@case
def test_get_template_attribute(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        hello = fw.get_template_attribute("macro.html", "hello")
        answer = fw.get_template_attribute("macro.html", "answer")
        missing = raised(fw.get_template_attribute, "macro.html", "absent")
        return (
            f"{hello('<World>')} {hello('you', greeting='Hi')} {answer} {missing} {type(hello('x')).__name__}"
        )

    return app, ["/"]


@case
def test_folders(fw):
    app = fw.Flask(__name__)
    first = fw.Blueprint("first", __name__, template_folder="bp_templates", url_prefix="/first")
    second = fw.Blueprint("second", __name__, template_folder="other_templates", url_prefix="/second")

    @app.context_processor
    def for_app():
        return {"app_value": "app"}

    @first.context_processor
    def for_first():
        return {"bp_value": "first"}

    def show(name):
        return fw.render_template(name, x=1)

    for scaffold in (app, first, second):
        scaffold.add_url_rule("/<path:name>", "show", show)
    app.register_blueprint(first)
    app.register_blueprint(second)
    return app, [
        "/shared.html", "/first/shared.html", "/only.html", "/first/only.html", "/second/only.html",
        "/second/other.html", "/other.html", "/nested/part.html", "/first/nested/../shared.html",
        "/missing.html",
    ]  # fmt: skip


@case
def test_template_folder_option(fw):
    app = fw.Flask(__name__, template_folder="other_templates")
    without = fw.Flask(__name__, template_folder=None)

    @app.get("/<name>")
    @without.get("/<name>")
    def show(name):
        return fw.render_template(name, x="x")

    def steps(client):
        yield client.get("/other.html")
        yield client.get("/simple.html")
        yield without.test_client().get("/simple.html")

    return app, steps


@case
def test_own_loader(fw):
    class App(fw.Flask):
        def create_global_jinja_loader(self):
            return DictLoader({"index.html": "Hello {{ 'Own' }} <b>{{ '<i>' }}</b>"})

    app = App(__name__)

    @app.get("/")
    def index():
        return fw.render_template("index.html")

    return app, ["/"]


@case
def test_own_environment(fw):
    class App(fw.Flask):
        def create_jinja_environment(self):
            environment = super().create_jinja_environment()
            environment.globals["made"] = "made"
            return environment

    app = App(__name__)

    @app.get("/")
    def index():
        return fw.render_template_string("{{ made }} {{ config.DEBUG }}")

    return app, ["/"]


@case
def test_explain_template_loading(fw):
    app = fw.Flask(__name__)
    app.config["EXPLAIN_TEMPLATE_LOADING"] = True

    @app.get("/<name>")
    def show(name):
        return fw.render_template(name, whiskey=1)

    return app, ["/simple.html", "/missing.html"]


@case
def test_stream_template(fw):
    app = fw.Flask(__name__)

    @app.get("/file")
    def file():
        return fw.stream_template("page.html", title="streamed", items=range(3), user="ann")

    @app.get("/string")
    def string():
        return fw.stream_template_string(
            "{% for n in numbers %}{{ n }} {{ request.path }} {% endfor %}{{ g.value }}", numbers=[1, 2]
        )

    @app.before_request
    def before():
        fw.g.value = "from g"

    @app.get("/response")
    def response():
        return fw.Response(
            fw.stream_template("simple.html", whiskey="<w>"), status=203, mimetype="text/plain"
        )

    @app.get("/missing")
    def missing():
        return fw.stream_template("missing.html")

    return app, ["/file", "/string", "/response", "/missing"]


@case
def test_template_that_fails(fw):
    app = fw.Flask(__name__)

    @app.errorhandler(ZeroDivisionError)
    def division(error):
        return fw.render_template_string("divided {{ error }}", error=error), 400

    @app.get("/handled")
    def handled():
        return fw.render_template_string("{{ 1 / 0 }}")

    @app.get("/unhandled")
    def unhandled():
        return fw.render_template_string("{{ none.x.y }}")

    @app.get("/syntax")
    def syntax():
        return fw.render_template_string("{% endif %}")

    @app.get("/abort")
    def abort():
        return fw.render_template_string("{{ stop(409) }}", stop=fw.abort)

    return app, ["/handled", "/unhandled", "/syntax", "/abort"]
