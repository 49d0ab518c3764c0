"""What apt and dpkg say, read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mailkeel.errors import HostError
from mailkeel.host import packages
from mailkeel.host.interface import AptPlan, Completed
from mailkeel.resources import Package

SIMULATED = """\
NOTE: This is only a simulation!
Reading package lists...
The following packages will be REMOVED:
  exim4-daemon-light
Remv exim4-daemon-light [4.96-15+deb12u7] [bsd-mailx:amd64 ]
Inst libicu72 (72.1-3+deb12u1 Debian:12.15/oldstable [amd64]) []
Inst postfix (3.7.11-0+deb12u1 Debian:12.15/oldstable [amd64])
Inst openssl [3.0.19-1] (3.0.20-1 Debian-Security:12/oldstable-security [amd64])
Conf libicu72 (72.1-3+deb12u1 Debian:12.15/oldstable [amd64])
Conf postfix (3.7.11-0+deb12u1 Debian:12.15/oldstable [amd64])
Installing things is not an Inst line
"""


class Shell:
    """Answers commands with canned words, in place of `run` and `stream`, and keeps what was asked."""

    def __init__(self, **answers: str | Completed) -> None:
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, argv: Sequence[str], *_: object, **options: object) -> Completed:
        self.asked.append(tuple(argv))
        words = [word for word in argv if word in self.answers] or [argv[0].replace("-", "_")]
        answer = self.answers.get(words[0], "")
        done = answer if isinstance(answer, Completed) else Completed(tuple(argv), 0, answer)
        if options.get("check") and done.status:
            raise packages.failed(done)
        return done


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The one that the module under test uses."""
    fake = Shell()
    monkeypatch.setattr(packages, "run", fake)
    monkeypatch.setattr(packages, "stream", fake)
    monkeypatch.setattr(packages, "glob", lambda _: ["a list"])
    return fake


def test_only_what_is_configured_counts_as_installed(shell: Shell) -> None:
    """Neither a half-installed one nor one with its configuration left."""
    shell.answers["dpkg_query"] = (
        "postfix ii \nopendkim iU \nexim4 rc \nrsyslog un \nlogrotate hi \nlibc6 ii \n"
        "broken iF \nreinst iiR\n"
    )
    assert packages.installed(["postfix", "opendkim"]) == {"postfix", "libc6", "logrotate"}
    assert packages.installed([]) == frozenset()
    assert len(shell.asked) == 1


def test_a_simulation_tells_what_comes_new_and_what_goes(shell: Shell) -> None:
    """An upgrade of what is there is no new package: taking it back must not purge it."""
    shell.answers["install"] = SIMULATED
    assert packages.apt_plan(["postfix"]) == AptPlan(("libicu72", "postfix"), ("exim4-daemon-light",))
    assert shell.asked[0][:2] == ("apt-get", "-s")


def test_lists_that_do_not_do_are_fetched_once(shell: Shell) -> None:
    """Then the error is apt's own."""
    shell.answers["install"] = Completed((), 100, "", "E: Unable to locate package postfix")
    with pytest.raises(HostError, match="Unable to locate package postfix"):
        packages.apt_plan(["postfix"])
    assert [argv[1] if argv[1] != "-q" else argv[-1] for argv in shell.asked] == ["-s", "update", "-s"]


def test_answers_are_set_before_one_call_of_apt(shell: Shell) -> None:
    """Without recommendations, keeping the person's configuration files."""
    wanted = [
        Package("postfix", "", ("postfix postfix/mailname string example.com",)),
        Package("rsyslog", ""),
    ]
    packages.install(wanted, lambda _: None)
    assert [argv[0] for argv in shell.asked] == ["debconf-set-selections", "apt-get"]
    assert shell.asked[1][-2:] == ("postfix", "rsyslog")
    assert {"--no-install-recommends", "Dpkg::Options::=--force-confold"} <= set(shell.asked[1])


def test_a_package_that_went_from_the_mirror_is_looked_for_again(shell: Shell) -> None:
    """Old lists name files that are no more."""
    gone = "Err:1 http://deb.example postfix\n  404  Not Found\nE: Failed to fetch postfix.deb\n"
    shell.answers["install"] = Completed((), 100, gone)
    with pytest.raises(HostError) as caught:
        packages.install([Package("postfix", "")], lambda _: None)
    assert "E: Failed to fetch postfix.deb" in str(caught.value)
    assert "df -h" in caught.value.problems[0].remedy
    assert [argv[-1] for argv in shell.asked] == ["postfix", "update", "postfix"]


def test_progress_is_read_from_apts_status_lines() -> None:
    """README.progress-reporting of apt; what is no such line is passed over."""
    told: list[str] = []
    for line in (
        "dlstatus:1:7.9365:Retrieving file 1 of 12",
        "pmstatus:libc6:amd64:50:Configuring libc6:amd64 (amd64)",
        "pmstatus:postfix:83.3333:Unpacking postfix (amd64): part 2",
        "pmerror:postfix:90:something",
        "media-change: CD",
        "pmstatus:short",
        "",
    ):
        packages._report(line, told.append)
    assert told == [
        "  8 % Retrieving file 1 of 12",
        " 50 % Configuring libc6:amd64 (amd64)",
        " 83 % Unpacking postfix (amd64): part 2",
    ]


def test_a_purge_takes_nothing_else_along(shell: Shell) -> None:
    """What needs the package is somebody's: refused, with the names."""
    shell.answers["dpkg_query"] = "postfix ii \nmailutils ii \n"
    shell.answers["-s"] = "Purg postfix [3.7]\nPurg mailutils [3.15]\nRemv nullmailer [1]\n"
    with pytest.raises(HostError, match="nullmailer need what would be removed"):
        packages.purge(["postfix", "mailutils"])
    shell.answers["-s"] = "Purg postfix [3.7]\nPurg mailutils [3.15]\n"
    packages.purge(["postfix", "mailutils"])
    assert shell.asked[-1][-3:] == ("purge", "mailutils", "postfix")


def test_a_purge_takes_half_installed_packages_and_left_over_configuration(shell: Shell) -> None:
    """And asks apt for nothing where there is nothing."""
    shell.answers["dpkg_query"] = "postfix iF \nopendkim rc \nrsyslog un \nabsent pn \n"
    packages.purge(["postfix", "opendkim", "rsyslog", "absent"])
    assert shell.asked[0] == ("dpkg", "--configure", "-a")
    assert shell.asked[-1][-3:] == ("purge", "opendkim", "postfix")
    shell.answers["dpkg_query"] = ""
    shell.asked.clear()
    packages.purge(["postfix"])
    assert [argv[0] for argv in shell.asked] == ["dpkg", "dpkg-query"]
