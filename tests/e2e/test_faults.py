# SPDX-License-Identifier: Apache-2.0
"""Disks that fail: a sync that is refused at any point, a disk that is full. Whatever was answered
201 is there afterwards, what was not is taken when it is sent again, and nothing is there twice."""

import contextlib
import os
import shutil
import subprocess
import time

import pytest

from product import Product, request, wait_until
from test_core import PHOTO

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

EXIT_AGAIN = 75
DISK_MIN = 32 * 1024 * 1024  # below that much room nothing new is taken in


class Fault:
    """System calls of the running gateway fail; its other processes are left alone."""

    def __init__(self, product, log, inject):
        self.process = subprocess.Popen(
            ["strace", "-f", "-o", log, "-e", "trace=" + inject.split(":")[0], "-e",
             "inject=" + inject, "-p", str(product.process.pid)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert "attached" in self.process.stderr.readline()
        tasks = f"/proc/{product.process.pid}/task"

        def traced():
            return all("TracerPid:\t0\n" not in open(f"{tasks}/{task}/status").read()
                       for task in os.listdir(tasks))
        wait_until(traced, "every thread is traced")

    def end(self):
        """The kernel lets go of whom a dead tracer held."""
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


def offer(product, key):
    """The status, or None when the gateway ended instead of answering."""
    try:
        return product.submit(client_key=key, attachments=[PHOTO]).status
    except OSError:
        return None


@pytest.mark.parametrize("when", [1, 2, 3, 6])
def test_a_sync_that_fails_stops_the_gateway(own_product, tmp_path, when):
    """Nobody knows what a sync that failed left on disk: the answer is a restart and a repeat."""
    product = own_product()
    assert offer(product, "vorher") == 201
    fault = Fault(product, tmp_path / "strace.log", f"fdatasync:error=EIO:when={when}")
    accepted = []
    while (status := offer(product, f"laporan-{len(accepted)}")) == 201:
        accepted.append(f"laporan-{len(accepted)}")
        assert len(accepted) <= 2 * when, "each report is synced"
    assert status is None, "an answer to a report nobody knows the fate of"
    assert product.process.wait(60) == EXIT_AGAIN, product.log()[-2000:]
    fault.end()
    assert "event=commit_unknown" in product.log()
    product.start()
    for key in ["vorher", *accepted]:
        assert offer(product, key) == 200, "accepted and lost"
    assert offer(product, f"laporan-{len(accepted)}") in (200, 201)
    assert product.counts()["reports"] == len(accepted) + 2


@pytest.mark.parametrize("when", [*range(22, 30), "1", "8", "36", "1+"])
def test_a_write_that_finds_no_room_loses_nothing(own_product, tmp_path, when):
    """A report is refused for now, the gateway goes on, and takes it once there is room; also when
    it was the commit itself (among the twenties) that found none."""
    product = own_product()
    fault = Fault(product, tmp_path / "strace.log", f"pwrite64:error=ENOSPC:when={when}")
    told = {f"laporan-{n}": offer(product, f"laporan-{n}") for n in range(3)}
    assert set(told.values()) <= {201, 503}
    assert "INJECTED" in (tmp_path / "strace.log").read_text()
    fault.end()
    for key, status in told.items():
        again = wait_until(lambda: offer(product, key) or None, "an answer")
        assert again == (200 if status == 201 else 201), key
    assert product.process.poll() is None and "commit_unknown" not in product.log()
    assert product.counts()["reports"] == 3
    product.kill()
    product.start()
    for key in told:
        assert offer(product, key) == 200


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,mode=700", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder, left):
    """A file that leaves that much room."""
    disk = os.statvfs(folder)
    with contextlib.suppress(OSError), open(folder / "ballast", "wb", buffering=0) as ballast:
        ballast.write(bytes(disk.f_bavail * disk.f_frsize - left))
        while left == 0:
            ballast.write(bytes(4096))
    return folder / "ballast"


@pytest.mark.parametrize("left", [DISK_MIN // 2, 0])
def test_a_full_disk_is_told_and_outlived(small_disk, left):
    product = Product(small_disk / "product")
    try:
        first = product.submit(client_key="vorher", attachments=[PHOTO]).json()["id"]
        ballast = fill(small_disk, left)
        wait_until(lambda: request(product.admin_url + "/readyz").status == 503, "not ready")
        assert b"disk failing" in request(product.admin_url + "/readyz").body
        refused = product.submit(client_key="zu-voll")
        assert refused.status == 503 and int(refused.headers["Retry-After"]) > 0
        assert product.track(first).status == 200, "reading goes on"
        time.sleep(7)  # what is written now and then, finds no room either
        assert product.process.poll() is None, product.log()[-2000:]
        ballast.unlink()
        wait_until(lambda: offer(product, "zu-voll") == 201, "taken again", 10)
        assert request(product.admin_url + "/readyz").status == 200
        assert offer(product, "vorher") == 200 and product.counts()["reports"] == 2
        assert "event=disk_short" in product.log() and "event=disk_recovered" in product.log()
    finally:
        assert product.stop() == 0
