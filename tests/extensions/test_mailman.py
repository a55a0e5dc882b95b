"""Flask-Mailman: messages sent from views by SMTP to a server, into files, and into the outbox of tests."""

from __future__ import annotations

import email
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock

from . import needs
from .differential import case
from .servers import free_port

needs.installed(flask_mailman="Flask-Mailman", aiosmtpd="aiosmtpd")


def application(fw: Any, **config: Any) -> Any:
    # The name of this machine goes into messages; asking for it may ask the network.
    mock.patch.object(socket, "getfqdn", return_value="localhost").start()
    app = fw.Flask(__name__)
    app.config.update(config)
    return app


def describe(message: Message) -> list[str]:
    """What a message says, but for its date, its id and the boundaries between its parts."""
    lines = []
    for part in message.walk():
        varying = {"date", "message-id"} | ({"content-type"} if part.is_multipart() else set())
        lines.append(part.get_content_type())
        lines += sorted(f"{name}: {value}" for name, value in part.items() if name.lower() not in varying)
        if not part.is_multipart():
            lines.append(repr(part.get_payload(decode=True)))
    return lines


class Inbox:
    """Takes what the SMTP server receives; refuses one address."""

    def __init__(self) -> None:
        self.received: list[Any] = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content)
        self.received.append((envelope.mail_from, envelope.rcpt_tos, *describe(message)))
        return "250 OK"

    def take(self) -> list[Any]:
        received, self.received = self.received, []
        return received


@contextmanager
def smtp_server() -> Iterator[tuple[Inbox, int]]:
    """An SMTP server on a port of the system's choice."""
    from aiosmtpd.controller import Controller

    inbox, port = Inbox(), free_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield inbox, port
    finally:
        controller.stop()


@case
def test_smtp(fw):
    from flask_mailman import EmailMultiAlternatives, Mail

    app = application(fw, MAIL_SERVER="127.0.0.1", MAIL_DEFAULT_SENDER=("The Shop", "shop@example.org"))
    mail = Mail()

    @app.post("/plain")
    def plain():
        sent = mail.send_mail(
            "Grüße", fw.request.form["text"], recipient_list=[fw.request.form["to"]], html_message="<p>Hi</p>"
        )
        return {"sent": sent}

    @app.post("/attached")
    def attached():
        message = EmailMultiAlternatives(
            "Order", "See below", to=["a@example.org", "Ann <b@example.org>"], cc=["c@example.org"],
            bcc=["d@example.org"], reply_to=["answers@example.org"], headers={"X-Order": "7"},
        )  # fmt: skip
        for file in fw.request.files.values():
            message.attach(file.filename, file.read(), file.content_type)
        return {"sent": message.send()}

    @app.post("/many")
    def many():
        with mail.get_connection() as connection:
            count = mail.send_mass_mail(
                [(f"No. {n}", "text", None, [f"{n}@example.org"]) for n in range(3)], connection=connection
            )
        return {"sent": count}

    @app.errorhandler(OSError)
    def undelivered(error):
        return type(error).__name__, 502

    def steps(client):
        with smtp_server() as (inbox, port):
            app.config["MAIL_PORT"] = port
            mail.init_app(app)
            yield client.post("/plain", data={"to": "ann@example.org", "text": "Straße 1\n.\nend"})
            yield inbox.take()
            yield client.post("/plain", data={"to": "nobody@example.org", "text": "?"})
            files = {"a": (BytesIO(b"text"), "a.txt"), "b": (BytesIO(b"\0\xff"), "ä.pdf")}
            yield client.post("/attached", data=files)
            yield inbox.take()
            yield client.post("/many")
            yield inbox.take()
        yield client.post("/plain", data={"to": "ann@example.org", "text": "nobody listens"})

    return app, steps


@case
def test_outbox(fw):
    """In testing mode messages are kept in memory."""
    from flask_mailman import BadHeaderError, EmailMessage, Mail

    app = application(fw, TESTING=True, MAIL_DEFAULT_SENDER="shop@example.org")
    mail = Mail(app)
    outbox = app.extensions["mailman"].outbox = []

    @app.post("/")
    def index():
        EmailMessage(fw.request.form["subject"], fw.render_template_string("Hi {{ name }}", name="Ann"),
                     to=["ann@example.org"]).send()  # fmt: skip
        return "sent"

    @app.errorhandler(BadHeaderError)
    def bad(error):
        return str(error), 400

    @app.teardown_request
    def report(error):
        mail.send_mail("torn down", fw.request.method, recipient_list=["ops@example.org"])

    def steps(client):
        for subject in ("Hello", "Two\nlines"):
            yield client.post("/", data={"subject": subject})
            yield [(message.subject, message.body, message.to, message.from_email) for message in outbox]
            outbox.clear()
        with app.app_context():
            yield mail.send_mail("from the command line", "text", recipient_list=["ops@example.org"])
        yield len(outbox)

    return app, steps


@case
def test_files(fw):
    from flask_mailman import Mail

    app = application(fw, MAIL_BACKEND="file", MAIL_FILE_PATH="mails", MAIL_DEFAULT_SENDER="shop@example.org")
    mail = Mail(app)

    @app.post("/")
    def index():
        return {"sent": mail.send_mail("Hello", "text", recipient_list=["ann@example.org"])}

    def steps(client):
        yield client.post("/")
        yield client.post("/")
        files = sorted(Path("mails").iterdir())
        yield [describe(email.message_from_bytes(file.read_bytes())) for file in files]
        for file in files:
            file.unlink()

    return app, steps
