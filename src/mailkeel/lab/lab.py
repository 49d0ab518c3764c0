"""A lab: hosts and networks that live and end together."""

from __future__ import annotations

import atexit
import itertools
import os
from types import TracebackType

from mailkeel.lab.hosts import Identity, LabHost
from mailkeel.lab.machine import check_machine
from mailkeel.lab.network import Network, isolated_namespace
from mailkeel.lab.roots import Root
from mailkeel.lab.runs import Run, sweep


class Lab:
    """Makes networks and hosts, and removes every one of them when its `with` block, or the process, ends.

    Starting a lab first sweeps what labs of dead processes left. Raises MailkeelError where the machine
    lacks something.
    """

    def __init__(self) -> None:
        check_machine()
        sweep()
        self._run = Run.start()
        self._numbers = itertools.count(1)
        self._owner = os.getpid()
        atexit.register(self.close)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def run_id(self) -> str:
        """The name that all namespaces, machines and folders of this lab carry."""
        return self._run.run_id

    def network(self, number: int = 0) -> Network:
        """A private network with 10.99.`number`.0/24 and fd99:`number`::/64."""
        return Network(self._run, self._unique("bridge"), number)

    def host(
        self,
        name: str,
        root: Root,
        *,
        network: Network | None = None,
        systemd: bool = True,
        hostname: str = "",
    ) -> LabHost:
        """A host that has booted, on `network` or with a loopback only.

        Without `systemd` its process 1 only reaps orphans, as in an application container. `hostname` is
        the fully qualified name, by default `name` under `example.test`.
        """
        key = self._unique(name)
        namespace = network.attach(key) if network else isolated_namespace(self._run, key)
        identity = Identity(name, key, hostname or f"{name}.example.test")
        host = LabHost(self._run, identity, root, namespace, systemd=systemd)
        try:
            host.create()
            host.boot()
        except BaseException:
            host.destroy()
            raise
        return host

    def _unique(self, name: str) -> str:
        return f"{name}{next(self._numbers)}"

    def close(self) -> None:
        """Remove everything of this lab. Safe to repeat; does nothing in a forked child."""
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.close)
        if self._run.folder.exists():
            self._run.remove()
