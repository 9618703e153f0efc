"""The key set: fetched past every cache, checked, compared with what was seen before and from other places."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from probes.cache_control import cache_control
from probes.certificate import Identity, identity_of
from probes.checks import jwks
from probes.checks.agreement import Views, agreement_of
from probes.checks.base import is_fatal, run_checks
from probes.checks.jwks_answer import JwksAnswer
from probes.checks.rotation import Rotation, rotation_of
from probes.edges import EdgeSample, ask_each_address
from probes.http import Http, Response
from probes.keys import KeySet, parse_keys
from probes.ledger import ExposureSeen, Ledger, SetSeen, signature_keys
from probes.ledger_measures import active_age, last_lead, last_overlap
from probes.memory import Memory, SeenKeys
from probes.metadata import Metadata, host_of, require_endpoint
from probes.model import Check, Finding, Quantity, Stage
from probes.probe import Clock, Steps, utc_now
from probes.provider import discover, record, sample_keys, seconds_of

_FURTHER_SAMPLES = 2  # taken when the set is not the one seen before: a change, or an edge that disagrees?
_METADATA_SECONDS = 300.0  # the place of the key set changes rarely, and the discovery probe looks at it all the time
_EDGES_SECONDS = 300.0  # between two rounds of all addresses, while they agree and nothing changes
_RECENT = 3.0  # intervals: a region that has not looked for so long (its proxy is down, it left) contradicts nobody
_PATIENCE = 600.0  # seconds that places may disagree when the provider names no max-age
_LONGEST_ETAG = 200  # remembered; servers choose how long theirs are
_CERTIFICATES_KEPT = 8  # edges may show different ones in turn


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
            url = require_endpoint(metadata.jwks_uri, "jwks_uri")
            response = record(steps, note, await self.http("GET", url), "jwks")
            answer = JwksAnswer(check.issuer, response, KeySet(()), seconds_of(response), self.clock())
            steps.judge(run_checks(jwks.ANSWER, answer))
            keys = parse_keys(response.body)
            changed = seen is not None and seen.keys.thumbprints != keys.thumbprints
            samples = [keys.thumbprints]
            for _ in range(_FURTHER_SAMPLES if changed else 0):
                samples.append((await sample_keys(self.http, metadata, steps, {})).thumbprints)
            edges = await self._edges(place, url, changed)
            answer = self._answer(check, answer, keys, tuple(samples), metadata)
            findings = run_checks(jwks.KEYS, answer)
            self._note_certificate(place, response)
            exposed = signature_keys(key for key in keys.keys if key.private)
            if exposed:
                self.memory.observe(check.issuer, ExposureSeen(answer.now, self.region, exposed))
            if len(set(samples)) == 1 and not is_fatal(f for f in findings if f.check_id not in _OF_A_CHANGE):
                findings += self._remember(check, answer, edges, steps)
                findings += self._enter(check, answer, edges, steps)
            steps.judge(findings)

    async def _metadata(self, check: Check, place: tuple[str, str], steps: Steps) -> Metadata:
        metadata, fetched = self.memory.metadata.get(place, (None, None))
        if metadata is None or fetched is None or (self.clock() - fetched).total_seconds() > _METADATA_SECONDS:
            metadata = await discover(self.http, check, steps)
            self.memory.metadata[place] = (metadata, self.clock())
        return metadata

    async def _edges(self, place: tuple[str, str], url: str, changed: bool) -> tuple[EdgeSample, ...]:
        """Asks every address now and then, and at once when something is going on."""
        now, asked, seen = self.clock(), self.memory.addresses_asked.get(place), self.memory.keys.get(place)
        calm = not changed and (seen is None or seen.disagreeing_since is None)
        if calm and asked is not None and (now - asked).total_seconds() < _EDGES_SECONDS:
            return ()
        self.memory.addresses_asked[place] = now
        return await ask_each_address(self.http, url)

    def _answer(
        self, check: Check, answer: JwksAnswer, keys: KeySet, samples: tuple[frozenset[str], ...], metadata: Metadata
    ) -> JwksAnswer:
        """The answer with all that is known of other times and places."""
        issuer, seen = check.issuer, self.memory.keys.get((check.issuer.name, self.region))
        if seen is not None and seen.drill and not self.memory.under_drill(issuer):
            seen = None  # what changed since then, the drill may have changed
            known = Ledger()
        else:
            known = self.memory.ledger_of(issuer)
        return JwksAnswer(
            issuer=issuer,
            region=self.region,
            response=answer.response,
            keys=keys,
            seconds=answer.seconds,
            now=answer.now,
            advertised=metadata.id_token_algs,
            previous=seen.keys if seen else None,
            previous_etag=seen.etag if seen else "",
            known=known,
            samples=samples,
            elsewhere=self.memory.keys_of_others(issuer.name),
            moduli_elsewhere=self.memory.moduli_of_others(issuer.name),
            neighbours=self.memory.issuers_at(host_of(answer.response.url)),
            certificates=self.memory.certificates.get((issuer.name, self.region), ()),
        )

    def _note_certificate(self, place: tuple[str, str], response: Response) -> None:
        shown = identity_of(response.phases.certificate) if response.phases.certificate else None
        known: tuple[Identity, ...] = self.memory.certificates.get(place, ())
        if shown is not None and shown not in known:
            self.memory.certificates[place] = (*known, shown)[-_CERTIFICATES_KEPT:]

    def _remember(self, check: Check, answer: JwksAnswer, edges: tuple[EdgeSample, ...], steps: Steps) -> list[Finding]:
        """Keeps a sound set as the known one, measures it, and compares it with that of other places (ROT-09)."""
        issuer, now, keys = check.issuer.name, answer.now, answer.keys
        place, drill = (issuer, self.region), self.memory.under_drill(check.issuer)
        before = self.memory.keys.get(place)
        same = before is not None and before.keys.thumbprints == keys.thumbprints
        others = {
            region: seen.keys.thumbprints
            for region, seen in self.memory.keys_of_regions(issuer).items()
            if region != self.region
            and (now - seen.fetched).total_seconds() <= _RECENT * check.interval
            and (drill or not seen.drill)
        }
        since = now
        if before is not None and before.disagreeing_since is not None and (drill or not before.drill):
            since = before.disagreeing_since
        patience = 2 * (cache_control(answer.response.headers).max_age or _PATIENCE / 2)
        etag = answer.response.headers.get("etag", "")
        views = Views(keys.thumbprints, others, edges, lasting=(now - since).total_seconds() > patience)
        self.memory.keys[place] = SeenKeys(
            keys=keys,
            fetched=now,
            changed=before.changed if before is not None and same else now,
            host=host_of(answer.response.url),
            disagreeing_since=since if views.apart or views.edges_apart else None,
            etag=etag if len(etag) <= _LONGEST_ETAG else "",
            drill=drill,
        )
        self._measure(issuer, answer, self.memory.keys[place], steps)
        steps.measure(Quantity.JWKS_AGREEMENT, views.agreement)
        return agreement_of(views)

    def _enter(self, check: Check, answer: JwksAnswer, edges: tuple[EdgeSample, ...], steps: Steps) -> list[Finding]:
        """Enters a sound set in the key ledger, and judges and measures rotations by it."""
        addresses = {edge.address: edge.thumbprints for edge in edges if not edge.problem}
        if remote := answer.response.phases.remote:
            addresses[remote] = answer.keys.thumbprints
        keys = signature_keys(answer.keys.keys)
        seen = SetSeen(answer.now, self.region, keys, check.interval, addresses=addresses)
        ledger, drill = self.memory.observe(check.issuer, seen), self.memory.under_drill(check.issuer)
        _measure_rotation(ledger, answer.now, steps, drill)
        max_age = cache_control(answer.response.headers).max_age
        return rotation_of(Rotation(check.issuer, ledger, self.region, answer.now, max_age, drill=drill))

    def _measure(self, issuer: str, answer: JwksAnswer, seen: SeenKeys, steps: Steps) -> None:
        active, keys = self.memory.signing_kids.get(issuer), answer.keys
        signing = [key for key in keys.keys if key.signs and key.public is not None]
        used = sum(1 for key in signing if active is not None and key.kid == active)
        steps.measure(Quantity.JWKS_KEYS, used, state="active")
        steps.measure(Quantity.JWKS_KEYS, len(signing) - used, state="standby")
        steps.measure(Quantity.JWKS_KEYS, len(keys.keys) - len(signing), state="other")
        steps.measure(Quantity.JWKS_FETCHED, seen.fetched.timestamp())
        steps.measure(Quantity.JWKS_CHANGED, seen.changed.timestamp())
        max_age = cache_control(answer.response.headers).max_age
        if max_age is not None:
            steps.measure(Quantity.JWKS_MAX_AGE, max_age)


def _measure_rotation(ledger: Ledger, now: datetime, steps: Steps, drill: bool) -> None:
    measured = {
        Quantity.JWKS_LEAD: last_lead(ledger, drill=drill),
        Quantity.JWKS_OVERLAP: last_overlap(ledger, drill=drill),
        Quantity.JWKS_KEY_AGE: active_age(ledger, now),
    }
    for quantity, value in measured.items():
        if value is not None:
            steps.measure(quantity, value)


_OF_A_CHANGE = frozenset({"ROT-02", "ROT-07"})
"""Findings about the change: the set itself is sound and becomes the known one."""
