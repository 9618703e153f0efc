"""From the SLI catalogue: recording rules, alerts, Alertmanager configuration and their tests."""
