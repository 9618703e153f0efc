"""From the SLI catalogue: Grafana dashboards."""
