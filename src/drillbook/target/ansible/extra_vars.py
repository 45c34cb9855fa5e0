"""Hands variables to Ansible in a private file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from drillbook.errors import PlaybookError


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in a directory that only its owner can enter."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def variables_as_json(variables: Mapping[str, object]) -> str:
    """The variables as Ansible gets them. Raises PlaybookError for one that is not JSON."""

    def plain(value: object) -> object:
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        msg = f"{type(value).__name__} {value!r}"
        raise TypeError(msg)

    texts = {}
    for name, value in variables.items():
        try:
            texts[name] = json.dumps(value, default=plain)
        except (TypeError, ValueError) as error:
            msg = f"The variable {name} cannot be given to a playbook, it is not JSON: {error}."
            raise PlaybookError(msg) from error
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in texts.items()) + "}"
