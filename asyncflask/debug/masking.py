"""Which values are secrets, and how they are left out of what is shown."""

from __future__ import annotations

import re

HIDDEN = "(hidden)"

# Words in a name, as in Django's SafeExceptionReporterFilter; but "author", "keyboard" and "monkey" are none.
_SECRET_NAME = re.compile(
    r"auth(?!or)|authori[sz]|cookie|credential|csrf|xsrf|jwt|(?<!mon)key(?!board|word|note|stone|error)"
    r"|otp$|passw|pass_?(?:code|phrase)|(?:^|_)pass(?:_|$)|(?:^|_)pin(?:_|$)|private|pwd|salt|secret|signature"
    r"|token",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# Names are taken whole (possessive): a long text without any would take a time that grows with its square.
_NAME = r"(?<![A-Za-z0-9_.\-])(?P<name>[A-Za-z0-9_.\-]++)"
_VALUE = r"""(?P<value>b?(?:'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|[^\s,&;)\]}>]+))"""
# name=value, 'name': value, ('name', value), as reprs, query strings and headers have them.
_PAIR = re.compile(rf"{_NAME}(?P<between>['\"]?\s*[=:]\s*|['\"]\s*,\s*){_VALUE}")
_SCHEME = r"(?<![a-z0-9+.\-])[a-z][a-z0-9+.\-]*+://"
_URL_PASSWORD = re.compile(rf"(?P<before>{_SCHEME}[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)", re.IGNORECASE)
# A bearer token, a basic password; and three parts of base64, the first of which begins a JSON object.
_CREDENTIALS = re.compile(r"(?P<before>\b(?:Bearer|Basic) )\S{6,}|(?<![\w\-])eyJ[\w\-]{8,}\.[\w\-]+\.[\w\-]+")

_SHORTEST = 6  # characters of a value that is worth looking for elsewhere


def is_secret(name: object) -> bool:
    """Whether a value of this name is not to be shown: a password, token, key, cookie and the like."""
    return isinstance(name, str) and bool(_SECRET_NAME.search(_CAMEL.sub("_", name[:200])))


class Mask:
    """Leaves secrets out of texts: those that a name gives away, wherever their values turn up again."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def learn(self, name: object, value: object) -> bool:
        """Take note of a value, if its name is that of a secret.

        :return: whether it is one.
        """
        if not is_secret(name):
            return False
        if isinstance(value, bytes):
            value = value[:1000].decode("latin-1")
        if isinstance(value, str) and _SHORTEST <= len(value) <= 1000 and len(self._values) < 100:
            self._values.add(str.__str__(value))
        return True

    def text(self, text: str) -> str:
        """The text with ``(hidden)`` in the place of secrets."""
        for value in self._values:
            if value in text:
                text = text.replace(value, HIDDEN)
        text = _CREDENTIALS.sub(lambda found: (found["before"] or "") + HIDDEN, text)
        text = _PAIR.sub(_hide_pair, text)
        return _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}", text)


def _hide_pair(found: re.Match[str]) -> str:
    value = found["value"]
    if not is_secret(found["name"]) or value in ("None", "True", "False") or HIDDEN.startswith(value):
        return found[0]
    return f"{found['name']}{found['between']}{HIDDEN}"
