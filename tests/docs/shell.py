"""A shell that runs the commands of a document as a user would: in a folder, with the tools of an environment.

The rule: what it leaves running is ended with it, and nothing of the machine's own settings of Drillbook, Ansible or
pytest changes what a command does. A command in an environment that a document has made finds nothing that is installed
in the tests' own: `drillbook lint` would run its ansible-lint, which a reader does not have, for 10 s of CPU each time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.docs.blocks import ROOT, Block

DEADLINE_S = 600
README_PORT = "8042"
TESTS_OWN = Path(sys.executable).parent
"""The tools of the environment in which the tests run."""
_OURS = ("DRILLBOOK_", "ANSIBLE_", "PYTEST_", "COVERAGE_", "COV_", "VIRTUAL_ENV", "PYTHON")


class CommandError(AssertionError):
    """A command of a document that does not do what the document says."""


@dataclass(frozen=True, slots=True)
class Shell:
    """A folder in which commands run, the tools that they find first, and the port that stands for the README's."""

    root: Path
    tools: Path
    state: Path
    port: int
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, block: Block, then: str = "") -> str:
        """Run a block, and what the test wants to know afterwards. Raises CommandError for another exit status than
        the block promises.
        """
        env = self.environment() | ({"PYTEST_ADDOPTS": "--collect-only"} if block.collect else {})
        script = f"{self.ported(block.text)}\n{then}"
        with in_a_group(["bash", "-euo", "pipefail", "-c", script], self.root, env) as shell:
            output, _ = shell.communicate(timeout=DEADLINE_S)
            if shell.returncode != block.status:
                raise CommandError(f"{block.where}: status {shell.returncode}, not {block.status}:\n{output}")
        return output

    def write(self, block: Block) -> None:
        """Write the file that a block shows."""
        assert block.file is not None
        path = self.root / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.ported(block.text), encoding="utf-8")

    def ported(self, text: str) -> str:
        """The text with a port that is free on this machine."""
        return text.replace(README_PORT, str(self.port))

    def environment(self) -> dict[str, str]:
        """What a command sees: the machine's environment, without what would change Drillbook's mind."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        folders = env["PATH"].split(os.pathsep)
        if self.tools.is_dir():  # until then, the Python that makes the environment is the tests' own
            folders = [each for each in folders if Path(each) != TESTS_OWN]
        return env | {
            "PATH": os.pathsep.join([str(self.tools), *folders]),
            # compiled when it is imported: compiling all of it takes half of an installation
            "PIP_NO_COMPILE": "1",
            "XDG_STATE_HOME": str(self.state),
            **self.variables,
        }


@contextlib.contextmanager
def in_a_group(command: list[str], root: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process and its children; all that is left of them is ended in the end."""
    with subprocess.Popen(
        command,
        cwd=root,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class Quiet(SimpleHTTPRequestHandler):
    """The README's `python3 -m http.server`, without its log."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a prober asks twenty times a second."""


@contextlib.contextmanager
def served_copy(shell: Shell, root: Path) -> Iterator[Shell]:
    """A copy of a repository with a service of its own; without the evidence of an earlier drill."""
    left = shutil.ignore_patterns(".venv", "evidence", ".pytest_cache", "__pycache__")
    shutil.copytree(shell.root, root, symlinks=True, ignore=left)
    handler = partial(Quiet, directory=str(root / "site/current"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hosts = root / "inventories/staging/hosts.yml"
        text = hosts.read_text(encoding="utf-8")
        assert str(shell.port) in text
        hosts.write_text(text.replace(str(shell.port), str(server.server_port)), encoding="utf-8")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Shell(root, shell.tools, root.with_name(f"{root.name}-state"), server.server_port)
        finally:
            server.shutdown()
            thread.join()


def checkout(root: Path) -> None:
    """What a wheel is built from, and what features stand on."""
    for name in ("src", "lab", "steps", "playbooks", "inventories", "features", "containers", "machines"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
