"""Where results go: metric names, the SLI catalogue, Prometheus, pages."""
