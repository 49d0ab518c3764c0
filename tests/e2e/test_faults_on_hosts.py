"""Whatever goes wrong on a real host, it is as before, or the next run makes it so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs
import pytest
from servers import (
    APPLY_SECONDS,
    JOURNALS,
    MEANWHILE,
    Snapshot,
    as_json,
    daemon_pids,
    from_checkout,
    mailkeel,
    run_until,
    said,
    snapshot,
    transactions,
)

from hosts import installed_root
from mailkeel.lab.hosts import LabHost
from mailkeel.lab.lab import Lab
from mailkeel.lab.machine import wait_until
from mailkeel.lab.roots import RELEASES, bare_root

SPEC = "examples/local.toml"
#: The specification with one domain and one alias more: a change of keys, tables, main.cf and services.
LARGER = "/root/larger.toml"
MORE = '\n[[domain]]\nname = "example.net"\n'
ALIASES = '[aliases]\nsales = ["alice"]\n'
NEW_KEY = "/etc/opendkim/keys/example.net"


@attrs.frozen(eq=False)
class Installed:
    """A host with all packages as Debian configures them, and the checkout."""

    host: LabHost
    checkout: str

    def apply(self, *words: str) -> tuple[str, ...]:
        """The command line."""
        return (f"{self.checkout}/mailkeel", "apply", *(words or (f"{self.checkout}/{SPEC}",)), "--yes")


@pytest.fixture(scope="module", params=RELEASES)
def installed(
    request: pytest.FixtureRequest, lab: Lab, checkout_on: Callable[[LabHost], str]
) -> Iterator[Installed]:
    """One host of each release; its tests build on each other."""
    with lab.host("mx", installed_root(request.param)) as host:
        checkout = checkout_on(host)
        spec = host.read(f"{checkout}/{SPEC}")
        assert "[aliases]\n" in spec
        host.write(LARGER, spec.replace("\n[spf]\n", f"{MORE}\n[spf]\n").replace("[aliases]\n", ALIASES))
        yield Installed(host, checkout)


#: shadow's copies of the files before their last change; Postfix's notes of its processes; the private
#: /tmp of services that were restarted; when Dovecot was started last.
PASSING = (
    r"/etc/(passwd|group|shadow|gshadow)-",
    r"/var/(lib/postfix|spool/postfix/pid)/.*",
    r"/tmp/systemd-private-.*",
    r"/var/lib/dovecot/instances",
)


def _is_unchanged(was: Snapshot, host: LabHost) -> None:
    if not wait_until(lambda: snapshot(host).daemons == was.daemons, 10):
        pytest.fail(f"{was.daemons ^ snapshot(host).daemons}\n{_troubles(host)}")
    now = snapshot(host)
    differences = was.differences(now, *PASSING)
    assert not differences, "\n".join(differences)
    assert now.accounts == was.accounts
    assert now.packages == was.packages
    assert now.failed_units == was.failed_units


@contextmanager
def _with_setting(host: LabHost, setting: str) -> Iterator[None]:
    """The person has this in main.cf; afterwards it is as before."""
    original = host.read("/etc/postfix/main.cf")
    host.run(["tee", "-a", "/etc/postfix/main.cf"], input=f"\n# mine\n{setting}\n")
    try:
        yield
    finally:
        host.write("/etc/postfix/main.cf", original)
        host.run(["systemctl", "restart", "postfix"])


class TestOnAHostThatWasNeverApplied:
    def test_a_broken_setting_of_the_persons_is_named(self, installed: Installed) -> None:
        host = installed.host
        with _with_setting(host, "default_process_limit = abc"):
            was = snapshot(host)
            completed = from_checkout(host, installed.checkout, *installed.apply())
            assert completed.status == 1, said(completed)
            assert "default_process_limit = abc" in completed.stderr
            _is_unchanged(was, host)

    def test_a_table_of_an_unknown_type_is_named(self, installed: Installed) -> None:
        host = installed.host
        with _with_setting(host, "transport_maps = nosuch:/etc/x"):
            was = snapshot(host)
            completed = from_checkout(host, installed.checkout, *installed.apply())
            assert completed.status == 1, said(completed)
            assert "transport_maps = nosuch:/etc/x" in completed.stderr
            _is_unchanged(was, host)

    def test_a_plan_that_went_stale_is_refused(self, installed: Installed) -> None:
        was = snapshot(installed.host)
        fingerprint = "0123456789abcdef"
        completed = from_checkout(
            installed.host, installed.checkout, *installed.apply(), "--plan", fingerprint
        )
        assert completed.status == 1
        assert fingerprint in completed.stderr
        _is_unchanged(was, installed.host)

    def test_killed_while_it_writes_the_installed_command_takes_it_back(self, installed: Installed) -> None:
        """And itself with it: another run, from the checkout, is needed to finish."""
        host = installed.host
        was = snapshot(host)
        killed = run_until(host, '"path": "/etc/postfix/main.cf"', "SIGKILL", installed.apply())
        assert killed.status == -9
        plan = mailkeel(host, "plan")
        assert plan.status == 2
        assert "was cut off: `mailkeel apply` takes it back first" in plan.stdout
        completed = mailkeel(host, "apply", "--yes")
        assert completed.status == 1, said(completed)
        assert "had been cut off: taken back" in completed.stderr
        assert "run it again, from the checkout" in completed.stderr
        _is_unchanged(was, host)

    def test_killed_while_services_start_the_next_run_finishes(self, installed: Installed) -> None:
        host = installed.host
        killed = run_until(host, '"do": "control"', "SIGKILL", installed.apply())
        assert killed.status == -9
        plan = from_checkout(host, installed.checkout, "./mailkeel", "plan", SPEC)
        assert plan.status == 2
        assert "was cut off: `mailkeel apply` takes it back first" in plan.stdout
        completed = from_checkout(host, installed.checkout, *installed.apply())
        assert completed.status == 0, said(completed)
        assert "had been cut off: taken back" in completed.stderr
        assert mailkeel(host, "plan").status == 0
        outcomes = [entry["outcome"] for entry in transactions(host)]
        assert outcomes[-3:] == ["rolled back", "rolled back", "applied"]


@pytest.fixture(scope="module")
def applied(installed: Installed) -> Installed:
    """The same host, some tests later."""
    if mailkeel(installed.host, "plan").status != 0:
        assert installed.host.run(installed.apply(), timeout=APPLY_SECONDS).status == 0
    return installed


class TestOnAHostThatWasApplied:
    """Each test leaves the host as it found it: that is what it shows."""

    def test_a_change_is_taken_back_when_sigterm_comes(self, applied: Installed) -> None:
        was = snapshot(applied.host)
        ended = run_until(applied.host, '"path": "/etc/postfix/main.cf"', "SIGTERM", applied.apply(LARGER))
        assert ended.status == 1, said(ended)
        assert "taken back" in ended.stderr
        _is_unchanged(was, applied.host)
        _delivers(applied.host)

    @pytest.mark.parametrize(
        ("mark", "next_run", "status"),
        [
            (f'"path": "{NEW_KEY}"', ("apply", LARGER, "--yes", "--plan", "0123456789abcdef"), 1),
            ('"path": "/etc/postfix/mailkeel/aliases"', ("apply", "/root/wrong.toml", "--yes"), 1),
            ('"do": "control"', ("apply", "--yes"), 0),
        ],
        ids=["a plan that went stale", "a specification that is refused", "what was applied before"],
    )
    def test_killed_anywhere_the_next_run_takes_it_back(
        self, applied: Installed, mark: str, next_run: tuple[str, ...], status: int
    ) -> None:
        host = applied.host
        host.write("/root/wrong.toml", 'mode = "sideways"\n')
        was = snapshot(host)
        assert run_until(host, mark, "SIGKILL", applied.apply(LARGER)).status == -9
        assert as_json(mailkeel(host, "plan", "--json"))["interrupted"] != []
        assert mailkeel(host, "status").status == 3
        completed = mailkeel(host, *next_run)
        assert completed.status == status, said(completed)
        _is_unchanged(was, host)
        assert as_json(mailkeel(host, "plan", "--json"))["interrupted"] == []
        _delivers(host)

    def test_the_power_fails(self, applied: Installed) -> None:
        host = applied.host
        was, history = snapshot(host), transactions(host)
        host.sh(f"setsid {' '.join(applied.apply(LARGER))} >/dev/null 2>&1 &")
        begun = f"cd {JOURNALS}; grep -l '/etc/postfix/mailkeel/aliases' $(ls | tail -n 1)/journal.jsonl"
        assert wait_until(lambda: len(_folders(host)) > len(history), 60)
        assert wait_until(lambda: host.sh(begun, check=False).status == 0, 60)
        host.kill()
        host.boot()
        (cut_off,) = as_json(mailkeel(host, "plan", "--json"))["interrupted"]
        assert mailkeel(host, "apply", "--yes").status == 0
        assert {entry["id"]: entry["outcome"] for entry in transactions(host)}[cut_off] == "rolled back"
        _is_unchanged(was, host)
        _delivers(host)

    def test_a_full_disk_under_the_configuration(self, applied: Installed) -> None:
        """The tables' folder is a file system of its own, without a free page."""
        host = applied.host
        folder = "/etc/postfix/mailkeel"
        host.sh(
            f"cp -a {folder} /root/tables && mount -t tmpfs -o size=128k,mode=755 tmpfs {folder}"
            f" && cp -a /root/tables/. {folder} && ! cat /dev/zero >{folder}/filler 2>/dev/null"
        )
        was = snapshot(host)
        completed = mailkeel(host, "apply", LARGER, "--yes")
        assert completed.status == 1, said(completed)
        assert "No space left on device" in completed.stderr
        assert folder in completed.stderr
        assert "df -h" in completed.stderr, "what to do"
        _is_unchanged(was, host)
        host.sh(f"umount {folder} && rm -r /root/tables")
        _delivers(host)

    def test_a_full_disk_under_the_journal(self, applied: Installed) -> None:
        """Without room to note what would have to be taken back, nothing is begun."""
        host = applied.host
        folder = "/var/lib/mailkeel"
        host.sh(
            f"cp -a {folder}/proof.json /root && mount -t tmpfs -o size=1m,mode=700 tmpfs {folder}"
            f" && mv /root/proof.json {folder}"
        )
        was, pids = snapshot(host), daemon_pids(host)
        completed = mailkeel(host, "apply", LARGER, "--yes")
        assert completed.status == 1, said(completed)
        assert "No space left on device" in completed.stderr
        _is_unchanged(was, host)
        assert daemon_pids(host) == pids
        host.sh(f"umount {folder}")

    def test_of_two_at_once_one_is_refused(self, applied: Installed) -> None:
        """The first is held in the middle while the second tries; then it goes on and finishes."""
        host = applied.host
        was = snapshot(host)
        second = f"mailkeel apply {LARGER} --yes; echo status $?"
        first = run_until(host, f'"path": "{NEW_KEY}"', "SIGSTOP", applied.apply(LARGER), then=second)
        refusal = host.read(MEANWHILE)
        assert refusal.endswith("status 1\n"), refusal
        assert "another mailkeel is changing this host" in refusal
        assert first.status == 0, said(first)
        assert mailkeel(host, "plan", LARGER).status == 0
        assert mailkeel(host, "undo", "--yes").status == 0
        assert was.differences(snapshot(host), *PASSING, f"{NEW_KEY}(/.*)?") == []


class TestOnABareHost:
    @pytest.fixture(scope="class")
    def bare(self, lab: Lab, checkout_on: Callable[[LabHost], str]) -> Iterator[Installed]:
        """A bare host on which only the launcher's libraries are installed."""
        with lab.host("bare", bare_root("trixie")) as host:
            checkout = checkout_on(host)
            assert from_checkout(host, checkout, "./mailkeel", "--version").status == 0
            yield Installed(host, checkout)

    def test_a_port_in_use_is_refused_before_anything_is_installed(self, bare: Installed) -> None:
        host = bare.host
        listen = "import socket, time; s = socket.create_server(('', 25)); time.sleep(600)"
        host.sh(f'setsid python3 -c "{listen}" >/dev/null 2>&1 & echo $! >/run/holder')
        assert wait_until(lambda: ":0019 " in host.read("/proc/net/tcp"), 10)
        was = snapshot(host)
        completed = from_checkout(host, bare.checkout, *bare.apply())
        assert completed.status == 1, said(completed)
        assert "port 25 is held by python3" in completed.stderr
        assert host.read("/run/holder").strip() in completed.stderr, "the process id"
        _is_unchanged(was, host)
        host.sh("kill $(cat /run/holder)")

    def test_killed_during_the_installation_the_next_run_says_so_and_finishes(self, bare: Installed) -> None:
        """apt and dpkg may still be at work when the next run begins."""
        host = bare.host
        assert run_until(host, "/usr/sbin/postconf", "SIGKILL", bare.apply()).status == -9
        plan = from_checkout(host, bare.checkout, "./mailkeel", "plan", SPEC, "--json")
        assert len(as_json(plan)["interrupted"]) == 1
        completed = from_checkout(host, bare.checkout, *bare.apply())
        assert completed.status == 0, said(completed)
        assert "had been cut off: taken back" in completed.stderr
        assert mailkeel(host, "plan").status == 0
        assert host.run(["dpkg", "--audit"]).stdout == ""
        assert not host.sh("ls /usr/sbin/policy-rc.d", check=False).stdout
        _delivers(host)


def _troubles(host: LabHost) -> str:
    """What the service manager says of its units, for a failure's message."""
    script = "systemctl list-units --all --state=failed,inactive '*.service'; journalctl --no-pager -n 60"
    return host.sh(script).stdout


def _folders(host: LabHost) -> list[str]:
    return host.run(["ls", JOURNALS]).stdout.split()


def _delivers(host: LabHost) -> None:
    """Mail to an account of the host still arrives: the daemons run, on the configuration that is there."""
    assert host.run(["mailkeel", "prove", "--only", "M2", "--only", "A2"], timeout=60).status == 0
