"""What may be sent, and what is answered. msgspec checks it and describes it, from the annotations alone."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

Title = Annotated[str, Meta(min_length=1, max_length=200, description="The title on the cover.")]
Year = Annotated[int, Meta(ge=1450, le=2100, description="The year of the first edition.")]
Isbn = Annotated[str, Meta(pattern=r"^97[89]-?(\d-?){9}\d$", description="ISBN-13, with or without hyphens.")]


class NewBook(Struct, forbid_unknown_fields=True):
    """A book, as it is sent."""

    title: Title
    author: Annotated[str, Meta(min_length=1, max_length=100)]
    year: Year
    isbn: Isbn | None = None


class BookChange(Struct, forbid_unknown_fields=True):
    """What is to change of a book; the rest stays."""

    title: Title | UnsetType = UNSET
    author: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    year: Year | UnsetType = UNSET
    isbn: Isbn | UnsetType | None = UNSET


class Book(NewBook, kw_only=True):
    """A book, as it is kept."""

    id: int


class Page(Struct):
    """A part of a list, and where the next part is."""

    items: list[Book]
    total: int
    next: str | None = None


class Paging(Struct, forbid_unknown_fields=True):
    """Which part of the list is wanted, and of which books."""

    limit: Annotated[int, Meta(ge=1, le=100, description="How many at most.")] = 10
    after: Annotated[int, Meta(ge=0, description="The id of the last book that is known.")] = 0
    author: Annotated[str, Meta(max_length=100, description="A part of the author's name.")] = ""


class Problem(Struct):
    """What was wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str | None = None
