"""The pages: who may see them, what they say, and that nobody else's site or script has a part in it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from hubsync.errors import StoreError
from hubsync.service.status import Status
from hubsync.web.headers import SECURITY
from hubsync.web.sessions import LASTS, Sessions
from hubsync.web.wording import age, span
from tests.web.asking import NOW, PUBLIC, Headers, Web, events
from tests.web.statuses import ILL, WELL


@pytest.fixture
def web() -> Web:
    return Web(status=lambda: WELL)


def token_of(web: Web, session: Headers) -> bytes:
    found = re.search(r'name="token" value="([0-9a-f]{64})"', web.ask("GET", "/", headers=session).text)
    assert found is not None
    return found[1].encode()


# The login


def test_without_a_session_the_pages_lead_to_the_login(web: Web) -> None:
    for path in ("/", "/openapi.json"):
        answer = web.ask("GET", path)
        assert (answer.status, answer.headers["location"]) == (303, "/login")
    assert "All is well" in web.ask("GET", "/", headers=web.log_in()).text


def test_the_session_is_a_cookie_that_only_our_pages_get(web: Web) -> None:
    cookie = web.ask("POST", "/login", b"password=correct+horse").headers["set-cookie"]
    assert re.fullmatch(
        r"hubsync_session=\d+\.[\w-]+\.[0-9a-f]{64}; HttpOnly; Max-Age=43200; Path=/; SameSite=strict; Secure", cookie
    )


def test_without_https_the_cookie_comes_along_without_it_too() -> None:
    web = Web(public_url=None)
    assert "Secure" not in web.ask("POST", "/login", b"password=correct+horse").headers["set-cookie"]


@pytest.mark.parametrize(
    "body", [b"password=wrong", b"password=", b"", b"other=1", b"password=correct", "password=ключ".encode()]
)
def test_a_wrong_password_begins_no_session(web: Web, body: bytes) -> None:
    answer = web.ask("POST", "/login", body)
    assert (answer.status, answer.cookie) == (401, "")
    assert "That is not the password." in answer.text


def test_a_form_that_can_not_be_read_is_refused(web: Web) -> None:
    assert web.ask("POST", "/login", b"password=" + b"x" * 5_000).status == 413
    assert web.ask("POST", "/login", b"\xff\xfe").status == 400
    assert web.ask("POST", "/login", b"a=1&" * 50).status == 400


def test_after_ten_wrong_tries_one_has_to_wait_even_with_the_password(web: Web) -> None:
    for _ in range(10):
        assert web.ask("POST", "/login", b"password=wrong").status == 401
    answer = web.ask("POST", "/login", b"password=correct+horse")
    assert (answer.status, answer.headers["retry-after"], answer.cookie) == (429, "6", "")
    assert "Wait 6 seconds" in answer.text
    assert web.ask("POST", "/login", b"password=correct+horse", client="198.51.100.8").status == 303
    web.pass_time(seconds=6)
    assert web.ask("POST", "/login", b"password=correct+horse").status == 303


def test_who_is_in_needs_no_login_page(web: Web) -> None:
    assert web.ask("GET", "/login").status == 200
    assert web.ask("GET", "/login", headers=web.log_in()).headers["location"] == "/"


@pytest.mark.parametrize(
    "cookie",
    [
        b"",
        b"hubsync_session=",
        b"hubsync_session=..",
        b"hubsync_session=9999999999.abc." + b"0" * 64,
        b"hubsync_session=9999999999.abc.\xff\xfe",
        b"other=1",
    ],
)
def test_a_made_up_cookie_is_no_session(web: Web, cookie: bytes) -> None:
    assert web.ask("GET", "/", headers=[(b"cookie", cookie)]).status == 303


def test_a_session_ends_after_twelve_hours(web: Web) -> None:
    session = web.log_in()
    web.pass_time(seconds=LASTS - 1)
    assert web.ask("GET", "/", headers=session).status == 200
    web.pass_time(seconds=1)
    assert web.ask("GET", "/", headers=session).status == 303


def test_another_password_or_another_salt_ends_every_session() -> None:
    first = Sessions("one", b"salt", lambda: 0.0)
    cookie = first.begin()
    assert Sessions("one", b"salt", lambda: 0.0).holds(cookie)
    assert not Sessions("two", b"salt", lambda: 0.0).holds(cookie)
    assert not Sessions("one", b"other", lambda: 0.0).holds(cookie)


def test_a_session_can_not_be_made_longer_nor_a_form_token_be_made_one() -> None:
    sessions = Sessions("one", b"salt", lambda: 0.0)
    ends, nonce, mark = sessions.begin().split(".")
    assert not sessions.holds(f"{int(ends) + 1}.{nonce}.{mark}")
    claim = f"{ends}.{nonce}"
    assert not sessions.holds(f"{claim}.{sessions.form_token(claim)}")


def test_logging_out_takes_the_sessions_own_token(web: Web) -> None:
    session, other = web.log_in(), web.log_in()
    for token in (b"", b"0" * 64, token_of(web, other), b"%FF"):
        assert web.ask("POST", "/logout", b"token=" + token, session).status == 400
    assert web.ask("GET", "/", headers=session).status == 200
    answer = web.ask("POST", "/logout", b"token=" + token_of(web, session), session)
    assert (answer.status, answer.headers["location"]) == (303, "/login")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert web.ask("GET", "/", headers=session).status == 303
    assert web.ask("GET", "/", headers=other).status == 200


def test_logging_out_by_a_link_is_not_possible(web: Web) -> None:
    assert web.ask("GET", "/logout", headers=web.log_in()).status == 405


def test_without_a_password_the_pages_say_which_setting_to_set() -> None:
    web = Web(password=None)
    for method, path in (
        ("GET", "/"),
        ("GET", "/login"),
        ("POST", "/login"),
        ("POST", "/logout"),
        ("GET", "/openapi.json"),
    ):
        answer = web.ask(method, path)
        assert (answer.status, "HUBSYNC_WEB_PASSWORD" in answer.text) == (403, True)
    assert web.ask("GET", "/healthz").status == 200
    assert web.post(events(7)).status == 200


# What they say


def shown(status: Status) -> str:
    web = Web(status=lambda: status)
    return web.ask("GET", "/", headers=web.log_in()).text


def words(page: str) -> str:
    """The page's text as one reads it."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<main>")[2]).split())


def test_the_page_says_that_all_is_well() -> None:
    text = words(shown(WELL))
    assert text.startswith("✓ All is well Portal 62515, as of 2026-03-02 15:00 UTC . Look again Now")
    assert "Mode Writes to the portal Rules 9f2c1d7e5b3a since 2026-02-27 15:00 UTC Proof Proved" in text
    assert "Contacts to look at 0 Parked or held 0" in text
    assert "Contacts 40 seconds ago Emails 40 seconds ago" in text
    assert "12 serve running 4 minutes ago goes on 11 sync done 1 day ago 1 minute" in text
    assert "Held by the guard" not in text
    assert "Parked contacts" not in text
    assert text.endswith("Last alerts None.")


def test_rules_that_are_not_proved_are_the_first_thing_the_page_says() -> None:
    page = shown(replace(WELL, proof=ILL.proof))
    assert words(page).startswith("! The rules are not proved")
    assert "All is well" not in page


def test_the_page_says_what_is_wrong_and_what_to_do() -> None:
    page = shown(ILL)
    text = words(page)
    assert text.startswith("! Something is wrong")
    assert "Token HubSpot refused the token (401) for portal 62515. Renew it in the portal" in text
    assert "Mode Dry: writes nothing Rules none yet Proof Not proved The rules in force are not proved" in text
    assert "Contacts to look at 12,345 the first due 2 hours ago Parked or held 209" in text
    assert (
        "qualified_moves_the_stage since 2026-03-02 14:40 UTC: 207 contacts wait. "
        "To let it go on: hubsync guard release qualified_moves_the_stage" in text
    )
    assert (
        "All rules together since 2026-03-02 14:55 UTC: 1 contact waits. To let it go on: hubsync guard release all"
        in text
    )
    assert "deals:77 KeyError: &#39;results&#39; 6" in text
    assert "Contacts never" in text
    assert "20 minutes ago Rule qualified_moves_the_stage is held" in text
    assert 'href="https://app-eu1.hubspot.com/contacts/62515/record/0-1/4211"' in page


def test_nothing_that_is_shown_can_be_markup() -> None:
    evil = "<script>\"&'</script>"
    page = shown(replace(ILL, problems={evil: evil}, rules_digest=evil))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_trouble_is_named_in_words_and_what_to_type_stands_out() -> None:
    says = "Look at `hubsync guard`, then: `hubsync guard release all` <b>"
    page = shown(replace(ILL, problems={"held *": says, "held mql_on_score": "50 <contacts>", "lease": "Another `one"}))
    assert "<dt>All rules together are held</dt>" in page
    assert "Look at <code>hubsync guard</code>, then: <code>hubsync guard release all</code> &lt;b&gt;" in page
    assert "<dt>mql_on_score is held</dt><dd>50 &lt;contacts&gt;</dd>" in page
    assert "<dt>Lease</dt><dd>Another `one</dd>" in page


def test_the_page_says_what_came_of_webhooks(web: Web) -> None:
    session = web.log_in()
    web.post(events(7))
    web.ask("POST", "/webhooks/hubspot", b"[]")
    text = words(web.ask("GET", "/", headers=session).text)
    assert "Webhooks taken 1 the last just now" in text
    assert "Webhooks refused 1 the last just now : The request carries no signature" in text


def test_a_status_that_can_not_be_read_is_said() -> None:
    def fail() -> Status:
        raise StoreError("The database is locked.")

    web = Web(status=fail)
    answer = web.ask("GET", "/", headers=web.log_in())
    assert (answer.status, "The database is locked." in answer.text) == (503, True)


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(), "just now"),
        (timedelta(seconds=1), "1 second ago"),
        (timedelta(seconds=119), "1 minute ago"),
        (timedelta(hours=3), "3 hours ago"),
        (timedelta(days=1_200), "1,200 days ago"),
    ],
)
def test_ages_are_said_in_the_largest_whole_unit(time: timedelta, said: str) -> None:
    assert age(NOW - time, NOW) == said


def test_what_took_no_time_is_said_to_have() -> None:
    assert span(timedelta(milliseconds=400)) == "less than a second"


# What else comes along


def test_every_answer_tells_browsers_to_trust_nobody(web: Web) -> None:
    session = web.log_in()
    for method, path in (
        ("GET", "/"),
        ("GET", "/login"),
        ("GET", "/nowhere"),
        ("POST", "/webhooks/hubspot"),
        ("PUT", "/"),
    ):
        answer = web.ask(method, path, headers=session)
        assert {name: answer.headers.get(name.lower()) for name in SECURITY} == SECURITY
        assert answer.headers["cache-control"] == "no-store"
    assert "script" not in SECURITY["Content-Security-Policy"]


def test_a_fault_of_ours_tells_nothing_and_has_the_same_headers() -> None:
    def fail() -> Status:
        raise RuntimeError("a secret detail")

    web = Web(status=fail)
    session = web.log_in()
    with pytest.raises(RuntimeError, match="a secret detail"):  # for the server, which logs it
        web.ask("GET", "/", headers=session)
    answer = web.last
    assert (answer.status, "secret" in answer.text) == (500, False)
    assert {name: answer.headers.get(name.lower()) for name in SECURITY} == SECURITY
    assert answer.headers["cache-control"] == "no-store"


def test_pages_load_only_our_own_files(web: Web) -> None:
    session = web.log_in()
    for page in (shown(ILL), web.ask("GET", "/login").text):
        loaded = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
        assert len(loaded) >= 2
        assert "<script" not in page
        assert "style=" not in page
        for path in loaded:
            answer = web.ask("GET", path, headers=session)
            assert (answer.status, answer.headers["cache-control"]) == (200, "public, max-age=86400")


@pytest.mark.parametrize("name", ["../app.py", "..%2Fapp.py", "nothing.css", "hubsync.css/", "%00"])
def test_nothing_but_our_own_files_is_served(web: Web, name: str) -> None:
    assert web.ask("GET", f"/static/{name}").status == 404


def test_below_a_path_every_link_stays_there() -> None:
    web = Web(status=lambda: WELL, public_url=f"{PUBLIC}/crm")
    answer = web.ask("POST", "/crm/login", b"password=correct+horse")
    assert answer.headers["location"] == "/crm/"
    assert "Path=/crm;" in answer.headers["set-cookie"]
    page = web.ask("GET", "/crm/", headers=[(b"cookie", answer.cookie.encode())]).text
    links = re.findall(r'(?:src|href|action)="(/[^"]*)"', page)
    assert len(links) > 4
    assert all(link.startswith("/crm/") for link in links)
    for path in links:
        if "/static/" in path:
            assert web.ask("GET", path).status == 200
            assert web.ask("GET", path.removeprefix("/crm")).status == 200
