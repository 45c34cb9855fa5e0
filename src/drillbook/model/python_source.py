"""Python's own parser, asked again where it fails for a reason that is none of the text's.

CPython before 3.11.8 counts the depth of a tree for all threads together, so that a garbage collection which lets
another thread parse makes it fail with SystemError ("AST constructor recursion depth mismatch", gh-106905). Met once in
some forty drills on 3.11.7: the drill did not begin.
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
