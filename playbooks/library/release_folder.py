#!/usr/bin/python
"""Lay a release out from a git repository, build it, and make it the live one by exchanging a link."""

from __future__ import annotations

DOCUMENTATION = """
module: release_folder
short_description: Lay out, build or switch to a release
description:
  - A release is a folder below C(releases), named by its commit. The link C(current) leads to the live one.
  - Needs git where it runs. Without O(state) it only reads.
options:
  site: {description: The folder with C(releases) and C(current), type: path, required: true}
  repository: {description: A bare repository on this host that has the commit, type: path, required: true}
  origin:
    description: Where O(repository) is fetched from first, if it is a mirror. It is made when it is not there.
    type: str
  ref: {description: A commit, tag or branch, type: str, required: true}
  state:
    description:
      - C(present) lays the files of the commit out.
      - C(built) also runs O(build) there. A folder whose build failed is removed, and the module fails.
      - C(live) exchanges the link. The release has to be built.
    type: str
    choices: [present, built, live]
  install: {description: Command that installs what the release needs, type: list, elements: str, default: []}
  build: {description: Command that builds it; it has to write build.json, type: list, elements: str, default: []}
  keep: {description: How many releases stay on disk when one goes live, type: int, default: 5}
"""
RETURN = """
commit: {description: The full id of the commit, type: str, returned: success}
folder: {description: Where the release lies, type: str, returned: success}
on_disk: {description: Whether it was built before, type: bool, returned: success}
was_live: {description: The commit that was live before; empty without one, type: str, returned: success}
removed: {description: Releases that were taken away, type: list, returned: success}
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

BUILT = "build.json"


class RefusedError(Exception):
    """What cannot be done, in one sentence."""


def run(arguments: list[str], folder: Path | None = None) -> str:
    """The output of a command. Raises RefusedError with the end of what it said."""
    try:
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise RefusedError(f"{arguments[0]}: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-1000:]
        raise RefusedError(f"{' '.join(arguments)} ended with {done.returncode}: {said}")
    return done.stdout


class Site:
    """The releases of a site on disk, and its repository."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._site, self._repository = Path(asked["site"]), Path(asked["repository"])
        self._asked = asked

    def commit(self) -> str:
        """The full id of the commit that is asked for. A repository that is a mirror is fetched first."""
        if origin := self._asked["origin"]:
            if not self._repository.is_dir():
                run(["git", "clone", "--quiet", "--mirror", origin, str(self._repository)])
            run(["git", "--git-dir", str(self._repository), "fetch", "--quiet", "--prune", origin, "+refs/*:refs/*"])
        ref = self._asked["ref"]
        asked = ["git", "--git-dir", str(self._repository), "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"]
        try:
            return run(asked).strip()
        except RefusedError as error:
            raise RefusedError(f"{self._repository} has no commit {ref!r}") from error

    def folder(self, commit: str) -> Path:
        return self._site / "releases" / commit

    def is_built(self, commit: str) -> bool:
        return (self.folder(commit) / BUILT).exists()

    def live(self) -> str:
        link = self._site / "current"
        return link.readlink().name if link.is_symlink() else ""

    def lay_out(self, commit: str) -> None:
        """Lay the release out as a whole or not at all. What a stopped deployment has left is removed first."""
        folder = self.folder(commit)
        beside = folder.with_name(f".{commit}.new")
        for old in (beside, folder):
            shutil.rmtree(old, ignore_errors=True)
        beside.mkdir(parents=True)
        archive = ["git", "--git-dir", str(self._repository), "archive", "--format=tar", commit]
        with subprocess.Popen(archive, stdout=subprocess.PIPE) as giving:
            taking = subprocess.run(["tar", "-x", "-C", str(beside)], stdin=giving.stdout, check=False)
        if giving.returncode or taking.returncode:
            raise RefusedError(f"{commit} cannot be laid out from {self._repository}")
        beside.rename(folder)

    def build(self, commit: str) -> None:
        folder = self.folder(commit)
        try:
            for command in (self._asked["install"], self._asked["build"]):
                if command:
                    run(command, folder)
        except RefusedError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if not (folder / BUILT).exists():
            (folder / BUILT).write_text("{}\n")  # the build gives no figures of its own

    def switch(self, commit: str) -> None:
        """Switch the link in one step. Whoever opens it finds the old release or the new one."""
        beside = self._site / ".current.new"
        beside.unlink(missing_ok=True)
        beside.symlink_to(Path("releases") / commit)
        beside.replace(self._site / "current")

    def prune(self, commit: str, before: str) -> list[str]:
        """Remove old releases. The newest ones stay, and so do the live one and the one before it."""
        found = [each for each in (self._site / "releases").iterdir() if not each.name.startswith(".")]
        found.sort(key=lambda each: each.stat().st_mtime, reverse=True)
        old = [each for each in found[self._asked["keep"] :] if each.name not in (commit, before)]
        for each in old:
            shutil.rmtree(each)
        return [each.name for each in old]


def work(site: Site, state: str | None, check_mode: bool) -> dict[str, Any]:
    commit, before = site.commit(), site.live()
    on_disk = site.is_built(commit)
    known = {"commit": commit, "folder": str(site.folder(commit)), "on_disk": on_disk, "was_live": before}
    removed: list[str] = []
    if state == "live":
        if not on_disk:
            raise RefusedError(f"{commit} is not built: the state 'built' comes before 'live'")
        changed = before != commit
        if changed and not check_mode:
            site.switch(commit)
            removed = site.prune(commit, before)
    elif state == "present":
        changed = not site.folder(commit).exists()
        if changed and not check_mode:
            site.lay_out(commit)
    else:
        changed = state == "built" and not on_disk
        if changed and not check_mode:
            if not site.folder(commit).exists():
                site.lay_out(commit)
            site.build(commit)
    return {**known, "changed": changed, "removed": removed}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "site": {"type": "path", "required": True},
            "repository": {"type": "path", "required": True},
            "origin": {"type": "str"},
            "ref": {"type": "str", "required": True},
            "state": {"choices": ["present", "built", "live"]},
            "install": {"type": "list", "elements": "str", "default": []},
            "build": {"type": "list", "elements": "str", "default": []},
            "keep": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**work(Site(module.params), module.params["state"], module.check_mode))
    except (RefusedError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
