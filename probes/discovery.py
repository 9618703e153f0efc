"""The discovery document: fetched, checked, compared with the one accepted before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from probes.checks import discovery
from probes.checks.base import has_failure, run_checks
from probes.documents import JsonObject
from probes.http import Http
from probes.memory import Memory
from probes.metadata import Metadata
from probes.model import Check, Reason, Stage
from probes.probe import Clock, Steps, utc_now
from probes.provider import fetch_document, oauth_metadata

_COMPARE_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DiscoveryProbe:
    """Step: discovery. A change of endpoints fails one run; what was found is then the accepted document."""

    http: Http
    memory: Memory
    region: str
    clock: Clock = utc_now

    async def __call__(self, check: Check, steps: Steps) -> None:
        """See `probes.probe.Probe`."""
        place = (check.issuer.name, self.region)
        with steps(Stage.DISCOVERY) as note:
            answer = await fetch_document(self.http, check, steps, note)
            previous = self.memory.documents.get(place)
            oauth = await self._oauth_metadata(check, place)
            findings = run_checks(discovery.DOCUMENT, replace(answer, previous=previous, oauth=oauth))
            if not has_failure(finding for finding in findings if finding.reason is not Reason.DISCOVERY_DRIFT):
                self.memory.documents[place] = answer.document
                self.memory.metadata[place] = (Metadata.of(answer.document), self.clock())
            steps.judge(findings)

    async def _oauth_metadata(self, check: Check, place: tuple[str, str]) -> JsonObject | None:
        """The RFC 8414 document, once an hour: many providers serve none, and that is allowed."""
        checked, now = self.memory.oauth_checked.get(place), self.clock()
        if checked is not None and now - checked < _COMPARE_EVERY:
            return None
        self.memory.oauth_checked[place] = now
        return await oauth_metadata(self.http, check.issuer.url)
