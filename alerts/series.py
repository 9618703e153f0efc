"""Names of the recorded series, for rules, dashboards, runbooks and tests: `level:metric:operation`."""

from __future__ import annotations

from datetime import timedelta

from alerts.promql import duration

# Events: numerator and denominator stay apart until the last step, so that no ratio is ever averaged.
REGION_BAD = "issuer_target_region:oidc_sli_bad:increase"
REGION_TOTAL = "issuer_target_region:oidc_sli_total:increase"
BAD = "issuer_target:oidc_sli_bad:increase"
TOTAL = "issuer_target:oidc_sli_total:increase"
RATIO = "issuer_target:oidc_sli_error:ratio"
WILSON = "issuer_target:oidc_sli_error:wilson"
REGION_WILSON = "issuer_target_region:oidc_sli_error:wilson"
BAD_REGIONS = "issuer_target:oidc_sli_bad_regions:count"
# The same without the region that has the most bad events: what is left when one region's own trouble is taken away.
BAD_ELSEWHERE = "issuer_target:oidc_sli_bad_elsewhere:increase"
TOTAL_ELSEWHERE = "issuer_target:oidc_sli_total_elsewhere:increase"
WILSON_ELSEWHERE = "issuer_target:oidc_sli_error_elsewhere:wilson"

# Slices: a region's last result while it is fresh, the quorum over regions, and the share of bad slices.
REGION_OK = "issuer_target_region:oidc_sli_ok:bool"
REGIONS = "issuer_target:oidc_sli_regions:count"
REGIONS_FAILING = "issuer_target:oidc_sli_regions_failing:count"
SLICE_BAD = "issuer_target:oidc_sli_slice_bad:bool"
SLICE_BAD_AVG = "issuer_target:oidc_sli_slice_bad:avg"
SLICE_BAD_SUM = "issuer_target:oidc_sli_slice_bad:sum"
COVERAGE = "issuer_target:oidc_sli_coverage:ratio"

# The whole window of an objective, and the objective itself.
BUDGET_LEFT = "issuer_target:oidc_sli_budget_left:ratio"
OBJECTIVE = "slo:oidc_slo_objective:ratio"

# What each finding about a key rotation says, in words: texts of alerts join it.
ROTATION_RULE = "finding:oidc_rotation_rule:info"
SLO_BUDGET = "slo:oidc_slo_budget:ratio"
SLO_WINDOW = "slo:oidc_slo_window:seconds"

# Who is called.
ISSUER_OWNER = "issuer:oidc_owner:info"
CLIENT_OWNER = "issuer_target:oidc_owner:info"


def over(name: str, window: timedelta) -> str:
    """The series of one window: `issuer_target:oidc_sli_bad:increase1h`. Rehearsals keep the names of real windows."""
    return f"{name}{duration(window)}"
