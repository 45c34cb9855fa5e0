"""What all drills of one pytest session share: the inventory (resolved once), the playbooks, the journal, the lock.

The rule: nothing is resolved, opened or started until a drill needs it. A session that only collects costs nothing.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.engine.keeping.artefacts import Artefacts
from drillbook.engine.keeping.closing import Closing
from drillbook.engine.keeping.dead_drill import ReportWriter
from drillbook.errors import DrillbookError, GuardError
from drillbook.evidence.provenance import engine, git_state
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.sealing import passphrase
from drillbook.evidence.sealing.key_source import NO_KEY, KeySource
from drillbook.evidence.sealing.sealer import Sealer
from drillbook.evidence.writer import Listener
from drillbook.model import paths
from drillbook.model.decisions.table import Table
from drillbook.model.record import PopulationRecord
from drillbook.model.times.default_limits import DEFAULTS_S, UNDO
from drillbook.safety.dead_man_switch import Switches
from drillbook.safety.environment_lock import EnvironmentLock, Holder, HolderRole
from drillbook.safety.guardian import Guardian
from drillbook.safety.journal import Entry, Journal
from drillbook.safety.undo import Undone, undo_all
from drillbook.target.ansible.elsewhere.ending import left_by
from drillbook.target.ansible.environment import passed_on
from drillbook.target.ansible.playbooks import Playbooks
from drillbook.target.ansible.result import PlayResult
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.inventory.secrets import secrets_in_environment
from drillbook.target.private_folders import sweep

if TYPE_CHECKING:
    from drillbook.target.ansible.warm.client import Warm


def _quiet(_event: object) -> None:
    return None


def _nobody(_of: object) -> None:
    return None


def _unknown() -> None:
    return None


def _no_table() -> Table:
    raise DrillbookError("this session has no decision table")


@dataclass
class DrillSession:
    """One pytest session (or one `drillbook restore`) on one drill repository and one inventory."""

    root: Path
    inventory_path: Path
    evidence_root: Path
    allow_production: str | None = None
    people: tuple[str, ...] = ()
    """Who is present at the drills."""
    pass_env: tuple[str, ...] = ()
    further_inventories: tuple[Path, ...] = ()
    """The inventories that Ansible merges with the first, as with further `-i`."""
    time_limits: Mapping[str, float] = field(default_factory=dict)
    """Seconds that the ini gives to plays, undos and the baseline, by the names of their tags."""
    key: KeySource | None = None
    """The key that signs the evidence; None when nobody signs."""
    require_signed: bool = False
    """Whether a drill without a key is refused."""
    proves: bool = False
    """Whether each drill runs beside its controls: they need no earlier drill."""
    listener: Listener = _quiet
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    runs: set[str] = field(default_factory=set)
    """The ids of its drills."""
    redactor: Redactor = field(default_factory=Redactor)
    warm: Warm | None = None
    """The warm server on which its plays run. Its maker ends it, after `close`."""
    decisions: Callable[[], Table] = _no_table
    """The decision table of the repository. Raises DrillbookError."""
    population: Callable[[], PopulationRecord | None] = _unknown
    """The drills that the session has collected, and those of them that it will not run."""
    write_report: ReportWriter | None = None
    """Writes the report of a drill that died, once its record is closed; None when the ini wants no reports."""
    _swept: bool = False
    """Whether the private folders of killed processes were removed."""

    told: set[str] = field(default_factory=set)
    """What the terminal has already shown once in this session."""

    def __post_init__(self) -> None:
        for name, value in secrets_in_environment(passed_on(self.pass_env)):
            self.redactor.add(name, value, declared=False)
        if self.key is not None and self.key.passphrase:
            self.redactor.add(passphrase.VARIABLE, self.key.passphrase, declared=False)

    def close(self) -> None:
        """End what was started for the session.

        While one of its faults is open, the guardian stays and has its turn.
        """
        if "guardian" not in vars(self):
            return
        if self._is_whole():
            self.guardian.leave()
        else:
            self.guardian.stay()
            self.listener({"event": "note", "text": f"a fault is open: {self.guardian.will_try}"})

    def _is_whole(self) -> bool:
        try:
            return not any(entry.run_id in self.runs for entry in self.journal.open_entries())
        except DrillbookError:
            return False  # nobody knows what is open

    @cached_property
    def inventory(self) -> Inventory:
        """The inventory, resolved by Ansible itself. Raises InventoryError."""
        if self.warm is not None:
            # gathers the record's facts about the software while the server resolves the inventory
            engine()
            git_state(self.root)
        return Inventory.resolve(
            self.inventory_path,
            self.root,
            self.redactor,
            further=self.further_inventories,
            pass_env=self.pass_env,
            warm=self.warm,
        )

    @cached_property
    def sealer(self) -> Sealer:
        """What seals the runs of this session; asking for it opens no key."""
        return Sealer(self.evidence_root, self.key, self.redactor, self._note)

    def _note(self, text: str) -> None:
        self.listener({"event": "note", "text": text})

    def check_key(self) -> None:
        """Refuse, before anything is broken, a run that could not be sealed. Raises DrillbookError."""
        if self.key is None:
            if self.require_signed:
                raise GuardError(f"drillbook_require asks for signed evidence, and {NO_KEY}")
            return
        self.key.check()
        exposed = self.key.exposed()
        if exposed is not None and exposed not in self.told:
            self.told.add(exposed)
            self.listener({"event": "note", "text": exposed})

    @cached_property
    def playbooks(self) -> Playbooks:
        """Runs the playbooks of this repository on this inventory."""
        return Playbooks(
            self.root,
            self.inventory.path,
            self.inventory.connection_env,
            self.redactor,
            further=self.inventory.further,
            pass_env=self.pass_env,
            warm=self.warm,
            owner=self.owner,
        )

    @property
    def owner(self) -> str:
        """Marks the plays of this process, so that others can end them when it is dead."""
        return owner_of(self.id, os.getpid())

    @cached_property
    def guardian(self) -> Guardian:
        """The process that puts everything back when this one dies; asking for it does not start it."""
        environment = self.inventory.environment.name
        return Guardian(
            *(self.root, self.inventory_path, environment, self.owner, self.pass_env),
            further=self.further_inventories,
            key=self.key,
            reports=self.write_report is not None,
        )

    @cached_property
    def artefacts(self) -> Artefacts:
        """The files that take part in a drill; each is read once a session."""
        return Artefacts(self.root, (self.inventory_path, *self.further_inventories))

    @cached_property
    def switches(self) -> Switches:
        """The dead man's switches of this repository's faults."""
        return Switches(self.root, self.inventory.dead_man_switch_s, self.playbooks.run)

    @cached_property
    def journal(self) -> Journal:
        """The undo journal of the inventory's environment."""
        return Journal(paths.journal(self.root, self.inventory.environment.name))

    def lock(self, role: HolderRole = HolderRole.DRILL) -> EnvironmentLock:
        """A handle on the lock of the inventory's environment, for the given role."""
        return EnvironmentLock(self.root, self.inventory.environment, self.id, role)

    @property
    def inventory_name(self) -> str:
        """The inventory's path as evidence and journal name it: relative to the root where it lies below it.

        Several are separated by commas.
        """
        return ", ".join(paths.relative(each, self.root) for each in (self.inventory_path, *self.further_inventories))

    def run_undo(self, entry: Entry, *, of_its_drill: bool = True) -> PlayResult:
        """Run the undo of an entry. When that has proven the fault gone, disarm its dead man's switch.

        The undo may take as long as its drill said. A later restore may take longer if the ini has been raised since.
        Raises DrillbookError when the undo cannot run at all, or the switch is not disarmed.
        """
        if entry.inventory != self.inventory_name:
            raise DrillbookError(
                f"the fault {entry.fault!r} was injected with the inventory {entry.inventory}: "
                f"undo it with 'drillbook restore --inventory {entry.inventory.replace(', ', ' --inventory ')}'"
            )
        undo = self.root / entry.undo_playbook
        limit_s, of_ini_s = entry.undo_timeout_s, self.time_limits.get(UNDO)
        if of_ini_s is not None and (limit_s is None or not of_its_drill):
            limit_s = max(limit_s or 0.0, of_ini_s)
        limit_s = limit_s or DEFAULTS_S[UNDO]
        return self.switches.undo(entry, lambda: self.playbooks.run(undo, entry.variables, timeout_s=limit_s))

    def put_back(self, role: HolderRole, waiting: Callable[[str], None] = _nobody) -> list[Undone]:
        """Take the lock, undo what dead drills left open, give the lock back. Raises DrillbookError."""
        lock = self.lock(role)
        dead = lock.acquire(f"drillbook {role}", waiting)
        try:
            return self.restore_leftovers(dead, by=_BY[role])
        finally:
            lock.release()

    def restore_leftovers(self, dead: Holder | None = None, *, by: str = "a later run") -> list[Undone]:
        """Undo what earlier drills left open and finish the records of those that died. The caller holds the lock.

        `dead` died while it held the lock: its plays may still run, and are ended first.
        """
        if dead is not None:
            from drillbook.target.ansible.processes import end_plays

            owner = owner_of(dead.session, dead.pid)
            end_plays(owner)
            for sentence in self.playbooks.end_left(left_by(owner)):
                self._note(sentence)
        entries = self.journal.open_entries()
        for entry in entries:
            self.listener(
                {"event": "note", "text": f"an earlier drill left {entry.fault!r} ({entry.state}): undoing it first"}
            )
        undone = undo_all(self.journal, entries, partial(self.run_undo, of_its_drill=False))
        Closing(
            root=self.root,
            kept=paths.kept(self.root),
            stream=self.inventory.environment.name,
            sealer=self.sealer,
            known={entry.id: entry.state for entry in self.journal.entries()},
            switches=self.switches.states,
            by=by,
            write_report=self.write_report,
            say=self._note,
        ).close(undone, [dead.evidence] if dead is not None and dead.evidence is not None else [])
        if not self._swept:
            self._swept = True
            sweep()
        return undone


_BY = {
    HolderRole.GUARDIAN: "the guardian",
    HolderRole.RESTORE: "drillbook restore",
    HolderRole.DRILL: "a later run",
}


def owner_of(session: str, pid: int) -> str:
    """The mark of the plays of one process of a session."""
    return f"{session}-{pid}"
