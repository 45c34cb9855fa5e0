"""The one place where a drill changes its target: Ansible runs a playbook of the team, and the result hides nothing.

The rule: nothing passes by silence. The result has all that a run ignored, rescued, skipped or could not reach, and
`unsaid` puts it into sentences. The caller judges whether a clean run is good enough.

Verdicts come from the exit status: ansible-runner's own statistics are missing when a run is cut off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drillbook.errors import PlaybookError
from drillbook.evidence.redaction import Redactor
from drillbook.target.ansible.elsewhere.ending import TIMEOUT_S, end
from drillbook.target.ansible.environment import OWNER
from drillbook.target.ansible.events import PlayLog
from drillbook.target.ansible.messages import relative
from drillbook.target.ansible.notes import Place
from drillbook.target.ansible.result import PlayResult
from drillbook.target.ansible.selection import ALL, Selection

_UNSEEN = "it did not load Drillbook's callback drillbook_notes, so that nothing shows what its tasks did"

if TYPE_CHECKING:
    from drillbook.target.ansible.run import Ended
    from drillbook.target.ansible.warm.client import Warm


class Playbooks:
    """Runs the playbooks of one repository against one inventory, one at a time or several from several threads."""

    def __init__(
        self,
        root: Path,
        inventory: Path,
        connection_env: Mapping[str, str],
        redactor: Redactor,
        *,
        further: Sequence[Path] = (),
        on_task: Callable[[str], None] | None = None,
        pass_env: Iterable[str] = (),
        warm: Warm | None = None,
        owner: str = "",
    ) -> None:
        """The inventories are absolute; `connection_env` holds Ansible's settings for the connections to their hosts.

        `on_task` gets the name of every task as it starts. `pass_env` names further variables that Ansible gets. With
        `warm` the playbooks run on an Ansible that is already imported. `owner` marks the processes of every run.
        """
        self._root = root.absolute()
        self._inventory, self._further = inventory, tuple(further)
        self._redactor = redactor
        self._on_task = on_task
        self._environment = {**connection_env, OWNER: owner}
        self._pass_env = tuple(pass_env)
        self._warm = warm

    def run(
        self,
        playbook: Path,
        variables: Mapping[str, object] = MappingProxyType({}),
        *,
        timeout_s: float = 600,
        cancel: threading.Event | None = None,
        on_task: Callable[[str], None] | None = None,
        on_host: Callable[[str], None] | None = None,
        without: str | None = None,
        selection: Selection = ALL,
    ) -> PlayResult:
        """Run `playbook` (absolute, or relative to the root) and wait for it, interruptibly.

        `on_host` gets the name of each host as the first task begins there, in another thread. `without` (FILE:LINE,
        relative to the root) names a task to leave out, wherever it is included from. A play that fails, times out or
        is cancelled is a result. Raises PlaybookError when no play began: no such file, no YAML, a missing role.
        Whenever this raises, no process of the run is left.
        """
        path = self._existing(playbook)
        self._redactor.learn(variables)
        log = PlayLog(self._root, self._redactor, on_task or self._on_task, on_host)
        told: list[str] = []
        started_at = datetime.now(UTC)
        started_s = time.monotonic()
        ended = self._play(
            path,
            log,
            variables=variables,
            timeout_s=timeout_s,
            cancel=cancel,
            without=without,
            selection=selection,
            on_left=lambda left: told.extend(self.end_left(left)),
        )
        ended_s = time.monotonic()
        named = relative(str(path), self._root)
        if ended.status == "failed" and not log.a_play_started:
            reason = log.reason() or f"ansible-playbook ended with status {ended.rc}."
            raise PlaybookError(f"{named} cannot be run: {reason}")
        result = _result(named, ended, log, started_at, (started_s, ended_s))
        return replace(result, warnings=(*result.warnings, *told))

    def _play(self, path: Path, log: PlayLog, **how: Any) -> Ended:
        # ansible-runner takes 0.05 s of processor time to import: a session without plays does not need it
        from drillbook.target.ansible.run import run_ansible

        return run_ansible(
            path,
            self._inventory,
            root=self._root,
            further=self._further,
            extra_env=self._environment,
            pass_env=self._pass_env,
            on_event=log.event,
            on_secret=log.decrypted,
            warm=self._warm,
            **how,
        )

    def end_left(self, left: Iterable[Place]) -> list[str]:
        """End what plays have left on other hosts; returns a sentence for each host."""
        return [*end(left, self._end_left)]

    def _end_left(self, playbook: Path) -> str | None:
        """Run a playbook that ends what another one has left; returns why it did not come to its end."""
        log = PlayLog(self._root, self._redactor, None)
        try:
            ended = self._play(playbook, log, timeout_s=TIMEOUT_S)
        except PlaybookError as error:
            return str(error)
        if ended.status == "successful" and not log.plays_without_hosts:
            return None
        said = " ".join(task.message for task in log.results(ended.seen) if task.message)
        return said or log.reason() or f"ansible-playbook ended with status {ended.rc}"

    def _existing(self, playbook: Path) -> Path:
        path = playbook if playbook.is_absolute() else self._root / playbook
        if not path.is_file():
            raise PlaybookError(f"There is no playbook {playbook}: looked for {path}.")
        return path


def _result(
    playbook: str, ended: Ended, log: PlayLog, started_at: datetime, from_to_s: tuple[float, float]
) -> PlayResult:
    """The result of a run that ended, from its log; `from_to_s` are its begin and end by `time.monotonic()`."""
    tasks = log.results(ended.seen)
    errors = [*log.errors] if ended.seen.watched or not log.a_play_started else [*log.errors, _UNSEEN]
    if ended.status == "failed" and not tasks and not errors and not log.plays_without_hosts:
        errors = [each for each in (log.reason(),) if each]
    return PlayResult(
        playbook=playbook,
        rc=ended.rc,
        status=ended.status,
        started_s=from_to_s[0],
        ended_s=from_to_s[1],
        started_at=started_at,
        hosts=log.host_stats(tasks),
        tasks=tasks,
        stdout=log.stdout(),
        check_mode=any(task.check_mode for task in tasks),
        warnings=(*log.warnings, *ended.notes),
        errors=tuple(errors),
        plays_without_hosts=tuple(log.plays_without_hosts),
        warm=ended.warm,
    )
