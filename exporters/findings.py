"""What runs of the key set probe say about each check of a rotation, as levels: sound, info, warning, failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from probes.checks import jwks, rotation
from probes.checks.base import ProtocolCheck
from probes.model import ProbeResult, Quantity, Severity

LEVELS: Mapping[Severity, int] = MappingProxyType({Severity.INFO: 1, Severity.WARNING: 2, Severity.FAILURE: 3})
"""Of a finding; 0 is none."""

PROBE = "jwks"
"""The kind of probe whose findings these are."""


def _ids(checks: Iterable[ProtocolCheck[Any]]) -> frozenset[str]:
    return frozenset(check.id for check in checks)


_ANSWER, _SET = _ids(jwks.ANSWER), _ids(jwks.KEYS)
_ALL: tuple[ProtocolCheck[Any], ...] = (*jwks.ANSWER, *jwks.KEYS, *rotation.ROTATION)
ROTATION_CHECKS: Mapping[str, ProtocolCheck[Any]] = MappingProxyType(
    {check.id: check for check in sorted(_ALL, key=lambda check: check.id) if check.id.startswith("ROT-")}
)
"""By id, in their order."""

TOLD_ONCE = frozenset({"ROT-02", "ROT-07", "ROT-18"})
"""Those that (also) tell of a change: one run does, and the next one takes the new state for the known one."""


def levels_of(result: ProbeResult) -> Mapping[str, int]:
    """The level of each check that this run could judge, by id; empty for a run that got no key set.

    The probe judges the answer, then the set, and only a sound set enters the ledger, whose checks come last: a finding
    says that what comes before it was looked at, and a set that was accepted (it has a time of fetching) that all was.
    """
    told = [finding for finding in result.findings if finding.check_id in _ANSWER | _SET | ROTATION_CHECKS.keys()]
    if any(measured.quantity is Quantity.JWKS_FETCHED for measured in result.measurements):
        judged = frozenset(ROTATION_CHECKS)
    elif any(finding.check_id in _SET for finding in told):
        judged = _ANSWER | _SET
    else:
        judged = frozenset()
    levels = dict.fromkeys(sorted(judged & ROTATION_CHECKS.keys()), 0)
    for finding in told:
        if finding.check_id in ROTATION_CHECKS:
            levels[finding.check_id] = max(levels.get(finding.check_id, 0), LEVELS[finding.severity])
    return levels
