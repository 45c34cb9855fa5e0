"""The product's repository: one commit for each folder of the product's sources. The commits are always the same."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import drillbook_lab
from drillbook_lab.base.errors import LabError

AUTHOR = "The team <team@example.org>"
FIRST_AT = 1_760_000_000
"""The time of the first commit, in seconds since 1970. Each further commit is an hour later."""
RAW = ".txt"


@dataclass(frozen=True, slots=True)
class Commit:
    """What one folder of sources adds to the commit of another."""

    folder: str
    parent: str | None
    refs: tuple[str, ...]
    message: str


STABLE, STABLE_FOLDER = "v1.1.0", "v1_1_0"
COMMITS = (
    Commit("v1_0_0", None, ("tags/v1.0.0",), "Projects and their search"),
    Commit("v1_1_0", "v1_0_0", (f"tags/{STABLE}", "heads/main"), "The search knows an order"),
    Commit("v1_1_1", "v1_1_0", ("tags/v1.1.1",), "Less white space"),
    Commit("does_not_start", "v1_1_0", ("heads/bad/does-not-start",), "The search gets a server of its own"),
    Commit("errors", "v1_1_0", ("heads/bad/errors",), "A project has an owner"),
    Commit("slow", "v1_1_0", ("heads/bad/slow",), "A project says how far it is"),
    Commit("slow_too", "slow", ("heads/bad/slow",), "The README tells it"),
    Commit("leak", "v1_1_0", ("heads/bad/leak",), "Answers are kept"),
    Commit("worker_broken", "v1_1_0", ("heads/bad/worker",), "A webhook knows its customer"),
    Commit("page", "v1_1_0", ("heads/bad/page",), "The search waits for enter"),
    Commit("build_fails", "v1_1_0", ("heads/bad/build-fails",), "The search, tidied up"),
    Commit("build_fixed", "build_fails", ("heads/fix/build",), "A bracket that was missing"),
    Commit("search_broken", "v1_1_0", ("heads/bad/search",), "The best ones come first"),
    Commit("search_fixed", "search_broken", ("heads/fix/search",), "A rank that is there"),
    Commit("late", "v1_1_0", ("heads/bad/late",), "The search is warm from the first request on"),
    Commit("late_bad", "late", ("heads/bad/late",), "A project has an owner, and the search is warm later"),
    Commit("migration", "v1_1_0", ("heads/bad/migration",), "A project has a title"),
    Commit("migration_fixed", "migration", ("heads/fix/migration",), "All projects have one"),
    Commit("slightly_slow", "v1_1_0", ("heads/bad/slightly-slow",), "A project says how many scenes it has"),
    Commit("slightly_slow_fixed", "slightly_slow", ("heads/fix/slightly-slow",), "Scenes are counted at once"),
)
BAD = {
    "does not start": "bad/does-not-start",
    "answers with errors": "bad/errors",
    "follows one that starts late": "bad/late",
    "is slow": "bad/slow",
    "is slightly slow": "bad/slightly-slow",
    "leaks memory": "bad/leak",
    "makes jobs fail": "bad/worker",
    "breaks the search": "bad/page",
    "does not build": "bad/build-fails",
    "answers no search": "bad/search",
    "does not fit its own migration": "bad/migration",
}
"""The bad releases, by what is wrong with them."""


def sources(folder: str) -> dict[str, bytes]:
    """The files of one folder of sources, by their paths in the repository."""
    root = Path(str(resources.files(drillbook_lab))) / "product" / folder
    paths = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {
        path.relative_to(root).as_posix().removesuffix(f".py{RAW}") + _end(path): path.read_bytes() for path in paths
    }


def _end(path: Path) -> str:
    return ".py" if path.name.endswith(f".py{RAW}") else ""


def tree(folder: str) -> dict[str, bytes]:
    """All files as they are at the commit of this folder."""
    commit = next(each for each in COMMITS if each.folder == folder)
    return {**(tree(commit.parent) if commit.parent else {}), **sources(folder)}


def make(repository: Path) -> Mapping[str, str]:
    """Make the bare repository, and return the id of each commit by its folder. Raises LabError without git."""
    git = shutil.which("git")
    if git is None:
        raise LabError("the lab's product is in a git repository, and there is no git here: install it")
    marks = repository.with_suffix(".marks")
    # without the configuration of the user or the machine
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for arguments, stream in (
        (["init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(repository)], b""),
        (["--git-dir", str(repository), "fast-import", "--quiet", f"--export-marks={marks}"], b"".join(_stream())),
    ):
        done = subprocess.run([git, *arguments], input=stream, capture_output=True, check=False, env=environment)
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise LabError(f"the product's repository {repository} cannot be made: {said[-600:]}")
    numbers = dict(line.removeprefix(":").split() for line in marks.read_text().splitlines())
    marks.unlink()
    return {commit.folder: numbers[str(number)] for number, commit in enumerate(COMMITS, 1)}


def _stream() -> Iterator[bytes]:
    """What `git fast-import` reads."""
    number = {commit.folder: place for place, commit in enumerate(COMMITS, 1)}
    for commit in COMMITS:
        at = FIRST_AT + 3600 * number[commit.folder]
        message = commit.message.encode()
        yield f"commit refs/{commit.refs[0]}\nmark :{number[commit.folder]}\n".encode()
        yield f"author {AUTHOR} {at} +0000\ncommitter {AUTHOR} {at} +0000\ndata {len(message)}\n".encode()
        yield message + b"\n"
        if commit.parent:
            yield f"from :{number[commit.parent]}\n".encode()
        for path, content in sources(commit.folder).items():
            yield f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"
        for ref in commit.refs[1:]:
            yield f"reset refs/{ref}\nfrom :{number[commit.folder]}\n".encode()
