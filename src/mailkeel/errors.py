"""What mailkeel says when something is wrong: always place, problem and remedy."""

from __future__ import annotations

from collections.abc import Iterable

import attrs


@attrs.frozen
class Problem:
    """One thing that is wrong.

    `where` is a place that a person can open or name: `domain[1].dkim.bits`, a path with a line, a
    command, a DNS name. `remedy` says what to do now; `prevention` how not to meet it again.
    """

    where: str
    what: str
    remedy: str
    prevention: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


class MailkeelError(Exception):
    """Base of every error that is meant for a person: carries one or more `Problem`s, never a secret."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems: tuple[Problem, ...] = problems

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> MailkeelError:
        """Build from any iterable of problems; the order is kept."""
        return cls(*problems)


class SpecError(MailkeelError):
    """The specification is wrong. Carries all its problems at once."""


class HostError(MailkeelError):
    """A command, file or service of the host did not do what was asked."""


class Refused(MailkeelError):
    """Nothing was changed, because going on would not have been safe."""


class RolledBack(MailkeelError):
    """A transaction failed and the host was brought back to the state before it."""
