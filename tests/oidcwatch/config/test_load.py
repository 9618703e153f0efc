"""What a valid configuration becomes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import certifi
import pytest

from exporters.slis import BY_NAME
from oidcwatch.config import ConfigError, load
from probes.subjects import AuthMethod, LoginStep, SecretRef

Write = Callable[..., Path]

ISSUER = "issuers:\n  - name: acme\n    url: https://login.acme.example\n"
CLIENT = ISSUER + (
    "    clients:\n"
    "      - name: portal\n"
    "        client_id: portal\n"
    "        auth: {method: none}\n"
    "        redirect_uri: https://portal.acme.example/callback\n"
    "        user: {username: ann, password: {file: pw}}\n"
)


def _problems(path: Path, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_the_short_form_of_a_probe_takes_the_defaults_of_its_kind(write: Write) -> None:
    path = write(CLIENT + "        probes: [login, refresh]\n    probes: [discovery]\n")

    settings = load(path, {})

    assert [(check.name, check.interval, check.timeout) for check in settings.checks] == [
        ("acme//discovery", 30, 10),
        ("acme/portal/login", 60, 30),
        ("acme/portal/refresh", 300, 30),
    ]


def test_a_default_timeout_is_never_longer_than_the_interval(write: Write) -> None:
    path = write(CLIENT + "        probes: [{type: login, every: 12s}]\n")

    (check,) = load(path, {}).checks

    assert (check.interval, check.timeout) == (12, 12)


def test_a_check_carries_its_issuer_and_client(write: Write) -> None:
    path = write(CLIENT + "        probes: [{type: login, confirm: true}]\n")

    settings = load(path, {})

    (check,) = settings.checks
    assert check.issuer is settings.issuers[0]
    assert check.client is settings.issuers[0].clients[0]
    assert check.confirm
    assert check.client.auth_method is AuthMethod.NONE


def test_keys_are_shared_both_ways_whichever_of_the_two_issuers_says_so(write: Write) -> None:
    path = write(
        ISSUER + "    shares_keys_with: [acme-auth0]\n"
        "  - {name: acme-auth0, url: https://acme.auth0.example}\n  - {name: staging, url: https://staging.example}\n"
    )

    settings = load(path, {})

    assert {issuer.name: set(issuer.shares_keys_with) for issuer in settings.issuers} == {
        "acme": {"acme-auth0"},
        "acme-auth0": {"acme"},
        "staging": set(),
    }


def test_secrets_stay_references_and_relative_paths_start_at_the_file(write: Write) -> None:
    path = write(CLIENT + "agent: {data_dir: data}\n")

    settings = load(path, {})

    user = settings.issuers[0].clients[0].user
    assert user is not None
    assert user.password == SecretRef("file", str(path.parent / "pw"))
    assert settings.agent.data_dir == path.parent / "data"


def test_objectives_keep_the_digits_that_were_written(write: Write) -> None:
    path = write("slos: [{sli: login-success, objective: 99.95, window: 7d}]\n" + ISSUER)

    slos = {slo.name: slo for slo in load(path, {}).slos}

    assert (slos["login-success"].objective, slos["login-success"].window) == (Decimal("99.95"), timedelta(days=7))


def test_slis_that_are_not_named_keep_their_objective(write: Write) -> None:
    path = write("slos: [{sli: login-success, name: gold, objective: 99, issuers: [acme]}]\n" + ISSUER)

    slos = {slo.name: slo for slo in load(path, {}).slos}

    assert slos["gold"].issuers == ("acme",)
    assert slos.keys() == BY_NAME.keys() | {"gold"}


def test_norway_is_a_country_and_not_a_boolean(write: Write) -> None:
    path = write("region: {name: oslo, country: NO}\n" + ISSUER)

    settings = load(path, {})

    assert settings.regions[0].country == "NO"


def test_the_own_region_comes_first_and_egress_regions_have_their_proxy(write: Write) -> None:
    path = write(
        "region: {name: eu}\negress: [{region: us, proxy: 'socks5://127.0.0.1:1080', geohash: dqcj}]\n" + ISSUER
    )

    regions = load(path, {}).regions

    assert [(region.name, region.proxy, region.geohash) for region in regions] == [
        ("eu", None, ""),
        ("us", "socks5://127.0.0.1:1080", "dqcj"),
    ]


def test_the_environment_says_which_of_the_shared_files_regions_this_agent_is(write: Write) -> None:
    path = write(
        "region: {name: eu, geohash: gcpv}\nother_regions: [{name: us, geohash: dqcj, country: US}]\n"
        + ISSUER
        + "    probes: [{type: jwks, regions: [eu]}, {type: discovery, regions: [us, eu]}]\n"
    )

    settings = load(path, {"OIDCWATCH_REGION": "us"})

    assert [(region.name, region.geohash) for region in settings.regions] == [("us", "dqcj")]
    assert [(check.probe, check.regions) for check in settings.checks] == [("discovery", ("us",))]


def test_a_region_that_only_the_environment_names_has_no_place_on_the_map(write: Write) -> None:
    path = write("region: {name: eu, geohash: gcpv, country: IE}\n" + ISSUER)

    (region,) = load(path, {"OIDCWATCH_REGION": "lab"}).regions

    assert (region.name, region.geohash, region.country) == ("lab", "", "")


def test_a_bad_region_in_the_environment_is_a_problem_of_the_environment(write: Write) -> None:
    path = write(ISSUER)

    problems = _problems(path, {"OIDCWATCH_REGION": "EU West"})

    (problem,) = problems
    assert problem.startswith("environment variable OIDCWATCH_REGION: must be lower-case letters, digits and hyphens")
    assert problem.endswith("found 'EU West'")


def test_explicit_login_steps_keep_their_order(write: Write) -> None:
    path = write(
        CLIENT + "        login: {steps: [{fill: '#u', value: '{username}'}, {wait_for: '#p'}, {click: '#go'}]}\n"
    )

    client = load(path, {}).issuers[0].clients[0]

    assert client.login.steps == (
        LoginStep("fill", "#u", "{username}"),
        LoginStep("wait_for", "#p"),
        LoginStep("click", "#go"),
    )


def test_authorities_may_be_named_by_a_path_or_by_a_variable(write: Write, tmp_path: Path) -> None:
    shutil.copy(certifi.where(), tmp_path / "ca.pem")
    by_path = write(ISSUER + "    tls: {ca_file: ca.pem}\n")
    found_by_path = load(by_path, {}).issuers[0].ca_file

    by_variable = write(ISSUER + "    tls: {ca_file: {env: ACME_CA}}\n")
    found_by_variable = load(by_variable, {"ACME_CA": str(tmp_path / "ca.pem")}).issuers[0].ca_file

    assert found_by_path == found_by_variable == tmp_path / "ca.pem"


def test_authorities_without_a_certificate_are_a_mistake_of_the_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")

    (problem,) = _problems(write(ISSUER + "    tls: {ca_file: ca.pem}\n"))

    assert "issuers[0].tls.ca_file: " in problem
    assert "holds no certificates in PEM form" in problem


def test_files_of_conf_d_add_issuers_and_sections_in_the_order_of_their_names(write: Write) -> None:
    path = write(
        ISSUER,
        b="issuers: [{name: beta, url: 'https://beta.example', probes: [jwks]}]\nlog: {format: json}\n",
        a="issuers: [{name: alpha, url: 'https://alpha.example'}]\nlog: {level: debug}\n",
    )

    settings = load(path, {})

    assert [issuer.name for issuer in settings.issuers] == ["acme", "alpha", "beta"]
    assert [file.name for file in settings.files] == ["oidcwatch.yaml", "a.yaml", "b.yaml"]
    assert (settings.log.level, settings.log.json) == ("debug", True)


def test_a_value_set_in_two_files_names_both_places(write: Write) -> None:
    path = write(ISSUER + "log: {level: info}\n", more="log:\n  level: debug\n")

    problems = _problems(path)

    assert problems == [
        "conf.d/more.yaml:2:3: log.level: is already set at oidcwatch.yaml:4:7; set it in one file only"
    ]


def test_a_mistake_in_conf_d_has_the_path_of_its_own_file(write: Write) -> None:
    path = write(ISSUER, more="issuers:\n  - name: acme\n    url: https://login.acme.example\n    color: red\n")

    problems = _problems(path)

    assert (
        problems[0]
        == "conf.d/more.yaml:2:5: issuers[0].name: the issuer name 'acme' is already used at oidcwatch.yaml:2:5"
    )
    assert problems[1].startswith(
        "conf.d/more.yaml:4:5: issuers[0].color: unknown key 'color'; allowed here: allowed_hosts"
    )


def test_every_unreadable_file_is_named(write: Write) -> None:
    path = write("issuers: [\n", more="a: b: c\n")

    problems = _problems(path)

    assert [problem.split(":")[0] for problem in problems] == ["oidcwatch.yaml", "conf.d/more.yaml"]


def test_an_absent_file_is_a_problem_and_not_a_traceback(tmp_path: Path) -> None:
    problems = _problems(tmp_path / "absent.yaml")

    assert problems == ["absent.yaml: cannot be read: No such file or directory"]


def test_a_file_beyond_the_size_limit_is_not_parsed(write: Write) -> None:
    path = write(ISSUER + "#" * 1024 * 1024)

    problems = _problems(path)

    assert problems == ["oidcwatch.yaml: is larger than 1048576 bytes; split it into conf.d/*.yaml"]


def test_a_file_in_another_encoding_names_the_line(write: Write) -> None:
    path = write(ISSUER)
    path.write_bytes(ISSUER.encode() + "    owner: Zoë\n".encode("latin-1"))

    problems = _problems(path)

    assert problems == ["oidcwatch.yaml:4:1: is not UTF-8"]


def test_anchors_may_be_reused_within_the_limit(write: Write) -> None:
    path = write(
        ISSUER + "    probes: &all [discovery, jwks]\n  - {name: beta, url: 'https://beta.example', probes: *all}\n"
    )

    settings = load(path, {})

    assert len(settings.checks) == 4
