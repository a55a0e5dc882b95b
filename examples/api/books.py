"""The books: a list in parts, and each of them alone."""

from __future__ import annotations

from itertools import count, islice

import msgspec
from werkzeug.exceptions import NotFound

from asyncflask import Blueprint, current_app, url_for
from asyncflask.typing import ResponseReturnValue

from .models import Book, BookChange, NewBook, Page, Paging
from .validation import body, query

books = Blueprint("books", __name__)


class Shelf:
    """Where they are kept: in memory here; in a database this would wait, as the views are ready for."""

    def __init__(self) -> None:
        self._books: dict[int, Book] = {}
        self._ids = count(1)

    @classmethod
    def with_examples(cls) -> Shelf:
        shelf = cls()
        shelf.add(NewBook("The Dispossessed", "Ursula K. Le Guin", 1974, "978-0-06-051275-4"))
        shelf.add(NewBook("Solaris", "Stanisław Lem", 1961))
        shelf.add(NewBook("Kindred", "Octavia E. Butler", 1979))
        return shelf

    def page(self, paging: Paging) -> tuple[list[Book], int]:
        """The books after one, and how many there are of that kind."""
        found = [book for book in self._books.values() if paging.author.lower() in book.author.lower()]
        return list(islice((book for book in found if book.id > paging.after), paging.limit)), len(found)

    def get(self, id: int) -> Book:
        """A book.

        :raises NotFound: when there is no such one.
        """
        if id not in self._books:
            raise NotFound(f"There is no book {id}.")
        return self._books[id]

    def add(self, new: NewBook) -> Book:
        book = Book(id=next(self._ids), **msgspec.structs.asdict(new))
        self._books[book.id] = book
        return book

    def change(self, id: int, change: BookChange) -> Book:
        values = {
            name: value
            for name, value in msgspec.structs.asdict(change).items()
            if value is not msgspec.UNSET
        }
        book = self._books[id] = msgspec.structs.replace(self.get(id), **values)
        return book

    def remove(self, id: int) -> None:
        self.get(id)
        del self._books[id]


def shelf() -> Shelf:
    found: Shelf = current_app.extensions["shelf"]
    return found


@books.get("")
async def list_books() -> ResponseReturnValue:
    """Books, in the order that they were added."""
    paging = query(Paging)
    items, total = shelf().page(paging)
    page = Page(items, total)
    rest, _ = shelf().page(msgspec.structs.replace(paging, after=items[-1].id, limit=1)) if items else ([], 0)
    if rest:
        page.next = url_for(
            ".list_books", limit=paging.limit, after=items[-1].id, author=paging.author or None
        )
    return answer(page)


@books.post("")
async def add_book() -> ResponseReturnValue:
    """Add a book."""
    book = shelf().add(body(NewBook))
    return answer(book), 201, {"Location": url_for(".get_book", id=book.id)}


@books.get("/<int:id>")
async def get_book(id: int) -> ResponseReturnValue:
    """A book."""
    return answer(shelf().get(id))


@books.patch("/<int:id>")
async def change_book(id: int) -> ResponseReturnValue:
    """Change some of a book."""
    return answer(shelf().change(id, body(BookChange)))


@books.delete("/<int:id>")
async def remove_book(id: int) -> ResponseReturnValue:
    """Remove a book."""
    shelf().remove(id)
    return "", 204


def answer(model: msgspec.Struct) -> dict[str, object]:
    """A model as what a view may return."""
    found: dict[str, object] = msgspec.to_builtins(model)
    return found
