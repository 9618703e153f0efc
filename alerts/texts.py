"""Pieces of alert texts that Prometheus fills in when an alert fires: current values, k of n."""

from __future__ import annotations

from collections.abc import Iterable

from exporters import metrics as m


def value_of(
    series: str, labels: Iterable[str] = (m.ISSUER, m.TARGET, m.DRILL), form: str = "%.0f", **more: str
) -> str:
    """The value of a recorded series for the alert's own labels; `?` where there is none."""
    names = tuple(labels)
    # printf fills in the labels; their values are names (letters, digits, hyphens) or `*`, so no quoting can go wrong.
    matchers = [f"{name}='%s'" for name in names] + [f"{name}='{value}'" for name, value in more.items()]
    filled = " ".join(f"$labels.{name}" for name in names)
    query = f'printf "{series}{{{",".join(matchers)}}}" {filled} | query'
    return f'{{{{ with {query} }}}}{{{{ . | first | value | printf "{form}" }}}}{{{{ else }}}}?{{{{ end }}}}'


AT_TARGET = "{{ $labels.target }} at {{ $labels.issuer }}"
AT_ISSUER = "{{ $labels.issuer }}"


def most_common(label: str, selector: str, labels: Iterable[str], window: str) -> str:
    """The value of `label` that most of the increase of a counter has, among series with the alert's own labels.

    `selector` is the counter's name with matchers, without the closing brace.
    """
    names = tuple(labels)
    own = ",".join(f"{name}='%s'" for name in names)
    filled = " ".join(f"$labels.{name}" for name in names)
    series = f"topk(1, sum by ({label}) (increase({selector}{own}}}[{window}])) > 0)"
    return f'{{{{ with printf "{series}" {filled} | query }}}}{{{{ . | first | label "{label}" }}}}{{{{ end }}}}'
