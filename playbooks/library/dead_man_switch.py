#!/usr/bin/python
"""Arm, renew or disarm a dead man's switch: a timer on this host that runs a command unless it is renewed."""

from __future__ import annotations

DOCUMENTATION = """
module: dead_man_switch
short_description: A timer on the host that undoes a fault unless it is renewed
description:
  - While the switch is armed, a process in a session of its own waits on the host. Each renewal restarts its time. When
    the time is over, the process runs the command.
  - It needs neither ssh nor Ansible nor the control node. It ends with a reboot of the host, unless O(after_reboot).
  - It runs as the user of the task. Use become when the command needs root.
  - The lease and its result are files in the folder. Only the process knows the environment and stdin.
options:
  id: {description: "Name of the switch: letters, digits, dot, dash and underscore", type: str, required: true}
  state:
    description:
      - Renewed fails when the switch is not armed, its process has ended, or it has fired.
      - Disarmed waits for the end of the process.
    type: str
    choices: [armed, renewed, disarmed]
    default: armed
  after: {description: Seconds without renewal after which an armed switch fires, type: int}
  command: {description: "What it runs (or script): a program and its arguments, no shell", type: list, elements: str}
  script: {description: "What it runs (or command): source of Python, for the interpreter of this module", type: str}
  arguments: {description: Arguments of the script, type: list, elements: str, default: []}
  environment: {description: Further environment variables; here is the place of a password, type: dict, default: {}}
  stdin: {description: Standard input of the command, type: str}
  tries: {description: How often the command is run until it succeeds, type: int, default: 10}
  pause: {description: Seconds between the first two tries; doubled each time to a minute, type: float, default: 1}
  after_reboot:
    description:
      - Start the timer again when the host boots, with its whole time, if systemd is there, the task runs as root, and
        the command has no environment and no stdin. Otherwise it ends with a reboot.
      - What the command does lies in a file of the folder then, and a unit of systemd starts it, until it is disarmed.
    type: bool
    default: false
  folder:
    description: Where lease and result are kept, on a disk of the host
    type: path
    default: ~/.drillbook/switches
"""
RETURN = """
fired: {description: Whether the command was run because nobody renewed the switch, type: bool, returned: always}
"""

import contextlib
import inspect
import json
import os
import pwd
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from ansible.module_utils import dead_man_timer as timer
from ansible.module_utils.basic import AnsibleModule

ARGUMENTS = {
    "id": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["armed", "renewed", "disarmed"], "default": "armed"},
    "after": {"type": "int"},
    "command": {"type": "list", "elements": "str"},
    "script": {"type": "str"},
    "arguments": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "dict", "default": {}, "no_log": True},
    "stdin": {"type": "str", "no_log": True},
    "tries": {"type": "int", "default": 10},
    "pause": {"type": "float", "default": 1.0},
    "after_reboot": {"type": "bool", "default": False},
    "folder": {"type": "path", "default": "~/.drillbook/switches"},
}
PASSED_ON = ("HOME", "USER", "LOGNAME", "TZ", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
UNITS, UNDER_SYSTEMD = Path("/etc/systemd/system"), Path("/run/systemd/system")
UNIT = """\
[Unit]
Description=The dead man's switch {name}
[Service]
ExecStart={python} -I {script}
[Install]
WantedBy=multi-user.target
"""
END_S = timer.TRY_S + 30
"""How long the module waits for the end of a process, which may be running its command just then."""


class Switch:
    """One switch in its folder."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module, self.asked = module, module.params
        self.name = self.asked["id"]
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", self.name):
            self.fail("cannot be: its id has letters, digits, dot, dash and underscore")
        self.folder = Path(self.asked["folder"])
        self.lease = self.folder / f"{self.name}.json"
        self.result = timer.result_of(self.lease)
        unit = f"drillbook-switch-{self.name}.service"
        self.at_boot = [UNITS / unit, UNITS / "multi-user.target.wants" / unit, self.lease.with_suffix(".py")]
        """What starts the timer again at a boot: the unit, the link to it, and the script."""

    def fail(self, why: str, fired: bool = False) -> NoReturn:
        self.module.fail_json(msg=f"the dead man's switch {self.name} {why}", fired=fired)

    def end(self, changed: bool, why: str, fired: bool = False) -> NoReturn:
        self.module.exit_json(changed=changed, msg=f"the dead man's switch {self.name} {why}", fired=fired)

    # ------------------------------------------------------------------ armed

    def arm(self) -> None:
        asked = self.asked
        if asked["after"] is None or asked["after"] < 1 or asked["tries"] < 1:
            self.fail("cannot be armed: after (seconds) and tries are whole numbers of 1 or more")
        if bool(asked["command"]) == bool(asked["script"]):
            self.fail("cannot be armed: it needs a command or a script, and not both")
        if asked["script"] and asked["stdin"] is not None:
            self.fail("cannot be armed: a script is read from standard input, and has no other")
        command = asked["command"] or [sys.executable, "-", *asked["arguments"]]
        lease = {"id": self.name, "after_s": asked["after"], "command": command, "script": asked["script"]}
        self.own_folder()
        with self.alone():
            before, result = timer.read(self.lease), timer.read(self.result) or {}
            if before is not None and timer.alive(result.get("process")):
                if {**lease, "renewals": before.get("renewals")} != before or result["state"] != "waiting":
                    self.fail("cannot be armed: it is armed with another command or time, or it is firing")
                self.end(False, "is armed already")
            reason = ends_with_the_session(self.module)
            if reason:
                self.fail(f"cannot be armed: {reason}")
            if not self.module.check_mode:
                try:
                    with contextlib.suppress(FileNotFoundError):
                        self.result.unlink()
                    timer.write(self.lease, {**lease, "renewals": 0})
                except OSError as error:
                    self.fail(f"cannot be armed: {self.lease}: {error.strerror}")
                self.start(command)
        self.end(True, "is armed")

    def own_folder(self) -> None:
        if self.module.check_mode and not self.folder.is_dir():
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.folder.stat().st_uid != os.geteuid():
                self.fail(f"cannot be armed: {self.folder} belongs to somebody else")
            self.folder.chmod(0o700)
        except OSError as error:
            self.fail(f"cannot be armed: {self.folder}: {error.strerror}")

    def start(self, command: list) -> None:
        """Give the timer its source and its order on standard input, and wait until it says that it runs."""
        asked = self.asked
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
        environment["LC_ALL"] = "C.UTF-8"
        order = {
            "command": command,
            "environment": {**environment, **{name: str(value) for name, value in asked["environment"].items()}},
            "stdin": asked["script"] or asked["stdin"],
            "after_s": asked["after"],
            "tries": asked["tries"],
            "pause_s": asked["pause"],
        }
        call = f"main({str(self.lease)!a}, json.loads({json.dumps(order)!a}))\n"
        source = f"{inspect.getsource(timer)}\n{call}"
        try:
            self.keep_for_a_reboot(call)
            process = subprocess.Popen(
                [sys.executable, "-I", "-", str(self.lease)],  # the lease tells people what this process is for
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
            process.stdin.write(source.encode())
            process.stdin.close()
            said = process.stdout.read().decode(errors="replace").strip()
        except OSError as error:
            said = f"{error.filename or sys.executable}: {error.strerror}"
        if said != "armed":
            self.lease.unlink()
            self.forget_at_boot()
            # the last line of a traceback names the error; the lines before it are source
            self.fail(f"cannot be armed: its process did not start: {said.splitlines()[-1] if said else 'no reason'}")

    def keep_for_a_reboot(self, call: str) -> None:
        """Let systemd start the timer again at a boot, where it can and where nothing of it is secret."""
        asked = self.asked
        secret = asked["environment"] or asked["stdin"] is not None
        if not asked["after_reboot"] or secret or os.geteuid() != 0 or not UNDER_SYSTEMD.is_dir():
            return
        unit, link, script = self.at_boot
        guarded = f"if not (read(result_of(Path({str(self.lease)!a}))) or {{}}).get('fired_at'):\n    {call}"
        script.touch(mode=0o600)
        script.write_text(f"{inspect.getsource(timer)}\n{guarded}", encoding="utf-8")
        unit.write_text(UNIT.format(name=self.name, python=sys.executable, script=script), encoding="utf-8")
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(unit)

    def forget_at_boot(self) -> None:
        for path in self.at_boot:
            path.unlink(missing_ok=True)

    # ------------------------------------------------------------------ renewed

    def renew(self) -> None:
        with self.alone():
            lease, result = timer.read(self.lease), timer.read(self.result) or {}
            if result.get("fired_at"):
                self.fail(fired_at(result), fired=True)
            if lease is None:
                self.fail("is not armed: nothing undoes the fault when the control node is lost")
            if not timer.alive(result.get("process")):
                self.fail("has no process any more: nothing undoes the fault when the control node is lost")
            if not self.module.check_mode:
                try:
                    timer.write(self.lease, {**lease, "renewals": lease["renewals"] + 1})
                except OSError as error:
                    self.fail(f"cannot be renewed: {self.lease}: {error.strerror}")
        self.end(True, "is renewed")

    # ------------------------------------------------------------------ disarmed

    def disarm(self) -> None:
        if not self.folder.is_dir():
            self.end(False, "is not armed")
        with self.alone():
            result = timer.read(self.result) or {}
            armed = self.lease.exists()
            running = timer.alive(result.get("process"))
            if armed and not self.module.check_mode:
                try:
                    self.forget_at_boot()
                    self.lease.unlink()
                except OSError as error:
                    self.fail(f"cannot be disarmed: {self.lease}: {error.strerror}")
        if running and not self.module.check_mode:
            self.wait_for_the_end_of(result["process"])
            result = timer.read(self.result) or {}
        fired = bool(result.get("fired_at"))
        if not fired and not self.module.check_mode:
            with contextlib.suppress(FileNotFoundError):
                self.result.unlink()
        said = "is disarmed" if armed else "is not armed"
        self.end(armed or running, f"{said}; it {fired_at(result)}" if fired else said, fired)

    def wait_for_the_end_of(self, process: str) -> None:
        until_s = time.monotonic() + END_S
        while timer.alive(process):
            if time.monotonic() > until_s:
                self.fail(f"is not disarmed: its process {process.split('/')[1]} has not ended within {END_S:g} s")
            time.sleep(0.02)

    @contextlib.contextmanager
    def alone(self):
        with timer.locked(self.folder) as had:
            if not had and self.folder.is_dir():
                self.fail(f"cannot be {self.asked['state']}: another process holds the lock of {self.folder}")
            yield


def fired_at(result: dict) -> str:
    """When it fired and what came of it. The words "has fired" tell the engine that a switch has fired."""
    if result["state"] == "fired":
        return f"has fired at {result['fired_at']}: its command succeeded (try {result['tries']})"
    if result["state"] == "firing" and timer.alive(result["process"]):
        return f"has fired at {result['fired_at']}: its command is being run"
    why = result["last"] or "its process was ended"
    return f"has fired at {result['fired_at']}: its command did not succeed ({why}; tries: {result['tries']})"


def ends_with_the_session(module: AnsibleModule) -> str | None:
    """Why logind would end the timer with the last ssh session of its user. The timer is needed just then. None: it
    would not.
    """
    bus = module.get_bin_path("busctl")
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8")
    except OSError:
        return None
    session = re.search(r"/user-(\d+)\.slice/session-[^/\n]+\.scope", groups)
    if bus is None or session is None:
        return None
    try:
        user = pwd.getpwuid(int(session[1])).pw_name
    except KeyError:
        user = session[1]
    manager = ["org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"]
    said = []
    for name in ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers"):
        rc, out, _ = module.run_command([bus, "get-property", *manager, name])
        said.append(out if rc == 0 else "")
    if not logind_kills(user, *said):
        return None
    return (
        f"logind ends all processes of {user} with the last session (KillUserProcesses): add {user} to "
        "KillExcludeUsers in /etc/systemd/logind.conf"
    )


def logind_kills(user: str, kill: str, only: str, exclude: str) -> bool:
    """Whether logind ends the user's processes at the end of a session.

    The other arguments are its properties, as busctl prints them (`b true`, `as 1 "root"`).
    """
    excluded = re.findall(r'"([^"]*)"', exclude)
    if user in (excluded or ["root"]):
        return False
    chosen = re.findall(r'"([^"]*)"', only)
    return user in chosen if chosen else kill.split() == ["b", "true"]


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if timer.identity(os.getpid()) is None:
        module.fail_json(msg="a dead man's switch needs /proc, which this host does not have", fired=False)
    switch = Switch(module)
    {"armed": switch.arm, "renewed": switch.renew, "disarmed": switch.disarm}[module.params["state"]]()


if __name__ == "__main__":
    main()
