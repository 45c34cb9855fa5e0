"""Selects the part of a playbook to run, and its hosts: --tags, --skip-tags and --limit of ansible-playbook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drillbook.errors import DrillbookError


@dataclass(frozen=True, slots=True)
class Selection:
    """All of a playbook, or a part; each field is as on the command line, several values separated by commas."""

    tags: str = ""
    skip_tags: str = ""
    limit: str = ""

    @classmethod
    def of(
        cls, tags: str | Sequence[str] = (), skip_tags: str | Sequence[str] = (), limit: str | Sequence[str] = ()
    ) -> Selection:
        """Raises DrillbookError for a value that is neither a text nor a list of texts."""
        return cls(_joined("tags", tags), _joined("skip_tags", skip_tags), _joined("limit", limit))

    def arguments(self) -> list[str]:
        """For the command line of ansible-playbook."""
        options = {"--tags": self.tags, "--skip-tags": self.skip_tags, "--limit": self.limit}
        return [f"{option}={value}" for option, value in options.items() if value]

    def __str__(self) -> str:
        return " ".join(self.arguments())


ALL = Selection()


def _joined(name: str, value: object) -> str:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(each, str) for each in texts):
        msg = f"{name} of a recovery is a text or a list of texts, and not {value!r}: give a variable another name"
        raise DrillbookError(msg)
    return ",".join(filter(None, texts))
