"""Service managers: systemd, and the init scripts where systemd is not process 1."""

from __future__ import annotations

import os
from collections.abc import Sequence
from glob import glob
from typing import Protocol

from mailkeel.errors import HostError, MailkeelError, Problem
from mailkeel.host.command import run
from mailkeel.host.interface import ServiceState, Verb
from mailkeel.resources import Service

_TIMEOUT_SECONDS = 90.0


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
        """Active as the script's `status` says, or as the process in the pid file is alive."""
        return {service.name: self._state(service) for service in services}

    def control(self, verb: Verb, services: Sequence[Service]) -> None:
        """One after the other, in the order given."""
        for service in services:
            if verb in (Verb.ENABLE, Verb.DISABLE):
                self._enable(verb, service)
            elif service.init_script:
                self._script(verb, service)
            else:
                self._fallback(verb, service)

    def _state(self, service: Service) -> ServiceState:
        if not service.init_script:
            pid = _living_pid(service)
            return ServiceState(is_active=pid > 0, is_enabled=True, main_pid=pid)
        path = f"/etc/init.d/{service.init_script}"
        is_active = os.path.exists(path) and run([path, "status"]).status == 0
        return ServiceState(is_active, bool(glob(f"/etc/rc2.d/S[0-9][0-9]{service.init_script}")))

    def _enable(self, verb: Verb, service: Service) -> None:
        if service.init_script:
            run(["update-rc.d", service.init_script, verb.value], check=True)

    def _script(self, verb: Verb, service: Service) -> None:
        done = run([f"/etc/init.d/{service.init_script}", verb.value], timeout_seconds=_TIMEOUT_SECONDS)
        is_active = self._state(service).is_active
        if done.status != 0 or (verb is Verb.STOP) == is_active:
            words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
            raise HostError(
                Problem(
                    f"/etc/init.d/{service.init_script} {verb.value}",
                    "; ".join(words) or "the daemon is not as asked",
                    "see /var/log/mail.log",
                )
            )

    def _fallback(self, verb: Verb, service: Service) -> None:
        pid = _living_pid(service)
        if verb is Verb.RELOAD and pid:
            os.kill(pid, 1)
            return
        if verb in (Verb.STOP, Verb.RESTART) and pid:
            _terminate(pid)
        if verb is not Verb.STOP and not _living_pid(service):
            run(service.fallback, check=True)


def _living_pid(service: Service) -> int:
    """The process in the pid file, if it lives and is this daemon."""
    try:
        with open(service.pid_file) as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/comm") as file:
            name = file.read().strip()
    except (OSError, ValueError):
        return 0
    return pid if name and os.path.basename(service.fallback[0]).startswith(name) else 0


def _terminate(pid: int) -> None:
    import time

    os.kill(pid, 15)
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}"):
            return
        time.sleep(0.05)
    os.kill(pid, 9)
