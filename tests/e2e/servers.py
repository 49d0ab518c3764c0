"""What the tests on hosts share: running `mailkeel`, seeing all that a host is, and cutting a run off."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from mailkeel.lab.commands import Completed
from mailkeel.lab.hosts import LabHost

#: Installing takes most of it; each step below that has limits of its own.
APPLY_SECONDS = 300
JOURNALS = "/var/lib/mailkeel/transactions"
LOG = "/var/log/firstboot/9-mail_config.log"
PRIVATE_KEY = "/etc/opendkim/keys/example.com/default.private"

#: The programs that keep running, by the name that the kernel has of them.
DAEMONS = ("dovecot", "master", "opendkim", "opendmarc", "rsyslogd")


def mailkeel(host: LabHost, *arguments: str, env: Mapping[str, str] | None = None) -> Completed:
    """Run the installed command; its exit status is the caller's to judge."""
    return _without_traceback(host.run(["mailkeel", *arguments], check=False, timeout=APPLY_SECONDS, env=env))


def from_checkout(
    host: LabHost, checkout: str, *words: str, env: Mapping[str, str] | None = None
) -> Completed:
    """Run a command of the checkout as a person does: from its folder."""
    script = 'cd "$0" && exec "$@"'
    return _without_traceback(
        host.run(["sh", "-c", script, checkout, *words], check=False, timeout=APPLY_SECONDS, env=env)
    )


def as_json(completed: Completed) -> Any:
    """What a command printed, as values."""
    return json.loads(completed.stdout)


def said(completed: Completed) -> str:
    """Both streams, for an assertion's message."""
    return f"{completed.argv} -> {completed.status}\n{completed.stdout}\n{completed.stderr}"


def _without_traceback(completed: Completed) -> Completed:
    """Whatever happens, a person sees no traceback and hears of no defect."""
    for words in ("Traceback", "a defect of mailkeel's own"):
        assert words not in completed.stdout + completed.stderr, said(completed)
    return completed


@attrs.frozen
class Snapshot:
    """All that a host is: `paths` maps each path to kind, mode, owner, and target or hash of the content.

    `accounts` are the lines of passwd and group, `packages` all that dpkg knows with its state, `daemons`
    the names of the processes that run by themselves, `failed_units` systemd's.
    """

    paths: Mapping[str, str]
    accounts: frozenset[str]
    packages: frozenset[str]
    daemons: frozenset[str]
    failed_units: tuple[str, ...]

    def differences(self, later: Snapshot, *explained: str) -> list[str]:
        """Each path that is not as it was, less those that match a regular expression."""
        names = sorted(self.paths.keys() | later.paths.keys())
        pairs = ((name, self.paths.get(name, "absent"), later.paths.get(name, "absent")) for name in names)
        return [
            f"{name}: {old} -> {new}"
            for name, old, new in pairs
            if old != new and not any(re.fullmatch(pattern, name) for pattern in explained)
        ]


def snapshot(host: LabHost) -> Snapshot:
    """Look at a host. Log files and what belongs to apt, dpkg and the kernel are left out."""
    seen = json.loads(host.run(["python3", "-I", "-c", _LOOK]).stdout)
    failed = host.failed_units() if host.has_systemd else ()
    return Snapshot(
        seen["paths"],
        frozenset(seen["accounts"]),
        frozenset(seen["packages"]),
        frozenset(seen["daemons"]),
        failed,
    )


_LOOK = r"""
import grp, hashlib, json, os, pwd, stat, subprocess
ROOTS = ["/etc", "/home", "/opt", "/root", "/srv", "/tmp", "/usr/local", "/usr/sbin/policy-rc.d",
         "/var/lib", "/var/mail", "/var/spool"]
# apt's and dpkg's own books; mailkeel's journal; the checkout; what systemd notes of itself.
LEFT_OUT = {"/var/lib/apt", "/var/lib/dpkg", "/var/lib/mailkeel", "/var/lib/systemd", "/root/mailkeel"}
def name_of(look_up, number):
    try:
        return look_up(number)[0]
    except KeyError:
        return str(number)
def describe(path):
    state = os.lstat(path)
    owner = f"{name_of(pwd.getpwuid, state.st_uid)}:{name_of(grp.getgrgid, state.st_gid)}"
    words = f"{stat.filemode(state.st_mode)} {owner}"
    if stat.S_ISLNK(state.st_mode):
        return f"{words} -> {os.readlink(path)}"
    if stat.S_ISREG(state.st_mode):
        with open(path, "rb") as file:
            return f"{words} {hashlib.sha256(file.read()).hexdigest()[:16]}"
    return words
def walk(path):
    if path in LEFT_OUT or not os.path.lexists(path):
        return
    yield path
    if os.path.isdir(path) and not os.path.islink(path):
        for name in sorted(os.listdir(path)):
            yield from walk(f"{path}/{name}")
def daemons():
    # Whose parent is process 1; this look itself was started from outside.
    for folder in os.listdir("/proc"):
        try:
            name, _, rest = open(f"/proc/{folder}/stat").read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if rest.split()[1] == "1":
            yield name
shown = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n"],
                       capture_output=True, text=True, check=True).stdout
print(json.dumps({
    "paths": {path: describe(path) for root in ROOTS for path in walk(root)},
    "accounts": [line.rstrip("\n") for book in ("/etc/passwd", "/etc/group") for line in open(book)],
    "packages": [line.strip() for line in shown.splitlines()],
    "daemons": sorted(set(daemons())),
}))
"""


def daemon_pids(host: LabHost) -> dict[str, str]:
    """The process of each daemon, and of Postfix what it says itself."""
    listing = host.run(["ps", "-eo", "pid=,ppid=,comm="]).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    found = {comm: pid for pid, parent, comm in rows if comm in DAEMONS and parent in ("0", "1")}
    return {**found, "master.pid": host.read("/var/spool/postfix/pid/master.pid").strip()}


def transactions(host: LabHost) -> list[dict[str, Any]]:
    """All transactions, the oldest first, as `mailkeel history` has them."""
    completed = mailkeel(host, "history", "--json")
    assert completed.status == 0, said(completed)
    history: list[dict[str, Any]] = as_json(completed)
    return history


def verdicts(proof: Mapping[str, Any]) -> dict[str, str]:
    """Each criterion's verdict."""
    return {criterion["id"]: criterion["verdict"] for criterion in proof["criteria"]}


def run_until(host: LabHost, mark: str, signal: str, words: Sequence[str], then: str = "") -> Completed:
    """Start `words` on the host, and send `signal` to that process as soon as the mark has come: a text in
    a journal of its, or a path.

    Then run the shell command `then`, let the process go on, and wait for its end: the result has its
    exit status, negative for a signal, and its output. What `then` printed is in the file MEANWHILE.
    """
    completed = host.run(
        ["python3", "-I", "-c", _RUN_UNTIL, mark, signal, then, *words], check=False, timeout=APPLY_SECONDS
    )
    assert completed.status == 0, said(completed)
    assert "the mark never came" not in completed.stderr, said(completed)
    outcome = json.loads(completed.stdout)
    ended = Completed(tuple(words), outcome["status"], outcome["stdout"], outcome["stderr"])
    return _without_traceback(ended)


MEANWHILE = "/run/meanwhile"

_RUN_UNTIL = f"""
import glob, json, os, signal, subprocess, sys, time
mark, number, then, words = sys.argv[1], getattr(signal, sys.argv[2]), sys.argv[3], sys.argv[4:]
def journals():
    return {{path: open(path, "rb").read() for path in glob.glob("{JOURNALS}/*/journal.jsonl")}}
before = journals()
def has_come():
    if mark.startswith("/"):
        return os.path.exists(mark)
    return any(mark.encode() in text[len(before.get(path, b"")):] for path, text in journals().items())
with open("/run/out", "w+b") as out, open("/run/err", "w+b") as err:
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    end = time.monotonic() + 200
    while not has_come() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.001)
    if process.poll() is None and has_come():
        process.send_signal(number)
    else:
        process.kill()
        print("the mark never came", file=sys.stderr)
    if then:
        with open("{MEANWHILE}", "wb") as meanwhile:
            subprocess.run(["sh", "-c", then], stdin=subprocess.DEVNULL, stdout=meanwhile, stderr=meanwhile)
    process.send_signal(signal.SIGCONT)
    process.wait(timeout=250)
    out.seek(0), err.seek(0)
    said = {{"stdout": out.read().decode(), "stderr": err.read().decode()}}
print(json.dumps({{"status": process.returncode, **said}}))
"""
