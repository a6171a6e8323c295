"""Posting a text to an incoming webhook, in the JSON form that Slack, Mattermost, Rocket.Chat and others take.

The address is a secret: whoever has it can post. So it stands in no message, no log line and no error, it is never
followed elsewhere by a redirect, and neither ~/.netrc nor proxy variables are looked at.
"""

from __future__ import annotations

import requests

from hubsync.errors import HubsyncError

TIME_OUT = 10.0
"""Seconds for the connection, and for the answer."""
LONGEST = 3_000
"""Characters of a text: chats cut longer ones, or refuse them."""


class NotDelivered(HubsyncError):
    """A message reached nobody. `again`: another try may help."""

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.again = again


def post_text(url: str, text: str, *, time_out: float = TIME_OUT) -> None:
    """Post `{"text": …}`. Raises NotDelivered with a message that doesn't hold the address."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            status = _status_of(session, url, text, time_out)
    except requests.Timeout:
        raise NotDelivered(f"The webhook gave no answer within {time_out:g} seconds.", again=True) from None
    except (requests.RequestException, UnicodeError, ValueError) as error:  # their texts hold the address
        again = isinstance(error, requests.ConnectionError)
        raise NotDelivered(f"The webhook can't be reached ({type(error).__name__}).", again=again) from None
    if not 200 <= status < 300:
        again = status == 429 or status >= 500
        raise NotDelivered(f"The webhook answered {status}.", again=again)


def escaped(text: str) -> str:
    """The text as chats take it: nothing in it may become a mention or a link of its own making."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _status_of(session: requests.Session, url: str, text: str, time_out: float) -> int:
    """What was answered. The answer's body says nothing that is needed, so it isn't read, however long it is."""
    message = {"text": escaped(text[:LONGEST])}
    headers = {"User-Agent": "hubsync"}
    with session.post(
        url, json=message, headers=headers, timeout=time_out, allow_redirects=False, stream=True
    ) as answer:
        return answer.status_code
