"""The journey of a person through sign-in: which page comes next, and what a submitted form changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from sandbox.accounts import Client
from sandbox.pages import render
from sandbox.points import LOGIN_ANSWER, LOGIN_PAGE, OTP_VERDICT, PASSWORD_VERDICT, TERMS, Situation
from sandbox.realm import Realm
from sandbox.reply import Reply, page
from sandbox.store import Session

WRONG_PASSWORD = "Invalid username or password."
WRONG_OTP = "Invalid one-time code."


@dataclass(frozen=True, slots=True)
class Journey:
    """One authorization request of one browser."""

    realm: Realm
    client: Client
    request: Mapping[str, str]
    fingerprint: str
    """Tells this authorization request from another one of the same browser."""

    @property
    def prompts(self) -> frozenset[str]:
        return frozenset(self.request.get("prompt", "").split())

    @property
    def situation(self) -> Situation:
        return self.realm.situation(client_id=self.client.client_id, request=self.request)

    @property
    def consent_key(self) -> str:
        return f"{self.client.client_id} {self.request.get('scope', '')}"


def needs_sign_in(journey: Journey, session: Session) -> bool:
    """Whether the session does not answer this request (OIDC Core §3.1.2.1: prompt, max_age)."""
    if not session.signed_in:
        return True
    if session.fresh_for == journey.fingerprint:
        return False
    max_age = journey.request.get("max_age", "")
    too_old = max_age.isdigit() and journey.realm.clock.now() - session.auth_time > int(max_age)
    return "login" in journey.prompts or too_old


def needs_consent(journey: Journey, session: Session) -> bool:
    """Whether the person must still agree, once for each client and scope."""
    if "consent" in journey.prompts:
        return session.consented_for != journey.fingerprint
    known = journey.realm.store.consents.get(f"{session.username} {journey.consent_key}")
    return journey.client.wants_consent and known is None


def next_step(journey: Journey, session: Session) -> str:
    """The form to show now; empty when the person has done everything."""
    if not needs_sign_in(journey, session):
        return "consent" if needs_consent(journey, session) else ""
    in_progress = session.fresh_for == journey.fingerprint
    if not in_progress or not session.methods:
        if journey.realm.settings.login_pages == 1:
            return "login"
        return "password" if in_progress and session.username else "username"
    return "terms" if "otp" in session.methods or not _has_otp(journey, session) else "otp"


def _has_otp(journey: Journey, session: Session) -> bool:
    user = journey.realm.directory.user(session.username)
    return user is not None and bool(user.totp_seed)


def show(journey: Journey, session: Session, step: str, error: str = "") -> Reply:
    """The page for that step."""
    if step == "consent":
        scopes = journey.request.get("scope", "").split()
        return page(render("consent.html", client=journey.client.client_id, scopes=scopes))
    if step == "terms":
        return page(render("terms.html"))
    if step == "otp":
        return page(render("otp.html", error=error))
    username = session.username if step == "password" else ""
    form = render("login.html", client=journey.client.client_id, step=step, username=username, error=error)
    return journey.realm.faults.apply(LOGIN_PAGE, page(form), journey.situation)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a submitted form led to: the session as it is now, and an error, a whole page, or a refusal."""

    session: Session
    error: str = ""
    page: Reply | None = None
    refused: bool = False


Form = Mapping[str, str]


def _take_username(journey: Journey, session: Session, form: Form) -> Progress:
    return Progress(Session(session.sid, username=form.get("username", ""), fresh_for=journey.fingerprint))


def _take_password(journey: Journey, session: Session, form: Form) -> Progress:
    username = form.get("username", session.username)
    user = journey.realm.directory.user(username)
    accepted = user is not None and user.accepts_password(form.get("password", ""))
    instead = journey.realm.faults.apply(LOGIN_ANSWER, None, journey.situation)
    if instead is not None:
        return Progress(session, page=instead)
    verdict = "" if accepted else WRONG_PASSWORD
    if accepted:
        verdict = journey.realm.faults.apply(PASSWORD_VERDICT, verdict, journey.situation)
    if verdict:
        return Progress(session, error=verdict)
    # A new id with the new rights, against session fixation.
    fresh = journey.realm.store.new_session()
    return _complete(journey, replace(fresh, username=username, methods=("pwd",), fresh_for=journey.fingerprint))


def _take_otp(journey: Journey, session: Session, form: Form) -> Progress:
    user = journey.realm.directory.user(session.username)
    if user is None or "pwd" not in session.methods:
        return Progress(session)
    accepted = user.accepts_otp(form.get("otp", ""), journey.realm.clock.now())
    verdict = "" if accepted else WRONG_OTP
    if accepted:
        verdict = journey.realm.faults.apply(OTP_VERDICT, verdict, journey.situation)
    if verdict:
        return Progress(session, error=verdict)
    return _complete(journey, replace(session, methods=("pwd", "otp")))


def _take_terms(journey: Journey, session: Session, form: Form) -> Progress:
    if form.get("agree") != "yes":
        return Progress(session)
    return _complete(journey, replace(session, terms_accepted=True))


def _complete(journey: Journey, session: Session) -> Progress:
    """Signed in, unless a second factor or the terms are still missing."""
    if "otp" not in session.methods and _has_otp(journey, session):
        return Progress(session)
    if not session.terms_accepted and journey.realm.faults.apply(TERMS, False, journey.situation):
        return Progress(session)
    return Progress(replace(session, auth_time=int(journey.realm.clock.now())))


def _take_consent(journey: Journey, session: Session, form: Form) -> Progress:
    if form.get("consent") != "accept":
        return Progress(session, refused=True)
    if not session.signed_in:
        return Progress(session)
    journey.realm.store.consents.put(f"{session.username} {journey.consent_key}", "accepted")
    return Progress(replace(session, consented_for=journey.fingerprint))


_STEPS: Mapping[str, Callable[[Journey, Session, Form], Progress]] = MappingProxyType(
    {
        "username": _take_username,
        "login": _take_password,
        "password": _take_password,
        "otp": _take_otp,
        "terms": _take_terms,
        "consent": _take_consent,
    }
)


def advance(journey: Journey, session: Session, form: Form) -> Progress:
    """Take a submitted form; an unexpected one changes nothing, so the right page is shown again."""
    step = form.get("step", "")
    if step not in _STEPS or (step != "login" and step != "username" and next_step(journey, session) != step):
        return Progress(session)
    return _STEPS[step](journey, session, form)
