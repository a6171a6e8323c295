"""What an incoming mail is: a person's reply, an opt-out, an answer by a machine, or a bounce (playbook A4).

Told by headers first, which machines set and people don't (RFC 3834, RFC 3464), then by subject and text, by the words
of mails.yaml. Only what the sender wrote counts, not what is quoted below or between. What no word tells is a reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hubsync.policy.spec import MailsSpec

REPLY, OPT_OUT, AUTO_REPLY, BOUNCE = "reply", "opt_out", "auto_reply", "bounce"
MAIL_KINDS = (REPLY, OPT_OUT, AUTO_REPLY, BOUNCE)

GAP = r"(?:\S+ ){0,6}?"
"""What a `*` between words stands for: up to six words."""
HINTS_NEEDED = 2
_NEVER = re.compile(r"(?!)")
_MACHINES = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-vacation")
_PRECEDENCES = frozenset({"auto_reply", "auto-reply", "bulk", "junk"})


@dataclass(frozen=True, slots=True)
class Mail:
    """An incoming mail: subject, text, sender's address, and the headers as HubSpot holds them (JSON text)."""

    subject: str = ""
    text: str = ""
    sender: str = ""
    headers: str = ""


class MailWords:
    """The words of mails.yaml, ready to be looked for. Immutable to its users."""

    def __init__(self, specs: Sequence[MailsSpec]) -> None:
        """`specs` are those of all files; their words count together."""
        self._quotes = _beginning(w for s in specs for w in s.quotes)
        self._senders = frozenset(w.casefold() for s in specs for w in s.bounce.senders)
        self._bounced = _beginning(w for s in specs for w in s.bounce.subjects)
        self._bounce_texts = _anywhere(w for s in specs for w in s.bounce.texts)
        self._automatic = _beginning(w for s in specs for w in s.auto_reply.subjects)
        self._auto_texts = _anywhere(w for s in specs for w in s.auto_reply.texts)
        self._hints = _anywhere(w for s in specs for w in s.auto_reply.hints)
        self._alone = frozenset(_plain(w).strip(" .!") for s in specs for w in s.opt_out.alone)
        self._opt_outs = _anywhere(w for s in specs for w in s.opt_out.texts)
        self._unless = _anywhere(w for s in specs for w in s.opt_out.unless)

    def kind(self, mail: Mail) -> str:
        """One of `MAIL_KINDS`."""
        headers = _headers(mail.headers)
        subject, text = _plain(mail.subject), self._own(mail.text)
        if self._is_bounce(mail, headers, subject, text):
            return BOUNCE
        hints = {match.group() for match in self._hints.finditer(text)}
        if (
            _by_machine(headers)
            or self._automatic.match(subject)
            or self._auto_texts.search(text)
            or len(hints) >= HINTS_NEEDED
        ):
            return AUTO_REPLY
        said = self._unless.sub(" ", text)
        alone = said.strip(" .!") in self._alone if said else False
        by_subject = said == text and subject.strip(" .!") in self._alone
        return OPT_OUT if alone or by_subject or self._opt_outs.search(said) else REPLY

    def _is_bounce(self, mail: Mail, headers: Mapping[str, str], subject: str, text: str) -> bool:
        if "x-failed-recipients" in headers or "delivery-status" in headers.get("content-type", ""):
            return True
        senders = (mail.sender, headers.get("from", ""))
        if any(_mailbox(sender) in self._senders for sender in senders):
            return True
        return bool(self._bounced.match(subject) or self._bounce_texts.search(text))

    def _own(self, text: str) -> str:
        """What the sender wrote: without lines marked as quoted, and without all below an unmarked quotation."""
        own: list[str] = []
        lines = text.splitlines()
        for number, line in enumerate(lines):
            plain = _plain(line)
            if plain.startswith(">"):
                continue
            if self._quotes.match(plain):
                if any(later.lstrip().startswith(">") for later in lines[number + 1 :]):
                    continue
                break
            own.append(plain)
        return " ".join(filter(None, own))


def _by_machine(headers: Mapping[str, str]) -> bool:
    """Whether headers say that no person wrote it (RFC 3834); `Auto-Submitted: no` says that one did."""
    submitted = headers.get("auto-submitted", "no").partition(";")[0].strip()
    precedence = headers.get("precedence", "").strip()
    return submitted != "no" or precedence in _PRECEDENCES or any(name in headers for name in _MACHINES)


def _headers(text: str) -> dict[str, str]:
    """Headers by their name in lower case, values in lower case; none where the text is no JSON object."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name).casefold(): _value(value).casefold() for name, value in found.items()}


def _value(value: object) -> str:
    """A header's value as text: HubSpot gives an address as an object, and what comes twice as a list."""
    if isinstance(value, dict):
        return str(value.get("email") or value.get("raw") or "")
    if isinstance(value, list):
        return " ".join(_value(one) for one in value)
    return "" if value is None else str(value)


def _mailbox(sender: str) -> str:
    """What stands before the @ of an address, with or without a name before it."""
    address = re.search(r"([^\s<>\"]+)@", sender)
    return address[1].casefold() if address else sender.strip().casefold()


def _plain(text: str) -> str:
    """Text to be searched: lower case, plain apostrophes, single spaces."""
    return " ".join(text.replace("\u2019", "'").casefold().split())


def _phrases(words: Iterable[str]) -> str:
    """Any of the phrases; `*` between two words stands for up to six others."""
    return "|".join(re.escape(_plain(w)).replace(r"\ \*\ ", f" {GAP}") for w in sorted(words, key=len, reverse=True))


def _anywhere(words: Iterable[str]) -> re.Pattern[str]:
    found = _phrases(words)
    return re.compile(rf"(?<!\w)(?:{found})(?!\w)") if found else _NEVER


def _beginning(words: Iterable[str]) -> re.Pattern[str]:
    found = _phrases(words)
    return re.compile(rf"(?:{found})(?!\w)") if found else _NEVER
