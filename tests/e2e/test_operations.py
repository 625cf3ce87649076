# SPDX-License-Identifier: Apache-2.0
"""Running it: stops under load and with peers that hang, changes of configuration without a refused
connection, what is said when it cannot start, and the commands an operator looks with."""

import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from product import BINARY, DEADLINE_S, free_port, request, wait_until

STOP_S = 10
SECRET = "rahasia-bersama-0000"


# --- Stops ---

def stop_timed(product):
    """SIGTERM; the process must end by itself, well, in time, with a clean log."""
    begun = time.monotonic()
    product.process.send_signal(signal.SIGTERM)
    status = product.process.wait(DEADLINE_S)
    took = time.monotonic() - begun
    log = product.log()
    assert status == 0, log[-3000:]
    assert took <= STOP_S, f"the stop took {took:.1f} s"
    assert "last_resort" not in log and "event=stopped" in log
    assert "ERROR: " not in log and "WARNING: ThreadSanitizer" not in log, log[-3000:]
    return took


class Senders:
    """Programs that post until they are told to end; accepted: what was answered 201 or 200."""

    def __init__(self, product, count=4):
        self.product, self.accepted, self.others = product, {}, []
        self.end = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        turn = 0
        while not self.end.is_set():
            key = f"muatan-{number}-{turn}"
            try:
                answer = self.product.submit(client_key=key)
            except OSError as error:
                self.others.append(getattr(error, "reason", error))
                time.sleep(0.02)
                continue
            if answer.status in (200, 201):
                self.accepted[key] = answer.json()["id"]
                turn += 1
            else:
                self.others.append(answer.status)
                time.sleep(0.05)

    def finish(self):
        self.end.set()
        for thread in self.threads:
            thread.join()


def slow_connections(product, count):
    """Half a request each: none of them will ever be complete."""
    opened = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", product.ports["public"]), timeout=30)
        connection.sendall(b"POST /reports HTTP/1.1\r\nHost: x\r\n")
        opened.append(connection)
    return opened


def test_stop_under_load_loses_nothing(own_product):
    product = own_product(http="connections_per_address = 1000")
    slow = slow_connections(product, 500)
    senders = Senders(product)
    wait_until(lambda: len(senders.accepted) >= 25, "25 reports are accepted")
    stop_timed(product)
    senders.finish()
    for connection in slow:
        connection.close()
    assert {status for status in senders.others if isinstance(status, int)} <= {503}
    product.start()
    for key, report_id in senders.accepted.items():
        again = product.submit(client_key=key)
        assert (again.status, again.json()["id"]) == (200, report_id), key
    reports = product.counts()["reports"]
    # What was stored but whose answer was cut off is repeated by its sender: at most one each.
    assert len(senders.accepted) <= reports <= len(senders.accepted) + len(senders.threads)


class Core:
    """A city's own ticket store; answer decides: a status, or None to say nothing at all."""

    def __init__(self):
        self.answer, self.tickets, self.waiting = 201, [], threading.Event()
        self.release = threading.Event()
        core = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def reply(self, status, value):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if core.answer is None:
                    core.release.wait(DEADLINE_S)
                    return
                self.reply(200, {"updates": [], "next": ""})

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                if core.answer is None:
                    core.waiting.set()
                    core.release.wait(DEADLINE_S)
                    return
                if core.answer in (200, 201):
                    core.tickets.append(self.headers["Idempotency-Key"])
                self.reply(core.answer, {"ref": self.headers["Idempotency-Key"]})

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def section(self, folder):
        (folder / "core-secret").write_text(SECRET + "\n")
        (folder / "core-secret").chmod(0o600)
        return (f"[core]\nkind = http\nurl = http://127.0.0.1:{self.server.server_address[1]}\n"
                f"secret = file:{folder}/core-secret\npoll = 1s\n")

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def core():
    made = Core()
    yield made
    made.close()


def test_buried_work_is_tried_again_and_a_core_that_hangs_is_hung_up_on(own_product, core,
                                                                       tmp_path):
    core.answer = 400
    product = own_product(extra=core.section(tmp_path))
    report_id = product.submit(client_key="ditolak").json()["id"].replace("-", "")
    (row,) = wait_until(lambda: product.json_lines("queue", "buried"), "the ticket is buried")
    assert row["report"] == report_id and row["to"] == "core" and "400" in row["reason"]
    assert str(row["number"]) in product.command("queue", "buried").stdout
    core.answer = 201
    assert product.command("queue", "retry", str(row["number"])).returncode == 0
    wait_until(lambda: core.tickets == [report_id], "the core has the ticket")
    wait_until(lambda: product.counts()["core_buried"] == 0, "nothing is buried")
    again = product.command("queue", "retry", str(row["number"]), check=False)
    assert again.returncode == 1 and "no buried work has that number" in again.stderr

    core.answer = None
    product.submit(client_key="menggantung")
    assert core.waiting.wait(DEADLINE_S)
    stop_timed(product)
    counts = product.counts()
    assert (counts["core_waiting"], counts["core_leased"]) == (1, 0), "the row went back"


class Mute:
    """A server that takes connections and says nothing."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.taken = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                self.taken.append(self.socket.accept()[0])
            except OSError:
                return

    def close(self):
        self.socket.close()
        for connection in self.taken:
            connection.close()


def mute_channel(imap, smtp, folder):
    (folder / "password").write_text("rahasia-0000\n")
    (folder / "password").chmod(0o600)
    return (f"[channel email-pusat]\ntype = email\naddress = aduan@kota.test\n"
            f"imap_host = 127.0.0.1\nimap_port = {imap.port}\nsmtp_host = 127.0.0.1\n"
            f"smtp_port = {smtp.port}\nsmtp_tls = none\npassword = file:{folder}/password\n")


def children(product, role):
    """The pids of the gateway's processes of a role."""
    found = []
    for task in pathlib.Path(f"/proc/{product.process.pid}/task").iterdir():
        for pid in (task / "children").read_text().split():
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if len(words) > 1 and words[1].decode() == role:
                found.append(int(pid))
    return found


def test_stop_with_mail_servers_and_the_embedded_core_hanging(own_product, tmp_path):
    imap, smtp = Mute(), Mute()
    product = own_product(extra=mute_channel(imap, smtp, tmp_path))
    assert product.submit(client_key="surat", contact="siti@example.org").status == 201
    wait_until(lambda: smtp.taken and imap.taken, "both mail servers are being asked")
    wait_until(lambda: product.counts()["core_waiting"] == 0, "the core has the ticket")
    (pid,) = children(product, "core")
    os.kill(pid, signal.SIGSTOP)
    tasks = pathlib.Path(f"/proc/{pid}/task")
    wait_until(lambda: all(") T " in (task / "stat").read_text() for task in tasks.iterdir()),
               "every thread of the core stands still")
    page = socket.create_connection(("127.0.0.1", product.ports["staff"]), timeout=DEADLINE_S)
    page.sendall(b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n")
    product.submit(client_key="kedua")
    stop_timed(product)
    assert page.recv(4096)[:12] in (b"HTTP/1.1 503", b"")
    for opened in (page, imap, smtp):
        opened.close()
    assert product.counts()["reports"] == 2


# --- Changes of configuration ---

class Callers:
    """Opens a connection and asks, over and over; refused: connections that nobody took."""

    def __init__(self, product):
        self.product, self.refused, self.answered = product, [], []
        self.end = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(3)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.end.is_set():
            try:
                self.answered.append(request(self.product.url + "/", timeout=DEADLINE_S).status)
            except OSError as error:
                cause = getattr(error, "reason", error)
                if isinstance(cause, ConnectionRefusedError):
                    self.refused.append(repr(cause))
            time.sleep(0.01)

    def finish(self):
        self.end.set()
        for thread in self.threads:
            thread.join()


def hang_up(product, event):
    before = product.log().count(f"event={event}")
    product.process.send_signal(signal.SIGHUP)
    wait_until(lambda: product.log().count(f"event={event}") > before, event)


def offered(product):
    """The categories the form offers."""
    return set(re.findall(r'<option value="([a-z-]+)"', request(product.url + "/").body.decode()))


def test_a_new_configuration_without_a_refused_connection(own_product):
    product = own_product()
    pid, channels = product.process.pid, product.json_lines("channels")
    assert [line["channel"] for line in channels] == ["web"] and len(offered(product)) > 5
    callers = Callers(product)
    product.configure("[channel formulir]\ntype = web_form\ncategories = jalan, banjir\n")
    hang_up(product, "started")
    product.wait_ready()
    asked = len(callers.answered)
    wait_until(lambda: len(callers.answered) > asked + 5, "callers are answered")
    callers.finish()
    assert callers.refused == []
    assert set(callers.answered) <= {200, 503} and product.process.pid == pid
    assert product.process.poll() is None
    assert "event=reloaded" in product.log()
    assert offered(product) == {"jalan", "banjir"}
    assert [line["channel"] for line in product.json_lines("channels")] == ["formulir"]
    assert product.submit(client_key="baru").status == 201

    # A bad one is refused whole, with its first mistake, and the one in force goes on.
    product.configure("[channel formulir]\ntype = web_form\nkategori = jalan\n")
    hang_up(product, "reload_refused")
    (line,) = [line for line in product.log().splitlines() if "event=reload_refused" in line]
    assert re.search(rf"{re.escape(str(product.config))}:\d+: ", line) and "kategori" in line
    assert offered(product) == {"jalan", "banjir"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        product.config.write_text(
            product.config.read_text().replace("kategori", "categories").replace(
                f"admin = 127.0.0.1:{product.ports['admin']}", f"admin = {address}"))
        hang_up(product, "reload_refused")
    line = product.log().splitlines()[-1]
    assert "http.admin" in line and address in line and "in use" in line
    assert product.ready()

    (product.folder / "half.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB")
    product.configure("[channel formulir]\ntype = web_form\n",
                      http=f"tls_certificate = {product.folder}/half.pem\n"
                           f"tls_key = {product.folder}/half.pem")
    hang_up(product, "reload_refused")
    assert "http.tls_certificate: does not fit tls_key" in product.log().splitlines()[-1]
    assert product.ready()

    # A listener may move; nobody is left on the old address.
    old = product.ports["admin"]
    product.ports["admin"] = free_port()
    product.admin_url = f"http://127.0.0.1:{product.ports['admin']}"
    product.configure("[channel formulir]\ntype = web_form\n")
    hang_up(product, "started")
    product.wait_ready()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old), 5)
    stop_timed(product)


# --- Starts that cannot be ---

def serve(product, *words, **environment):
    return subprocess.run(
        [BINARY, "serve", "-c", str(product.config), *map(str, words)], capture_output=True,
        text=True, timeout=DEADLINE_S, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def other(product, tmp_path_factory):
    """A configuration like the product's, on ports of its own."""
    class Other:
        config = tmp_path_factory.mktemp("other") / "kanal.conf"
    text = product.config.read_text()
    for port in product.ports.values():
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
    Other.config.write_text(text)
    return Other


def test_a_second_gateway_on_the_same_state(product, other):
    done = serve(other, "--state", product.state)
    assert done.returncode == 75
    assert f"kanal: cannot serve: another gateway serves '{product.state}'\n" in done.stderr
    assert product.ready()


@pytest.mark.parametrize("state, why", [
    ("/proc/kanal", "cannot make '/proc/kanal'"),
    ("/dev/null", "'/dev/null"),
    ("/no/such/folder/state", "cannot make '/no/such/folder/state'"),
])
def test_a_state_that_cannot_be_written(other, state, why):
    done = serve(other, "--state", state)
    assert done.returncode == 2 and "kanal: cannot serve: " in done.stderr and why in done.stderr


def test_a_port_that_is_taken(product, other, tmp_path):
    class Taken:
        config = tmp_path / "kanal.conf"
    Taken.config.write_text(re.sub(r"^public = .*$",
                                   f"public = 127.0.0.1:{product.ports['public']}",
                                   other.config.read_text(), flags=re.MULTILINE))
    done = serve(Taken, "--state", tmp_path / "state")
    assert done.returncode == 2
    assert (f"kanal: cannot serve: http.public: cannot listen on "
            f"'127.0.0.1:{product.ports['public']}': Address already in use\n") in done.stderr
    assert "ERROR: " not in done.stderr


# --- Commands ---

UNKNOWN = "0000-0000-0000"


def run(*words):
    return subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True,
                          timeout=DEADLINE_S)


@pytest.mark.parametrize("name", ["channels", "queue", "report", "track", "quarantine", "audit",
                                  "serve", "core"])
def test_help(name):
    done = run(name, "--help")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("usage: kanal")


@pytest.mark.parametrize("words", [
    ("channels", "more"), ("channels", "--nothing"), ("queue", "dead"), ("queue", "retry"),
    ("queue", "retry", "x"), ("report",), ("report", "7KQ3"), ("report", UNKNOWN, UNKNOWN),
    ("track",), ("track", "x"), ("quarantine", "open"), ("quarantine", "replay"),
    ("quarantine", "replay", "x"), ("audit", "more"), ("serve", "more"), ("core", "user"),
    ("channels", "-c", "/no/such/file"),
])
def test_wrong_usage(product, words):
    done = run(words[0], *words[1:], "--state", product.state)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr


@pytest.mark.parametrize("words", [("channels",), ("queue",), ("report", UNKNOWN),
                                   ("track", UNKNOWN), ("quarantine",)])
def test_a_state_that_does_not_exist(tmp_path, words):
    done = run(*words, "--state", tmp_path / "absent")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kanal: cannot open the state: ") and "absent" in done.stderr
    assert not (tmp_path / "absent").exists(), "looking makes nothing"


def test_an_audit_log_that_does_not_exist(tmp_path):
    done = run("audit", "--state", tmp_path)
    assert (done.returncode, done.stdout) == (1, "") and "audit.log" in done.stderr


@pytest.mark.parametrize("words", [("report", UNKNOWN), ("track", UNKNOWN),
                                   ("quarantine", "replay", UNKNOWN), ("queue", "retry", "999999")])
def test_what_is_not_there(product, words):
    done = product.command(*words, check=False)
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.startswith("kanal: ")


def test_accounts_by_the_gateways_configuration(product):
    done = run("core", "user", "add", "budi", "-c", product.config, "--state", product.state)
    assert done.returncode == 0 and done.stdout.startswith("password: ")
    product.config.write_text(product.config.read_text().replace(
        "[gateway]\n", f"[gateway]\nstate = {product.state}\n"))
    listed = run("core", "user", "list", "-c", product.config)
    assert listed.returncode == 0 and "budi" in listed.stdout and "petugas" in listed.stdout


def quarantined(product):
    """A message whose worker did not come back waits in quarantine, with a receipt."""
    workers = children(product, "normalize-worker")
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    answer = product.submit(client_key="macet")
    for pid in children(product, "normalize-worker"):
        os.kill(pid, signal.SIGCONT)
    return answer


def test_quarantine_and_replay(product):
    answer = quarantined(product)
    assert answer.status == 201
    shown, stored = answer.json()["id"], answer.json()["id"].replace("-", "")
    (item,) = product.json_lines("quarantine")
    assert (item["id"], item["channel"], item["reason"]) == (stored, "web", "wall_limit")
    assert stored in product.command("quarantine").stdout
    refused = product.command("report", shown, check=False)
    assert refused.returncode == 1 and "quarantine" in refused.stderr
    assert product.track(shown).status == 200
    product.command("quarantine", "replay", shown)
    assert product.json_lines("quarantine") == []
    assert product.report(shown)["id"] == stored
    assert product.json_lines("track", shown)[0]["id"] == shown
    assert shown in product.command("track", shown).stdout
    (entry,) = [line for line in product.json_lines("audit") if line["purpose"] == "replay"]
    assert entry["field"] == "original" and stored not in json.dumps(entry)
    assert "replay" in product.command("audit").stdout
    again = product.command("quarantine", "replay", shown, check=False)
    assert again.returncode == 1 and "no message in quarantine has that ID" in again.stderr
    assert len([line for line in product.json_lines("audit") if line["purpose"] == "replay"]) == 1


def test_a_broken_audit_log_is_told(product):
    log = product.state / "vault/audit.log"
    whole = log.read_bytes()
    assert whole, "the replay before left an entry"
    try:
        log.write_bytes(whole.replace(b"replay", b"rep1ay", 1))
        done = product.command("audit", check=False)
        assert done.returncode == 1 and "audit.log:" in done.stderr
    finally:
        log.write_bytes(whole)


# --- Health ---

SAMPLE = re.compile(r'([a-z_]+)(\{channel="[A-Za-z0-9_.-]+"\})? (-?\d+)')


def metrics(product):
    """The page, read strictly as Prometheus' text format."""
    answer = request(product.admin_url + "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.body.decode()
    assert text.endswith("\n")
    types, values = {}, {}
    for line in text.splitlines():
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            assert word in ("HELP", "TYPE") and rest
            if word == "TYPE":
                assert name not in types and rest in ("counter", "gauge")
                types[name] = rest
            continue
        name, label, value = SAMPLE.fullmatch(line).groups()
        assert name in types and (name, label) not in values
        assert (types[name] == "counter") == name.endswith("_total")
        values[name, label] = int(value)
    return values


def test_health_and_metrics(product):
    assert request(product.admin_url + "/healthz").body == b"ok\n"
    before = metrics(product)
    assert product.submit(client_key="metrik").status == 201
    assert product.submit(client_key="metrik").status == 200
    after = metrics(product)

    def grown(name):
        label = '{channel="web"}'
        return after[name, label] - before.get((name, label), 0)

    assert [grown(f"kanal_messages_{name}_total") for name in ("offered", "accepted", "known")] == [2, 1, 1]
    assert after["kanal_disk_free_bytes", None] > 0
    channel = wait_until(lambda: [line for line in product.json_lines("channels")
                                  if line["known"] >= 1], "the channel's health is written")[0]
    assert channel["running"] and channel["state"] == "ok" and channel["last_message_ms"] > 0


def test_not_ready_without_the_vault(product):
    key = product.state / "vault/vault.key"
    whole = key.read_text()

    def readyz():
        return request(product.admin_url + "/readyz")
    assert readyz().status == 200 and "vault ok" in readyz().body.decode()
    key.write_text("not a key\n")
    try:
        os.kill(children(product, "vault")[0], signal.SIGKILL)
        wait_until(lambda: readyz().status == 503, "not ready")
        assert "vault failing" in readyz().body.decode()
        assert request(product.admin_url + "/healthz").status == 200
        assert product.submit(client_key="tanpa-brankas").status == 201, "sealing needs no vault"
    finally:
        key.write_text(whole)
    wait_until(lambda: readyz().status == 200, "ready again")


def test_commands_without_a_gateway(product):
    """Last: the shared gateway is stopped."""
    last_message = product.json_lines("channels")[0]["last_message_ms"]
    report_id = product.submit(client_key="terakhir").json()["id"]
    reports = product.counts()["reports"]
    stop_timed(product)
    (channel,) = product.json_lines("channels")
    assert channel["running"] is False and channel["last_message_ms"] >= last_message
    assert re.search(r"^web +web_form +down ", product.command("channels").stdout, re.MULTILINE)
    assert product.counts()["reports"] == reports
    assert product.report(report_id)["id"] == report_id.replace("-", "")
    assert product.json_lines("track", report_id)[0]["state"] == "Menunggu"
    assert product.json_lines("quarantine") == [] and product.json_lines("audit")
    for words in (("queue", "retry", "1"), ("quarantine", "replay", report_id)):
        done = product.command(*words, check=False)
        assert done.returncode == 75 and "the gateway does not run" in done.stderr
    assert run("core", "user", "list", "--state", product.state).returncode == 0
    product.start()
    assert product.json_lines("channels")[0]["last_message_ms"] >= last_message
