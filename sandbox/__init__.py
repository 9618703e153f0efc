"""An OpenID provider, resource servers and faults to try everything against; imports no sibling package."""
