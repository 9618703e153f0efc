"""Hand-written: the provider as a whole, its token endpoint, and its certificate."""

from __future__ import annotations

from probes.model import Reason
from runbooks import checks as c
from runbooks.bodies import model as m
from runbooks.bodies.model import Body, Mitigation

ROLL_BACK = Mitigation(
    do="Roll back the provider's last deployment, if there was one within an hour before the start.",
    command="kubectl -n NAMESPACE rollout undo deployment/PROVIDER",
    expect="deployment.apps/PROVIDER rolled back",
    verify="`kubectl -n NAMESPACE rollout status deployment/PROVIDER` ends, and the probes below succeed.",
    rollback="The same command again brings the newer version back.",
    risk="Low when the release changed no database schema; ask before you undo one that did.",
)
FAIL_OVER = Mitigation(
    do="Move traffic to the standby, if this provider has one.",
    command='# fail over as the provider\'s own procedure says, then\ndig +short "$HOST"',
    expect="the addresses of the standby",
    verify="Discovery says the same `issuer` as before, to the letter; then run the probes below.",
    rollback="Move traffic back after the primary has been healthy for 30 minutes.",
    risk="Sessions and refresh tokens may be lost: users sign in again. Another host name in `issuer` breaks every client.",
)
MORE_CAPACITY = Mitigation(
    do="Add instances, if the provider is slow or answers 429 or 503.",
    command="kubectl -n NAMESPACE scale deployment/PROVIDER --replicas=MORE",
    expect="deployment.apps/PROVIDER scaled",
    verify="The token step of the probes gets faster within a few minutes.",
    rollback="Scale back to the former number.",
    risk="Low; more instances mean more connections to the database.",
)

PROVIDER = Body(
    first="Run the probes below from two regions: one region alone is the network's, all of them is the provider's.",
    background=(
        (
            "The discovery document, the key set and a token for a machine are asked for all the time. They need no user "
            "and no browser, so when they fail nothing else can work."
        ),
        (
            "Existing sessions and tokens that are still valid go on working until they end: the number of users that are "
            "affected grows with time."
        ),
    ),
    checks=(c.DNS, c.TLS, c.DISCOVERY, c.JWKS, c.TOKEN_REFUSES, c.SAME_DISCOVERY, c.CLOCK, c.PROBES),
    ours=(
        "Only one region fails and its other issuers fail too: that region's network or proxy.",
        "The reason is `probe_error`: the probe itself broke, `oidcwatch doctor` says why.",
        "The regions that report are fewer than configured: see the alerts about coverage first.",
    ),
    mitigations=(ROLL_BACK, MORE_CAPACITY, FAIL_OVER),
    changes=(
        "Deployments and configuration changes of the provider, its database and its cache.",
        "DNS, certificates, load balancers, firewalls and content delivery networks in front of it.",
    ),
    false_positives=("Planned maintenance that is not in `alerting.maintenance` of the configuration.",),
    references=(m.DISCOVERY, m.CORE, m.BURN),
)

TOKEN = Body(
    first="Ask the token endpoint once by hand (below): a 5xx is the provider's, a 4xx names the client or the request.",
    background=(
        (
            "The token endpoint exchanges codes, refresh tokens and client credentials for tokens. When it fails, sign-ins "
            "stop at their last step and machines get no tokens at all."
        ),
        "Errors in the body are OAuth error codes; the status decides first, for a gateway's 502 is no OAuth error.",
    ),
    checks=(c.DISCOVERY, c.TOKEN_REFUSES, c.CLOCK, c.PROBES),
    ours=(
        "Only one client fails, with `client_auth_failed`: its secret, not the endpoint.",
        "`rate_limited` for the probes' clients alone: the interval of the probes is too short for the limit.",
    ),
    mitigations=(ROLL_BACK, MORE_CAPACITY, FAIL_OVER),
    changes=(
        "Deployments of the provider, its database, its session store.",
        "New clients or jobs that ask for tokens in a loop; new rate limits.",
    ),
    false_positives=("A load test against the provider that nobody announced.",),
    references=(m.TOKEN_ERRORS, m.OAUTH, m.BURN),
)

CERTIFICATE = Body(
    first="Read the end date that each region sees (below); if it is past, deploy the renewed certificate now.",
    background=(
        (
            "Clients and resource servers refuse a provider whose certificate is expired, is for another name or is not "
            "trusted. They do so all at once, and nothing can be done on their side."
        ),
    ),
    checks=(c.DNS, c.TLS, c.DISCOVERY, c.PROBES),
    ours=(
        "`tls.ca_file` of the issuer is an old bundle: other clients trust the certificate and the probe does not.",
        "The probe's own clock is wrong: a certificate looks expired or not yet valid.",
    ),
    mitigations=(
        Mitigation(
            do="Renew the certificate and deploy it to every edge.",
            command="kubectl -n NAMESPACE get certificate; cmctl renew -n NAMESPACE CERTIFICATE",
            expect="Manually triggered issuance of Certificate NAMESPACE/CERTIFICATE",
            verify="The TLS check below shows the new end date from every region; repeat it, edges differ.",
            rollback="Deploy the former certificate, as long as it is valid.",
            risk="Low. A certificate from another authority breaks clients that pin the old one.",
        ),
        Mitigation(
            do="Take edges that still present the old certificate out of rotation.",
            command='for address in $(dig +short "$HOST"); do\n'
            '  openssl s_client -connect "$address:$PORT" -servername "$HOST" </dev/null 2>/dev/null '
            "| openssl x509 -noout -enddate\ndone",
            expect="the same end date from every address",
            verify="Five TLS checks in a row show the new end date.",
            rollback="Put the edge back after its certificate was replaced.",
            risk="Less capacity while an edge is out.",
        ),
    ),
    changes=("Renewal jobs, and whether they ran; changes of load balancers and of the authority.",),
    false_positives=("A certificate that is renewed on its last days by design: raise the renewal's lead time.",),
    references=(
        ("RFC 9525, service identity in TLS", "https://www.rfc-editor.org/rfc/rfc9525"),
        ("RFC 5280 §4.1.2.5, validity", "https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5"),
    ),
    reasons=(Reason.TLS_INVALID,),
)
