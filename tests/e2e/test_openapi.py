"""Do public tools understand what we publish: the description of the desk, the desk itself, the metrics?"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import openapi_spec_validator
import pytest
import requests
from house import CANARIES, wait_until
from knocks import SHOWN_WITHIN, books, form, leads, new_id, new_phone, telegram, twilio
from test_twilio import bridged

TOKEN = "only-for-this-test-0123456789"
TOKENS = [{"name": "examiner", "token": TOKEN, "scopes": ["manage"]}]
TOOLS = pathlib.Path(sys.executable).parent
EXAMPLES = 15

# Real names where a made-up one would only find 404, and what must not be asked of the machine a test runs on: a
# backup writes a folder wherever it is told to.
EXAMINATION = """
[parameters]
"path.w" = "demo"
"path.c" = "demo-form"
"path.name" = "crm"

[[operations]]
include-path-regex = "/leads/"
parameters = {{ "path.id" = "{lead}" }}

[[operations]]
include-path-regex = "/people/"
parameters = {{ "path.id" = "anna" }}

[[operations]]
include-path = "/v1/backup"
enabled = false
"""


def test_the_description_of_the_desk_is_valid_openapi(leadgate):
    answer = requests.get(f"{leadgate.desk}/openapi.json", timeout=10)
    assert answer.headers["content-type"] == "application/json"
    openapi_spec_validator.validate(answer.json())


def examined(house, folder):
    """schemathesis over the whole desk: everything it checks, with a bounded number of examples."""
    config = folder / "schemathesis.toml"
    config.write_text(EXAMINATION.format(lead=leads(house)[0]["id"]))
    line = [
        TOOLS / "schemathesis", "--config-file", config, "run", f"{house.desk}/openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}", "--checks", "all",
        # A body may fit the description and still make no sense: 422 says why.
        "--exclude-checks", "positive_data_acceptance", "--max-examples", str(EXAMPLES),
        "--phases", "examples,coverage,fuzzing", "--seed", "7", "--request-timeout", "20", "--continue-on-failure",
        "--report", "junit", "--report-dir", folder,
    ]
    return subprocess.run(line, capture_output=True, text=True, timeout=110, cwd=folder, env={**os.environ, "NO_COLOR": "1"})


def test_schemathesis_finds_nothing_wrong_with_the_desk(open_house, tmp_path):
    house = open_house(settings={"desk.tokens": TOKENS}, token=TOKEN)
    for _ in range(3):
        form(house, {"phone": new_phone()})
    books(house, "demo-form")
    done = examined(house, tmp_path)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"(\d+) (test cases|generated)", done.stdout), done.stdout[-2000:]


def lint(text):
    return subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)


@pytest.mark.skipif(not shutil.which("promtool"), reason="tests/run installs promtool")
def test_promtool_accepts_the_metrics_before_and_after_traffic(leadgate):
    for round in range(2):
        text = leadgate.metrics()
        checked = lint(text)
        assert checked.returncode == 0 and not checked.stdout + checked.stderr, checked.stdout + checked.stderr
        for person in CANARIES:
            form(leadgate, {"name": person.name, "phone": person.phone, "email": person.email})
        telegram(leadgate, {"update_id": round, "message": "not a message"})
        telegram(leadgate, {"update_id": round}, secret="wrong")
        requests.post(f"{leadgate.public}/in/no-such-channel", timeout=5)
        books(leadgate, "demo-form")


# DESIGN 10: what dashboards and alerts are written against.
SERIES = """
    signals_accepted_total signals_refused_total accept_seconds journal_unreleased journal_unreleased_oldest_seconds
    inbox_lag decide_seconds signals_total leads_waiting leads_waiting_oldest_seconds assignments_total person_load
    queue_length dead_letters quarantined books_difference time_to_first_contact_seconds
    time_to_first_contact_business_seconds
""".split()


def test_every_series_of_the_contract_is_there_once_there_was_traffic(open_house):
    house = open_house(settings={"workers.gauges_every": "200ms"})
    for event in bridged(new_phone(), new_id("CA"), new_id("CA")):
        twilio(house, event)
    telegram(house, {"update_id": 1}, secret="wrong")
    books(house, "demo-line")

    def missing():
        typed = set(re.findall(r"^# TYPE leadgate_(\w+) ", house.metrics(), flags=re.MULTILINE))
        return [name for name in SERIES if name not in typed]

    wait_until(lambda: not missing(), SHOWN_WITHIN, lambda: str(missing()))
