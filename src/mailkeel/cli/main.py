"""The command line. No logic: each command reads its arguments, calls, prints and sets the exit status."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from mailkeel import __version__
from mailkeel.cli.common import guarded

#: Command, the module that has it, and its line in the help: modules are imported when they are used.
_COMMANDS = {
    "init": ("changing", "Write a commented specification."),
    "plan": ("changing", "Show what `apply` would change."),
    "apply": ("changing", "Make the host what the specification says, then prove it."),
    "prove": ("looking", "Look at every criterion, with evidence."),
    "status": ("looking", "Show the state of the mail server on one screen."),
    "history": ("changing", "List the transactions so far."),
    "undo": ("changing", "Bring the host back to before a transaction."),
    "dns": ("looking", "Show the DNS records wanted, or compare them with the world."),
    "explain": ("looking", "Explain a criterion, an error or a log line."),
    "metrics": ("looking", "Print Prometheus metrics."),
}


class _Lazy(click.Group):
    """A group that imports a command when it is called: `plan` need not load what `prove` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"mailkeel.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mailkeel")
def cli() -> None:
    """Turns a Debian 12 or 13 host into a correctly authenticated mail server.

    plan -> apply -> prove. SPEC is /etc/mailkeel/mail.toml unless given.
    """


def run(name: str, arguments: Sequence[str]) -> NoReturn:
    """Run the program of this name: mailkeel, mail-spf-check or 9-mail_config."""
    guarded(lambda: _program(name).main(list(arguments), prog_name=name, standalone_mode=False))


def _program(name: str) -> click.Command:
    if name == "mail-spf-check":
        from mailkeel.cli.looking import mail_spf_check

        return mail_spf_check
    if name == "9-mail_config":
        from mailkeel.cli.first_boot import first_boot as command

        return command
    return cli


def main() -> NoReturn:
    """The console script `mailkeel`."""
    run("mailkeel", sys.argv[1:])


def spf_check() -> NoReturn:
    """The console script `mail-spf-check`."""
    run("mail-spf-check", sys.argv[1:])


def first_boot() -> NoReturn:
    """The console script `9-mail_config`."""
    run("9-mail_config", sys.argv[1:])
