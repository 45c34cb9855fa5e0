"""The lab's version of supervisord's RPC interface. supervisord loads this module, so it imports little."""
# mypy: disable-error-code="no-untyped-call"
# (supervisor is not typed)

from typing import Any

from supervisor.rpcinterface import SupervisorNamespaceRPCInterface


class PatientInterface(SupervisorNamespaceRPCInterface):
    """supervisord's own interface, with one change: it does not spin while a process stops.

    supervisord looks every `delay` seconds whether the process has stopped. Supervisor 4.3.0 has a delay of 0 there, so
    it takes a whole processor until the process has ended (measured: 6 s of CPU for a stop of 6 s). For a start it has
    0.05.
    """

    def stopProcess(self, name: str, wait: bool = True) -> Any:
        answer = super().stopProcess(name, wait)
        if callable(answer):
            answer.delay = 0.05
        return answer


def make_rpcinterface(supervisord: Any) -> PatientInterface:
    """The factory that supervisord.conf names, in place of supervisor's own."""
    return PatientInterface(supervisord)
