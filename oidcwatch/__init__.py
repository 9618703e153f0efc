"""The program: command line, configuration, agent; the composition root that nobody imports."""

__version__ = "0.1.0"
