"""The table of alerts in a report says the same as the summary of the drill."""

from __future__ import annotations

from dataclasses import replace

from drills.record import Alerts, Record
from drills.report.content import content
from drills.report.figures import figures


def test_each_alert_is_called_what_the_summary_calls_it(rich: Record) -> None:
    (running, unsafe) = rich.alerts.seen
    burn, strange = (replace(unsafe, name=name) for name in ("OidcJwksFetchBurnFast", "OidcRateLimited"))
    alerts = Alerts(
        looked=True,
        expected=("OidcDrillRunning", "OidcJwksInvalid", "OidcKeyRotationBroken"),
        fired=("OidcDrillRunning", "OidcJwksFetchBurnFast", "OidcRateLimited"),
        missing=("OidcJwksInvalid",),
        unexpected=("OidcRateLimited",),
        seen=(running, burn, strange),
        consequences=("OidcJwksFetchBurnFast",),
        not_judged=("OidcKeyRotationBroken",),
    )

    rows = content(replace(rich, alerts=alerts)).alerts

    assert {row.name: (row.state, row.well) for row in rows} == {
        "OidcDrillRunning": ("fired, as expected", True),
        "OidcJwksInvalid": ("expected, did not fire", False),
        "OidcKeyRotationBroken": ("fired before the first move, not judged", True),
        "OidcJwksFetchBurnFast": ("a consequence", True),
        "OidcRateLimited": ("fired, not expected", False),
    }


def test_no_time_to_page_is_claimed_where_the_page_was_there_before(rich: Record) -> None:
    alerts = Alerts(looked=True, expected=("OidcRotationUnsafe",), not_judged=("OidcRotationUnsafe",))

    shown = {each.name: each.value for each in figures(replace(rich, alerts=alerts, page_seconds=None))}

    assert shown["Time to page"] == "not judged"
