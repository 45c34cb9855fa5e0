"""The findings of ansible-lint, with their file and line.

The rule: when it is not installed, or did not come to an end, that is said; its silence is not a clean bill.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drillbook.errors import PlaybookError
from drillbook.repository.lint.findings import Finding, Severity
from drillbook.target.ansible.environment import plugin_folders

TIMEOUT_S = 600.0
_CODE = "ansible-lint"


def check(root: Path, path: str | None = None) -> Iterator[Finding]:
    """Run ansible-lint on playbooks/ of the repository, offline, as its own `.ansible-lint` says.

    It finds the roles and modules that plays find. The program is looked for in `path` (default: beside this Python,
    then in PATH).
    """
    if not (root / "playbooks").is_dir():
        return
    if path is None:
        path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    found = shutil.which("ansible-lint", path=path)
    if found is None:
        yield Finding("playbooks", 1, _CODE, "not run: ansible-lint is not installed", Severity.NOTE)
        return
    try:
        done = subprocess.run(
            [found, "--offline", "--nocolor", "-q", "-f", "json", "playbooks"],
            cwd=root,
            env=os.environ | plugin_folders(root) | {"PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, PlaybookError) as error:
        yield Finding("playbooks", 1, _CODE, f"not run to its end: {error}")
        return
    yield from findings(done.stdout, done.stderr, done.returncode)


def findings(output: str, errors: str, status: int) -> list[Finding]:
    """The findings in its output (Code Climate's JSON); one that says so when there is no such output."""
    try:
        issues = json.loads(output)
        found = [_finding(issue) for issue in issues]
    except (ValueError, KeyError, TypeError):
        said = " ".join((errors.strip() or output.strip()).splitlines()[-1:]) or "it said nothing"
        return [Finding("playbooks", 1, _CODE, f"not run to its end (status {status}): {said}")]
    if status != 0 and not found:
        said = " ".join(errors.strip().splitlines()[-1:])
        return [Finding("playbooks", 1, _CODE, f"it ended with status {status} and named no finding: {said}")]
    return found


def _finding(issue: dict[str, Any]) -> Finding:
    location = issue["location"]
    line = location["lines"]["begin"] if "lines" in location else location["positions"]["begin"]["line"]
    severity = Severity.WARNING if issue["severity"] == "minor" else Severity.ERROR
    sentence = " ".join(str(issue["description"]).split()).rstrip(".")
    return Finding(location["path"], int(line), _CODE, f"{sentence} [{issue['check_name']}]", severity)
