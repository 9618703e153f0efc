"""Hand-written: signing keys, and clocks."""

from __future__ import annotations

from probes.model import Reason
from runbooks import checks as c
from runbooks.bodies import model as m
from runbooks.bodies.model import Body, Mitigation

OLD_KEY = Mitigation(
    do="Sign with the old key again, and publish both: every verifier still knows it. Do this before anything else "
    "when a rotation is the cause.",
    command="kcadm.sh update components/KEY_PROVIDER -r REALM -s 'config.priority=[\"200\"]'   # as with Keycloak",
    expect="no output; the old key is the active one again",
    verify="New tokens have the old `kid`, and the key set holds both: run the key set check and the probes below.",
    rollback="Give the new key the higher priority again, after it has been published for a day.",
    risk="None for verifiers. Not when the old key is compromised: then keep the new one and restart the verifiers.",
)
RESTART_VERIFIERS = Mitigation(
    do="Make verifiers fetch the key set anew, if the provider is sound and services refuse its tokens.",
    command="kubectl -n NAMESPACE rollout restart deployment/SERVICE",
    expect="deployment.apps/SERVICE restarted",
    verify="The service accepts a token that was issued now.",
    rollback="None is needed.",
    risk="A restart of many services at once asks the provider for its keys at once: go service by service.",
)
PURGE = Mitigation(
    do="Purge the key set from caches in front of the provider, if copies differ.",
    command='# purge the path of jwks_uri as the cache\'s own manual says, then\noidcwatch probe "$NAME/*/jwks"',
    expect="ok from every region",
    verify="The comparison of the key set shows one version from every region, twice in a row.",
    rollback="None is needed: the cache fills again.",
    risk="Low: the provider answers each edge once more.",
)

KEYS = Body(
    first="Fetch the key set twice and look for the `kid` of a fresh token: missing means that the provider signs with "
    "a key that nobody can know.",
    background=(
        (
            "Tokens are signed with a key of the provider; services verify them with the key set behind `jwks_uri`, which "
            "they keep for minutes to hours. A key must be published before it signs and stay after it has signed last."
        ),
        "Trouble with keys starts small: services that start now, or whose cache ends, fail first.",
    ),
    checks=(c.DISCOVERY, c.JWKS, c.SAME_JWKS, c.CLOCK, c.PROBES),
    ours=(
        "The provider's own sign-ins and all services work, and only one region differs: an edge cache near it.",
        "`id_token_alg` of the client in the configuration is not what is registered at the provider.",
    ),
    mitigations=(OLD_KEY, PURGE, RESTART_VERIFIERS),
    changes=(
        "Key rotations, planned or automatic: when, and was the new key published before it signed?",
        "Restores of the provider's database, new nodes, changes of caches in front of it.",
    ),
    false_positives=("A rotation that was announced and done with lead and overlap fails no check.",),
    references=(m.ROTATION, m.KEYS, m.ID_TOKEN),
)

COMPROMISED = Body(
    first="Call security now, and rotate: sign with a new key, and take the exposed one out of the set as soon as it signs "
    "no more.",
    background=(
        (
            "Whoever has the private half of a published key signs tokens that every verifier accepts, and nothing in the "
            "token shows it. A key that two issuers share lets tokens of the weaker one in at the stronger one."
        ),
        "What was published once has been copied: taking it back ends nothing. Only verifiers that forget the key do.",
    ),
    checks=(c.JWKS, c.SAME_JWKS, c.DISCOVERY, c.PROBES),
    ours=(
        (
            "A second name for one provider in the configuration: both issuers have its keys, as they must. Name one in "
            "`shares_keys_with` of the other."
        ),
    ),
    mitigations=(
        Mitigation(
            do="Publish a new key, sign with it at once, and remove the exposed one.",
            command="kcadm.sh create components -r REALM -s name=emergency -s providerId=rsa-generated "
            "-s providerType=org.keycloak.keys.KeyProvider -s 'config.priority=[\"300\"]'   # as with Keycloak",
            expect="Created new component",
            verify="New tokens have the new `kid`, and the key set no longer holds the exposed one.",
            rollback="None: an exposed key must not sign again.",
            risk="Services refuse valid tokens until they have fetched the new key: `oidcwatch drill predict NAME` says "
            "for how long.",
        ),
        Mitigation(
            do="Make verifiers forget the exposed key: those that keep keys accept its tokens until they ask again.",
            command="kubectl -n NAMESPACE rollout restart deployment/SERVICE",
            expect="deployment.apps/SERVICE restarted",
            verify="The service refuses a token that was signed with the exposed key.",
            rollback="None is needed.",
            risk="A restart of many services at once asks the provider for its keys at once: go service by service.",
        ),
    ),
    changes=("Exports of the key set by hand, new signing services, keys that were copied between environments.",),
    false_positives=(
        "Tenants of one provider that signs for all of them with the same keys are a ticket and no page.",
    ),
    references=(
        m.KEYS,
        ("RFC 8725 §3.8, issuers and their keys", "https://www.rfc-editor.org/rfc/rfc8725#section-3.8"),
    ),
)

SHARED = Body(
    first="Find out whether the two issuers share their keys on purpose. If so, name one in `shares_keys_with` of the other.",
    background=(
        (
            "A token shows by its `iss` whose it is. Services that compare only the signature take tokens of both issuers, "
            "so whoever can get one from staging is let in to production."
        ),
        "Tenants of Entra ID share their keys, and so do two names of one provider. A realm that was cloned should not.",
    ),
    checks=(c.JWKS, c.SAME_JWKS, c.DISCOVERY, c.PROBES),
    ours=("A second name for one provider in the configuration: both issuers have its keys, as they must.",),
    mitigations=(
        Mitigation(
            do="Give the weaker of the two a key of its own, sign with it, and remove the shared one when its tokens are dead.",
            command="kcadm.sh create components -r REALM -s name=own-key -s providerId=rsa-generated "
            "-s providerType=org.keycloak.keys.KeyProvider -s 'config.priority=[\"200\"]'   # as with Keycloak",
            expect="Created new component",
            verify="The key sets of the two issuers have no key in common, and the finding is gone.",
            rollback="kcadm.sh delete components/ID -r REALM, as long as the shared key is still published",
            risk="As of any rotation: `oidcwatch drill predict NAME` says what it breaks, and how much lead it needs.",
        ),
    ),
    changes=("Realms that were exported and imported, environments that were cloned, new names of a provider.",),
    false_positives=(
        "Tenants of one provider that signs for all of them with the same keys: name them in the setting.",
    ),
    references=(
        m.KEYS,
        ("RFC 8725 §3.8, issuers and their keys", "https://www.rfc-editor.org/rfc/rfc8725#section-3.8"),
    ),
)

CLOCK = Body(
    first="Compare three clocks: the provider's Date header, this host's, and an NTP server's; the odd one out is wrong.",
    background=(
        (
            "Tokens carry times (`iat`, `nbf`, `exp`). When the provider's clock is ahead, verifiers see tokens from the "
            "future; when it is behind, tokens that have ended already. Most verifiers tolerate a minute, some nothing."
        ),
    ),
    checks=(c.CLOCK, c.DISCOVERY, c.PROBES),
    ours=(
        "`chronyc tracking` on the probe's host shows an offset, or no source: the probe's clock is the wrong one.",
        "All issuers show the same offset from one region: that region's clock.",
    ),
    mitigations=(
        Mitigation(
            do="Bring the wrong host's clock back by steering it, not by a jump.",
            command="chronyc -a 'burst 4/4'; chronyc tracking",
            expect="System time : less than 0.1 seconds off NTP time",
            verify="The clock check below passes from every region.",
            rollback="None is needed.",
            risk="Low. A jump backwards (`makestep`) can issue tokens twice with the same times.",
        ),
        Mitigation(
            do="Take nodes of the provider whose clock is wrong out of rotation.",
            command="kubectl cordon NODE; kubectl -n NAMESPACE delete pod POD",
            expect="node/NODE cordoned",
            verify="Several clock checks in a row agree.",
            rollback="kubectl uncordon NODE",
            risk="Less capacity while the node is out.",
        ),
    ),
    changes=("Hosts that were suspended, migrated or restored; changes of NTP servers or of firewalls for port 123.",),
    false_positives=("A cache in front of the provider that serves old Date headers: look for `Age`.",),
    references=(m.JWT, ("RFC 9110 §6.6.1, Date", "https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1")),
    reasons=(Reason.TOKEN_NOT_YET_VALID, Reason.TOKEN_EXPIRED, Reason.CLOCK_SKEW),
)
