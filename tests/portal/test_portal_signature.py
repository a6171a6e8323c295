"""A webhook's signature: HubSpot's published vectors and ours, and everything that must not pass."""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubsync.errors import WebhookRejected
from hubsync.portal.signature import VERSIONS, SignedRequest, public_uri, read_claim, verify

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
U = b"https://www.example.com/webhook_uri"
Q = U + b"?next=%2Fa%3Fb&to=x%40y.com&t=10%3A30&k=a%20b%26c%3Dd"
B = (
    b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
    b'"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM",'
    b'"changeFlag":"NEW","appId":54321}]'
)
ZOE = '{"firstname":"Zoë ✓"}'.encode()
TS = 1564113600123
NOW = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=TS)


def v3(signature: str | bytes, timestamp: int | str | bytes = TS) -> list[tuple[bytes, bytes]]:
    stamp = timestamp if isinstance(timestamp, bytes) else str(timestamp).encode()
    text = signature.encode() if isinstance(signature, str) else signature
    return [(b"X-HubSpot-Signature-v3", text), (b"X-HubSpot-Request-Timestamp", stamp)]


def older(version: str, signature: str) -> list[tuple[bytes, bytes]]:
    return [(b"X-HubSpot-Signature", signature.encode()), (b"X-HubSpot-Signature-Version", version.encode())]


def signed_v3(method: str, decoded_uri: bytes, body: bytes, timestamp: int = TS) -> list[tuple[bytes, bytes]]:
    """As HubSpot signs, written apart from what is tested."""
    message = method.encode() + decoded_uri + body + str(timestamp).encode()
    return v3(b64encode(hmac.new(SECRET.encode(), message, "sha256").digest()), timestamp)


def holds(
    headers: list[tuple[bytes, bytes]],
    body: bytes = B,
    *,
    uri: bytes = U,
    method: str = "POST",
    now: datetime = NOW,
    accept: frozenset[str] = VERSIONS,
    secrets: tuple[str, ...] = (SECRET,),
) -> str:
    return verify(SignedRequest(method, uri, headers, body), secrets, now, accept)


VECTORS = [
    ("v1", older("v1", "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"), "POST", U, B),
    ("v2", older("v2", "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"), "GET", U, b""),
    (
        "v2",
        older("v2", "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900"),
        "POST",
        U,
        b'{"example_field":"example_value"}',
    ),
    ("v3", v3("q+yg44lS7QBlv+UGAWaDm3MqZlBS65mPXB2u4RhTbvE="), "POST", U, B),
    ("v3", v3("dmyhG4XkpfMJoa50QcmsVGoABPj63CeTdIQu51Kmhvk="), "POST", Q, B),
    ("v3", v3("hbS5//tk9hsWkSc23tbhKuPV5gt89GBWykbNaMHOemc="), "GET", U, b""),
    ("v3", v3("DMEkOFGVOww+OThsZ3snHqXfNW/uFRzn8lcQEPF2K2w="), "POST", U, ZOE),
    ("v1", older("v1", "7e0607d6c6c137b1b96de4b1a1f8bf3a56f2f26ec6cba82ea5795a4dd0fbe873"), "POST", U, ZOE),
    ("v2", older("v2", "43a11db8c8c38fa6c8ceb1f6cd4ab87630f40de0be281e50169a87aeb3b3f12f"), "POST", Q, B),
]
"""Numbers 1 to 9 of hubspot-api.md 8; 1 to 3 are HubSpot's own."""


@pytest.mark.parametrize(("version", "headers", "method", "uri", "body"), VECTORS, ids=map(str, range(1, 10)))
def test_the_known_signatures_hold(
    version: str, headers: list[tuple[bytes, bytes]], method: str, uri: bytes, body: bytes
) -> None:
    assert holds(headers, body, uri=uri, method=method) == version


@pytest.mark.parametrize(("version", "headers", "method", "uri", "body"), VECTORS, ids=map(str, range(1, 10)))
def test_a_known_signature_holds_for_nothing_else(
    version: str, headers: list[tuple[bytes, bytes]], method: str, uri: bytes, body: bytes
) -> None:
    others = [(method, uri, body + b" ")]
    if version != "v1":
        others += [("PUT", uri, body), (method, uri + b"/", body), (method, uri + b"?a=b", body)]
    for other_method, other_uri, other_body in others:
        with pytest.raises(WebhookRejected, match="doesn't match"):
            holds(headers, other_body, uri=other_uri, method=other_method)
    with pytest.raises(WebhookRejected, match="doesn't match"):
        holds(headers, body, uri=uri, method=method, secrets=("zzzz",))


def test_an_address_that_was_signed_without_being_decoded_is_refused() -> None:
    with pytest.raises(WebhookRejected, match="doesn't match"):
        holds(v3("RrlR/U5dKJCLXLuHy4KEMbv1Hz2w8Uc1TzMJ50+tc8M="), uri=Q)


def test_exactly_twelve_escapes_are_decoded_for_v3_in_any_case() -> None:
    raw = b"https://h.example/p%3a%3A%2f%3F%40%21%24%27%28%29%2A%2c%3B?x=%20%26%3D%25%2B%23%253A%5B"
    assert (
        holds(signed_v3("POST", b"https://h.example/p::/?@!$'()*,;?x=%20%26%3D%25%2B%23%253A%5B", B), uri=raw) == "v3"
    )


@given(st.text(max_size=40))
def test_a_query_of_any_text_is_decoded_as_the_rule_says(text: str) -> None:
    encoded = quote(text, safe="").encode()
    kept = quote(text, safe=":/?@!$'()*,;").encode()
    assert holds(signed_v3("GET", U + b"?q=" + kept, b""), b"", uri=U + b"?q=" + encoded, method="GET") == "v3"


@pytest.mark.parametrize("off", [timedelta(minutes=5), timedelta(minutes=-5), timedelta()])
def test_a_time_stamp_of_exactly_five_minutes_is_fresh_enough(off: timedelta) -> None:
    assert holds(VECTORS[3][1], now=NOW + off) == "v3"


@pytest.mark.parametrize(
    ("off", "says"),
    [
        (timedelta(minutes=5, microseconds=1), "older than 5 minutes"),
        (timedelta(minutes=-5, microseconds=-1), "lies in the future"),
        (timedelta(days=10), "older than 5 minutes"),
        (timedelta(days=-10), "lies in the future"),
    ],
)
def test_a_time_stamp_beyond_five_minutes_to_either_side_is_refused(off: timedelta, says: str) -> None:
    with pytest.raises(WebhookRejected, match=says):
        holds(VECTORS[3][1], now=NOW + off)


@pytest.mark.parametrize(
    "stamp", [b"", b"abc", b"-1", b"+1", b"1564113600.123", b"9" * 21, "١٢٣".encode(), b"1564113600123 ", b"\xff"]
)
def test_a_time_stamp_that_is_no_number_is_refused(stamp: bytes) -> None:
    with pytest.raises(WebhookRejected, match="missing or malformed"):
        holds(v3("q+yg44lS7QBlv+UGAWaDm3MqZlBS65mPXB2u4RhTbvE=", stamp))


def test_the_largest_number_a_time_stamp_may_hold_is_only_of_the_future() -> None:
    with pytest.raises(WebhookRejected, match="future"):
        holds(v3("q+yg44lS7QBlv+UGAWaDm3MqZlBS65mPXB2u4RhTbvE=", b"9" * 20))


def test_a_missing_time_stamp_is_refused() -> None:
    with pytest.raises(WebhookRejected, match="missing or malformed"):
        holds(VECTORS[3][1][:1])


def test_a_wrong_v3_signature_is_not_made_good_by_an_older_one() -> None:
    wrong = b64encode(bytes(32))
    for signature in (wrong, b"", b"\xff\xfe"):
        with pytest.raises(WebhookRejected, match="v3"):
            holds([*VECTORS[0][1], *v3(signature)])


def test_a_version_that_is_switched_off_is_neither_asked_for_nor_enough() -> None:
    both = [*VECTORS[0][1], *v3(b64encode(bytes(32)))]
    assert holds(both, accept=frozenset({"v1", "v2"})) == "v1"
    with pytest.raises(WebhookRejected, match="not accepted"):
        holds(VECTORS[0][1], accept=frozenset({"v3", "v2"}))
    with pytest.raises(WebhookRejected, match="not accepted"):
        holds(VECTORS[2][1], accept=frozenset({"v3", "v1"}))
    with pytest.raises(WebhookRejected, match="no signature"):
        holds(VECTORS[3][1], accept=frozenset({"v1", "v2"}))


@pytest.mark.parametrize("version", [b"", b"v3", b"v4", b"V1", b"v1 ", b"\xff", "v１".encode()])
def test_an_older_signature_of_no_known_version_is_refused(version: bytes) -> None:
    with pytest.raises(WebhookRejected, match="missing, unknown"):
        holds([VECTORS[0][1][0], (b"X-HubSpot-Signature-Version", version)])


def test_an_older_signature_may_be_written_in_capitals() -> None:
    assert holds([(b"x-hubspot-signature", VECTORS[0][1][0][1].upper()), VECTORS[0][1][1]]) == "v1"


def test_the_former_secret_holds_beside_the_present_one_and_an_empty_one_never_does() -> None:
    assert holds(VECTORS[3][1], secrets=("new", SECRET)) == "v3"
    forged = older("v1", sha256(B).hexdigest())
    for secrets in ((), ("",), ("", "new")):
        with pytest.raises(WebhookRejected, match="doesn't match"):
            holds(forged, secrets=secrets)


@pytest.mark.parametrize("name", [b"X-HubSpot-Signature-v3", b"x-hubspot-request-timestamp"])
def test_a_header_that_comes_twice_is_refused(name: bytes) -> None:
    with pytest.raises(WebhookRejected, match="comes twice"):
        holds([*VECTORS[3][1], (name, b"1")])


def test_what_the_headers_alone_rule_out_is_refused_before_the_body_is_read() -> None:
    assert read_claim(VECTORS[3][1], NOW).version == "v3"
    for headers in ([], v3("short"), v3("q+yg44lS7QBlv+UGAWaDm3MqZlBS65mPXB2u4RhTbvE=", 0), older("v1", "not hex")):
        with pytest.raises(WebhookRejected):
            read_claim(headers, NOW)


names = st.sampled_from(
    [
        b"x-hubspot-signature",
        b"x-hubspot-signature-v3",
        b"x-hubspot-request-timestamp",
        b"x-hubspot-signature-version",
        b"x-other",
    ]
)
values = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([b"v1", b"v2", b"v3", str(TS).encode(), b"0" * 64, b"A" * 43 + b"="]),
)


@given(
    st.text(max_size=5), st.binary(max_size=60), st.lists(st.tuples(names, values), max_size=6), st.binary(max_size=60)
)
def test_whatever_comes_unsigned_is_rejected_and_never_fails_otherwise(
    method: str, uri: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    with pytest.raises(WebhookRejected):
        holds(headers, body, uri=uri, method=method)


@given(st.binary(max_size=200), st.integers(0, 199), st.integers(1, 255))
def test_one_changed_byte_breaks_every_signature(body: bytes, position: int, change: int) -> None:
    headers = signed_v3("POST", U, body)
    old = older("v1", sha256(SECRET.encode() + body).hexdigest())
    assert (holds(headers, body), holds(old, body)) == ("v3", "v1")
    if body:
        position %= len(body)
        changed = body[:position] + bytes([body[position] ^ change]) + body[position + 1 :]
        for claim in (headers, old):
            with pytest.raises(WebhookRejected):
                holds(claim, changed)


@pytest.mark.parametrize(
    ("public", "path", "query", "uri"),
    [
        ("https://h.example", b"/webhooks/hubspot", b"", b"https://h.example/webhooks/hubspot"),
        ("https://h.example/", b"/webhooks/hubspot", b"a=%2F", b"https://h.example/webhooks/hubspot?a=%2F"),
        ("https://h.example/in/here", b"/x", b"", b"https://h.example/in/here/x"),
    ],
)
def test_the_signed_address_is_the_configured_one_with_path_and_query_as_received(
    public: str, path: bytes, query: bytes, uri: bytes
) -> None:
    assert public_uri(public, path, query) == uri
