#!/usr/bin/python
"""Change a branch of a git repository as people do it: from a clone, with commits and pushes."""

from __future__ import annotations

DOCUMENTATION = """
module: git_branch
short_description: Push, commit, revert or reset on a branch, from a clone
description:
  - Works in O(clone), which is made from O(url) when it is not there.
  - A push runs the hooks of the repository, and returns when they have ended.
options:
  url: {description: Where the repository is, type: str, required: true}
  clone: {description: Folder of the clone. Nobody else may work in it, type: path, required: true}
  branch: {description: The branch, type: str, default: main}
  state:
    description:
      - C(read) changes nothing.
      - C(pushed) pushes the commit O(ref) to the branch, without force.
      - C(committed) commits O(file) with O(content) on top of the branch, and pushes.
      - C(reverted) reverts the commit O(ref) on top of the branch, and pushes, unless it is reverted already.
      - C(reset) resets the clone's branch to O(ref) and pushes that with force. It does not fetch before.
      - C(saved) keeps the tip of the branch under O(keep), unless something is kept there.
      - C(restored) sets the branch back to what is kept under O(keep), removes that, and removes the clone.
    type: str
    choices: [read, pushed, committed, reverted, reset, saved, restored]
    default: read
  ref: {description: A commit, tag or branch of the repository, type: str}
  seen:
    description: For C(reset), the commit that the branch must still have. Without it the push overwrites anything.
    type: str
  file: {description: Path in the repository, type: str}
  content: {description: What stands in the file, type: str}
  message: {description: Message of the commit, type: str}
  author: {description: Author of the commits, type: str, default: "Drillbook <drillbook@example.org>"}
  keep: {description: A ref outside of branches and tags, type: str, default: refs/drillbook/before}
"""
RETURN = """
before: {description: The tip of the branch in the repository, before, type: str, returned: success}
tip: {description: The tip of the branch in the repository, now, type: str, returned: success}
kept: {description: What is kept under O(keep); empty for nothing, type: str, returned: success}
refused: {description: Whether a C(reset) was refused because the branch has another tip, type: bool, returned: success}
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule


class RefusedError(Exception):
    """What git refused, in one sentence."""


class Branch:
    """A branch that a clone works on."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked, self._clone, self._branch = asked, Path(asked["clone"]), str(asked["branch"])
        self._remote = f"refs/heads/{self._branch}"
        found = re.fullmatch(r"(.+) <(.+)>", asked["author"])
        if not found:
            raise RefusedError(f"author is {asked['author']!r}: write it as NAME <MAIL>")
        who = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in zip(("NAME", "EMAIL"), found.groups(), strict=True)
        }
        self._environment = {**os.environ, **who, "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"}

    def git(self, *arguments: str, anywhere: bool = False) -> str:
        """What git prints. Raises RefusedError with the end of what it said."""
        where = [] if anywhere else ["-C", str(self._clone)]
        done = subprocess.run(
            ["git", *where, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RefusedError(f"git {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()[-1000:]}")
        return done.stdout.strip()

    def at(self, ref: str) -> str:
        """The commit of a ref in the repository; empty when the repository does not have the ref."""
        said = self.git("ls-remote", self._asked["url"], ref, anywhere=True)
        return said.split()[0] if said else ""

    def tip(self) -> str:
        return self.at(self._remote)

    def cloned(self) -> None:
        """Make the clone when it is not there. A clone that is there stays as it is."""
        if not self._clone.is_dir():
            self.git("clone", "--quiet", "--branch", self._branch, self._asked["url"], str(self._clone), anywhere=True)

    def fetched(self) -> None:
        """Bring the branch of the clone to what the repository has."""
        self.cloned()
        self.git("fetch", "--quiet", "--tags", "--prune", "origin")
        self.git("checkout", "--quiet", "--force", "-B", self._branch, f"origin/{self._branch}")

    def commit(self, ref: str) -> str:
        """The full id of a commit, by any name that it has in the repository."""
        for name in (f"origin/{ref}", ref):
            try:
                return self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
            except RefusedError:
                continue
        raise RefusedError(f"{self._asked['url']} has no commit {ref!r}")

    # -------------------------------------------------------------- the states; each returns whether git refused it

    def pushed(self) -> None:
        self.fetched()
        self.git("push", "--quiet", "origin", f"{self.commit(self._asked['ref'])}:{self._remote}")

    def committed(self) -> None:
        self.fetched()
        path = self._clone / self._asked["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._asked["content"])
        self.git("add", "--", self._asked["file"])
        if self.git("status", "--porcelain"):
            self.git("commit", "--quiet", "--message", self._asked["message"])
            self.git("push", "--quiet", "origin", self._branch)

    def reverted(self) -> None:
        self.fetched()
        bad = self.commit(self._asked["ref"])
        if not self.git("log", "--format=%H", f"--grep=This reverts commit {bad}"):
            self.git("revert", "--no-edit", bad)
            self.git("push", "--quiet", "origin", self._branch)

    def reset(self) -> bool:
        self.cloned()
        self.git("reset", "--quiet", "--hard", self.commit(self._asked["ref"]))
        seen = self._asked["seen"]
        force = f"--force-with-lease={self._remote}:{self.commit(seen)}" if seen else "--force"
        try:
            self.git("push", "--quiet", "origin", self._branch, force)
        except RefusedError as error:
            if "stale info" not in str(error):
                raise
            return True
        return False

    def saved(self) -> None:
        self.fetched()
        if not self.at(self._asked["keep"]):
            self.git("push", "--quiet", "origin", f"origin/{self._branch}:{self._asked['keep']}")

    def restored(self) -> None:
        if self.at(self._asked["keep"]):
            self.cloned()
            self.git("fetch", "--quiet", "origin", self._asked["keep"])
            self.git("push", "--quiet", "--force", "origin", f"FETCH_HEAD:{self._remote}")
            self.git("push", "--quiet", "origin", f":{self._asked['keep']}")
        shutil.rmtree(self._clone, ignore_errors=True)


def work(asked: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    branch = Branch(asked)
    before, kept = branch.tip(), branch.at(asked["keep"])
    if not before:
        raise RefusedError(f"{asked['url']} has no branch {asked['branch']!r}")
    refused = False
    if asked["state"] != "read" and not check_mode:
        refused = bool(getattr(branch, asked["state"])())
    tip, still = branch.tip(), branch.at(asked["keep"])
    return {"changed": (tip, still) != (before, kept), "before": before, "tip": tip, "kept": still, "refused": refused}


def main() -> None:
    needs = [("state", state, ["ref"]) for state in ("pushed", "reverted", "reset")]
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "clone": {"type": "path", "required": True},
            "branch": {"default": "main"},
            "state": {
                "choices": ["read", "pushed", "committed", "reverted", "reset", "saved", "restored"],
                "default": "read",
            },
            **{name: {"type": "str"} for name in ("ref", "seen", "file", "content", "message")},
            "author": {"default": "Drillbook <drillbook@example.org>"},
            "keep": {"default": "refs/drillbook/before"},
        },
        required_if=[*needs, ("state", "committed", ["file", "content", "message"])],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**work(module.params, module.check_mode))
    except (RefusedError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
