"""How a key set is delivered: caching, size, time, agreement of samples, place."""

from __future__ import annotations

from collections.abc import Iterator

from probes.cache_control import CacheControl, cache_control
from probes.checks.base import Problem
from probes.checks.jwks_answer import JwksAnswer
from probes.documents import problem_of_answer
from probes.metadata import host_allowed, host_of, scheme_of
from probes.model import Severity
from probes.subjects import Issuer

_SMALL, _FEW = 64 * 1024, 20
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def answer(subject: JwksAnswer) -> Iterator[Problem]:
    """200 with JSON: consumers follow no redirect (panva/jose) and read no HTML."""
    problem = problem_of_answer(subject.response)
    if problem:
        reason, message = problem
        yield Problem(message, reason)


def caching(subject: JwksAnswer) -> Iterator[str | Problem]:
    """Neither fetched for each token nor kept for longer than a new key is announced ahead."""
    control = cache_control(subject.response.headers)
    if control.no_store or control.no_cache or (control.max_age is not None and control.max_age < _MINUTE):
        yield _uncached(subject, control)
    elif control.max_age is None:
        yield Problem("no max-age: each verifier chooses how long it keeps the set", severity=Severity.INFO)
    yield from _kept_too_long(subject.issuer, control)


def _uncached(subject: JwksAnswer, control: CacheControl) -> Problem:
    """AWS STS and Hasura then fetch for each token: parallel pipelines fail."""
    said = subject.response.headers.get("cache-control", "")[:80]
    facts = subject.issuer.verifier_facts
    bound = ", ".join(row.name for row in facts if row.waits_for_max_age)
    if facts and not bound:
        return Problem(f"Cache-Control {said!r}: none of the named verifiers minds", severity=Severity.INFO)
    # Every Keycloak sends no-cache and every Auth0 max-age=15, without a setting for it: a ticket that nobody can close
    # hides the next one, so it is opened where a verifier is named that suffers. no-store was somebody's choice, as
    # GitLab's was when AWS STS failed for it.
    if not facts and not control.no_store:
        return Problem(f"Cache-Control {said!r}: no verifier is named that minds", severity=Severity.INFO)
    return Problem(f"Cache-Control {said!r} makes {bound or 'consumers'} fetch each time")


def _kept_too_long(issuer: Issuer, control: CacheControl) -> Iterator[Problem]:
    promised = issuer.policy.min_key_lead
    age = 0 if control.no_store or control.no_cache else control.max_age
    slow = {
        row.name: wait
        for row in issuer.verifier_facts
        if (wait := row.wait(age)) is not None and wait + row.early > _HOUR and wait > promised
    }
    if slow:
        text = f"max-age={age}" if age is not None else "no max-age"
        yield Problem(
            f"{text}: {', '.join(slow)} may refuse a new key for {max(slow.values()):.0f} s", severity=Severity.FAILURE
        )
    elif age is not None and promised and age > promised:
        yield Problem(f"max-age={age} is longer than the {promised:.0f} s for which a new key is published ahead")
    elif age is not None and age > _DAY:
        yield Problem(f"max-age={age}: a new key may be refused for over a day")


def agreement(subject: JwksAnswer) -> Iterator[str | Problem]:
    """Samples of one run agree, and what caches are told fits what they are given (RFC 9111 §4.2.3, RFC 9110 §8.8.3)."""
    headers = subject.response.headers
    distinct = len(set(subject.samples))
    if distinct > 1:
        yield f"{len(subject.samples)} samples gave {distinct} different key sets"
    age, limit = headers.get("age", ""), cache_control(headers).max_age
    if age.isascii() and age.isdigit() and len(age) < 12 and limit is not None and int(age) > limit:
        yield Problem(f"a cache serves a set of age {age} beyond max-age={limit}", severity=Severity.WARNING)
    changed = subject.previous is not None and subject.previous.thumbprints != subject.keys.thumbprints
    if changed and subject.previous_etag and headers.get("etag", "") == subject.previous_etag:
        yield Problem(
            "the set changed and its ETag did not: whoever revalidates keeps the old one", severity=Severity.WARNING
        )


def size(subject: JwksAnswer) -> Iterator[str]:
    """Small, and quicker than the verifiers of this issuer give up."""
    if subject.keys.total > _FEW:
        yield f"{subject.keys.total} keys; more than {_FEW} slow consumers down"
    if len(subject.response.body) > _SMALL:
        yield f"{len(subject.response.body)} bytes; some consumers stop at {_SMALL}"
    limits = {row.name: row.fetch_timeout for row in subject.issuer.verifier_facts if row.fetch_timeout is not None}
    late = [f"{name} ({limit:g} s)" for name, limit in limits.items() if subject.seconds > limit]
    if late:
        yield f"took {subject.seconds:.1f} s: {', '.join(late)} would have given up"
    elif not limits and subject.seconds > (deadline := subject.issuer.policy.max_response_seconds):
        yield f"took {subject.seconds:.1f} s, some consumers give up after {deadline:g} s"


def place(subject: JwksAnswer) -> Iterator[str | Problem]:
    """Over https, from a host that is the issuer's or that the configuration names."""
    url = subject.response.url
    if scheme_of(url) != "https":
        severity = Severity.WARNING if subject.issuer.policy.allow_http else Severity.FAILURE
        yield Problem("the key set is not fetched over https", severity=severity)
    if not host_allowed(subject.issuer, url):
        yield f"the key set is on {host_of(url)}, neither the issuer's host nor among allowed_hosts"
