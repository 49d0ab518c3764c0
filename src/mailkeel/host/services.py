"""Service managers: systemd, and the init scripts where systemd is not process 1."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from glob import glob
from typing import Protocol

from mailkeel.errors import HostError, MailkeelError, Problem
from mailkeel.host.command import run
from mailkeel.host.interface import ServiceState, Verb
from mailkeel.resources import Service

_TIMEOUT_SECONDS = 90.0

#: Linux cuts /proc/PID/comm off there (proc(5)).
_COMM_LENGTH = 15


class ServiceManager(Protocol):
    """What a service manager can tell and do."""

    def states(self, services: Sequence[Service]) -> dict[str, ServiceState]:
        """The state of each service, by its name."""

    def control(self, verb: Verb, services: Sequence[Service]) -> None:
        """Do it. Raises HostError."""


def service_manager() -> ServiceManager:
    """Choose once: is systemd process 1 here (sd_booted(3))?"""
    return Systemd() if os.path.isdir("/run/systemd/system") else InitScripts()


class Systemd:
    """systemctl, one call for all services."""

    def states(self, services: Sequence[Service]) -> dict[str, ServiceState]:
        """Active as the watched unit is, enabled as the unit is."""
        units = sorted({unit for service in services for unit in (service.unit, _watched(service))})
        fields = "Id,ActiveState,SubState,UnitFileState,MainPID"
        shown = run(["systemctl", "show", "--property", fields, *units]).stdout
        blocks = (
            dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.split("\n\n")
        )
        by_unit = {block["Id"]: block for block in blocks if "Id" in block}
        return {service.name: _systemd_state(service, by_unit) for service in services}

    def control(self, verb: Verb, services: Sequence[Service]) -> None:
        """START is a restart: Debian 12's postfix.service is a dummy that may be "active" with its
        instance dead. Earlier failures are forgotten first, or the start limit would refuse."""
        if not services:
            return
        units = [service.unit for service in services]
        if verb in (Verb.START, Verb.RESTART):
            run(["systemctl", "daemon-reload"], check=True)
            run(["systemctl", "reset-failed", *units])
        word = "restart" if verb is Verb.START else verb.value
        done = run(["systemctl", word, *units], timeout_seconds=_TIMEOUT_SECONDS)
        if done.status != 0:
            raise _systemd_error(word, services, done.stderr)


def _watched(service: Service) -> str:
    return service.watched_unit or service.unit


def _systemd_state(service: Service, by_unit: dict[str, dict[str, str]]) -> ServiceState:
    watched = by_unit.get(_watched(service), {})
    unit = by_unit.get(service.unit, {})
    return ServiceState(
        is_active=watched.get("ActiveState") in ("active", "reloading"),
        is_enabled=unit.get("UnitFileState") in ("enabled", "static", "alias", "generated"),
        main_pid=int(watched.get("MainPID") or 0),
    )


def _systemd_error(word: str, services: Sequence[Service], said: str) -> MailkeelError:
    problems = []
    for service in services:
        log = run(["journalctl", "-q", "--no-pager", "-n", "5", "-o", "cat", "-u", _watched(service)])
        if not Systemd().states([service])[service.name].is_active:
            words = "; ".join(log.stdout.split("\n")[-5:]).strip("; ") or said.strip()
            problems.append(
                Problem(service.unit, f"{word} failed: {words}", f"see `journalctl -u {_watched(service)}`")
            )
    return (
        HostError(*problems)
        if problems
        else HostError(Problem("systemctl", said.strip(), "see `systemctl status`"))
    )


class InitScripts:
    """The init scripts of Debian's packages, or a service's own command where it brings none."""

    def states(self, services: Sequence[Service]) -> dict[str, ServiceState]:
        """Active as the process in the pid file is alive; enabled as it is started in runlevel 2."""
        return {service.name: _init_state(service) for service in services}

    def control(self, verb: Verb, services: Sequence[Service]) -> None:
        """One after the other, in the order given."""
        for service in services:
            if verb in (Verb.ENABLE, Verb.DISABLE):
                if service.init_script:
                    run(["update-rc.d", service.init_script, verb.value], check=True)
            elif service.init_script:
                _script(verb, service)
            else:
                _fallback(verb, service)


def _init_state(service: Service) -> ServiceState:
    pid = _living_pid(service)
    links = f"/etc/rc2.d/S[0-9][0-9]{service.init_script}"
    return ServiceState(pid > 0, not service.init_script or bool(glob(links)), pid)


def _script(verb: Verb, service: Service) -> None:
    """Whether it came up is seen by its probes; whether it went, here."""
    path = f"/etc/init.d/{service.init_script}"
    done = run([path, verb.value], timeout_seconds=_TIMEOUT_SECONDS)
    if done.status != 0 or (verb is Verb.STOP and not _is_gone(service)):
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        what = "; ".join(words) or f"exit status {done.status}"
        raise HostError(Problem(f"{path} {verb.value}", what, "see /var/log/mail.log"))


def _fallback(verb: Verb, service: Service) -> None:
    pid = _living_pid(service)
    if verb is Verb.RELOAD and pid:
        os.kill(pid, signal.SIGHUP)
        return
    if verb in (Verb.STOP, Verb.RESTART) and pid:
        os.kill(pid, signal.SIGTERM)
        if not _is_gone(service):
            raise HostError(
                Problem(service.name, f"process {pid} does not stop", f"see why, or `kill -9 {pid}`")
            )
    if verb is not Verb.STOP and not _living_pid(service):
        run(service.fallback, check=True)


def _living_pid(service: Service) -> int:
    """The process in the pid file, if it lives and is this daemon; 0 if not."""
    try:
        with open(service.pid_file) as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/comm") as file:
            name = file.read().strip()
    except (OSError, ValueError):
        return 0
    return pid if name == service.process[:_COMM_LENGTH] else 0


def _is_gone(service: Service) -> bool:
    """Wait until the process has ended."""
    for _ in range(200):
        if not _living_pid(service):
            return True
        time.sleep(0.05)
    return False
