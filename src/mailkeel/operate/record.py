"""What a run leaves for people and programs: the log (L1), the last proof and metrics (O4, O5)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

from mailkeel.host.interface import Entry, Host, Kind
from mailkeel.operate.status import PROOF_FILE
from mailkeel.prove.evidence import Proof, Verdict, as_json

LOG = "/var/log/firstboot/9-mail_config.log"

_LEVELS = {Verdict.FAIL: "ERROR", Verdict.UNKNOWN: "WARNING"}


def log(host: Host, level: str, text: str) -> None:
    """Append a line to the log: time, level, what happened. Line feeds in the text become `; `."""
    for folder in ("/var/log", "/var/log/firstboot"):
        if host.entry(folder) is None:
            host.put(folder, Entry(Kind.DIRECTORY, mode=0o755))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(host.now()))
    line = "; ".join(part.strip() for part in text.splitlines() if part.strip())
    host.append(LOG, f"{stamp} {level:<7} {line}\n".encode(errors="backslashreplace"))


def log_lines(host: Host, level: str, texts: Iterable[str]) -> None:
    """Append several lines of one level."""
    for text in texts:
        log(host, level, text)


def keep_proof(host: Host, proof: Proof) -> None:
    """Keep the proof as JSON for `status` and for other programs, and one log line for each criterion."""
    if host.entry("/var/lib/mailkeel") is None:
        host.put("/var/lib/mailkeel", Entry(Kind.DIRECTORY, mode=0o700))
    document = {**as_json(proof), "at": round(host.now(), 3)}
    host.put(PROOF_FILE, Entry(Kind.FILE, json.dumps(document, indent=1).encode() + b"\n", mode=0o644))
    for criterion in proof.criteria:
        level = _LEVELS.get(criterion.verdict, "INFO")
        log(host, level, f"{criterion.id} {criterion.verdict.value}: {criterion.title}: {criterion.observed}")
