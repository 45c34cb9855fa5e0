"""`python -m drillbook_lab.web.hosting CONFIG`: deploy on push, as a hosting platform does it.

git runs it after each push (hooks/post-receive), with a line OLD NEW REF for each ref. It builds what is pushed to
`main`, makes it live in the API and in the frontend, and purges the CDN. It does not check that the new release
answers. A commit that does not build does not go live, but the push has succeeded all the same. Each deployment writes
a line to the log.

CONFIG is JSON: {"python", "sites": [folder, ...], "restart": [command, ...], "purge": {"url", "token"}, "log"}.
"""

import datetime
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

BRANCH = "refs/heads/main"
BUILT = "build.json"


class Failed(Exception):
    """A step of the deployment failed; the text has the end of its output."""


def run(command: Iterable[str], folder: Path | None = None) -> None:
    """Run a command. Raises Failed."""
    # git sets variables that name the repository, for its hooks and for each git that they start
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run([*command], cwd=folder, env=own, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())[-600:]
        raise Failed(f"{' '.join(command)} ended with {done.returncode}: {said}")


def build(site: Path, repository: Path, commit: str, python: str) -> None:
    """Put the commit into `site` and build it there, whole or not at all. Raises Failed."""
    folder = site / "releases" / commit
    if (folder / BUILT).exists():
        return
    for old in (folder, beside := folder.with_name(f".{commit}.pushed")):
        shutil.rmtree(old, ignore_errors=True)
    beside.mkdir(parents=True)
    archive = beside / "archive.tar"
    run(["git", "--git-dir", str(repository), "archive", f"--output={archive}", commit])
    run(["tar", "-xf", archive.name], beside)
    archive.unlink()
    try:
        for step in ("install", "build"):
            run([python, "build.py", step], beside)
    except Failed:
        shutil.rmtree(beside)
        raise
    beside.rename(folder)


def switch(site: Path, commit: str) -> None:
    """Point the link to the commit, in one step: a reader finds the old release or the new one."""
    beside = site / ".current.pushed"
    beside.unlink(missing_ok=True)
    beside.symlink_to(Path("releases") / commit)
    beside.replace(site / "current")


def purge(url: str, token: str) -> None:
    asked = urllib.request.Request(url, method="PURGE", headers={"X-Purge-Token": token})
    try:
        # no proxy of a company's network: the CDN is on this machine
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=5):
            pass
    except OSError as error:
        raise Failed(f"the CDN is not purged: {error}") from None


def deploy(config: Mapping[str, Any], repository: Path, commit: str) -> None:
    """Build a commit, make it live, and purge the CDN. Raises Failed."""
    sites = [Path(each) for each in config["sites"]]
    for site in sites:
        build(site, repository, commit, config["python"])
    for site in sites:
        switch(site, commit)
    run(config["restart"])
    purge(**config["purge"])


def main(config: Mapping[str, Any], repository: Path, pushed: Iterable[str]) -> None:
    """Deploy the last commit of the branch, if it was pushed. Deployments run one after the other."""
    commits = [new for _, new, ref in map(str.split, pushed) if ref == BRANCH and set(new) != {"0"}]
    if not commits:
        return
    with Path(config["log"]).open("a") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        began, error = time.monotonic(), None
        try:
            deploy(config, repository, commits[-1])
        except (Failed, OSError) as failed:
            error = str(failed)
        line = {
            "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "commit": commits[-1],
            "state": "failed" if error else "deployed",
            "seconds": round(time.monotonic() - began, 2),
            "error": error,
        }
        log.write(json.dumps(line) + "\n")
    sys.stderr.write(f"{line['state']} {line['commit']} in {line['seconds']} s{f': {error}' if error else ''}\n")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), Path.cwd(), sys.stdin)
