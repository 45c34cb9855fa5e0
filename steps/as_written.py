"""Commands of runbooks as they are written, the harm that they do, and what they print about it."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

from steps._bullmq import answer, ask, begun_s, counts, key, members, state_of, states, the_type, workers
from steps.cache import HIT_RATE
from steps.health import latest
from steps.jobs import ODD_JOB
from steps.queue import ACTIVE, QUEUE
from steps.redis import REDIS, settings

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import looked
from drillbook.clients import http_get, redis_client
from drillbook.errors import CouldNotLookError

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
    drill.bound(REDIS.answers())
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
    drill.bound(REDIS.answers())
    for name in ("waiting", "active", "failed"):
        drill.observe(f"LLEN {key(drill, name)}", answer(drill, "LLEN", key(drill, name)))
    drill.observe(f"LRANGE {key(drill, 'active')} 0 -1", answer(drill, "LRANGE", key(drill, "active"), 0, -1))
    drill.observe("jobs by state", counts(drill))


@then(parse('the list of jobs that are active for "more than {age:Duration}" names one that is younger'))
def list_is_of_all(drill: Drill, age: float) -> None:
    """The list has no times in it, although the heading above the command in the runbook says so."""

    def ages() -> list[float]:
        active = answer(drill, "LRANGE", key(drill, "active"), 0, -1)
        return [round(time.time() - begun, 1) for begun in begun_s(drill, active).values()]

    named = looked("the ages of the jobs in the list", ages, "s")
    younger = named.satisfies(f"hold one below {age:g} s", lambda found: any(each < age for each in found))
    drill.bound(younger, within=20)


@then("the list of all queues names keys, at least 5 of one queue")
def list_is_of_keys(drill: Drill) -> None:
    def found() -> tuple[int, int]:
        keys = [str(name) for name in ask(drill, "KEYS", key(drill, "*"))]
        return len(keys), len({name.split(":")[1] for name in keys})

    listed = looked("the keys that are listed, and the queues that they belong to", found)
    drill.bound(listed.satisfies("are at least 5, and 1", lambda it: it[0] >= 5 and it[1] == 1))


@then("the search for worker processes finds one, although none runs")
def search_finds_itself(drill: Drill) -> None:
    """`ps aux | grep NAME` finds its own process."""

    def found() -> tuple[int, int]:
        host = drill.hosts("worker")[0]
        listed = host.run(r'ps aux | grep "worker.ts\|worker.js"').stdout.splitlines()
        # an engineer types the command. Here a shell gets it as an argument, and this shell would be one more line
        lines = [line for line in listed if "ps aux" not in line]
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
    """Returns how many lines there are."""
    drill.bound(looked(ANY_SPELLING, partial(count_errors, drill), "lines").at_least(count))
    return log_lines(drill, "-i")


@then("the lines with an error of any spelling are as many as before the recovery, or more")
def error_lines_have_stayed(drill: Drill, error_lines: int) -> None:
    drill.bound(looked(ANY_SPELLING, partial(count_errors, drill), "lines").at_least(error_lines))


def log_lines(drill: Drill, *options: str) -> int:
    """What `grep ERROR LOG | wc -l` prints, added up over the logs of all workers."""
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
    """The same Redis also holds the cache."""
    drill.bound(REDIS.answers())
    drill.observe("keys in the database", ask(drill, "DBSIZE"), "keys")
    drill.observe("whether the queue is paused", ask(drill, "HGET", key(drill, "meta"), "paused") is not None)


@then(parse("within {deadline:Duration} the queue is not paused any more, although nobody resumed it"))
def pause_is_forgotten(drill: Drill, deadline: float) -> None:
    drill.eventually(QUEUE.json("paused", "whether the queue is paused").is_(False), within=deadline)


@then('Redis answers the engineer\'s PING, and the length of "waiting" is 0')
def engineer_is_served(drill: Drill) -> None:
    """The engineer's account asks, so it does not matter what happens to the account of the application."""

    def asked() -> tuple[object, object]:
        return ask(drill, "PING"), answer(drill, "LLEN", key(drill, "waiting"))

    drill.bound(looked("the answers to PING and to LLEN", asked).is_((True, 0)))


@then(parse('the engineer\'s shell on the host of the API has no "{setting}", although the API is started with one'))
def shell_has_no_setting(drill: Drill, setting: str) -> None:
    """`echo $NAME` asks the shell. Nothing keeps what it prints, because on other hosts it may print the secret."""

    def asked() -> tuple[str, str]:
        name = drill.inventory.names("api")[0]
        printed = drill.hosts(name)[0].run(f'echo "${setting}"').stdout.strip()
        held = settings(drill, name).get(setting)
        return "something" if printed else "nothing", "set" if held else "not set"

    drill.bound(looked(f"what echo prints, and {setting} of the API", asked).is_(("nothing", "set")))


@then("the queue's metrics are refused with 401 to whoever asks without the key")
def metrics_need_a_key(drill: Drill) -> None:
    endpoint = drill.inventory.endpoints["queue"]

    def asked() -> int:
        return http_get(endpoint, headers={}).status_code

    drill.bound(looked("the status of the answer", asked).is_(401))


@then(parse('the length of "active" is that of a queue that is well, while jobs lie in "{name}"'))
def watched_length_proves_nothing(drill: Drill, name: str) -> None:
    """What `watch LLEN` shows an engineer after the script, beside the jobs that it does not show."""
    most = drill.before(ACTIVE) + 3  # a look sees one job more or less

    def seen() -> tuple[object, int]:
        stranded = sum(state == "unknown" for state in states(drill, members(drill, name)).values())
        return answer(drill, "LLEN", key(drill, "active")), stranded

    both = looked(f"the length of 'active', and the jobs in {name!r} that are in no state", seen)
    at_most = both.satisfies(f"are at most {most:g}, and at least 1", lambda it: it[0] <= most and it[1] >= 1)
    drill.bound(at_most, within=30)  # workers that have just started hold more jobs until they have caught up


@then('no line of the API\'s metrics has "memory_usage", although one tells the memory of its process')
def metrics_have_no_such_line(drill: Drill) -> None:
    version = str(drill.inventory.variable(drill.inventory.names("api")[0], "drillbook_version_url"))
    endpoint = replace(drill.inventory.endpoints["api"], url=version.removesuffix("/version") + "/metrics")

    def seen() -> tuple[int, int]:
        lines = http_get(endpoint).text.splitlines()
        found = tuple(sum(word in line for line in lines) for word in ("memory_usage", "process_resident_memory_bytes"))
        drill.observe("grep memory_usage | wc -l", found[0], "lines")
        return found[0], found[1]

    both = looked("the lines with memory_usage, and with process_resident_memory_bytes", seen)
    drill.bound(both.satisfies("are 0, and at least 1", lambda it: it[0] == 0 and it[1] >= 1))


@given("the hit rate that INFO tells is known", target_fixture="info_hit_rate")
def info_hit_rate_is_known(drill: Drill) -> float:
    """Returns the hit rate in percent."""
    rate = info_hit_rate_now(drill)
    drill.observe("INFO's hit rate before the fault", rate, "%")
    drill.observe("the cache's own hit rate before the fault", latest(drill, HIT_RATE), "%")
    return rate


@then("the hit rate that INFO tells is as before, within 5 points, while the cache answers no look-up")
def info_hit_rate_hides_it(drill: Drill, info_hit_rate: float) -> None:
    def seen() -> tuple[float, object]:
        rate = info_hit_rate_now(drill)
        drill.observe("INFO's hit rate", rate, "%")
        return rate, drill.last(HIT_RATE)

    both = looked("the hit rate that INFO tells, and that of the cache", seen, "%")
    as_before = f"are {info_hit_rate:g} ± 5, and 0"
    drill.bound(both.satisfies(as_before, lambda it: abs(it[0] - info_hit_rate) <= 5 and it[1] == 0), within=20)


def info_hit_rate_now(drill: Drill) -> float:
    """The percentage of look-ups that found a key, of all since the server started. The queue's look-ups count, too."""
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        stats = redis.info("stats")
    hits, misses = stats["keyspace_hits"], stats["keyspace_misses"]
    if not hits + misses:
        raise CouldNotLookError("nobody has looked up a key since this Redis was started")
    return float(round(100 * hits / (hits + misses), 1))


@then('the question for the queue\'s errors loses "service=queue" in a shell, and ends with 0 where nobody answers')
def ampersand_cuts_the_question(drill: Drill) -> None:
    """Without quotes, `&` ends the command and puts it into the background, so nobody sees its exit status."""
    endpoint = drill.inventory.endpoints["error log"]
    host = drill.hosts(drill.inventory.names("api")[0])[0]

    def asked() -> tuple[str, int]:
        sent = host.run(f"echo {endpoint.url}").stdout.strip()
        return sent, host.run("curl -sf http://127.0.0.1:9/logs?level=error&service=queue").rc

    def cut(seen: tuple[str, int]) -> bool:
        return endpoint.url.startswith(f"{seen[0]}&") and "service" not in seen[0] and seen[1] == 0

    drill.bound(looked("what is asked for, and the exit status", asked).satisfies("lost its end, and 0", cut))
    answer = http_get(replace(endpoint, url=asked()[0])).json()
    drill.observe("services in the answer", sorted({line["service"] for line in answer["logs"]}) or "none")


@then(parse("for {length:Duration} that job stays active, although no worker is left that could end it"))
def job_is_not_drained(drill: Drill, length: float) -> None:
    def seen() -> tuple[str, list[str]]:
        return state_of(drill, ODD_JOB), workers(drill)

    both = looked("the state of that job, and the workers of the queue", seen)
    drill.throughout(both.is_(("active", [])), for_=length, within=60)
