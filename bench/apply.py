"""`mailkeel apply`: what it takes beyond apt's own time."""

from __future__ import annotations

import itertools
import json
from typing import Any

import attrs

from bench import roots
from bench.driver import timed
from bench.figures import Goal, median, spread
from bench.tables import Table
from mailkeel import daemons
from mailkeel.facts import HostFacts
from mailkeel.lab.lab import Lab
from mailkeel.spec.reader import read

GOAL_SECONDS = Goal(5.0)
#: A round takes two minutes.
MAX_ROUNDS = 3
_APPLY = [f"{roots.CHECKOUT}/mailkeel", "apply", f"{roots.CHECKOUT}/examples/local.toml", "--yes", "--json"]
_NUMBERS = {name: number for number, name in daemons.RELEASES.items()}

_NOTE = f"""\
Seconds of wall time, a fresh host each time, one domain, its RSA-2048 key made on the way. The host's
resolver is a BIND on the loopback with an empty root zone: it answers at once that nothing exists.
Packages come from apt's cache. "beyond apt" on the bare host is the whole `apply` less one
`apt-get install` of the same packages. At most {MAX_ROUNDS} rounds."""


@attrs.frozen
class Applied:
    """One `apply`, in seconds. `slowest` is the criterion of the proof that took longest, and how long."""

    whole: float
    transaction: float
    slowest: tuple[str, float]


def measure(release: str, rounds: int) -> Table:
    """Packages there already; then a bare host, and apt alone beside it: all three in each round."""
    ready: list[Applied] = []
    bare: list[Applied] = []
    apt: list[float] = []
    for _ in range(min(rounds, MAX_ROUNDS)):
        ready.append(_apply(release, is_bare=False))
        apt.append(_apt_alone(release))
        bare.append(_apply(release, is_bare=True))
    beyond = [one.whole - alone for one, alone in zip(bare, apt, strict=True)]
    rows = (
        _row("packages installed: whole apply", [one.whole for one in ready], GOAL_SECONDS),
        _row("... its transaction", [one.transaction for one in ready]),
        _row(f"... its slowest proof, {_slowest(ready)}", [one.slowest[1] for one in ready]),
        _row("... without that proof", [one.whole - one.slowest[1] for one in ready]),
        _row("bare host: apt alone", apt),
        _row("bare host: whole apply", [one.whole for one in bare]),
        _row("bare host: beyond apt", beyond, GOAL_SECONDS),
    )
    return Table("mailkeel apply", _NOTE, ("what", "s", "range", "goal"), rows)


def _apply(release: str, *, is_bare: bool) -> Applied:
    root = roots.resolver_root(release) if is_bare else roots.installed_root(release)
    with Lab() as lab:
        host = lab.host("apply", root, hostname=roots.HOSTNAME)
        roots.copy_checkout(host)
        seconds, printed = timed(host, _APPLY)
        document = json.loads(printed)
        folder = f"/var/lib/mailkeel/transactions/{document['transaction']}"
        events = [json.loads(line) for line in host.read(f"{folder}/journal.jsonl").splitlines()]
    times = {event["event"]: event["time"] for event in events}
    return Applied(seconds, times["committed"] - times["opened"], slowest(document["criteria"]))


def slowest(criteria: list[dict[str, Any]]) -> tuple[str, float]:
    """The criterion that took longest, and its seconds: each says when (`at`) it had been looked at."""
    at = [one["evidence"]["at"] for one in criteria]
    lasted = [later - earlier for earlier, later in itertools.pairwise(at)]
    seconds = max(lasted)
    return criteria[lasted.index(seconds) + 1]["id"], seconds


def _slowest(applied: list[Applied]) -> str:
    return "/".join(sorted({one.slowest[0] for one in applied}))


def _apt_alone(release: str) -> float:
    """One apt call for what mailkeel installs on a bare host, questions answered beforehand."""
    spec = read((roots.REPOSITORY / "examples/local.toml").read_text())
    packages = daemons.desired(spec, HostFacts(debian=_NUMBERS[release])).packages
    with Lab() as lab:
        host = lab.host("apt", roots.resolver_root(release), hostname=roots.HOSTNAME)
        answers = "".join(f"{line}\n" for package in packages for line in package.preseed)
        host.run(["debconf-set-selections"], input=answers)
        names = sorted({package.name for package in packages})
        return timed(host, ["apt-get", "-y", "-q", "--no-install-recommends", "install", *names])[0]


def _row(what: str, seconds: list[float], goal: Goal | None = None) -> tuple[str, ...]:
    middle = median(seconds)
    return what, f"{middle:.1f}", spread(seconds, 1), goal.verdict(middle) if goal else ""
