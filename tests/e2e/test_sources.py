"""Does a lead come through every entrance of the real product, wired as its recorded requests are?"""

import json

import pytest
from house import ROOT
from knocks import running

RECORDED = ROOT / "tests" / "fixtures" / "sources"
SECRET = "long and random 1"
# Telegram takes letters, digits, _ and - only.
SECRETS = {"telegram": SECRET.replace(" ", "-")}
# The key that belongs to the secret, as samples for Telnyx are signed with it.
OTHERWISE = {"telnyx": {"public_key": ["pl2vlqdKqDGIDROkMugHZrDxGURrAYkHjNk+vWWDMYA="]}}
LISTS = {"tags", "human_apps", "topics", "numbers", "public_key", "sources", "inbound_contexts"}
# We open the connection (test_imap, test_asterisk), or the lead behind the id is fetched (test_reconcile).
ELSEWHERE = {"imap", "asterisk", "meta_leads", "bitrix24_form"}
SOURCES = sorted({folder.name for folder in RECORDED.iterdir() if folder.is_dir()} - ELSEWHERE)


def channel(source):
    """A channel as the fixtures have it, under the source's own name."""
    file = RECORDED / source / "channel.json"
    said = json.loads(file.read_text()) if file.exists() else {}
    lines = ["[[channel]]", f'id = "{source.replace("_", "-")}"', f'source = "{source}"', 'responsible = "anna"']
    if said.get("address"):
        lines.append(f"address = {json.dumps(said['address'])}")
    if said.get("secret"):
        lines.append(f'secret = "{SECRETS.get(source, SECRET)}"')
    for name, values in {**said.get("settings", {}), **OTHERWISE.get(source, {})}.items():
        lines.append(f"{name} = {json.dumps(values if name in LISTS else values[0], ensure_ascii=False)}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    head = 'region = "RU"\ntime_zone = "Europe/Moscow"\n[[person]]\nid = "anna"\n'
    workspace = head + "\n".join(channel(source) for source in SOURCES)
    with running(tmp_path_factory.mktemp("sources"), workspaces={"all": workspace}) as house:
        yield house


def test_there_are_all_of_them():
    assert len(SOURCES) == 37


@pytest.mark.parametrize("source", SOURCES)
def test_a_signed_sample_becomes_a_lead(house, source):
    name = source.replace("_", "-")
    done = house.command("send", name, "--name", "Vera", "--phone", "+79035551234", "--email", "vera@example.com")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{name} works" in done.stdout


@pytest.mark.parametrize("source", SOURCES)
def test_what_to_paste_where_holds_the_address(house, source):
    name = source.replace("_", "-")
    done = house.command("wire", name, "--json")
    told = json.loads(done.stdout)
    assert f"{house.public}/in/{name}" in told["help"] and "{url}" not in told["help"]
    assert [key["name"] for key in told["keys"] if key["required"] and not key["configured"]] == []
