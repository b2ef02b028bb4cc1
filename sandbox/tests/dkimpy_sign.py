"""Signs messages with dkimpy: what another implementation makes must hold before our verifier.

Called with a folder. Writes `keys.tsv` (name TAB value of each TXT record) and `NAME.eml`, one for each message,
canonicalization and algorithm.
"""

import base64
import pathlib
import subprocess
import sys

import dkim
import nacl.signing

HEADERS = (
    b"From: Ana <ana@news.example>\r\n"
    b"To: Bob <bob@example.net>\r\n"
    b"Subject:  folded \t subject\r\n"
    b"\tof two lines  \r\n"
    b"Date: Mon, 05 Jan 2026 09:00:00 +0000\r\n"
    b"Message-ID: <1@news.example>\r\n"
    b"X-Two: one\r\n"
    b"X-Two: two\r\n"
)

BODIES = {
    "plain": b"Hello\r\nthere\r\n",
    "empty": b"",
    "blank-lines": b"Hello\r\n\r\n\r\n",
    "only-blank-lines": b"\r\n\r\n",
    "trailing-space": b"Hello \t \r\n  there \r\n \t\r\n",
    "no-last-line-end": b"Hello",
    "eight-bit": "Olá — ça va?\r\n".encode(),
    "dots": b".\r\n..\r\n.a\r\n",
    "long": b"0123456789abcdef\r\n" * 600,
}

NAMES = [b"from", b"to", b"subject", b"date", b"message-id", b"x-two", b"from", b"list-id"]


def main(folder):
    pem = subprocess.run(
        ["openssl", "genrsa", "-traditional", "2048"], check=True, capture_output=True
    ).stdout
    spki = subprocess.run(
        ["openssl", "rsa", "-pubout", "-outform", "DER"], check=True, capture_output=True, input=pem
    ).stdout
    seed = nacl.signing.SigningKey.generate()
    ed_private = base64.b64encode(bytes(seed))
    ed_public = base64.b64encode(bytes(seed.verify_key)).decode()
    keys = {
        "rsa._domainkey.news.example": "v=DKIM1; k=rsa; p=" + base64.b64encode(spki).decode(),
        "ed._domainkey.news.example": "v=DKIM1; k=ed25519; p=" + ed_public,
    }
    lines = [f"{name}\t{value}\n" for name, value in keys.items()]
    (folder / "keys.tsv").write_text("".join(lines))
    for body_name, body in BODIES.items():
        for canonicalize in [(h, b) for h in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")]:
            message = HEADERS + b"\r\n" + body
            for selector, key, algorithm in [
                (b"rsa", pem, b"rsa-sha256"),
                (b"ed", ed_private, b"ed25519-sha256"),
            ]:
                message = (
                    dkim.sign(
                        message,
                        selector,
                        b"news.example",
                        key,
                        signature_algorithm=algorithm,
                        canonicalize=canonicalize,
                        include_headers=NAMES,
                    )
                    + message
                )
            name = f"{body_name}-{canonicalize[0].decode()}-{canonicalize[1].decode()}.eml"
            (folder / name).write_bytes(message)


main(pathlib.Path(sys.argv[1]))
