"""`mailkeel plan` where nothing is to do: what every look at a converged host costs."""

from __future__ import annotations

from bench import roots
from bench.driver import drive
from bench.figures import Goal, median, spread
from bench.tables import Table
from mailkeel.lab.hosts import LabHost
from mailkeel.lab.lab import Lab

GOAL_SECONDS = Goal(0.25)
DOMAINS = (1, 100, 1000)
_SPEC = "/root/mail.toml"
_APPLY_SECONDS = 300
#: Runs of each program in a round, one after the other.
_RUNS = 2

_NOTE = """\
Seconds of wall time of the whole command on a host that is as the specification says. For comparison, the
same 40-odd items took an Ansible playbook 15.5 s and pyinfra 2.4 s on a like machine. The last column is a
Python that starts and ends. Beyond the first domain the keys are copies of one: a plan looks at each."""


def measure(release: str, rounds: int) -> Table:
    """The command from the checkout and as installed, round by round, for each number of domains."""
    with Lab() as lab:
        host = lab.host("plan", roots.installed_root(release), hostname=roots.HOSTNAME)
        roots.copy_checkout(host)
        rows = tuple(row for count in DOMAINS for row in _rows(host, count, rounds))
    return Table(
        "mailkeel plan", _NOTE, ("domains", "program", "s", "range", "goal", "Python alone, s"), rows
    )


def _rows(host: LabHost, count: int, rounds: int) -> list[tuple[str, ...]]:
    _converge(host, count)
    programs = {
        "checkout": [f"{roots.CHECKOUT}/mailkeel", "plan", _SPEC],
        "installed": ["/usr/local/bin/mailkeel", "plan", _SPEC],
        "python": ["/usr/bin/python3", "-I", "-c", "pass"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, argv in programs.items():
            seconds[name] += drive(host, "command", _RUNS, *argv)
    floor = f"{median(seconds.pop('python')):.3f}"
    return [
        (str(count), name, f"{median(values):.3f}", spread(values), _verdict(count, values), floor)
        for name, values in seconds.items()
    ]


def _verdict(count: int, seconds: list[float]) -> str:
    return GOAL_SECONDS.verdict(median(seconds)) if count == 1 else ""


def _converge(host: LabHost, count: int) -> None:
    """Apply a specification of so many domains. All but the first get a copy of the first one's key:
    making a thousand would take minutes, and a plan looks at each in the same way."""
    names = [roots.DOMAIN, *(f"d{number:04}.{roots.DOMAIN}" for number in range(1, count))]
    host.write(_SPEC, specification(names))
    script = (
        'cd /etc/opendkim/keys; while read -r name; do mkdir -p "$name"; cp -a example.com/* "$name"; done'
    )
    if count > 1:
        host.run(["sh", "-e", "-c", script], input="".join(f"{name}\n" for name in names[1:]))
    host.run([f"{roots.CHECKOUT}/mailkeel", "apply", _SPEC, "--yes"], timeout=_APPLY_SECONDS)


def specification(names: list[str]) -> str:
    """A specification of local mode with these domains, in TOML."""
    tables = "".join(f'\n[[domain]]\nname = "{name}"\n' for name in names)
    return f'mode = "local"\nhostname = "{roots.HOSTNAME}"\nadmin = "alice"\n{tables}'
