"""Digests of a drill's files, the same in every checkout of the same commit.

The rule: a digest depends on the text alone, not on modes or times. Line ends count as git keeps them (LF). Files that
Python, editors and systems leave behind are skipped.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_BINARY_WITHIN = 8000
"""git takes a file for binary when these first bytes hold a NUL byte, and so does this module."""
ROLES = "playbooks/roles/"
_SETTINGS, _VARIABLES = "ansible.cfg", ("group_vars", "host_vars")
_LEFT_BY_OTHERS = frozenset({"__pycache__", "node_modules"})
_LEFT_SUFFIXES = (".pyc", ".pyo", ".orig", ".rej", ".swp", "~")
_HEADING = re.compile(r" {0,3}(?P<marks>#{1,6})(?:[ \t]+(?P<text>.*?))?(?:[ \t]+#+)?[ \t]*$")
_NAMED = re.compile(r"\s*\{#([^\s}]+)[^}]*\}\s*$")
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})")


def digest(data: bytes) -> str:
    """SHA-256 of a file's bytes; for a text, with LF at the end of each line."""
    if b"\r\n" in data and b"\0" not in data[:_BINARY_WITHIN]:
        data = data.replace(b"\r\n", b"\n")
    return hashlib.sha256(data).hexdigest()


def files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder as git keeps them, in no order; without hidden ones and leftovers of Python and editors."""
    for each in folder.iterdir():
        name = each.name
        if name.startswith(".") or name in _LEFT_BY_OTHERS or name.endswith(_LEFT_SUFFIXES):
            continue
        if each.is_dir():
            yield from files_below(each)
        elif each.is_file():
            yield each


def digest_of_folder(folder: Path) -> str:
    """One digest of all files in it: the digest of `sha256sum`'s lines for them, sorted by path."""
    paths = {each.relative_to(folder).as_posix(): each for each in files_below(folder)}
    return digest_of_files({name: digest(path.read_bytes()) for name, path in paths.items()})


def digest_of_files(digests: Mapping[str, str]) -> str:
    """One digest of several files, from the digest of each by its path."""
    lines = (f"{digests[name]}  {name}\n" for name in sorted(digests, key=str.encode))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def of_role(path: str) -> str | None:
    """The folder of the role that a file (from the root) belongs to: all of the role's files take part together."""
    return "/".join(path.split("/")[:3]) if path.startswith(ROLES) and path.count("/") > 2 else None


def files_of_role(root: Path, role: str) -> set[str]:
    """The files of a role, from the root."""
    return {each.relative_to(root).as_posix() for each in _all_below(root / role)}


def files_of_inventories(root: Path, inventories: Iterable[Path]) -> set[str]:
    """The files that Ansible reads with these inventories, from the root: hosts, groups, their variables, and
    ansible.cfg.

    Files outside of the root are skipped.
    """
    found = {root / _SETTINGS}
    for inventory in inventories:
        if inventory.is_dir():
            found |= set(files_below(inventory))
        else:
            found |= {inventory, *(each for name in _VARIABLES for each in _all_below(inventory.parent / name))}
    found |= {each for name in _VARIABLES for each in _all_below(root / "playbooks" / name)}
    ours, root = [each.resolve() for each in found if each.is_file()], root.resolve()
    return {each.relative_to(root).as_posix() for each in ours if each.is_relative_to(root)}


def _all_below(folder: Path) -> Iterator[Path]:
    return files_below(folder) if folder.is_dir() else iter(())


class Digests:
    """Digests of the files below `root`. A file whose stamp is unchanged is not read again."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._files: dict[str, tuple[tuple[int, ...], str]] = {}
        self._clauses: dict[tuple[str, str], dict[str, str]] = {}

    def of(self, path: str) -> str | None:
        """The digest of a file, by its path from the root; None when it is missing or unreadable."""
        file = self.root / path
        try:
            status = file.stat()
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._files.get(path)
            if known is None or known[0] != stamp:
                known = self._files[path] = stamp, digest(file.read_bytes())
        except OSError:
            return None
        return known[1]

    def of_clause(self, path: str, anchor: str) -> str | None:
        """The digest of one clause of a runbook: its heading, and all below it. None when it is missing."""
        whole = self.of(path)
        if whole is None:
            return None
        key = path, whole
        if key not in self._clauses:
            text = (self.root / path).read_bytes().decode("utf-8", errors="replace")
            self._clauses[key] = {name: digest(clause.encode()) for name, clause in clauses(text).items()}
        return self._clauses[key].get(anchor)


def clauses(markdown: str) -> dict[str, str]:
    """The clauses of a runbook by GitHub's anchors of their headings; each lasts until a heading of its level.

    Only headings that begin with `#` are known. For any other clause, the whole file counts.
    """
    lines = markdown.replace("\r\n", "\n").split("\n")
    headings: list[tuple[int, int, str]] = []
    fence = ""
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark is not None and not fence:
            fence = mark["fence"]
        elif mark is not None and mark["fence"].startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        elif not fence and (heading := _HEADING.match(line)) is not None:
            headings.append((number, len(heading["marks"]), heading["text"] or ""))
    found: dict[str, str] = {}
    before: dict[str, int] = {}
    for place, (begin, level, text) in enumerate(headings):
        end = next((at for at, other, _ in headings[place + 1 :] if other <= level), len(lines))
        clause = "\n".join(lines[begin:end]).rstrip() + "\n"
        named = _NAMED.search(text)
        if named is not None:
            found[named[1]] = clause
        found[next_anchor(_NAMED.sub("", text), before)] = clause
    return found


def next_anchor(heading: str, given: dict[str, int]) -> str:
    """GitHub's anchor of a heading below those whose anchors are `given`; it is added to them."""
    anchor = first = github_anchor(heading)
    while anchor in given:
        given[first] += 1
        anchor = f"{first}-{given[first]}"
    given[anchor] = 0
    return anchor


def github_anchor(heading: str) -> str:
    """GitHub's anchor of a heading's text."""
    kept = (
        char
        for char in heading.strip().lower()
        if char in "- _" or unicodedata.category(char)[0] in "LM" or unicodedata.category(char) in ("Nd", "Pc")
    )
    return "".join(kept).replace(" ", "-")
