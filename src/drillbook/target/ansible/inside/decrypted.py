"""What a run of Ansible has decrypted, read while it runs.

The rule: read this file before you show what a play printed. Ansible decrypts a value before it prints it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from drillbook.evidence.secret_forms import MIN_LENGTH
from drillbook.evidence.secret_names import leaves

FILE = "decrypted"
"""In the private folder of a run: lines of JSON, as `changes.py` writes them."""
OnSecret = Callable[[str, str], None]
"""Gets the label and the value of a secret."""
_NO_SECRETS = frozenset({"", "true", "false", "yes", "no", "on", "off", "null", "none", "~"})


class Decrypted:
    """The file to which a run adds all that it decrypts."""

    def __init__(self, folder: Path, on_secret: OnSecret) -> None:
        self.folder, self._on_secret = folder, on_secret
        self._read = 0
        self._rest = b""

    def take(self) -> None:
        """Hand over the new lines."""
        path = self.folder / FILE
        try:
            if path.stat().st_size == self._read:
                return
            with path.open("rb") as file:
                file.seek(self._read)
                more = file.read()
        except FileNotFoundError:
            return
        self._read += len(more)
        *lines, self._rest = (self._rest + more).split(b"\n")
        for line in lines:
            said = json.loads(line)
            for label, value in secrets_of(said["text"], said["place"]):
                self._on_secret(label, value)


def secrets_of(text: str, place: str) -> Iterator[tuple[str, str]]:
    """(label, value) of the secrets in a decrypted text: the whole text, and each value in it where it is YAML."""
    label = place or "vaulted"
    yield label, text
    if ":" not in text and not text.startswith("-"):
        return
    # YAML takes 0.04 s of processor time to import: a session that decrypts no file does not need it
    import yaml

    try:
        content = yaml.load(text, yaml.BaseLoader)
    except yaml.YAMLError:
        return
    for path, _names, value in leaves(content):
        said = str(value)
        if said.lower() not in _NO_SECRETS and not (len(said) < MIN_LENGTH and said.isdecimal()):
            yield path or label, said
