"""The reader: the only place that makes a `Spec` from text.

All errors are told at once, in the order of the file. Whatever the bytes are, what comes out is a
`Spec` or a `SpecError`; and no text in a `Spec` holds a control character, quote, backslash or `$`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from mailkeel.errors import Problem, SpecError
from mailkeel.spec.draft import Draft
from mailkeel.spec.environment import Overlay, from_environment, overlay
from mailkeel.spec.layout import FILE
from mailkeel.spec.model import Spec
from mailkeel.spec.rules import broken_rules, effective_domains, specification
from mailkeel.spec.source import parse, read_file
from mailkeel.spec.tables import place

DEFAULT_PATH = "/etc/mailkeel/mail.toml"

_NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})
_DEPTH = 5  # domain[0].dmarc.rua[0] is the deepest place


def read(text: str, where: str = "mail.toml") -> Spec:
    """Read a specification. `where` names the text in syntax errors. Raises SpecError with every problem."""
    return _spec(Overlay(parse(text, where)))


def load(path: str | None, environ: Mapping[str, str] = _NO_ENVIRONMENT) -> Spec:
    """Read a specification from a file with the environment laid over it, or, without a path, from the
    environment alone. Never writes. Raises SpecError with every problem."""
    if path is not None:
        return _spec(overlay(parse(read_file(path), path), environ))
    if not from_environment(environ):
        what = "there is neither a file nor a variable that says what you want"
        raise SpecError(
            Problem(DEFAULT_PATH, what, "run `mailkeel init`, or set MAILKEEL_MODE and MAILKEEL_DOMAINS")
        )
    return _spec(overlay({}, environ, has_file=False))


def _spec(source: Overlay) -> Spec:
    problems: list[Problem] = []
    draft = FILE.read(source.document, "", problems) or Draft()
    told = {problem.where for problem in problems}
    domains = effective_domains(draft)
    problems += [problem for problem in broken_rules(draft, domains) if problem.where not in told]
    if problems or source.problems or draft.mode is None:
        in_order = _in_file_order(problems, source.document)
        told = {problem.where for problem in source.problems}
        located = (source.located(problem) for problem in in_order)
        raise SpecError(*source.problems, *(problem for problem in located if problem.where not in told))
    return specification(draft, draft.mode, tuple(domain for domain in domains if domain))


def _in_file_order(problems: Iterable[Problem], document: Mapping[str, object]) -> list[Problem]:
    """Sort by the order of keys in the file. What is missing stands where its table starts."""
    ranks = {where: rank for rank, where in enumerate(_places(document, "", _DEPTH))}
    return sorted(problems, key=lambda problem: _rank(problem.where, ranks))


def _rank(where: str, ranks: Mapping[str, int]) -> int:
    """The rank of a place, or of the innermost table around it that the file has."""
    while where and where not in ranks:
        where = where[: max(where.rfind("."), where.rfind("["), 0)]
    return ranks.get(where, -1)


def _places(value: object, where: str, depth: int) -> Iterator[str]:
    """Every place of a document down to a depth, in order."""
    if where:
        yield where
    if depth and isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _places(inner, place(where, key), depth - 1)
    elif depth and isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, f"{where}[{index}]", depth - 1)
