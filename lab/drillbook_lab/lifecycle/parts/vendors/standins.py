"""What the stand-ins of the vendors are started with, and what they serve at first."""

import hashlib
import hmac
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from drillbook_lab.base import files
from drillbook_lab.base.topology import HOST
from drillbook_lab.lifecycle.parts.vendors import clients

CONFIGURATION = "platforms.json"
_DEPLOY = """#!/bin/sh
# deploy COMMIT: as a push of this commit to main. The hosting says what it did in its last line.
said=$(echo "0000 "{commit}" refs/heads/main" | {hosting} 2>&1)
echo "$said"
case "$said" in deployed*) ;; *) exit 1 ;; esac
"""
_SOCKET_LIMIT = 100
"""In bytes; the kernel takes 107."""


def lay_out(folder: Path, lab_id: str, ports: Mapping[str, int], repository: Path, logs: Path) -> None:
    """Write the configuration, what the drills deploy, and what the clients need.

    A workflow is run in the product's `repository`, beside which lies the configuration of its hosting.
    """
    with resources.as_file(resources.files("drillbook_lab.platforms") / "content") as content:
        shutil.copytree(content, folder / "content", dirs_exist_ok=True)
    said = {
        "host": HOST,
        "ports": {name: ports[name] for name in ("platforms", "vercel", "workers")},
        "content": str(folder / "content"),
        "workerd": clients.workerd(),
        "served": str(folder / "served"),
        "socket": str(socket(folder, lab_id)),
        "runner": {"folder": str(repository), "tools": str(folder / "tools"), "log": str(logs / "workflow.log")},
    }
    files.write_json(folder / CONFIGURATION, said)
    for name in ("vercel", "gh", "wrangler", "tools"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    # by this setting gh sends each request, also one to github.com, to the stand-in: nothing can leave the machine
    files.write(folder / "gh" / "config.yml", f"http_unix_socket: {socket(folder, lab_id)}\n")
    hosting = [sys.executable, "-P", "-m", "drillbook_lab.web.hosting", str(repository.with_name("hosting.json"))]
    files.write(folder / "tools" / "deploy", _DEPLOY.format(hosting=shlex.join(hosting), commit='"$1"'))
    (folder / "tools" / "deploy").chmod(0o700)


def session(secret: str, name: str = "ada") -> str:
    """A session of a user, as the Worker that the drills deploy knows it."""
    return f"{name}.{hmac.new(secret.encode(), name.encode(), hashlib.sha256).hexdigest()}"


def socket(folder: Path, lab_id: str) -> Path:
    """Where GitHub's API answers the client `gh`. The path of a unix socket is short."""
    own = folder / "github.sock"
    if len(os.fsencode(own)) <= _SOCKET_LIMIT:
        return own
    return Path(tempfile.gettempdir()) / f"drillbook-{lab_id}.sock"
