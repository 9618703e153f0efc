"""What the exporter makes of results, read from a registry of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporters import metrics as m
from exporters.metric_set import expose
from exporters.prometheus import PrometheusExporter
from probes.model import Check, Measurement, Quantity, Reason
from probes.oauth_errors import OUTCOMES
from probes.registry import PROBES

if TYPE_CHECKING:
    from tests.exporters.conftest import Make, SetClock

BASE = {"issuer": "acme", "target": "portal", "probe": "login", "region": "eu", "drill": "false"}
OPENMETRICS = "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5"


def value(registry: CollectorRegistry, row: m.Metric, suffix: str = "", **labels: str) -> float | None:
    return registry.get_sample_value(row.name + suffix, BASE | labels)


def series(registry: CollectorRegistry) -> set[tuple[str, ...]]:
    """Every series of the configured checks."""
    return {
        (sample.name, *sorted(f"{k}={v}" for k, v in sample.labels.items()))
        for family in registry.collect()
        for sample in family.samples
        if "issuer" in sample.labels
    }


def test_every_result_and_reason_is_zero_from_configuration_on(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check("login")])

    for region in ("eu", "us"):
        assert {value(registry, m.RUNS, result=r, region=region) for r in ("success", "failure", "excluded")} == {0}
        assert {value(registry, m.FAILURES, reason=r, region=region) for r in PROBES["login"].reasons} == {0}
        assert {value(registry, m.STEP_DURATION, "_count", step=s, region=region) for s in PROBES["login"].stages} == {
            0
        }
        grants = {
            value(registry, m.TOKEN_RESPONSES, grant="authorization_code", outcome=outcome, region=region)
            for outcome in OUTCOMES
        }
        assert grants == {0}


def test_only_the_series_of_a_kind_are_created(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check("discovery")])

    labels = {"target": "", "probe": "discovery"}
    assert value(registry, m.FAILURES, reason="discovery_invalid", **labels) == 0
    assert value(registry, m.FAILURES, reason="mfa_failed", **labels) is None
    assert value(registry, m.VALIDATIONS, result="success", **labels) is None
    assert value(registry, m.JWKS_LAST_FETCH, **labels) is None


def test_a_failed_run_is_counted_under_its_reason(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check()])

    exporter.publish(make.result(reason=Reason.SERVER_ERROR))

    assert value(registry, m.RUNS, result="failure") == 1
    assert value(registry, m.FAILURES, reason="server_error") == 1
    assert value(registry, m.SUCCESS) == 0
    assert value(registry, m.RUNS, result="failure", region="us") == 0


def test_a_successful_run_moves_both_timestamps_to_its_end(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make, clock: SetClock
) -> None:
    exporter.configure([make.check()])

    clock.forward(minutes=5)
    exporter.publish(make.result())

    assert value(registry, m.SUCCESS) == 1
    assert value(registry, m.LAST_RUN) == clock().timestamp()
    assert value(registry, m.LAST_SUCCESS) == clock().timestamp()
    assert value(registry, m.DURATION, "_sum") == 1.5


def test_before_the_first_run_ages_count_from_configuration_and_success_is_unknown(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make, clock: SetClock
) -> None:
    exporter.configure([make.check(interval=90)])

    assert value(registry, m.INTERVAL) == 90
    assert value(registry, m.LAST_RUN) == clock().timestamp()
    assert value(registry, m.LAST_SUCCESS) == clock().timestamp()
    assert value(registry, m.SUCCESS) is None
    assert value(registry, m.CLOCK_OFFSET) is None


def test_an_excluded_run_leaves_success_unknown_and_is_no_failure(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check()])
    exporter.publish(make.result())

    exporter.publish(make.result(reason=Reason.CREDENTIALS_REJECTED))

    assert value(registry, m.SUCCESS) is None
    assert value(registry, m.RUNS, result="excluded") == 1
    assert value(registry, m.RUNS, result="failure") == 0
    assert value(registry, m.FAILURES, reason="credentials_rejected") == 1


def test_the_first_try_is_counted_beside_the_final_result(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check()])

    exporter.publish(make.result(first=Reason.TIMEOUT))

    assert value(registry, m.RUNS, result="success") == 1
    assert value(registry, m.FIRST_TRIES, result="failure") == 1
    assert value(registry, m.FIRST_TRIES, result="success") == 0


def test_a_step_that_failed_is_no_evidence_of_speed(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check()])

    exporter.publish(make.result(reason=Reason.SERVER_ERROR))

    assert value(registry, m.STEP_DURATION, "_count", step="authorize") == 1
    assert value(registry, m.STEP_DURATION, "_count", step="token") == 0


def test_measurements_reach_their_metrics(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check()])

    exporter.publish(
        make.result(
            measurements=(
                Measurement(Quantity.CLOCK_OFFSET, -1.25),
                Measurement(Quantity.TLS_EXPIRY, 1.9e9, (("endpoint", "token"),)),
                Measurement(Quantity.TOKEN_LIFETIME, 300, (("token", "access_token"),)),
                Measurement(Quantity.TOKEN_RESPONSE, 1, (("grant", "authorization_code"), ("outcome", "ok"))),
                Measurement(Quantity.TOKEN_VALIDATION, 1, (("reason", ""), ("result", "success"))),
                Measurement(Quantity.TOKEN_VALIDATION, 1, (("reason", "kid_unknown"), ("result", "failure"))),
            )
        )
    )

    assert value(registry, m.CLOCK_OFFSET) == -1.25
    assert value(registry, m.TLS_EXPIRY, endpoint="token") == 1.9e9
    assert value(registry, m.TOKEN_LIFETIME, token="access_token") == 300
    assert value(registry, m.TOKEN_RESPONSES, grant="authorization_code", outcome="ok") == 1
    assert value(registry, m.VALIDATIONS, result="success") == 1
    assert value(registry, m.VALIDATIONS, result="failure") == 1
    assert value(registry, m.INVALIDS, reason="kid_unknown") == 1


def test_a_label_value_that_nobody_declared_makes_no_series(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    exporter.configure([make.check()])
    before = series(registry)
    hostile = Measurement(Quantity.TOKEN_RESPONSE, 1, (("grant", "authorization_code"), ("outcome", 'x"} 1\n')))

    exporter.publish(make.result(reason=Reason.SERVER_ERROR, measurements=(hostile,)))
    exporter.publish(make.result(reason=Reason.SERVER_ERROR, measurements=(hostile,)))

    assert {name for name, *_ in series(registry) - before} == {m.SUCCESS.name}
    assert len(caplog.records) == 1
    assert 'x"}' not in caplog.text


@pytest.mark.parametrize("value_", [float("nan"), float("inf"), 10**400])
def test_a_lifetime_that_is_no_number_is_not_exported(
    value_: float, exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check()])

    exporter.publish(
        make.result(measurements=(Measurement(Quantity.TOKEN_LIFETIME, value_, (("token", "id_token"),)),))
    )

    assert value(registry, m.TOKEN_LIFETIME, token="id_token") is None
    assert value(registry, m.RUNS, result="success") == 1


def test_a_check_that_leaves_the_configuration_leaves_no_series(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    stays, leaves = make.check("login"), make.check("login", client="wallet")
    exporter.configure([stays])
    alone = series(registry)
    exporter.configure([stays, leaves])
    exporter.publish(
        make.result(leaves, measurements=(Measurement(Quantity.TLS_EXPIRY, 1.9e9, (("endpoint", "token"),)),))
    )
    exporter.publish(make.result(leaves, reason=Reason.PROBE_ERROR))

    exporter.configure([stays])

    assert series(registry) == alone


def test_a_run_that_ends_after_its_check_has_left_is_dropped(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    check = make.check()
    exporter.configure([check])
    exporter.configure([])

    exporter.publish(make.result(check))

    assert series(registry) == set()


def test_a_reload_keeps_the_counts_of_checks_that_stay(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check(interval=60)])
    exporter.publish(make.result(reason=Reason.TIMEOUT))

    exporter.configure([make.check(interval=30), make.check("jwks")])

    assert value(registry, m.RUNS, result="failure") == 1
    assert value(registry, m.INTERVAL) == 30


def test_a_check_runs_only_in_its_own_regions(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    everywhere = make.check()
    exporter.configure([Check(everywhere.issuer, "login", everywhere.client, regions=("us",))])

    assert value(registry, m.INTERVAL) is None
    assert value(registry, m.INTERVAL, region="us") == 60


def test_an_unknown_kind_changes_nothing(exporter: PrometheusExporter, registry: CollectorRegistry, make: Make) -> None:
    exporter.configure([make.check()])
    before = series(registry)

    with pytest.raises(KeyError, match="telepathy"):
        exporter.configure([make.check("telepathy")])

    assert series(registry) == before


def test_exemplars_carry_the_run_id_in_openmetrics(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check()])
    result = make.result(reason=Reason.SERVER_ERROR)
    exporter.publish(result)

    body, content_type = expose(registry, OPENMETRICS)

    assert content_type.startswith("application/openmetrics-text")
    families = text_string_to_metric_families(body.decode())  # type: ignore[no-untyped-call] # the package has no types here
    samples = [sample for family in families for sample in family.samples if sample.exemplar]
    assert {sample.exemplar.labels["trace_id"] for sample in samples} == {result.run_id}
    assert {sample.name for sample in samples} == {
        *(m.RUNS.name, m.FIRST_TRIES.name, m.FAILURES.name, m.FAILED_STEPS.name),
        *(f"{m.DURATION.name}_bucket", f"{m.STEP_DURATION.name}_bucket"),
    }


def test_the_plain_text_format_has_no_exemplars(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check()])
    result = make.result()
    exporter.publish(result)

    body, content_type = expose(registry, "text/plain")

    assert content_type.startswith("text/plain; version=0.0.4")
    assert result.run_id.encode() not in body
    assert b"_created" not in body


def test_regions_are_exported_for_maps(exporter: PrometheusExporter, registry: CollectorRegistry) -> None:
    found = registry.get_sample_value(m.REGION_INFO.name, {"region": "eu", "geohash": "gcpv", "country": "IE"})

    assert found == 1


def test_scrapes_while_checks_come_and_go_see_whole_results(
    exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    checks = [make.check("login", client=f"client-{number}") for number in range(4)]
    seen: list[tuple[float, float]] = []
    done = threading.Event()

    def scrape() -> None:
        while not done.is_set():
            families = {family.name: family for family in registry.collect()}
            failed = sum(s.value for s in families["oidc_probe_runs"].samples if s.labels["result"] == "failure")
            by_reason = sum(s.value for s in families["oidc_probe_failures"].samples)
            seen.append((failed, by_reason))

    scraper = threading.Thread(target=scrape)
    scraper.start()
    for round_ in range(30):
        exporter.configure(checks[: 1 + round_ % 4])
        for check in checks:
            exporter.publish(make.result(check, reason=Reason.TIMEOUT))
    done.set()
    scraper.join()

    assert seen
    assert [pair for pair in seen if pair[0] != pair[1]] == []
