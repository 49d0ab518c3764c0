"""The only place that knows how to change a host safely: observe, plan, transaction, journal."""

from __future__ import annotations

from mailkeel import daemons
from mailkeel.engine.observe import observe, read_facts
from mailkeel.engine.plan import Plan, diff, missing_packages
from mailkeel.errors import Problem, Refused
from mailkeel.host.interface import AptPlan, Host
from mailkeel.resources import Desired, Directory, File
from mailkeel.spec.model import Spec

SPEC_PATH = "/etc/mailkeel/mail.toml"


def make_plan(host: Host, spec: Spec, source: bytes = b"") -> Plan:
    """Compare what the specification asks for with what the host is like. Changes nothing.

    `source` is the specification's text: it is kept on the host too, so that every later command finds
    it. Raises Refused for a mode or release that this version cannot set up, and for a given certificate
    that is not there.
    """
    _refuse_absent(host, spec)
    desired = daemons.desired(spec, read_facts(host))
    if source:
        kept = File(SPEC_PATH, source, "the specification, for every later command", mode=0o640)
        folder = Directory("/etc/mailkeel", "mailkeel's specification")
        desired = Desired(directories=(folder,), files=(kept,)) + desired
    observed = observe(host, desired)
    missing = missing_packages(desired, observed)
    apt = host.apt_plan(missing) if missing else AptPlan()
    return diff(desired, observed, apt)


def _refuse_absent(host: Host, spec: Spec) -> None:
    """With a certificate or key that is not there, Postfix would come up without TLS."""
    given = {"tls.certificate": spec.tls.certificate, "tls.key": spec.tls.key}
    absent = [(name, path) for name, path in given.items() if path and host.entry(path) is None]
    if absent:
        remedy = "put it there, correct the path, or leave [tls] out for a self-signed one"
        raise Refused(*(Problem(name, f"{path} is not there", remedy) for name, path in absent))
