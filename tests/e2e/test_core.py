# SPDX-License-Identifier: Apache-2.0
"""From the form to the officer and back: what officers see, what they never see."""

import base64
import re
import subprocess

from officer import Officer
from product import STORY, request, wait_until

JPEG = subprocess.run(
    ["/usr/bin/python3", "-c", """
import ctypes, sys
vips = ctypes.CDLL("libvips.so.42")
vips.vips_init(b"test")
image = ctypes.c_void_p()
vips.vips_black(ctypes.byref(image), 64, 48, ctypes.c_char_p(b"bands"), 3, ctypes.c_void_p())
data, size = ctypes.c_void_p(), ctypes.c_size_t()
vips.vips_jpegsave_buffer(image, ctypes.byref(data), ctypes.byref(size), ctypes.c_void_p())
sys.stdout.buffer.write(ctypes.string_at(data, size.value))
"""], capture_output=True, check=True).stdout

PHOTO = {"name": "rumah-saya.jpg", "media_type": "image/jpeg",
         "data": base64.b64encode(JPEG).decode()}


def forwarded(product, count):
    def so():
        counts = product.counts()
        return counts["reports"] >= count and counts["core_waiting"] + counts["core_leased"] == 0
    wait_until(so, f"the core has {count} reports")


def test_private_by_default(product):
    answer = product.submit(client_key="privat", name="Siti Contoh", contact="siti@example.org",
                            attachments=[PHOTO])
    assert answer.status == 201
    report_id, pin = answer.json()["id"], answer.json()["pin"]
    forwarded(product, 1)
    officer = Officer(product)
    ticket = officer.tickets()[0]
    page = officer.get(ticket)
    assert STORY in page
    assert "Laporan bersifat privasi. Jangan berikan informasi dalam laporan ini kepada siapapun" \
        in page
    assert not re.search(r"\b\d{1,2}[:.]\d{2}\b", page), "an hour stands on the page"
    for secret in ("Siti", "siti@", "rumah-saya", "/photo/", report_id,
                   report_id.replace("-", ""), pin):
        assert secret not in page, secret
    with open(product.state / "core/core.db", "rb") as database:
        assert b"Siti Contoh" not in database.read()


def test_public_photo_is_shown_clean(product):
    answer = product.submit(client_key="publik", visibility="public", attachments=[PHOTO])
    forwarded(product, 2)
    officer = Officer(product)
    page = officer.get(officer.tickets()[0])
    (path,) = set(re.findall(r'src="(/photo/[^"]+)"', page))
    media_type, data = officer.photo(path)
    assert media_type == "image/jpeg" and data.startswith(b"\xff\xd8") and b"Exif" not in data
    assert "Jangan berikan informasi dalam laporan ini kepada siapapun" in page
    assert answer.json()["id"] not in page


def test_through_the_states_to_the_end(product):
    answer = product.submit(client_key="status").json()
    forwarded(product, 3)
    officer = Officer(product)
    ticket = officer.tickets()[0]
    steps = [("Koordinasi", "Kelurahan Pondok Bambu"), ("Disposisi", "Dinas Bina Marga"),
             ("Proses", "Sudin Bina Marga"), ("Menunggu Validasi", ""), ("TL Ditolak", ""),
             ("Proses", ""), ("Menunggu Validasi", ""), ("Selesai", "Biro Pemerintahan")]
    for state, agency in steps:
        officer.change(ticket, state, agency=agency, answer=f"jawaban {state}")

    def followed():
        seen = product.track(answer["id"]).json()
        return seen if len(seen["timeline"]) == len(steps) + 1 else None

    seen = wait_until(followed, "tracking shows every change")
    assert [item["state"] for item in seen["timeline"]] == ["Menunggu"] + [s for s, _ in steps]
    assert seen["state"] == "Selesai" and "petugas" not in str(seen)
    assert seen["timeline"][1]["agency"] == "Kelurahan Pondok Bambu"
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", item["day"]) for item in seen["timeline"])


def test_forbidden_steps_are_refused(product):
    product.submit(client_key="langkah")
    forwarded(product, 4)
    officer = Officer(product)
    ticket = officer.tickets()[0]
    try:
        officer.change(ticket, "Selesai")
    except OSError:
        pass  # refused by status
    assert 'id="ticket-state">Menunggu<' in officer.get(ticket)


def test_officers_pages_need_an_account(product):
    product.submit(client_key="akun")
    wait_until(lambda: product.counts()["core_waiting"] == 0, "the core has it")
    ticket = Officer(product).tickets()[0]
    for path in ("/", ticket, f"{ticket}/state"):
        answer = request(product.staff_url + path)
        assert STORY not in answer.body.decode() and answer.status in (303, 404, 405), path
    # The contract itself is not for those who come by the staff listener.
    assert 400 <= request(product.staff_url + "/tickets", data={"id": "x"}).status < 500


def test_core_down_means_later_not_lost(own_product):
    product = own_product(extra="[core]\nkind = http\nurl = http://127.0.0.1:9/\n"
                                "secret = env:HOME\n")
    answer = product.submit(client_key="nanti")
    assert answer.status == 201
    wait_until(lambda: product.counts()["core_waiting"] == 1, "the ticket waits")
    product.stop()
    product.configure()
    product.start()
    forwarded(product, 1)
    assert len(Officer(product).tickets()) == 1


def test_follow_up_reaches_the_officer(own_product):
    product = own_product()
    answer = product.submit(client_key="lanjut").json()
    added = request(product.url + "/track/add", data={
        "id": answer["id"], "pin": answer["pin"], "text": "Sekarang ada korban jatuh."})
    assert added.status == 201
    again = request(product.url + "/track/add", data={
        "id": answer["id"], "pin": answer["pin"], "text": "Sekarang ada korban jatuh."})
    assert again.status == 200, "a second click is the same follow-up"
    wrong = request(product.url + "/track/add", data={
        "id": answer["id"], "pin": "000000" if answer["pin"] != "000000" else "111111",
        "text": "Saya bukan pelapornya."})
    assert wrong.status == 403
    forwarded(product, 1)
    officer = Officer(product)
    page = officer.get(officer.tickets()[0])
    assert page.count("Sekarang ada korban jatuh.") == 1 and "bukan pelapornya" not in page


def test_guessing_is_limited(own_product):
    product = own_product()
    answer = product.submit(client_key="tebak").json()
    statuses = [product.track(answer["id"], f"{n:06d}").status for n in range(30)
                if f"{n:06d}" != answer["pin"]]
    assert statuses[0] == 403 and statuses[-1] == 429
    unknown = [product.track("7KQ3-MXP9-T2F" + symbol) for symbol in "0123456789ABCDEFGH"]
    assert len({reply.body for reply in unknown if reply.status == 404}) == 1
