"""The rule file of one small deployment, as people read it: a change of it is a change that they must look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from alerts.deployment import Deployment, Slo
from alerts.rules_file import rules_yaml
from exporters.slis import BY_NAME

GOLDEN = Path(__file__).parent / "golden" / "oidcwatch.rules.yml"


def test_the_rule_file_is_the_one_that_was_looked_at(make: Callable[..., Deployment]) -> None:
    """After a wanted change: OIDCWATCH_WRITE_GOLDEN=1 pytest tests/alerts/rules, and review the difference."""
    text = rules_yaml(
        make("discovery", slos=(Slo("availability", BY_NAME["idp-availability"], Decimal("99.9"), timedelta(days=30)),))
    )
    if os.environ.get("OIDCWATCH_WRITE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")

    assert text == GOLDEN.read_text(encoding="utf-8")
