"""The body of a request, as a file and in chunks."""

from typing import IO, BinaryIO

from asyncflask import Flask, request

app = Flask(__name__)


def size(file: IO[bytes]) -> int:
    return len(file.read())


def first(file: BinaryIO) -> bytes:
    return file.read(1)


@app.put("/upload", stream=True)
async def upload() -> dict[str, int]:
    received = 0
    async for chunk in request.stream:
        received += len(chunk)
    return {"received": received}


@app.put("/file")
def as_file() -> dict[str, int]:
    return {"received": size(request.stream) + len(first(request.stream)) + len(request.stream.readline())}


@app.post("/form")
async def form() -> str:
    name: str = request.form["name"]
    file = request.files["file"]
    text: str = request.get_data(as_text=True)
    size_of_body = len(text) + len(request.get_data().strip(b" "))
    return f"{name} {file.filename} {size(file.stream)} {size_of_body}"
