"""`asyncflask.config`. Every test runs on Flask's class too, so that both are held to the same words."""

from __future__ import annotations

import errno
import json
import os
import sys
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask.config
import pytest
from hypothesis import given
from hypothesis import strategies as st

import asyncflask.config

modules = pytest.mark.parametrize("module", [flask.config, asyncflask.config], ids=["flask", "asyncflask"])


@pytest.fixture(params=[flask.config.Config, asyncflask.config.Config], ids=["flask", "asyncflask"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return request.param(tmp_path)


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in os.environ:
        if name.startswith(("FLASK_", "APP_")):
            monkeypatch.delenv(name)
    return monkeypatch


class TestDict:
    @modules
    def test_defaults_are_copied(self, module: Any) -> None:
        defaults = {"DEBUG": None, "lower": 1}
        config = module.Config("/", defaults)
        config["DEBUG"] = True
        assert (config, defaults["DEBUG"]) == ({"DEBUG": True, "lower": 1}, None)
        assert isinstance(config, dict)

    def test_repr(self, config: Any) -> None:
        config["A"] = 1
        assert repr(config) == "<Config {'A': 1}>"

    @modules
    def test_repr_names_the_subclass(self, module: Any) -> None:
        class Settings(module.Config):
            pass

        assert repr(Settings("/")) == "<Settings {}>"


class TestFromObject:
    def test_class_with_its_bases(self, config: Any) -> None:
        class Base:
            KEY = "base"
            OTHER = "base"

        class Settings(Base):
            KEY = "own"
            lower = 1
            Mixed = 2
            WITH_1_DIGIT = 3
            _PRIVATE = 4

        config.from_object(Settings)
        assert config == {"KEY": "own", "OTHER": "base", "WITH_1_DIGIT": 3, "_PRIVATE": 4}

    def test_properties_need_an_instance(self, config: Any) -> None:
        class Settings:
            @property
            def KEY(self) -> str:
                return "computed"

        config.from_object(Settings)
        assert isinstance(config["KEY"], property)
        config.from_object(Settings())
        assert config["KEY"] == "computed"

    def test_keys_of_a_dict_are_no_attributes(self, config: Any) -> None:
        config.from_object({"KEY": 1})
        assert config == {}

    @pytest.mark.parametrize("path", ["app_settings", "app_settings.Inner", "app_settings:Inner"])
    def test_import_path(
        self, config: Any, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "app_settings.py").write_text("KEY = 1\nclass Inner:\n    KEY = 2\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "app_settings", raising=False)
        config.from_object(path)
        assert config["KEY"] == (1 if path == "app_settings" else 2)
        monkeypatch.delitem(sys.modules, "app_settings")

    @pytest.mark.parametrize("path", ["no_such_module_at_all", "json.no_such_name", "json:no_such_name"])
    def test_import_path_that_leads_nowhere(self, config: Any, path: str) -> None:
        with pytest.raises(ImportError, match="no_such"):
            config.from_object(path)


class TestFromPyfile:
    def test_relative_to_the_root_path(self, config: Any, tmp_path: Path) -> None:
        (tmp_path / "settings.cfg").write_text(
            "KEY = 'a' * 3\nlower = KEY\nFILE = __file__\nNAME = __name__\n"
        )
        assert config.from_pyfile("settings.cfg") is True
        assert config == {"KEY": "aaa", "FILE": str(tmp_path / "settings.cfg"), "NAME": "config"}

    def test_absolute_and_pathlike(self, config: Any, tmp_path: Path) -> None:
        file = tmp_path / "settings.py"
        file.write_text("KEY = 1")
        config.root_path = "/nowhere"
        assert config.from_pyfile(file)
        assert config == {"KEY": 1}

    @pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-15"])
    def test_coding_declaration(self, config: Any, tmp_path: Path, encoding: str) -> None:
        (tmp_path / "c.py").write_text(f'# -*- coding: {encoding} -*-\nKEY = "fäß€"\n', encoding)
        config.from_pyfile("c.py")
        assert config["KEY"] == "fäß€"

    def test_missing_file(self, config: Any) -> None:
        assert config.from_pyfile("missing.cfg", silent=True) is False
        with pytest.raises(IOError) as raised:
            config.from_pyfile("missing.cfg")
        assert raised.value.errno == errno.ENOENT
        assert str(raised.value).startswith(
            "[Errno 2] Unable to load configuration file (No such file or directory):"
        )
        assert str(raised.value).endswith("missing.cfg'")

    def test_directory_and_file_used_as_directory(self, config: Any, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for name, number in [(".", errno.EISDIR), ("file/settings.cfg", errno.ENOTDIR)]:
            assert config.from_pyfile(name, silent=True) is False
            with pytest.raises(OSError, match="Unable to load configuration file") as raised:
                config.from_pyfile(name)
            assert raised.value.errno == number

    def test_silent_is_only_about_missing_files(self, config: Any, tmp_path: Path) -> None:
        (tmp_path / "broken.cfg").write_text("KEY = = 1")
        (tmp_path / "raises.cfg").write_text("KEY = 1 / 0")
        with pytest.raises(SyntaxError) as raised:
            config.from_pyfile("broken.cfg", silent=True)
        assert raised.value.filename == str(tmp_path / "broken.cfg")
        with pytest.raises(ZeroDivisionError):
            config.from_pyfile("raises.cfg", silent=True)
        with pytest.raises(OSError, match="Unable to load configuration file"):
            config.from_pyfile("x" * 5000, silent=True)
        assert config == {}


class TestFromEnvvar:
    def test_file(self, config: Any, tmp_path: Path, env: pytest.MonkeyPatch) -> None:
        (tmp_path / "settings.cfg").write_text("KEY = 1")
        env.setenv("APP_SETTINGS", "settings.cfg")
        assert config.from_envvar("APP_SETTINGS") is True
        assert config == {"KEY": 1}

    @pytest.mark.parametrize("value", [None, ""])
    def test_unset(self, config: Any, env: pytest.MonkeyPatch, value: str | None) -> None:
        if value is not None:
            env.setenv("APP_SETTINGS", value)
        with pytest.raises(RuntimeError, match="'APP_SETTINGS' is not set"):
            config.from_envvar("APP_SETTINGS")
        assert config.from_envvar("APP_SETTINGS", silent=True) is False

    def test_missing_file(self, config: Any, env: pytest.MonkeyPatch) -> None:
        env.setenv("APP_SETTINGS", "missing.cfg")
        with pytest.raises(IOError, match=r"Unable to load configuration file.*missing\.cfg"):
            config.from_envvar("APP_SETTINGS")
        assert config.from_envvar("APP_SETTINGS", silent=True) is False


class TestFromPrefixedEnv:
    def test_values_are_json_or_strings(self, config: Any, env: pytest.MonkeyPatch) -> None:
        variables = {
            "STRING": "value",
            "QUOTED": '"value"',
            "BOOL": "true",
            "PYTHON_BOOL": "True",
            "INT": "1",
            "FLOAT": "1.2",
            "NULL": "null",
            "LIST": "[1, 2]",
            "DICT": '{"k": "v"}',
            "EMPTY": "",
            "lower": "1",
        }
        for name, value in variables.items():
            env.setenv(f"FLASK_{name}", value)
        env.setenv("NOT_FLASK_OTHER", "1")
        env.setenv("FLASK", "1")
        assert config.from_prefixed_env() is True
        assert config == {
            "STRING": "value",
            "QUOTED": "value",
            "BOOL": True,
            "PYTHON_BOOL": "True",
            "INT": 1,
            "FLOAT": 1.2,
            "NULL": None,
            "LIST": [1, 2],
            "DICT": {"k": "v"},
            "EMPTY": "",
            "lower": 1,
        }

    def test_prefix_and_loads(self, config: Any, env: pytest.MonkeyPatch) -> None:
        env.setenv("FLASK_A", "1")
        env.setenv("APP_A", "2")
        env.setenv("APP_B", "b")
        config.from_prefixed_env("APP", loads=int)
        assert config == {"A": 2, "B": "b"}
        with pytest.raises(TypeError):
            config.from_prefixed_env("APP", int)

    def test_nested(self, config: Any, env: pytest.MonkeyPatch) -> None:
        env.setenv("APP_OLD__ok", "other")
        env.setenv("APP_OLD__inner__ik", "2")
        env.setenv("APP_OLD__new__more", '{"k": false}')
        env.setenv("APP_NEW__K", "v")
        env.setenv("APP___X", "1")
        env.setenv("APP_Y__", "1")
        config["OLD"] = {"ok": "value", "flag": True, "inner": {"ik": 1}}
        config.from_prefixed_env("APP")
        assert config == {
            "OLD": {"ok": "other", "flag": True, "inner": {"ik": 2}, "new": {"more": {"k": False}}},
            "NEW": {"K": "v"},
            "": {"X": 1},
            "Y": {"": 1},
        }

    def test_sorted_so_that_a_dict_can_be_extended(self, config: Any, env: pytest.MonkeyPatch) -> None:
        env.setenv("APP_DB__PORT", "2")
        env.setenv("APP_DB", '{"HOST": "a", "PORT": 1}')
        config.from_prefixed_env("APP")
        assert config == {"DB": {"HOST": "a", "PORT": 2}}

    @pytest.mark.parametrize("outer", ["5", "text", "TEXT", "[1]", "null"])
    @pytest.mark.parametrize("inner", ["KEY", "T", "T__KEY"])
    def test_nothing_but_a_dict_has_items(
        self, config: Any, env: pytest.MonkeyPatch, outer: str, inner: str
    ) -> None:
        env.setenv("APP_VALUE", outer)
        env.setenv(f"APP_VALUE__{inner}", "1")
        with pytest.raises(TypeError) as raised:
            config.from_prefixed_env("APP")
        if type(config) is asyncflask.config.Config:
            assert f"'APP_VALUE__{inner}'" in str(raised.value)
            assert type(json.loads(outer) if outer in ("5", "[1]", "null") else outer).__name__ in str(
                raised.value
            )

    names = st.text("aAbB_", max_size=7)
    json_texts = st.sampled_from(["1", "x", "{}", '{"A": {"b": 1}}', "[]", "null", ""])

    @given(st.dictionaries(names, json_texts, max_size=6))
    def test_like_flask(self, variables: dict[str, str]) -> None:
        outcomes = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.environ", {f"APP_{name}": value for name, value in variables.items()})
            for module in (flask.config, asyncflask.config):
                config = module.Config("/")
                try:
                    config.from_prefixed_env("APP")
                except TypeError:
                    outcomes.append((TypeError, dict(config)))
                else:
                    outcomes.append((None, dict(config)))
        assert outcomes[0] == outcomes[1]


class TestFromFile:
    def test_text_and_bytes(self, config: Any, tmp_path: Path) -> None:
        (tmp_path / "c.json").write_text('{"A": 1, "lower": 2}')
        (tmp_path / "c.toml").write_text("B = 1\n[T]\nlower = 1\n")
        assert config.from_file("c.json", json.load) is True
        assert config.from_file(tmp_path / "c.toml", load=tomllib.load, text=False) is True
        assert config == {"A": 1, "B": 1, "T": {"lower": 1}}

    def test_missing_file(self, config: Any, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for name in ("missing.json", "."):
            assert config.from_file(name, json.load, silent=True) is False
            with pytest.raises(OSError, match="Unable to load configuration file"):
                config.from_file(name, json.load)
        # A path that cannot be is not the same as an optional file that is not there.
        with pytest.raises(NotADirectoryError, match=r"Unable to load configuration file.*file/c\.json"):
            config.from_file("file/c.json", json.load, silent=True)

    def test_errors_of_the_loader(self, config: Any, tmp_path: Path) -> None:
        (tmp_path / "c.json").write_text("{")
        with pytest.raises(json.JSONDecodeError):
            config.from_file("c.json", json.load, silent=True)


class TestFromMapping:
    @pytest.mark.parametrize(
        ("args", "kwargs"),
        [
            (({"A": 1, "b": 2},), {}),
            (([("A", 1), ("b", 2)],), {}),
            ((), {"A": 1, "b": 2}),
            ((None,), {"A": 1}),
            (({"A": 0},), {"A": 1}),
        ],
    )
    def test_uppercase_keys(self, config: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        assert config.from_mapping(*args, **kwargs) is True
        assert config == {"A": 1}

    def test_one_mapping(self, config: Any) -> None:
        with pytest.raises(TypeError):
            config.from_mapping({}, {})


class TestGetNamespace:
    def test_shapes(self, config: Any) -> None:
        config.update({"FOO_OPTION_1": 1, "FOO_OPTION_2": 2, "BAR_A": 3, "FOO": 4})
        assert config.get_namespace("FOO_") == {"option_1": 1, "option_2": 2}
        assert config.get_namespace("FOO_", lowercase=False) == {"OPTION_1": 1, "OPTION_2": 2}
        assert config.get_namespace("FOO_", trim_namespace=False) == {"foo_option_1": 1, "foo_option_2": 2}
        assert config.get_namespace("BAR_", False, False) == {"BAR_A": 3}
        assert config.get_namespace("foo_") == {}

    @given(
        st.dictionaries(st.text("aAB_", max_size=5), st.integers()),
        st.text("aA_", max_size=3),
        st.booleans(),
        st.booleans(),
    )
    def test_like_flask(self, values: dict[str, int], namespace: str, lower: bool, trim: bool) -> None:
        theirs = flask.config.Config("/", values).get_namespace(namespace, lower, trim)
        ours = asyncflask.config.Config("/", values).get_namespace(namespace, lower, trim)
        assert list(ours.items()) == list(theirs.items())


class TestConfigAttribute:
    @modules
    def test_forwards_to_the_config(self, module: Any) -> None:
        class App:
            config = module.Config("/", {"TESTING": None, "LIFETIME": 42})
            testing = module.ConfigAttribute("TESTING")
            lifetime = module.ConfigAttribute("LIFETIME", get_converter=lambda s: timedelta(seconds=s))

        app = App()
        assert app.testing is None
        app.testing = True
        assert app.config["TESTING"] is True
        assert app.lifetime == timedelta(seconds=42)
        app.lifetime = 1
        assert (app.config["LIFETIME"], app.lifetime) == (1, timedelta(seconds=1))
        assert App.testing.__name__ == "TESTING"

        del app.config["TESTING"]
        with pytest.raises(KeyError):
            app.testing  # noqa: B018
