"""Whatever happens at whatever moment: all of a transaction, or nothing of it."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
from worlds import (
    CONVERGED,
    NOTHING,
    PERSON,
    STOCK,
    WORLDS,
    Trap,
    World,
    comparable,
    difference,
    disarm,
    moments,
    plan_of,
    reboot,
)

from fake_debian import nobody
from mailkeel.engine import journal, transaction
from mailkeel.engine.journal import Outcome
from mailkeel.errors import HostError, Problem, RolledBack
from mailkeel.host.fake import Crash, FakeHost, State


@attrs.frozen
class Work:
    """Something that changes a host: how to come by the host, and what to do to it."""

    host: Callable[[], FakeHost]
    do: Callable[[FakeHost], object]


@attrs.frozen
class Expected:
    """The states that a host may end in, and the transactions that it had before."""

    before: State
    after: State
    ids: frozenset[str]

    def check(self, host: FakeHost, where: str) -> None:
        """Nothing is half done, and nothing is left to be taken back."""
        new = [record for record in journal.read_all(host) if record.id not in self.ids]
        is_done = any(record.outcome is Outcome.COMMITTED for record in new)
        wrong = difference(self.after if is_done else self.before, comparable(host.snapshot()))
        assert not wrong, f"{where}, {'done' if is_done else 'not done'}:\n{wrong}"
        assert not transaction.interrupted(host), where


def applying(world: World) -> Work:
    """`apply`, its plan made beforehand."""
    plan = plan_of(world)
    return Work(world.host, lambda host: transaction.apply(host, plan, lambda: plan, "a test", nobody))


def undoing(world: World) -> Work:
    """`undo` of the world's last transaction."""
    apply = applying(world)

    def applied() -> FakeHost:
        host = apply.host()
        apply.do(host)
        host.clock += 60
        return host

    state = applied().snapshot()

    def again() -> FakeHost:
        host = world.host()
        host.state = state.copy()
        host.clock += 60
        return host

    return Work(again, lambda host: transaction.undo(host, list(journal.read_all(host))[-1:], "undo", nobody))


def expected(work: Work) -> Expected:
    """What `work` starts from and ends in, where nothing disturbs it."""
    host = work.host()
    before, ids = comparable(host.snapshot()), frozenset(record.id for record in journal.read_all(host))
    work.do(host)
    return Expected(before, comparable(host.snapshot()), ids)


def crashed(work: Work, at: int) -> tuple[FakeHost, str]:
    """A host that died at a moment of the work, and what that moment was."""
    host = work.host()
    trap = Trap(at, Crash).arm(host)
    with pytest.raises(Crash):
        work.do(host)
    disarm(host)
    return host, trap.where


def recover(host: FakeHost) -> None:
    """What the next run does first."""
    transaction.recover(host, nobody)


BOTH = [
    pytest.param(way, world, id=f"{way.__name__}-{world}") for way in (applying, undoing) for world in WORLDS
]


@pytest.mark.parametrize(("way", "world"), BOTH)
def test_a_crash_at_any_moment_is_taken_back(way: Callable[[World], Work], world: World) -> None:
    """The next run brings back the state before, unless all was done."""
    work = way(world)
    states = expected(work)
    for at in range(1, moments(work.host(), work.do) + 1):
        host, where = crashed(work, at)
        recover(host)
        states.check(host, f"crash {where}")


@pytest.mark.parametrize("world", [NOTHING, STOCK, CONVERGED], ids=str)
def test_a_machine_that_reboots_in_between_is_taken_back(world: World) -> None:
    """Enabled services then run with whatever was there; afterwards they are as before."""
    work = applying(world)
    states = expected(work)
    for at in range(1, moments(work.host(), work.do) + 1, 5):
        host, where = crashed(work, at)
        reboot(host)
        recover(host)
        states.check(host, f"reboot {where}")


@pytest.mark.parametrize(("way", "world"), BOTH)
def test_a_crash_while_a_crash_is_taken_back(way: Callable[[World], Work], world: World) -> None:
    """Taking back can itself be cut off at any moment, and goes on from there."""
    work = way(world)
    states = expected(work)
    count = moments(work.host(), work.do)
    for at in range(count // 12, count, max(1, count // 6)):
        host, where = crashed(work, at)
        dead = host.snapshot()
        inner = moments(host, recover)
        for second in range(1, inner + 1, 2 if inner > 150 else 1):
            host.state = dead.copy()
            trap = Trap(second, Crash).arm(host)
            with pytest.raises(Crash):
                recover(host)
            disarm(host)
            recover(host)
            states.check(host, f"crash {where}, then {trap.where}")


@pytest.mark.parametrize(("way", "world"), BOTH)
def test_an_operation_that_fails_is_taken_back_at_once(way: Callable[[World], Work], world: World) -> None:
    """A full disk at any moment: the state before, mode and owner, links, packages and services included."""
    work = way(world)
    states = expected(work)
    for at in range(1, moments(work.host(), work.do) + 1):
        host = work.host()
        problem = Problem("/", "No space left on device", "make room")
        trap = Trap(at, lambda problem=problem: HostError(problem)).arm(host)
        told: tuple[Problem, ...] = ()
        try:
            work.do(host)
        except (RolledBack, HostError) as error:  # HostError: before the transaction began
            told = error.problems
        disarm(host)
        new = [record.outcome for record in journal.read_all(host) if record.id not in states.ids]
        is_applied = new == [Outcome.COMMITTED]
        assert told == (() if is_applied else (problem,)), trap.where
        states.check(host, f"failure {trap.where}")


@pytest.mark.parametrize("world", [STOCK, PERSON], ids=str)
def test_ctrl_c_at_any_moment_takes_everything_back(world: World) -> None:
    """It is an error like others."""
    work = applying(world)
    states = expected(work)
    for at in range(1, moments(work.host(), work.do) + 1, 3):
        host = work.host()
        trap = Trap(at, KeyboardInterrupt).arm(host)
        with pytest.raises((RolledBack, KeyboardInterrupt)):
            work.do(host)
        disarm(host)
        recover(host)
        states.check(host, f"Ctrl-C {trap.where}")
