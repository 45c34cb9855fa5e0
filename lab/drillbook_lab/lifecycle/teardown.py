"""Taking the lab down: no process is left, even when supervisord was killed. It works after any crash."""

from contextlib import suppress
from pathlib import Path

import psutil

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.poll import until
from drillbook_lab.lifecycle import state as folder
from drillbook_lab.lifecycle.progress import Progress
from drillbook_lab.lifecycle.supervision import client, processes


def take_down(state: Path, progress: Progress, keep_logs: bool = False) -> None:
    """End what runs and remove what was written. Raises LabError when a process could not be ended."""
    run, contract = folder.run(state), folder.contract(state)
    with suppress(FileNotFoundError):
        folder.contract_file(state).unlink()
    ids = {each["id"] for each in (run, contract) if each}
    if ids:
        _ask_to_stop(folder.conf(state), progress)
    recorded = [(run["pid"], run["created"])] if run else []
    left: list[psutil.Process] = []
    for lab_id in ids:
        # supervisord ends first: it would start again a program that ends while it runs.
        left += processes.end(processes.supervisord_of(lab_id, recorded), term_s=0.0)
        left += processes.end(processes.of_lab(lab_id))
    if left:
        raise LabError(f"these processes of the lab could not be ended: {', '.join(str(p.pid) for p in left)}")
    folder.remove(state, keep_logs)
    if ids:
        progress("down")


def _ask_to_stop(conf: Path, progress: Progress) -> None:
    """Stop the programs through supervisord. If it does not answer or takes too long, the caller does the rest."""
    if not client.reachable(conf):
        return
    progress("stopping")
    supervisor = client.Supervisor.from_conf(conf)

    def stopped() -> bool:
        return not [each["name"] for each in supervisor.processes() if each["pid"]]

    with suppress(LabError, *client.UNREACHABLE):
        supervisor.stop_all()
        until(stopped, what="the programs to stop", within_s=5)
        supervisor.shutdown()
        until(lambda: not client.reachable(conf), what="supervisord to end", within_s=3)
