"""The sandbox signs as HubSpot does: the vectors of hubspot-api.md 8."""

from __future__ import annotations

import pytest

from hubsync.sandbox.webhooks.signing import decoded, sign_v1, sign_v2, sign_v3

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
URI = "https://www.example.com/webhook_uri"
QUERY = f"{URI}?next=%2Fa%3Fb&to=x%40y.com&t=10%3A30&k=a%20b%26c%3Dd"
EVENT = (
    b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
    b'"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW",'
    b'"appId":54321}]'
)
ZOE = '{"firstname":"Zoë ✓"}'.encode()
AT = 1564113600123


@pytest.mark.parametrize(
    ("signed", "expected"),
    [
        (sign_v1(SECRET, EVENT), "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"),
        (sign_v2(SECRET, "GET", URI, b""), "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"),
        (
            sign_v2(SECRET, "POST", URI, b'{"example_field":"example_value"}'),
            "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900",
        ),
        (sign_v3(SECRET, "POST", URI, EVENT, AT), "q+yg44lS7QBlv+UGAWaDm3MqZlBS65mPXB2u4RhTbvE="),
        (sign_v3(SECRET, "POST", QUERY, EVENT, AT), "dmyhG4XkpfMJoa50QcmsVGoABPj63CeTdIQu51Kmhvk="),
        (sign_v3(SECRET, "GET", URI, b"", AT), "hbS5//tk9hsWkSc23tbhKuPV5gt89GBWykbNaMHOemc="),
        (sign_v3(SECRET, "POST", URI, ZOE, AT), "DMEkOFGVOww+OThsZ3snHqXfNW/uFRzn8lcQEPF2K2w="),
        (sign_v1(SECRET, ZOE), "7e0607d6c6c137b1b96de4b1a1f8bf3a56f2f26ec6cba82ea5795a4dd0fbe873"),
        (sign_v2(SECRET, "POST", QUERY, EVENT), "43a11db8c8c38fa6c8ceb1f6cd4ab87630f40de0be281e50169a87aeb3b3f12f"),
    ],
    ids=[str(number) for number in range(1, 10)],
)
def test_each_vector_of_the_reference_is_signed_as_it_says(signed: str, expected: str) -> None:
    assert signed == expected


def test_version_3_undoes_its_twelve_escapes_in_any_case_and_no_other() -> None:
    assert decoded(QUERY) == f"{URI}?next=/a?b&to=x@y.com&t=10:30&k=a%20b%26c%3Dd"
    assert decoded("%3A%2f%3f%40%21%24%27%28%29%2a%2C%3b") == ":/?@!$'()*,;"
    assert decoded("%20%26%3D%25%2B%253A") == "%20%26%3D%25%2B%253A"
