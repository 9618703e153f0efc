"""Walks through login, one-time code, consent and logout pages until the callback comes or a page says why not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from probes.browser_session import BrowserSession
from probes.egress_guard import Callback
from probes.login_pages import Page, PageKind, error_of, kind_of, refusal_of, rules
from probes.login_pages_script import ACT, LOOK
from probes.model import Attribute, ProbeFailure, Reason, Stage
from probes.probe import Clock, Steps
from probes.subjects import LoginForm

_MOST_PAGES = 12
_PAGE_TYPES = frozenset({"", "text/html", "application/xhtml+xml"})
_SECOND_LOOK_SECONDS = 3.0
"""How long a page that makes no sense may take to become one that does: banners, spinners, forms that post themselves."""

_STAGES: Mapping[PageKind, Stage] = {
    PageKind.LOGIN: Stage.LOGIN_FORM,
    PageKind.OTP: Stage.OTP,
    PageKind.CONSENT: Stage.CONSENT,
}
Note = dict[str, Attribute]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The revealed secrets of one synthetic user; `totp` is a base32 seed or otpauth:// URI, empty for none."""

    username: str
    password: str = field(repr=False)
    totp: str = field(default="", repr=False)


class Walk:
    """One way through the provider's pages. Every method ends in bounded time and raises ProbeFailure only."""

    def __init__(
        self,
        session: BrowserSession,
        callback: asyncio.Future[Callback],
        user: Credentials | None,
        form: LoginForm,
        steps: Steps,
        clock: Clock,
    ) -> None:
        self._session = session
        self._callback = callback
        self._user = user
        self._form = form
        self._steps = steps
        self._clock = clock
        self._rules = rules(form)
        self._logged_in = False

    async def first(self, url: str, note: Note, *, strict: bool) -> Page | None:
        """Open the URL; gives the first page, or None when the callback came at once.

        Strict means that a page which makes no sense is a failure; an error page always is.
        """
        await self._session.open(url)
        page = await self._next(None, strict=strict)
        self._describe(note)
        if page is not None:
            note.update(page.timing)
        return page

    async def through(self, page: Page | None) -> None:
        """Do what each page asks for, one step of the run for each kind, until the callback came."""
        if page is not None and self._form.steps:
            with self._steps(Stage.LOGIN_FORM) as note:
                page = await self._explicit(page)
                self._describe(note)
        deeds: Mapping[PageKind, Callable[[Page, Note], Awaitable[Page | None]]] = {
            PageKind.LOGIN: self._log_in,
            PageKind.OTP: self._one_time_code,
            PageKind.CONSENT: self._consent,
        }
        for _ in range(_MOST_PAGES):
            if page is None:
                return
            kind = kind_of(page)
            if kind not in deeds:
                raise _unexpected(page, Stage.LOGIN_FORM)
            with self._steps(_STAGES[kind]) as note:
                page = await deeds[kind](page, note)
                self._describe(note)
        raise ProbeFailure(
            Reason.LOGIN_UI_CHANGED, f"no end after {_MOST_PAGES} pages", stage=self._steps.done[-1].name
        )

    async def confirm_logout(self, page: Page | None) -> Page | None:
        """Press the button of a logout confirmation; gives what is shown then, None when the redirect came."""
        if page is not None and kind_of(page) is PageKind.LOGOUT:
            return await self._submit(page, {}, "accept", may_rest=True)
        return page

    async def _log_in(self, page: Page, note: Note) -> Page | None:
        if self._user is None:
            raise ProbeFailure(Reason.INTERACTION_REQUIRED, "the provider asks to log in and no user was to be used")
        if self._logged_in:
            raise ProbeFailure(Reason.INTERACTION_REQUIRED, "the provider asks to log in again")
        values = {"username": self._user.username, "password": self._user.password}
        sent: frozenset[str] = frozenset()
        now: Page | None = page
        while now is not None and kind_of(now) is PageKind.LOGIN:
            asked = now.fields & values.keys()
            if sent and not ("password" in asked and "password" not in sent):
                raise ProbeFailure(refusal_of(now) or Reason.CREDENTIALS_REJECTED, _refusal("the login", now))
            sent |= asked
            now = await self._submit(now, {name: values[name] for name in values if name in asked}, "submit")
        note["login.pages"] = 1 if "username" in page.fields and "password" in page.fields else 2
        self._logged_in = True
        return now

    async def _one_time_code(self, page: Page, note: Note) -> Page | None:
        if self._user is None or not self._user.totp:
            raise ProbeFailure(Reason.MFA_FAILED, "the provider asks for a one-time code and the user has no TOTP seed")
        code, waited = await self._fresh_code(self._user.totp)
        note["otp.wait_seconds"] = round(waited, 1)
        now = await self._submit(page, {"otp": code}, "submit")
        if now is None or kind_of(now) is not PageKind.OTP:
            return now
        said = refusal_of(now)
        reason = said if said in {Reason.RATE_LIMITED, Reason.SERVER_ERROR} else Reason.MFA_FAILED
        raise ProbeFailure(reason, _refusal("the one-time code", now))

    async def _consent(self, page: Page, note: Note) -> Page | None:
        note["consent"] = self._form.consent
        return await self._submit(page, {}, self._form.consent)

    async def _fresh_code(self, seed: str) -> tuple[str, float]:
        timed = self._session.one_time_codes.next(seed, self._clock)
        self._steps.hide(timed.code)
        await asyncio.sleep(timed.wait)
        return timed.code, timed.wait

    async def _explicit(self, page: Page) -> Page | None:
        """The configured steps, with real input events; afterwards the pages are judged as usual."""
        for number, step in enumerate(self._form.steps, 1):
            if self._callback.done():
                return None
            value = await self._filled(step.value)
            tab, milliseconds = self._session.page, self._session.options.call_seconds * 1000
            deeds: Mapping[str, Callable[[], Awaitable[object]]] = {
                "fill": lambda: tab.fill(step.selector, value, timeout=milliseconds),  # noqa: B023 awaited in this round
                "click": lambda: tab.click(step.selector, timeout=milliseconds),  # noqa: B023 awaited in this round
                "wait_for": lambda: tab.wait_for_selector(step.selector, timeout=milliseconds),  # noqa: B023 awaited here
            }
            try:
                await self._session.bounded(deeds[step.action](), self._session.options.call_seconds + 1)
            except ProbeFailure as failure:
                if self._callback.done():
                    return None
                if failure.reason is not Reason.TIMEOUT:
                    raise
                where = f"login step {number}: {step.action} {step.selector!r} did not work within {milliseconds:g} ms"
                raise ProbeFailure(Reason.LOGIN_UI_CHANGED, where) from None
        self._logged_in = True
        return await self._next(None)

    async def _filled(self, template: str) -> str:
        if "{" not in template:
            return template
        if self._user is None:
            raise ProbeFailure(Reason.PROBE_ERROR, "the login steps use a user and none is configured")
        code = (await self._fresh_code(self._user.totp))[0] if "{totp}" in template else ""
        values = {"{username}": self._user.username, "{password}": self._user.password, "{totp}": code}
        for name, value in values.items():
            template = template.replace(name, value)
        return template

    async def _submit(
        self, page: Page, values: Mapping[str, str], press: str, *, may_rest: bool = False
    ) -> Page | None:
        done = await self._session.evaluate(ACT, [dict(values), press])
        if done is False:
            raise ProbeFailure(Reason.LOGIN_UI_CHANGED, f"no element to press for {press!r} on {page.heading!r}")
        now = await self._next(page, strict=not may_rest)
        if now is not None and not may_rest and now.known() == page.known():
            raise ProbeFailure(Reason.LOGIN_UI_CHANGED, f"nothing happened after {press!r} on {page.heading!r}")
        return now

    async def _next(self, before: Page | None, *, strict: bool = True) -> Page | None:
        """What the page shows after `before`; None when the callback came. Raises what an error page says."""
        page = await self._look(before, self._session.options.change_seconds)
        if page is None:
            return None
        self._raise_error(page, strict)
        if strict and kind_of(page) in {PageKind.UNKNOWN, PageKind.INTERACTION} and page != before:
            later = await self._look(page, _SECOND_LOOK_SECONDS)
            if later is None:
                return None
            self._raise_error(later, strict)
            if kind_of(later) in {PageKind.UNKNOWN, PageKind.INTERACTION}:
                raise _unexpected(later)
            return later
        return page

    def _raise_error(self, page: Page, strict: bool) -> None:
        status = self._session.navigation.status
        if not strict and status < 400:
            return
        judged = kind_of(page) in {PageKind.UNKNOWN, PageKind.INTERACTION} or status == 429 or status >= 500
        if judged and (reason := error_of(page, status)):
            raise ProbeFailure(reason, f"the provider shows {page.heading!r} (status {status}): {page.summary()}")
        kind = self._session.navigation.media_type
        if strict and kind not in _PAGE_TYPES and kind_of(page) is PageKind.UNKNOWN:
            raise ProbeFailure(Reason.BAD_RESPONSE, f"the provider answers with {kind[:60]!r} where a page is expected")

    async def _look(self, before: Page | None, patience: float) -> Page | None:
        """The page as soon as it differs from `before`, or as it is after so many seconds without a change."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._session.options.navigation_seconds
        known = before.known() if before else None
        while not self._callback.done():
            facts = await self._first_of(
                self._session.evaluate(LOOK, [self._rules, known, patience * 1000], extra_seconds=patience)
            )
            if self._callback.done():
                break
            if failure := self._session.failed_navigation() or self._session.blocked_navigation():
                raise failure
            page = Page.read(facts) if facts else None
            leaving = (
                before is not None and self._session.navigating() and (not page or page.document == before.document)
            )
            if page is not None and not leaving:
                return page
            if loop.time() > deadline:
                raise ProbeFailure(Reason.TIMEOUT, f"no page within {self._session.options.navigation_seconds:g} s")
            known = page.known() if page else known
        return None

    async def _first_of(self, look: Coroutine[Any, Any, Any]) -> Any:
        """What the look gives, unless the callback comes first."""
        task = asyncio.ensure_future(look)
        both: set[asyncio.Future[Any]] = {task, self._callback}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            return None if self._callback.done() else task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _describe(self, note: Note) -> None:
        navigation = self._session.navigation
        note["http.status"] = navigation.status
        note["url"] = navigation.url.partition("://")[2]
        note["redirects"] = self._session.egress.redirects


def _unexpected(page: Page, stage: Stage | None = None) -> ProbeFailure:
    said = f"{page.heading!r}: {page.summary()}"
    if kind_of(page) is PageKind.UNKNOWN:
        return ProbeFailure(Reason.LOGIN_UI_CHANGED, f"nothing that the probe knows on {said}", stage=stage)
    return ProbeFailure(Reason.INTERACTION_REQUIRED, f"the provider wants a decision: {said}", stage=stage)


def _refusal(what: str, page: Page) -> str:
    return f"{what} was refused: {page.alerts[:200] or 'the page asks again and says nothing'}"
