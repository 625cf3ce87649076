# SPDX-License-Identifier: Apache-2.0
"""The product as a tester sees it: one `kanal serve` with a state folder and ports of its own."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("KANAL_BINARY", str(TOP / "build/dev/kanal"))
DEADLINE_S = 120  # generous: sanitizers, two cores and a browser beside us


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(check, what, deadline_s=DEADLINE_S, pause_s=0.1):
    """Polls until check() gives something true, and gives that."""
    end = time.monotonic() + deadline_s
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, f"still not so after {deadline_s} s: {what}"
        time.sleep(pause_s)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))


def request(url, data=None, headers=None, method=None, timeout=60):
    """One HTTP request; never raises for a status."""
    if isinstance(data, dict):
        data = json.dumps(data).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json",
                   **(headers or {})}
    asked = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    try:
        with OPENER.open(asked, timeout=timeout) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())


class Product:
    """Starts at once; stop() or kill() it. Extra configuration goes behind the fixed part."""

    def __init__(self, folder, extra="", binary=BINARY, http="", gateway=""):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.folder / "state"
        self.binary = binary
        self.ports = {name: free_port() for name in ("public", "staff", "admin")}
        self.url = f"http://127.0.0.1:{self.ports['public']}"
        self.staff_url = f"http://127.0.0.1:{self.ports['staff']}"
        self.admin_url = f"http://127.0.0.1:{self.ports['admin']}"
        self.config = self.folder / "kanal.conf"
        self.log_path = self.folder / "kanal.log"
        self.process = None
        self.configure(extra, http, gateway)
        self.start()

    def configure(self, extra="", http="", gateway=""):
        addresses = "".join(f"{name} = 127.0.0.1:{port}\n" for name, port in self.ports.items())
        self.config.write_text(
            f"[gateway]\n{gateway}\n[http]\n{addresses}public_url = {self.url}\n{http}\n{extra}\n")

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "-c", str(self.config), "--state", str(self.state)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        if wait:
            self.wait_ready()

    def ready(self):
        assert self.process.poll() is None, f"kanal ended: {self.log()[-3000:]}"
        try:
            return request(self.admin_url + "/readyz", timeout=5).status == 200
        except OSError:
            return False

    def wait_ready(self):
        wait_until(self.ready, "kanal is ready")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def kill(self):
        """As a crash would: only the gateway dies, at once."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=DEADLINE_S)

    def command(self, *words, check=True, stdin=None):
        """Runs `kanal WORDS` on this state; gives the finished process."""
        done = subprocess.run(
            [self.binary, words[0], "-c", str(self.config), "--state", str(self.state), *words[1:]],
            capture_output=True, text=True, input=stdin, timeout=DEADLINE_S)
        assert not check or done.returncode == 0, done.stderr
        return done

    def json_lines(self, *words):
        return [json.loads(line) for line in self.command(*words, "--json").stdout.splitlines()]

    def counts(self):
        return self.json_lines("queue")[0]

    def report(self, report_id):
        return json.loads(self.command("report", report_id).stdout)

    def submit(self, **fields):
        """POST /reports as a program would."""
        return request(self.url + "/reports", data={**form_fields(), **fields})

    def track(self, report_id, pin=None):
        asked = {"id": report_id} if pin is None else {"id": report_id, "pin": pin}
        return request(self.url + "/track", data=asked)

    def officer(self):
        """The password of the account made at first start."""
        text = (self.state / "core/first-password").read_text()
        return re.search(r"\S+\s*$", text).group().strip()


STORY = ("Jalan di depan pasar rusak parah sejak dua minggu yang lalu, banyak lubang besar yang "
         "tergenang air ketika hujan sehingga pengendara sepeda motor sering terjatuh di sana, "
         "terutama pada malam hari karena lampu jalan juga padam.")


def form_fields(**changes):
    return {"story": STORY, "location": "Jl. Contoh Raya No. 1, RT 003/05, Pondok Bambu",
            "category": "jalan", **changes}
