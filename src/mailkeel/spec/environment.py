"""Environment variables for an unattended first boot: they say what the file would, and win over it.

An empty variable counts as absent. `MAILKEEL_DOMAINS` says which domains there are; one that the file
has too keeps what the file says of it. The policies given here are the defaults of all domains. Secrets
are never taken from the environment, which `/proc` and every child process show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import attrs

from mailkeel.errors import Problem
from mailkeel.spec.kinds import nearest
from mailkeel.spec.names import Invalid, domain_name, shown
from mailkeel.spec.tables import MISSING

PREFIX = "MAILKEEL_"
NOT_OURS = frozenset({"MAILKEEL_SPEC", "MAILKEEL_DEBUG"})  # read by the command line

_SECRET = re.compile(r"PASS|SECRET|TOKEN|CREDENTIAL|API_?KEY|PRIVATE_?KEY", re.IGNORECASE)
_ITEM = re.compile(r"\[[0-9]+\](?:\.name)?\Z")


def _as_it_is(text: str) -> object:
    return text


def _whole_number(text: str) -> object:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Invalid(f"{shown(text)} is not a whole number", "use digits only")
    return int(text)


def _list(text: str) -> object:
    entries = [entry for entry in re.split(r"[,\s]+", text) if entry]
    if not entries:
        raise Invalid("names nothing", "separate entries by commas or blanks")
    return entries


def _secret_path(text: str) -> object:
    if not text.startswith("/"):
        raise Invalid("is not an absolute path", "write user:password to a root-only file and give its path")
    return text


@attrs.frozen
class Variable:
    """A variable: the key that it stands for, and how its text becomes the key's value."""

    path: tuple[str, ...]
    example: str
    convert: Callable[[str], object] = _as_it_is


VARIABLES: Mapping[str, Variable] = {
    "MAILKEEL_MODE": Variable(("mode",), "local"),
    "MAILKEEL_HOSTNAME": Variable(("hostname",), "mail.example.com"),
    "MAILKEEL_DOMAINS": Variable(("domain",), "example.com,example.org", _list),
    "MAILKEEL_ADMIN": Variable(("admin",), "alice"),
    "MAILKEEL_SPF_POLICY": Variable(("spf", "policy"), "v=spf1 a mx -all"),
    "MAILKEEL_DKIM_SELECTOR": Variable(("dkim", "selector"), "default"),
    "MAILKEEL_DMARC_POLICY": Variable(("dmarc", "policy"), "none"),
    "MAILKEEL_DMARC_RUA": Variable(("dmarc", "rua"), "dmarc@example.com", _list),
    "MAILKEEL_RELAY_HOST": Variable(("relay", "host"), "smtp.example.net"),
    "MAILKEEL_RELAY_PORT": Variable(("relay", "port"), "587", _whole_number),
    "MAILKEEL_RELAY_CREDENTIALS_FILE": Variable(
        ("relay", "credentials"), "/etc/mailkeel/relay.secret", _secret_path
    ),
}


@attrs.frozen
class Overlay:
    """A document with the environment laid over it, and what was wrong with the environment itself.
    `names` maps the place of a key to the variable that gave it, or that would have had to."""

    document: Mapping[str, object]
    names: Mapping[str, str] = {}
    problems: tuple[Problem, ...] = ()

    def located(self, problem: Problem) -> Problem:
        """Move a problem to the variable that its value came from."""
        name = self.names.get(_ITEM.sub("", problem.where))
        if name is None:
            return problem
        if problem.what == MISSING:
            remedy = f"set it, for example to {VARIABLES[name].example}"
            return Problem(f"${name}", "is not set", remedy, problem.prevention)
        return attrs.evolve(problem, where=f"${name}")


def from_environment(environ: Mapping[str, str]) -> bool:
    """Does the environment say anything that a specification would?"""
    return any(environ.get(name, "").strip() for name in VARIABLES)


def overlay(document: Mapping[str, object], environ: Mapping[str, str], *, has_file: bool = True) -> Overlay:
    """Lay the environment over a document. Without a file, what is missing is a variable's absence."""
    problems = list(_unknown(environ))
    names = {} if has_file else {".".join(variable.path): name for name, variable in VARIABLES.items()}
    for name, variable in VARIABLES.items():
        text = environ.get(name, "").strip()
        if not text:
            continue
        try:
            value = variable.convert(text)
        except Invalid as error:
            problems.append(Problem(f"${name}", error.what, error.remedy))
            continue
        if name == "MAILKEEL_DOMAINS":
            value = _domain_tables(value, document.get("domain"))
        document = _with(document, variable.path, value)
        names[".".join(variable.path)] = name
    return Overlay(document, names, tuple(problems))


def _unknown(environ: Mapping[str, str]) -> Iterable[Problem]:
    """Problems of variables that start like ours but are not. Their values are never looked at."""
    for name in environ:
        if not name.startswith(PREFIX) or name in VARIABLES or name in NOT_OURS:
            continue
        where = f"${name}" if re.fullmatch(r"[A-Z0-9_]{1,60}", name) else f"${shown(name)}"
        if _SECRET.search(name[:200]):
            remedy = (
                "write user:password to a root-only file, and its path to MAILKEEL_RELAY_CREDENTIALS_FILE"
            )
            yield Problem(where, "a secret does not belong in the environment", remedy)
        else:
            near = nearest(name.removeprefix(PREFIX), [known.removeprefix(PREFIX) for known in VARIABLES])
            remedy = (
                f"did you mean {PREFIX}{near}?" if near else f"unset it; known are {', '.join(VARIABLES)}"
            )
            yield Problem(where, "is not a known variable", remedy)


def _with(table: Mapping[str, object], path: tuple[str, ...], value: object) -> dict[str, object]:
    """A copy of a document in which one key has another value."""
    if len(path) == 1:
        return {**table, path[0]: value}
    inner = table.get(path[0])
    return {**table, path[0]: _with(inner if isinstance(inner, dict) else {}, path[1:], value)}


def _domain_tables(wanted: object, written: object) -> list[object]:
    """`[[domain]]` tables for the names wanted, each as the file has it where it does."""
    tables = written if isinstance(written, list) else []
    known = {
        _compared(table["name"]): table for table in tables if isinstance(table, dict) and "name" in table
    }
    names = wanted if isinstance(wanted, list) else []
    return [{**known.get(_compared(name), {}), "name": name} for name in names]


def _compared(name: object) -> str:
    """A form in which two spellings of one domain are equal."""
    try:
        return domain_name(str(name))
    except Invalid:
        return str(name)
