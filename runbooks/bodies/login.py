"""Hand-written: signing in, staying signed in, and the clients that do."""

from __future__ import annotations

from runbooks import checks as c
from runbooks.bodies import model as m
from runbooks.bodies.model import Body, Mitigation
from runbooks.bodies.provider import FAIL_OVER, ROLL_BACK

LOGIN = Body(
    first="Sign in by hand in a private window: if that works, look at the probe's screenshot; if not, you see the step.",
    background=(
        (
            "A synthetic user signs in with a real browser: authorization request, login page, perhaps a one-time code and "
            "consent, callback, token, validation, userinfo. The failing step says where to look."
        ),
        "The run's screenshot and list of requests are on the agent's status page, without secrets.",
    ),
    checks=(c.DISCOVERY, c.JWKS, c.TOKEN_REFUSES, c.CLOCK, c.PROBES),
    ours=(
        (
            "`login_ui_changed`, `interaction_required`, `credentials_rejected`: the page or the synthetic user changed; "
            "such runs spend no budget."
        ),
        "Real users sign in (the provider's own sign-in rate is as always): the synthetic user or its client.",
        "`oidcwatch doctor` on the agent's host reports the browser or a secret.",
    ),
    mitigations=(
        ROLL_BACK,
        Mitigation(
            do="Switch the last change of the login page, its theme or its policies off.",
            command='# undo it in the administration of the provider, then\noidcwatch probe "$NAME/*/login"',
            expect="every check says ok",
            verify="A sign-in by hand works too.",
            rollback="Switch the change on again.",
            risk="Low for a theme. A policy (second factor, bot defence) protects users: ask security before.",
        ),
        FAIL_OVER,
    ),
    changes=(
        "Releases of the login page, themes, terms, bot defence, second factors, risk policies.",
        "Deployments of the provider; registrations and secrets of this client.",
    ),
    false_positives=(
        "The synthetic user was locked or its password changed.",
        "A release of the login page that people get through and the probe does not.",
    ),
    references=(m.CORE, m.ID_TOKEN, m.ISS, m.BURN),
)

REFRESH = Body(
    first="Look in the provider's log for reuse detection or ended sessions at the run's time; then run the probes below.",
    background=(
        (
            "A refresh token is exchanged for new tokens, and usually for a new refresh token; the old one ends. If an old "
            "one is used again, the provider takes it for stolen and ends the whole family."
        ),
        "Users notice when their access token ends, minutes after the cause.",
    ),
    checks=(c.DISCOVERY, c.TOKEN_REFUSES, c.CLOCK, c.PROBES),
    ours=(
        "Two agents share one synthetic user and client: each ends the other's family. Give each region its own user.",
        "The agent was restarted in the middle of an exchange.",
    ),
    mitigations=(
        ROLL_BACK,
        Mitigation(
            do="Stop the client that refreshes in a loop, if one does.",
            command="# find the client_id in the provider's log, then\nkubectl -n NAMESPACE scale deployment/CLIENT --replicas=0",
            expect="deployment.apps/CLIENT scaled",
            verify="The rate of refreshes falls, and the probes below succeed.",
            rollback="Scale the client back, with a back-off between its tries.",
            risk="The client's users are signed out while it is stopped.",
        ),
        FAIL_OVER,
    ),
    changes=(
        "Session and token lifetimes, rotation and reuse settings of the provider.",
        "Restarts that lose sessions; releases of clients that share a refresh token between processes.",
    ),
    false_positives=("An administrator ended all sessions on purpose.",),
    references=(("RFC 6749 §6, refreshing", "https://www.rfc-editor.org/rfc/rfc6749#section-6"), m.REFRESH, m.BURN),
)

CLIENT = Body(
    first="Read the failing client and its OAuth error in the probes' detail; the client's owner, not the provider's, "
    "has to act.",
    background=(
        ("A client is registered at the provider with redirect URIs, a way to authenticate, scopes and audiences. When "
        "the registration and the client differ in one letter, the provider refuses."),
    ),
    checks=(c.DISCOVERY, c.TOKEN_REFUSES, c.PROBES),
    ours=(
        ("The secret that the probe uses was rotated and the reference in the configuration leads to the old one: "
        "`oidcwatch doctor` reads every reference."),
        "Only the probe's own client fails: its registration, not that of the application.",
    ),
    mitigations=(
        Mitigation(
            do="Restore the client's former secret or registration at the provider.",
            command="# undo it in the administration of the provider, then\noidcwatch probe \"$NAME/CLIENT/*\"",
            expect="every check says ok",
            verify="The application itself gets tokens: its error rate falls.",
            rollback="Apply the new registration again, together with the client's own release.",
            risk="Low, unless the secret was changed because it leaked: then issue a new one to both sides.",
        ),
        Mitigation(
            do="Give the client the new secret, if the old one has expired.",
            command="oidcwatch doctor",
            expect="ok for each secret",
            verify="The probes of this client succeed.",
            rollback="Put the old secret back, as long as the provider accepts it.",
            risk="Low. Never paste the secret into the incident.",
        ),
    ),
    changes=("Secret rotations, expiry dates, changed redirect URIs, scopes or audiences; releases of the client.",),
    false_positives=("A client that is being retired and is still watched.",),
    references=(
        m.TOKEN_ERRORS,
        ("OIDC Core §9, client authentication", "https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication"),
        m.BEST_PRACTICE,
    ),
)  # fmt: skip

RESOURCE = Body(
    first="Does one service refuse tokens, or many? Many means the shared verifier (usually old keys); one means that "
    "application.",
    background=(
        (
            "The token verifies against a freshly fetched key set, and a resource server refuses it all the same: with 401 "
            "for the token, with 403 for what it permits."
        ),
    ),
    checks=(c.JWKS, c.SAME_JWKS, c.CLOCK, c.PROBES),
    ours=("The probe's client lost a scope or role that the canary resource demands.",),
    mitigations=(
        Mitigation(
            do="Make the verifier fetch the key set anew.",
            command="kubectl -n NAMESPACE rollout restart deployment/SERVICE",
            expect="deployment.apps/SERVICE restarted",
            verify="The service accepts a token that was issued now; run the probes below.",
            rollback="None is needed.",
            risk="Restart service by service, so that capacity stays.",
        ),
        Mitigation(
            do="Undo the last change of the gateway's or service's token settings (audience, issuer, roles).",
            command="kubectl -n NAMESPACE rollout undo deployment/SERVICE",
            expect="deployment.apps/SERVICE rolled back",
            verify="The probes below succeed.",
            rollback="The same command again.",
            risk="Low; never widen an audience or a role to end an alert.",
        ),
    ),
    changes=("Key rotations, gateway releases, changes of audiences, scopes, roles and claim mappers.",),
    false_positives=("The canary resource itself was moved or retired.",),
    references=(m.BEARER, ("RFC 9068, JWT access tokens", "https://www.rfc-editor.org/rfc/rfc9068")),
)
