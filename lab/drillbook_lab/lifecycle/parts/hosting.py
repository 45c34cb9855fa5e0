"""Deploy on push: a hook of the product's repository, and the file that says what it deploys to."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drillbook_lab.base import files


def install(repository: Path, python: str, config: Mapping[str, Any]) -> None:
    """Install the hook. `config` is the CONFIG of drillbook_lab.web.hosting, and holds a token."""
    said = repository.with_name("hosting.json")
    files.write_json(said, config)
    hook = repository / "hooks" / "post-receive"
    hook.parent.mkdir(mode=0o700, exist_ok=True)
    command = shlex.join([python, "-P", "-m", "drillbook_lab.web.hosting", str(said)])
    files.write(hook, f"#!/bin/sh\nexec {command}\n")
    hook.chmod(0o700)
