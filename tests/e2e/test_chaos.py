# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the gateway, a worker or the vault at random instants under mixed load.

Three ledgers are compared at the end: what the senders were told, what the queue holds, what the
core holds. Nothing accepted may be lost, nothing may be doubled."""

import collections
import os
import pathlib
import random
import re
import signal
import sqlite3
import threading
import time

import pytest

from mail_servers import certificates, dovecot, postfix  # noqa: F401
from mailing import channel, message
from product import STORY, wait_until

KILLS = 100
SENDERS = 3
VICTIMS = ("serve", "normalize-worker", "normalize-worker", "vault")
SEED = 20261121  # which process dies when; the instants themselves are never the same
MARK = re.compile(r"tanda-([a-z]+-\d+)-selesai")


def marked(name):
    return f"{STORY} tanda-{name}-selesai"


class Senders:
    """Programs that repeat each report, with its client key, until it is accepted."""

    def __init__(self, product):
        self.product = product
        self.accepted = {}
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(SENDERS)]

    def run(self, number):
        for count in range(1_000_000):
            if self.stop.is_set():
                return
            self.send(f"web-{number * 1_000_000 + count}")
            time.sleep(0.02)

    def send(self, name):
        while True:
            try:
                answer = self.product.submit(story=marked(name), client_key=name)
            except OSError:
                answer = None  # killed while it worked: it may or may not have been accepted
            if answer is not None and answer.status in (200, 201):
                self.accepted[name] = answer.json()["id"].replace("-", "")
                return
            assert answer is None or answer.status == 503, answer.body
            time.sleep(0.05)


def children(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def role(pid):
    try:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return words[1].decode() if len(words) > 1 else ""
    except OSError:
        return ""


def kill_role(product, name, chance):
    try:
        pids = [pid for pid in children(product.process.pid) if role(pid) == name]
        if pids:
            os.kill(chance.choice(pids), signal.SIGKILL)
            return True
    except OSError:
        pass  # it died by itself between the look and the kill
    return False


def core_ledger(product):
    """How often each mark is in the core's tickets."""
    with sqlite3.connect(f"file:{product.state}/core/core.db?mode=ro", uri=True) as core:
        bodies = core.execute("SELECT body FROM tickets").fetchall()
    marks = collections.Counter()
    for (body,) in bodies:
        marks.update(MARK.findall(body))
    return marks


def queue_holds(product, report_id):
    return product.command("track", report_id, check=False).returncode == 0


def settled(product):
    counts = product.counts()
    return counts["core_waiting"] == 0 and counts["core_leased"] == 0


def replay_quarantine(product):
    """A message whose worker was shot twice waits in quarantine: that is accepted, not lost."""
    for item in product.json_lines("quarantine"):
        product.command("quarantine", "replay", item["id"], check=False)


def offer_mail(dovecot, mailbox, count):  # noqa: F811
    dovecot.deliver_all(mailbox, [message(text=marked(f"mail-{n}"), to=mailbox).as_bytes()
                                  for n in count])


def test_nothing_accepted_is_lost_or_doubled(own_product, dovecot, postfix, tmp_path):  # noqa: F811
    chance = random.Random(SEED)
    mailbox = f"aduan{time.time_ns()}@kota.test"
    product = own_product(extra=channel(dovecot, postfix, tmp_path, mailbox))
    senders = Senders(product)
    for thread in senders.threads:
        thread.start()
    mails = 0
    killed = collections.Counter()
    while sum(killed.values()) < KILLS:
        offer_mail(dovecot, mailbox, range(mails, mails + 3))
        mails += 3
        time.sleep(chance.uniform(0.05, 0.6))
        victim = chance.choice(VICTIMS)
        if victim == "serve":
            product.kill()
            product.start()
            killed[victim] += 1
        elif kill_role(product, victim, chance):
            killed[victim] += 1
    senders.stop.set()
    for thread in senders.threads:
        thread.join()
    offered = set(senders.accepted) | {f"mail-{n}" for n in range(mails)}

    def complete():
        replay_quarantine(product)
        return settled(product) and set(core_ledger(product)) >= offered

    try:
        wait_until(complete, "the core has everything that was accepted", 300, 2)
    except AssertionError:
        pytest.fail(f"lost: {sorted(offered - set(core_ledger(product)))[:20]}; "
                    f"{product.counts()}")
    marks = core_ledger(product)
    print(f"killed {dict(killed)}; {len(senders.accepted)} forms, {mails} mails")
    assert [mark for mark, count in marks.items() if count > 1] == [], "doubled in the core"
    assert set(marks) == offered, "the core has what nobody sent"
    counts = product.counts()
    assert counts["reports"] == len(offered) and counts["quarantined"] == 0, "queue and core differ"
    ids = list(senders.accepted.values())
    assert len(set(ids)) == len(ids), "one ID for two reports"
    for report_id in chance.sample(ids, min(40, len(ids))):
        assert queue_holds(product, report_id), "a receipt without a report"
