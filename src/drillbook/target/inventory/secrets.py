"""Finds the secrets in the resolved variables of an inventory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from drillbook.evidence.secret_forms import MIN_LENGTH
from drillbook.evidence.secret_names import (
    assigned,
    is_header_path,
    is_secret_path,
    leaves,
    named_secrets,
    parts_of_header,
)
from drillbook.target.inventory.origins import origin_of

VAULT = b"$ANSIBLE_VAULT"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that may not be shown.

    `declared`: somebody called it a secret. Otherwise only its name looks like one.
    """

    label: str
    value: str = field(repr=False)
    declared: bool


def secrets_in(entry: Mapping[str, Any], name: str, vaults: dict[str, bool]) -> Iterable[tuple[str, str, bool]]:
    """(label, value, declared) of all vaulted values, values whose names mark a secret, and passwords in URLs."""
    if "value" not in entry:
        return
    vaulted = entry.get("vaulted", ())
    ours = name.startswith("drillbook_")
    for path, keys, value in leaves(entry["value"], name):
        # headers of ours that are no mapping: the error quotes them, and they may hold a token
        named = is_secret_path(keys) or (ours and keys[-1] == "headers")
        in_vault = _in_a_vault(entry, path, vaults) or any(f"{path}.".startswith(f"{each}.") for each in vaulted)
        if (in_vault or named) and (isinstance(value, str) or len(str(value)) >= MIN_LENGTH):
            yield path, str(value), named and (in_vault or ours)
        if is_header_path(keys):
            yield from ((path, part, False) for part in parts_of_header(str(value)))
        yield from ((label, each, False) for label, each in assigned(value))
        if isinstance(value, str) and (password := password_of(value)):
            yield path, password, ours


def secrets_in_environment(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    """(name, value) of the secrets in these environment variables: by their names, and in their URLs."""
    for name in names:
        value = os.environ.get(name, "")
        yield from named_secrets(value, name)
        if password := password_of(value):
            yield name, password


def _in_a_vault(entry: Mapping[str, Any], path: str, vaults: dict[str, bool]) -> bool:
    """Whether the value stands in a file that is encrypted as a whole: such values carry no tag."""
    origin = origin_of(entry, path)
    if origin is None:
        return False
    if origin.path not in vaults:
        try:
            with Path(origin.path).open("rb") as file:
                vaults[origin.path] = file.read(len(VAULT)) == VAULT
        except OSError:
            vaults[origin.path] = False
    return vaults[origin.path]


def password_of(url: str) -> str | None:
    """The password in a URL, as its user reads it; None when there is none."""
    if "://" not in url or "@" not in url:
        return None
    try:
        password = urlsplit(url).password
    except ValueError:
        return None
    return unquote(password) if password else None
