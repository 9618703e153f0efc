"""Hand-written: security controls, the watcher itself, one region alone, budgets, drills."""

from __future__ import annotations

from probes.model import Reason
from runbooks import checks as c
from runbooks.bodies import model as m
from runbooks.bodies.model import Body, Mitigation

SECURITY = Body(
    first="Repeat the request once by hand; if it is accepted again, treat it as a vulnerability and call security.",
    background=(
        (
            "These checks do what must be refused: a token for somebody else, a code used twice, access after its end. "
            "They spend no availability budget; when one is accepted, nothing looks broken to users."
        ),
    ),
    checks=(c.DISCOVERY, c.JWKS, c.CLOCK, c.PROBES),
    ours=("The control was run with credentials that are allowed after all: compare with the grant.",),
    mitigations=(
        Mitigation(
            do="Undo the last change of the component that accepts what it must refuse.",
            command="kubectl -n NAMESPACE rollout undo deployment/SERVICE",
            expect="deployment.apps/SERVICE rolled back",
            verify="The control is enforced again: the next run succeeds.",
            rollback="The same command again.",
            risk="Low; weigh it against what else the release changed.",
        ),
        Mitigation(
            do="Close the way in at the gateway until the check is back.",
            command='# refuse the route at the gateway, then\noidcwatch probe "$NAME/*/*"',
            expect="the route answers 403",
            verify="The request from the first step is refused.",
            rollback="Remove the rule after the control holds again.",
            risk="Legitimate callers of the route are refused too: tell their owners.",
        ),
    ),
    changes=("Releases of gateways and services, policy changes, new routes, exceptions that were meant to be short.",),
    false_positives=("A test environment in which the check is off on purpose.",),
    references=(m.BEST_PRACTICE, m.ID_TOKEN, m.BEARER),
)

PROBE = Body(
    first="Is the agent of that region running and scraped? Open its status page, then `oidcwatch doctor` on its host.",
    background=(
        (
            "This alert is about the watcher, not about the provider. While it fires, silence about the provider means "
            "nothing: nobody is looking from there."
        ),
    ),
    checks=(c.DNS, c.DISCOVERY, c.PROBES),
    ours=(
        "It always is: look at the agent's log, its disk, its browser, its proxy and the target in Prometheus.",
        "Many agents at once: the network between them and Prometheus, or Prometheus itself.",
    ),
    mitigations=(
        Mitigation(
            do="Restart the agent.",
            command="systemctl restart oidcwatch; systemctl status oidcwatch",
            expect="active (running)",
            verify="Its status page shows fresh runs, and Prometheus scrapes it: `up` is 1.",
            rollback="None is needed.",
            risk="A restart forgets what earlier runs saw: one comparison of keys and documents is lost.",
        ),
        Mitigation(
            do="Undo the last change of the configuration.",
            command="oidcwatch config check -c CONFIGURATION; curl -X POST http://AGENT/-/reload",
            expect="the file is sound; reloaded",
            verify="`oidcwatch_config_last_reload_successful` is 1.",
            rollback="Apply the change again after it was checked.",
            risk="Low: a bad file is refused and the old one stays in force.",
        ),
    ),
    changes=("Releases and configuration of the agents, their hosts, proxies, secrets; Prometheus and its targets.",),
    false_positives=("An agent that was retired and is still in the configuration.",),
    references=(
        ("Prometheus, alerting rules", "https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/"),
        ("Prometheus, staleness", "https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness"),
    ),
    reasons=(Reason.PROBE_ERROR,),
)

WATCHDOG = Body(
    first="Nothing to do while it fires: it always does. Act when it is missing, for then no other alert arrives either.",
    background=(
        (
            "It fires without a pause so that somebody outside can notice its absence: Prometheus, Alertmanager or the way "
            "to the receiver is down."
        ),
    ),
    checks=(c.PROBES,),
    ours=("It is about nothing else: look at Prometheus, Alertmanager and the network between them.",),
    mitigations=(
        Mitigation(
            do="Restart what is down, Prometheus first.",
            command="systemctl status prometheus prometheus-alertmanager",
            expect="active (running), twice",
            verify="The receiver of the dead man's switch hears from it again within five minutes.",
            rollback="None is needed.",
            risk="A restart of Prometheus replays its log: allow it some minutes.",
        ),
    ),
    changes=("Releases and configuration of Prometheus and Alertmanager; firewalls; the receiver.",),
    false_positives=("The receiver's own outage.",),
    references=(("Alertmanager, configuration", "https://prometheus.io/docs/alerting/latest/configuration/"),),
    reasons=(Reason.PROBE_ERROR,),
)

DRILL = Body(
    first="Nothing to mend: a drill runs, on purpose. Ask its leader before you touch the issuer.",
    background=(
        "Runs made during a drill are marked and spend no budget; alerts from them go to the drill's receiver.",
    ),
    checks=(c.DISCOVERY, c.PROBES),
    ours=("A drill that nobody ended: the switch is still on although its leader has gone home.",),
    mitigations=(
        Mitigation(
            do="End the drill, if its leader says so or cannot be reached and users are affected.",
            command='# end the drill as its leader\'s notes say, then\npromtool query instant "$PROMETHEUS" \'count(oidc_probe_success{drill="true"})\'',
            expect='no series with drill="true" after five minutes',
            verify="The probes below succeed, and the alert ends.",
            rollback="Start the drill again another day.",
            risk="The drill's measurements are lost.",
        ),
    ),
    changes=("The drill itself: what it injects, since when, until when.",),
    false_positives=("None: the switch is on, or it is not.",),
    references=(("SRE Book, testing for reliability", "https://sre.google/sre-book/testing-reliability/"),),
)

REGION = Body(
    first="Run the probes from this region and from another one: if only this one fails, take its network and its edge.",
    background=(
        (
            "One region fails and the others do not. That is rarely the provider as a whole: more often DNS, routing, a "
            "proxy, an edge of a content delivery network, or that region's synthetic user."
        ),
    ),
    checks=(c.DNS, c.TLS, c.DISCOVERY, c.JWKS, c.SAME_JWKS, c.SAME_DISCOVERY, c.CLOCK, c.PROBES),
    ours=(
        "Other issuers fail from this region too: its network, its proxy or its host.",
        "`credentials_rejected` here alone: this region's synthetic user.",
    ),
    mitigations=(
        Mitigation(
            do="Send the users of this region to another edge, if the provider has several.",
            command='# steer as the provider\'s own manual says, then, from this region\ndig +short "$HOST"',
            expect="the addresses of the other edge",
            verify="The probes from this region succeed.",
            rollback="Steer back after the edge has been healthy for 30 minutes.",
            risk="Longer ways, and more load on the other edge.",
        ),
        Mitigation(
            do="Purge that edge's copies of the discovery document and of the key set, if they are old.",
            command='# purge as the cache\'s own manual says, then\noidcwatch probe "$NAME/*/jwks" "$NAME/*/discovery"',
            expect="ok from every region",
            verify="The comparisons show one version twice in a row.",
            rollback="None is needed.",
            risk="Low.",
        ),
    ),
    changes=("Routing, DNS and proxies of that region; releases that go region by region.",),
    false_positives=("The region's own network was down for a while, and the agent has no `vantage.references`.",),
    references=(m.BURN, m.DISCOVERY),
)

BUDGET = Body(
    first="Nothing is on fire by itself: see which alerts of this objective fire now, and follow the most urgent page.",
    background=(
        (
            "The budget is what the objective allows to be bad over its window. This alert tells how much of it is left, "
            "so that releases and risky changes can wait while little is."
        ),
    ),
    checks=(c.DISCOVERY, c.JWKS, c.PROBES),
    ours=("The objective is stricter than these probes can measure: few runs make one failure expensive.",),
    mitigations=(
        Mitigation(
            do="Hold back risky changes of the provider until the budget recovers.",
            command="# mark the issuer as frozen in the change calendar, then watch\npromtool query instant \"$PROMETHEUS\" 'issuer_target:oidc_sli_budget_left:ratio'",
            expect="no risky change before the window has moved on",
            verify="The share that is left grows again on the panel.",
            rollback="Release as usual once a tenth of the budget or more is back.",
            risk="None.",
        ),
        Mitigation(
            do="Find what spent it: the reasons with the most failed runs over the window.",
            command='promtool query instant "$PROMETHEUS" '
            '"sort_desc(sum by (reason) (increase(oidc_probe_failures_total{issuer=\\"$NAME\\"}[30d])))"',
            expect="a few reasons, the largest first",
            verify="The owner of the largest reason has a ticket.",
            rollback="None is needed.",
            risk="None.",
        ),
    ),
    changes=("Everything within the window that came before a burn: compare the panel with the deployments.",),
    false_positives=("Maintenance without a silence counts: budgets go on during silences by design.",),
    references=(m.BURN, ("SRE Workbook, error budget policy", "https://sre.google/workbook/error-budget-policy/")),
)
