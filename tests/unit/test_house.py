"""The source stays readable: short modules and short functions.

What has to be longer says why: `# long: REASON` on the line of a function's `def`, or in the first ten lines of a
module.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.unit

MODULE_LINES, FUNCTION_LINES = 400, 60
_REASON = re.compile(r"# long: \S")


def too_long(path: str, text: str) -> Iterator[tuple[str, int]]:
    """The module and the functions in it that are too long and do not say why, each with its lines."""
    lines = text.splitlines()
    if len(lines) > MODULE_LINES and not any(map(_REASON.search, lines[:10])):
        yield path, len(lines)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES and not _REASON.search(lines[node.lineno - 1]):
                yield f"{path}: {node.name}", count


def sources() -> list[Path]:
    return [path for folder in ("src/drillbook", "lab/drillbook_lab") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_modules_and_functions_are_short() -> None:
    found: dict[str, int] = {}
    for path in sources():
        found |= dict(too_long(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")))
    assert not found, f"split these, or say `# long: REASON`: {found}"


FUNCTION = "def long_one():{reason}\n" + "    pass\n" * 60
METHOD = "class A:\n    async def long_one(self):\n" + "        pass\n" * 60


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (FUNCTION.format(reason=""), {"x.py: long_one": 61}),
        (METHOD, {"x.py: long_one": 61}),
        (FUNCTION.format(reason="  # long: a table"), {}),
        (FUNCTION.format(reason="  # long:"), {"x.py: long_one": 61}),
        (FUNCTION.format(reason="").removesuffix("    pass\n"), {}),
        ("a = 1\n" * 400, {}),
        ("a = 1\n" * 401, {"x.py": 401}),
        ("a = 1\n" * 9 + "# long: a table\n" + "a = 1\n" * 400, {}),
        ("a = 1\n" * 10 + "# long: a table\n" + "a = 1\n" * 400, {"x.py": 411}),
    ],
)
def test_what_is_too_long_is_found(text: str, found: dict[str, int]) -> None:
    assert dict(too_long("x.py", text)) == found
