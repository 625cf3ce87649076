# SPDX-License-Identifier: Apache-2.0
"""No reporter's identity in anything the product leaves or shows.

Unique marks go into every identity field of every channel, through the whole product and a crash;
then every byte it left on disk or shows to anybody else is searched for them, in whatever
encoding they may stand there."""

import base64
import os
import pathlib
import re
import sqlite3
import struct
import time
import uuid
import zlib

import pytest

from mail_servers import certificates, dovecot, postfix  # noqa: F401
from mailing import answers, channel, message, wait_answers
from officer import Officer
from product import STORY, Product, request, wait_until

ID = re.compile(r"\b([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})\b")
PIN = re.compile(r"\b(\d{6})\b")
CLOCK = re.compile(r"\b\d\d:\d\d(:\d\d)?\b")
TIME_COLUMNS = {"started_ms", "used_ms"}  # of officers' sessions: theirs, not the reporters'


class Marks:
    """Letters only, so that no encoding for the web or for mail changes them but one meant to."""

    def __init__(self):
        self.names = {}

    def __call__(self, name):
        """A new mark; the same name gives the same one again."""
        if name not in self.names:
            self.names[name] = "z" + "".join(chr(97 + b % 26) for b in uuid.uuid4().bytes)[:14]
        return self.names[name]


def base64_forms(data):
    """What of data shows in base64 wherever it begins."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data)
        yield text[0 if shift == 0 else 4 if shift == 2 else 2:len(text) // 4 * 4 - 4]


def forms(text):
    """Every way the bytes of text may stand somewhere."""
    data = text.encode()
    upper = text.upper().encode()
    yield from (data, upper, text.encode("utf-16-le"), text.encode("utf-16-be"))
    yield from (data.hex().encode(), data.hex().upper().encode())
    yield from base64_forms(data)
    yield from ("".join(f"{sign}{byte:02X}" for byte in data).encode() for sign in "=%")
    yield "".join(f"\\x{byte:02x}" for byte in data).encode()


def hits(where, marks):
    """[(place, mark)] of every mark found in {place: bytes}."""
    wanted = [(name, form) for name, mark in marks.items() for form in forms(mark)]
    return sorted({(place, name) for place, data in where.items() for name, form in wanted
                   if form in data})


# --- What the product leaves and shows ---

def files(product):
    """Every file of the state folder, by path: the path is searched as well."""
    found = {}
    for path in product.state.rglob("*"):
        name = str(path.relative_to(product.state))
        found[name] = name.encode() + (path.read_bytes() if path.is_file() else b"")
    return found


def processes(product):
    """The product's own: the gateway and what it started."""
    pids, found = [product.process.pid], []
    while pids:
        pid = pids.pop()
        found.append(pid)
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            pids += [int(child) for child in (task / "children").read_text().split()]
    return found


def process_titles(product):
    found = {}
    for pid in processes(product):
        folder = pathlib.Path(f"/proc/{pid}")
        names = [folder / "cmdline", folder / "environ", *folder.glob("task/*/comm")]
        found[f"process {pid}"] = b"\n".join(path.read_bytes() for path in names)
        found[f"files of {pid}"] = "\n".join(
            os.readlink(fd) for fd in (folder / "fd").iterdir() if fd.is_symlink()).encode()
    return found


def officers_see(product):
    """Every page of the officers, and the photos."""
    officer = Officer(product)
    found = {"list": officer.get("/").encode()}
    for ticket in officer.tickets():
        page = officer.get(ticket)
        found[ticket] = page.encode()
        for photo in re.findall(r'src="(/photo/[^"]+)"', page):
            found[photo] = officer.photo(photo)[1]
    return found


def everybody_sees(product):
    """Pages without a PIN, and what operators read."""
    found = {path: request(product.url + path).body for path in ("/", "/track", "/robots.txt")}
    found["metrics"] = request(product.admin_url + "/metrics").body
    found["health"] = (request(product.admin_url + "/healthz").body
                       + request(product.admin_url + "/readyz").body)
    for words in (["channels"], ["queue"], ["queue", "buried"], ["quarantine"], ["audit"]):
        found["kanal " + " ".join(words)] = product.command(*words).stdout.encode()
    return found


def left_behind(product):
    return {**files(product), "log": product.log_path.read_bytes()}


# --- What goes in ---

def jpeg_with_marks(marks):
    """A photo whose metadata says who took it and where; comment and appended bytes too."""
    def entry(tag, kind, count, value):
        return struct.pack("<HHI", tag, kind, count) + value

    texts = {0x010E: "exif description", 0x010F: "exif maker", 0x013B: "exif artist",
             0x8298: "exif copyright"}
    head = 8 + 2 + 12 * (len(texts) + 1) + 4
    ifd, data = struct.pack("<H", len(texts) + 1), b""
    for tag, name in sorted(texts.items()):
        value = marks(name).encode() + b"\0"
        ifd += entry(tag, 2, len(value), struct.pack("<I", head + len(data)))
        data += value
    gps = struct.pack("<H", 2) + entry(1, 2, 2, b"S\0\0\0")
    ifd += entry(0x8825, 4, 1, struct.pack("<I", head + len(data))) + b"\0" * 4
    gps += entry(29, 2, len(marks("exif gps")) + 1,
                 struct.pack("<I", head + len(data) + 2 + 24 + 4)) + b"\0" * 4
    tiff = b"II*\0" + struct.pack("<I", 8) + ifd + data + gps + marks("exif gps").encode() + b"\0"
    exif = b"Exif\0\0" + tiff
    comment = marks("photo comment").encode()
    plain = base64.b64decode(SAMPLE_JPEG)
    return (plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
            + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
            + plain[2:] + marks("photo tail").encode())


def png_with_marks(marks):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
            + chunk(b"tEXt", b"Author\0" + marks("png author").encode())
            + chunk(b"IDAT", zlib.compress((b"\0" + b"\x80" * 24) * 8)) + chunk(b"IEND", b""))


def send_forms(product, marks):
    """JSON, multipart and urlencoded, public and private; gives (id, pin) of each."""
    receipts = []
    for number, visibility in enumerate(("public", "private")):
        made = product.submit(
            client_key=marks(f"client key {number}"), visibility=visibility,
            story=f"{STORY} {marks(f'story {number}')}", name=marks(f"name {number}"),
            contact=f"{marks(f'contact {number}')}@{marks(f'domain {number}')}.example.org",
            attachments=[
                {"name": marks(f"file {number}") + ".jpg", "media_type": "image/jpeg",
                 "data": base64.b64encode(jpeg_with_marks(marks)).decode()},
                {"name": marks(f"png file {number}") + ".png", "media_type": "image/png",
                 "data": base64.b64encode(png_with_marks(marks)).decode()}])
        assert made.status == 201, made.body
        receipts.append((made.json()["id"], made.json()["pin"]))
    fields = {"client_key": marks("page key"), "story": f"{STORY} {marks('story 2')}",
              "category": "jalan", "name": marks("name 2"), "contact": "+62 812-0000-7319"}
    body = b"".join(f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
                    .encode() for key, value in fields.items())
    body += (f'--b\r\nContent-Disposition: form-data; name="attachments"; filename='
             f'"{marks("upload name")}.jpg"\r\nContent-Type: image/jpeg\r\n\r\n').encode()
    body += jpeg_with_marks(marks) + b"\r\n--b--\r\n"
    made = request(product.url + "/reports", data=body, headers={
        "Content-Type": "multipart/form-data; boundary=b", "Accept": "application/json",
        "User-Agent": marks("agent"), "Cookie": f"a={marks('cookie')}"})
    assert made.status == 201, made.body
    receipts.append((made.json()["id"], made.json()["pin"]))
    return receipts


def send_what_is_refused(product, marks):
    """Refused forms, wrong PINs, unknown IDs, requests that are none. Gives the answers to the
    latter: they must repeat nothing."""
    refused = product.submit(story="pendek " + marks("refused story"), name=marks("refused name"),
                             contact=f"{marks('refused contact')}@example.org")
    assert refused.status == 422
    odd = product.submit(client_key=uuid.uuid4().hex, **{marks("unknown field"): 1})
    assert odd.status == 422
    shown = {}
    asked = {
        "wrong id": ("/track", {"id": marks("wrong id")}),
        "wrong pin": ("/track", {"id": "7KQ3-MXP9-T2FC", "pin": marks("wrong pin")}),
        "add": ("/track/add", {"id": marks("add id"), "pin": "123456", "text": marks("add text")}),
        "path": (f"/{marks('path')}?{marks('query')}=1", None),
        "static": (f"/static/{marks('static')}", None),
        "channel": (f"/c/{marks('channel')}/x", None),
        "malformed": ("/core/updates", {marks("unsigned"): 1}),
    }
    for name, (path, data) in asked.items():
        answer = request(product.url + path, data=data, headers={
            "Referer": f"http://{marks('referer')}.example.org/",
            "X-Forwarded-For": marks("forwarded")})
        assert answer.status >= 400
        shown[name] = answer.body + str(answer.headers).encode()
    wait_until(lambda: request(product.staff_url + "/login").status == 200, "the core answers")
    for target in (f"/t/{marks('staff path')}", f"/?state={marks('staff query')}"):
        answer = request(product.staff_url + target, headers={"Accept": "text/html"})
        shown[target[:3]] = answer.body + str(answer.headers).encode()
    login = request(product.staff_url + "/login", data=b"name=" + marks("login").encode()
                    + b"&password=" + marks("password").encode(),
                    headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert login.status == 401
    return shown


def mail_with_marks(marks, number, mailbox, citizen, deep=0):
    mail = message(f'"{marks(f"display {number}")}" <{citizen}>', to=mailbox,
                   subject=f"Jalan rusak {marks(f'mail subject {number}')}",
                   text=f"{STORY} {marks(f'mail story {number}')}\n\n-- \n"
                        f"{marks(f'signature {number}')}\n",
                   message_id=f"<{marks(f'message id {number}')}@{marks(f'host {number}')}.test>",
                   reply_to=citizen, cc=f"{marks(f'cc {number}')}@example.org",
                   x_originating_ip=marks(f"origin {number}"), user_agent=marks(f"mua {number}"))
    mail.add_attachment(jpeg_with_marks(marks), maintype="image", subtype="jpeg",
                        filename=marks(f"attachment {number}") + ".jpg")
    received = (f"Received: from {marks(f'received {number}')}.example.org "
                f"by mx.test for <{citizen}>; Sat, 21 Nov 2026 10:03:27 +0700\n").encode()
    raw = received + mail.as_bytes()
    if not deep:
        return raw
    inner = b"Content-Type: text/plain\n\n" + marks(f"deep {number}").encode() + b"\n"
    for level in range(deep):
        inner = (b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n%b\n--b%d--\n'
                 % (level, level, inner, level))
    head = raw.split(b"\n\n", 1)[0].split(b"\n")
    kept = [line for line in head if not re.match(rb"(?i)(content-|mime-|\s)", line)]
    return b"\n".join(kept) + b"\nMIME-Version: 1.0\n" + inner


SAMPLE_JPEG = """
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAx
NDQ0Hyc5PTgyPC4zNDL/wAALCAAIAAgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUF
BAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW
V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi
4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/APf6/9k=
"""


# --- The test ---

@pytest.fixture(scope="module")
def lived(tmp_path_factory, dovecot, postfix):  # noqa: F811
    """A product through which all marks have gone: (product, marks, answers, receipts)."""
    folder = tmp_path_factory.mktemp("canary")
    marks = Marks()
    mailbox = f"aduan{time.time_ns()}@kota.test"
    product = Product(folder / "product", extra=channel(dovecot, postfix, folder, mailbox))
    receipts = send_forms(product, marks)
    shown = send_what_is_refused(product, marks)
    citizens = [f"{marks(f'address {n}')}@example.org" for n in range(2)]
    dovecot.deliver(mailbox, mail_with_marks(marks, 0, mailbox, citizens[0]))
    dovecot.deliver(mailbox, mail_with_marks(marks, 1, mailbox, citizens[1], deep=500))
    ack = wait_answers(dovecot, citizens[0], 1)[0]
    assert marks("mail story 0") not in str(ack)
    text = ack.get_content()
    receipts.append((ID.search(text).group(1), PIN.search(text).group(1)))
    product.kill()
    product.start()
    reply = message(f'"{marks("reply display")}" <{marks("reply address")}@example.org>',
                    to=str(ack["Reply-To"]), subject="Re: " + marks("reply subject"),
                    text=f"Tambah parah {marks('reply story')}\n\nPada Sab Siti menulis:\n"
                         f"> {marks('quoted')}\n")
    postfix.send(citizens[0], str(ack["Reply-To"]), reply)
    added = request(product.url + "/track/add", data={
        "id": receipts[0][0], "pin": receipts[0][1], "text": marks("added story") + " masih rusak"})
    assert added.status == 201, added.body

    def settled():
        counts = product.counts()
        return (counts["reports"] == 4 and counts["followups"] == 2 and counts["quarantined"] == 1
                and counts["core_waiting"] + counts["core_leased"] == 0)

    wait_until(settled, "everything has arrived in the core")
    officer = Officer(product)
    for ticket in officer.tickets():
        officer.change(ticket, "Proses", agency="Dinas Bina Marga", answer="Tim sedang bekerja.")
    wait_answers(dovecot, citizens[0], 2)
    yield product, marks, shown, receipts
    if product.process.poll() is None:
        product.stop()


STORIES = re.compile(r"story|mail subject|reply subject")


def identities(marks):
    return {name: mark for name, mark in marks.names.items() if not STORIES.search(name)}


def test_the_search_finds_what_is_there():
    mark = Marks()("probe")
    for number, form in enumerate(forms(mark)):
        assert hits({"place": b"xx" + form + b"yy"}, {"m": mark}), f"form {number}"
    for shift in range(5):
        coded = base64.b64encode(b"q" * shift + mark.encode() + b"rest")
        assert hits({"place": coded}, {"m": mark}), f"base64 at {shift}"
    assert not hits({"place": base64.b64encode(os.urandom(4096))}, {"m": mark})


def test_no_identity_in_what_is_left(lived):
    product, marks, _, _ = lived
    assert hits(left_behind(product), identities(marks)) == []


def test_stories_are_in_clear_in_the_core_only(lived):
    product, marks, _, _ = lived
    stories = {name: mark for name, mark in marks.names.items() if STORIES.search(name)}
    found = hits(left_behind(product), stories)
    assert {place for place, _ in found} <= {"core/core.db", "core/core.db-wal"}
    assert {name for _, name in found} >= {"story 0", "mail story 0", "reply story"}
    assert not {name for _, name in found} & {"refused story"}


def test_no_identity_in_process_titles_and_open_files(lived):
    product, marks, _, _ = lived
    titles = process_titles(product)
    assert len(titles) >= 2 * 5  # gateway, vault, core, two workers
    assert hits(titles, marks.names) == []
    for pid in processes(product):
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(fd)
            ours = target.startswith((str(product.folder), "/dev/", "/proc/")) or ":" in target
            assert ours and "(deleted)" not in target, target


def test_no_process_can_leave_a_core_dump(lived):
    product, _, _, _ = lived
    for pid in processes(product):
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0\s", limits), f"{pid}: {limits}"
        assert pathlib.Path(f"/proc/{pid}/environ").stat().st_uid == 0


def test_no_identity_on_pages_and_in_commands(lived):
    product, marks, shown, receipts = lived
    assert hits(everybody_sees(product), marks.names) == []
    assert hits(shown, marks.names) == []
    tracked = {report_id: request(product.url + "/track", data={"id": report_id}).body
               for report_id, _ in receipts}
    assert hits(tracked, marks.names) == []
    reports = {report_id: product.command("report", report_id).stdout.encode()
               + product.command("track", report_id).stdout.encode()
               for report_id, _ in receipts}
    assert hits(reports, identities(marks)) == []


def test_no_identity_and_no_hour_before_officers(lived):
    product, marks, _, _ = lived
    pages = officers_see(product)
    assert len(pages) > 5 and any(data.startswith(b"\xff\xd8") for data in pages.values())
    assert hits(pages, identities(marks)) == []
    clocks = {path: CLOCK.search(data.decode()) for path, data in pages.items()
              if not data.startswith((b"\xff\xd8", b"\x89PNG"))}
    assert {path: found.group() for path, found in clocks.items() if found} == {}


def test_no_hour_in_the_core(lived):
    product, _, _, _ = lived
    now = time.time()
    with sqlite3.connect(f"file:{product.state}/core/core.db?mode=ro", uri=True) as core:
        tables = [name for name, in core.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
        for table in tables:
            cursor = core.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row):
                    if column in TIME_COLUMNS:
                        continue
                    if isinstance(value, (int, float)):
                        assert not any(abs(value / unit - now) < 10 ** 7
                                       for unit in (1, 10 ** 3, 10 ** 6, 10 ** 9)), column
                    elif isinstance(value, str):
                        assert not CLOCK.search(value), f"{table}.{column}"
    for name in ("core.db", "core.db-wal"):
        path = product.state / "core" / name
        if path.exists():
            assert not re.search(rb"\d{4}-\d\d-\d\dT\d\d", path.read_bytes())


def test_no_report_is_named_in_log_metrics_and_audit(lived):
    product, _, _, receipts = lived
    places = [product.log(), request(product.admin_url + "/metrics").body.decode(),
              product.command("audit").stdout, (product.state / "vault/audit.log").read_text()]
    for text in places:
        for report_id, pin in receipts:
            assert report_id not in text and report_id.replace("-", "") not in text
            assert not re.search(rf"\b{pin}\b", text)


def test_the_reporter_gets_the_own_answers(lived, dovecot):  # noqa: F811
    """The marks did go in: their own reporter sees the story, and was written to."""
    product, marks, _, receipts = lived
    for number in (0, 1, 2):
        assert marks(f"story {number}") in product.track(*receipts[number]).json()["story"]
    assert len(answers(dovecot, f"{marks('address 0')}@example.org")) == 2
    assert product.json_lines("quarantine")[0]["channel"] == "email-pusat"
