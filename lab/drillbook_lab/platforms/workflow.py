"""A workflow of GitHub Actions that is run on this machine, as far as a self-hosted runner would do it.

It does the steps that are commands (`run`), one after the other, and ends at the first that fails. Of expressions it
knows `${{ inputs.NAME }}`, and only in `env`, so that nobody's input becomes a command.
"""

import asyncio
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_INPUT = re.compile(r"\$\{\{\s*inputs\.(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Workflow:
    """What a workflow file says: its name, its inputs, and the commands of its one job."""

    name: str
    job: str
    inputs: Mapping[str, bool]
    """Each input, and whether it is required."""
    environment: Mapping[str, str]
    steps: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, text: str) -> "Workflow":
        """Raises ValueError for what this runner does not do."""
        said: Any = yaml.safe_load(text)
        # YAML 1.1 takes `on` for true
        inputs = said[True]["workflow_dispatch"]["inputs"]
        if len(said["jobs"]) != 1 or any("run" not in step for job in said["jobs"].values() for step in job["steps"]):
            raise ValueError("this runner does one job, whose steps are commands")
        ((name, job),) = said["jobs"].items()
        return cls(
            said["name"],
            name,
            {each: bool(of.get("required")) for each, of in inputs.items()},
            job.get("env", {}),
            tuple((step["name"], step["run"]) for step in job["steps"]),
        )

    def refused(self, inputs: Mapping[str, str]) -> str | None:
        """Why GitHub would not begin a run with these inputs."""
        if strange := sorted(set(inputs) - set(self.inputs)):
            return f"Unexpected inputs provided: {strange}"
        missing = sorted(name for name, required in self.inputs.items() if required and not inputs.get(name))
        return f"Required input '{missing[0]}' not provided" if missing else None


@dataclass(slots=True)
class Run:
    """One run: where each step is, and how the whole ended."""

    workflow: Workflow
    inputs: Mapping[str, str]
    done: list[tuple[str, bool]] = field(default_factory=list)
    """The steps that ended, and whether each ended well."""
    conclusion: str | None = None

    async def go(self, folder: Path, tools: Path, log: Path) -> None:
        """Do the steps in `folder`, with the programs in `tools` before all others."""
        said = {name: _INPUT.sub(self._input, str(value)) for name, value in self.workflow.environment.items()}
        environment = {**os.environ, **said, "PATH": f"{tools}:{os.environ['PATH']}"}
        with log.open("ab") as out:
            for name, command in self.workflow.steps:
                step = await asyncio.create_subprocess_exec(
                    *("bash", "-e", "-o", "pipefail", "-c", command),
                    cwd=folder,
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
                try:
                    well = await step.wait() == 0
                finally:
                    if step.returncode is None:
                        os.killpg(step.pid, signal.SIGKILL)
                self.done.append((name, well))
                if not well:
                    break
        self.conclusion = "success" if all(well for _, well in self.done) else "failure"

    def _input(self, found: re.Match[str]) -> str:
        return str(self.inputs.get(found[1], ""))
