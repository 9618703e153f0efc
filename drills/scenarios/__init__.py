"""The table of drills, by name: a new one is a row in one of this package's modules."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drills.scenario import Scenario
from drills.scenarios.incidents import INCIDENTS
from drills.scenarios.key_set import KEY_SET
from drills.scenarios.provider import PROVIDER
from drills.scenarios.rotation import ROTATIONS

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {scenario.name: scenario for scenario in (*ROTATIONS, *KEY_SET, *PROVIDER, *INCIDENTS)}
)
"""In the order in which people read them: rotations first, replays of real incidents last."""
