"""What a transaction does to a host, and what it refuses to do."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

import attrs
import pytest
from worlds import (
    CONVERGED,
    EXIM,
    MY_DOVECOT,
    MY_MAIN_CF,
    MY_MASTER_CF,
    NOTHING,
    ONE,
    PERSON,
    STOCK,
    WORLDS,
    Trap,
    World,
    apply,
    comparable,
    difference,
    disarm,
)

from fake_debian import MAIN_CF as STOCK_MAIN_CF
from fake_debian import nobody
from mailkeel.engine import journal, make_plan, transaction
from mailkeel.engine.journal import TRANSACTIONS, Outcome
from mailkeel.engine.staging import ROOT
from mailkeel.errors import HostError, Problem, Refused, RolledBack
from mailkeel.host.fake import Crash, FakeHost
from mailkeel.host.interface import Completed, Entry, Kind, ServiceState
from mailkeel.spec.model import Dkim, Dmarc, DmarcPolicy, Domain, Spec

MAIN_CF, MASTER_CF = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
KEY_TABLE = "/etc/opendkim/KeyTable"
KEY = "/etc/opendkim/keys/example.com/default.private"
VERBS = ("start", "stop", "reload", "restart", "enable", "disable")


def undo(host: FakeHost, count: int = 1) -> str:
    """Take the newest transactions back."""
    applied = [r for r in journal.read_all(host) if r.outcome is Outcome.COMMITTED and not r.is_undo]
    return transaction.undo(host, list(reversed(applied[-count:])), "undo", nobody)


def service_actions(host: FakeHost) -> list[str]:
    """What the service manager was asked for, in order."""
    return [action for action in host.actions if action.split(" ")[0] in VERBS]


def last(host: FakeHost) -> journal.Journal:
    """The newest journal."""
    return list(journal.read_all(host))[-1]


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_apply_reaches_what_the_plan_shows_and_a_second_one_does_nothing(world: World) -> None:
    """Idempotent: no change at all of the host the second time, not even of mailkeel's own files."""
    host = world.host()
    plan = make_plan(host, world.spec)
    assert apply(host, world.spec)
    for change in plan.changes:
        if change.kind == "file":
            assert host.entry(change.id) == change.after
        elif change.kind == "package" and change.action.value == "create":
            assert change.id in host.state.packages
        elif change.kind == "service":
            assert host.state.services[change.id] == ServiceState(is_active=True, is_enabled=True)
    assert host.entry("/usr/sbin/policy-rc.d") == world.host().entry("/usr/sbin/policy-rc.d")
    again = make_plan(host, world.spec)
    assert again.is_empty, again.changes
    host.actions.clear()
    assert apply(host, world.spec) == ""
    assert host.actions == []


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_making_a_plan_changes_nothing(world: World) -> None:
    """It only reads."""
    host = world.host()
    before = host.snapshot()
    make_plan(host, world.spec)
    assert host.snapshot() == before
    assert host.actions == []


CHANGED_SPECS = {
    "a domain more": (
        attrs.evolve(ONE, domains=(*ONE.domains, Domain("example.org"))),
        # The certificate bears the new domain's name, so Postfix reads it anew.
        ["reload opendkim postfix"],
    ),
    "another selector": (
        attrs.evolve(ONE, domains=(Domain("example.com", dkim=Dkim("mail2027")),)),
        ["reload opendkim"],
    ),
    "another DMARC policy": (
        attrs.evolve(ONE, domains=(Domain("example.com", dmarc=Dmarc(DmarcPolicy.REJECT)),)),
        [],
    ),
    "an alias": (
        attrs.evolve(ONE, aliases=(("sales", ("alice",)),)),
        ["reload opendkim postfix"],
    ),
    "a larger message": (
        attrs.evolve(ONE, limits=attrs.evolve(ONE.limits, message_size_bytes=1_000_000)),
        ["reload postfix"],
    ),
    "another host name": (
        attrs.evolve(ONE, hostname="mail.example.com"),
        ["restart opendkim opendmarc", "reload postfix"],
    ),
}


@pytest.mark.parametrize(("spec", "expected"), CHANGED_SPECS.values(), ids=CHANGED_SPECS)
def test_a_changed_specification_disturbs_only_what_must_read_it(spec: Spec, expected: list[str]) -> None:
    """Reloaded where that is enough; nothing where no daemon's files change."""
    host = CONVERGED.host()
    apply(host, spec)
    assert service_actions(host) == expected


@pytest.mark.parametrize(
    "path", ["/etc/dovecot/mailkeel.denied", "/etc/rsyslog.d/60-mailkeel.conf", KEY_TABLE]
)
def test_a_managed_file_changed_by_hand_comes_back(path: str) -> None:
    """The plan shows it, and one daemon reads it again."""
    host = CONVERGED.host()
    good = host.state.entries[path]
    host.state.entries[path] = attrs.evolve(good, content=b"", mode=0o600)
    plan = make_plan(host, ONE)
    assert {change.id for change in plan.changes if change.kind == "file"} == {path}
    apply(host, ONE)
    assert host.entry(path) == good
    assert len(service_actions(host)) == 1


def test_a_key_that_was_lost_is_made_anew_and_read() -> None:
    """OpenDKIM would go on signing with the one in its memory."""
    host = CONVERGED.host()
    del host.state.entries[KEY]
    apply(host, ONE)
    assert service_actions(host) == ["reload opendkim"]


def test_a_service_that_was_stopped_starts_again() -> None:
    """Alone."""
    host = CONVERGED.host()
    host.state.services["dovecot"] = ServiceState(is_active=False, is_enabled=False)
    apply(host, ONE)
    assert service_actions(host) == ["start dovecot", "enable dovecot"]


def test_packages_come_in_one_call_and_start_nothing_by_themselves() -> None:
    """policy-rc.d holds them back; each service then starts once, configured, the filters before Postfix."""
    host = NOTHING.host()
    apply(host, ONE)
    installs = [action for action in host.actions if action.startswith("install ")]
    assert len(installs) == 1
    order = [
        host.actions.index(one)
        for one in ("put /usr/sbin/policy-rc.d", installs[0], "remove /usr/sbin/policy-rc.d")
    ]
    assert order == sorted(order)
    names = ("rsyslog", "opendkim", "opendmarc", "dovecot", "postfix")
    assert service_actions(host) == [*(f"start {name}" for name in names), f"enable {' '.join(names)}"]


# --- refused: nothing is changed


def test_a_port_that_another_program_holds_is_an_obstacle() -> None:
    """Refused with the program's name before anything is done."""
    host = NOTHING.host()
    host.holders[25] = "exim4 (pid 612)"
    with pytest.raises(Refused) as caught:
        apply(host, ONE)
    assert "port 25 is held by exim4 (pid 612)" in str(caught.value)
    assert host.actions == []


def test_a_port_that_postfix_itself_holds_is_none() -> None:
    """Its own service may be down to the manager while its processes live."""
    host = STOCK.host()
    host.state.services["postfix"] = ServiceState(is_active=False, is_enabled=True)
    host.holders[25] = "master (pid 612)"
    assert make_plan(host, ONE).obstacles == ()


STALE = {
    "a file that will change": lambda host: host.put(MAIN_CF, Entry(Kind.FILE, b"relayhost = x\n")),
    "its mode": lambda host: host.put(MAIN_CF, attrs.evolve(host.entry(MAIN_CF), mode=0o600)),
    "a file that would be made": lambda host: host.put(
        "/etc/logrotate.d/mailkeel-mail.err", Entry(Kind.FILE)
    ),
    "a package": lambda host: host.state.packages.add("rsyslog"),
    "an account": lambda host: host.add_account("mailkeel-probe"),
    "a service": lambda host: host.state.services.update(postfix=ServiceState()),
}


@pytest.mark.parametrize("change", STALE.values(), ids=STALE)
def test_a_plan_made_stale_is_refused(change: object) -> None:
    """What was shown is what is done, or nothing."""
    assert callable(change)
    host = STOCK.host()
    plan = make_plan(host, ONE)
    change(host)
    host.actions.clear()
    with pytest.raises(Refused):
        transaction.apply(host, plan, lambda: make_plan(host, ONE), "a test", nobody)
    assert host.actions == []


def test_a_host_that_is_not_debian_is_refused() -> None:
    """And so is a release that nobody has tried."""
    for release in (b"ID=ubuntu\nVERSION_ID=24.04\n", b"ID=debian\nVERSION_ID=11\n", b""):
        host = NOTHING.host()
        host.state.entries["/etc/os-release"] = Entry(Kind.FILE, release)
        with pytest.raises(Refused):
            make_plan(host, ONE)
        assert host.actions == []


# --- taken back at once


def test_a_checker_that_complains_ends_it_before_anything_is_live() -> None:
    """No service is touched; the complaint names the live file, not the staged copy."""
    host = STOCK.host()
    before = host.snapshot()
    staged: list[bytes] = []

    def check(argv: Sequence[str]) -> Completed:
        if argv[0] != "postfix":
            return Completed(tuple(argv), 0)
        entry = host.entry(f"{ROOT}/etc/postfix/main.cf")
        assert entry is not None
        staged.append(entry.content)
        return Completed(tuple(argv), 1, "", f"postfix: fatal: {ROOT}/etc/postfix/main.cf: bad")

    host.run_result = check
    with pytest.raises(RolledBack) as caught:
        apply(host, ONE)
    assert "fatal: /etc/postfix/main.cf: bad" in str(caught.value)
    assert b"managed by mailkeel" in staged[0]
    assert f"regexp:{ROOT}/etc/postfix/mailkeel/sender_logins".encode() in staged[0]
    assert service_actions(host) == []
    assert not difference(comparable(before), comparable(host.snapshot()))
    assert f"put {MAIN_CF}" not in host.actions
    assert host.entry(ROOT) is None


def test_a_complaint_on_standard_error_counts_where_the_checker_exits_0() -> None:
    """postconf exits 0 for an unknown parameter."""
    host = STOCK.host()
    host.run_result = lambda argv: Completed(
        tuple(argv), 0, "", "postconf: warning: unused parameter: x=y" if argv[0] == "postconf" else "chatter"
    )
    with pytest.raises(RolledBack) as caught:
        apply(host, ONE)
    assert len(caught.value.problems) == 2


def test_no_private_key_is_staged() -> None:
    """The checkers read configuration only."""
    host = CONVERGED.host()
    apply(host, CONVERGED.spec)
    assert not [
        action for action in host.actions if ROOT in action and ("/keys" in action or "/private/" in action)
    ]


def test_a_service_that_does_not_come_up_takes_everything_back() -> None:
    """Both where its manager says so and where it only does not answer."""
    for break_it in (
        lambda host: host.broken_services.add("opendmarc"),
        lambda host: host.archive.update(
            postfix=attrs.evolve(host.archive["postfix"], answers=(("127.0.0.1:587", "nobody"),))
        ),
    ):
        host = NOTHING.host()
        break_it(host)
        before = host.snapshot()
        with pytest.raises(RolledBack) as caught:
            apply(host, ONE)
        assert "does not come up" in str(caught.value)
        assert not difference(comparable(before), comparable(host.snapshot()))


def test_services_that_ran_run_again_with_what_was_there() -> None:
    """After a failed start of another one."""
    host = PERSON.host()
    before = host.snapshot()
    host.broken_services.add("opendmarc")
    with pytest.raises(RolledBack):
        apply(host, ONE)
    assert not difference(comparable(before), comparable(host.snapshot()))
    restart = service_actions(host)[-1]
    assert restart.startswith("restart ")
    assert {"postfix", "dovecot"} <= set(restart.split()[1:])
    assert host.actions.index(restart) > max(
        index for index, action in enumerate(host.actions) if action == f"put {MAIN_CF}"
    )


def test_a_defect_of_our_own_is_taken_back_too() -> None:
    """Whatever kind of error it is."""
    host = STOCK.host()
    before = host.snapshot()
    Trap(200, lambda: ZeroDivisionError("oh")).arm(host)
    with pytest.raises(RolledBack) as caught:
        apply(host, ONE)
    assert "defect" in str(caught.value)
    assert not difference(comparable(before), comparable(host.snapshot()))


def test_a_disk_that_stays_full_leaves_the_rest_to_the_next_run() -> None:
    """Every write fails from some moment on, also those of the taking back; later there is room."""
    for first in range(10, 500, 7):
        host = STOCK.host()
        before = host.snapshot()
        seen = 0

        def refuse(name: str, first: int = first) -> None:
            nonlocal seen
            seen += 1
            if seen >= first and name.startswith(("put", "append", "install", "unpack")):
                raise HostError(Problem("/", "No space left on device", "make room"))

        host.before = refuse
        try:
            apply(host, ONE)
        except (HostError, RolledBack):
            disarm(host)
            transaction.recover(host, nobody)
            assert not difference(comparable(before), comparable(host.snapshot())), first


def test_space_is_set_aside_for_taking_back() -> None:
    """It is there while the transaction runs, and is the first thing that taking back gives free."""
    host = STOCK.host()
    host.broken_services.add("opendkim")
    with pytest.raises(RolledBack):
        apply(host, ONE)
    ballast = [action for action in host.actions if action.endswith("/ballast")]
    assert [action.split(" ")[0] for action in ballast] == ["put", "remove"]
    back = host.actions.index(ballast[1])
    assert host.actions[back + 1].startswith("append ")


# --- interrupted


def test_an_interrupted_transaction_is_reported_and_taken_back_by_the_next_apply() -> None:
    """Even if what it wants is something else."""
    host = STOCK.host()
    Trap(300, Crash).arm(host)
    with pytest.raises(Crash):
        apply(host, ONE)
    disarm(host)
    cut_off = last(host)
    assert transaction.interrupted(host) == (cut_off.id,)
    assert make_plan(host, ONE)  # it can be looked at
    plan_after = make_plan(STOCK.host(), CONVERGED.spec)
    transaction.apply(host, plan_after, lambda: make_plan(host, CONVERGED.spec), "another", nobody)
    outcomes = [record.outcome for record in journal.read_all(host)]
    assert outcomes == [Outcome.ROLLED_BACK, Outcome.COMMITTED]
    assert make_plan(host, CONVERGED.spec).is_empty
    undo(host)
    expected = STOCK.host()
    expected.keys_made = 2  # those that were taken back
    apply(expected, CONVERGED.spec)
    undo(expected)
    assert not difference(comparable(expected.state), comparable(host.state))


@pytest.mark.parametrize("torn", range(1, 60, 7))
def test_a_torn_last_line_of_the_journal_counts_as_not_written(torn: int) -> None:
    """A power failure may leave any part of it."""
    for at in range(40, 480, 40):
        host = STOCK.host()
        before = host.snapshot()
        Trap(at, Crash).arm(host)
        with pytest.raises(Crash):
            apply(host, ONE)
        disarm(host)
        path = f"{TRANSACTIONS}/{last(host).id}/journal.jsonl"
        entry = host.state.entries[path]
        part = b'{"event": "begin", "time": 1000000000.0, "step": {"do": "put", "pa'[:torn]
        host.state.entries[path] = attrs.evolve(entry, content=entry.content + part)
        transaction.recover(host, nobody)
        assert not difference(comparable(before), comparable(host.snapshot()))
        assert last(host).outcome is Outcome.ROLLED_BACK


def test_a_commit_that_was_written_but_failed_is_taken_back_to_the_end() -> None:
    """The line is on the disk, yet the disk reported an error: the failure has the last word, also if
    taking back is cut off."""
    host = STOCK.host()
    before = host.snapshot()
    appended = 0

    def fail(name: str) -> None:
        nonlocal appended
        if name.startswith("append"):
            entry = host.entry(name.split(" ")[1])
            if entry and b'"committed"' in entry.content:
                appended += 1
                if appended == 1:
                    raise HostError(Problem("/", "Input/output error", "replace the disk"))
                if appended == 6:
                    raise Crash

    host.after = fail
    with pytest.raises(Crash):
        apply(host, ONE)
    disarm(host)
    assert transaction.interrupted(host)
    transaction.recover(host, nobody)
    assert not difference(comparable(before), comparable(host.snapshot()))


def test_a_damaged_saved_file_stops_taking_back_and_says_which() -> None:
    """It never writes something else in its place; mended, the next run goes on."""
    host = STOCK.host()
    before = host.snapshot()
    Trap(_moment_after(f"put {MAIN_CF}"), Crash).arm(host)
    with pytest.raises(Crash):
        apply(host, ONE)
    disarm(host)
    record = last(host)
    step = next(step for step in record.steps() if step.get("path") == MAIN_CF)
    blob = f"{TRANSACTIONS}/{record.id}/blobs/{step['before']['sha256']}"
    good = host.state.entries[blob]
    host.state.entries[blob] = attrs.evolve(good, content=b"garbage")
    with pytest.raises(HostError) as caught:
        transaction.recover(host, nobody)
    assert MAIN_CF in str(caught.value)
    assert transaction.interrupted(host) == (record.id,)
    host.state.entries[blob] = good
    transaction.recover(host, nobody)
    assert not difference(comparable(before), comparable(host.snapshot()))


def _moment_after(name: str) -> int:
    """The number of the moment right after a change in an apply to Debian's Postfix."""
    host = STOCK.host()
    met: list[str] = []
    host.before = lambda one: met.append(f"before {one}")
    host.after = lambda one: met.append(f"after {one}")
    apply(host, ONE)
    return met.index(f"after {name}") + 1


# --- what was there


def test_a_persons_own_settings_are_kept_and_what_changes_is_noted() -> None:
    """The plan says which settings of theirs change; the rest stays, with comments, in order."""
    host = PERSON.host()
    plan = make_plan(host, ONE)
    notes = {change.id: change.notes for change in plan.changes}
    assert notes[MAIN_CF] == (
        "yours: myhostname = old.example.net; mailkeel: mx.example.com",
        "yours: message_size_limit = 1000; mailkeel: 52428800",
    )
    assert len(notes[MASTER_CF]) == 1
    assert "25/inet" in notes[MASTER_CF][0]
    apply(host, ONE)
    main, master = (
        host.state.entries[MAIN_CF].content.decode(),
        host.state.entries[MASTER_CF].content.decode(),
    )
    for line in (
        "# My notes.\n",
        "smtp_bind_address = 192.0.2.1\n",
        "# A list\ndebug_peer_list =\n    192.0.2.7,\n    192.0.2.8\n",
    ):
        assert line in main
    assert "2525 inet n - y - - smtpd\nsmtp unix - - n - 5 smtp\n" in master
    assert host.state.entries["/etc/dovecot/conf.d/10-mail.conf"].content == MY_DOVECOT
    assert host.state.entries["/etc/aliases"].content == b"root: bob\n"
    assert host.entry("/usr/sbin/policy-rc.d") == PERSON.host().entry("/usr/sbin/policy-rc.d")


@pytest.mark.parametrize("world", [STOCK, PERSON, EXIM, CONVERGED], ids=str)
def test_undo_brings_back_byte_for_byte_what_was_there(world: World) -> None:
    """With mode, owner, links, packages, accounts and services; only new keys (and their folders) stay."""
    host = world.host()
    before = comparable(host.snapshot())
    apply(host, world.spec)
    undo(host)
    after = comparable(host.snapshot())
    kept = {path for path in after.entries if path not in before.entries}
    assert all(path.startswith(("/etc/opendkim", "/etc/ssl/mailkeel")) for path in kept)
    for path in kept:
        del after.entries[path]
    assert not difference(before, after)


def test_undo_of_everything_brings_back_the_first_state() -> None:
    """Three transactions, the newest taken back first."""
    host = PERSON.host()
    before = comparable(host.snapshot())
    for spec, _ in list(CHANGED_SPECS.values())[:3]:
        apply(host, spec)
        host.clock += 3600
    undo(host, count=3)
    assert host.state.entries[MAIN_CF].content == MY_MAIN_CF.encode()
    assert host.state.entries[MASTER_CF].content == MY_MASTER_CF.encode()
    assert host.state.packages == before.packages
    assert host.state.services == before.services
    assert [record.outcome for record in journal.read_all(host)] == [Outcome.UNDONE] * 3 + [Outcome.COMMITTED]


def test_undo_keeps_a_dkim_key_for_root_only_and_a_later_apply_uses_it() -> None:
    """Its public half may be published already."""
    host = NOTHING.host()
    apply(host, ONE)
    made = host.state.entries[KEY]
    assert (made.owner, made.group, made.mode) == ("root", "opendkim", 0o640)
    undo(host)
    kept = host.state.entries[KEY]
    assert (kept.content, kept.owner, kept.group, kept.mode) == (made.content, "root", "root", 0o600)
    count = host.keys_made
    host.clock += 60
    apply(host, ONE)
    assert host.state.entries[KEY] == made
    assert host.keys_made == count
    host.clock += 60
    undo(host)
    assert host.state.entries[KEY] == kept


def test_undo_brings_back_the_certificate_that_was_replaced() -> None:
    """A domain more means another certificate; both halves of the old one come back."""
    host = CONVERGED.host()
    key, certificate = "/etc/ssl/mailkeel/mx.example.com.key", "/etc/ssl/mailkeel/mx.example.com.pem"
    before = host.state.entries[key], host.state.entries[certificate]
    apply(host, CONVERGED.spec)
    assert host.state.entries[key] != before[0]
    undo(host)
    assert (host.state.entries[key], host.state.entries[certificate]) == before


def test_a_new_private_key_is_nowhere_but_in_its_own_file() -> None:
    """Not in the journal, its saved files, the browsable copy or the staged configuration."""
    host = NOTHING.host()
    apply(host, ONE)
    host.clock += 60
    undo(host)
    host.clock += 60
    apply(host, ONE)
    key = host.state.entries[KEY].content
    assert [path for path, entry in host.state.entries.items() if key in entry.content] == [KEY]


def test_mailkeels_own_files_are_for_root_only() -> None:
    """Saved files may hold secrets of the person's."""
    host = PERSON.host()
    apply(host, ONE)
    undo(host)
    for path, entry in host.state.entries.items():
        if path.startswith(("/var/lib/mailkeel", "/var/log/firstboot/")):
            assert entry.mode & 0o077 == 0, path
            assert entry.owner == "root"


def test_the_files_before_a_change_can_be_looked_at() -> None:
    """B1: under their own paths, with a list of those that are new."""
    host = PERSON.host()
    done = apply(host, ONE)
    folder = f"/var/log/firstboot/mail-config.bak/{done}"
    assert host.state.entries[folder + MAIN_CF].content == MY_MAIN_CF.encode()
    assert "/etc/opendkim/KeyTable\n" in host.state.entries[f"{folder}/NEW_FILES"].content.decode()


def test_undo_is_refused_where_a_file_was_changed_since() -> None:
    """The person's change would be lost."""
    host = STOCK.host()
    apply(host, ONE)
    entry = host.state.entries[MAIN_CF]
    host.state.entries[MAIN_CF] = attrs.evolve(
        entry, content=entry.content + b"smtp_bind_address = 192.0.2.1\n"
    )
    host.actions.clear()
    with pytest.raises(Refused) as caught:
        undo(host)
    assert MAIN_CF in str(caught.value)
    assert host.actions == []


def test_undo_does_not_remove_postfix_with_mail_in_its_queue() -> None:
    """Mail is never lost: everything stays as applied."""
    host = NOTHING.host()
    apply(host, ONE)
    queued = "/var/spool/postfix/deferred/A/ABC"
    host.state.entries |= {
        posixpath.dirname(queued): Entry(Kind.DIRECTORY, mode=0o700),
        queued: Entry(Kind.FILE, b"mail", owner="postfix", group="postfix"),
    }
    applied = comparable(host.snapshot())
    host.clock += 60
    with pytest.raises(RolledBack) as caught:
        undo(host)
    assert "queue" in str(caught.value)
    assert not difference(applied, comparable(host.snapshot()))


def test_the_mail_server_that_had_to_go_comes_back_and_runs() -> None:
    """Debian's exim4 cannot stand beside Postfix: the plan says so, and undo reinstalls it."""
    host = EXIM.host()
    removed = [change for change in make_plan(host, ONE).changes if change.action.value == "delete"]
    assert [change.id for change in removed] == ["exim4"]
    apply(host, ONE)
    assert "exim4" not in host.state.packages
    undo(host)
    assert host.state.services["exim4"].is_active
    assert "postfix" not in host.state.packages


def test_the_stock_main_cf_is_debians_again_after_undo() -> None:
    """Also where Postfix had to be installed on the way, and stays by a later choice of the person's."""
    host = STOCK.host()
    apply(host, ONE)
    undo(host)
    assert host.state.entries[MAIN_CF].content == STOCK_MAIN_CF


def test_an_undo_that_was_cut_off_right_after_its_end_is_marked_by_the_next_run() -> None:
    """The history never shows as applied what is undone."""
    host = STOCK.host()
    done = apply(host, ONE)
    host.clock += 60

    def die(name: str) -> None:
        entry = host.entry(name.split(" ")[1]) if name.startswith("append") else None
        if entry and b'"committed"' in entry.content and b'"undoes": ["' in entry.content:
            raise Crash

    host.after = die
    with pytest.raises(Crash):
        undo(host)
    disarm(host)
    transaction.recover(host, nobody)
    assert {record.id: record.outcome for record in journal.read_all(host)}[done] is Outcome.UNDONE
