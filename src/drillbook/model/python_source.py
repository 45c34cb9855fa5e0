"""Python's own parser. It tries again after an error that the text did not cause.

Before 3.11.8, CPython counts the depth of a tree for all threads together. When a garbage collection lets another
thread parse, the parser fails with SystemError ("AST constructor recursion depth mismatch", gh-106905). On 3.11.7 this
stopped about one drill in forty before it began.
"""

from __future__ import annotations

import ast

TRIES = 5


def parsed(text: str | bytes) -> ast.Module:
    """The tree of a program. Raises SyntaxError."""
    for _ in range(TRIES - 1):
        try:
            return ast.parse(text)
        except SystemError:
            continue
    return ast.parse(text)
