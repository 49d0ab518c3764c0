"""The only place that knows how to change a host safely: observe, plan, transaction, journal."""

from __future__ import annotations

from mailkeel import daemons
from mailkeel.engine.observe import observe, read_facts
from mailkeel.engine.plan import Plan, diff, missing_packages
from mailkeel.host.interface import AptPlan, Host
from mailkeel.resources import Desired, Directory, File
from mailkeel.spec.model import Spec

SPEC_PATH = "/etc/mailkeel/mail.toml"


def make_plan(host: Host, spec: Spec, source: bytes = b"") -> Plan:
    """Compare what the specification asks for with what the host is like. Changes nothing.

    `source` is the specification's text: it is kept on the host too, so that every later command finds
    it. Raises Refused for a mode or release that this version cannot set up.
    """
    desired = daemons.desired(spec, read_facts(host))
    if source:
        kept = File(SPEC_PATH, source, "the specification, for every later command", mode=0o640)
        folder = Directory("/etc/mailkeel", "mailkeel's specification")
        desired = Desired(directories=(folder,), files=(kept,)) + desired
    observed = observe(host, desired)
    missing = missing_packages(desired, observed)
    apt = host.apt_plan(missing) if missing else AptPlan()
    return diff(desired, observed, apt)
