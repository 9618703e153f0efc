"""Names of series are found in PromQL, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from alerts.metric_names import metric_names


@pytest.mark.parametrize(
    ("promql", "names"),
    [
        ("up", {"up"}),
        ('rate(oidc_probe_runs_total{result="failure",reason=~"a|b"}[5m])', {"oidc_probe_runs_total"}),
        ("a:b:c / on (issuer) group_left (owner) d:e:f", {"a:b:c", "d:e:f"}),
        ("sum by (issuer, region) (increase(x_total[30d:5m] offset 1h)) > 0.5e3", {"x_total"}),
        ('label_replace(x, "to", "$1", "from", "(sum_of) things")', {"x"}),
        ("x{a='{b}'} and y unless z or w", {"x", "y", "z", "w"}),
        ("rate(x[$__rate_interval]) > bool 3 * ${threshold:raw}", {"x"}),
        ("histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))", {"x_bucket"}),
        ("time() - 5m_is_no_name", set()),
        ("vector(1) ^ inf", set()),
    ],
)
def test_the_names_of_series_are_found(promql: str, names: set[str]) -> None:
    assert metric_names(promql) == names
