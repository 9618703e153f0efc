"""`python -m oidcwatch` is `oidcwatch`."""

from oidcwatch.cli import main

if __name__ == "__main__":
    main()
