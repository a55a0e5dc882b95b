"""Flask-Babel: translated texts, dates and numbers, in the language and time zone of each request."""

from __future__ import annotations

import threading
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from tests.differential.harness import get

from . import needs
from .differential import case

needs.installed(flask_babel="Flask-Babel")

CATALOGS = {
    "de": {
        "Hello %(name)s": "Hallo %(name)s",
        "Bye": "Tschüss",
        ("%(num)s apple", "%(num)s apples"): ("%(num)s Apfel", "%(num)s Äpfel"),
    },
    "fr": {"Hello %(name)s": "Bonjour %(name)s", "Bye": "Au revoir"},
}

NOON = datetime(2024, 2, 29, 12, 30, 15)


def write_catalogs(folder: str) -> None:
    """Compile the catalogs into where Flask-Babel looks for them."""
    from babel.messages.catalog import Catalog
    from babel.messages.mofile import write_mo

    for locale, messages in CATALOGS.items():
        catalog = Catalog(locale=locale)
        for message, translation in messages.items():
            catalog.add(message, translation)
        file = Path(folder, locale, "LC_MESSAGES", "messages.mo")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            write_mo(stream, catalog)


def in_language(language: str, path: str = "/", **headers: str) -> Any:
    return get(path, headers={"Accept-Language": language, **headers})


@case
def test_texts(fw):
    from flask_babel import Babel, force_locale, get_locale, gettext, lazy_gettext, ngettext, refresh

    write_catalogs("translations")
    app = fw.Flask(__name__)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(Path("translations").absolute())
    app.secret_key = "secret"
    babel = Babel(app, locale_selector=lambda: (
        fw.session.get("locale") or fw.request.accept_languages.best_match(["en", "de", "fr"])
    ))  # fmt: skip
    bye = lazy_gettext("Bye")

    @app.get("/")
    def index():
        apples = [ngettext("%(num)s apple", "%(num)s apples", n) for n in (1, 2)]
        return [str(get_locale()), gettext("Hello %(name)s", name="Ann"), str(bye), *apples]

    @app.get("/template")
    def template():
        return fw.render_template_string(
            "{{ _('Hello %(name)s', name='<Ann>') }} {{ bye }} "
            "{{ ngettext('%(num)s apple', '%(num)s apples', 3) }} {% trans %}Bye{% endtrans %}",
            bye=bye,
        )

    @app.get("/forced")
    def forced():
        with force_locale("fr"):
            french = str(bye)
        return [french, str(bye)]

    @app.get("/choose/<locale>")
    def choose(locale):
        before = str(bye)
        fw.session["locale"] = locale
        refresh()
        return [before, str(bye)]

    @app.errorhandler(404)
    def missing(error):
        return str(bye), 404

    @app.after_request
    def language(response):
        response.content_language.add(str(get_locale()))
        return response

    def steps(client):
        for language in ("de", "fr;q=0.5, de;q=0.4", "en", "it", "de, en;q=0.1"):
            for path in ("/", "/template", "/forced", "/missing"):
                yield client.get(path, headers={"Accept-Language": language})
        yield client.get("/choose/fr", headers={"Accept-Language": "de"})
        yield client.get("/", headers={"Accept-Language": "de"})
        with app.app_context():
            yield sorted(map(str, babel.list_translations()))
        with app.test_request_context(headers={"Accept-Language": "de"}):
            yield gettext("Bye")

    return app, steps


@case(sync={"zone"})
def test_formats(fw):
    from flask_babel import (
        Babel,
        format_currency,
        format_date,
        format_datetime,
        format_decimal,
        format_percent,
        format_scientific,
        format_time,
        format_timedelta,
        get_timezone,
        to_user_timezone,
        to_utc,
    )

    app = fw.Flask(__name__)
    app.config.update(BABEL_DEFAULT_LOCALE="de", BABEL_DEFAULT_TIMEZONE="Europe/Berlin")
    babel = Babel()

    def zone():
        return fw.request.headers.get("X-Zone")

    babel.init_app(
        app,
        locale_selector=lambda: fw.request.accept_languages.best_match(["en_US", "de"]),
        timezone_selector=zone,
    )
    babel.date_formats["datetime"] = "long"

    @app.get("/")
    def index():
        return [
            str(get_timezone()),
            format_datetime(NOON),
            format_datetime(NOON, "short"),
            format_datetime(NOON, "yyyy.MM.dd HH:mm", rebase=False),
            format_date(date(2024, 2, 29), "full"),
            format_time(time(8, 5)),
            format_timedelta(timedelta(days=3, hours=2), granularity="hour"),
            format_timedelta(timedelta(hours=-2), add_direction=True),
            format_decimal(1234567.891),
            format_currency(1099.98, "EUR"),
            format_percent(0.34),
            format_scientific(10000),
            to_user_timezone(NOON).isoformat(),
            to_utc(NOON).isoformat(),
        ]

    @app.get("/template")
    def template():
        return fw.render_template_string(
            "{{ t|datetimeformat }} {{ t|dateformat('short') }} {{ t|timeformat }} {{ n|numberformat }}"
            " {{ n|currencyformat('USD') }} {{ 0.5|percentformat }}",
            t=NOON, n=1234.5,
        )  # fmt: skip

    return app, [
        in_language(language, path, **zone)
        for path in ("/", "/template")
        for language in ("de", "en-US", "it")
        for zone in ({}, {"X-Zone": "America/New_York"})
    ]


@case(sync={"index"})
def test_concurrent_requests(fw):
    """Two requests at the same time: neither gets the other's language."""
    from flask_babel import Babel, gettext

    write_catalogs("translations")
    app = fw.Flask(__name__)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(Path("translations").absolute())
    Babel(app, locale_selector=lambda: fw.request.args["language"])
    both = threading.Barrier(2, timeout=10)

    @app.get("/")
    def index():
        before = gettext("Bye")
        both.wait()
        return [before, gettext("Bye")]

    def steps(client):
        answers = {}

        def ask(language):
            answers[language] = app.test_client().get(f"/?language={language}").get_data()

        threads = [threading.Thread(target=ask, args=[language]) for language in ("de", "fr")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        yield sorted(answers.items())

    return app, steps
