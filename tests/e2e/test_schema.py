# SPDX-License-Identifier: Apache-2.0
"""Every report the dry run prints fits config/report.schema.json, and the schema refuses others."""

import copy
import json
import subprocess

import jsonschema
import pytest

from product import BINARY, TOP

SCHEMA = json.loads((TOP / "config/report.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
STORY = "Jalan di depan sekolah rusak parah sejak dua minggu, sudah ada pengendara yang jatuh. " * 2
FORM = {"story": STORY, "location": "Jl. Contoh RT 003/05", "category": "jalan", "name": "Sari",
        "contact": "sari@example.com", "lat": -6.2, "lon": 106.8, "visibility": "public"}


def normalize(kind, path, *options):
    """The objects printed for the message in path."""
    done = subprocess.run([BINARY, "normalize", "--type", kind, *options, str(path)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def problems(report):
    return [f"{list(error.path)}: {error.message}" for error in VALIDATOR.iter_errors(report)]


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", sorted((TOP / "tests/data/mail").glob("*.eml")),
                         ids=lambda path: path.name)
def test_mail_fits(path):
    for record in normalize("email", path):
        assert problems(record["report"]) == []


@pytest.fixture(name="report")
def fixture_report(tmp_path):
    path = tmp_path / "form.json"
    path.write_text(json.dumps(FORM))
    records = normalize("web_form", path, "--option", "content_type=application/json")
    assert len(records) == 1
    return records[0]["report"]


def test_a_form_fits(report):
    assert problems(report) == []
    assert report["category"]["code"] == "jalan"
    assert report["location"]["lat"] == -6.2
    assert "sari" not in json.dumps(report).lower()
    del report["restricted"]
    assert problems(report) == []


CHANGES = {
    "another member": lambda report: report.update(name="Sari"),
    "another member inside": lambda report: report["channel"].update(address="x"),
    "a member missing": lambda report: report.pop("subject"),
    "another version": lambda report: report.update(schema="kanal.report/2"),
    "the wrong label": lambda report: report.update(visibility="private"),
    "an empty text": lambda report: report.update(subject=""),
    "a control character": lambda report: report.update(story="a\x1b[0m"),
    "a bidi override": lambda report: report.update(story="a\u202eb"),
    "two lines": lambda report: report.update(subject="a\nb"),
    "no list": lambda report: report.update(warnings=None),
    "no ID": lambda report: report.update(id="7kq3-mxp9-t2fc"),
    "an hour": lambda report: report.update(received_on=report["restricted"]["received_at"]),
    "half a point": lambda report: report["location"].update(lon=None),
    "a point of nowhere": lambda report: report["location"].update(lat=91),
    "no source": lambda report: report["location"].update(source=None),
    "a score above 1": lambda report: report["category"].update(score=2),
    "half a thread": lambda report: report["thread"].update(matched_by="token"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_schema_refuses(report, change):
    changed = copy.deepcopy(report)
    change(changed)
    assert problems(changed) != []
