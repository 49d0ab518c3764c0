"""Commands that look: prove, status, metrics, dns, explain, mail-spf-check."""

from __future__ import annotations

import sys

import click

from mailkeel.cli import common
from mailkeel.dns.records import DnsRecord
from mailkeel.host.interface import Host
from mailkeel.prove.evidence import Proof
from mailkeel.report import screen
from mailkeel.spec.model import Spec


def make_proof(host: Host, spec: Spec, only: tuple[str, ...]) -> Proof:
    """Prove, and keep a whole proof for `status` and other programs."""
    from mailkeel.dns.lookup import SystemResolver
    from mailkeel.operate.record import keep_proof
    from mailkeel.prove import prove as look

    with screen.progress() as progress:
        made = look(host, spec, SystemResolver(), progress, only)
    if not only:
        keep_proof(host, made)
    return made


@click.command()
@common.spec_argument
@common.json_option
@click.option("--only", multiple=True, metavar="ID", help="Look at this criterion only; may be given again.")
def prove(spec_path: str, as_json: bool, only: tuple[str, ...]) -> None:
    """Look at every criterion, with evidence. Sends one test message, to this host itself.

    Exit status: 0 none failed, 3 some failed, 1 error.
    """
    from mailkeel.prove.evidence import as_json as proof_as_json
    from mailkeel.report import proof as report

    common.need_root()
    made = make_proof(common.the_host(), common.load_spec(spec_path), tuple(id_.upper() for id_ in only))
    if as_json:
        common.emit_json(proof_as_json(made))
    else:
        click.echo(report.render(made), nl=False)
    sys.exit(0 if made.holds else common.FALLS_SHORT)


@click.command()
@common.spec_argument
@common.json_option
def status(spec_path: str, as_json: bool) -> None:
    """Show the state of the mail server on one screen.

    Exit status: 0 well, 3 not well, 1 error.
    """
    from mailkeel.operate.status import read_status
    from mailkeel.report import status as report

    found = read_status(common.the_host(), common.load_spec(spec_path))
    if as_json:
        common.emit_json(report.as_json(found))
    else:
        click.echo(report.render(found), nl=False)
    sys.exit(0 if found.is_well else common.FALLS_SHORT)


@click.command()
@common.spec_argument
def metrics(spec_path: str) -> None:
    """Print Prometheus metrics."""
    from mailkeel.operate.status import read_status
    from mailkeel.report.status import metrics as render

    click.echo(render(read_status(common.the_host(), common.load_spec(spec_path))), nl=False)


@click.group()
def dns() -> None:
    """The DNS records that a correct mail domain has."""


@dns.command()
@common.spec_argument
@common.json_option
@click.option(
    "--format", "form", type=click.Choice(["table", "bind", "json"]), default="table", show_default=True
)
def records(spec_path: str, as_json: bool, form: str) -> None:
    """Show the records wanted, ready to paste."""
    from mailkeel.dns.text import bind
    from mailkeel.report import dns as report

    wanted = records_of(common.the_host(), common.load_spec(spec_path))
    if as_json or form == "json":
        common.emit_json(report.as_json(wanted))
    else:
        click.echo(bind(wanted) if form == "bind" else report.render(wanted), nl=False)


@dns.command()
@common.spec_argument
@common.json_option
def check(spec_path: str, as_json: bool) -> None:
    """Compare the records wanted with what the world answers.

    Exit status: 0 all as wanted, 3 not as wanted, 1 error.
    """
    from mailkeel.dns.compare import Standing, compare
    from mailkeel.dns.lookup import SystemResolver
    from mailkeel.prove.context import Patience
    from mailkeel.report import dns as report

    wanted = [r for r in records_of(common.the_host(), common.load_spec(spec_path)) if not r.pending]
    found = compare(wanted, Patience(SystemResolver()))
    if as_json:
        common.emit_json(report.findings_as_json(found))
    else:
        click.echo(report.render_findings(found), nl=False)
    sys.exit(0 if all(one.verdict is Standing.PRESENT for one in found) else common.FALLS_SHORT)


def records_of(host: Host, spec: Spec) -> tuple[DnsRecord, ...]:
    """The records wanted, with the keys and addresses of this host."""
    from mailkeel.dns.records import wanted
    from mailkeel.engine.observe import read_facts
    from mailkeel.prove.context import dkim_keys

    return wanted(spec, spec.addresses or read_facts(host).addresses, dkim_keys(host, spec)[0])


@click.command()
@click.argument("words", metavar="[ID or LOG LINE]", nargs=-1)
@common.json_option
def explain(words: tuple[str, ...], as_json: bool) -> None:
    """Explain a criterion, an error or a line of the mail log: cause, solution, prevention.

    Exit status: 0 explained, 1 not known.
    """
    from mailkeel.operate.catalogue import explain as look_up
    from mailkeel.report import explanation as report

    found = look_up(" ".join(words))
    if as_json:
        common.emit_json(report.as_json(found))
    else:
        click.echo(report.render(found), nl=False)
    sys.exit(0 if found.is_known else common.ERROR)


@click.command("mail-spf-check")
@click.argument("domain")
@click.option("--ip", help="The sending address; this host's own if left out.")
@click.option("--sender", help="The envelope sender; postmaster@DOMAIN if left out.")
@click.option("--helo", help="The name said in EHLO; DOMAIN if left out.")
@common.json_option
def mail_spf_check(domain: str, ip: str | None, sender: str | None, helo: str | None, as_json: bool) -> None:
    """Show a domain's SPF record, its lookups, and its verdict for an address (RFC 7208).

    Exit status: 0 pass, 3 not pass, 1 error.
    """
    from mailkeel.dns.spf import check as spf_check
    from mailkeel.report import spf as report

    found = spf_check(domain, ip, sender, helo)
    if as_json:
        common.emit_json(report.as_json(found))
    else:
        click.echo(report.render_text(found), nl=False)
    sys.exit(0 if found.is_pass else common.FALLS_SHORT)
