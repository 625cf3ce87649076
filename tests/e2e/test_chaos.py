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

import mail_servers
from product import STORY, wait_until

KILLS = 100
SENDERS = 3
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
        payloads = core.execute("SELECT payload FROM ticket").fetchall()
    marks = collections.Counter()
    for (payload,) in payloads:
        text = payload.decode() if isinstance(payload, bytes) else payload
        marks.update(MARK.findall(text))
    return marks


def queue_ids(product):
    with sqlite3.connect(f"file:{product.state}/queue/queue.db?mode=ro", uri=True) as queue:
        return {row[0] for row in queue.execute("SELECT id FROM report")}


def settled(product):
    counts = product.counts()
    return counts["core_waiting"] == 0 and counts["core_leased"] == 0


def replay_quarantine(product):
    """A message whose worker was shot twice waits in quarantine: that is accepted, not lost."""
    waiting = product.json_lines("quarantine")
    for item in waiting:
        product.command("quarantine", "replay", item["id"])
    return len(waiting)


def test_nothing_accepted_is_lost_or_doubled(own_product, tmp_path):
    chance = random.Random(SEED)
    with mail_servers.MailServers(tmp_path / "mail") as mail:
        product = own_product(extra=mail.channel("pusat"))
        senders = Senders(product)
        for thread in senders.threads:
            thread.start()
        mails = 0
        killed = collections.Counter()
        while sum(killed.values()) < KILLS:
            for _ in range(3):
                mail.deliver(marked(f"mail-{mails}"))
                mails += 1
            time.sleep(chance.uniform(0.05, 0.6))
            victim = chance.choice(["serve", "normalize-worker", "normalize-worker", "vault"])
            if victim == "serve":
                product.kill()
                product.start()
                killed[victim] += 1
            elif kill_role(product, victim, chance):
                killed[victim] += 1
        senders.stop.set()
        for thread in senders.threads:
            thread.join()
        wait_until(lambda: mail.unseen() == 0, "every mail is taken in", 300)
        wait_until(lambda: settled(product), "the core has everything", 300, 1)
        replayed = replay_quarantine(product)
        wait_until(lambda: settled(product), "the core has what was replayed", 300, 1)
        assert product.stop() == 0
    print(f"killed {dict(killed)}; {len(senders.accepted)} forms, {mails} mails, "
          f"{replayed} replayed")
    offered = set(senders.accepted) | {f"mail-{n}" for n in range(mails)}
    marks = core_ledger(product)
    assert [mark for mark, count in marks.items() if count > 1] == [], "doubled in the core"
    assert offered - set(marks) == set(), "lost on the way to the core"
    assert set(senders.accepted.values()) <= queue_ids(product), "lost in the queue"
    assert len(set(senders.accepted.values())) == len(senders.accepted), "one ID for two reports"
