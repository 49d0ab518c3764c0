"""Carrying out a plan as one transaction: all of it, or nothing.

Each step is journaled with what it takes to take it back, then carried out. Whatever goes wrong, and
wherever the machine stops, the steps begun are taken back in reverse order: at once, or by the next run.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mailkeel.engine import backup, journal, staging, steps
from mailkeel.engine.journal import Event, Journal, Outcome
from mailkeel.engine.plan import VERBS, Action, Change, Plan
from mailkeel.errors import HostError, MailkeelError, Problem, Refused, RolledBack
from mailkeel.host.interface import Entry, Host, Kind, Progress, Verb
from mailkeel.resources import Key, Package, Service

_HEALTH_SECONDS = 20.0

Replan = Callable[[], Plan]
Handler = Callable[[int, object], None] | signal.Handlers


def apply(host: Host, plan: Plan, replan: Replan, title: str, progress: Progress) -> str:
    """Carry the plan out; gives the transaction's id, or an empty one where there is nothing to do.

    Raises Refused if the host has changed since the plan was made or something stands in its way, and
    RolledBack if it failed and everything is as before.
    """
    with host.lock(), _signals_as_errors():
        recover(host, progress)
        if replan().fingerprint != plan.fingerprint:
            raise Refused(
                Problem("the plan", "the host has changed since it was made", "run it again and look anew")
            )
        if plan.obstacles:
            raise Refused(*(_obstacle(obstacle) for obstacle in plan.obstacles))
        if plan.is_empty:
            return ""
        record = journal.new(host)
        with _all_or_nothing(record, progress):
            record.open(title)
            record.reserve()
            _forward(record, plan, progress)
        return record.id


def undo(host: Host, records: list[Journal], title: str, progress: Progress) -> str:
    """Take committed transactions back, the newest first, as a transaction of its own.

    Raises Refused where a person has changed a file since, and RolledBack if it failed.
    """
    with host.lock(), _signals_as_errors():
        recover(host, progress)
        _refuse_drift(host, records)
        record = journal.new(host)
        with _all_or_nothing(record, progress):
            record.open(title, undoes=[old.id for old in records])
            record.reserve()
            _backward(record, records, progress)
        with contextlib.suppress(HostError):  # it is done: the next run makes up for it
            _mark_undone(host)
        return record.id


def recover(host: Host, progress: Progress) -> tuple[str, ...]:
    """Take back every transaction that was interrupted; gives their ids. The newest goes first."""
    open_ones = [record for record in journal.read_all(host) if record.outcome is Outcome.INTERRUPTED]
    for record in reversed(open_ones):
        progress(f"an interrupted transaction is taken back: {record.id}")
        _roll_back(record, progress)
    staging.clear(host)
    _mark_undone(host)
    return tuple(record.id for record in open_ones)


def interrupted(host: Host) -> tuple[str, ...]:
    """The ids of transactions that the next change will take back."""
    return tuple(record.id for record in journal.read_all(host) if record.outcome is Outcome.INTERRUPTED)


def _mark_undone(host: Host) -> None:
    """Say so in the journals of those taken back; also for an undo that was cut off right at its end."""
    records = list(journal.read_all(host))
    undone = {one for record in records if record.outcome is Outcome.COMMITTED for one in record.undoes}
    for record in records:
        if record.id in undone and record.outcome is Outcome.COMMITTED:
            record.write("undone")


@contextmanager
def _all_or_nothing(record: Journal, progress: Progress) -> Iterator[None]:
    """Commit what is done inside, or take it back and raise RolledBack."""
    try:
        yield
        record.write("committed")
    except (Exception, KeyboardInterrupt) as error:
        progress("it failed: everything is taken back")
        _roll_back(record, progress, failure=_said(error))
        raise RolledBack(*_problems(error)) from error
    with contextlib.suppress(HostError):  # it is applied, whatever becomes of the space set aside
        record.release()


def _roll_back(record: Journal, progress: Progress, failure: str = "the machine stopped") -> None:
    """Take the begun steps back, the last first. Those already taken back are known from the journal.

    Raises HostError, with the step that would not go back, and leaves the rest to the next run.
    """
    with _undisturbed():
        record.release()
        record.write("failed", error=failure)
        taken_back = sum(1 for event in record.events if event["event"] == "taken back")
        begun = record.steps()
        for step in reversed(begun[: len(begun) - taken_back]):
            _take_back(record, step, progress)
            record.write("taken back")
        record.write("rolled_back")


def _take_back(record: Journal, step: Event, progress: Progress) -> None:
    progress(f"taking back: {steps.describe(step)}")
    try:
        steps.take_back(record, step, progress)
    except HostError as error:
        where = f"taking back transaction {record.id}, at: {steps.describe(step)}"
        problem = Problem(where, _said(error), "mend that, then run `mailkeel apply`: it goes on there")
        raise HostError(problem) from error


def _do(record: Journal, step: Event, progress: Progress) -> None:
    if step["do"] in ("install", "control"):  # the others take no time
        progress(steps.describe(step))
    record.write("begin", step=step)
    steps.carry_out(record, step, progress)


def _forward(record: Journal, plan: Plan, progress: Progress) -> None:
    host = record.host
    backup.snapshot(host, record.id, plan)
    _install(record, plan, progress)
    for change in _of(plan, "account"):
        _do(record, steps.account(change.id), progress)
    configuration = [change for change in plan.changes if change.kind in ("file", "key")]
    keys = sum(change.kind == "key" and change.after is None for change in configuration)
    if keys:
        progress(f"making {keys} private keys")
    for change in configuration:
        if not _is_content(change):
            _do(record, _path_step(record, change), progress)
    if configuration:
        progress("asking the daemons' own checkers about the new configuration")
        staging.check(host, plan.desired.checks, plan.wanted)
        progress("writing the configuration")
        _do(record, steps.settle(host, _touched_and_active(host, plan)), progress)
    for change in configuration:
        if _is_content(change):
            _do(record, _path_step(record, change), progress)
    _services(record, plan, progress)


def _is_content(change: Change) -> bool:
    """Whether a daemon would read it: files and links, which go live last, once they have been checked."""
    is_folder = change.after is not None and change.after.kind is Kind.DIRECTORY
    return not is_folder and not isinstance(change.resource, Key)


def _install(record: Journal, plan: Plan, progress: Progress) -> None:
    packages = [change.resource for change in _of(plan, "package") if change.action is Action.CREATE]
    if not packages:
        return
    host = record.host
    is_guarded = host.entry(steps.POLICY) is None
    if is_guarded:
        _do(record, steps.put(record, steps.POLICY, steps.NO_STARTS), progress)
    _do(record, steps.install(host, [p for p in packages if isinstance(p, Package)], plan.apt), progress)
    if is_guarded:
        _do(record, steps.put(record, steps.POLICY, None), progress)


def _path_step(record: Journal, change: Change) -> Event:
    if isinstance(change.resource, Key):
        key = change.resource
        if change.after is None:
            return steps.make_key(record, key)
        return steps.own(record.host, key.path, key.owner, key.group, key.mode)
    return steps.put(record, change.id, change.after)


def _services(record: Journal, plan: Plan, progress: Progress) -> None:
    """What runs is restarted in one call, as stopping is what takes long. What does not is started one after
    the other, in the order of the plan, and timed (P1)."""
    host = record.host
    running: list[Service] = []
    for action in (Action.RESTART, Action.RELOAD):
        asked = _asked(plan, action)
        if asked:
            _do(record, steps.control(host, VERBS[action], asked), progress)
            running += asked
    for service in running:
        _wait_until_healthy(host, service)
    for service in _asked(plan, Action.START):
        began = host.monotonic()
        _do(record, steps.control(host, Verb.START, [service]), progress)
        _wait_until_healthy(host, service)
        record.write("started", service=service.name, seconds=round(host.monotonic() - began, 3))
    enabled = _asked(plan, Action.ENABLE)
    if enabled:
        _do(record, steps.control(host, Verb.ENABLE, enabled), progress)


def _asked(plan: Plan, action: Action) -> list[Service]:
    services = (change.resource for change in _of(plan, "service") if change.action is action)
    return [service for service in services if isinstance(service, Service)]


def _wait_until_healthy(host: Host, service: Service) -> None:
    deadline = host.monotonic() + _HEALTH_SECONDS
    while True:
        complaints = [complaint for probe in service.probes if (complaint := host.probe(probe))]
        if not complaints and host.service_states([service])[service.name].is_active:
            return
        if host.monotonic() > deadline:
            what = "; ".join(complaints) or "its service manager says that it is not running"
            raise HostError(Problem(service.name, f"it does not come up: {what}", "see /var/log/mail.log"))
        host.sleep(0.05)


def _backward(record: Journal, records: list[Journal], progress: Progress) -> None:
    for old in records:
        for step in reversed(old.steps()):
            for opposite in _opposites(record, old, step):
                _do(record, opposite, progress)


def _opposites(record: Journal, old: Journal, step: Event) -> Iterator[Event]:
    """The steps that take one back. Each starts from what is there now, which a person may have changed
    since, and which comes back if the undo fails."""
    match step["do"]:
        case "put":
            yield steps.put(record, step["path"], old.unpack(step["before"]))
        case "key" if any(step["before"].values()):
            for path, before in step["before"].items():
                yield steps.put(record, path, old.unpack(before))
        case "key":
            # It may be published already: it stays, for root only, and is used again by the next apply.
            yield steps.own(record.host, step["key"]["path"], "root", "root", 0o600)
        case "install":
            for path in (below for leaf in step["leaves"] for below in steps.tree(record.host, leaf)):
                yield steps.put(record, path, None)
            yield steps.reverse(step)
        case _:
            yield steps.reverse(step)


def _refuse_drift(host: Host, records: list[Journal]) -> None:
    """Raises Refused where a file is no longer what the transactions made of it: undoing would lose what a
    person did since."""
    last: dict[str, Entry | None] = {}
    for record in records:
        for step in reversed(record.steps()):
            if step["do"] == "put":
                last.setdefault(step["path"], record.unpack(step["after"]))
    changed = [path for path, after in last.items() if not _is_same(host.entry(path), after)]
    if changed:
        remedy = "keep a copy of your version, take your change out (`mailkeel apply` may do it), then undo"
        raise Refused(*(Problem(path, "it was changed by hand since", remedy) for path in changed))


def _is_same(there: Entry | None, after: Entry | None) -> bool:
    """A folder's owner and mode may differ: its daemon's package may set them anew."""
    if there is not None and after is not None and there.kind is after.kind is Kind.DIRECTORY:
        return True
    return there == after


def _of(plan: Plan, kind: str) -> Iterator[Change]:
    return (change for change in plan.changes if change.kind == kind)


def _touched_and_active(host: Host, plan: Plan) -> list[Service]:
    """The running services that the plan restarts or reloads: taken back, they read the old files again."""
    touched = [change.resource for change in _of(plan, "service") if change.action is not Action.ENABLE]
    services = [service for service in touched if isinstance(service, Service)]
    states = host.service_states(services)
    return [service for service in services if states[service.name].is_active]


def _obstacle(obstacle: str) -> Problem:
    return Problem(
        "this host",
        obstacle,
        "stop and disable that program, or move it to another port; nothing was changed",
    )


def _problems(error: BaseException) -> tuple[Problem, ...]:
    if isinstance(error, MailkeelError):
        return error.problems
    if isinstance(error, KeyboardInterrupt):
        return (Problem("mailkeel", "it was interrupted", "run it again when you are ready"),)
    if isinstance(error, OSError):
        return (Problem("this host", str(error), "mend it, then run it again"),)
    defect = f"a defect of its own: {type(error).__name__}: {error}"
    return (Problem("mailkeel", defect, "report it, with what you did"),)


def _said(error: BaseException) -> str:
    return "; ".join(str(problem) for problem in _problems(error))


@contextmanager
def _signals_as_errors() -> Iterator[None]:
    """SIGTERM and SIGHUP end a transaction as Ctrl-C does: by taking it back."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    with _handled_by(interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Nobody's second Ctrl-C leaves a host half taken back. (If something does, the next run goes on.)"""
    with _handled_by(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _handled_by(handler: Handler, *numbers: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in old.items():
            signal.signal(number, earlier)
