"""Ends what a play has left on a host that is reached by ssh or alike: a background job, a task without a result.

The rule: as far as the host lets us. Its processes are known by what Ansible itself writes on their command lines (the
number of the job, the temporary folder of the task), and their process groups are killed by whoever started them. What
has left its group nobody can know. Drillbook says so where nobody can look: a module that came through a pipe has no
mark, and a host may have no `ps` that knows the options.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from drillbook.target import private_folders
from drillbook.target.ansible.notes import Place, read_notes
from drillbook.target.private_folders import PrivateFolder

OWNED = "owner"
"""The file in the folder of a run that names the process which started it."""

TIMEOUT_S = 20.0
_MARK = re.compile(r"[\w.-]+")
_KILL = """\
look() {{ ps -A -ww -o pgid= -o args= | grep -E "$1" | awk '{{print $1}}' | sort -u; }}
[ -n "$(look {itself})" ] || {{ echo '{cannot}' >&2; exit 1; }}; n=0
while [ $n -lt 20 ]; do
  left=$(look '{marks}')
  [ -z "$left" ] && exit 0
  for each in $left; do kill -s KILL -- "-$each"; done
  n=$((n + 1))
done
exit 1"""
"""A shell that does not find itself would find nothing else: `ps`, `grep`, `awk` or `sort` is missing, or another one.
It looks again until there is none: a group that forked while it was killed has more.
"""
_ITSELF = "drillbook-looks-for-what-was-left"
_CANNOT = "its processes cannot be listed: that takes ps (-A -ww -o pgid= -o args=), grep, awk and sort"
_NO_MARK = "nothing of it stands on a command line there (pipelining); look for it by hand"
Run = Callable[[Path], str | None]
"""Runs a playbook; returns why it did not come to its end."""


def left_by(owner: str) -> frozenset[Place]:
    """Where a killed process may have left something; `owner` is the mark of its plays."""
    found: set[Place] = set()
    for folder in private_folders.left("run"):
        with suppress(OSError):
            if (folder / OWNED).read_text(encoding="utf-8") == owner:
                for run in (folder / "artifacts").iterdir():
                    found |= read_notes(run).left
    return frozenset(found)


def end(left: Iterable[Place], run: Run) -> Iterator[str]:
    """End it, host by host; returns a sentence for each."""
    marks: dict[tuple[str, tuple[str, str] | None], set[str]] = defaultdict(set)
    unmarked: set[str] = set()
    for place in left:
        if _MARK.fullmatch(place.mark):
            marks[place.target, place.becomes].add(place.mark)
        else:
            unmarked.add(place.target)
    for (target, becomes), known in sorted(marks.items(), key=str):
        with PrivateFolder("run") as folder:
            playbook = folder / "end.yml"
            playbook.write_text(json.dumps([play(target, becomes, known)]), encoding="utf-8")
            why = run(playbook)
        if why is None:
            yield f"what the play may have left running on {target} was ended"
        else:
            yield f"what the play may have left running on {target} could not be ended: {why}"
    for target in sorted(unmarked):
        yield f"what the play may have left running on {target} could not be looked for: {_NO_MARK}"


def play(target: str, becomes: tuple[str, str] | None, marks: Iterable[str]) -> Mapping[str, Any]:
    """The play that ends, on this host, each process with one of these marks on its command line."""
    # the shell that looks has them on its own command line: in brackets it does not find itself
    found = "|".join(f"[{mark[0]}]{re.escape(mark[1:])}" for mark in sorted(marks))
    become = {} if becomes is None else {"become": True, "become_user": becomes[0], "become_method": becomes[1]}
    task = {
        "name": "It is ended",
        "ansible.builtin.raw": _KILL.format(marks=found, itself=_ITSELF, cannot=_CANNOT),
        "changed_when": True,
    }
    return {
        "name": "What a play left running is ended",
        "hosts": target,
        "gather_facts": False,
        "strategy": "linear",
        **become,
        "tasks": [task],
    }
