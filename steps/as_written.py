"""Commands of runbooks as they are written, the harm that they do, and what they say of it themselves."""

from __future__ import annotations

from functools import partial

from steps._bullmq import answer, ask, counts, key, members, state_of, states, the_type, workers
from steps.jobs import ODD_JOB

from drillbook import fault, parse, then
from drillbook.checks import At, looked
from drillbook.drill import Drill
from drillbook.errors import CouldNotLookError

QUEUE = At("queue", "the queue")
ANY_SPELLING = "the lines with an error of any spelling"


@fault('the active jobs are moved to "waiting" as the runbook writes it, and the workers are started')
def active_jobs_are_moved(drill: Drill) -> None:
    drill.inject("active_moved_by_hand")


@fault(parse('that job is moved to "{name}" as the runbook writes it'))
def job_is_pushed(drill: Drill, name: str) -> None:
    drill.inject("pushed_by_hand", id=ODD_JOB, key=name, others_failed=False)


@fault(parse('that job is moved to "{name}" as the runbook writes it, after another has failed'))
def job_is_pushed_after_a_failure(drill: Drill, name: str) -> None:
    drill.inject("pushed_by_hand", id=ODD_JOB, key=name, others_failed=True)


@then(parse('for {length:Duration} jobs lie in "{name}", where no worker looks, and are not completed'))
def jobs_are_stranded(drill: Drill, length: float, name: str) -> None:
    def stranded() -> int:
        return sum(state == "unknown" for state in states(drill, members(drill, name)).values())

    drill.throughout(looked(f"jobs in {name!r} and in no state", stranded, "jobs").at_least(1), for_=length, within=60)


@then(parse('the jobs in "{name}" are written down'))
def stranded_jobs_are_diagnosed(drill: Drill, name: str) -> None:
    drill.bound(At("redis", "Redis").answers())
    drill.observe(f"jobs in {name!r}, which BullMQ does not read", len(members(drill, name)), "jobs")
    drill.observe(f"type of {key(drill, name)}", the_type(drill, name))
    drill.observe("jobs by state", counts(drill))


@then(parse('within {deadline:Duration} no job lies in "{name}"'))
def nothing_is_stranded(drill: Drill, deadline: float, name: str) -> None:
    drill.eventually(looked(f"jobs in {name!r}", lambda: len(members(drill, name)), "jobs").is_(0), within=deadline)


@then(parse("within {deadline:Duration} that job is in no state that BullMQ knows"))
def job_is_nowhere(drill: Drill, deadline: float) -> None:
    drill.eventually(looked("that job", lambda: state_of(drill, ODD_JOB)).is_("unknown"), within=deadline)


@then(parse("the queue cannot be counted for {length:Duration}"))
def queue_stays_uncounted(drill: Drill, length: float) -> None:
    drill.throughout(QUEUE.silent(), for_=length, within=60)


@then(parse("within {deadline:Duration} the queue can be counted"))
def queue_is_counted(drill: Drill, deadline: float) -> None:
    drill.eventually(QUEUE.answers(), within=deadline)


@then(parse('within {deadline:Duration} the length of "{name}" is 0 while {count:Integer} jobs wait'))
def count_is_wrong(drill: Drill, deadline: float, name: str, count: int) -> None:
    def seen() -> tuple[object, int]:
        return answer(drill, "LLEN", key(drill, name)), counts(drill)["wait"]

    both = looked(f"the length of {name!r} and the jobs that wait", seen)
    drill.eventually(
        both.satisfies(f"are 0 and at least {count}", lambda it: it[0] == 0 and it[1] >= count), within=deadline
    )


@then(parse('the length of "{name}" is refused with "{reason}"'))
def length_is_refused(drill: Drill, name: str, reason: str) -> None:
    asked = looked(f"the answer to LLEN of {name!r}", lambda: str(answer(drill, "LLEN", key(drill, name))))
    drill.bound(asked.contains(reason))


@then("the runbook's own questions are asked, and their answers written down")
def questions_are_asked(drill: Drill) -> None:
    drill.bound(At("redis", "Redis").answers())
    for name in ("waiting", "active", "failed"):
        drill.observe(f"LLEN {key(drill, name)}", answer(drill, "LLEN", key(drill, name)))
    drill.observe(f"LRANGE {key(drill, 'active')} 0 -1", answer(drill, "LRANGE", key(drill, "active"), 0, -1))
    drill.observe("jobs by state", counts(drill))


@then("the search for worker processes finds one, although none runs")
def search_finds_itself(drill: Drill) -> None:
    """`ps aux | grep NAME` lists itself."""

    def found() -> tuple[int, int]:
        host = drill.hosts("worker")[0]
        lines = host.run(r'ps aux | grep "worker.ts\|worker.js"').stdout.splitlines()
        drill.observe("lines of ps aux | grep worker.ts", len(lines))
        return len(lines), len(workers(drill))

    searched = looked("the processes that the search finds, and the workers that are connected", found)
    drill.bound(searched.satisfies("are at least 1, and 0", lambda it: it[0] >= 1 and it[1] == 0))


@then(parse("the lines with ERROR in the logs of the workers are {count:Integer}"))
def error_lines_are_none(drill: Drill, count: int) -> None:
    def found() -> int:
        lines = log_lines(drill)
        drill.observe("grep ERROR LOG | wc -l", lines, "lines")
        return lines

    drill.bound(looked("the lines with ERROR", found, "lines").is_(count))


def count_errors(drill: Drill) -> int:
    lines = log_lines(drill, "-i")
    drill.observe("grep -i ERROR LOG | wc -l", lines, "lines")
    return lines


@then(parse("the lines with an error of any spelling are at least {count:Integer}"), target_fixture="error_lines")
def error_lines_are_some(drill: Drill, count: int) -> int:
    """Gives how many there are."""
    drill.bound(looked(ANY_SPELLING, partial(count_errors, drill), "lines").at_least(count))
    return log_lines(drill, "-i")


@then("the lines with an error of any spelling are as many as before the recovery, or more")
def error_lines_have_stayed(drill: Drill, error_lines: int) -> None:
    drill.bound(looked(ANY_SPELLING, partial(count_errors, drill), "lines").at_least(error_lines))


def log_lines(drill: Drill, *options: str) -> int:
    """What `grep ERROR LOG | wc -l` prints, over the logs of all workers."""
    command = f"{' '.join(('grep', *options))} ERROR %s | wc -l"
    counted = 0
    for name, host in zip(drill.inventory.names("worker"), drill.hosts("worker"), strict=True):
        said = host.run(command, str(drill.inventory.variable(name, "drillbook_log_file")))
        if said.stderr:
            raise CouldNotLookError(f"the log of {name}: {said.stderr.strip()}")  # wc counts 0 lines of a missing file
        counted += int(said.stdout)
    return counted


@then("the keys of the database and the queue's pause are written down")
def other_keys_are_counted(drill: Drill) -> None:
    """The same Redis holds the cache, too."""
    drill.bound(At("redis", "Redis").answers())
    drill.observe("keys in the database", ask(drill, "DBSIZE"), "keys")
    drill.observe("whether the queue is paused", ask(drill, "HGET", key(drill, "meta"), "paused") is not None)


@then(parse("within {deadline:Duration} the queue is not paused any more, although nobody resumed it"))
def pause_is_forgotten(drill: Drill, deadline: float) -> None:
    drill.eventually(QUEUE.json("paused", "whether the queue is paused").is_(False), within=deadline)
