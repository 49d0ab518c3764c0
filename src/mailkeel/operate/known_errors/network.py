"""E4: the other server could not be reached, or the connection did not last."""

from __future__ import annotations

from mailkeel.operate.known_errors.entry import KnownError, Level

ERRORS: tuple[KnownError, ...] = (
    KnownError(
        "port-25-timeout",
        "The other server's port 25 does not answer",
        r"connect to \S{1,300}:25: Connection timed out",
        Level.WARNING,
        "E4",
        "if it is so with every server, your hosting provider blocks outgoing port 25, as many do for new "
        "customers; if with one, that server is down",
        "`nc -vz gmail-smtp-in.l.google.com 25`: if that times out too, ask the provider to open port 25, "
        "or send through a relay (mode relay, port 587)",
        "choose a provider that lets mail out",
    ),
    KnownError(
        "connect-timeout",
        "The other server does not answer",
        r"connect to \S{1,300}:\d+: Connection timed out|connect to \S{1,300}: Connection timed out",
        Level.WARNING,
        "E4",
        "the server is down, or a firewall between drops the connection",
        "`nc -vz HOST PORT` from this host; for the relay see its status page and this host's firewall",
        "run `mailkeel prove` now and then, by cron or a timer",
    ),
    KnownError(
        "connect-refused",
        "The other server refuses the connection",
        r"connect to \S{1,300}:\d+: Connection refused|connect to \S{1,300}: Connection refused",
        Level.WARNING,
        "E4",
        "nobody listens on that port: the server is down or restarting, the MX record is wrong, or a "
        "firewall rejects the connection; Postfix tries again by itself",
        "look at the domain's MX with `dig MX DOMAIN`; for the relay correct host and port",
        "run `mailkeel prove` now and then, by cron or a timer",
    ),
    KnownError(
        "network-unreachable",
        "There is no way to the other server",
        r"connect to \S{1,300}: (Network is unreachable|No route to host)",
        Level.WARNING,
        "E4",
        "this host has no route to the address, very often because it has no working IPv6 while the "
        "receiver has",
        "`ip route get ADDRESS`; without IPv6 set `inet_protocols = ipv4`",
        "give the host both, or say so to Postfix",
    ),
    KnownError(
        "connection-lost",
        "The connection to the other server broke off",
        r"lost connection with \S{1,300} while|conversation with \S{1,300} timed out"
        r"|timed out while (receiving|sending)|server dropped connection|refused to talk to me"
        r"|server unavailable or unable to receive",
        Level.WARNING,
        "E4",
        "the receiver ended the conversation: overload, a filter, or a network that loses large packets "
        "(MTU)",
        "nothing at once: Postfix tries again; if one receiver always does it, try a smaller MTU (`ip "
        "link set dev DEV mtu 1400`) and ask its postmaster",
        "none",
    ),
    KnownError(
        "tls-not-offered",
        "TLS is demanded and the other server does not offer it",
        r"TLS is required, but was not offered",
        Level.ERROR,
        "E4",
        "a policy of yours (or DANE) demands TLS for this receiver, whose server has none; port 465 was "
        "perhaps meant, where TLS starts at once",
        "for a relay: `relay.tls` and `relay.port` must fit (465 implicit, 587 starttls); for a domain: "
        "its `[[tls_policy]]`",
        "use the port and kind of TLS that the provider names",
    ),
    KnownError(
        "certificate-expired",
        "A certificate has expired",
        r"certificate (has )?expired|certificate is not yet valid|verify error.{0,40}num=10\b"
        r"|alert certificate expired",
        Level.ERROR,
        "E4",
        "the certificate that was shown is past its last day (or the clock of this host is wrong)",
        "if it is ours: renew it (`certbot renew`) and `systemctl reload postfix`; if theirs: tell the "
        "receiver. `timedatectl` shows the clock",
        "let an ACME client renew by its timer; `mailkeel prove` (I3) tells a month before",
    ),
    KnownError(
        "certificate-untrusted",
        "The other server's certificate is not trusted",
        r"hostname mismatch|Server certificate not (trusted|verified)|certificate verif\w{1,8} failed"
        r"|untrusted issuer|self[- ]signed certificate|alert unknown ca|alert bad certificate"
        r"|unable to get local issuer|certificate unknown",
        Level.ERROR,
        "E4",
        "the certificate was not issued by an authority that the client knows, or bears another name. "
        "`alert` in the line means that the other side does not trust ours",
        "for ours: a certificate of a public authority ([tls] in the specification); for theirs: `openssl "
        "s_client -starttls smtp -connect HOST:25` shows it",
        "use a certificate of a public authority, with its chain",
    ),
    KnownError(
        "tls-handshake",
        "A TLS connection could not be made",
        r"SSL_(accept|connect) error|TLS library problem|Cannot start TLS|TLS handshake failed"
        r"|handshake failure|no shared cipher|unsupported protocol|wrong version number",
        Level.WARNING,
        "E4",
        "the two sides have no version or cipher of TLS in common (old clients, scanners), or one of them "
        "did not speak TLS at all",
        "from strangers on port 25: nothing; from a program of yours: update it, or see that it uses "
        "STARTTLS on 587 and TLS on 465",
        "none: TLS below 1.2 is rightly refused (RFC 8996)",
    ),
    KnownError(
        "transport-unavailable",
        "A delivery program of Postfix does not work",
        r"mail transport unavailable|unknown mail transport error|connect to transport \S{1,80}:",
        Level.ERROR,
        "E1",
        "transport_maps or main.cf names a service that master.cf lacks, or the service ends at once",
        "`postconf -M` lists the services; the lines just before, by master or the service itself, say more",
        "let mailkeel write master.cf",
    ),
    KnownError(
        "mailbox-write",
        "A message could not be written into a mailbox",
        r"cannot update mailbox|mailbox .{0,200}(Permission denied|Is a directory)"
        r"|unable to create lock file|maildir delivery failed"
        r"|destination .{0,200} is not owned by recipient",
        Level.ERROR,
        "E4",
        "the mailbox file or its folder belongs to another account, or is not writable; mail waits in the "
        "queue",
        "/var/mail must be root:mail 2775 and each mailbox USER:mail 600; then `postqueue -f`",
        "do not change owners below /var/mail",
    ),
    KnownError(
        "lifetime-over",
        "A message was returned after waiting too long",
        r"status=expired|message has been in the queue too long|\b4\.4\.7\b|delivery time expired",
        Level.ERROR,
        "E4",
        "it could not be delivered within limits.queue_lifetime_seconds; the earlier lines of the same "
        "queue id say why",
        "look for its queue id in /var/log/mail.log and have the last reason explained",
        "look at `postqueue -p` now and then: it shows what waits and why",
    ),
    KnownError(
        "queue-corrupt",
        "A file in the queue is damaged",
        r"saving corrupt file|corrupt(ed)? queue file|uses? wrong queue file"
        r"|unexpected (end|EOF) .{0,40}queue file",
        Level.ERROR,
        "E4",
        "the machine lost power or the file system is damaged; Postfix put the file into the folder "
        "`corrupt`",
        "look into /var/spool/postfix/corrupt; check the file system",
        "none",
    ),
)
