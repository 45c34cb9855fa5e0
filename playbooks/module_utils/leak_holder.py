"""What the modules that leak connections share. A process of its own holds the connections as long as its file is
there.

It reads its order from standard input, so that no command line has a password. It prints how many connections it has
taken. While a second file, the marker, is missing, it takes every connection that becomes free.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "leaked"
"""The name that each connection tells the server."""
WAIT_S = 20.0
"""How long the process may take to end once its file is gone."""


def marker(file: Path) -> Path:
    """The path of the marker. While this file is there, the process keeps what it has, and takes no more."""
    return file.with_name(f"{file.name}.grown")


def grow(file: Path, program: str, order: Mapping[str, Any]) -> dict[str, Any]:
    """Start the process, unless its file is there already. Returns the result of the module.

    `program` is the process' Python source. `order` has what it needs besides the file and the name. Raises OSError
    when the process took no connection.
    """
    if file.exists():
        return {"changed": False}
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    marker(file).unlink(missing_ok=True)
    file.write_text("")
    environment = {name: os.environ[name] for name in ("HOME", "LANG", "TZ") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**environment, "PATH": os.environ.get("PATH", os.defpath)},
        cwd="/",
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps({**order, "file": str(file), "name": NAME}).encode() + b"\n")
    process.stdin.close()
    held = int(process.stdout.readline() or 0)
    if not held:
        take_away(file)
        raise OSError(f"the process that should take connections took none (id {process.pid})")
    return {"changed": True, "held": held}


def stop_growing(file: Path) -> dict[str, Any]:
    """Tell the process to take no more. Returns the result of the module."""
    changed = not marker(file).exists()
    marker(file).touch()
    return {"changed": changed}


def take_away(file: Path) -> None:
    """Remove both files. The process sees it, and ends."""
    file.unlink(missing_ok=True)
    marker(file).unlink(missing_ok=True)
