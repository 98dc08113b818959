"""Does a lead that its webhook lost come in all the same, once, and nothing that is not ours to take?"""

import hashlib
import hmac
import json
import re
import time

import pytest
from house import DEMO, JANE, VERA, House, Person, wait_until
from knocks import books, knock, leads
from vendors import GetResponse, Graph, Portal, opened

WITHIN = 20
SECRET = "long and random 7"


@pytest.fixture
def graph():
    with opened(Graph()) as graph:
        graph.form("222")
        yield graph


@pytest.fixture
def portal():
    with opened(Portal()) as portal:
        yield portal


def house(folder, source, **settings):
    channel = {"id": "list", "source": source, "responsible": "anna", "secret": SECRET, "reconcile": "1s", **settings}
    lines = [f"{key} = {json.dumps(value)}" for key, value in channel.items()]
    text = "\n".join([DEMO.read_text(), "[[channel]]", *lines]) + "\n"
    return House(folder, workspaces={"demo": text})


@pytest.fixture
def page(tmp_path, graph):
    made = house(tmp_path, "meta_leads", verify_token="verify-me", page_token=Graph.TOKEN, graph_url=graph.url)
    yield asked(made.start())
    made.close()


@pytest.fixture
def crm(tmp_path, portal):
    made = house(tmp_path, "bitrix24_form", rest_url=f"{portal.url}/rest/1/code/")
    yield asked(made.start())
    made.close()


def metric(house, name):
    found = re.search(rf'^leadgate_{name}{{channel="list"}} (\S+)', house.metrics(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def asked(house):
    """The provider was asked once, so what comes now is ours."""
    wait_until(lambda: metric(house, "feed_connected") == 1, WITHIN, lambda: f"never asked: {house.log_end()}")
    time.sleep(1.1)
    return house


def listed(house):
    return [one for one in leads(house) if one["channel"] == "list"]


def come(house, count):
    wait_until(lambda: len(listed(house)) >= count, WITHIN, lambda: f"{len(listed(house))} of {count}: {house.log_end()}")
    assert len(listed(house)) == count


def rounds(cloud, count, path):
    """Waits until the provider was asked so many times more."""
    before = cloud.asked.count(path)
    wait_until(lambda: cloud.asked.count(path) >= before + count, WITHIN, lambda: f"{path} is asked no more")


def update(*ids):
    changes = [{"field": "leadgen", "value": {"leadgen_id": one, "form_id": "222"}} for one in ids]
    return json.dumps({"object": "page", "entry": [{"id": "1", "time": 1, "changes": changes}]}).encode()


def webhook(house, *ids):
    body = update(*ids)
    proof = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={proof}"}
    return knock(house, "list", data=body, headers=headers)


def person(number):
    return Person(f"Person {number}", f"+7903557{number:04}", f"person{number}@customer.example", "")


def test_a_lead_that_the_webhook_lost_comes_once_and_is_counted(graph, page):
    graph.lead("11", "222", VERA, time.time())
    come(page, 1)
    assert metric(page, "reconciled_total") == 1 and "feed.reconciled" in page.log.read_text()
    assert listed(page)[0]["attributes"]["form_id"] == "222" and listed(page)[0]["contact"]["name"] == VERA.name
    rounds(graph, 3, "/v24.0/222/leads")
    assert webhook(page, "11").status_code == 200
    assert books(page, "list") == {"lead": 1, "redelivered": 1}


def test_what_the_webhook_brought_is_not_brought_again(graph, page):
    graph.lead("12", "222", VERA, time.time())
    assert webhook(page, "12").status_code == 200
    come(page, 1)
    rounds(graph, 3, "/v24.0/222/leads")
    page.restart()
    rounds(graph, 3, "/v24.0/222/leads")
    assert books(page, "list") == {"lead": 1} and metric(page, "reconciled_total") == 0


def test_many_forms_and_pages_are_read_to_their_ends(graph, page):
    for form, status in (("223", "ACTIVE"), ("224", "ARCHIVED"), ("225", "ACTIVE")):
        graph.form(form, status)
    now = time.time()
    for number in range(7):
        graph.lead(str(1000 + number), "225" if number % 2 else "223", person(number), now)
    graph.lead("2000", "224", JANE, now)
    come(page, 7)
    rounds(graph, 2, "/v24.0/225/leads")
    assert metric(page, "reconciled_total") == 7 and "/v24.0/224/leads" not in graph.asked


def test_a_lead_that_cannot_be_had_keeps_back_no_other(graph, page):
    graph.broken.add("31")
    now = time.time()
    for lead, who in (("31", VERA), ("32", JANE), ("33", person(33))):
        graph.lead(lead, "222", who, now)
    come(page, 2)
    assert metric(page, "feed_connected") == 0, "somebody has to look"
    graph.broken.clear()
    wait_until(lambda: len(listed(page)) == 3, 60, lambda: f"it never came: {page.log_end()}")
    assert metric(page, "reconciled_total") == 3


def test_what_came_before_the_channel_was_wired_is_somebody_elses(graph, page):
    graph.lead("13", "222", VERA, time.time() - 3600)
    graph.lead("14", "222", JANE, time.time())
    come(page, 1)
    rounds(graph, 2, "/v24.0/222/leads")
    assert len(listed(page)) == 1 and "/v24.0/13" not in graph.asked


def test_a_graph_that_is_away_is_said_and_asked_again(graph, tmp_path):
    graph.away = True
    made = house(tmp_path, "meta_leads", verify_token="v", page_token=Graph.TOKEN, graph_url=graph.url).start()
    wait_until(lambda: metric(made, "feed_failures_total") >= 1, WITHIN, made.log_end)
    assert metric(made, "feed_connected") == 0 and "feed.lost" in made.log.read_text()
    graph.lead("15", "222", VERA, time.time())
    assert webhook(made, "15").status_code == 503
    graph.away = False
    assert webhook(made, "15").status_code == 200
    come(made, 1)
    made.close()


def test_a_lead_of_a_crm_that_could_not_be_asked_comes_later(portal, crm):
    portal.lead("501", VERA, time.time())
    portal.lead("502", JANE, time.time(), source="CALL")
    portal.away = True
    event = {"event": "ONCRMLEADADD", "data[FIELDS][ID]": "501", "auth[application_token]": SECRET}
    assert knock(crm, "list", data=event).status_code == 503
    portal.away = False
    wait_until(lambda: len(listed(crm)) == 1, 60, lambda: f"it never came: {crm.log_end()}")
    rounds(portal, 2, "/rest/1/code/crm.lead.list.json")
    assert metric(crm, "reconciled_total") == 1 and len(listed(crm)) == 1
    assert "/rest/1/code/crm.lead.get.json" in portal.asked
    # The event that Bitrix24 never repeats; another of the same lead changes nothing.
    assert knock(crm, "list", data=event).status_code == 200
    assert books(crm, "list") == {"lead": 1, "redelivered": 1}


def test_many_leads_of_a_crm_come_page_by_page(portal, crm):
    now = time.time()
    for number in range(120):
        portal.lead(str(700 + number), person(100 + number), now)
    come(crm, 120)
    assert metric(crm, "reconciled_total") == 120


def test_a_subscription_whose_callback_was_lost_comes_with_its_own_fields(tmp_path):
    with opened(GetResponse()) as account:
        made = house(tmp_path, "getresponse", api_key=GetResponse.KEY, api_url=f"{account.url}/v3").start()
        asked(made)
        account.contact("c1", VERA, time.time())
        account.contact("c2", JANE, time.time(), origin="import")
        come(made, 1)
        assert listed(made)[0]["contact"]["phones"] == [VERA.phone] and "/v3/contacts/c2" not in account.asked
        rounds(account, 2, "/v3/contacts")
        callback = {"action": "subscribe", "CONTACT_ID": "c1", "contact_email": VERA.email, "key": SECRET}
        assert knock(made, "list", "GET", params=callback).status_code == 200
        assert books(made, "list") == {"lead": 1, "redelivered": 1} and metric(made, "reconciled_total") == 1
        made.close()


def test_without_a_key_nobody_is_asked(tmp_path):
    with opened(GetResponse()) as account:
        made = house(tmp_path, "getresponse", api_url=f"{account.url}/v3").start()
        time.sleep(3)
        assert account.asked == [] and "feed.begun" not in made.log.read_text()
        made.close()
