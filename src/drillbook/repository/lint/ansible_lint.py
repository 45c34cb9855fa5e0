"""The findings of ansible-lint, with their file and line.

The rules: a finding says when ansible-lint is not installed, or did not come to an end: its silence is not a clean
bill. What Ansible could not run is an error. Advice on how to write a playbook better is a warning.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from drillbook.errors import PlaybookError
from drillbook.repository.lint.findings import Finding, Severity
from drillbook.target.ansible.environment import plugin_folders
from drillbook.target.ansible.extra_vars import write_private
from drillbook.target.ansible.yaml_lines import UnreadableError, load
from drillbook.target.private_folders import PrivateFolder

TIMEOUT_S = 600.0
_CODE = "ansible-lint"
_CANNOT_RUN = frozenset({"args", "internal-error", "jinja[invalid]", "load-failure", "parser-error", "syntax-check"})
"""Its rules about what Ansible cannot run; a part in brackets limits a rule to that part."""
_CONFIGURATIONS = tuple(
    Path(folder) / f"{dot}ansible-lint{end}"
    for folder, dot, ends in (("", ".", ("", ".yml", ".yaml")), (".config", "", (".yml", ".yaml")))
    for end in ends
)
"""Where it looks for its configuration, in that order."""


def check(
    root: Path,
    variables: Mapping[str, object] = MappingProxyType({}),
    path: str | None = None,
    only: Sequence[str] = (),
) -> Iterator[Finding]:
    """Run ansible-lint on playbooks/ of the repository, or `only` on these of them, offline, as its own `.ansible-lint`
    says.

    It finds the roles and modules that plays find, and knows the `variables` that steps hand over: without them it
    takes `hosts: "{{ victim }}"` for an unreadable playbook. They appear on command lines, so no secret may be among
    them. The program is looked for in `path` (default: beside this Python, then in PATH).
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
        with PrivateFolder("lint") as folder:
            done = subprocess.run(
                [found, *_configured(root, variables, folder), "-q", "-f", "json", *(only or ["playbooks"])],
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


def _configured(root: Path, variables: Mapping[str, object], folder: Path) -> list[str]:
    """The options that give it the variables, in a rewritten configuration. The user's own variables win."""
    options = ["--offline", "--nocolor"]
    own = next((root / name for name in _CONFIGURATIONS if (root / name).is_file()), None)
    try:
        said = load(own.read_text(encoding="utf-8")) if own is not None else {}
    except (OSError, UnicodeDecodeError, UnreadableError):
        return options  # it says itself what is wrong with it
    if not variables or not isinstance(said, Mapping | None):
        return options
    written: dict[str, Any] = {**(said or {})}
    own_variables: dict[str, Any] = written.get("extra_vars") or {}
    written["extra_vars"] = {**variables, **own_variables}
    if own is not None and isinstance(written.get("rulesdir"), list):
        written["rulesdir"] = [str(own.parent / str(each)) for each in written["rulesdir"]]
    named = written.get("project_dir")
    written["project_dir"] = str(own.parent / str(named) if own is not None and named else root)
    # its name tells ansible-lint what kind of file it is
    write_private(folder / ".ansible-lint", json.dumps(written, default=str))
    return [*options, "-c", str(folder / ".ansible-lint")]


def findings(output: str, errors: str, status: int) -> list[Finding]:
    """The findings in its output (Code Climate's JSON). Without such an output, one finding that says so."""
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
    rule = str(issue["check_name"])
    fatal = issue["severity"] != "minor" and not _CANNOT_RUN.isdisjoint({rule, rule.partition("[")[0]})
    severity = Severity.ERROR if fatal else Severity.WARNING
    sentence = " ".join(str(issue["description"]).split()).rstrip(".")
    return Finding(location["path"], int(line), _CODE, f"{sentence} [{rule}]", severity)
