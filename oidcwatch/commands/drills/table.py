"""`oidcwatch drill list` and `drill show`: what can be rehearsed."""

from __future__ import annotations

from typing import Annotated

import typer

from oidcwatch.commands.common import JsonOption, console, fail, print_json

NameArgument = Annotated[str, typer.Argument(metavar="SCENARIO", help="Name of a drill.")]


def list_drills(json: JsonOption = False) -> None:
    """List the drills: what happens in each, what the provider must be able to do, and what users would notice.

    \b
    Examples:
      oidcwatch drill list
      oidcwatch drill list --json | jq -r '.[] | select(.caution == "") | .name'
    """
    from drills.scenarios import SCENARIOS
    from oidcwatch.drill_table import facts, print_table

    if json:
        print_json([facts(scenario) for scenario in SCENARIOS.values()])
    else:
        print_table(SCENARIOS.values(), console())


def show(scenario: NameArgument, json: JsonOption = False) -> None:
    """Show one drill: its moves, what it measures, what ought to be noticed, and when it passes.

    \b
    Examples:
      oidcwatch drill show early-removal
      oidcwatch drill show incident-azure-2021 --json
    """
    from oidcwatch.drill_call import CallError, scenario_named
    from oidcwatch.drill_table import facts, print_scenario

    try:
        found = scenario_named(scenario)
    except CallError as error:
        fail(str(error))
    if json:
        print_json(facts(found))
    else:
        print_scenario(found, console())
