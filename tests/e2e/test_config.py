# SPDX-License-Identifier: Apache-2.0
"""kanal check, kanal help-config and the example configuration, through the binary."""

import os
import re
import subprocess

import pytest

from product import BINARY, TOP

EXAMPLE = TOP / "config/kanal.conf"
KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"


def kanal(*arguments, **environment):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, **environment})


def test_an_empty_configuration_is_ok(tmp_path):
    (tmp_path / "empty.conf").write_text("")
    for arguments in [("check",), ("check", "-c", tmp_path / "empty.conf")]:
        done = kanal(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, "OK\n", "")


def test_every_mistake_is_reported(tmp_path):
    path = tmp_path / "kanal.conf"
    path.write_text("[http]\nconections = 5\nthreads = many\n\n[chanel x]\n[core]\nkind = http\n"
                    "secret = hunter2\n")
    done = kanal("check", "-c", path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "hunter2" not in done.stderr
    assert [line.split(",")[0] for line in done.stderr.splitlines()] == [
        f"{path}:2: http: 'conections' is no key of this section (did you mean 'connections'?)",
        f"{path}:3: http.threads: cannot be read",
        f"{path}:5: 'chanel' is no known section (did you mean 'channel'?)",
        f"{path}:8: core.secret: a secret stands in the configuration itself",
    ]


def test_an_absent_file_is_a_mistake(tmp_path):
    done = kanal("check", "-c", tmp_path / "absent.conf")
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path}/absent.conf: cannot be read: No such file or directory\n"


def test_the_reference_is_a_configuration(tmp_path):
    reference = kanal("help-config").stdout
    assert "#[channel NAME]\n#type = email\n" in reference
    assert "#[channel NAME]\n#type = web_form\n" in reference
    assert max(map(len, reference.splitlines())) <= 80
    (tmp_path / "kanal.conf").write_text(reference)
    assert kanal("check", "-c", tmp_path / "kanal.conf").stdout == "OK\n"


def test_events_and_metrics_are_listed():
    assert "quarantined        warn   " in kanal("help-config", "--events").stdout
    assert "kanal_commits_total " in kanal("help-config", "--metrics").stdout


def test_the_example_loads():
    done = kanal("check", "-c", EXAMPLE)
    assert (done.stdout, done.stderr) == ("OK\n", "")


def test_the_example_loads_with_every_remark_taken_up(tmp_path):
    """"#key = value" and "#[section]" are taken up, "# prose" is not."""
    text = re.sub(r"^#(?=[a-z\[])", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    for path in re.findall(r"/etc/kanal/(\S+)", text):
        (tmp_path / path).write_text("rahasia\n")
    for name in re.findall(r"credential:(\S+)", re.sub(r"^#.*", "", text, flags=re.MULTILINE)):
        (tmp_path / name).write_text(KEY)
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    (tmp_path / "kanal.conf").write_text(text.replace("/etc/kanal/", f"{tmp_path}/"))
    done = kanal("check", "-c", tmp_path / "kanal.conf", CREDENTIALS_DIRECTORY=str(tmp_path))
    assert (done.stdout, done.stderr) == ("OK\n", "")
    assert "[channel email-pusat]\ntype = email\n" in text


@pytest.mark.parametrize("arguments, status, stream, beginning", [
    (["--version"], 0, "stdout", "kanal "),
    (["--help"], 0, "stdout", "usage: kanal COMMAND"),
    ([], 2, "stderr", "usage: kanal COMMAND"),
    (["chek"], 2, "stderr", "kanal: 'chek' is no command (did you mean 'check'?)"),
    (["check", "--help"], 0, "stdout", "usage: kanal check"),
    (["check", "more"], 2, "stderr", "usage: kanal check"),
    (["help-config", "--nothing"], 2, "stderr", "help-config: unrecognized option"),
])
def test_usage(arguments, status, stream, beginning):
    done = kanal(*arguments)
    assert done.returncode == status
    assert getattr(done, stream).startswith(beginning)


def test_output_that_reaches_nobody_is_a_failure():
    with open("/dev/full", "w") as full:
        assert subprocess.run([BINARY, "help-config"], stdout=full).returncode == 1
