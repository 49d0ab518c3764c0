"""What the figures were measured on."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path


def describe(release: str, rounds: int) -> str:
    """One paragraph: date, CPU, cores, memory, kernel, release, rounds, and the load when it began."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    kibibytes = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    memory = f"{int(kibibytes[1]) / 1048576:.0f} GiB" if kibibytes else "unknown memory"
    cpu = model[1] if model else "an unknown CPU"
    return (
        f"Measured {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())} on {cpu}, {os.cpu_count()} cores, "
        f"{memory}, Linux {os.uname().release}; hosts of Debian {release}; {rounds} rounds, medians. "
        f"{load()}"
    )


def load() -> str:
    """The load now, in words."""
    one, five, _ = os.getloadavg()
    return f"Load average of the machine (it is shared): {one:.1f} over 1 minute, {five:.1f} over 5."
