"""The canaries: which library each embeds, how it is built and started, and which of its own options shorten its times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from drills.canaries.builds import GO, JAVA, NODE, Build


class Time(StrEnum):
    """What an option bounds."""

    TTL = "ttl"
    """How long a fetched key set is used."""
    COOLDOWN = "cooldown"
    """How soon an unknown key id makes the library fetch again."""


@dataclass(frozen=True, slots=True)
class Setting:
    """An option of the library's own, under the library's own name and in its own unit."""

    option: str
    bounds: Time
    default_seconds: float
    units_per_second: int = 1
    least_seconds: float = 0.0
    """The library refuses shorter ones."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A row of the table."""

    name: str
    """The verifier's name in `drills/verifiers.yaml`."""
    language: str
    command: tuple[str, ...]
    """`{part}` is the folder of the build, `{python}` the running interpreter."""
    build: Build | None = None
    """None for those that need none."""
    settings: tuple[Setting, ...] = ()
    needs: str = ""
    """The command that installs what neither the build nor the product brings."""
    fetches_at_start: bool = False
    """Whether it has its keys before the first token; the others fetch for that one."""

    def shortened(self, **seconds: float) -> Mapping[str, float]:
        """Options for `start` that set the times named `ttl` and `cooldown`; only those that this library has.

        A time below the library's least becomes the least. Raises ValueError for another name of a time.
        """
        wanted = {Time(name): value for name, value in seconds.items()}
        return {
            setting.option: max(wanted[setting.bounds], setting.least_seconds) * setting.units_per_second
            for setting in self.settings
            if setting.bounds in wanted
        }


_PYTHON = ("{python}", "-m")
_PIP = "pip install 'oidcwatch[sandbox]'"
_JAVA = (
    *("java", "-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx96m"),
    *("-cp", "{part}/target/classes:{part}/target/lib/*"),
)
_APT = "apt-get install --no-install-recommends"

_ROWS = (
    Canary(
        "pyjwt",
        "Python",
        (*_PYTHON, "drills.canaries.pyjwt_canary"),
        settings=(
            Setting("lifespan", Time.TTL, 300, least_seconds=0.001),
            Setting("cooldown_duration", Time.COOLDOWN, 30),
        ),
    ),
    Canary("authlib", "Python", (*_PYTHON, "drills.canaries.authlib_canary"), needs=_PIP),
    Canary("static-keys", "Python", (*_PYTHON, "drills.canaries.joserfc_canary"), needs=_PIP, fetches_at_start=True),
    Canary(
        "jose",
        "JavaScript",
        ("node", "{part}/jose.mjs"),
        NODE,
        (
            Setting("cacheMaxAge", Time.TTL, 600, units_per_second=1000),
            Setting("cooldownDuration", Time.COOLDOWN, 30, units_per_second=1000),
        ),
    ),
    Canary(
        "node-jwks-rsa",
        "JavaScript",
        ("node", "{part}/jwks-rsa.mjs"),
        NODE,
        (Setting("cacheMaxAge", Time.TTL, 600, units_per_second=1000, least_seconds=0.001),),
    ),
    # Its 300 s and 60 s are constants of oauth4webapi.
    Canary("openid-client", "JavaScript", ("node", "{part}/openid-client.mjs"), NODE),
    Canary("go-oidc", "Go", ("{part}/bin/go-oidc",), GO),
    Canary(
        "keyfunc",
        "Go",
        ("{part}/bin/keyfunc",),
        GO,
        (
            Setting("RefreshInterval", Time.TTL, 3600, least_seconds=0.001),
            Setting("RefreshUnknownKID", Time.COOLDOWN, 300, least_seconds=0.001),
        ),
        fetches_at_start=True,
    ),
    Canary(
        "nimbus-jwk-source",
        "Java",
        (*_JAVA, "NimbusCanary"),
        JAVA,
        (
            Setting("timeToLive", Time.TTL, 300, units_per_second=1000, least_seconds=0.001),
            Setting("minTimeInterval", Time.COOLDOWN, 30, units_per_second=1000, least_seconds=0.001),
        ),
    ),
    # Spring gives the five minutes of the cache to Nimbus itself, and no option of its own for them.
    Canary("spring-nimbus", "Java", (*_JAVA, "SpringCanary"), JAVA),
    Canary(
        "mod-auth-openidc",
        "C",
        (*_PYTHON, "drills.canaries.mod_auth_openidc_canary"),
        settings=(Setting("OIDCJWKSRefreshInterval", Time.TTL, 3600, least_seconds=300),),
        needs=f"{_APT} apache2 libapache2-mod-auth-openidc",
    ),
    Canary(
        "mod-oauth2",
        "C",
        (*_PYTHON, "drills.canaries.mod_oauth2_canary"),
        # Whole seconds.
        settings=(Setting("jwks_uri.expiry", Time.TTL, 24 * 3600, least_seconds=1),),
        needs=f"{_APT} apache2 libapache2-mod-oauth2",
    ),
)

CANARIES: Mapping[str, Canary] = MappingProxyType({row.name: row for row in _ROWS})
