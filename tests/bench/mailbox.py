#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A mailbox of complaints for the benchmark, as a Maildir: 10,000 messages, 185 MB, a fifth of them
with a photo. The same seed gives the same bytes. Invented text and people only.

usage: mailbox.py FOLDER [MESSAGES [BYTES]]
"""

import base64
import ctypes
import pathlib
import quopri
import random
import sys

MESSAGES, BYTES, SEED = 10_000, 185_000_000, 20261121
PHOTO_EVERY = 5
PHOTOS = 16  # different pictures; each mail's copy differs by a comment
ADDRESS = "aduan@kota.test"

PLACES = ("Jalan Melati", "Gang Anggrek II", "Jalan Raya Kenanga", "Pasar Cempaka", "Taman Dahlia",
          "Jalan Flamboyan Timur", "Terminal Teratai", "Jalan Bougenville")
THINGS = ("lubang besar di tengah jalan", "lampu jalan padam sejak tiga hari lalu",
          "sampah menumpuk dan tidak diangkut", "saluran air tersumbat dan banjir",
          "pohon tumbang menutup trotoar", "parkir liar di depan sekolah",
          "kabel menjuntai rendah sekali", "jembatan penyeberangan rusak")
PLEAS = ("Mohon segera ditindaklanjuti.", "Sudah dua kali kami laporkan ke RT.",
         "Kemarin ada pengendara motor yang jatuh.", "Warga sangat terganggu, terutama malam hari.",
         "Terima kasih atas perhatiannya.", "Anak-anak lewat sini setiap pagi – berbahaya.",
         "Kalau hujan, air masuk ke rumah kami.", "Petugas belum pernah datang.")


def make_photos(folder, count, size):
    """JPEGs of about size bytes, by the libvips the product itself needs."""
    vips = ctypes.CDLL("libvips.so.42")
    vips.vips_init(b"mailbox")
    vips.vips_image_new_from_memory_copy.restype = ctypes.c_void_p
    vips.vips_image_new_from_memory_copy.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int]
    width, height = 960, 720
    photos = []
    for n in range(count):
        rng = random.Random(SEED + n)
        for detail in range(4, 128, 4):  # more noise, larger file
            rows = bytearray()
            noise = rng.randbytes(width)
            for y in range(height):
                shade = 255 * y // height
                shift = rng.randrange(width)
                row = noise[shift:] + noise[:shift]
                rows += bytes(value for grain in row
                              for value in ((shade + grain % detail) & 255, shade,
                                            (shade + grain % detail) >> 1))
            image = vips.vips_image_new_from_memory_copy(bytes(rows), len(rows), width, height, 3,
                                                         0)
            path = folder / f"photo-{n}.jpg"
            vips.vips_image_write_to_file(ctypes.c_void_p(image), f"{path}[Q=75]".encode(),
                                          ctypes.c_void_p(None))
            vips.g_object_unref(ctypes.c_void_p(image))
            photo = path.read_bytes()
            path.unlink()
            if len(photo) >= size:
                break
        photos.append(photo)
    return photos


def with_comment(photo, text):
    """The same picture in other bytes: a comment segment behind the start marker."""
    return photo[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + photo[2:]


def story(rng, length):
    parts = [f"Selamat pagi, di {rng.choice(PLACES)} ada {rng.choice(THINGS)}."]
    while sum(map(len, parts)) < length:
        parts.append(rng.choice(PLEAS))
    return " ".join(parts)


def head(n, rng):
    return (f"Return-Path: <warga{n}@example.org>\r\n"
            f"Received: from mail.example.org (mail.example.org [192.0.2.{n % 250 + 1}])\r\n"
            f"\tby mx.kota.test (Postfix) with ESMTPS id {rng.getrandbits(40):010X}\r\n"
            f"\tfor <{ADDRESS}>; Sat, 21 Nov 2026 {n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02} "
            "+0700 (WIB)\r\n"
            f"From: Warga {n} <warga{n}@example.org>\r\n"
            f"To: {ADDRESS}\r\n"
            f"Subject: =?UTF-8?Q?Laporan_{n}_=E2=80=93_mohon_bantuan?=\r\n"
            f"Date: Sat, 21 Nov 2026 {n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02} +0700\r\n"
            f"Message-ID: <{rng.getrandbits(64):016x}.{n}@mail.example.org>\r\n"
            "MIME-Version: 1.0\r\n").encode()


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def text_part(text, form):
    if form == "html":
        body = f"<html><body><p>{text}</p><br><div>Dikirim dari ponsel</div></body></html>"
        kind = "text/html"
    else:
        body, kind = text, "text/plain"
    if form == "base64":
        return (f"Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                .encode() + crlf(base64.encodebytes(body.encode())))
    return (f"Content-Type: {kind}; charset=utf-8\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
            + crlf(quopri.encodestring(body.encode())) + b"\r\n")


def make_message(n, rng, photos):
    boundary = f"=_{n:08}"
    text = story(rng, rng.randrange(200, 2500))
    if n % PHOTO_EVERY != 0:
        return head(n, rng) + text_part(text, rng.choice(("plain", "plain", "html", "base64")))
    photo = with_comment(photos[n // PHOTO_EVERY % len(photos)], b"%08d" % n)
    return (head(n, rng)
            + f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n--{boundary}\r\n'.encode()
            + text_part(text, "plain")
            + f"\r\n--{boundary}\r\nContent-Type: image/jpeg; name=foto.jpg\r\n"
              "Content-Disposition: attachment; filename=foto.jpg\r\n"
              "Content-Transfer-Encoding: base64\r\n\r\n".encode()
            + crlf(base64.encodebytes(photo)) + f"--{boundary}--\r\n".encode())


def write_mailbox(folder, messages=MESSAGES, total=BYTES):
    """Fills the Maildir FOLDER; returns the bytes written."""
    folder = pathlib.Path(folder)
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    text_bytes = 2_650  # of a mail without its photo, on average
    photo_bytes = (total - messages * text_bytes) // (messages // PHOTO_EVERY) * 57 // 78
    photos = make_photos(folder / "tmp", PHOTOS, photo_bytes)
    rng = random.Random(SEED)
    written = 0
    for n in range(messages):
        message = make_message(n, rng, photos)
        # Dovecot numbers new messages in the order of these names.
        (folder / "new" / f"{1795200000 + n}.M{n}P1.localhost").write_bytes(message)
        written += len(message)
    return written


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print(write_mailbox(sys.argv[1], *map(int, sys.argv[2:4])))
