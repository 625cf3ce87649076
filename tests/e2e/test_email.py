# SPDX-License-Identifier: Apache-2.0
"""The email channel whole: Dovecot and Postfix on one side, the tracking page on the other."""

import random
import re

import pytest

from mail_servers import certificates, dovecot, postfix  # noqa: F401
from mailing import MAILBOX, answers, channel, message, wait_answers
from officer import Officer
from product import STORY, request, wait_until

ID = re.compile(r"\b([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})\b")
PIN = re.compile(r"\b(\d{6})\b")


@pytest.fixture
def mailed(own_product, dovecot, postfix, tmp_path):  # noqa: F811
    """A product with one mailbox of its own: gives product, mailbox address, a citizen's address."""
    number = random.randrange(10**9)
    mailbox, citizen = f"aduan{number}@kota.test", f"siti{number}@example.org"
    product = own_product(extra=channel(dovecot, postfix, tmp_path, mailbox))
    return product, mailbox, citizen


def taken(product, **expected):
    def so():
        counts = product.counts()
        return all(counts[name] == value for name, value in expected.items()) and counts
    return wait_until(so, f"the queue holds {expected}")


def test_report_acknowledgement_follow_up_and_status(mailed, dovecot, postfix):  # noqa: F811
    product, mailbox, citizen = mailed
    postfix.send(citizen, mailbox, message(citizen, to=mailbox, message_id="<satu@example.org>"))
    ack = wait_answers(dovecot, citizen, 1)[0]
    text = ack.get_content()
    report_id, pin = ID.search(text).group(1), PIN.search(text).group(1)

    assert ack["Auto-Submitted"] == "auto-replied"
    assert ack["In-Reply-To"] == "<satu@example.org>"
    assert "\\Seen" in dovecot.flags(mailbox)[0]
    seen = product.track(report_id, pin).json()
    assert seen["state"] == "Menunggu" and seen["story"] == STORY
    assert citizen not in product.command("report", report_id).stdout

    # The answer comes from another address, with the subject changed: the signed address counts.
    reply = message(f"lain-{citizen}", subject="tidak ada hubungannya", to=str(ack["Reply-To"]),
                    text="Hari ini tambah parah.\n\nPada Sab, 21 Nov 2026, Kota menulis:\n> kutipan-dari-ack\n")
    postfix.send(citizen, str(ack["Reply-To"]), reply)
    taken(product, reports=1, followups=1)

    # By our Message-ID alone, as a client that ignores Reply-To would.
    postfix.send(citizen, mailbox, message(citizen, subject="Re", to=mailbox, text="Masih sama.",
                                           references=str(ack["Message-ID"])))
    taken(product, reports=1, followups=2)
    taken(product, core_waiting=0, core_leased=0)

    officer = Officer(product)
    (ticket,) = officer.tickets()
    page = officer.get(ticket)
    assert "Hari ini tambah parah." in page and "kutipan-dari-ack" not in page
    assert citizen not in page and "example.org" not in page
    officer.change(ticket, "Proses", agency="Dinas Bina Marga", answer="Tim sedang bekerja.")
    status = wait_answers(dovecot, citizen, 2)[1]
    assert status["Auto-Submitted"] == "auto-generated"
    assert "Proses" in status.get_content() and "Tim sedang bekerja." in status.get_content()
    assert product.track(report_id).json()["timeline"][-1]["agency"] == "Dinas Bina Marga"
    assert len(answers(dovecot, citizen)) == 2, "follow-ups are not acknowledged"
    audit = product.command("audit").stdout
    assert audit.count("notice") >= 2


def test_an_id_in_the_subject_joins_its_own_reporter_only(mailed, dovecot, postfix):  # noqa: F811
    product, mailbox, citizen = mailed
    postfix.send(citizen, mailbox, message(citizen, to=mailbox))
    report_id = ID.search(wait_answers(dovecot, citizen, 1)[0].get_content()).group(1)
    stranger = f"orang-lain-{citizen}"
    postfix.send(stranger, mailbox, message(stranger, subject=f"[{report_id}] lanjutan", to=mailbox,
                                            text="Saya menyela laporan orang."))
    taken(product, reports=2, followups=0)
    postfix.send(citizen, mailbox, message(citizen, subject=f"[{report_id}] lanjutan", to=mailbox,
                                           text="Ini dari saya sendiri."))
    taken(product, reports=2, followups=1)


ROBOTS = [
    dict(auto_submitted="auto-replied"),
    dict(precedence="bulk"),
    dict(list_id="<warga.example.org>"),
    dict(x_auto_response_suppress="All"),
    dict(sender="mailer-daemon@example.org"),
]


def test_robots_are_kept_but_never_answered(mailed, dovecot, postfix):  # noqa: F811
    product, mailbox, citizen = mailed
    for number, robot in enumerate(ROBOTS):
        sender = robot.get("sender", citizen)
        headers = {key: value for key, value in robot.items() if key != "sender"}
        dovecot.deliver(mailbox, message(sender, to=mailbox, text=f"robot {number}",
                                         **headers).as_bytes())
    postfix.send(citizen, mailbox, message(citizen, to=mailbox))
    wait_answers(dovecot, citizen, 1)
    counts = taken(product, core_waiting=0, reporter_waiting=0)
    assert counts["reports"] + counts["not_reports"] == len(ROBOTS) + 1
    assert counts["not_reports"] >= 3
    assert len(answers(dovecot, citizen)) == 1


def test_the_same_mail_offered_a_hundred_times_is_one_report(mailed, dovecot):  # noqa: F811
    product, mailbox, citizen = mailed
    chance = random.Random(1)
    raw = message(citizen, to=mailbox, message_id="<sama@example.org>").as_bytes()
    other = message(citizen, to=mailbox, message_id="<beda@example.org>", text="Lain. " + STORY)
    copies = [f"Received: from relay{n}.example.org; Sat, 21 Nov 2026 10:0{n % 10}:00 +0700\n"
              .encode() + raw for n in range(100)] + [other.as_bytes()]
    chance.shuffle(copies)
    dovecot.deliver_all(mailbox, copies[:60])
    taken(product, reports=1 if other.as_bytes() not in copies[:60] else 2)
    dovecot.change_uidvalidity(mailbox)
    dovecot.deliver_all(mailbox, copies[60:])
    taken(product, reports=2)
    wait_until(lambda: all("\\Seen" in flags for flags in dovecot.flags(mailbox)),
               "every copy is marked")
    assert taken(product, core_waiting=0)["reports"] == 2
    assert product.counts()["quarantined"] == 0


def nested(depth):
    """A mail whose parts lie one in another, deeper than anyone means."""
    body = "Content-Type: text/plain\n\nteras\n"
    for level in range(depth):
        body = (f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n{body}'
                f"\n--b{level}--\n")
    return f"From: dalam@example.org\nTo: {MAILBOX}\nSubject: dalam\nMessage-ID: <dalam@x.test>\n" \
           f"MIME-Version: 1.0\n{body}".encode()


def test_a_bad_mail_goes_to_quarantine_and_its_neighbours_are_reports(
        mailed, dovecot):  # noqa: F811
    product, mailbox, citizen = mailed
    huge = message(citizen, to=mailbox, text="x" * 70 + "\n").as_bytes() + b"y" * 77 * 400_000
    mails = [message(citizen, to=mailbox, text=f"nomor {n} {STORY}").as_bytes() for n in range(6)]
    dovecot.deliver_all(mailbox, mails[:3] + [nested(5000), huge] + mails[3:])
    counts = taken(product, reports=6, quarantined=2)
    assert counts["core_buried"] == 0
    reasons = {item["reason"] for item in product.json_lines("quarantine")}
    assert "too_large" in reasons and len(reasons) == 2


def deadly():
    """A mail that keeps a parser busy beyond its two seconds: nothing but almost-boundaries."""
    head = (f'From: lambat@example.org\nTo: {MAILBOX}\nSubject: lambat\nMIME-Version: 1.0\n'
            f'Message-ID: <lambat@x.test>\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n\n')
    return head.encode() + b"--\r\n" * 6_200_000 + b"\n--b--\n"


def test_a_mail_that_kills_its_worker_costs_itself_only(mailed, dovecot):  # noqa: F811
    product, mailbox, citizen = mailed
    mails = [message(citizen, to=mailbox, text=f"nomor {n} {STORY}").as_bytes() for n in range(4)]
    dovecot.deliver_all(mailbox, mails[:2] + [deadly()] + mails[2:])
    taken(product, reports=4, quarantined=1)
    assert [item["reason"] for item in product.json_lines("quarantine")] == ["cpu_limit"]
    metrics = request(product.admin_url + "/metrics").body.decode()
    assert re.search(r"^kanal_workers_replaced_total [1-9]", metrics, re.M)


def test_a_wrong_password_stops_that_channel_only(own_product, dovecot, postfix,  # noqa: F811
                                                  tmp_path):
    extra = channel(dovecot, postfix, tmp_path, "benar@kota.test", "benar")
    extra += channel(dovecot, postfix, tmp_path, "salah@kota.test", "salah")
    (tmp_path / "salah.password").write_text("bukan-ini\n")
    product = own_product(extra=extra)
    dovecot.deliver("benar@kota.test", message(to="benar@kota.test").as_bytes())
    taken(product, reports=1)

    def states():
        table = {item["channel"]: item for item in product.json_lines("channels")}
        return table if table["salah"].get("state") == "stopped" else None

    table = wait_until(states, "the channel with the wrong password is shown as stopped")
    assert table["benar"]["state"] == "ok" and table["web"]["state"] == "ok"
    assert table["salah"]["why"] and "bukan-ini" not in product.log()
    assert product.submit(client_key="masih-jalan").status == 201
