"""Do mails in every alphabet and messages of every kind become what their sender meant?"""

import codecs
import email.message
import email.policy
import email.utils
import time
from email.header import Header
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from house import wait_until
from knocks import (
    SHOWN_WITHIN, books, form, grown, kinds, knock, lead, leads, mail, marked, new_id, new_phone, running, telegram,
    wait_for,
)

SALES = "sales@demo.example"
NAME, TEXT = "Надежда Королёва", "Здравствуйте! Хотим домик с баней на майские."


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running(tmp_path_factory.mktemp("mail")) as house:
        yield house


def new_address():
    return f"{new_id('c')[:12]}@customer.example"


def head(message, sender, name=None, to=SALES, **more):
    """What every mail has."""
    message["From"] = email.utils.formataddr((name, sender)) if name else sender
    message["To"] = to
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = f"<{new_id('m')}@customer.example>"
    for key, value in more.items():
        message[key.replace("_", "-")] = value
    return message


def written(text="Hello", **headers):
    """A plain mail as any program sends it."""
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message.set_content(text)
    return head(message, headers.pop("sender", None) or new_address(), headers.pop("name", None), **headers)


def of(house, address):
    return wait_for(house, lambda one: address in one["contact"]["emails"], f"a lead of {address}")


# --- alphabets


CHARSETS = [
    "utf-8", "windows-1251", "koi8-r", "koi8-u", "iso-8859-5", "cp866", "x-mac-cyrillic", "utf-16", "utf-16le",
    "utf-16be", "gb18030", "gbk", "euc-jp", "shift_jis", "iso-2022-jp", "euc-kr",
]
PYTHON = {"x-mac-cyrillic": "mac_cyrillic"}


def fit(text, charset):
    """The same words as far as the alphabet goes: some have no ё."""
    codec = PYTHON.get(charset, charset)
    try:
        text.encode(codec)
        return text
    except UnicodeEncodeError:
        return text.replace("ё", "е")


def in_charset(charset, transfer, address):
    """A mail whose body and display name are in one charset, with the transfer encoding of the body by hand."""
    codec = PYTHON.get(charset, charset)
    raw = fit(TEXT, charset).encode(codec)
    body = codecs.encode(raw, {"base64": "base64", "quoted-printable": "quopri"}[transfer])
    word = codecs.encode(fit(NAME, charset).encode(codec), "base64").replace(b"\n", b"").decode()
    lines = [
        f"From: =?{charset}?B?{word}?= <{address}>", f"To: {SALES}", f"Message-ID: <{new_id('m')}@c.example>",
        f"Date: {email.utils.formatdate()}", "MIME-Version: 1.0", f"Content-Type: text/plain; charset={charset}",
        f"Content-Transfer-Encoding: {transfer}", "", "",
    ]
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize("transfer", ["base64", "quoted-printable"])
@pytest.mark.parametrize("charset", CHARSETS)
def test_a_mail_reads_the_same_in_every_alphabet(house, charset, transfer):
    address = new_address()
    raw = in_charset(charset, transfer, address)
    assert mail(house, raw).status_code == 200
    one = of(house, address)
    assert one["text"] == fit(TEXT, charset)
    assert one["contact"]["name"] == fit(NAME, charset)


def test_utf_7_is_read_as_far_as_it_goes(house):
    address = new_address()
    mail(house, in_charset("utf-7", "base64", address))
    said = of(house, address)["text"]
    assert [c for c in said if c.isalpha()] == [c for c in TEXT if c.isalpha()], "no letter of a person is lost"


@pytest.mark.parametrize("charset", ["utf-8", "windows-1251", "koi8-r"])
def test_what_pythons_email_package_writes_is_read(house, charset):
    address = new_address()
    message = MIMEText(TEXT, "plain", charset)
    head(message, address)
    message.replace_header("From", f"{Header(NAME, charset).encode()} <{address}>")
    message["Subject"] = Header("Домик на майские", charset)
    mail(house, message)
    one = of(house, address)
    assert (one["contact"]["name"], one["text"]) == (NAME, TEXT)
    assert one["attributes"]["subject"] == "Домик на майские" and one["kind"] == "mail"


def test_the_plain_part_wins_and_html_alone_becomes_text_without_its_pixel(house):
    address, other = new_address(), new_address()
    both = MIMEMultipart("alternative")
    both.attach(MIMEText("plain words", "plain"))
    both.attach(MIMEText("<p>html words</p>", "html"))
    mail(house, head(both, address))
    pixel = '<img src="https://spy.example/p.gif"><script>x()</script>'
    html = f"<style>p{{color:red}}</style><p>Price&nbsp;of <b>two</b>?</p>{pixel}"
    mail(house, head(MIMEText(html, "html"), other))
    assert of(house, address)["text"] == "plain words"
    text = of(house, other)["text"]
    assert "two" in text and not any(part in text for part in ("<", "spy.example", "x()", "color"))


def test_attachments_are_listed_and_not_opened(house):
    address = new_address()
    message = written("see the plan", sender=address)
    message.add_attachment(b"PK\x03\x04" + b"\0" * 100, maintype="application", subtype="zip", filename="план.zip")
    mail(house, message)
    one = of(house, address)
    [file] = one["attributes"]["files"]
    assert file["name"] == "план.zip" and file["type"] == "application/zip" and one["text"] == "see the plan"


def test_a_phone_in_the_signature_is_the_senders(house):
    address, phone = new_address(), new_phone()
    spelt = f"{phone[:2]} {phone[2:5]} {phone[5:8]}-{phone[8:]}"
    mail(house, written(f"Good day\n\nRegards,\nVic, {spelt}", sender=address))
    assert of(house, address)["contact"]["phones"] == [phone]


# --- machines


def bounce():
    report = MIMEMultipart("report", **{"report-type": "delivery-status"})
    report.attach(MIMEText("Your message could not be delivered", "plain"))
    status = email.message.Message()
    status["Action"], status["Status"] = "failed", "5.1.1"
    report.attach(MIMEMessage(written("the message that bounced")))
    return head(report, "MAILER-DAEMON@mx.example", Return_Path="<>", Auto_Submitted="auto-replied")


def looped():
    message = written("round and round")
    for hop in range(51):
        message.add_header("Received", f"from a{hop}.example by b{hop}.example; {email.utils.formatdate()}")
    return message


MACHINES = {
    "out of office": lambda: written("I am away", Auto_Submitted="auto-replied"),
    "vacation of an old server": lambda: written("I am away", Precedence="auto_reply"),
    "exchange": lambda: written("I am away", X_Auto_Response_Suppress="All"),
    "no way back": lambda: written("notice", Return_Path="<>"),
    "newsletter": lambda: written("offers", Precedence="bulk"),
    "mailing list": lambda: written("digest", List_Id="<news.example>"),
    "bounce": bounce,
    "loop": looped,
    "our own mark": lambda: written("again", X_Loop=SALES),
}


@pytest.mark.parametrize("made", MACHINES.values(), ids=MACHINES.keys())
def test_a_machines_mail_is_junk_and_no_lead(house, made):
    before, count = books(house, "demo-mail"), len(leads(house))
    assert mail(house, made()).status_code == 200
    assert grown(before, books(house, "demo-mail")) == {"junk": 1}
    assert len(leads(house)) == count


def test_a_mail_that_says_it_is_not_automatic_is_a_persons(house):
    address = new_address()
    mail(house, written("hello", sender=address, Auto_Submitted="no"))
    assert of(house, address)["text"] == "hello"


def test_the_fields_of_a_sites_form_mail_are_the_customers(house):
    phone, address = new_phone(), new_address()
    lines = ["Новая заявка", "", f"Имя: {NAME}", f"Телефон: 8{phone[2:]}", f"E-mail: {address}"]
    body = "\n".join([*lines, f"Сообщение: {TEXT}", "Бюджет: 200"])
    mail(house, written(body, sender="wordpress@site.example", Auto_Submitted="auto-generated"))
    one = of(house, address)
    assert one["contact"]["phones"] == [phone] and one["contact"]["name"] == NAME
    assert one["text"].startswith(TEXT) and "wordpress@site.example" not in one["contact"]["emails"]


def test_reply_to_is_the_customer(house):
    address = new_address()
    mail(house, written("hello", sender="robot@site.example", Reply_To=f"Olga <{address}>"))
    one = of(house, address)
    assert one["contact"]["emails"] == [address]


def test_a_mail_sent_again_is_the_same_mail(house):
    before, message = books(house, "demo-mail"), written("twice")
    first, again = mail(house, message), mail(house, message)
    assert first.status_code == again.status_code == 200 and first.json() == again.json()
    assert grown(before, books(house, "demo-mail")) == {"lead": 1, "redelivered": 1}


# --- our own answers


def test_our_own_answer_stops_the_clock_and_an_automatic_one_does_not(house):
    address = new_address()
    mail(house, written("How much?", sender=address))
    one = of(house, address)
    assert one["contacted_at"] is None
    mail(house, written("We got your mail", sender=SALES, to=address, Auto_Submitted="auto-replied"))
    mail(house, written("We got your mail", sender="noreply@demo.example", to=address))
    books(house, "demo-mail")
    assert lead(house, one["id"])["contacted_at"] is None
    mail(house, written("A hundred a night", sender="anna@demo.example", to=address))
    wait_until(lambda: lead(house, one["id"])["contacted_at"], SHOWN_WITHIN)
    contacted = lead(house, one["id"])
    assert contacted["contacted_by"] == "anna" and contacted["stage"] == "contacted"
    assert kinds(house, one["id"]).count("lead.contacted") == 1


def test_an_answer_heard_of_before_the_question_waits_for_it(house):
    address = new_address()
    answer = written("A hundred a night", sender="anna@demo.example", to=address)
    answer.replace_header("Date", email.utils.formatdate(time.time() + 1))
    assert mail(house, answer).status_code == 200
    mail(house, written("How much?", sender=address))
    one = wait_for(house, lambda one: address in one["contact"]["emails"] and one["contacted_at"])
    assert one["contacted_by"] == "anna"


# --- chats


def update(text=None, user=None, number=None, chat="private", **more):
    """A message of one person to the bot."""
    user = user or int(new_id("")[:8], 16)
    sender = {"id": user, "is_bot": False, "first_name": "Лев", "last_name": "Шанин"}
    sender |= {"username": "lev", "language_code": "ru"}
    message = {"message_id": 1, "date": int(time.time()), "chat": {"id": user, "type": chat}, "from": sender, **more}
    if text is not None:
        message["text"] = text
    return {"update_id": number or int(new_id("")[:8], 16), "message": message}, user


def chatting(house, user):
    handle = {"kind": "telegram", "id": str(user)}
    return wait_for(house, lambda one: handle in one["contact"]["handles"], "a lead of the chat")


def test_the_first_message_of_a_chat_is_a_lead(house):
    body, user = update("Свободен ли домик?")
    assert telegram(house, body).status_code == 204
    one = chatting(house, user)
    assert (one["kind"], one["text"], one["contact"]["name"]) == ("chat", "Свободен ли домик?", "Лев Шанин")
    assert one["attributes"] == {"username": "lev", "language_code": "ru"} and one["contact"]["phones"] == []


def test_only_the_senders_own_contact_card_is_his_phone(house):
    mine, foreign = new_phone(), new_phone()
    for phone, of_whom, phones in [(mine, "own", [mine]), (foreign, "somebody", []), (foreign, "nobody", [])]:
        body, user = update()
        card = {"phone_number": phone.lstrip("+"), "first_name": "X"}
        card |= {"own": {"user_id": user}, "somebody": {"user_id": user + 1}, "nobody": {}}[of_whom]
        body["message"]["contact"] = card
        telegram(house, body)
        one = chatting(house, user)
        assert one["contact"]["phones"] == phones, of_whom
        assert phones or one["attributes"]["contact.phone_number"] == phone


def test_a_start_link_says_where_the_person_came_from(house):
    for text, payload in [("/start spring_sale", "spring_sale"), ("/start", None), ("/start@bot x", None)]:
        body, user = update(text)
        telegram(house, body)
        one = chatting(house, user)
        assert one["campaign"].get("start") == payload, text
        assert one["text"] is None or text == "/start@bot x"


def test_a_shared_phone_joins_the_chat_with_the_form(house):
    phone, mark = new_phone(), new_id("join")
    form(house, {"phone": phone, "case": mark})
    first = marked(house, mark)
    body, user = update()
    body["message"]["contact"] = {"phone_number": phone, "user_id": user}
    telegram(house, body)
    wait_until(lambda: lead(house, first["id"])["touches"] == 2, SHOWN_WITHIN)
    one = lead(house, first["id"])
    assert {"kind": "telegram", "id": str(user)} in one["contact"]["handles"]
    last = [event for event in house.events() if event["subject"] == one["id"]][-1]
    assert last["data"]["change"]["duplicate"] == "cross_channel"


@pytest.mark.parametrize("media", ["photo", "voice", "sticker", "document", "location"])
def test_what_has_no_words_gets_a_placeholder(house, media):
    body, user = update(**{media: {"file_id": "x"}})
    telegram(house, body)
    assert chatting(house, user)["text"] == f"[{media}]"


@pytest.mark.parametrize(
    "body",
    [
        {"update_id": 1, "edited_message": {"chat": {"id": 1, "type": "private"}}},
        {"update_id": 2, "callback_query": {"id": "1"}},
        {"update_id": 3, "my_chat_member": {}},
        {"update_id": 4, "purchased_paid_media_2031": {}},
        update("hi", number=5, chat="supergroup")[0],
        {"update_id": 6, "message": update("hi", number=6)[0]["message"] | {"sender_business_bot": {"id": 1}}},
    ],
    ids=lambda body: next(key for key in body if key != "update_id"),
)
def test_what_is_no_message_to_us_is_answered_and_left_alone(house, body):
    before, count = books(house, "demo-bot"), len(leads(house))
    assert telegram(house, body).status_code == 204
    assert books(house, "demo-bot") == before and len(leads(house)) == count


def test_the_owners_own_message_in_a_business_chat_is_the_answer(house):
    body, user = update("Есть кто?")
    business = {"update_id": body["update_id"], "business_message": body["message"]}
    telegram(house, business)
    one = chatting(house, user)
    owner = {"id": 777000111, "is_bot": False, "first_name": "Anna", "username": "anna_cottages"}
    reply = {"message_id": 2, "date": int(time.time()), "chat": body["message"]["chat"], "from": owner, "text": "Да"}
    telegram(house, {"update_id": body["update_id"] + 1, "business_message": reply})
    wait_until(lambda: lead(house, one["id"])["contacted_at"], SHOWN_WITHIN)


@pytest.mark.parametrize("secret", ["", "demo-bot-secre", "demo-bot-secrets", "demo-line-secret", "x" * 4000])
def test_a_wrong_secret_token_is_401_and_all_look_alike(house, secret):
    answer = telegram(house, update("hi")[0], secret=secret)
    bare = knock(house, "demo-bot", json=update("hi")[0])
    assert (answer.status_code, bare.status_code) == (401, 401) and answer.content == bare.content
