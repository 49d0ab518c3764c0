"""`9-mail_config`: the ninth module of a first-boot sequence. Environment and specification in, `apply` and
`prove` unattended (M5, L1)."""

from __future__ import annotations

import os

import click

from mailkeel.cli import common
from mailkeel.errors import MailkeelError
from mailkeel.host.interface import Host
from mailkeel.operate.record import log, log_lines

_MODULES = "/etc/firstboot/modules"
_SWITCHES = ("9-mail_config.enabled", "mail_config.enabled")


@click.command("9-mail_config")
def first_boot() -> None:
    """Configure this host's mail at first boot, from MAILKEEL_* variables and /etc/mailkeel/mail.toml.

    Exit status: 0 applied, nothing to do, or disabled; 1 refused or rolled back.
    """
    common.need_root()
    host = common.the_host()
    if is_disabled(host):
        log(host, "INFO", f"disabled: {_MODULES} holds neither {' nor '.join(_SWITCHES)}")
        click.echo("mail_config is disabled; nothing was done.")
        return
    log(host, "INFO", "mail configuration begins")
    try:
        _configure(host)
    except MailkeelError as error:
        log_lines(host, "ERROR", map(str, error.problems))
        raise
    log(host, "INFO", "mail configuration ends")


def is_disabled(host: Host) -> bool:
    """Whether the first-boot directory exists and does not switch this module on (M5)."""
    names = host.names(_MODULES)
    return host.entry(_MODULES) is not None and not any(switch in names for switch in _SWITCHES)


def _configure(host: Host) -> None:
    from mailkeel.cli.changing import carry_out, recover_first
    from mailkeel.spec.dump import dump
    from mailkeel.spec.environment import from_environment
    from mailkeel.spec.reader import load

    recover_first(host)
    given = os.environ.get("MAILKEEL_SPEC", common.DEFAULT_SPEC)
    path = given if os.path.exists(given) or "MAILKEEL_SPEC" in os.environ else None
    spec = load(path, os.environ)
    is_overlaid = from_environment(os.environ) or path is None
    source = dump(spec).encode() if is_overlaid else common.read_source(given)
    carry_out(host, spec, source, yes=True)
