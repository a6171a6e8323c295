"""What an incoming mail is (playbook A4), on a corpus in four languages: how many of each kind are found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubsync.policy.mailkinds import AUTO_REPLY, BOUNCE, MAIL_KINDS, OPT_OUT, REPLY, Mail, MailWords
from tests.builders import policy

CORPUS: dict[str, dict[str, list[dict[str, Any]]]] = yaml.safe_load(
    (Path(__file__).parent / "mail_corpus.yaml").read_text(encoding="utf-8")
)
LANGUAGES = ("en", "fr", "de", "id")
AT_LEAST = 0.95
"""Precision and recall of each kind in each language."""


def words() -> MailWords:
    return policy().engagements.mails


def mail(subject: str = "Re: Hello", text: str = "", **headers: Any) -> Mail:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Mail(subject, text, "ada@example.org", json.dumps(named) if named else "")


def judged(language: str) -> Iterator[tuple[str, str]]:
    """Of each mail of a language what it is, and what it was taken for."""
    for kind in MAIL_KINDS:
        for one in CORPUS[kind][language]:
            headers = json.dumps(one["headers"]) if "headers" in one else ""
            yield kind, words().kind(Mail(one["subject"], one["text"], one.get("from", "ada@example.org"), headers))


def test_the_corpus_has_ten_mails_of_each_kind_in_each_language() -> None:
    assert set(CORPUS) == set(MAIL_KINDS)
    assert all(len(CORPUS[kind][language]) >= 10 for kind in MAIL_KINDS for language in LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", MAIL_KINDS)
def test_precision_and_recall_on_the_corpus(kind: str, language: str) -> None:
    pairs = list(judged(language))
    right = sum(1 for meant, taken in pairs if meant == taken == kind)
    precision = right / sum(1 for _, taken in pairs if taken == kind)
    recall = right / sum(1 for meant, _ in pairs if meant == kind)
    assert precision >= AT_LEAST
    assert recall >= AT_LEAST


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"Auto_Submitted": "auto-replied"}, AUTO_REPLY),
        ({"auto_submitted": "auto-generated; x=y"}, AUTO_REPLY),
        ({"Auto_Submitted": "no"}, REPLY),
        ({"Precedence": "bulk"}, AUTO_REPLY),
        ({"Precedence": "list"}, REPLY),
        ({"X_Autoreply": "yes"}, AUTO_REPLY),
        ({"X_Auto_Response_Suppress": "All"}, REPLY),
        ({"Return_Path": "<>"}, REPLY),
        ({"Return_Path": "<>", "Auto_Submitted": "auto-replied"}, AUTO_REPLY),
        ({"Content_Type": "multipart/report; report-type=delivery-status"}, BOUNCE),
        ({"X_Failed_Recipients": "ada@example.org"}, BOUNCE),
        ({"from": {"email": "MAILER-DAEMON@example.org"}}, BOUNCE),
        ({"from": {"email": "ada@example.org"}, "Received": ["by a", "by b"]}, REPLY),
    ],
)
def test_headers_tell_whatever_the_text_says(headers: dict[str, Any], kind: str) -> None:
    assert words().kind(mail("Re: Hello", "Let us talk.", **headers)) == kind


def test_headers_that_cannot_be_read_tell_nothing() -> None:
    assert words().kind(Mail("Re: Hello", "Let us talk.", "", "Auto-Submitted: auto-replied")) == REPLY
    assert words().kind(Mail("Re: Hello", "Let us talk.", "", "[1, 2]")) == REPLY


def test_one_hint_is_a_person_speaking_and_two_are_a_machine() -> None:
    assert words().kind(mail(text="I am out of the office tomorrow.")) == REPLY
    assert words().kind(mail(text="I am out of the office with limited access to e-mail.")) == AUTO_REPLY
    assert words().kind(mail(text="Out of the office tomorrow. Really out of the office.")) == REPLY


def test_a_mail_answered_between_its_lines_counts_by_the_answers_alone() -> None:
    between = "On Monday Rita wrote:\n> Shall we talk?\nYes.\n> Unsubscribe me\nNo, thanks."
    assert words().kind(mail(text=between)) == REPLY
    assert words().kind(mail(text="On Monday Rita wrote:\n> Shall we talk?\nPlease unsubscribe me.")) == OPT_OUT


def test_a_subject_alone_opts_out_unless_the_text_takes_it_back() -> None:
    assert words().kind(mail(subject="Unsubscribe")) == OPT_OUT
    assert words().kind(mail(subject="Unsubscribe", text="Please do not unsubscribe me, it was a mistake.")) == REPLY
    assert words().kind(mail(subject="How do I unsubscribe a colleague")) == REPLY


def test_without_words_headers_still_tell() -> None:
    bare = MailWords([])
    assert bare.kind(mail(text="Please unsubscribe me.")) == REPLY
    assert bare.kind(mail(Auto_Submitted="auto-replied")) == AUTO_REPLY
