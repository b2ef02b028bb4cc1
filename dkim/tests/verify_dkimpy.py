"""Verifies signed messages with dkimpy: a second opinion, independent of the code that signed.

Called with a folder that holds `keys.tsv` (name TAB value of each TXT record) and `*.eml`. Prints one line per
message: its name, then `pass` or `fail` for each signature from the top.
"""

import pathlib
import sys

import dkim


def main(folder):
    keys = {}
    for line in (folder / "keys.tsv").read_text().splitlines():
        name, value = line.split("\t")
        keys[name] = value.encode()

    def lookup(name, timeout=5):
        return keys.get(name.decode().rstrip("."))

    for path in sorted(folder.glob("*.eml")):
        message = path.read_bytes()
        count = sum(1 for line in message.splitlines() if line.lower().startswith(b"dkim-signature:"))
        verdicts = []
        for index in range(count):
            try:
                good = dkim.DKIM(message, minkey=1024).verify(idx=index, dnsfunc=lookup)
            except dkim.DKIMException as error:
                good = False
                print(f"{path.name}: {error}", file=sys.stderr)
            verdicts.append("pass" if good else "fail")
        print(path.name, *verdicts)


main(pathlib.Path(sys.argv[1]))
