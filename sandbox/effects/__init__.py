"""What the faults of `sandbox.faults` do: small functions from a value and a situation to another value."""
