from quart import Quart


def create_app() -> Quart:
    app = Quart(__name__)

    @app.get("/")
    async def hello() -> str:
        return "Hello, World!"

    return app
