from asyncflask import Flask


def create_app() -> Flask:
    app = Flask(__name__)

    @app.get("/")
    async def hello() -> str:
        return "Hello, World!"

    return app
