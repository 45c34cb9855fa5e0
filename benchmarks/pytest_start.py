"""The time from the start of a command to its first step, the cost of a step, and the collection of many scenarios."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from common import LEAN, OURS, PEERS, ROOT, Table, compared, in_turns, timed
from repository import SAID, bdd, chaos, drill_scenario, features, molecule, ours, plain_scenario

MINI = ROOT / "tests/drills/mini"
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
LONG = 50


def own_pytest(*args: str) -> tuple[str | Path, ...]:
    return (OURS / "python", *PYTEST, *LEAN, *args)


def bdd_pytest(*args: str) -> tuple[str | Path, ...]:
    return (PEERS / "python", *PYTEST, "-p", "no:pytest11.testinfra", *args)


@contextmanager
def service(root: Path) -> Iterator[None]:
    """Run the small service of the tests. A drill breaks it with a file."""
    process = subprocess.Popen([sys.executable, str(MINI / "service.py"), str(root)])
    try:
        end = time.monotonic() + 30
        while not (root / "port").exists():
            if time.monotonic() > end or process.poll() is not None:
                raise SystemExit("the service of the tests does not start")
            time.sleep(0.01)  # a poll with a deadline
        yield
    finally:
        process.kill()
        process.wait()


def moments(command: Sequence[str | Path], root: Path, env: Mapping[str, str]) -> list[float]:
    """When the command began, and when each of its steps ran."""
    (root / SAID).unlink(missing_ok=True)
    took = timed(command, root, env=env)
    return [took.began_s, *map(float, (root / SAID).read_text().split())]


def to_first_step(command: Sequence[str | Path], root: Path, env: Mapping[str, str]) -> float:
    """Seconds until the first step ran."""
    began_s, first_s, *_ = moments(command, root, env)
    return first_s - began_s


def by_step(command: Sequence[str | Path], root: Path, env: Mapping[str, str]) -> float:
    """Seconds from a step to the next one."""
    _, first_s, *rest = moments(command, root, env)
    return (rest[-1] - first_s) / len(rest)


def start(runs: int) -> Table:
    """The time from the start of each to its first step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {"XDG_STATE_HOME": str(folder / "state"), "PYTHONPATH": "lib"}
        mine, drilled = ours(folder / "plain", MINI), ours(folder / "drill", MINI)
        features(mine, plain_scenario("It", 2))
        features(drilled, drill_scenario(0))
        theirs = bdd(folder / "bdd")
        features(theirs, plain_scenario("It", 2))
        probes, roles = chaos(folder / "chaos", 1), molecule(folder / "molecule")
        with service(drilled):
            ways: dict[str, Callable[[], float]] = {
                "pytest-bdd alone": lambda: to_first_step(bdd_pytest("tests"), theirs, env),
                "Drillbook, a scenario that is no drill": lambda: to_first_step(own_pytest("features"), mine, env),
                "Drillbook, a drill": lambda: to_first_step(own_pytest("features"), drilled, env),
                "Chaos Toolkit": lambda: to_first_step((PEERS / "chaos", "run", "it.json"), probes, env),
                "Molecule with testinfra": lambda: to_first_step((PEERS / "molecule", "verify"), roles, env | PATH),
            }
            times = in_turns(runs, ways)
    rows = compared(times, "pytest-bdd alone")
    table = Table("From the start to the first step", "make bench PARTS=start", ("", "s", "times pytest-bdd"), rows)
    table.notes.append(
        "Before a drill's first step Ansible resolves its inventory. The server that imports Ansible does so while "
        "pytest collects. Molecule, too, starts Ansible; the others read no inventory."
    )
    return table


PATH = {"PATH": f"{PEERS}:/usr/local/bin:/usr/bin:/bin"}


def steps(runs: int) -> Table:
    """The time from one step that does nothing to the next."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {"XDG_STATE_HOME": str(folder / "state"), "PYTHONPATH": "lib"}
        mine, drilled, theirs = ours(folder / "plain", MINI), ours(folder / "drill", MINI), bdd(folder / "bdd")
        for root in (mine, theirs):
            features(root, plain_scenario("It", LONG))
        features(drilled, drill_scenario(LONG))
        probes = chaos(folder / "chaos", LONG)
        ways: dict[str, Callable[[], float]] = {
            "pytest-bdd alone": lambda: by_step(bdd_pytest("tests"), theirs, env),
            "Drillbook, a scenario that is no drill": lambda: by_step(own_pytest("features"), mine, env),
            "Drillbook, a drill": lambda: by_step(own_pytest("features"), drilled, env),
            "Chaos Toolkit": lambda: by_step((PEERS / "chaos", "run", "it.json"), probes, env),
            "shell script with curl": lambda: timed(("bash", "-c", _curls(LONG)), drilled).wall_s / LONG,
        }
        with service(drilled):
            times = in_turns(runs, ways)
    rows = [(who, f"{cost * 1000:.1f}") for who, cost in times.items()]
    table = Table("The cost of a step that does nothing", "make bench PARTS=steps", ("", "ms"), rows)
    table.notes.append(
        f"From one to the next, over {LONG}. A drill's step is written before and after it. The script starts "
        "a curl for each."
    )
    return table


def _wall(command: Sequence[str | Path], root: Path, env: Mapping[str, str]) -> Callable[[], float]:
    return lambda: timed(command, root, env=env).wall_s


def _curls(count: int) -> str:
    return f'url="http://127.0.0.1:$(cat port)/health"; for i in $(seq {count}); do curl -s -o /dev/null "$url"; done'


def collection(runs: int) -> Table:
    """The time to collect 10, 100 and 1000 scenarios."""
    counts = (10, 100, 1000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        empty = ours(folder / "empty", MINI)
        (empty / "features").mkdir()
        ways = {"pytest's own start": _any(own_pytest("--collect-only", "-p", "no:drillbook", "features"), empty)}
        for count in counts:
            mine, theirs = ours(folder / f"ours{count}", MINI), bdd(folder / f"bdd{count}")
            for root in (mine, theirs):
                for part in range(0, count, 10):
                    features(root, *(plain_scenario(f"It {part + n}", 5) for n in range(10)), name=f"it{part}")
            ways[f"Drillbook {count}"] = _wall(own_pytest("--collect-only", "features"), mine, {})
            ways[f"pytest-bdd alone {count}"] = _wall(bdd_pytest("--collect-only", "tests"), theirs, {})
        times = in_turns(runs, ways)
    base = times["pytest's own start"]
    rows = [
        (who, *(f"{times[f'{who} {count}'] - base:.2f}" for count in counts), _growth(times, who, base))
        for who in ("Drillbook", "pytest-bdd alone")
    ]
    header = ("s over pytest's own start, scenarios", *map(str, counts), "1000 by 100")
    return Table("Collection", "make bench PARTS=collection", header, rows)


def _any(command: Sequence[str | Path], root: Path) -> Callable[[], float]:
    return lambda: timed(command, root, status=None).wall_s


def _growth(times: Mapping[str, float], who: str, base: float) -> str:
    return f"{(times[f'{who} 1000'] - base) / max(times[f'{who} 100'] - base, 1e-3):.1f}"
