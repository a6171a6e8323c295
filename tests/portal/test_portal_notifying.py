"""Posting to an incoming webhook: what goes out, what counts as delivered, and that its address is told to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hubsync.portal.notifying import LONGEST, NotDelivered, post_text
from tests.service.doorbells import Webhook, listening


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with listening(Webhook()) as server:
        yield server


def test_a_text_is_posted_in_the_form_that_chats_take(webhook: Webhook) -> None:
    post_text(webhook.url, "Token refused & <!channel> of team <Paris>")
    assert webhook.texts == ["Token refused &amp; &lt;!channel&gt; of team &lt;Paris&gt;"]
    assert webhook.headers[0]["Content-Type"] == "application/json"


def test_a_long_text_is_cut(webhook: Webhook) -> None:
    post_text(webhook.url, "x" * (LONGEST + 500))
    assert webhook.texts == ["x" * LONGEST]


@pytest.mark.parametrize(("status", "again"), [(429, True), (500, True), (503, True), (404, False), (400, False)])
def test_any_other_answer_is_a_failure_that_says_whether_to_try_again(
    webhook: Webhook, status: int, again: bool
) -> None:
    webhook.answers = [status]
    with pytest.raises(NotDelivered, match=f"The webhook answered {status}") as failed:
        post_text(webhook.url, "x")
    assert failed.value.again is again


def test_a_redirect_is_not_followed(webhook: Webhook) -> None:
    webhook.answers = [302]
    with pytest.raises(NotDelivered, match="answered 302"):
        post_text(webhook.url, "x")
    assert webhook.paths == ["/hooks/s3cret"]


def test_an_answer_that_does_not_come_is_given_up(webhook: Webhook) -> None:
    webhook.silent.clear()
    with pytest.raises(NotDelivered, match=r"no answer within 0\.2 seconds") as failed:
        post_text(webhook.url, "x", time_out=0.2)
    webhook.silent.set()
    assert failed.value.again


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/hooks/s3cret",
        "http://127.0.0.1:s3cret/",
        "http://[s3cret/",
        "ftp://127.0.0.1/s3cret",
        "http://\udcff/s3cret",
    ],
)
def test_no_failure_names_the_address(address: str) -> None:
    with pytest.raises(NotDelivered) as failed:
        post_text(address, "x")
    told = f"{failed.value} {failed.value.__cause__}"
    assert "s3cret" not in told
    assert failed.value.__suppress_context__


def test_neither_netrc_nor_a_proxy_of_the_environment_is_used(
    webhook: Webhook, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (isolated / "home" / ".netrc").write_text("machine 127.0.0.1 login a password b\n", encoding="utf-8")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    post_text(webhook.url, "x")
    assert "Authorization" not in webhook.headers[0]
