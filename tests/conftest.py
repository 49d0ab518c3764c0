"""What every test may ask for: the Debian releases, and throwaway hosts of them.

A test that uses hosts needs root, systemd-nspawn and mmdebstrap, and fails where they are missing; set
MAILKEEL_SKIP_HOSTS=1 to leave such tests out on purpose.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import pytest

from checkout import CHECKOUT, REPOSITORY, TwoHosts, repository_files
from mailkeel.errors import MailkeelError
from mailkeel.lab.hosts import LabHost
from mailkeel.lab.lab import Lab
from mailkeel.lab.roots import RELEASES, Root, bare_root

SKIP_VARIABLE = "MAILKEEL_SKIP_HOSTS"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test that reaches the lab carries the marker `host`."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.host)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Tests that share a host go to one worker: those of a file, and in it those of one environment.

    xdist's own groups (`--dist loadgroup` of 3.8) have no effect with pytest 9.2.
    """
    if config.getoption("dist") not in ("load", "loadfile"):
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByHost(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            environment = re.search(r"\[((bookworm|trixie)(-systemd|-plain)?)\b", nodeid)
            return nodeid.partition("::")[0] + (f"[{environment[1]}]" if environment else "")

    return ByHost(config, log)


@pytest.fixture(scope="session", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """Each Debian release that mailkeel supports."""
    return str(request.param)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab that ends, with all that is in it, when the test module does."""
    if os.environ.get(SKIP_VARIABLE) == "1":
        pytest.skip(f"{SKIP_VARIABLE}=1")
    try:
        new = Lab()
    except MailkeelError as error:
        pytest.fail(f"{error}\nTo leave out the tests that need hosts: {SKIP_VARIABLE}=1", pytrace=False)
    with new:
        yield new


@pytest.fixture(scope="module")
def bare_host(lab: Lab) -> Callable[..., LabHost]:
    """`bare_host(release, name="mx", systemd=True)`: a fresh host with nothing of mailkeel on it."""

    def boot(release: str, name: str = "mx", *, systemd: bool = True) -> LabHost:
        return lab.host(name, bare_root(release), systemd=systemd)

    return boot


@pytest.fixture(scope="module")
def two_hosts(lab: Lab) -> Callable[..., TwoHosts]:
    """`two_hosts(root, outside_root=None, systemd=True)`: `mx` and `outside` on a network of their own."""

    def boot(root: Root, outside_root: Root | None = None, *, systemd: bool = True) -> TwoHosts:
        network = lab.network()
        mx = lab.host("mx", root, network=network, systemd=systemd)
        outside = lab.host("outside", outside_root or root, network=network, systemd=systemd)
        return TwoHosts(mx, outside)

    return boot


@pytest.fixture(scope="session")
def checkout_on() -> Callable[[LabHost], str]:
    """`checkout_on(host)`: copies the repository, less what git ignores; returns the folder on the host."""

    def copy(host: LabHost) -> str:
        host.copy_in(REPOSITORY, CHECKOUT, repository_files())
        return CHECKOUT

    return copy
