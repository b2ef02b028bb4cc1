"""Hands in messages with Python's smtplib and prints the server's answer to each.

submit.py starttls|tls PORT LOGIN SECRET FIRST COUNT: recipients r<n>@albatross.example. The last line is "done", or
what went wrong.
"""

import smtplib
import ssl
import sys

how, port, login, secret, first, count = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
try:
    if how == "tls":
        smtp = smtplib.SMTP_SSL("127.0.0.1", int(port), context=context, timeout=60)
    else:
        smtp = smtplib.SMTP("127.0.0.1", int(port), timeout=60)
        smtp.starttls(context=context)
    smtp.login(login, secret)
    for n in range(int(first), int(first) + int(count)):
        letter = (
            f"From: Ana <ana@sender.example>\r\nTo: r{n}@albatross.example\r\nBcc: hidden@albatross.example\r\n"
            f"Subject: Number {n}\r\n\r\nHello\r\n.a line that begins with a dot\r\n"
        )
        smtp.mail("ana@sender.example", [f"SIZE={len(letter)}"])
        smtp.rcpt(f"r{n}@albatross.example")
        code, text = smtp.data(letter)
        print(code, text.decode(), flush=True)
    smtp.quit()
    print("done")
except (smtplib.SMTPException, OSError) as error:
    print(type(error).__name__, error)
