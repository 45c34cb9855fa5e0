"""`python build.py install` sees that the requirements are there; `python build.py build` makes a release ready.

A build compiles the code, gives each asset of the frontend a name with its digest, and writes build.json last.
"""

import hashlib
import importlib.metadata
import json
import py_compile
import subprocess
import sys
from pathlib import Path

ASSETS = (".css", ".js")


def install(folder):
    """Raise SystemExit for a requirement that is not installed."""
    for name in (folder / "requirements.txt").read_text().split():
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            sys.exit(f"requirements.txt: {name} is not installed")


def build(folder, commit=None):
    """Make the release ready, and return what build.json says. Raise SystemExit for what cannot be built."""
    for path in sorted(folder.glob("*/*.py")):
        try:
            py_compile.compile(str(path), doraise=True)
        except py_compile.PyCompileError as error:
            sys.exit(f"{path.relative_to(folder)} does not compile: {str(error.msg).strip()}")
    for up in folder.glob("migrations/*.up.sql"):
        if not up.with_name(up.name.replace(".up.", ".down.")).exists():
            sys.exit(f"migrations/{up.name} has no .down.sql beside it")
    version = (folder / "VERSION").read_text().strip()
    said = {
        "version": version,
        "commit": commit or commit_of(folder),
        "assets": assets(folder / "frontend", version),
    }
    (folder / "build.json").write_text(json.dumps(said, indent=2) + "\n")
    return said


def commit_of(folder):
    """As `git archive` has written it; in a checkout git knows."""
    text = (folder / "COMMIT").read_text().strip()
    if not text.startswith("$"):
        return text
    git = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


def assets(frontend, version):
    """Write frontend/dist, where an asset's name changes with its content, and the page says the version.

    Return the new names by the old ones.
    """
    dist = frontend / "dist"
    dist.mkdir(exist_ok=True)
    names = {}
    for path in sorted(each for each in frontend.iterdir() if each.suffix in ASSETS):
        content = path.read_bytes()
        names[path.name] = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:8]}{path.suffix}"
        (dist / names[path.name]).write_bytes(content)
    page = (frontend / "index.html").read_text().replace('"VERSION"', f'"{version}"')
    for old, new in names.items():
        page = page.replace(f'"{old}"', f'"{new}"')
    (dist / "index.html").write_text(page)
    return names


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    if sys.argv[1:] == ["install"]:
        install(here)
    elif sys.argv[1:] == ["build"]:
        made = build(here)
        print(f"built {made['version']} {made['commit']}")
    else:
        sys.exit("say: python build.py install, or: python build.py build")
