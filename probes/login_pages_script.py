"""The scripts that look at a login page and act on it, by what elements mean rather than by where they are."""

from __future__ import annotations

# Shared by both scripts. Elements found by one look are kept in the page under a symbol, so that acting needs no
# selector and the document is not marked. Standards: HTML autofill tokens, ARIA roles.
_FIND = r"""
const KEPT = Symbol.for('oidcwatch');
const shown = (el) => !!el && el.checkVisibility({checkVisibilityCSS: true}) && el.getClientRects().length > 0;
const words = (el) => [el.name, el.id, el.autocomplete, el.placeholder, el.getAttribute('aria-label'), el.title,
  ...[...(el.labels || [])].map((label) => label.innerText)].filter(Boolean).join(' ');
const caption = (el) => [el.innerText, el.value, el.name, el.id, el.getAttribute('aria-label')].filter(Boolean).join(' ');
const pattern = (text) => new RegExp(text, 'i');
const one = (selector) => selector ? [...document.querySelectorAll(selector)].find(shown) || null : null;

const find = (rules) => {
  const inputs = [...document.querySelectorAll('input, textarea')].filter((el) => shown(el) && !el.readOnly);
  const texts = inputs.filter((el) => ['text', 'email', 'tel', 'number', 'search', 'url'].includes(el.type));
  const secrets = inputs.filter((el) => el.type === 'password');
  const token = (el, name) => (el.getAttribute('autocomplete') || '').split(/\s+/).includes(name);
  const otp = one(rules.selectors.otp) || inputs.find((el) => token(el, 'one-time-code'))
    || [...texts, ...secrets].find((el) => pattern(rules.otp).test(words(el)) && !token(el, 'current-password')) || null;
  const passwords = secrets.filter((el) => el !== otp && !token(el, 'new-password'));
  const password = one(rules.selectors.password) || passwords.find((el) => token(el, 'current-password'))
    || (passwords.length === 1 ? passwords[0] : null);
  const fresh = secrets.some((el) => token(el, 'new-password')) || passwords.length > 1;
  const before = password && texts.filter((el) => el !== otp && el.form === password.form
    && el.compareDocumentPosition(password) & Node.DOCUMENT_POSITION_FOLLOWING).pop();
  const username = one(rules.selectors.username)
    || texts.find((el) => el !== otp && (token(el, 'username') || token(el, 'email') || el.type === 'email'))
    || before || texts.find((el) => el !== otp && pattern(rules.username).test(words(el))) || null;
  const buttons = [...document.querySelectorAll(
    'button, input[type=submit], input[type=button], input[type=image], [role=button]')].filter(shown);
  const submits = (el) => el.matches('button:not([type]), [type=submit], [type=image]') && !!el.form;
  const field = otp || password || username;
  const own = field ? buttons.filter((el) => field.form ? el.form === field.form : true) : [];
  const submit = field && (one(rules.selectors.submit) || own.find((el) => submits(el) && !pattern(rules.refuse).test(caption(el)))
    || own.find((el) => pattern(rules.submit).test(caption(el))) || null);
  const choices = [...buttons, ...document.querySelectorAll('a[href]')].filter(shown);
  const refuse = one(rules.selectors.refuse) || choices.find((el) => pattern(rules.refuse).test(caption(el))) || null;
  const accept = one(rules.selectors.accept)
    || buttons.find((el) => el !== refuse && pattern(rules.accept).test(caption(el)))
    || buttons.find((el) => el !== refuse && submits(el)) || null;
  return {username, password, otp, submit, accept, refuse, fresh, buttons, inputs};
};
"""

LOOK = (
    "async ([rules, before, patience]) => {"
    + _FIND
    + r"""
  if (document.readyState === 'loading')
    await new Promise((done) => document.addEventListener('DOMContentLoaded', done, {once: true}));
  const text = (el) => (el.innerText || '').trim();
  const times = performance.getEntriesByType('navigation')[0] || {};
  const timing = {
    'browser.connect_ms': Math.round(times.connectEnd - times.connectStart) || 0,
    'browser.wait_ms': Math.round(times.responseStart - times.requestStart) || 0,
    'browser.dom_ms': Math.round(times.domInteractive - times.responseStart) || 0,
  };
  const facts = () => {
    const found = find(rules);
    window[KEPT] = found;
    const alerts = [...document.querySelectorAll(rules.alerts)].filter(shown).map(text).filter(Boolean);
    const headings = [document.title, ...[...document.querySelectorAll('h1, h2, h3, legend')].filter(shown).map(text)];
    const hidden = [...document.querySelectorAll('input[type=hidden]')].filter((el) => el.value.length < 40);
    const marks = [...[...document.forms].map((form) => form.getAttribute('action') || ''),
      ...hidden.map((el) => `${el.name}=${el.value}`)];
    const fields = ['username', 'password', 'otp', 'accept', 'refuse'].filter((role) => found[role]);
    const invalid = found.inputs.some((el) => el.getAttribute('aria-invalid') === 'true');
    const heading = headings.join(' | ').slice(0, 600);
    return {
      document: performance.timeOrigin, shape: [...fields.slice(0, 3), found.fresh, heading].join(), fields, invalid, heading,
      new_password: found.fresh, controls: found.buttons.length + found.inputs.length,
      alerts: alerts.join(' | ').slice(0, 600), marks: marks.join(' ').slice(0, 1000),
      text: text(document.body || document.documentElement).slice(0, 4000), timing,
    };
  };
  const fresh = (now) => !before || now.document !== before.document || now.shape !== before.shape
    || now.alerts !== before.alerts || now.invalid !== before.invalid;
  let now = facts();
  if (fresh(now) && now.controls) return now;
  return await new Promise((done) => {
    let timer = 0;
    const end = () => { observer.disconnect(); clearTimeout(timer); clearTimeout(limit); done(now); };
    // A page that builds itself changes in bursts: judge it when it has been quiet for a moment.
    const wait = (quiet) => {
      clearTimeout(timer);
      timer = setTimeout(() => { now = facts(); if (fresh(now) && (now.controls || now.text)) end(); }, quiet);
    };
    const observer = new MutationObserver(() => wait(document.querySelector('input, button') ? 80 : 400));
    observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
    const limit = setTimeout(() => { now = facts(); end(); }, patience);
    wait(250);
  });
}"""
)
"""Facts about the page, as soon as it shows something new. Arguments: rules, the facts seen before or null, and for how
many milliseconds to wait for a change."""

ACT = (
    "([values, press]) => {"
    + r"""
  const KEPT = Symbol.for('oidcwatch');
  const found = window[KEPT] || {};
  const type = (el, value) => {
    // The native setter: frameworks that track `value` notice the change only then.
    const kind = el instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
    el.focus();
    Object.getOwnPropertyDescriptor(kind.prototype, 'value').set.call(el, value);
    el.dispatchEvent(new Event('input', {bubbles: true}));
    el.dispatchEvent(new Event('change', {bubbles: true}));
  };
  let form = null;
  for (const [role, value] of Object.entries(values)) {
    if (!found[role]) return false;
    type(found[role], value);
    form = found[role].form;
  }
  const button = found[press];
  if (button) button.click();
  else if (form) form.requestSubmit();
  else return false;
  return true;
}"""
)
"""Types values into the fields of the last look and presses one of its buttons; false when something is missing."""
