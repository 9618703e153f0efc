"""What is allowed but probably not meant: warnings of `oidcwatch config check`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from exporters.slis import BY_NAME
from oidcwatch.config import Loaded
from oidcwatch.config_build import every_region
from oidcwatch.config_duration import format_duration
from oidcwatch.settings import Settings
from probes.metadata import host_of
from probes.subjects import AuthMethod

_BUSY_LOGIN = 30.0  # seconds; more often than this looks like an attack to risk engines and fills session stores
_LOOPBACK = ("localhost", "127.", "::1")

_Rule = Callable[[Settings], Iterator[str]]


def _nothing_to_run(settings: Settings) -> Iterator[str]:
    watched = {check.issuer.name for check in settings.checks}
    for issuer in settings.issuers:
        if issuer.name not in watched:
            yield f"issuer {issuer.name} has no check that runs here: add probes: [discovery, jwks]"


def _logins_too_often(settings: Settings) -> Iterator[str]:
    for check in settings.checks:
        if check.probe == "login" and check.interval < _BUSY_LOGIN:
            runs = 86_400 / check.interval * len(check.regions or settings.regions)
            yield (
                f"{check.name}: a login every {format_duration(check.interval)} makes {runs:.0f} sessions a day; "
                "60s is usual"
            )


def _refresh_without_offline_access(settings: Settings) -> Iterator[str]:
    for check in settings.checks:
        if check.probe == "refresh" and check.client and "offline_access" not in check.client.scopes:
            yield f"{check.name}: without the scope offline_access many providers issue no refresh token (OIDC Core §11)"


def _client_credentials_of_a_public_client(settings: Settings) -> Iterator[str]:
    for check in settings.checks:
        public = check.client is not None and check.client.auth_method is AuthMethod.NONE
        if check.probe == "client_credentials" and public:
            yield f"{check.name}: this grant is for confidential clients only (RFC 6749 §4.4), yet auth.method is none"


def _plain_http(settings: Settings) -> Iterator[str]:
    for issuer in settings.issuers:
        if issuer.url.startswith("http://") and not host_of(issuer.url).startswith(_LOOPBACK):
            yield f"issuer {issuer.name}: plain http beyond this machine: passwords and tokens travel unencrypted"


def _one_region(settings: Settings) -> Iterator[str]:
    if len(settings.regions) == 1 and not settings.references:
        yield (
            "one region and no vantage.references: a broken network here looks like a broken provider; "
            "name addresses that do not depend on it"
        )


def _unfed_objectives(loaded: Loaded) -> Iterator[str]:
    kinds = {
        entry.type
        for issuer in loaded.config.issuers
        for entry in (*issuer.probes, *(probe for client in issuer.clients for probe in client.probes))
    }
    for slo in loaded.config.slos:
        wanted = BY_NAME[slo.sli].probes
        if not wanted & kinds:
            yield f"the objective for {slo.sli} needs the probe {' or '.join(sorted(wanted))}: nothing is generated for it"


def _nobody_paged(loaded: Loaded) -> Iterator[str]:
    there, needed = len(every_region(loaded.config)), loaded.config.alerting.min_regions
    if there < needed:
        yield (
            f"{there} region{'s' * (there > 1)} and alerting.min_regions {needed}: no objective can page; look from more "
            "regions, or set alerting.min_regions: 1 and accept that one region's own network pages"
        )


_RULES: tuple[_Rule, ...] = (
    _nothing_to_run,
    _logins_too_often,
    _refresh_without_offline_access,
    _client_credentials_of_a_public_client,
    _plain_http,
    _one_region,
)


def warnings_of(loaded: Loaded) -> list[str]:
    """One sentence each, in a stable order."""
    warnings = [warning for rule in _RULES for warning in rule(loaded.settings)]
    warnings += [*_unfed_objectives(loaded), *_nobody_paged(loaded)]
    for issuer in loaded.config.issuers:
        for resource in issuer.resources:
            warnings.append(f"resource {issuer.name}/{resource.name} is known, but no probe calls resources yet")
    return warnings
