# SPDX-License-Identifier: Apache-2.0
"""Mail as citizens and our channel see it: configuration of a channel, messages, answers."""

import email
import email.policy
from email.message import EmailMessage

from product import STORY, wait_until

MAILBOX = "aduan@kota.test"


def channel(dovecot, postfix, folder, address=MAILBOX, name="email-pusat", more=""):
    """A channel on these servers, as an operator would write it."""
    password = folder / f"{name}.password"
    password.write_text(dovecot.password + "\n")
    password.chmod(0o600)
    return f"""
[channel {name}]
type = email
address = {address}
imap_host = {dovecot.host}
imap_port = {dovecot.imaps_port}
smtp_host = {postfix.host}
smtp_port = {postfix.submission_port}
smtp_tls = starttls
password = file:{password}
ca_file = {dovecot.ca_file}
{more}
"""


def message(sender="siti@example.org", subject="Jalan rusak", text=STORY, to=MAILBOX, **headers):
    """A mail; keyword message_id="<...>" becomes the header Message-ID."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = "Sat, 21 Nov 2026 10:03:27 +0700"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail


def answers(dovecot, address):
    """What has arrived at a citizen's address, parsed."""
    return [email.message_from_bytes(raw, policy=email.policy.default)
            for raw in dovecot.messages(address)]


def wait_answers(dovecot, address, count):
    def enough():
        found = answers(dovecot, address)
        return found if len(found) >= count else None
    return wait_until(enough, f"{count} answers arrived")
