"""How long a play takes on an Ansible that is already imported, beside one that starts its own.

    python benchmarks/warm_plays.py [--runs N]

Needs nothing but Drillbook: the plays run on this machine, through ansible-runner, as a drill runs them. The two ways
take turns, so that a busy machine slows both. Prints medians: until the first task begins, and until the run is over.
"""

from __future__ import annotations

import argparse
import statistics
import sysconfig
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from drillbook.ansible_run import Event, run_ansible
from drillbook.warm.client import Warm

PLAYS = {
    "one debug": "    - ansible.builtin.debug: {msg: hello}\n",
    "one command": "    - ansible.builtin.command: 'true'\n",
    "five commands": "    - ansible.builtin.command: 'true'\n" * 5,
}
HOSTS = "web-1 ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n"


def run(root: Path, name: str, warm: Warm | None) -> tuple[float, float]:
    """Seconds to the first task, and of the whole run."""
    begins: list[float] = []

    def on_event(event: Event) -> None:
        if event["event"] == "playbook_on_task_start":
            begins.append(time.monotonic())

    started = time.monotonic()
    ended = run_ansible(
        root / f"{name}.yml", root / "hosts.ini", root=root, timeout_s=120, on_event=on_event, warm=warm
    )
    over = time.monotonic()
    if ended.rc != 0:
        raise SystemExit(f"the play '{name}' ended with {ended.rc}")
    return begins[0] - started, over - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    times: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    reasons: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "hosts.ini").write_text(HOSTS)
        for name, tasks in PLAYS.items():
            (root / f"{name}.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
        began = time.monotonic()
        warm = Warm(root, (), Path(sysconfig.get_path("scripts")) / "ansible-playbook", reasons.append)
        try:
            run(root, "one debug", warm)
            first = time.monotonic() - began
            for _ in range(runs):
                for name in PLAYS:
                    times[name, "cold"].append(run(root, name, None))
                    times[name, "warm"].append(run(root, name, warm))
        finally:
            warm.close()
    if reasons:
        raise SystemExit(reasons[0])
    print(f"medians of {runs} runs in turns, seconds; the server's start with a first play took {first:.2f}")
    print(f"{'play':<16}{'to the first task':>32}{'the whole run':>32}")
    print(f"{'':<16}" + f"{'cold':>12}{'warm':>10}{'times':>10}" * 2)
    for name in PLAYS:
        cells = ""
        for part in (0, 1):
            cold, hot = (statistics.median(each[part] for each in times[name, way]) for way in ("cold", "warm"))
            cells += f"{cold:>12.3f}{hot:>10.3f}{cold / hot:>10.1f}"
        print(f"{name:<16}{cells}")


if __name__ == "__main__":
    main()
