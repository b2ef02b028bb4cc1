"""Receives mail with aiosmtpd.

receiver.py FOLDER IP PORT SIZE_MAX utf8|ascii: each message becomes N.eml in FOLDER, with the parameters of its MAIL and
its recipients in N.json, written last. Says "ready", and ends when its standard input does.
"""

import json
import sys
from pathlib import Path

from aiosmtpd.controller import Controller

folder, ip, port, size_max, names = sys.argv[1:]


class Keep:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        Keep.count += 1
        place = Path(folder) / str(Keep.count)
        place.with_suffix(".eml").write_bytes(envelope.original_content)
        place.with_suffix(".json").write_text(json.dumps({"mail": envelope.mail_options, "to": envelope.rcpt_tos}))
        return "250 2.0.0 kept"


controller = Controller(
    Keep(), hostname=ip, port=int(port), data_size_limit=int(size_max), enable_SMTPUTF8=names == "utf8"
)
controller.start()
print("ready", flush=True)
sys.stdin.read()
controller.stop()
