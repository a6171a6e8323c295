"""What hubsync is run with: the image, compose, systemd, the proxies and the dashboard say what they must.

Nothing here needs an engine of containers: what would only be seen by running is named in scripts/deploy/README.md.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from hubsync.portal.scopes import PROBES
from hubsync.service.metrics import Metrics
from hubsync.settings import PREFIX, Settings
from hubsync.web.events import Expected, parse_events

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "scripts" / "deploy"
PORT = "8080"


# The image


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, each on one line."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def of(name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions() if instruction == name]


def test_the_image_is_built_on_a_python_that_hubsync_runs_on_pinned_to_the_minor() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest = int(project["requires-python"].removeprefix(">=3."))
    versions = [re.fullmatch(r"python:3\.(\d+)-slim-\w+(?: AS \w+)?", base) for base in of("FROM")]
    assert len(versions) == 2
    assert all(found is not None and int(found[1]) >= lowest for found in versions)


def test_the_image_runs_as_a_user_that_is_not_root_and_keeps_everything_in_one_volume() -> None:
    last = [name for name, _ in instructions()]
    (user,) = of("USER")
    assert user.partition(":")[0].isdecimal()
    assert int(user.partition(":")[0]) > 0
    assert last.index("USER") < last.index("ENTRYPOINT")
    assert of("VOLUME") == ["/data"]
    assert of("WORKDIR")[-1] == "/data"


def test_the_image_starts_the_service_and_asks_it_how_it_is() -> None:
    assert of("ENTRYPOINT") == ['["hubsync"]']
    (command,) = map(json.loads, of("CMD"))
    assert command == ["serve", "--host", "0.0.0.0", "--port", PORT]  # noqa: S104  (in the container)
    (check,) = of("HEALTHCHECK")
    program = json.loads(check.partition(" CMD ")[2])
    assert program[:2] == ["python", "-c"]
    compile(program[2], "HEALTHCHECK", "exec")
    assert f"'127.0.0.1', {PORT}" in program[2]
    assert "'/healthz'" in program[2]


def test_the_check_of_the_image_ends_as_the_service_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import http.client

    program = json.loads(of("HEALTHCHECK")[0].partition(" CMD ")[2])[2]
    for status, ends in ((200, False), (503, True)):
        answer = type("Answer", (), {"status": status})
        connection = type("C", (), {"request": lambda *_: None, "getresponse": lambda _, answer=answer: answer})
        monkeypatch.setattr(http.client, "HTTPConnection", lambda *_a, c=connection, **_k: c())
        with pytest.raises(SystemExit) as ended:
            exec(program, {})  # noqa: S102  (our own line)
        assert ended.value.code is ends


def test_nothing_secret_goes_into_the_image() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"TOKEN|SECRET|PASSWORD|SMTP|WEBHOOK_URL", text) == []
    assert "ADD" not in [name for name, _ in instructions()]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in ignored if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert "!.env" not in patterns


def test_what_the_image_copies_is_what_the_builder_is_given() -> None:
    copied = {source for line in of("COPY") if "--from" not in line for source in line.split()[:-1]}
    given = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert copied == given
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_what_the_image_copies_suffices_to_build_hubsync(tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    for source in {source for line in of("COPY") if "--from" not in line for source in line.split()[:-1]}:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, context / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, context / source)
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, context],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert list(tmp_path.glob("hubsync-*.whl")) != []


# compose


def compose(text: str | None = None) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(text or (ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return document


def test_compose_takes_from_the_container_what_it_does_not_need() -> None:
    service = compose()["services"]["hubsync"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"] == ["/tmp"]
    assert service["restart"] == "unless-stopped"
    assert "privileged" not in service


def test_compose_has_one_volume_and_shows_the_port_to_this_machine_alone() -> None:
    service = compose()["services"]["hubsync"]
    assert [volume.rpartition(":")[2] for volume in service["volumes"]] == ["/data"]
    assert service["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]


def test_compose_gives_the_service_more_time_to_end_than_it_takes() -> None:
    from hubsync.cli.serve import STOPS_WITHIN

    assert int(compose()["services"]["hubsync"]["stop_grace_period"].removesuffix("s")) > STOPS_WITHIN + 2


def test_the_proxy_that_compose_suggests_can_be_switched_on() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    start = text.index("  # caddy:")
    on = text[:start] + re.sub(r"^(\s*)# ?", r"\1", text[start:], flags=re.MULTILINE)
    caddy = compose(on)["services"]["caddy"]
    assert (ROOT / caddy["volumes"][0].partition(":")[0]).is_file()
    assert caddy["environment"]["HUBSYNC_UPSTREAM"] == f"hubsync:{PORT}"
    assert compose(on)["volumes"] == {"caddy": None}


# systemd


def unit() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "hubsync.service").read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_keeps_the_service_to_its_own_folder() -> None:
    service = unit()
    assert service["ProtectSystem"] == ["strict"]
    assert service["StateDirectory"] == ["hubsync"]
    assert service["WorkingDirectory"] == ["/var/lib/hubsync"]
    assert service["NoNewPrivileges"] == ["yes"]
    assert service["CapabilityBoundingSet"] == [""]
    assert service["User"] == ["hubsync"]


def test_the_unit_starts_again_unless_settings_can_not_be_used() -> None:
    service = unit()
    assert (service["Restart"], service["RestartPreventExitStatus"]) == (["on-failure"], ["2"])
    assert service["StartLimitIntervalSec"] == ["0"]
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert shlex.split(service["ExecStart"][0])[1:] == ["serve", "--host", "127.0.0.1", "--port", PORT]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "hubsync.service").read_text(encoding="utf-8")
    program = unit()["ExecStart"][0].split()[0]
    path = tmp_path / "hubsync.service"
    path.write_text(text.replace(program, "/bin/true"), encoding="utf-8")
    found = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


# Proxies


@pytest.mark.parametrize("name", ["Caddyfile", "nginx.conf"])
def test_a_proxy_shows_the_world_webhooks_and_nothing_else(name: str) -> None:
    text = re.sub(r"#.*", "", (DEPLOY / name).read_text(encoding="utf-8"))
    assert re.findall(r"(?:path|location) (/\S*)", text) == (
        ["/webhooks/*"] if name == "Caddyfile" else ["/webhooks/", "/"]
    )
    assert f"127.0.0.1:{PORT}" in text
    assert "404" in text
    assert text.count("{") == text.count("}")
    assert "metrics" not in text


# The dashboard


def expressions(value: Any) -> Iterator[str]:
    """Every query of the dashboard."""
    if isinstance(value, dict):
        yield from (text for key, text in value.items() if key in {"expr", "query"} and isinstance(text, str))
        for inner in value.values():
            yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))
    return document


def exposed() -> set[str]:
    """Every name that /metrics may show."""
    text = generate_latest(Metrics().registry).decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE))
    ends = {"histogram": ("_bucket", "_count", "_sum")}
    return {name + end for name, kind in kinds.items() for end in ends.get(kind, ("",))}


def test_every_metric_of_the_dashboard_exists() -> None:
    named = {name for text in expressions(dashboard()) for name in re.findall(r"hubsync_\w+", text)}
    assert named - exposed() == set()


def test_the_dashboard_shows_every_metric() -> None:
    named = {name for text in expressions(dashboard()) for name in re.findall(r"hubsync_\w+", text)}
    unseen = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exposed() if not name.endswith("_created")}
    assert unseen - {re.sub(r"_(bucket|count|sum)$", "", name) for name in named} == set()


def test_every_label_that_the_dashboard_asks_for_is_one_of_the_metric() -> None:
    labels = {
        f"{metric._name}{'_total' if metric._type == 'counter' else ''}": set(metric._labelnames)
        for metric in vars(Metrics()).values()
        if hasattr(metric, "_labelnames")
    }
    for text in expressions(dashboard()):
        for name, inside in re.findall(r"(hubsync_\w+?)(?:_bucket)?\{([^}]*)\}", text):
            assert set(re.findall(r"(\w+)[=!]", inside)) - {"instance"} <= labels[name], text
        for inside, name in re.findall(r"by \(([^)]*)\) \(\w+\((hubsync_\w+?)(?:_bucket)?\{", text):
            assert set(re.split(r",\s*", inside)) - {"le"} <= labels[name], text


def test_the_panels_of_the_dashboard_do_not_lie_on_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


# The app in HubSpot


def subscriptions() -> dict[str, list[dict[str, Any]]]:
    path = DEPLOY / "hubspot-app" / "src" / "app" / "webhooks" / "webhooks-hsmeta.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["config"]["settings"]["targetUrl"].endswith("/webhooks/hubspot")
    found: dict[str, list[dict[str, Any]]] = document["config"]["subscriptions"]
    return found


def event_of(subscription: dict[str, Any]) -> dict[str, Any]:
    """An event as HubSpot sends it for a subscription."""
    kinds = {"contact": "0-1", "deal": "0-3", "email": "0-49", "call": "0-48", "communication": "0-18"}
    event = {"portalId": 62515, "objectId": 4211, "occurredAt": 1, **subscription}
    if "objectType" in subscription:
        event["objectTypeId"] = kinds[event.pop("objectType")]
    if subscription["subscriptionType"].endswith(".merge"):
        event |= {"primaryObjectId": 4211, "mergedObjectIds": [4212], "newObjectId": 4211}
    if subscription["subscriptionType"].endswith(".associationChange"):
        event |= {"associationType": "CONTACT_TO_DEAL", "fromObjectId": 4211, "toObjectId": 77}
    return event


@pytest.mark.parametrize(
    "subscription",
    [one for block in subscriptions().values() for one in block],
    ids=lambda one: "-".join(map(str, one.values())),
)
def test_every_event_that_the_app_subscribes_to_is_of_use(subscription: dict[str, Any]) -> None:
    parsed = parse_events(json.dumps([event_of(subscription)]).encode(), Expected(62515))
    assert parsed.ignored == ()
    assert parsed.used == 1


def test_the_app_is_private_with_a_static_token_and_asks_for_the_scopes_that_check_looks_for() -> None:
    path = DEPLOY / "hubspot-app" / "src" / "app" / "app-hsmeta.json"
    app = json.loads(path.read_text(encoding="utf-8"))["config"]
    assert (app["distribution"], app["auth"]["type"]) == ("private", "static")
    assert {probe.scope for probe in PROBES} | {"crm.schemas.contacts.write"} == set(app["auth"]["requiredScopes"])
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert [scope for scope in app["auth"]["requiredScopes"] if f"`{scope}`" not in guide] == []


# The words


def test_the_guide_names_every_file_beside_it_and_only_settings_that_there_are() -> None:
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert [p.name for p in DEPLOY.iterdir() if p.name != "README.md" and p.name not in guide] == []
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {"HUBSYNC_DOMAIN", "HUBSYNC_UPSTREAM"}
    assert set(re.findall(r"HUBSYNC_[A-Z_]+", guide)) <= known | {"HUBSYNC_FOLDER"}
