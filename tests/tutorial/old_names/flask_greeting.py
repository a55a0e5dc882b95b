"""An extension as a module of its own: imported as ``flask.ext.greeting`` until Flask 1.0."""


class Greeting:
    def __init__(self, app):
        app.extensions["greeting"] = self

    def greet(self, name):
        return f"Hello, {name}!"
