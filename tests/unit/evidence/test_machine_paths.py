"""Which paths are left out of what is kept, and which texts stay as they are."""

from __future__ import annotations

import json

import pytest

from drillbook.evidence.machine_paths import without_machine

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/srv/drills/a.yml:3", "a.yml:3"),
        (
            "not found in /srv/drills/roles:/srv/drills/x:/home/me/.ansible/roles:/srv/drills",
            "not found in roles:x:~/.ansible/roles:.",
        ),
        ("['/srv/drills/a', \"/srv/drills/b\"]", "['a', \"b\"]"),
        ("see (/srv/drills).", "see (.)."),
        ("/srv/drills-of-others/a and /data/srv/drills/a", "/srv/drills-of-others/a and /data/srv/drills/a"),
        ("http://host/srv/drills/a file:///srv/drills/a", "http://host/srv/drills/a file:///srv/drills/a"),
        ("/home/meg/x /home/me/x /home/me", "/home/meg/x ~/x ~"),
        ("in\n/srv/drills/a\n\t/srv/drills/b", "in\na\n\tb"),
    ],
)
def test_paths_of_the_repository_and_of_the_home(text: str, kept: str) -> None:
    assert without_machine(text, "/srv/drills", "/home/me") == kept
    assert json.loads(without_machine(json.dumps(text), "/srv/drills", "/home/me")) == kept


@pytest.mark.parametrize(("root", "home"), [("/", "/root"), ("/srv/drills", "/")])
def test_the_top_of_the_tree_is_no_place(root: str, home: str) -> None:
    assert without_machine("/a /b", root, home) == "/a /b"
