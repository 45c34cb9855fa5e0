"""What steps say of a part that is missing on a machine, and of what a client has said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from steps._parts import Platform, usable

from drillbook import Drill

pytestmark = pytest.mark.unit

PLATFORM = Platform("github", "drillbook_github", "gh")


def drill(variables: dict[str, object], files: dict[str, str]) -> Drill:
    """One with a host `on-github` in the group `github`, its variables, and its files."""

    def file(path: str) -> Any:
        return SimpleNamespace(exists=path in files, content_string=files.get(path, ""))

    inventory = SimpleNamespace(
        names=lambda group: {"github": ["on-github"]}[group],
        variable=lambda host, name: {"on-github": variables}[host][name],
    )
    hosts = {"github": [SimpleNamespace(file=file)]}
    return cast(Drill, SimpleNamespace(inventory=inventory, hosts=hosts.__getitem__))


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["gh"], "installed"),
        ([], "gh is missing: run 'drillbook lab clients', then 'drillbook lab reset'"),
        (None, "gh is missing: run 'drillbook lab clients', then 'drillbook lab reset'"),
    ],
)
def test_a_client_that_is_missing_is_named_with_how_to_get_it(command: object, says: str) -> None:
    assert PLATFORM.installed(drill({"drillbook_github_command": command}, {})) == says


@pytest.mark.parametrize(
    ("missing", "says"),
    [("", "usable"), ("rsync (apt-get install rsync)", "not here; missing: rsync (apt-get install rsync), then")],
)
def test_a_part_that_is_missing_is_named(missing: str, says: str) -> None:
    assert usable(drill({"its_missing": missing}, {}), "github", "its_missing").startswith(says)


@pytest.mark.parametrize(
    ("files", "says"), [({"/home/said.txt": "status 0\n"}, "status 0\n"), ({"/said.txt": "status 0\n"}, "nothing")]
)
def test_what_a_client_has_said_is_read_from_its_home(files: dict[str, str], says: str) -> None:
    assert PLATFORM.said(drill({"drillbook_github_home": "/home"}, files)) == says
