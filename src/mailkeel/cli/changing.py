"""Commands that show or change what the host is: plan, apply, history, undo, init."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

import click

from mailkeel.cli import common
from mailkeel.daemons.itself import PROGRAM
from mailkeel.errors import HostError, MailkeelError, Problem, Refused, RolledBack
from mailkeel.host.interface import Entry, Host
from mailkeel.report import screen
from mailkeel.spec.model import Spec


@click.command()
@common.spec_argument
@common.json_option
@click.option("--diff", "with_diff", is_flag=True, help="Show the contents of new files too.")
def plan(spec_path: str, as_json: bool, with_diff: bool) -> None:
    """Show what `apply` would change. Changes nothing.

    Exit status: 0 nothing to do, 2 changes, 1 error.
    """
    from mailkeel.engine.transaction import interrupted
    from mailkeel.report import plan as report

    host, spec = common.the_host(), common.load_spec(spec_path)
    made = common.plan_for(host, spec, common.read_source(spec_path))
    cut_off = interrupted(host)
    if as_json:
        common.emit_json({**report.as_json(made), "interrupted": list(cut_off)})
    else:
        for transaction in cut_off:
            click.echo(f"Transaction {transaction} was cut off: `mailkeel apply` takes it back first.")
        click.echo(report.render(made, with_diff), nl=False)
    sys.exit(0 if made.is_empty and not cut_off else common.CHANGES)


@click.command()
@common.spec_argument
@common.yes_option
@common.json_option
@click.option("--plan", "fingerprint", help="Apply only if the plan still has this fingerprint.")
def apply(spec_path: str, yes: bool, as_json: bool, fingerprint: str | None) -> None:
    """Make the host what the specification says, as one transaction, then prove it.

    Exit status: 0 applied or nothing to do, 1 refused or rolled back.
    """
    common.need_root()
    host = common.the_host()
    recover_first(host)  # also where the specification is refused; and it may bring back another one
    spec = common.load_spec(spec_path)
    carry_out(host, spec, common.read_source(spec_path), yes, as_json, fingerprint)


def carry_out(
    host: Host, spec: Spec, source: bytes, yes: bool, as_json: bool = False, fingerprint: str | None = None
) -> None:
    """Plan, ask, apply, prove, and say which DNS records are still to be published; all of it logged."""
    from mailkeel.operate.cleanup import remove_temporary_files
    from mailkeel.operate.record import log
    from mailkeel.report import plan as report

    began = time.monotonic()
    made = common.plan_for(host, spec, source)
    if fingerprint and fingerprint != made.fingerprint:
        what = f"it is {made.fingerprint} now, not {fingerprint}: the host or the specification has changed"
        raise Refused(Problem("the plan's fingerprint", what, "run `mailkeel plan` again and look anew"))
    if not as_json:
        click.echo(report.render(made), nl=False)
    transaction = ""
    remove_temporary_files(host)
    if not made.is_empty:
        common.confirm("Apply this plan?", yes)
        transaction = _apply(host, spec, source, made)
        log(
            host, "INFO", f"applied {len(made.changes)} changes for {spec.hostname} in mode {spec.mode.value}"
        )
    _prove_and_report(host, spec, as_json, transaction, began)


def recover_first(host: Host) -> None:
    """Take back what was cut off. Raises HostError where mailkeel itself went with it."""
    from mailkeel.engine.transaction import interrupted, recover

    if interrupted(host):
        program = _own_program(host)
        with host.lock(), screen.progress() as progress:
            for transaction in recover(host, progress):
                click.echo(f"Transaction {transaction} had been cut off: taken back.", err=True)
        if _own_program(host) != program:
            what = "it had been installed or replaced by what was taken back"
            raise HostError(Problem("mailkeel", what, "run it again, from the checkout where it is gone"))


def _own_program(host: Host) -> Entry | None:
    """The installed file that this code comes from; None in a checkout."""
    return host.entry(PROGRAM) if __file__.startswith(PROGRAM) else None


def _apply(host: Host, spec: Spec, source: bytes, made: object) -> str:
    from mailkeel.engine import transaction
    from mailkeel.engine.plan import Plan
    from mailkeel.operate.record import log

    assert isinstance(made, Plan)  # noqa: S101 - imported late, for the commands that need no engine
    title = f"apply {spec.mode.value} mode for {', '.join(domain.name for domain in spec.domains[:3])}"
    try:
        with screen.progress() as progress:
            return transaction.apply(host, made, lambda: common.plan_for(host, spec, source), title, progress)
    except MailkeelError as error:
        outcome = "rolled back" if isinstance(error, RolledBack) else "refused"
        with suppress(HostError):  # the disk may be full: the screen says it all the same
            for problem in error.problems:
                log(host, "ERROR", f"{outcome}: {problem}")
        raise


def _prove_and_report(host: Host, spec: Spec, as_json: bool, transaction: str, began: float) -> None:
    from mailkeel.cli.looking import make_proof
    from mailkeel.prove.evidence import as_json as proof_as_json
    from mailkeel.report import proof as report

    made = make_proof(host, spec, ())
    if as_json:
        common.emit_json({"transaction": transaction, **proof_as_json(made)})
        return
    click.echo()
    click.echo(report.render(made), nl=False)
    _show_missing_records(host, spec, made)
    what = f"Applied as transaction {transaction}" if transaction else "Nothing was to do"
    click.echo(f"\n{what}, {time.monotonic() - began:.0f} s in all. `mailkeel undo` takes a change back.")


def _show_missing_records(host: Host, spec: Spec, made: object) -> None:
    from mailkeel.cli.looking import records_of
    from mailkeel.prove.evidence import Proof, Verdict
    from mailkeel.report import dns

    assert isinstance(made, Proof)  # noqa: S101 - imported late
    open_ones = [
        one for one in made.criteria if one.id in ("A4", "V2", "V3", "V4") and one.verdict is not Verdict.PASS
    ]
    if open_ones:
        click.echo(
            "\nDNS records to publish at your DNS provider (`mailkeel dns records` shows them again):\n"
        )
        records = records_of(host, spec)
        click.echo(dns.render(records[:12]), nl=False)
        if len(records) > 12:
            click.echo(f"\nand {len(records) - 12} more: `mailkeel dns records`")


@click.command()
@common.json_option
def history(as_json: bool) -> None:
    """List the transactions so far, the newest last."""
    from mailkeel.engine.journal import read_all

    records = list(read_all(common.the_host()))
    if as_json:
        fields = [
            {"id": r.id, "at": r.began_at, "title": r.title, "outcome": r.outcome.value} for r in records
        ]
        common.emit_json(fields)
    elif not records:
        click.echo("No transaction yet.")
    else:
        rows = [(record.id, record.outcome.value, screen.visible(record.title)) for record in records]
        click.echo(screen.table(rows, ("ID", "OUTCOME", "WHAT")), nl=False)


@click.command()
@click.argument("transaction_id", metavar="[ID]", default="")
@common.yes_option
def undo(transaction_id: str, yes: bool) -> None:
    """Bring the host back to before a transaction: the last one, or ID and all after it.

    Mail and DKIM keys stay.
    """
    from mailkeel.engine import transaction
    from mailkeel.engine.journal import Outcome, read_all
    from mailkeel.operate.record import log

    common.need_root()
    host = common.the_host()
    recover_first(host)
    applied = [
        record for record in read_all(host) if record.outcome is Outcome.COMMITTED and not record.is_undo
    ]
    chosen = _chosen(applied, transaction_id)
    for record in chosen:
        click.echo(f"undo {record.id}: {screen.visible(record.title)}")
    common.confirm("Bring back what was before?", yes)
    title = f"undo {', '.join(record.id for record in chosen)}"
    with screen.progress() as progress:
        made = transaction.undo(host, chosen, title, progress)
    log(host, "INFO", f"{title}: done as transaction {made}")
    click.echo(f"This host is as before {chosen[-1].id}. Mail and DKIM keys were kept.")


def _chosen(applied: list, transaction_id: str) -> list:  # type: ignore[type-arg]
    """The transactions to take back, the newest first. Raises Refused."""
    ids = [record.id for record in applied]
    if not applied:
        raise Refused(Problem("undo", "there is no applied transaction", "see `mailkeel history`"))
    if transaction_id and transaction_id not in ids:
        what = "there is no applied transaction with this id"
        raise Refused(
            Problem(f"undo {screen.visible(transaction_id)}", what, f"use one of {', '.join(ids[-5:])}")
        )
    return list(reversed(applied[ids.index(transaction_id or ids[-1]) :]))


@click.command()
@click.option("--mode", type=click.Choice(["local", "relay", "full"]), help="What the host shall be.")
@click.option("--domain", help="The mail domain.")
@click.option("--hostname", help="The host's full name; mail.DOMAIN if left out.")
@click.option("--admin", help="Who gets mail for root and postmaster.")
@click.option("--relay-host", help="In relay mode: the upstream's name.")
@click.option(
    "--output", default=common.DEFAULT_SPEC, show_default=True, help="Where to write it; - prints it."
)
@click.option("--force", is_flag=True, help="Overwrite.")
def init(**given: str | bool | None) -> None:
    """Write a commented specification."""
    from mailkeel.spec.model import Mode, Relay
    from mailkeel.spec.sample import sample

    mode = Mode(_answer(given["mode"], "Mode (local, relay, full)", "local"))
    domain = _answer(given["domain"], "Mail domain", None)
    hostname = _answer(given["hostname"], "Full name of this host", f"mail.{domain}")
    admin = (
        given["admin"]
        if given["domain"]
        else _answer(given["admin"], "Who gets root's mail (an account)", "")
    )
    relay = Relay(_answer(given["relay_host"], "Upstream's name", None)) if mode is Mode.RELAY else None
    text = sample(mode, domain, hostname, str(admin) if admin else None, relay=relay)
    if given["output"] == "-":
        click.echo(text, nl=False)
    else:
        _write_spec(str(given["output"]), text, bool(given["force"]))


def _answer(given: str | bool | None, question: str, default: str | None) -> str:
    if given:
        return str(given)
    if default and not sys.stdin.isatty():
        return default
    if not sys.stdin.isatty():
        if default is not None:
            return default
        raise Refused(
            Problem(
                "init", f"nobody is there to be asked: {question}", "give it as an option: --help lists them"
            )
        )
    return str(click.prompt(question, default=default, show_default=bool(default)))


def _write_spec(path: str, text: str, force: bool) -> None:
    if os.path.exists(path) and not force:
        raise Refused(Problem(path, "it exists already", "look at it first; --force overwrites it"))
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise HostError(
            Problem(path, error.strerror or str(error), "choose another place with --output")
        ) from error
    click.echo(f"Written to {path}. Next: look at it, then `mailkeel plan {path}`.")
