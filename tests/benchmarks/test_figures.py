"""The arithmetic behind the published figures."""

from __future__ import annotations

import pytest

from benchmarks.figures import (
    Block,
    Figure,
    Goal,
    Run,
    alternate,
    percentile,
    percentiles,
    ratio,
    round_ratios,
    spread,
    summary,
)


def blocks(*cpu: float, runs: int = 10) -> list[Block]:
    return [Block(runs, seconds, 2 * seconds) for seconds in cpu]


def recorder(name: str, log: list[str], cost: float) -> Run:
    def run(runs: int) -> Block:
        log.append(name)
        return Block(runs, cost * len(log), cost)

    return run


def test_sides_take_turns_and_the_first_round_is_not_counted() -> None:
    log: list[str] = []
    sides = {"ours": (recorder("ours", log, 1.0), 5), "theirs": (recorder("theirs", log, 1.0), 2)}

    made = alternate(sides, 2)

    assert log == ["ours", "theirs"] * 3
    assert made == {
        "ours": [Block(5, 3.0, 1.0), Block(5, 5.0, 1.0)],
        "theirs": [Block(2, 4.0, 1.0), Block(2, 6.0, 1.0)],
    }


def test_a_ratio_compares_medians_so_that_one_disturbed_block_does_not_decide() -> None:
    theirs, ours = blocks(40.0, 40.0, 90.0), blocks(4.0, 5.0, 4.0)

    assert ratio(theirs, ours) == pytest.approx(10.0)


def test_a_ratio_is_per_run_however_long_the_blocks_are() -> None:
    theirs, ours = blocks(5.0, runs=1), blocks(5.0, runs=10)

    assert ratio(theirs, ours) == pytest.approx(10.0)


def test_ratios_of_rounds_show_how_far_they_lie_apart() -> None:
    theirs, ours = blocks(20.0, 30.0, 80.0), blocks(10.0, 10.0, 20.0)

    assert round_ratios(theirs, ours) == {"median": 3.0, "lowest": 2.0, "highest": 4.0}


def test_a_summary_gives_seconds_a_run() -> None:
    found = summary(blocks(1.0, 2.0, 4.0))

    assert found == {
        "runs": 30,
        "cpu_seconds": {"median": 0.2, "lowest": 0.1, "highest": 0.4},
        "wall_seconds": {"median": 0.4, "lowest": 0.2, "highest": 0.8},
    }


def test_a_spread_keeps_four_significant_digits() -> None:
    assert spread([0.00123456]) == {"median": 0.001235, "lowest": 0.001235, "highest": 0.001235}


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1.0), (1, 1.0), (50, 50.0), (90, 90.0), (99, 99.0), (99.5, 100.0), (100, 100.0)]
)
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    values = [float(value) for value in range(100, 0, -1)]

    assert percentile(values, percent) == expected


def test_the_p99_of_few_values_is_the_worst_of_them() -> None:
    assert percentiles([0.2, 0.1, 0.3]) == {"p50": 0.2, "p90": 0.3, "p99": 0.3, "p100": 0.3}


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 99)


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Goal(8, at_least=True), 8.0, True),
        (Goal(8, at_least=True), 7.99, False),
        (Goal(1.5), 1.5, True),
        (Goal(1.5), 1.51, False),
    ],
)
def test_a_goal_is_met_on_its_limit_and_missed_beyond(goal: Goal, value: float, met: bool) -> None:
    assert goal.met(value) is met


def test_a_figure_is_written_with_its_goal_and_what_it_came_from() -> None:
    figure = Figure("login_cpu_ratio", 12.34567, Goal(8, at_least=True), {"ours": {"runs": 3}})

    assert figure.as_json() == {"value": 12.35, "goal": "at least 8", "met": True, "ours": {"runs": 3}}
