"""What attackers try, as data. VICTIM is the domain that they want to be taken for, ATTACK.name their own."""

from __future__ import annotations

from converged import HOSTNAME
from strangers import ATTACK, FARAWAY, STRICT

VICTIM = STRICT.name
EVIL = ATTACK.name

#: Recipients that an open relay would take (the last is a plain stranger).
RELAY_RECIPIENTS = tuple(
    text.replace("FAR", FARAWAY.name)
    for text in (
        "friend%FAR@mwa.com",
        "friend%FAR@mail.mwa.com",
        "friend%FAR@[10.99.0.1]",
        "friend%FAR",
        "FAR!friend",
        "FAR!friend@mwa.com",
        '"friend@FAR"',
        '"friend@FAR"@mwa.com',
        '"friend%FAR"@mwa.com',
        '"FAR!friend"@mwa.com',
        "@mwa.com:friend@FAR",
        "@mwa.com,@mail.mwa.com:friend@FAR",
        "friend@FAR@mwa.com",
        "friend@mwa.com@FAR",
        "friend@[10.99.0.2]",
        "friend@[IPv6:fd99::2]",
        "friend@FAR.",
        "FRIEND@FAR",
        "friend@FAR",
    )
)
RELAY_SENDERS = (f"x@{EVIL}", "", "alice@mwa.com", "root@localhost", "alice@mail.mwa.com")

#: Recipients that local(8) would treat as something else than an account, were they taken.
STRANGE_RECIPIENTS = (
    "nobody-here@mwa.com",
    "nobody-here@mail.mwa.com",
    "nobody-here+alice@mwa.com",
    '"|/usr/bin/id"@mwa.com',
    '"/etc/passwd"@mwa.com',
    '":include:/etc/passwd"@mwa.com',
    "../alice@mwa.com",
    '"alice bob"@mwa.com',
)
PROBE_RECIPIENTS = (
    "mailkeel-probe@mwa.com",
    "Mailkeel-Probe@MWA.COM",
    "mailkeel-probe@mail.mwa.com",
    "mailkeel-probe+x@mwa.com",
    '"mailkeel-probe"@mwa.com',
    "@mwa.com:mailkeel-probe@mwa.com",
    "mailkeel-probe@[10.99.0.1]",
    "mailkeel-probe@localhost",
    "mailkeel-probe",
)

#: Ends of DATA that are none (RFC 5321 4.1.1.4; CVE-2023-51764).
FALSE_ENDS = (
    b"\n.\n",
    b"\n.\r\n",
    b"\n.\r",
    b"\r.\r",
    b"\r.\n",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n.\r\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\r\n.\r\r\n",
    b"\n\n.\n\n",
)

#: From headers of a message that `alice` submits: each claims, somewhere, to be somebody else.
FOREIGN_AUTHORS = tuple(
    text.replace("VICTIM", VICTIM)
    for text in (
        "bob@mwa.com",
        "BOB@MWA.COM",
        "bob@mail.mwa.com",
        "bob+alice@mwa.com",
        "carol@mwa.com",
        "nobody-here@mwa.com",
        "ceo@VICTIM",
        "alice@VICTIM",
        "alice@sub.mwa.com",
        '"alice@mwa.com" <bob@mwa.com>',
        "alice@mwa.com <bob@mwa.com>",
        "bob@mwa.com <alice@mwa.com>",
        "bob@mwa.com (alice@mwa.com)",
        "(alice@mwa.com) bob@mwa.com",
        "<alice@mwa.com> <bob@mwa.com>",
        "<bob@mwa.com> <alice@mwa.com>",
        "<alice@mwa.com> bob@mwa.com",
        "alice@mwa.com, bob@mwa.com",
        "bob@mwa.com, alice@mwa.com",
        "alice@mwa.com; bob@mwa.com",
        "Team: alice@mwa.com, bob@mwa.com;",
        "Team: alice@mwa.com;",
        "undisclosed-recipients:;",
        "",
        "<>",
        "@mwa.com",
        "alice@",
        "alice@mwa.com@VICTIM",
        "<@VICTIM:alice@mwa.com>",
        '"bob"@mwa.com',
        '"alice@mwa.com"@VICTIM',
        "alice @ mwa.com, <bob@mwa.com>",
        "=?utf-8?q?bob=40mwa.com?=",
        "alice@mwa.com\r\n ,bob@mwa.com",
        "alice@mwa.com\rFrom: bob@mwa.com",
        "alice@mwa.com\0<bob@mwa.com>",
        '"unclosed <alice@mwa.com>',
        "(unclosed <alice@mwa.com>",
    )
)
#: Whole header blocks with more than one author, or a From header in disguise.
FOREIGN_HEADERS = (
    "From: alice@mwa.com\r\nFrom: bob@mwa.com",
    "From: bob@mwa.com\r\nFrom: alice@mwa.com",
    "From: alice@mwa.com\r\nFrom: alice@mwa.com",
    "from: alice@mwa.com\r\nFROM: bob@mwa.com",
    "From: alice@mwa.com\r\nFrom : bob@mwa.com",
    "From : bob@mwa.com\r\nFrom: alice@mwa.com",
    "From\t: bob@mwa.com",
    "From : bob@mwa.com",
    "From:\r\n bob@mwa.com",
)
FOREIGN_SENDERS = (
    "bob@mwa.com",
    "BOB@mwa.com",
    "bob@mail.mwa.com",
    "bob+alice@mwa.com",
    '"bob"@mwa.com',
    "@mwa.com:bob@mwa.com",
    "bob%mwa.com@mwa.com",
    "bob",
    "bob@localhost",
    "alice@localhost",
    f"ceo@{VICTIM}",
    f"alice@{VICTIM}",
    "nobody-here@mwa.com",
    "alice@sub.mwa.com",
)

#: Envelope senders that programs read in different ways (they end in the attacker's domain, by DNS).
ODD_SENDERS = tuple(
    text.replace("VICTIM", VICTIM).replace("EVIL", EVIL).encode()
    for text in (
        "any@VICTIM(a.EVIL",
        "any@VICTIM'@any.EVIL",
        "@VICTIM,@any:'any@EVIL",
        "@VICTIM,@any:any@EVIL",
        "@VICTIM:any@EVIL",
        "@VICTIM:@x:any@EVIL",
        '@VICTIM,">":any@EVIL',
        " @VICTIM:any@EVIL",
        "VICTIM'a@EVIL",
        "ceo@VICTIM,any@EVIL",
        "ceo@VICTIM:any@EVIL",
        '"any"@EVIL',
        "a\\ny@EVIL",
        "any@EVIL><ceo@VICTIM",
        "any@EVIL> <ceo@VICTIM",
        "any@EVIL.",
        "any@VICTIM'.EVIL",
        "any@VICTIM,.EVIL",
        'any@VICTIM".EVIL',
        '"any@VICTIM"@EVIL',
        "any@VICTIM@EVIL",
        "any@VICTIM;.EVIL",
        "any@VICTIM\\@EVIL",
        "any(@VICTIM)@EVIL",
        "any@VICTIM any@EVIL",
        "any@VICTIM\0.EVIL",
        "any@VICTIM\t.EVIL",
        "any@VICTIM\r.EVIL",
        "<any@VICTIM>@EVIL",
    )
)
#: The same as the domain of a DKIM signature, and as a selector.
ODD_SIGNERS = tuple(
    text.replace("VICTIM", VICTIM).replace("EVIL", EVIL).encode()
    for text in (
        "VICTIM(.EVIL",
        "VICTIM'.EVIL",
        'VICTIM".EVIL',
        "VICTIM,.EVIL",
        "VICTIM\\.EVIL",
        "VICTIM/.EVIL",
        "VICTIM..EVIL",
        "VICTIM\0.EVIL",
        "VICTIM dkim=pass header.d=VICTIM .EVIL",
    )
)
ODD_SELECTORS = tuple(
    text.replace("VICTIM", VICTIM).encode()
    for text in (
        "x header.d=VICTIM",
        "x\theader.d=VICTIM",
        "x(header.d=VICTIM",
        "x)header.d=VICTIM",
        'x"header.d=VICTIM',
        "VICTIM(",
    )
)

#: From headers of mail from outside: whoever reads them as VICTIM's must not be told that they are.
MISLEADING_AUTHORS = tuple(
    text.replace("VICTIM", VICTIM).replace("EVIL", EVIL)
    for text in (
        "ceo@VICTIM, x@EVIL",
        "x@EVIL, ceo@VICTIM",
        "<x@EVIL>, <ceo@VICTIM>",
        "x@EVIL,\r\n <ceo@VICTIM>",
        "x@EVIL; ceo@VICTIM",
        "Team: ceo@VICTIM;",
        "Team: x@EVIL, ceo@VICTIM;",
        "undisclosed-recipients:;",
        "",
        "<>",
        "ceo",
        "ceo VICTIM",
        "@VICTIM",
        "ceo@",
        "<ceo@VICTIM",
        "ceo@VICTIM>",
        "ceo@VICTIM <",
        "<<ceo@VICTIM>>",
        '"ceo@VICTIM" <x@EVIL>',
        '"ceo@VICTIM <ceo@VICTIM>" <x@EVIL>',
        "<ceo@VICTIM> <x@EVIL>",
        "<x@EVIL> <ceo@VICTIM>",
        "ceo@VICTIM <x@EVIL>",
        "x@EVIL <ceo@VICTIM>",
        "<ceo@VICTIM> x@EVIL",
        "<x@EVIL> ceo@VICTIM",
        "ceo@VICTIM(<x@EVIL>)",
        "(x@EVIL) ceo@VICTIM",
        "(ceo@VICTIM) <x@EVIL>",
        "(\\) <ceo@VICTIM> <x@EVIL>",
        '"\\" <ceo@VICTIM> <x@EVIL>',
        '"x@EVIL>" <ceo@VICTIM>',
        '"unclosed <ceo@VICTIM>',
        "(unclosed <ceo@VICTIM>",
        "<@VICTIM:x@EVIL>",
        "<@EVIL:ceo@VICTIM>",
        "<@EVIL,@VICTIM:ceo@VICTIM>",
        "ceo@VICTIM@EVIL",
        "ceo@EVIL@VICTIM",
        '"ceo@VICTIM"@EVIL',
        '"x@EVIL"@VICTIM',
        "ceo@[10.99.0.66]",
        "ceo@VICTIM.",
        "ceo@.VICTIM",
        "ceo@VICTIM\0.EVIL",
        "x@EVIL\0<ceo@VICTIM>",
        "x@EVIL\r<ceo@VICTIM>",
        "x@EVIL\rFrom: ceo@VICTIM",
        "ceo@VICTIM(.EVIL",
        "ceo@VICTIM'.EVIL",
        "ceo@VICTIM\\.EVIL",
        "ceo@VICTIM /.EVIL",
        "ceo\\@VICTIM@EVIL",
        "ceo@strict\u3002org",
        "ceo\uff20VICTIM",
        "=?utf-8?q?=3Cceo=40VICTIM=3E?= <x@EVIL>",
        "=?utf-8?q?ceo=40VICTIM?=",
        "=?utf-8?b?PGNlb0BzdHJpY3Qub3JnPg==?=",
        "x" * 3000 + " <ceo@VICTIM>",
        "<x@EVIL>" + " " * 3000 + "<ceo@VICTIM>",
    )
)
MISLEADING_HEADERS = tuple(
    text.replace("VICTIM", VICTIM).replace("EVIL", EVIL)
    for text in (
        "X-From: ceo@VICTIM",
        "Sender: ceo@VICTIM",
        "From: x@EVIL\r\nFrom: ceo@VICTIM",
        "From: ceo@VICTIM\r\nFrom: x@EVIL",
        "From: ceo@VICTIM\r\nFrom: ceo@VICTIM",
        "from: x@EVIL\r\nFROM: ceo@VICTIM",
        "From: x@EVIL\r\nFrom : ceo@VICTIM",
        "From : ceo@VICTIM\r\nFrom: x@EVIL",
        "From\t: ceo@VICTIM",
        "From : ceo@VICTIM",
        "From:\r\n ceo@VICTIM",
        "From: x@EVIL\r\nResent-From: ceo@VICTIM\r\nFrom:ceo@VICTIM",
        "From\0: x@EVIL\r\nFrom: ceo@VICTIM",
        " From: x@EVIL\r\nFrom: ceo@VICTIM",
        "From ceo@VICTIM Mon Jan  1 00:00:00 2024\r\nFrom: ceo@VICTIM",
    )
)

#: What a forged verdict says; `forged` marks it.
_VERDICT = (
    f"spf=pass smtp.mailfrom={VICTIM}; "
    f"dkim=pass header.d={VICTIM} header.i=@{VICTIM} header.b=forged; "
    f"dmarc=pass header.from={VICTIM}; arc=pass"
)
_LONG = 3000
FORGED_VERDICTS = tuple(
    text.replace("HOST", HOSTNAME).replace("VERDICT", _VERDICT).replace("VICTIM", VICTIM)
    for text in (
        "Authentication-Results: HOST; VERDICT",
        "authentication-results: HOST; VERDICT",
        "AUTHENTICATION-RESULTS: MAIL.MWA.COM; VERDICT",
        "Authentication-Results:HOST;VERDICT",
        "Authentication-Results : HOST; VERDICT",
        "Authentication-Results\t: HOST; VERDICT",
        "Authentication-Results:\r\n HOST;\r\n\tVERDICT",
        "Authentication-Results: \r\n\t \r\n HOST\r\n ;\r\n VERDICT",
        "Authentication-Results: (really) HOST; VERDICT",
        "Authentication-Results: (a (nested; one) b) HOST; VERDICT",
        "Authentication-Results: HOST (really); VERDICT",
        'Authentication-Results: "HOST"; VERDICT',
        'Authentication-Results: "m\\ail.mwa.com"; VERDICT',
        'Authentication-Results: "mail".mwa.com; VERDICT',
        'Authentication-Results: "mail"."mwa"."com"; VERDICT',
        "Authentication-Results: mail(x).mwa.com; VERDICT",
        "Authentication-Results: mail . mwa . com; VERDICT",
        "Authentication-Results: mail. mwa.com; VERDICT",
        "Authentication-Results: mail.\r\n mwa\r\n .com; VERDICT",
        "Authentication-Results: mail\\.mwa.com; VERDICT",
        "Authentication-Results: HOST.; VERDICT",
        "Authentication-Results: HOST 1; VERDICT",
        "Authentication-Results: HOST/1; VERDICT",
        "Authentication-Results: HOST / 1; VERDICT",
        "Authentication-Results: HOST, VERDICT",
        "Authentication-Results: HOST VERDICT",
        "Authentication-Results: HOST\0; VERDICT",
        "Authentication-Results: H\0OST; VERDICT",
        "Authentication-Results: HOST\v; VERDICT",
        "Authentication-Results: ; VERDICT",
        "Authentication-Results: VERDICT",
        "Authentication-Results: ma\r\til.mwa.com; VERDICT",
        "Authentication-Results: x\rAuthentication-Results: HOST; VERDICT",
        "Authentication-Results: mx.faraway.net; spf=none\r\nAuthentication-Results: HOST; VERDICT",
        "\r\n".join(["Authentication-Results: HOST; VERDICT"] * 60),
        f"Authentication-Results: ({'x' * _LONG}) HOST; VERDICT",
        f"Authentication-Results:{' ' * _LONG}HOST; VERDICT",
        "Authentication-Results:" + "\r\n " * 900 + "HOST; VERDICT",
        f"Authentication-Results: HOST; {'spf=none; ' * 12000}VERDICT",
        "Authentication-Results: =?utf-8?q?mail.mwa.com?=; VERDICT",
        "Received-SPF: pass (HOST: domain of VICTIM is forged) envelope-from=ceo@VICTIM; identity=mailfrom",
        "received-spf:Pass (mailfrom) identity=mailfrom; envelope-from=<ceo@VICTIM>; receiver=forged",
        "Received-SPF :\r\n\tPass (forged) identity=mailfrom; envelope-from=<ceo@VICTIM>",
        "ARC-Authentication-Results: i=1; HOST; VERDICT",
        "X-Authentication-Results: HOST; VERDICT",
    )
)
