"""Turns the checked configuration into the values that the program uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from alerts.deployment import Alerting, Maintenance, OfficeHours, Receivers, Slo
from drills.target import Target
from drills.verifiers import Verifier
from exporters.slis import SLIS
from oidcwatch import config_issuer as shape
from oidcwatch.config_alerting import AlertingModel, Entry, Route
from oidcwatch.config_base import SecretReference
from oidcwatch.config_drill import Around, target_of
from oidcwatch.config_model import AgentModel, BrowserModel, Config, RegionModel
from oidcwatch.config_verifiers import facts_of, own_verifiers
from oidcwatch.settings import AgentSettings, BrowserSettings, LogSettings, Settings
from probes.model import Check
from probes.subjects import AuthMethod, Client, Issuer, LoginForm, LoginStep, Policy, Region, SecretRef, User


@dataclass(frozen=True, slots=True)
class Place:
    """Where relative paths start, and which file each `{env: NAME}` of a ca_file names."""

    folder: Path
    ca_files: tuple[Path | None, ...]
    """One for each issuer, in order."""

    def path(self, text: str) -> Path:
        """An absolute path."""
        return (self.folder / text).absolute()


def build(config: Config, files: tuple[Path, ...], place: Place) -> Settings:
    """The settings. `config` has passed every check, so nothing here can fail."""
    regions = tuple(_regions(config))
    here = tuple(region.name for region in regions)
    verifiers = own_verifiers(config.verifiers)
    issuers = tuple(
        replace(_issuer(model, ca_file, place, verifiers), shares_keys_with=_sharing(config, model.name))
        for model, ca_file in zip(config.issuers, place.ca_files, strict=True)
    )
    return Settings(
        files=files,
        regions=regions,
        issuers=issuers,
        checks=checks_in(config, issuers, here),
        drills=_drills(config, issuers, place),
        verifiers=verifiers,
        slos=tuple(_slos(config)),
        alerting=_alerting(config.alerting),
        agent=_agent(config.agent, place),
        log=LogSettings(config.log.level, config.log.format == "json"),
        references=tuple(_address(text) for text in config.vantage.references),
    )


def _drills(config: Config, issuers: tuple[Issuer, ...], place: Place) -> Mapping[str, Target]:
    around = Around(
        prometheus=config.alerting.prometheus_url,
        alertmanager=config.alerting.alertmanager_url,
        secret=lambda reference: _secret(reference, place),
        program=lambda text: str(place.path(text)) if "/" in text else text,
    )
    pairs = zip(config.issuers, issuers, strict=True)
    return MappingProxyType(
        {issuer.name: target_of(model.drill, issuer, around) for model, issuer in pairs if model.drill}
    )


def checks_in(config: Config, issuers: tuple[Issuer, ...], regions: tuple[str, ...]) -> tuple[Check, ...]:
    """The checks that run in one of these regions. `issuers` are those of the configuration, in its order."""
    pairs = zip(config.issuers, issuers, strict=True)
    return tuple(check for model, issuer in pairs for check in _checks(model, issuer, regions))


def every_region(config: Config) -> tuple[Region, ...]:
    """The regions of all agents that share the file, by name: the same whichever agent asks."""
    others = (Region(region.name, region.geohash or "", region.country or "") for region in config.other_regions)
    return tuple(sorted((*_regions(config), *others), key=lambda region: region.name))


def _slos(config: Config) -> Iterable[Slo]:
    for sli in SLIS:
        own = [model for model in config.slos if model.sli == sli.name]
        if not any(not model.issuers for model in own):
            yield Slo(sli.name, sli, sli.objective, sli.window)
        for model in own:
            window = timedelta(seconds=model.window)
            yield Slo(model.name or sli.name, sli, model.objective, window, tuple(model.issuers))


def _alerting(model: AlertingModel) -> Alerting:
    hours = model.office_hours
    return Alerting(
        runbooks_url=model.runbooks_url,
        grafana_url=model.grafana_url,
        prometheus_url=model.prometheus_url,
        alertmanager_url=model.alertmanager_url,
        owners=MappingProxyType(dict(model.owners)),
        receivers=_receivers(model.receivers),
        teams=MappingProxyType(
            {name: _receivers({"page": team.page, "ticket": team.ticket}) for name, team in model.teams.items()}
        ),
        office_hours=OfficeHours(hours.days, hours.start, hours.end, hours.location),
        maintenance=tuple(
            Maintenance(each.name, tuple(each.issuers), each.days, each.start, each.end, each.location)
            for each in model.maintenance
        ),
        min_regions=model.min_regions,
    )


def _receivers(by_route: Mapping[Route, list[Entry]]) -> Receivers:
    return MappingProxyType({route: tuple(map(_receiver, entries)) for route, entries in by_route.items()})


def _receiver(entry: Entry) -> Mapping[str, object]:
    return MappingProxyType({kind: MappingProxyType(dict(fields)) for kind, fields in entry.items()})


def with_own_region(config: Config, name: str) -> Config:
    """The configuration as the agent in this region sees it: `region` and `other_regions` trade places."""
    if name in ("", config.region.name):
        return config
    known = {region.name: region for region in (config.region, *config.other_regions)}
    own = known.pop(name, RegionModel(name=name))
    return config.model_copy(update={"region": own, "other_regions": list(known.values())})


def _regions(config: Config) -> Iterable[Region]:
    own = config.region
    yield Region(own.name, own.geohash or "", own.country or "")
    for egress in config.egress:
        yield Region(egress.region, egress.geohash or "", egress.country or "", egress.proxy)


def _checks(model: shape.IssuerModel, issuer: Issuer, here: tuple[str, ...]) -> Iterable[Check]:
    entries: list[tuple[Client | None, shape.IssuerProbe | shape.ClientProbe]] = [
        *((None, entry) for entry in model.probes),
        *((client, e) for client, m in zip(issuer.clients, model.clients, strict=True) for e in m.probes),
    ]
    for client, entry in entries:
        regions = tuple(region for region in entry.regions if region in here)
        if entry.regions and not regions:
            continue  # all of its regions are other agents'; without any it would run in every region
        yield Check(issuer, entry.type, client, entry.every, entry.timeout, regions, entry.confirm)


def _issuer(model: shape.IssuerModel, ca_file: Path | None, place: Place, own: tuple[Verifier, ...]) -> Issuer:
    policy = model.policy
    return Issuer(
        name=model.name,
        url=model.url,
        owner=model.owner,
        verifiers=tuple(model.verifiers),
        verifier_facts=facts_of(model.verifiers, own),
        clients=tuple(_client(client, place) for client in model.clients),
        ca_file=ca_file,
        allowed_hosts=frozenset(host.lower() for host in model.allowed_hosts),
        policy=Policy(
            allow_http=policy.allow_http,
            allow_alg_none=policy.allow_alg_none,
            max_clock_offset=policy.max_clock_offset,
            max_token_lifetime=policy.max_token_lifetime,
            max_response_seconds=policy.max_response_seconds,
            min_key_lead=policy.min_key_lead,
            max_key_age=policy.max_key_age,
            standby_key=policy.standby_key,
            expect=tuple(policy.expect),
        ),
    )


def _sharing(config: Config, name: str) -> frozenset[str]:
    """The issuers that it names, and those that name it."""
    named = {other for model in config.issuers if model.name == name for other in model.shares_keys_with}
    return frozenset(named | {model.name for model in config.issuers if name in model.shares_keys_with})


def _client(model: shape.ClientModel, place: Place) -> Client:
    by_region = {region: _user(user, place) for region, user in model.users_by_region.items()}
    return Client(
        name=model.name,
        client_id=model.client_id,
        owner=model.owner,
        auth_method=AuthMethod(model.auth.method),
        secret=_secret(model.auth.secret, place) if model.auth.secret else None,
        scopes=tuple(model.scopes),
        redirect_uri=model.redirect_uri or "",
        post_logout_redirect_uri=model.post_logout_redirect_uri or "",
        user=_user(model.user, place) if model.user else None,
        users_by_region=MappingProxyType(by_region),
        login=LoginForm(model.login.preset, tuple(map(_step, model.login.steps)), model.login.consent),
        id_token_alg=model.id_token_alg,
        audience=model.audience or "",
        send_resource=model.send_resource,
        required_claims=tuple(model.required_claims),
        acr_values=tuple(model.acr_values),
        max_age=None if model.max_age is None else round(model.max_age),
    )


def _user(model: shape.UserModel, place: Place) -> User:
    return User(model.username, _secret(model.password, place), _secret(model.totp, place) if model.totp else None)


def _secret(model: SecretReference, place: Place) -> SecretRef:
    if model.env is not None:
        return SecretRef("env", model.env)
    if model.file is not None:
        return SecretRef("file", str(place.path(model.file)))
    return SecretRef("exec", model.exec or "")


def _step(model: shape.LoginStepModel) -> LoginStep:
    if model.fill is not None:
        return LoginStep("fill", model.fill, model.value or "")
    if model.click is not None:
        return LoginStep("click", model.click)
    return LoginStep("wait_for", model.wait_for or "")


def _agent(model: AgentModel, place: Place) -> AgentSettings:
    host, port = _address(model.listen)
    return AgentSettings(
        host=host,
        port=port,
        data_dir=place.path(model.data_dir),
        keep_runs=model.keep_runs,
        browser=_browser(model.browser, place),
        max_runs_at_once=model.max_runs_at_once,
        drain=model.drain,
        start_spread=model.start_spread,
        jitter=model.jitter,
    )


def _browser(model: BrowserModel, place: Place) -> BrowserSettings:
    return BrowserSettings(
        executable=place.path(model.executable) if model.executable else None,
        no_sandbox=model.no_sandbox,
        max_contexts=model.max_contexts,
        max_age=model.max_age,
        max_runs=model.max_runs,
        max_rss_mib=model.max_rss_mib,
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
