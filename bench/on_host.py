"""Runs on the measured host: times what must be timed without a detour. Prints JSON. Only the standard
library, as a host has it.

    on_host.py command N ARGV...                   seconds of each of N runs
    on_host.py deliver PORT SINK COUNT OCTETS SESSIONS   seconds until the sink has counted COUNT messages
    on_host.py latency PORT SINK COUNT OCTETS      seconds from the end of DATA to the 250, of each message
    on_host.py sample PORT SINK COUNT              the messages as the sink got them
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

SENDER, RECIPIENT = "alice@example.com", "somebody@elsewhere.example"
SMTP_SOURCE, SMTP_SINK = "/usr/sbin/smtp-source", "/usr/sbin/smtp-sink"
LIMIT_SECONDS = 60.0


def main(verb: str, *arguments: str) -> None:
    """Do it and print what was measured."""
    verbs: dict[str, Callable[..., object]] = {"deliver": deliver, "latency": latency, "sample": sample}
    if verb == "command":
        result: object = time_command(int(arguments[0]), list(arguments[1:]))
    else:
        result = verbs[verb](*(int(argument) for argument in arguments))
    json.dump(result, sys.stdout)


def time_command(count: int, argv: list[str]) -> list[float]:
    """Seconds of wall time of each run. Ends the program, with what was printed, at a status other than 0."""
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        seconds.append(time.perf_counter() - began)
        if done.returncode != 0:
            raise SystemExit(f"exit status {done.returncode}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return seconds


def deliver(port: int, sink_port: int, count: int, octets: int, sessions: int) -> float:
    """Seconds from the first connection until the sink has all messages."""
    with sink(sink_port) as counted:
        began = time.perf_counter()
        source = [SMTP_SOURCE, "-s", str(sessions), "-m", str(count), "-l", str(octets)]
        subprocess.run([*source, "-f", SENDER, "-t", RECIPIENT, f"127.0.0.1:{port}"], check=True)
        wait_for(counted, count)
        return time.perf_counter() - began


def latency(port: int, sink_port: int, count: int, octets: int) -> list[float]:
    """Seconds from the last octet of a message to its 250, one after the other over one connection."""
    line = b"x" * 78 + b"\r\n"
    head = f"From: {SENDER}\r\nTo: {RECIPIENT}\r\nSubject: latency\r\n\r\n".encode()
    message = head + line * ((octets - len(head)) // len(line))
    with sink(sink_port) as counted, smtplib.SMTP("127.0.0.1", port, "localhost", timeout=60) as smtp:
        smtp.ehlo()
        # Without it the last line would wait for the acknowledgement of those before it (RFC 896): 40 ms.
        if smtp.sock is not None:
            smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seconds = [_one(smtp, message) for _ in range(count)]
        wait_for(counted, count)
    return seconds


def _one(smtp: smtplib.SMTP, message: bytes) -> float:
    smtp.mail(SENDER)
    smtp.rcpt(RECIPIENT)
    smtp.docmd("DATA")
    smtp.send(message)
    began = time.perf_counter()
    smtp.send(b".\r\n")
    code, words = smtp.getreply()
    seconds = time.perf_counter() - began
    if code != 250:
        raise SystemExit(f"{code} {words!r}")
    return seconds


def sample(port: int, sink_port: int, count: int) -> list[str]:
    """Messages as they reached the sink."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o777)
        with sink(sink_port, "-d", f"{folder}/%M.") as counted:
            source = [SMTP_SOURCE, "-m", str(count), "-f", SENDER, "-t", RECIPIENT, f"127.0.0.1:{port}"]
            subprocess.run(source, check=True)
            wait_for(counted, count)
        return [path.read_text(errors="replace") for path in pathlib.Path(folder).iterdir()]


@contextlib.contextmanager
def sink(port: int, *options: str) -> Iterator[pathlib.Path]:
    """smtp-sink, which takes everything; gives the file that it counts in."""
    with tempfile.TemporaryDirectory() as folder:
        counted = pathlib.Path(folder) / "count"
        with counted.open("wb") as output:
            argv = [SMTP_SINK, "-u", "nobody", "-c", *options, f"127.0.0.1:{port}", "1000"]
            process = subprocess.Popen(argv, stdout=output, stdin=subprocess.DEVNULL)
        try:
            time.sleep(0.3)
            yield counted
        finally:
            process.terminate()
            process.wait()


def wait_for(counted: pathlib.Path, count: int) -> None:
    """Wait until the sink has so many messages: it writes `mesg=N` again and again."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while messages(counted.read_bytes()[-200:]) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {messages(counted.read_bytes()[-200:])} of {count} messages arrived")
        time.sleep(0.01)


def messages(text: bytes) -> int:
    """The last count in what the sink wrote."""
    found = re.findall(rb"mesg=(\d+)(?=\D)", text)
    return int(found[-1]) if found else 0


if __name__ == "__main__":
    main(*sys.argv[1:])
