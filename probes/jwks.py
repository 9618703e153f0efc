"""The key set: fetched past every cache, checked, compared with what was seen before and from other regions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from probes.cache_control import cache_control
from probes.checks import jwks, rotation
from probes.checks.base import has_failure, run_checks
from probes.checks.jwks import JwksAnswer
from probes.checks.rotation import Rotation
from probes.http import Http, Response
from probes.keys import KeySet, parse_keys
from probes.ledger import ExposureSeen, Ledger, SetSeen, signature_keys
from probes.ledger_measures import active_age, last_lead, last_overlap
from probes.memory import Memory, SeenKeys
from probes.metadata import Metadata, host_of, require_endpoint
from probes.model import Check, Finding, Quantity, Reason, Severity, Stage
from probes.probe import Clock, Steps, utc_now
from probes.provider import discover, record, sample_keys, seconds_of

_FURTHER_SAMPLES = 2  # taken when the set is not the one seen before: a change, or an edge that disagrees?
_METADATA_SECONDS = 300.0  # the place of the key set changes rarely, and the discovery probe looks at it all the time
_RECENT = 3.0  # intervals: a region that has not looked for so long (its proxy is down, it left) contradicts nobody
_PATIENCE = 600.0  # seconds that regions may disagree when the provider names no max-age


@dataclass(frozen=True, slots=True)
class JwksProbe:
    """Steps: discovery (unless the metadata is fresh), jwks. A replaced key fails one run, then the new set is known."""

    http: Http
    memory: Memory
    region: str
    clock: Clock = utc_now

    async def __call__(self, check: Check, steps: Steps) -> None:
        """See `probes.probe.Probe`."""
        place = (check.issuer.name, self.region)
        metadata = await self._metadata(check, place, steps)
        seen = self.memory.keys.get(place)
        with steps(Stage.JWKS) as note:
            response = record(
                steps, note, await self.http("GET", require_endpoint(metadata.jwks_uri, "jwks_uri")), "jwks"
            )
            now = self.clock()
            answer = JwksAnswer(check.issuer, response, KeySet(()), seconds_of(response), now)
            steps.judge(run_checks(jwks.ANSWER, answer))
            keys = parse_keys(response.body)
            samples = [keys.thumbprints]
            if seen is not None and seen.keys.thumbprints != keys.thumbprints:
                for _ in range(_FURTHER_SAMPLES):
                    samples.append((await sample_keys(self.http, metadata, steps, {})).thumbprints)
            findings = run_checks(
                jwks.KEYS,
                JwksAnswer(
                    issuer=check.issuer,
                    response=response,
                    keys=keys,
                    seconds=seconds_of(response),
                    now=now,
                    advertised=metadata.id_token_algs,
                    previous=seen.keys if seen else None,
                    samples=tuple(samples),
                    elsewhere=self.memory.keys_of_others(check.issuer.name),
                    neighbours=self.memory.issuers_at(host_of(response.url)),
                ),
            )
            exposed = signature_keys(key for key in keys.keys if key.private)
            if exposed:
                self.memory.observe(check.issuer, ExposureSeen(now, self.region, exposed))
            if len(set(samples)) == 1 and not has_failure(f for f in findings if f.check_id not in _OF_A_CHANGE):
                findings += self._remember(check, keys, response, now, steps)
                findings += self._enter(check, keys, response, now, steps)
            steps.judge(findings)

    async def _metadata(self, check: Check, place: tuple[str, str], steps: Steps) -> Metadata:
        metadata, fetched = self.memory.metadata.get(place, (None, None))
        if metadata is None or fetched is None or (self.clock() - fetched).total_seconds() > _METADATA_SECONDS:
            metadata = await discover(self.http, check, steps)
            self.memory.metadata[place] = (metadata, self.clock())
        return metadata

    def _remember(self, check: Check, keys: KeySet, response: Response, now: datetime, steps: Steps) -> list[Finding]:
        """Keeps a sound set as the known one, measures it, and compares it with other regions' (ROT-09)."""
        issuer = check.issuer.name
        place = (issuer, self.region)
        before = self.memory.keys.get(place)
        same = before is not None and before.keys.thumbprints == keys.thumbprints
        others = [
            seen
            for region, seen in self.memory.keys_of_regions(issuer).items()
            if region != self.region and (now - seen.fetched).total_seconds() <= _RECENT * check.interval
        ]
        apart = [seen for seen in others if seen.keys.thumbprints != keys.thumbprints]
        since = (before.disagreeing_since if before else None) or now
        self.memory.keys[place] = SeenKeys(
            keys=keys,
            fetched=now,
            changed=before.changed if before is not None and same else now,
            host=host_of(response.url),
            disagreeing_since=since if apart else None,
        )
        self._measure(issuer, keys, response, self.memory.keys[place], steps)
        steps.measure(Quantity.JWKS_AGREEMENT, 1 - len(apart) / (len(others) + 1))
        if not apart:
            return []
        patience = 2 * (cache_control(response.headers).max_age or _PATIENCE / 2)
        lasting = (now - since).total_seconds() > patience
        message = f"{len(apart)} of {len(others)} other regions see another key set"
        return [
            Finding(
                "ROT-09",
                Severity.FAILURE if lasting else Severity.WARNING,
                message,
                "OIDC Core §10.1.1",
                Reason.JWKS_INCONSISTENT,
            )
        ]

    def _enter(self, check: Check, keys: KeySet, response: Response, now: datetime, steps: Steps) -> list[Finding]:
        """Enters a sound set in the key ledger, and judges and measures rotations by it."""
        seen = SetSeen(now, self.region, signature_keys(keys.keys), check.interval)
        ledger = self.memory.observe(check.issuer, seen)
        _measure_rotation(ledger, now, steps)
        max_age = cache_control(response.headers).max_age
        return run_checks(rotation.ROTATION, Rotation(check.issuer, ledger, self.region, now, max_age))

    def _measure(self, issuer: str, keys: KeySet, response: Response, seen: SeenKeys, steps: Steps) -> None:
        active = self.memory.signing_kids.get(issuer)
        signing = [key for key in keys.keys if key.signs and key.public is not None]
        used = sum(1 for key in signing if active is not None and key.kid == active)
        steps.measure(Quantity.JWKS_KEYS, used, state="active")
        steps.measure(Quantity.JWKS_KEYS, len(signing) - used, state="standby")
        steps.measure(Quantity.JWKS_KEYS, len(keys.keys) - len(signing), state="other")
        steps.measure(Quantity.JWKS_FETCHED, seen.fetched.timestamp())
        steps.measure(Quantity.JWKS_CHANGED, seen.changed.timestamp())
        max_age = cache_control(response.headers).max_age
        if max_age is not None:
            steps.measure(Quantity.JWKS_MAX_AGE, max_age)


def _measure_rotation(ledger: Ledger, now: datetime, steps: Steps) -> None:
    measured = {
        Quantity.JWKS_LEAD: last_lead(ledger),
        Quantity.JWKS_OVERLAP: last_overlap(ledger),
        Quantity.JWKS_KEY_AGE: active_age(ledger, now),
    }
    for quantity, value in measured.items():
        if value is not None:
            steps.measure(quantity, value)


_OF_A_CHANGE = frozenset({"ROT-02", "ROT-07", "ROT-08"})
"""Findings about the change or the delivery: the set itself is sound and becomes the known one."""
