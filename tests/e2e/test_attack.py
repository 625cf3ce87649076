# SPDX-License-Identifier: Apache-2.0
"""The product under attack by HTTP: raw sockets, hostile bodies, guesses, other people's pages."""

import collections
import json
import re
import socket
import sqlite3
import threading
import time
import urllib.parse
import uuid

import pytest

from mail_servers import certificates, dovecot, postfix  # noqa: F401
from mailing import channel, wait_answers
from officer import Officer
from product import STORY, Product, form_fields, request, wait_until

HOST = "Host: kanal.test\r\n"
MARKUP = ("<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
          "{{t.x}}{{{story}}}{{#problems}} %s%n%x ${7*7} javascript:alert(3)")
HEADER_DEADLINE_S = 10


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    running = Product(tmp_path_factory.mktemp("attack"))
    wait_until(lambda: request(running.staff_url + "/login").status == 200, "the core answers")
    yield running
    assert running.stop() == 0
    log = running.log()
    assert "ERROR: AddressSanitizer" not in log and "runtime error" not in log, log[-3000:]


def converse(port, data, timeout=5):
    """Sends data as it is; gives (statuses of all answers, whether the other side closed)."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(timeout)
        received, closed = b"", False
        try:
            client.sendall(data.encode("latin-1") if isinstance(data, str) else data)
            while not closed:
                block = client.recv(65536)
                received, closed = received + block, not block
        except TimeoutError:
            pass
        except OSError:
            closed = True
    return [int(found) for found in re.findall(rb"^HTTP/1\.1 (\d+)", received, re.M)], closed


def post_json(product, **fields):
    return request(product.url + "/reports", data={"client_key": uuid.uuid4().hex, **fields})


# --- Framing ---

BEHIND = f"GET /robots.txt HTTP/1.1\r\n{HOST}\r\n"
CHUNKS = "0\r\n\r\n"
SMUGGLED = {
    "both lengths": f"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}",
    "both, the other order": f"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{CHUNKS}",
    "two lengths": "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "a list of lengths": "Content-Length: 4, 4\r\n\r\nabcd",
    "plus": "Content-Length: +4\r\n\r\nabcd",
    "minus": "Content-Length: -1\r\n\r\nabcd",
    "hexadecimal": "Content-Length: 0x4\r\n\r\nabcd",
    "beyond 64 bits": "Content-Length: 18446744073709551620\r\n\r\nabcd",
    "beyond 63 bits": "Content-Length: 9223372036854775808\r\n\r\nabcd",
    "a gigabyte": "Content-Length: 1000000000\r\n\r\nabcd",
    "other codings": f"Transfer-Encoding: gzip, chunked\r\n\r\n{CHUNKS}",
    "a coding nobody knows": f"Transfer-Encoding: xchunked\r\n\r\n{CHUNKS}",
    "blank before the colon": f"Transfer-Encoding : chunked\r\n\r\n{CHUNKS}",
    "folded": "X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
    "bare line feed": "X: y\nContent-Length: 0\r\n\r\n",
    "bare carriage return": "X: y\rContent-Length: 0\r\n\r\n",
    "NUL": "X: a\0b\r\n\r\n",
    "chunk beyond 64 bits":
        "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nid=ab\r\n0\r\n\r\n",
    "negative chunk": "Transfer-Encoding: chunked\r\n\r\n-5\r\nid=ab\r\n0\r\n\r\n",
    "good chunks": "Transfer-Encoding: chunked\r\n\r\n5\r\nid=ab\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_nothing_behind_a_doubtful_body_is_a_request(product, name):
    """An error and the end: what follows is never taken for a second request. (libmicrohttpd
    0.9.75 writes the head of its own refusals twice.)"""
    statuses, closed = converse(product.ports["public"],
                                f"POST /track HTTP/1.1\r\n{HOST}{SMUGGLED[name]}{BEHIND}")
    assert len(set(statuses)) == 1 and statuses[0] >= 400, statuses
    assert (statuses[0] == 404) == (name == "good chunks")
    assert closed, "the connection stays open"


@pytest.mark.parametrize("head", [
    "GET / HTTP/1.1\r\n\r\n", f"GET / HTTP/1.1\r\n{HOST}{HOST}\r\n",
    f"GET http://evil.test/ HTTP/1.1\r\n{HOST}\r\n", f"GET / HTTP/2.0\r\n{HOST}\r\n",
    f"GET /{'a' * 20000} HTTP/1.1\r\n{HOST}\r\n",
    f"GET / HTTP/1.1\r\n{HOST}X: {'a' * 20000}\r\n\r\n",
    f"GET / HTTP/1.1\r\n{HOST}" + "X: a\r\n" * 50000 + "\r\n", "\x16\x03\x01\x02\0\x01\0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", f"GET /%00 HTTP/1.1\r\n{HOST}\r\n",
    f"GET /c/web/%0d%0aX-Evil:1 HTTP/1.1\r\n{HOST}\r\n",
], ids=range(11))
def test_odd_heads_are_refused(product, head):
    statuses, closed = converse(product.ports["public"], head)
    assert closed and all(status >= 400 for status in statuses), statuses


@pytest.mark.parametrize("path", [
    "/static/../robots.txt", "/static/%2e%2e/%2e%2e/etc/passwd", "/static//etc/passwd",
    "/static/form.html", "/static/%252e%252e/form.html", "/c/../robots.txt", "/c/", "/c/webx/",
    "/c/web%00/", "/c/..%2f..%2fetc/", "/..", "/core/updates/..", "/static/", "/static/style.css/",
])
def test_no_path_leads_out(product, path):
    statuses, _ = converse(product.ports["public"],
                           f"GET {path} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
    assert statuses in ([400], [404], [405]), statuses


@pytest.mark.parametrize("path", ["/tickets", "/tickets/x/updates", "/x/../tickets", "/./tickets",
                                  "/%2e%2e/tickets", "/t/../accounts", "/accounts", "//accounts"])
def test_the_core_contract_is_not_on_the_officers_side(product, path):
    statuses, _ = converse(product.ports["staff"],
                           f"POST {path} HTTP/1.1\r\n{HOST}Content-Length: 2\r\n"
                           "Connection: close\r\n\r\n{}")
    assert statuses in ([400], [404], [413]), statuses


def test_slow_heads_end_at_their_deadline(product):
    """A byte now and then keeps nothing alive, and others are served meanwhile."""
    start = time.monotonic()
    slow = [socket.create_connection(("127.0.0.1", product.ports["public"])) for _ in range(50)]
    open_ones = set(slow)
    for client in slow:
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
        client.setblocking(False)
    while open_ones and time.monotonic() - start < 4 * HEADER_DEADLINE_S:
        for client in list(open_ones):
            try:
                client.send(b"a")
                if client.recv(1000) == b"":
                    open_ones.discard(client)
            except BlockingIOError:
                pass
            except OSError:
                open_ones.discard(client)
        assert request(product.url + "/robots.txt").status == 200
        time.sleep(0.5)
    for client in slow:
        client.close()
    assert not open_ones and time.monotonic() - start >= HEADER_DEADLINE_S - 1


# --- Bodies ---

def part(name, value, more=""):
    return (f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
            + value + b"\r\n")


FORM = b"".join(part(key, value.encode()) for key, value in form_fields().items())
MULTIPART = "multipart/form-data; boundary=b"
URLENCODED = "application/x-www-form-urlencoded"
JSON = "application/json"
REFUSED_BODIES = {
    "ten thousand parts": (MULTIPART, part("story", b"x") * 10_000 + b"--b--"),
    "ten thousand files": (MULTIPART, FORM + part("attachments", b"x", '; filename="a"') * 10_000
                           + b"--b--"),
    "no boundary": ("multipart/form-data", FORM),
    "empty boundary": ('multipart/form-data; boundary=""', FORM),
    "a boundary that never ends": ("multipart/form-data; boundary=" + "b" * 5000, FORM),
    "nearly the boundary": (MULTIPART, b"\r\n--bx" * 20_000),
    "never closed": (MULTIPART, FORM),
    "a part without a name": (MULTIPART,
                              b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"),
    "a photo without a name": (MULTIPART, FORM + part("attachments", b"no photo") + b"--b--"),
    "nested": (MULTIPART, FORM + b'--b\r\nContent-Disposition: form-data; name="attachments"\r\n'
               b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--"),
    "a huge part head": (MULTIPART, FORM + b"--b\r\nX: " + b"a" * 500_000 + b"\r\n\r\nx\r\n--b--"),
    "NUL in the story": (MULTIPART, part("story", STORY.encode() + b"\0") + b"--b--"),
    "UTF-16": (MULTIPART, part("story", STORY.encode("utf-16")) + b"--b--"),
    "a million pairs": (URLENCODED, b"a=b&" * 250_000),
    "arrays deep": (JSON, b"[" * 100_000 + b"]" * 100_000),
    "objects deep": (JSON, b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "one name twice": (JSON, b'{"story":"a","story":"b"}'),
    "a huge number": (JSON, b'{"lat":1e999999}'),
    "no number": (JSON, b'{"lat":NaN}'),
    "bad UTF-8": (JSON, b'{"story":"\xff\xfe\xc0\xaf\xed\xa0\x80"}'),
    "half a surrogate": (JSON, b'{"story":"\\ud800"}'),
    "NUL in JSON": (JSON, b'{"story":"a\\u0000b"}'),
    "unknown names": (JSON, json.dumps({f"k{n}": 1 for n in range(20_000)}).encode()),
    "names of no letters": (JSON, json.dumps({"": 1, "a\1b": 1, "\u202eabc": 1}).encode()),
    "a list": (JSON, b"[]"),
    "nothing": (JSON, b""),
    "a key without end": (JSON, json.dumps(form_fields(client_key="k" * 100_000)).encode()),
    "plain text": ("text/plain", b"story=" + STORY.encode()),
}


@pytest.mark.parametrize("name", REFUSED_BODIES)
def test_bad_bodies_are_told_so(product, name):
    content_type, body = REFUSED_BODIES[name]
    answer = request(product.url + "/reports", data=body,
                     headers={"Content-Type": content_type, "Accept": "application/json"})
    assert answer.status == 422, answer.body[:300]
    assert answer.json()["errors"] and "pin" not in answer.json()


def test_bad_bodies_leave_nothing_and_cost_no_worker(product):
    assert product.counts()["quarantined"] == 0
    assert "worker_replaced" not in product.log()


def test_a_hundred_at_once_with_one_key_are_one_report(product):
    answers = []

    def send():
        answer = product.submit(client_key="satu-kunci")
        answers.append((answer.status, answer.json()["id"], answer.json()["pin"]))

    threads = [threading.Thread(target=send) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = collections.Counter(status for status, _, _ in answers)
    assert statuses == {201: 1, 200: 99}
    assert len({receipt[1:] for receipt in answers}) == 1
    other = product.submit(client_key="satu-kunci", story=STORY + " Lain.")
    assert other.status == 422 and other.json()["errors"][0]["field"] == "client_key"


# --- What others see ---

def assert_harmless(page):
    assert "<script>alert" not in page and "<img src=x" not in page
    assert not re.search(r'(href|src|action)="\s*javascript', page)


def test_markup_stays_text_wherever_it_is_shown(product):
    made = post_json(product, story=STORY + MARKUP, location=MARKUP, additional=MARKUP,
                     visibility="public", name=MARKUP, category="jalan")
    assert made.status == 201, made.body
    report_id, pin = made.json()["id"], made.json()["pin"]

    officer = Officer(product)
    path = wait_until(lambda: next((ticket for ticket in officer.tickets()
                                    if "alert(1)" in officer.get(ticket)), None), "the ticket")
    assert_harmless(officer.page)
    assert "{{t.x}}{{{story}}}" in officer.page and "%s%n%x" in officer.page
    assert_harmless(officer.get("/"))
    assert_harmless(officer.get("/?state=" + urllib.parse.quote(MARKUP)))
    assert_harmless(officer.change(path, "Koordinasi", agency=MARKUP, answer=MARKUP))
    wait_until(lambda: len(product.track(report_id).json()["timeline"]) > 1, "the state arrived")
    form = urllib.parse.urlencode({"id": report_id, "pin": pin}).encode()
    shown = request(product.url + "/track", data=form,
                    headers={"Content-Type": URLENCODED, "Accept": "text/html"})
    assert shown.status == 200 and "{{t.x}}" in shown.body.decode()
    assert_harmless(shown.body.decode())
    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_markup_in_a_refused_form_comes_back_as_text(product):
    form = urllib.parse.urlencode({"story": MARKUP, "location": MARKUP, "contact": MARKUP,
                                   "category": MARKUP, "lat": MARKUP, "name": MARKUP}).encode()
    answer = request(product.url + "/reports", data=form,
                     headers={"Content-Type": URLENCODED, "Accept": "text/html"})
    assert answer.status == 422
    assert_harmless(answer.body.decode())
    page = request(product.url + "/", headers={"Host": '"><script>alert(1)</script>',
                                               "Accept-Language": MARKUP})
    assert_harmless(page.body.decode())


def comparable(answer):
    return answer.status, answer.body, sorted(
        (name, value) for name, value in answer.headers.items() if name != "Date")


def test_all_ids_without_a_page_look_the_same(product):
    made = post_json(product, story=STORY, category="jalan").json()
    added = request(product.url + "/track/add", data={
        "id": made["id"], "pin": made["pin"], "text": "Masih rusak, mohon segera."})
    assert added.status == 201, added.body
    (database,) = product.state.glob("queue/*.db")
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as queue:
        followups = [name for name, in queue.execute(
            "SELECT id FROM entry WHERE parent_id IS NOT NULL")]
    assert followups
    ids = ["7KQ3-MXP9-T2FD", "4K02-A9MC-805W", "", "x", "0" * 12, "../../x", MARKUP, "é" * 12,
           *followups]
    for accept in ("application/json", "text/html"):
        def look_up(report_id):
            form = urllib.parse.urlencode({"id": report_id}).encode()
            return comparable(request(product.url + "/track", data=form, headers={
                "Content-Type": URLENCODED, "Accept": accept}))

        unknown = look_up("7KQ3-MXP9-T2FC")
        assert unknown[0] == 404
        for report_id in ids:
            assert look_up(report_id) == unknown, report_id


# --- Officers ---

def test_only_our_own_forms_change_anything(product):
    made = post_json(product, story=STORY + " Uji asal.", category="jalan")
    assert made.status == 201
    officer = Officer(product)
    ticket = wait_until(officer.tickets, "a ticket is there")[0]
    page = officer.get(ticket)
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for handler in officer.opener.handlers
                        if hasattr(handler, "cookiejar") for cookie in handler.cookiejar)
    own = product.staff_url

    def post(fields, **headers):
        return request(own + f"{ticket}/state", data=urllib.parse.urlencode(fields).encode(),
                       headers={"Content-Type": URLENCODED, "Cookie": cookies, **headers}).status

    fields = {**hidden, "to": "Koordinasi", "agency": "", "answer": ""}
    bad_origins = ["https://evil.test", "null", own + ".evil.test", own.replace("//", "//evil@"),
                   own + "0", "nonsense"]
    assert [post(fields, Origin=origin) for origin in bad_origins] == [403] * len(bad_origins)
    for site in ("cross-site", "same-site"):
        assert post(fields, Origin=own, **{"Sec-Fetch-Site": site}) == 403
    for token in ("", "0" * 64, hidden["csrf"].upper(), hidden["csrf"] + "0"):
        assert post({**fields, "csrf": token}, Origin=own) == 403
    assert post(fields, Origin=own, Cookie="kanal-petugas=" + "a" * 64) in (401, 403)
    assert post(fields, Origin=own) == 303


def sign_in(product, password, **headers):
    return request(product.staff_url + "/login",
                   data=urllib.parse.urlencode({"name": "petugas", "password": password}).encode(),
                   headers={"Content-Type": URLENCODED, **headers})


def test_a_session_is_never_one_that_was_brought_along(product):
    brought = "a" * 64
    answer = sign_in(product, product.officer(), Cookie=f"kanal-petugas={brought}",
                     Origin=product.staff_url)
    cookie = answer.headers["Set-Cookie"]
    assert answer.status == 303 and brought not in cookie
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert sign_in(product, product.officer(), Origin="https://evil.test").status == 403


def test_guesses_are_counted_whatever_is_said_about_where_they_come_from(own_product):
    """X-Forwarded-For counts from a configured proxy only."""
    product = own_product()
    wait_until(lambda: request(product.staff_url + "/login").status == 200, "the core answers")
    made = product.submit(client_key="tebak").json()
    wrong = "000000" if made["pin"] != "000000" else "000001"

    def forwarded(number):
        return {"X-Forwarded-For": f"192.0.2.{number}", "Forwarded": f"for=192.0.2.{number}"}

    def track(number, **asked):
        return request(product.url + "/track", data=asked, headers=forwarded(number)).status

    pins = [track(n, id=made["id"], pin=wrong) for n in range(14)]
    assert pins == [403] * 10 + [429] * 4
    assert track(0, id=made["id"], pin=made["pin"]) == 429, "right or wrong is not told any more"
    other = product.submit(client_key="lain", story=STORY + " Lain.").json()
    assert track(0, id=other["id"], pin=other["pin"]) == 200
    ids = [track(n, id="7KQ3-MXP9-T2FC") for n in range(70)]
    assert ids == [404] * 50 + [429] * 20
    logins = [sign_in(product, "salah", **forwarded(n)).status for n in range(8)]
    assert logins == [401] * 5 + [429] * 3


# --- Mail ---

INJECTED = "=0D=0ABcc:_korban@example.org=0D=0A=0D=0A<b>{{t.x}}_%s%n"
HEADERS = {"Return-Path", "Delivered-To", "X-Original-To", "Received", "Date", "From", "To",
           "Reply-To", "Subject", "Message-ID", "In-Reply-To", "References", "MIME-Version",
           "Content-Type", "Content-Transfer-Encoding", "Content-Language", "Auto-Submitted",
           "X-Auto-Response-Suppress", "Precedence", "Message-Id"}


def test_no_header_of_an_answer_is_the_citizens(own_product, dovecot, postfix,  # noqa: F811
                                                tmp_path):
    """Line ends in names, subjects, ids and addresses, coded or plain, make no header and send
    nothing to anybody else."""
    number = time.time_ns()
    mailbox, citizen, victim = (f"{name}{number}@{domain}" for name, domain in
                                (("aduan", "kota.test"), ("siti", "example.org"),
                                 ("korban", "example.org")))
    product = own_product(extra=channel(dovecot, postfix, tmp_path, mailbox))
    injected = INJECTED.replace("korban@", victim.split("@")[0] + "@")
    dovecot.deliver(mailbox, (
        f"From: =?utf-8?q?Siti{injected}?= <{citizen}>\r\n"
        f"To: {mailbox}\r\nSubject: =?utf-8?q?Jalan{injected}?=\r\n"
        f"Message-ID: <a\r\n Bcc: {victim}\r\n @x.test>\r\n"
        f"References: <b@x.test>\r\n =?utf-8?q?{injected}?=\r\n"
        f"Date: Sat, 21 Nov 2026 10:03:27 +0700\r\n\r\n{STORY}\r\n").encode())
    made = post_json(product, story=STORY + " Lewat web.", contact=citizen, category="jalan",
                     name=f"Siti\r\nBcc: {victim}\r\n\r\n{{{{t.x}}}}")
    assert made.status == 201, made.body
    for contact in (f"{citizen}\r\nBcc: {victim}", f"{citizen}, {victim}", f"{citizen} {victim}",
                    f"<{citizen}>,<{victim}>", f"{citizen}%0aBcc:{victim}", f"-oQ/tmp/x@{victim}"):
        answer = post_json(product, story=STORY, contact=contact, category="jalan")
        assert answer.status == 422, contact
    for mail in wait_answers(dovecot, citizen, 2):
        assert set(mail.keys()) <= HEADERS, mail.keys()
        assert mail["To"].addresses[0].addr_spec == citizen and len(mail["To"].addresses) == 1
        for name in ("In-Reply-To", "References"):  # the citizen's own id, on one line
            del mail[name]
        assert victim not in str(mail) and "{{t.x}}" not in str(mail)
    assert dovecot.messages(victim) == []
