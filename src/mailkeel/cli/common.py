"""What the commands share: errors as text with the right exit status, the specification, the plan."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from mailkeel.engine.plan import Plan
from mailkeel.errors import MailkeelError, Problem, Refused
from mailkeel.host.interface import Host
from mailkeel.report import screen
from mailkeel.spec.model import Spec

#: Exit statuses of every command (DESIGN).
ERROR, CHANGES, FALLS_SHORT = 1, 2, 3

DEFAULT_SPEC = "/etc/mailkeel/mail.toml"

spec_argument = click.argument("spec_path", metavar="[SPEC]", default=DEFAULT_SPEC)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def guarded(work: Callable[[], object]) -> NoReturn:
    """Run a program to its end. What is wrong is said on standard error; no traceback reaches a person."""
    try:
        work()
    except MailkeelError as error:
        sys.stderr.write(f"mailkeel: {_title(error)}\n{screen.problems(error.problems)}")
        sys.exit(ERROR)
    except click.ClickException as error:
        error.show()
        sys.exit(ERROR)
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("mailkeel: stopped; nothing was changed\n")
        sys.exit(ERROR)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(ERROR)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a person gets no traceback
        _say_internal(error)
        sys.exit(ERROR)
    sys.exit(0)


def _title(error: MailkeelError) -> str:
    titles = {"SpecError": "the specification is wrong", "Refused": "refused, nothing was changed"}
    titles |= {"RolledBack": "it failed, and everything was taken back: this host is as it was before"}
    return titles.get(type(error).__name__, "it did not work")


def _say_internal(error: Exception) -> None:
    """A defect of mailkeel's own. The traceback may hold a secret: only on demand."""
    if os.environ.get("MAILKEEL_DEBUG"):
        raise error
    sys.stderr.write(
        f"mailkeel: a defect of mailkeel's own: {type(error).__name__}: {screen.visible(str(error))}\n"
        "    do: run it again with MAILKEEL_DEBUG=1 and report what it prints\n"
    )


def emit_json(document: Any) -> None:
    """Print JSON."""
    click.echo(json.dumps(document, indent=2))


def the_host() -> Host:
    """The host that mailkeel runs on."""
    from mailkeel.host.real import RealHost

    return RealHost()


def need_root() -> None:
    """Raises Refused for anybody else."""
    if os.geteuid() != 0:
        raise Refused(Problem("mailkeel", "only root may change a mail server", "run it with sudo"))


def load_spec(path: str) -> Spec:
    """Read a specification from a file. Raises SpecError with all its problems."""
    from mailkeel.spec.reader import load

    return load(path)


def plan_for(host: Host, spec: Spec, source: bytes) -> Plan:
    """The plan, with the specification itself among the files: the next command finds it."""
    from mailkeel.engine import make_plan

    return make_plan(host, spec, source)


def read_source(path: str) -> bytes:
    """The bytes of the specification, as they are kept on the host. Raises SpecError through `load`."""
    with open(path, "rb") as file:
        return file.read()


def confirm(question: str, yes: bool) -> None:
    """Ask on a terminal; elsewhere only `--yes` goes on. Raises Refused."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refused(Problem(question, "nobody is there to be asked", "add --yes"))
    if not click.confirm(question):
        raise Refused(Problem(question, "you said no", "run it again when you are ready"))
