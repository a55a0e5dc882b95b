"""JSON that keeps the types which JSON does not have; session cookies are written in it.

A value of such a type becomes an object with one key, the tag of the type:
``(1, 2)`` is written as ``{" t":[1,2]}``. The format is Flask's, to the byte.

To add a type, subclass `JSONTag` and register it. Here for `fractions.Fraction`::

    class TagFraction(JSONTag):
        __slots__ = ()
        key = " fr"

        def check(self, value):
            return isinstance(value, Fraction)

        def to_json(self, value):
            return str(value)

        def to_python(self, value):
            return Fraction(value)

    app.session_interface.serializer.register(TagFraction)

A subclass of a type that is known already, as `OrderedDict` is one of `dict`,
has to be asked about first: pass ``index=0``.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any
from uuid import UUID

from markupsafe import Markup
from werkzeug.http import http_date, parse_date

from ..globals import _cv_app
from . import dumps, loads
from .provider import DefaultJSONProvider, scan


class JSONTag:
    """How values of one type are written and read. Base class of the tags.

    :param serializer: the serializer that the tag belongs to; a container calls its `tag` for the items.
    """

    __slots__ = ("serializer",)

    #: The tag, by convention short and starting with a space. Empty: the value is written without one.
    key: str = ""

    def __init__(self, serializer: TaggedJSONSerializer) -> None:
        self.serializer = serializer

    def check(self, value: Any) -> bool:
        """Whether this tag is the one for the value."""
        raise NotImplementedError(f"Implement check() in {type(self).__name__}.")

    def to_json(self, value: Any) -> Any:
        """The value as something that JSON has."""
        raise NotImplementedError(f"Implement to_json() in {type(self).__name__}.")

    def to_python(self, value: Any) -> Any:
        """The value again, from what `to_json` returned."""
        raise NotImplementedError(f"Implement to_python() in {type(self).__name__}.")

    def tag(self, value: Any) -> dict[str, Any]:
        """What is written for the value: the object with the tag as its key."""
        return {self.key: self.to_json(value)}


class TagDict(JSONTag):
    """A dict that would be read as a tagged value, as its only key is a tag: ``__`` is added to the key."""

    __slots__ = ()
    key = " di"

    def check(self, value: Any) -> bool:
        return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in self.serializer.tags

    def to_json(self, value: Any) -> Any:
        ((key, item),) = value.items()
        return {f"{key}__": self.serializer.tag(item)}

    def to_python(self, value: Any) -> Any:
        for key in value:
            return {key[:-2]: value[key]}
        raise ValueError(f"There is no key after the tag {self.key!r}.")


class PassDict(JSONTag):
    """Any other dict: only its values are tagged, as JSON has keys of no type but string."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, dict)

    def to_json(self, value: Any) -> Any:
        tag = self.serializer.tag
        return {key: tag(item) for key, item in value.items()}

    tag = to_json


class TagTuple(JSONTag):
    __slots__ = ()
    key = " t"

    def check(self, value: Any) -> bool:
        return isinstance(value, tuple)

    def to_json(self, value: Any) -> Any:
        tag = self.serializer.tag
        return [tag(item) for item in value]

    def to_python(self, value: Any) -> Any:
        return tuple(value)


class PassList(JSONTag):
    """A list: only its items are tagged."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, list)

    def to_json(self, value: Any) -> Any:
        tag = self.serializer.tag
        return [tag(item) for item in value]

    tag = to_json


class TagBytes(JSONTag):
    """Bytes, written in base64."""

    __slots__ = ()
    key = " b"

    def check(self, value: Any) -> bool:
        return isinstance(value, bytes)

    def to_json(self, value: Any) -> Any:
        return b64encode(value).decode("ascii")

    def to_python(self, value: Any) -> Any:
        return b64decode(value)


class TagMarkup(JSONTag):
    """Anything with an ``__html__`` method, written as what that returns and read as `markupsafe.Markup`."""

    __slots__ = ()
    key = " m"

    def check(self, value: Any) -> bool:
        return callable(getattr(value, "__html__", None))

    def to_json(self, value: Any) -> Any:
        return str(value.__html__())

    def to_python(self, value: Any) -> Any:
        return Markup(value)


class TagUUID(JSONTag):
    """A UUID, written as 32 hexadecimal digits."""

    __slots__ = ()
    key = " u"

    def check(self, value: Any) -> bool:
        return isinstance(value, UUID)

    def to_json(self, value: Any) -> Any:
        return value.hex

    def to_python(self, value: Any) -> Any:
        return UUID(value)


class TagDateTime(JSONTag):
    """A datetime, written as an HTTP date and so without fractions of a second; read as one in UTC."""

    __slots__ = ()
    key = " d"

    def check(self, value: Any) -> bool:
        return isinstance(value, datetime)

    def to_json(self, value: Any) -> Any:
        return http_date(value)

    def to_python(self, value: Any) -> Any:
        return parse_date(value)


_SCALARS = frozenset((str, int, float, bool, type(None)))
_CONTAINERS = (dict, list)


class TaggedJSONSerializer:
    """Writes and reads tagged JSON; has the interface that itsdangerous wants of a serializer."""

    __slots__ = ("_builtin_order", "order", "tags")

    #: The tags to begin with, in the order in which they are asked about a value.
    default_tags: list[type[JSONTag]] = [
        TagDict,
        PassDict,
        TagTuple,
        PassList,
        TagBytes,
        TagMarkup,
        TagUUID,
        TagDateTime,
    ]

    def __init__(self) -> None:
        self.tags: dict[str, JSONTag] = {}
        self.order: list[JSONTag] = []
        # What `order` is while none but the built-in tags are in it: then it is known which values need none.
        self._builtin_order: list[JSONTag] | None = None
        for tag_class in self.default_tags:
            self.register(tag_class)

    def register(self, tag_class: type[JSONTag], force: bool = False, index: int | None = None) -> None:
        """Add a tag.

        :param tag_class: the class of the tag.
        :param force: take the place of the tag with the same key.
        :param index: where to insert it into the order in which tags are asked; None: at the end.
        :raises KeyError: when there is a tag with the same key, unless `force` is set.
        """
        tag = tag_class(self)
        if tag.key:
            if tag.key in self.tags and not force:
                raise KeyError(
                    f"The tag {tag.key!r} is registered already. Choose another key, or pass force=True to"
                    " replace it."
                )
            self.tags[tag.key] = tag
        if index is None:
            self.order.append(tag)
        else:
            self.order.insert(index, tag)

        is_builtin = type(self).tag is TaggedJSONSerializer.tag and _BUILTIN_TAGS.issuperset(
            map(type, self.order)
        )
        self._builtin_order = self.order.copy() if is_builtin else None

    def tag(self, value: Any) -> Any:
        """The value as something that JSON has, tagged where that is necessary."""
        if type(value) in _SCALARS and self.order == self._builtin_order:
            return value
        for tag in self.order:
            if tag.check(value):
                return tag.tag(value)
        return value

    def untag(self, value: dict[str, Any]) -> Any:
        """The value that an object stands for: the object itself, unless it has one key and that is a tag."""
        if len(value) != 1:
            return value
        key = next(iter(value))
        if key not in self.tags:
            return value
        return self.tags[key].to_python(value[key])

    def _is_plain(self, value: Any) -> bool:
        """Whether the built-in tags leave the value as it is, all the way down."""
        kind = type(value)
        if kind is dict:
            if len(value) == 1 and next(iter(value)) in self.tags:
                return False
            items = value.values()
        elif kind is list:
            items = value
        else:
            return kind in _SCALARS
        for item in items:  # noqa: SIM110  (a generator costs more than all the rest)
            if type(item) not in _SCALARS and not self._is_plain(item):
                return False
        return True

    def _untag_scan(self, value: Any) -> Any:
        # The items before their container: what a tag is given to read holds values already.
        scan = self._untag_scan
        if type(value) is dict:  # nobody else's yet, so it may be changed
            for key, item in value.items():
                if isinstance(item, _CONTAINERS):
                    value[key] = scan(item)
            return self.untag(value) if len(value) == 1 else value
        if isinstance(value, dict):
            return self.untag({k: scan(v) if isinstance(v, _CONTAINERS) else v for k, v in value.items()})
        if isinstance(value, list):
            return [scan(v) if isinstance(v, _CONTAINERS) else v for v in value]
        return value

    def dumps(self, value: Any) -> str:
        """Serialize a value to compact tagged JSON."""
        if self.order != self._builtin_order or not self._is_plain(value):
            value = self.tag(value)
        app_ctx = _cv_app.get(None)
        if app_ctx is not None:
            json = app_ctx.app.json
            if type(json) is DefaultJSONProvider and not json._is_patched:
                return json.dumps_compact(value)
        return dumps(value, separators=(",", ":"))

    def loads(self, value: str) -> Any:
        """Deserialize tagged JSON.

        :raises Exception: a subclass of it when this is not what `dumps` wrote: ValueError for what is not
            JSON, RecursionError for too deep nesting, and whatever a tag raises for what it cannot read.
        """
        app_ctx = _cv_app.get(None)
        if app_ctx is not None:
            json = app_ctx.app.json
            if type(json) is DefaultJSONProvider and not json._is_patched:
                return self._untag_scan(scan(value))
        return self._untag_scan(loads(value))


_BUILTIN_TAGS = frozenset(TaggedJSONSerializer.default_tags)
