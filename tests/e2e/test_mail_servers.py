# SPDX-License-Identifier: Apache-2.0
"""The mail servers other tests stand on: do they do what those tests rely on?"""

import email.message
import imaplib
import smtplib
import ssl

import pytest

from mail_servers import DELAYED, PASSWORD, REFUSED, certificates, dovecot, postfix  # noqa: F401
from product import wait_until


def mail(subject, recipient="aduan@kota.test"):
    message = email.message.EmailMessage()
    message["From"] = "warga@example.org"
    message["To"] = recipient
    message["Subject"] = subject
    message["Message-ID"] = f"<{subject}@example.org>"
    message.set_content("Jalan rusak di depan pasar.\n")
    return message


def subjects(dovecot, address, mailbox="INBOX"):
    return [email.message_from_bytes(raw)["Subject"]
            for raw in dovecot.messages(address, mailbox)]


def expect(dovecot, postfix, address, expected):
    try:
        wait_until(lambda: subjects(dovecot, address) == expected, f"{expected} in the mailbox")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{postfix.log()}\n{dovecot.log()}") from None


def test_mail_sent_arrives(dovecot, postfix):
    postfix.send("warga@example.org", "arrives@kota.test", mail("satu"))
    expect(dovecot, postfix, "arrives@kota.test", ["satu"])
    raw = dovecot.messages("arrives@kota.test")[0]
    assert email.message_from_bytes(raw)["Return-Path"] == "<warga@example.org>"


def test_tags_belong_to_the_mailbox(dovecot, postfix):
    postfix.send("warga@example.org", "tags+token@kota.test", mail("dua"))
    expect(dovecot, postfix, "tags@kota.test", ["dua"])
    raw = dovecot.messages("tags@kota.test")[0]
    assert email.message_from_bytes(raw)["Delivered-To"] == "tags+token@kota.test"


def test_refused_and_delayed_recipients(postfix):
    for address, code in ((REFUSED, 550), (DELAYED, 451)):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            postfix.send("aduan@kota.test", address, mail("tiga", address))
        assert refused.value.recipients[address][0] == code


def test_submission_needs_tls_and_a_login(certificates, dovecot, postfix):
    with smtplib.SMTP("localhost", postfix.submission_port, timeout=60) as client:
        assert client.docmd("MAIL FROM:<aduan@kota.test>")[0] == 530
        client.starttls(context=certificates.client_context())
        client.ehlo()
        with pytest.raises(smtplib.SMTPException):
            client.sendmail("aduan@kota.test", ["submit@example.org"], b"Subject: x\r\n\r\nx\r\n")
    with smtplib.SMTP("localhost", postfix.submission_port, timeout=60) as client:
        client.starttls(context=certificates.client_context())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("aduan@kota.test", "wrong")
        client.login("aduan@kota.test", PASSWORD)
        # The empty sender of automatic answers must pass here too.
        client.sendmail("", ["submit@example.org"], b"Subject: empat\r\n\r\nx\r\n")
    expect(dovecot, postfix, "submit@example.org", ["empat"])


def test_imap_logins(certificates, dovecot):
    with dovecot.client("logins@kota.test") as client:
        offered = client.capability()[1][0].decode().split()
        assert "IDLE" in offered and "MOVE" in offered and "UIDPLUS" in offered
    client = imaplib.IMAP4("localhost", dovecot.imap_port)
    client.starttls(certificates.client_context())
    with pytest.raises(imaplib.IMAP4.error):
        client.login("logins@kota.test", "wrong")
    client.logout()
    with pytest.raises(ssl.SSLCertVerificationError):
        imaplib.IMAP4_SSL("localhost", dovecot.imaps_port,
                          ssl_context=ssl.create_default_context())


def oauth_login(dovecot, address, token):
    client = imaplib.IMAP4_SSL("localhost", dovecot.imaps_port,
                               ssl_context=dovecot.certificates.client_context())
    try:
        return client.authenticate(
            "XOAUTH2", lambda _: f"user={address}\x01auth=Bearer {token}\x01\x01".encode())[0]
    except imaplib.IMAP4.error:
        return "NO"
    finally:
        client.shutdown()


def test_imap_login_by_access_token(dovecot):
    dovecot.tokens.access["good"] = "oauth@kota.test"
    assert oauth_login(dovecot, "oauth@kota.test", "good") == "OK"
    assert oauth_login(dovecot, "oauth@kota.test", "bad") == "NO"
    assert oauth_login(dovecot, "other@kota.test", "good") == "NO"
    dovecot.tokens.refresh["first"] = "oauth@kota.test"
    dovecot.tokens.rotate = True
    status, answer = dovecot.tokens.exchange("first")
    assert status == 200 and answer["refresh_token"] != "first"
    assert dovecot.tokens.exchange("first")[0] == 400
    assert oauth_login(dovecot, "oauth@kota.test", answer["access_token"]) == "OK"
    dovecot.tokens.rotate = False


def test_delivery_by_hand_flags_and_moves(dovecot):
    address = "hand@kota.test"
    dovecot.deliver_all(address, [mail(f"nomor-{n}").as_bytes() for n in range(3)])
    assert subjects(dovecot, address) == ["nomor-0", "nomor-1", "nomor-2"]
    with dovecot.client(address, "INBOX") as client:
        client.store("1", "+FLAGS", "(\\Seen)")
        client.create("Diproses")
        assert client.uid("MOVE", "2", "Diproses")[0] == "OK"
    assert [("\\Seen" in flags) for flags in dovecot.flags(address)] == [True, False]
    assert subjects(dovecot, address, "Diproses") == ["nomor-1"]


def test_a_new_uidvalidity_keeps_the_messages(dovecot):
    address = "validity@kota.test"
    dovecot.deliver(address, mail("tetap").as_bytes())
    before = dovecot.uidvalidity(address)
    dovecot.change_uidvalidity(address)
    assert dovecot.uidvalidity(address) != before
    assert subjects(dovecot, address) == ["tetap"]


def test_idle_announces(dovecot):
    address = "idle@kota.test"
    dovecot.deliver(address, mail("lama").as_bytes())
    with dovecot.client(address, "INBOX") as client:
        client.sock.settimeout(60)
        client.send(b"x IDLE\r\n")
        assert client.readline().startswith(b"+")
        dovecot.deliver(address, mail("baru").as_bytes())
        while b"2 EXISTS" not in client.readline():
            pass
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"x OK"):
            pass


def test_restart(dovecot):
    address = "restart@kota.test"
    dovecot.deliver(address, mail("sebelum").as_bytes())
    dovecot.stop()
    with pytest.raises(OSError):
        imaplib.IMAP4("localhost", dovecot.imap_port)
    dovecot.start()
    assert subjects(dovecot, address) == ["sebelum"]
