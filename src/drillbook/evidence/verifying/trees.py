"""The files of one bundle: SHA256SUMS lists each with its digest, and nothing else is there.

The rule: every name below content/ is checked before any file is opened.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drillbook.evidence.sealing.statements import CONTENT, PROOF, RECORD, SUMS, SumsError, parse_sums, sha256
from drillbook.evidence.verifying.findings import Code, Counts, Findings, said
from drillbook.evidence.verifying.folders import (
    Folder,
    Kind,
    TooLargeError,
    UnreadableError,
    digest,
    name_problem,
    path_problem,
    read,
)

SUMS_BYTES, RECORD_BYTES, FILE_BYTES = 8 << 20, 64 << 20, 4 << 30
MOST_FILES, DEEPEST = 10_000, 16
_DOCUMENTS = (RECORD, PROOF)


@dataclass(frozen=True, slots=True)
class Tree:
    """The content of SHA256SUMS, its own digest, and the documents whose bytes match it."""

    listed: Mapping[str, str]
    sums: str
    documents: Mapping[str, bytes]


class Files:
    """Checks the files of one bundle."""

    def __init__(self, where: str, findings: Findings, counts: Counts) -> None:
        self._where, self._findings, self._counts = where, findings, counts
        self._seen, self._all_seen = 0, True
        self._listed: Mapping[str, str] = {}
        self._documents: dict[str, bytes] = {}

    def sums(self, bundle: Folder) -> tuple[Mapping[str, str], str] | None:
        """(digests by path, its own digest) of SHA256SUMS; None when it is unusable."""
        where = f"{self._where}/{SUMS}"
        try:
            data = read(bundle, SUMS, SUMS_BYTES)
            listed = dict(parse_sums(data))
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, where, f"it cannot be read: {error}")
            return None
        except TooLargeError:
            self._findings.add(Code.E_SIZE, where, f"it is larger than {SUMS_BYTES} bytes")
            return None
        except SumsError as error:
            self._findings.add(Code.E_SUMS_FORMAT, where, f"it is not as it was written: {error}")
            return None
        for path in listed:
            if problem := path_problem(path):
                self._findings.add(Code.E_NAME, where, f"the path {said(path)} {problem}")
        return listed, sha256(data)

    def tree(self, bundle: Folder) -> Tree | None:
        """All files compared with SHA256SUMS; None when that is unusable."""
        found = self.sums(bundle)
        if found is None:
            return None
        listed, own = found
        try:
            content = bundle.folder(CONTENT)
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, f"{self._where}/{CONTENT}", f"it cannot be read: {error}")
            return Tree(listed, own, {})
        self._listed = listed
        try:
            there = dict(self._walk(content, "", 0))
        finally:
            content.close()
        self._one_name_each(there)
        for path in listed:
            if path not in there and self._all_seen:
                self._findings.add(Code.E_FILE_MISSING, self._at(path), "SHA256SUMS lists it, and it is not there")
        return Tree(listed, own, self._documents)

    def _at(self, path: str) -> str:
        return f"{self._where}/{CONTENT}/{path}"

    def _walk(self, folder: Folder, prefix: str, depth: int) -> Iterator[tuple[str, Kind]]:
        """Each path that is there."""
        try:
            entries = folder.entries()
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, self._at(prefix), f"it cannot be read: {error}")
            return
        if prefix and not entries:
            self._findings.add(Code.E_FILE_EXTRA, self._at(prefix), "an empty folder, of which SHA256SUMS says nothing")
        for name, kind in entries.items():
            path = f"{prefix}{name}"
            self._seen += 1
            if self._seen > MOST_FILES or depth > DEEPEST:
                sentence = f"it holds more than {MOST_FILES} files, or folders deeper than {DEEPEST}"
                self._findings.add(Code.E_SIZE, f"{self._where}/{CONTENT}", sentence)
                self._all_seen = False
                return
            yield path, kind
            if problem := name_problem(name):
                self._findings.add(Code.E_NAME, self._at(path), f"its name {problem}")
            elif kind is Kind.FILE:
                self._file(folder, name, path)
            elif kind is Kind.FOLDER:
                yield from self._below(folder, name, path, depth)
            else:
                self._findings.add(
                    Code.E_FILETYPE, self._at(path), f"it is a {kind.value}: it was not followed or opened"
                )

    def _below(self, folder: Folder, name: str, path: str, depth: int) -> Iterator[tuple[str, Kind]]:
        try:
            inner = folder.folder(name)
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, self._at(path), f"it cannot be read: {error}")
            return
        try:
            yield from self._walk(inner, f"{path}/", depth + 1)
        finally:
            inner.close()

    def _file(self, folder: Folder, name: str, path: str) -> None:
        self._counts.files += 1
        required = self._listed.get(path)
        if required is None:
            self._findings.add(Code.E_FILE_EXTRA, self._at(path), "SHA256SUMS does not list it")
            return
        try:
            if path in _DOCUMENTS:
                data = read(folder, name, RECORD_BYTES)
                found = sha256(data)
                if found == required:
                    self._documents[path] = data
            else:
                found = digest(folder, name, FILE_BYTES)
        except UnreadableError as error:
            self._findings.add(Code.E_UNREADABLE, self._at(path), f"it cannot be read: {error}")
            return
        except TooLargeError:
            limit = RECORD_BYTES if path in _DOCUMENTS else FILE_BYTES
            self._findings.add(Code.E_SIZE, self._at(path), f"it is larger than {limit} bytes")
            return
        if found != required:
            sentence = f"its SHA-256 is {found}, and SHA256SUMS says {required}: it was changed"
            self._findings.add(Code.E_FILE_DIGEST, self._at(path), sentence)

    def _one_name_each(self, there: Mapping[str, Kind]) -> None:
        """Report two names that another system takes for one."""
        first: dict[str, str] = {}
        for path in sorted(there):
            folded = unicodedata.normalize("NFC", path).casefold()
            other = first.setdefault(folded, path)
            if other != path:
                sentence = f"some systems take it for the same name as {said(other)}"
                self._findings.add(Code.E_NAME, self._at(path), sentence)
