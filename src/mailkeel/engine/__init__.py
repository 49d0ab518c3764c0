"""The only place that knows how to change a host safely: observe, plan, transaction, journal."""

from __future__ import annotations

from mailkeel import daemons
from mailkeel.daemons.postfix import MAIN_CF, MASTER_CF
from mailkeel.daemons.postfix import conflicts as postfix_conflicts
from mailkeel.engine.observe import observe, read_facts
from mailkeel.engine.plan import Plan, diff, missing_packages
from mailkeel.facts import HostFacts
from mailkeel.host.interface import AptPlan, Host
from mailkeel.resources import Desired, Directory, File
from mailkeel.spec.model import Spec

SPEC_PATH = "/etc/mailkeel/mail.toml"


def make_plan(host: Host, spec: Spec, source: bytes = b"") -> Plan:
    """Compare what the specification asks for with what the host is like. Changes nothing.

    `source` is the specification's text: it is kept on the host too, so that every later command finds
    it. Raises Refused for a mode or release that this version cannot set up.
    """
    facts = read_facts(host)
    desired = daemons.desired(spec, facts)
    if source:
        kept = File(SPEC_PATH, source, "the specification, for every later command", mode=0o640)
        desired = (
            Desired(directories=(Directory("/etc/mailkeel", "mailkeel's specification"),), files=(kept,))
            + desired
        )
    observed = observe(host, desired)
    missing = missing_packages(desired, observed)
    apt = host.apt_plan(missing) if missing else AptPlan()
    return diff(desired, observed, apt, _notes(host, spec, facts))


def _notes(host: Host, spec: Spec, facts: HostFacts) -> dict[str, tuple[str, ...]]:
    """The person's own settings that would change, by the file they stand in."""
    main, master = host.entry(MAIN_CF), host.entry(MASTER_CF)
    texts = [entry.content.decode(errors="replace") if entry else "" for entry in (main, master)]
    found = postfix_conflicts(spec, facts, daemons.postfix_inputs(spec, facts), *texts)
    lines = tuple(
        f"yours: {one.name} = {one.found}; mailkeel: {'(taken out)' if one.wanted is None else one.wanted}"
        for one in found
    )
    return {
        MAIN_CF: tuple(line for line in lines if not line.startswith("yours: service ")),
        MASTER_CF: tuple(line for line in lines if line.startswith("yours: service ")),
    }
