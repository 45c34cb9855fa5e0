"""Ansible's messages, in one sentence and without paths of this machine."""

from __future__ import annotations

import re
from pathlib import Path

from drillbook.errors import Place
from drillbook.evidence.machine_paths import without_machine

_PLACE = re.compile(r"(?P<path>/?[\w./~-]+\.(?:ya?ml|ini|json|cfg)|/[\w./~-]+):(?P<line>\d+)")
MESSAGE_CAP = 2_000
STDOUT_CAP = 64_000
"""Characters. A task with 300 kB of output makes an event of 600 kB; evidence keeps the beginning and the end."""


def error_sentence(text: str, root: Path) -> str:
    """Ansible's message of several lines, without its excerpts of sources, as one line that ends with the file and
    line.
    """
    text = re.sub(r"^\[(?:ERROR|WARNING|DEPRECATION WARNING)\]: ", "", text.strip())
    origin = re.search(r"^Origin: (.+)$", text, re.MULTILINE)
    head = re.split(r"^Origin: |\n\s*\n", text, maxsplit=1, flags=re.MULTILINE)[0]
    message = " ".join(head.split())
    cause = re.search(r"<<< caused by >>>\s+(\S[^\n]*)", text)
    if cause and cause[1] not in message:
        message = f"{message.rstrip('.')}: {cause[1]}"
    if origin and origin[1] not in message:
        message = f"{message.rstrip('.')} ({relative(origin[1], root)})"
    return capped(without_machine(message, root), MESSAGE_CAP)


def place_in(message: str) -> Place | None:
    """The first file and line that a message of Ansible names."""
    found = _PLACE.search(message)
    return None if found is None else Place(found["path"], int(found["line"]))


def capped(text: str, cap: int) -> str:
    if len(text) <= cap:
        return text
    half = cap // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"


def relative(path: str, root: Path) -> str:
    return path.removeprefix(f"{root}/")
