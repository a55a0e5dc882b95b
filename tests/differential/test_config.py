"""Configuration: where values come from, and what the application makes of them."""

from __future__ import annotations

import datetime
import json
import os
import tomllib
from pathlib import Path
from unittest import mock

from .harness import ORACLE, case, framework, raised

FILES = Path(__file__).parent / "config_files"


@case
def test_defaults(fw):
    app = fw.Flask(__name__)

    def steps(_):
        known = framework(ORACLE).Flask.default_config
        yield sorted((key, repr(value)) for key, value in fw.Flask.default_config.items() if key in known)
        yield app.debug, app.testing, app.secret_key, app.permanent_session_lifetime, app.config["DEBUG"]

    return app, steps


@case
def test_from_object_and_mapping(fw):
    class Base:
        TEST_KEY = "base"
        SECRET_KEY = "config"
        lower = "ignored"

    class Child(Base):
        TEST_KEY = "child"

        @property
        def COMPUTED(self):
            return f"computed {self.TEST_KEY}"

    app = fw.Flask(__name__)

    def steps(_):
        app.config.from_object(Base)
        yield app.config["TEST_KEY"], app.secret_key, "lower" in app.config, "lower" in dir(app.config)
        app.config.from_object(Child())
        yield app.config["TEST_KEY"], app.config["COMPUTED"]
        app.config.from_object(f"{__name__}.StringConfig")
        yield app.config["FROM_STRING"]
        yield (
            raised(app.config.from_object, "missing.module"),
            raised(app.config.from_object, f"{__name__}.Missing"),
        )
        yield (
            app.config.from_mapping({"TEST_KEY": "mapping", "lower": 1}),
            app.config["TEST_KEY"],
            "lower" in app.config,
        )
        yield app.config.from_mapping(KEYWORD="keyword"), app.config["KEYWORD"]
        yield raised(app.config.from_mapping, {}, {})
        app.config.update(A=1)
        yield app.config["A"], app.config.get("ABSENT"), raised(lambda: app.config["ABSENT"])
        yield type(app.config).__name__, isinstance(app.config, dict), repr(app.config)[:9]

    return app, steps


class StringConfig:
    FROM_STRING = "from a string"


@case
def test_from_files(fw):
    app = fw.Flask(__name__)

    def steps(_):
        yield (
            app.config.from_pyfile(FILES / "config.cfg"),
            app.config["TEST_KEY"],
            app.config["COMPUTED"],
            "lower" in app.config,
        )
        yield app.config.from_pyfile("config_files/config.cfg"), app.config["SECRET"]
        yield (
            raised(app.config.from_pyfile, "missing.cfg"),
            app.config.from_pyfile("missing.cfg", silent=True),
        )
        yield raised(app.config.from_pyfile, "config_files/broken.cfg")
        yield raised(app.config.from_pyfile, "config_files/broken.cfg", silent=True)
        yield (
            app.config.from_file("config_files/config.json", load=json.load),
            app.config["TEST_KEY"],
            app.config["NESTED"],
        )
        yield (
            app.config.from_file(FILES / "config.toml", load=tomllib.load, text=False),
            app.config["TEST_KEY"],
            app.config["NESTED"],
        )
        yield raised(app.config.from_file, "missing.json", load=json.load)
        yield app.config.from_file("missing.json", load=json.load, silent=True)

    return app, steps


@case
def test_from_the_environment(fw):
    app = fw.Flask(__name__)
    environment = {
        "FLASK_STRING": "text", "FLASK_INT": "1", "FLASK_FLOAT": "1.2", "FLASK_BOOL": "true",
        "FLASK_NULL": "null", "FLASK_LIST": "[1, 2]", "FLASK_QUOTED": '"3"', "FLASK_BAD": "{bad",
        "FLASK_NEST__KEY": "v", "FLASK_NEST__DEEP__ER": "5", "FLASK_DICT": '{"a": 1}', "FLASK_DICT__b": "2",
        "FLASK_": "empty", "FLASK_lower": "lower", "OTHER_KEY": "other", "NOT_FLASK": "x",
        "FLASK_TRUE": "True", "CONFIG_FILE": str(FILES / "config.cfg"), "EMPTY_FILE": "",
        "MISSING_FILE": str(FILES / "missing.cfg"),
    }  # fmt: skip

    def steps(_):
        with mock.patch.dict(os.environ, environment):
            before = set(app.config)
            yield (
                app.config.from_prefixed_env(),
                sorted((key, app.config[key]) for key in set(app.config) - before),
            )
            yield app.config.from_prefixed_env("OTHER"), app.config["KEY"]
            yield app.config.from_prefixed_env("NOT", loads=str.upper), app.config.get("FLASK")
            yield app.config.from_envvar("CONFIG_FILE"), app.config["TEST_KEY"]
            yield (
                raised(app.config.from_envvar, "ABSENT_VARIABLE"),
                app.config.from_envvar("ABSENT_VARIABLE", silent=True),
            )
            yield raised(app.config.from_envvar, "EMPTY_FILE"), raised(app.config.from_envvar, "MISSING_FILE")
            yield app.config.from_envvar("MISSING_FILE", silent=True)

    return app, steps


@case
def test_get_namespace(fw):
    app = fw.Flask(__name__)
    app.config.update(STORE_TYPE="fs", STORE_PATH="/p", STORE_Mixed_Case=1, OTHER="x", STORE_=2)

    def steps(_):
        yield app.config.get_namespace("STORE_")
        yield app.config.get_namespace("STORE_", lowercase=False)
        yield app.config.get_namespace("STORE_", trim_namespace=False)
        yield app.config.get_namespace("STORE_", lowercase=False, trim_namespace=False)
        yield app.config.get_namespace("ABSENT_")

    return app, steps


@case
def test_config_attributes(fw):
    app = fw.Flask(__name__)

    class Own(fw.Flask):
        own = fw.config.ConfigAttribute("OWN_VALUE")
        converted = fw.config.ConfigAttribute(
            "SECONDS", get_converter=lambda value: datetime.timedelta(seconds=value)
        )

    def steps(_):
        app.testing = True
        app.secret_key = "attribute"
        app.permanent_session_lifetime = 100
        yield (
            app.config["TESTING"],
            app.config["SECRET_KEY"],
            app.config["PERMANENT_SESSION_LIFETIME"],
            app.permanent_session_lifetime,
        )
        app.config["PERMANENT_SESSION_LIFETIME"] = datetime.timedelta(minutes=1)
        app.config["TESTING"] = False
        yield app.testing, app.permanent_session_lifetime
        app.debug = True
        yield app.config["DEBUG"]
        own = Own(__name__)
        yield raised(lambda: own.own)
        own.own = 5
        own.config["SECONDS"] = 90
        yield own.config["OWN_VALUE"], own.own, own.converted, isinstance(Own.own, fw.config.ConfigAttribute)

    return app, steps


@case
def test_own_config_class(fw):
    class Config(fw.Config):
        def upper(self):
            return sorted(key for key in self if key.startswith("OWN"))

    class App(fw.Flask):
        config_class = Config
        default_config = {**fw.Flask.default_config, "OWN_DEFAULT": 1}

    app = App(__name__)

    def steps(_):
        yield (
            app.config.upper(),
            app.config["OWN_DEFAULT"],
            isinstance(app.config, Config),
            os.path.basename(app.config.root_path),
        )
        separate = fw.Config("/root", {"A": 1})
        yield separate["A"], separate.root_path

    return app, steps


@case
def test_the_debug_variable(fw):
    app = fw.Flask(__name__)

    def steps(_):
        for value in ("1", "0", "true", "no", ""):
            with mock.patch.dict(os.environ, {"FLASK_DEBUG": value}):
                yield value, fw.Flask(__name__).debug

    return app, steps


@case
def test_config_in_a_request(fw):
    app = fw.Flask(__name__)
    app.config["OWN"] = "value"

    @app.get("/")
    def index():
        config = fw.current_app.config
        return f"{config['OWN']} {config.get('ABSENT', 'default')} {fw.current_app.debug}"

    @app.get("/set/<value>")
    def set_value(value):
        fw.current_app.config["OWN"] = value
        return "set"

    return app, ["/", "/set/new", "/"]
