"""The tutorial, typed as its reader would: the files of each part, its commands, and what it shows.

The parts build on each other, so they are one test. A block after a line that ends with a file name and a
colon is that file; after "Add to" it goes to its end, after "At the beginning of" it takes the place of the
imports.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import FENCE, ROOT

#: For one command.
SECONDS = 120

FILE = re.compile(r"(?P<how>Add to |At the beginning of )?`(?P<name>[\w./-]+\.\w+)`[^`.]*:$")
PARTS = ["application", "database", "login", "forms", "tests", "live", "deployment"]
IMPORTS = re.compile(r"\A(?:(?:from|import) .*\n|\n(?=from|import))+")

TYPED = """
import doctest, sys
runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
test = doctest.DocTestParser().get_doctest(sys.stdin.read(), {}, "tutorial", "tutorial", 0)
sys.exit(bool(runner.run(test).failed))
"""


class Reader:
    """Somebody who types what the pages say.

    :param folder: where they do.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: set[str] = set()

    def read(self, part: str) -> None:
        text = (ROOT / "docs" / "tutorial" / f"{part}.md").read_text(encoding="utf-8")
        for block in FENCE.finditer(text):
            before = text[: block.start()].rstrip().rpartition("\n\n")[2].replace("\n", " ")
            file = FILE.search(before)
            if file is not None:
                self.save(file["name"], block["text"], file["how"])
            elif block["language"] == "pycon":
                self.run([sys.executable, "-c", TYPED], block["text"])
            elif block["language"] == "console":
                self.type_into_terminal(block["text"])
            else:
                assert block["language"] == "{toctree}", f"no file: {before!r}"

    def save(self, name: str, text: str, how: str | None) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if how is not None:
            old = path.read_text(encoding="utf-8")
            text = f"{old}\n\n{text}" if how == "Add to " else text + IMPORTS.sub("", old)
        path.write_text(text, encoding="utf-8")
        self.files.add(name)

    def type_into_terminal(self, text: str) -> None:
        """Run the commands, except those that serve until Ctrl-C; what they print is what the page says."""
        for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            words = command.split()
            if " run" in command or words[0] == "uvicorn":
                continue  # the blog is asked by what is typed below
            if words[0] != "python":
                words = ["python", "-m", *words]
            printed = self.run([sys.executable, *words[1:]])
            if output:
                assert doctest.OutputChecker().check_output(output, printed, doctest.ELLIPSIS)

    def run(self, command: list[str], text: str = "") -> str:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)])}
        env.pop("FLASK_RUN_FROM_CLI", None)
        done = subprocess.run(
            command, cwd=self.folder, env=env, input=text, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.mark.timeout(600)  # passwords are slow to hash, on purpose
def test_the_tutorial_can_be_followed(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    for part in PARTS:
        reader.read(part)
    modules = {Path(name).name for name in reader.files if re.fullmatch(r"blog/\w+\.(py|sql)", name)}
    example = {path.name for path in (ROOT / "examples" / "blog").iterdir()}
    assert modules - example == {"live.py"}, "Whoever goes on to the example finds the modules again."


def test_all_parts_are_read() -> None:
    index = (ROOT / "docs" / "tutorial" / "index.md").read_text(encoding="utf-8")
    assert re.findall(r"^\d\. .*\((\w+)\.md\)$", index, re.MULTILINE) == PARTS
