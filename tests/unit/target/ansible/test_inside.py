"""What a run has decrypted, as it is read while the run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drillbook.target.ansible.inside.decrypted import FILE, Decrypted, secrets_of

pytestmark = pytest.mark.unit

PLACE = "/srv/drills/vars.yml"


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("one-value", [(PLACE, "one-value")]),
        ("a: value", [(PLACE, "a: value"), ("a", "value")]),
        (
            "app: {user: admin-of-it, port: 5432, on: true, empty: }\nkeys: [of-a-list]\n",
            [("app.user", "admin-of-it"), ("keys.0", "of-a-list")],
        ),
        ("pin: 0123456\n", [("pin", "0123456")]),
        ("x: !unsafe kept-as-it-is\n", [("x", "kept-as-it-is")]),
        ("no: [yaml\n", []),
    ],
)
def test_each_value_of_a_decrypted_text_is_a_secret(text: str, secrets: list[tuple[str, str]]) -> None:
    found = list(secrets_of(text, PLACE))
    assert found[0] == (PLACE, text)
    assert [each for each in found if each[1] != text] == [each for each in secrets if each[1] != text]


def test_what_is_new_is_told_once_and_whole(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    it = Decrypted(tmp_path, lambda label, value: told.append((label, value)))
    it.take()
    first, second = (json.dumps({"place": PLACE, "text": text}) + "\n" for text in ("the-first", "the-second"))
    with (tmp_path / FILE).open("a") as file:
        file.write(first + second[:10])
        file.flush()
        it.take()
        it.take()
        assert told == [(PLACE, "the-first")]
        file.write(second[10:])
    it.take()
    assert told == [(PLACE, "the-first"), (PLACE, "the-second")]
