"""What is measured: the result model, protocol checks, one file a probe, browser, HTTP, classification."""
