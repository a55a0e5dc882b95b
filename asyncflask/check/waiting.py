"""Calls that wait, so that nothing else runs on an event loop meanwhile, and what to do in their place.

They are told by their paths, see `walk`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

THREAD = "await asyncio.to_thread(...), or make it a 'def'"

_HTTP = "await with httpx.AsyncClient"
_PROCESS = "await asyncio.create_subprocess_exec(...)"
_SOCKET = "await asyncio.open_connection(...), or loop.getaddrinfo(...)"
_DATABASE = f"use an async driver, {THREAD}"
_PSYCOPG = f"use psycopg's AsyncConnection, {THREAD}"
_LOCK = "use asyncio's, if threads do not share it"

_VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request")


def _each(module: str, names: Iterable[str], advice: str) -> dict[str, str]:
    return {f"{module}.{name}": advice for name in names}


_CONNECT = {
    "sqlite3.connect": "make it a 'def', as a connection belongs to its thread, or use aiosqlite",
    "psycopg2.connect": _PSYCOPG,
    "psycopg.connect": _PSYCOPG,
    "psycopg.Connection.connect": _PSYCOPG,
    "pymysql.connect": _DATABASE,
    "MySQLdb.connect": _DATABASE,
    "mysql.connector.connect": _DATABASE,
    "pyodbc.connect": _DATABASE,
    "pymssql.connect": _DATABASE,
    "cx_Oracle.connect": "use oracledb.connect_async",
    "oracledb.connect": "use oracledb.connect_async",
}

_FUNCTIONS = {
    "time.sleep": "await asyncio.sleep(...)",
    "input": THREAD,
    "select.select": _SOCKET,
    "concurrent.futures.wait": "await asyncio.gather(...)",
    "concurrent.futures.as_completed": "use asyncio.as_completed",
    **_each("os", ("system", "popen", "wait", "waitpid"), _PROCESS),
    **_each("subprocess", ("run", "call", "check_call", "check_output"), _PROCESS),
    **_each("subprocess", ("getoutput", "getstatusoutput"), _PROCESS),
    **_each("requests", _VERBS, _HTTP),
    **_each("httpx", (*_VERBS, "stream"), _HTTP),
    **_each("urllib.request", ("urlopen", "urlretrieve"), _HTTP),
    **_each("socket", ("create_connection", "getaddrinfo", "getfqdn"), _SOCKET),
    **_each("socket", ("gethostbyname", "gethostbyname_ex", "gethostbyaddr"), _SOCKET),
    **_each("smtplib", ("SMTP", "SMTP_SSL"), "use aiosmtplib"),
    **_each("ftplib", ("FTP", "FTP_TLS"), THREAD),
    **_each("imaplib", ("IMAP4", "IMAP4_SSL"), THREAD),
    **_each("poplib", ("POP3", "POP3_SSL"), THREAD),
    **_CONNECT,
}

#: Methods by the class or function that gives the object, each a pattern, and what to do instead.
_METHODS = {
    "|".join(map(re.escape, _CONNECT)): (
        r"(cursor\(\)\.)?(execute|executemany|executescript|callproc|fetch\w+|commit|rollback)",
        _DATABASE,
    ),
    r"requests\.(Session|session)": (rf"({'|'.join(_VERBS)}|send)", _HTTP),
    r"httpx\.Client": (rf"({'|'.join(_VERBS)}|send|stream)", _HTTP),
    r"urllib3\.PoolManager": (r"(request|urlopen)", _HTTP),
    r"http\.client\.HTTPS?Connection": (r"(request|getresponse|connect)", _HTTP),
    r"subprocess\.Popen": (r"(wait|communicate)", _PROCESS),
    r"socket\.socket": (r"(connect|recv\w*|accept|send\w*)", _SOCKET),
    r"threading\.Thread": (r"join", THREAD),
    r"threading\.(Lock|RLock|Semaphore)": (r"acquire", _LOCK),
    r"threading\.(Event|Condition|Barrier)": (r"(acquire|wait|wait_for)", _LOCK),
    r"queue\.\w*Queue": (r"(get|put|join)", "use asyncio.Queue"),
    r"concurrent\.futures\.\w+Executor": (
        r"(submit\(\)\.result|shutdown)",
        "await loop.run_in_executor(executor, ...)",
    ),
    r"redis\.(Redis|StrictRedis|from_url|Redis\.from_url)": (
        r"(?!(pipeline|lock|pubsub|register_script)$)\w+",
        "use redis.asyncio",
    ),
    r"pymongo\.MongoClient": (
        r".*\.(find_one\w*|insert_\w+|update_\w+|delete_\w+|replace_one|count_documents|distinct)",
        "use pymongo.AsyncMongoClient",
    ),
    r"boto3\.(client|resource)": (r"\w+", f"use aioboto3, {THREAD}"),
    r"flask_sqlalchemy\.SQLAlchemy": (
        r"session\.(execute|scalars?|commit|flush|get|get_one|refresh|rollback"
        r"|query\(\)\..*(all|first|one|one_or_none|get|count|scalar|delete|update))",
        THREAD,
    ),
}
_METHOD_CALLS = [
    (re.compile(rf"({owner})\(\)\.{method}"), advice) for owner, (method, advice) in _METHODS.items()
]

#: The queries of Flask-SQLAlchemy that start at a model: ``User.query.filter_by(...).first()``.
MODEL_QUERY = re.compile(
    r"(.*[.:?])?[A-Z]\w*\.query\.(.*\.)?"
    r"(all|first|one|one_or_none|get|count|paginate|get_or_404|first_or_404|one_or_404)"
)

#: Files: mostly quick, but not always.
FILES = re.compile(
    r"open|io\.open|codecs\.open|shutil\.(copy\w*|move|rmtree|make_archive|unpack_archive)"
    r"|pathlib\.Path\(\)(\..*)?\.(open|(read|write)_(text|bytes))"
)


def instead_of(path: str) -> str | None:
    """What to do instead of calling what a path stands for; None if it is not known to wait."""
    if path in _FUNCTIONS:
        return _FUNCTIONS[path]
    if "()." not in path:
        return None
    return next((advice for pattern, advice in _METHOD_CALLS if pattern.fullmatch(path)), None)
