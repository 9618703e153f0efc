"""Draws an issuer's signature keys over time, a bar for each with the states it went through: as SVG and as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from types import MappingProxyType

from probes.ledger import Event, EventKind, KeyFacts, KeyState, Ledger, states_of


@dataclass(frozen=True, slots=True)
class Segment:
    """A time in which a key was in one state. Aware UTC."""

    state: KeyState
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Bar:
    """One key with its segments, which follow one another without gaps."""

    key: KeyFacts
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All keys of an issuer, the oldest first."""

    issuer: str
    start: datetime
    end: datetime
    bars: tuple[Bar, ...]


@dataclass(slots=True)
class _Life:
    """What a key's history has told so far."""

    key: KeyFacts
    held_in: set[str] = field(default_factory=set)
    """Regions whose key set has it."""
    published: bool = False
    signed: bool = False
    exposed: bool = False
    changes: list[tuple[datetime, KeyState]] = field(default_factory=list)


_ARRIVALS = frozenset({EventKind.FOUND, EventKind.PUBLISHED, EventKind.RETURNED})
_SIGNINGS = frozenset({EventKind.SIGNED, EventKind.SIGNED_AGAIN})


def timeline_of(issuer: str, events: Iterable[Event], ledger: Ledger, now: datetime) -> Timeline:
    """The keys as their history tells, and with which one the `ledger` has seen each algorithm's newest token signed.

    `events` are oldest first, and the last state of each key lasts until `now`.
    """
    lives: dict[str, _Life] = {}
    signer: dict[str, str] = {}
    start, history = now, tuple(events)
    for event in sorted((*history, *_untold(history, ledger)), key=lambda event: event.at):
        start = min(start, event.at)
        life = lives.setdefault(event.key.thumbprint, _Life(event.key))
        if event.key.alg:  # a key set need not name it (RFC 7517 §4.4); the first token does
            life.key = event.key
        _enter(life, event)
        if event.kind in _SIGNINGS:
            signer[life.key.alg] = event.key.thumbprint
        for thumbprint, each in lives.items():
            state = _state(each, signs=signer.get(each.key.alg) == thumbprint)
            if not each.changes or each.changes[-1][1] is not state:
                each.changes.append((event.at, state))
    return Timeline(issuer, start, now, tuple(Bar(life.key, tuple(_segments(life, now))) for life in lives.values()))


def _untold(history: Iterable[Event], ledger: Ledger) -> Iterator[Event]:
    """Returns to a key that were no event: of nodes that sign with keys in turn, one key may be the only one in the end.

    Such a key has been the only one from the other's last token on.
    """
    told = {event.key.alg: event.key.thumbprint for event in history if event.kind in _SIGNINGS}
    states = states_of(ledger)
    for thumbprint, record in ledger.keys.items():
        other = told.get(record.facts.alg, "")
        use = ledger.keys[other].use if other in ledger.keys else None
        if use is not None and states[thumbprint] is KeyState.ACTIVE is not states[other]:
            yield Event(use.last, EventKind.SIGNED_AGAIN, record.facts)


def _enter(life: _Life, event: Event) -> None:
    if event.kind in _ARRIVALS:
        life.held_in.add(event.region)
        life.published = True
    elif event.kind is EventKind.REMOVED:
        life.held_in.discard(event.region)
        life.published = True  # also where the history's beginning has been dropped
    elif event.kind in _SIGNINGS:
        life.signed = True
    else:
        life.exposed = True


def _state(life: _Life, *, signs: bool) -> KeyState:
    """As `probes.ledger.state_of` has it, at that moment of the history."""
    if life.exposed:
        return KeyState.COMPROMISED
    if life.published and not life.held_in:
        return KeyState.REMOVED
    if not life.signed:
        return KeyState.ANNOUNCED
    return KeyState.ACTIVE if signs else KeyState.RETIRING


def _segments(life: _Life, now: datetime) -> Iterator[Segment]:
    ends = [at for at, _ in life.changes[1:]] + [max(now, life.changes[-1][0])]
    for (at, state), end in zip(life.changes, ends, strict=True):
        if at < end:  # not what one observation changed twice
            yield Segment(state, at, end)


# --- plain text ---------------------------------------------------------------------------------------------------

_SIGNS: Mapping[KeyState, str] = MappingProxyType(
    {
        KeyState.ANNOUNCED: ".",
        KeyState.ACTIVE: "#",
        KeyState.RETIRING: "=",
        KeyState.REMOVED: " ",
        KeyState.COMPROMISED: "!",
    }
)
_NAME_WIDTH, _LEAST_COLUMNS = 24, 20


def text_of(timeline: Timeline, width: int = 100) -> str:
    """Lines of at most `width` characters: the time, a bar for each key, and what the signs mean."""
    columns = max(width - _NAME_WIDTH - 1, _LEAST_COLUMNS)
    form = _form(timeline.end - timeline.start)
    first, last = f"{timeline.start:{form}}", f"{timeline.end:{form}}"
    lines = [f"{'UTC':{_NAME_WIDTH}} {first}{last.rjust(columns - len(first))}"]
    for bar in timeline.bars:
        name = _name(bar.key)[:_NAME_WIDTH]
        row = "".join(_sign(bar.segments, timeline, place, columns) for place in range(columns))
        lines.append(f"{name:{_NAME_WIDTH}} {row}".rstrip())
    lines.append(", ".join(f"{sign} {state.value}" for state, sign in _SIGNS.items() if sign.strip()))
    return "\n".join(lines)


def _sign(segments: Sequence[Segment], timeline: Timeline, place: int, columns: int) -> str:
    """Of the last segment that has begun when the column ends; a blank before the first."""
    until = timeline.start + (timeline.end - timeline.start) * (place + 1) / columns
    begun = [segment for segment in segments if segment.start < until]
    return _SIGNS[begun[-1].state] if begun else " "


# --- SVG ----------------------------------------------------------------------------------------------------------

# Okabe and Ito's palette, told apart with any kind of colour vision; each segment also says its state in words.
_COLOURS: Mapping[KeyState, str] = MappingProxyType(
    {
        KeyState.ANNOUNCED: "#56B4E9",
        KeyState.ACTIVE: "#009E73",
        KeyState.RETIRING: "#E69F00",
        KeyState.REMOVED: "#BBBBBB",
        KeyState.COMPROMISED: "#D55E00",
    }
)
_WIDTH, _LEFT, _TOP, _ROW, _BAR, _THIN = 1000, 220, 62, 28, 16, 3
_RIGHT, _TICKS, _SHOWN = 20, 5, 28
_SPAN = _WIDTH - _LEFT - _RIGHT


def svg_of(timeline: Timeline) -> str:
    """A picture that needs no other file: no script, no link, no font. Names are the provider's, and are escaped."""
    height = _TOP + _ROW * max(len(timeline.bars), 1) + 34
    title = f"Signature keys of {timeline.issuer}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}" font-family="sans-serif" font-size="12">'
    )
    parts = (
        head,
        f'<rect width="{_WIDTH}" height="{height}" fill="#FFFFFF"/>',
        f'<text x="12" y="24" font-size="16" fill="#222222">{escape(title)}</text>',
        *_axis(timeline, height),
        *(line for row, bar in enumerate(timeline.bars) for line in _drawn(timeline, bar, row)),
        *_legend(height),
        "</svg>",
    )
    return "\n".join(parts) + "\n"


def _axis(timeline: Timeline, height: int) -> Iterator[str]:
    length = timeline.end - timeline.start
    for place in range(_TICKS):
        at = timeline.start + length * place / (_TICKS - 1)
        x = _x(timeline, at)
        anchor = "start" if not place else "end" if place == _TICKS - 1 else "middle"
        yield f'<line x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{height - 34}" stroke="#DDDDDD"/>'
        label = f"{at:{_form(length)}}"
        yield f'<text x="{x}" y="{_TOP - 14}" text-anchor="{anchor}" fill="#555555">{label}</text>'


def _drawn(timeline: Timeline, bar: Bar, row: int) -> Iterator[str]:
    middle = _TOP + _ROW * row + _ROW / 2
    name = _name(bar.key)
    short = name if len(name) <= _SHOWN else f"{name[: _SHOWN - 1]}…"
    yield f'<text x="12" y="{middle + 4:g}" fill="#222222">{escape(short)}<title>{escape(name)}</title></text>'
    for segment in bar.segments:
        x, end = _x(timeline, segment.start), _x(timeline, segment.end)
        height = _THIN if segment.state is KeyState.REMOVED else _BAR
        told = f"{name}: {segment.state.value} from {_moment(segment.start)} to {_moment(segment.end)}"
        yield (
            f'<rect x="{x}" y="{middle - height / 2:g}" width="{max(end - x, 1):g}" height="{height}" '
            f'fill="{_COLOURS[segment.state]}"><title>{escape(told)}</title></rect>'
        )


def _legend(height: int) -> Iterator[str]:
    for place, (state, colour) in enumerate(_COLOURS.items()):
        x = _LEFT + place * 140
        yield f'<rect x="{x}" y="{height - 24}" width="14" height="14" fill="{colour}"/>'
        yield f'<text x="{x + 20}" y="{height - 12}" fill="#222222">{state.value}</text>'


def _x(timeline: Timeline, at: datetime) -> float:
    length = (timeline.end - timeline.start) or timedelta(seconds=1)
    return round(_LEFT + _SPAN * ((at - timeline.start) / length), 1)


def _name(key: KeyFacts) -> str:
    """The kid and the algorithm; where there is no kid, the beginning of the thumbprint."""
    return " ".join(filter(None, (key.kid or key.thumbprint[:12], key.alg)))


def _form(length: timedelta) -> str:
    if length > timedelta(days=4):
        return "%Y-%m-%d"
    return "%m-%d %H:%M" if length > timedelta(hours=2) else "%H:%M:%S"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
