# SPDX-License-Identifier: Apache-2.0
"""The benchmarks: each prints what was measured, what it was measured against, and the ratio."""

import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/e2e"), str(TOP / "tests/bench")]

import mail_servers  # noqa: E402
import mailbox  # noqa: E402
from product import Product, request, wait_until  # noqa: E402

RELEASE = TOP / "build/release"
KANAL = str(RELEASE / "kanal")
SECONDS = 8
ROUNDS = 3


def start(folder, **arguments):
    # One client drives all the load: the per-address limit is not what is measured.
    return Product(folder, binary=KANAL, http="connections_per_address = 100000", **arguments)


def line(what, measured, against, unit):
    print(f"{what:44} {measured:>10.0f} {unit:<10} against {against:>10.0f}   "
          f"ratio {measured / against:.2f}", flush=True)


def wrk(url, script, connections, *words):
    """Runs wrk; gives requests/s, p50 and p99 in ms, and how many answers were no success."""
    out = subprocess.run(
        ["wrk", "-t2" if connections > 1 else "-t1", f"-c{connections}", f"-d{SECONDS}s",
         "--latency", "-s", str(TOP / "tests/bench" / script), url, *(["--", *words] if words else [])],
        capture_output=True, text=True, check=True).stdout
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}

    def percentile(name):
        value, unit = re.search(rf"{name}%\s+([\d.]+)(us|ms|s)", out).groups()
        return float(value) * scale[unit]

    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), percentile(50),
            percentile(99), int(bad.group(1)) if bad else 0)


def bare_sqlite(folder, size):
    """Rows/s of a bare SQLite loop that commits rows of this size in batches of 100."""
    folder.mkdir(parents=True, exist_ok=True)
    out = subprocess.run([str(RELEASE / "bench_bare"), str(folder), "20000", str(size)],
                         capture_output=True, text=True, check=True).stdout
    (folder / "bare.db").unlink()
    return float(out)


def stored_bytes(product):
    return sum(path.stat().st_size for path in (product.state / "queue").rglob("*")
               if path.is_file() and not path.name.endswith("-wal"))


def bench_http(folder):
    product = start(folder / "http", gateway="queue_max = 4000")
    runs = {connections: [] for connections in (1, 64, 256)}
    bare = []
    before, size = stored_bytes(product), None
    for _ in range(ROUNDS):
        for connections, results in runs.items():
            results.append(wrk(product.url + "/reports", "reports.lua", connections))
            accepted = product.counts()["reports"]
            size = (stored_bytes(product) - before) // max(accepted, 1)
            bare.append(bare_sqlite(folder / "bare", size))
    product.stop()
    limit = statistics.median(bare)
    for connections, results in runs.items():
        line(f"durable reports over HTTP, {connections} connections",
             statistics.median(run[0] for run in results), limit, "reports/s")
        print(f"{'':44} p50 {statistics.median(run[1] for run in results):.1f} ms, "
              f"p99 {statistics.median(run[2] for run in results):.1f} ms, "
              f"{sum(run[3] for run in results)} not accepted, {size} bytes stored a report")


NGINX = """daemon off; pid {folder}/pid; error_log {folder}/log; worker_processes 2;
events {{ worker_connections 2000; }}
http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
keepalive_requests 100000000;
server {{ listen 127.0.0.1:{port}; root {folder}/www; }} }}"""


def bench_track(folder):
    product = start(folder / "track")
    report_id = product.submit(client_key="bench-track").json()["id"]
    page = product.track(report_id).body
    web = folder / "nginx"
    (web / "www").mkdir(parents=True)
    (web / "www/file.json").write_bytes(page)
    port = product.ports["public"] + 7
    (web / "nginx.conf").write_text(NGINX.format(folder=web, port=port))
    nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", str(web / "nginx.conf")],
                             stderr=subprocess.DEVNULL)
    time.sleep(1)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(wrk(product.url + "/track", "track.lua", 64, report_id))
        theirs.append(wrk(f"http://127.0.0.1:{port}/file.json", "static.lua", 64))
    nginx.terminate()
    nginx.wait()
    product.stop()
    line(f"tracking look-ups, {len(page)} bytes, 64 connections",
         statistics.median(run[0] for run in ours), statistics.median(run[0] for run in theirs),
         "look-ups/s")
    assert sum(run[3] for run in ours) == 0, "look-ups failed"


MBSYNCRC = """IMAPAccount theirs
Host localhost
Port {port}
User {user}
Pass {password}
SSLType IMAPS
CertificateFile {ca}
PipelineDepth 50

IMAPStore far
Account theirs

MaildirStore near
Path {copy}/
Inbox {copy}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
SyncState *
Sync Pull
"""


def mbsync(folder, imap, address):
    """Seconds mbsync needs to download the mailbox."""
    copy = folder / "copy"
    copy.mkdir()
    rc = folder / "mbsyncrc"
    rc.write_text(MBSYNCRC.format(port=imap.imaps_port, user=address, password=imap.password,
                                  ca=imap.ca_file, copy=copy))
    began = time.monotonic()
    done = subprocess.run(["mbsync", "-c", str(rc), "all"], capture_output=True, text=True)
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    shutil.rmtree(copy)
    return took


def bench_mailbox(folder):
    """A mailbox of 10,000 mails (185 MB) taken in whole, beside mbsync merely downloading it."""
    ours, theirs = [], []
    with mail_servers.public_folder("ca") as ca, mail_servers.public_folder("imap") as home:
        imap = mail_servers.Dovecot(home, mail_servers.Certificates(ca))
        imap.deliver_all(mailbox.ADDRESS, [])
        mailbox.write_mailbox(imap.maildir(mailbox.ADDRESS))
        subprocess.run(["chown", "-R", mail_servers.OWNER, str(imap.mail)], check=True)
        mbsync(folder, imap, mailbox.ADDRESS)  # Dovecot's indexes are made by the first reader
        for number in range(ROUNDS):
            theirs.append(mbsync(folder, imap, mailbox.ADDRESS))
            product, took = take_in(folder / f"mailbox{number}", imap)
            counts = product.counts()
            product.stop()
            ours.append(took)
        imap.close()
    mine, peer = statistics.median(ours), statistics.median(theirs)
    print(f"{'mailbox of 10,000 mails, 185 MB, taken in':44} {mine:>10.1f} s          "
          f"against {peer:>10.1f}   ratio {mine / peer:.2f} of mbsync's time")
    print(f"{'':44} {counts['reports']} reports, {counts['quarantined']} in quarantine")


def take_in(folder, imap):
    folder.mkdir(parents=True)
    password = folder / "password"
    password.write_text(imap.password)
    password.chmod(0o600)
    product = start(folder, extra=f"""[channel pusat]
type = email
address = {mailbox.ADDRESS}
imap_host = {imap.host}
imap_port = {imap.imaps_port}
smtp_host = localhost
smtp_port = 9
password = file:{password}
ca_file = {imap.ca_file}
after = keep
""")
    began = time.monotonic()

    def taken():  # by the metrics: a command started four times a second would be load itself
        text = request(product.admin_url + "/metrics").body.decode()
        done = re.findall(r'^kanal_messages_(?:accepted|followups|not_reports|quarantined)_total'
                          r'\{channel="pusat"\} (\d+)', text, re.M)
        return sum(map(int, done)) >= mailbox.MESSAGES

    wait_until(taken, "the mailbox is taken in", 1800, 0.25)
    return product, time.monotonic() - began


def memory_kib(pid):
    """Proportional set size: shared pages are counted once over all processes."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))


def bench_memory(folder):
    product = start(folder / "memory")
    for number in range(200):
        product.submit(client_key=f"memory-{number}")
    pids = [product.process.pid] + [
        int(pid) for pid in subprocess.run(["pgrep", "-P", str(product.process.pid)],
                                           capture_output=True, text=True).stdout.split()]
    total = 0
    for pid in pids:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        kib = memory_kib(pid)
        total += kib
        print(f"memory of kanal {words[1].decode():30} {kib / 1024:>8.1f} MiB")
    print(f"{'memory of all':46} {total / 1024:>8.1f} MiB")
    product.stop()


def bench_startup(folder):
    """Until ready, with a million reports in the queue: after a clean stop and after kill -9."""
    state = folder / "startup/state"
    state.mkdir(parents=True)
    subprocess.run([str(RELEASE / "bench_fill"), str(state / "queue"), "1000000"], check=True)
    product = start(folder / "startup")
    for what, end in (("a clean stop", product.stop), ("kill -9", product.kill)):
        if product.process.poll() is None:
            product.submit(client_key=what)
            end()
        began = time.monotonic()
        product.start()
        print(f"start with 1,000,000 reports after {what:12} {time.monotonic() - began:>8.2f} s")
    product.stop()


BENCHES = {"http": bench_http, "track": bench_track, "mailbox": bench_mailbox,
           "memory": bench_memory, "startup": bench_startup}


def main():
    names = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    for name in names:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="kanal-bench-", dir="/var/tmp"))
        try:
            BENCHES[name](folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


main()
