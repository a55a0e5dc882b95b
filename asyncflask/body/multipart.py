"""Forms with files (RFC 7578).

Werkzeug's decoder does the parsing: unlike python-multipart it takes a preamble and a part
without a body (RFC 2046 section 5.1.1), and names and texts come out as under Flask.
"""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, cast

from werkzeug.datastructures import FileStorage, Headers
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData
from werkzeug.wrappers import Request as RequestBase

if TYPE_CHECKING:
    from ..protocols import Received

#: Bytes of an uploaded file that are kept in memory.
FILE_MEMORY_SIZE = 512 * 1024

FormItems = list[tuple[str, str]]
FileItems = list[tuple[str, FileStorage]]


class MultipartForm:
    """A multipart body, parsed piece by piece; files of more than `FILE_MEMORY_SIZE` bytes go to disk.

    :param request: whose content type names the boundary, and whose limits hold.
    :raises BadRequest: when there is no boundary.
    """

    def __init__(self, request: Received) -> None:
        boundary = request.mimetype_params.get("boundary")
        if not boundary:
            raise BadRequest("The Content-Type of the multipart body has no boundary.")
        self.form: FormItems = []
        self.files: FileItems = []
        self._max_field = request.max_form_memory_size
        # A request class may have a place of its own for files; by default they are spooled.
        own = (
            request.__class__._get_file_stream is not RequestBase._get_file_stream  # type: ignore[comparison-overlap]
        )
        self._request = request if own else None
        self._decoder = MultipartDecoder(
            boundary.encode("latin-1", "replace"),
            max_form_memory_size=self._max_field,
            max_parts=request.max_form_parts,
        )
        self._part: Field | File | None = None
        self._text = bytearray()
        self._file: IO[bytes] | None = None

    def feed(self, data: bytes | None) -> None:
        """Parse the next piece, None at the end.

        :raises BadRequest: when the body is malformed, or ends too early.
        :raises RequestEntityTooLarge: past ``MAX_FORM_MEMORY_SIZE`` or ``MAX_FORM_PARTS``.
        """
        # In pieces, since the decoder holds what it buffers against the limit for a field.
        pieces = [None] if data is None else [data[at : at + 65536] for at in range(0, len(data), 65536)]
        try:
            for piece in pieces:
                self._decoder.receive_data(piece)
                while not isinstance(event := self._decoder.next_event(), NeedData | Epilogue):
                    self._take(event)
        except (ValueError, LookupError) as error:
            raise BadRequest(f"The multipart body is malformed: {error}") from error

    def _take(self, event: Event) -> None:
        if isinstance(event, Field | File):
            self._part = event
            self._text = bytearray()
            if isinstance(event, File):
                content_type = event.headers.get("Content-Type")
                if self._request is None:
                    self._file = cast(IO[bytes], SpooledTemporaryFile(max_size=FILE_MEMORY_SIZE))  # noqa: SIM115
                else:
                    self._file = self._request._get_file_stream(
                        total_content_length=self._request.content_length,
                        filename=event.filename,
                        content_type=content_type,
                        content_length=None,
                    )
                storage = FileStorage(
                    self._file, event.filename, event.name, content_type, headers=event.headers
                )
                self.files.append((event.name, storage))
        elif isinstance(event, Data):
            if isinstance(self._part, File):
                assert self._file is not None
                self._file.write(event.data)
                if not event.more_data:
                    self._file.seek(0)
                return
            if self._max_field is not None and len(self._text) + len(event.data) > self._max_field:
                raise RequestEntityTooLarge()
            self._text += event.data
            if not event.more_data:
                assert self._part is not None
                self.form.append(
                    (self._part.name, self._text.decode(_charset(self._part.headers), "replace"))
                )

    def close(self) -> None:
        for _, file in self.files:
            file.close()


def parse_multipart(request: Received, stream: IO[bytes]) -> MultipartForm:
    """Parse a multipart body that is there already; errors as from `MultipartForm`."""
    form = MultipartForm(request)
    data = stream.read(65536)
    if not data:
        return form  # a form without any part, to those who send no boundary for that
    try:
        while data:
            form.feed(data)
            data = stream.read(65536)
        form.feed(None)
    except BaseException:
        form.close()
        raise
    return form


def _charset(headers: Headers) -> str:
    """A part's own charset where it is one of those that a browser may send (RFC 7578 section 4.5)."""
    _, options = parse_options_header(headers.get("Content-Type"))
    charset = options.get("charset", "").lower()
    return charset if charset in {"ascii", "us-ascii", "utf-8", "iso-8859-1"} else "utf-8"
