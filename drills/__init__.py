"""Game days: verifier table, scenarios, prediction, orchestration, report."""
