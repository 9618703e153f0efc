"""The one place that turns exceptions into reasons."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import httpcore
import httpx
from jwt import exceptions as jwt_errors

from probes.model import ProbeFailure, Reason

_R = Reason

# Looked up along the class's ancestry, so a subclass that a later version brings still has a reason. A test names
# every exception class of httpx, httpcore and PyJWT that falls through to the last row.
BY_CLASS: Mapping[type[BaseException], Reason] = MappingProxyType(
    {
        TimeoutError: _R.TIMEOUT,
        # httpx. PoolTimeout and StreamError can only come from how we use the library.
        httpx.TimeoutException: _R.TIMEOUT,
        httpx.PoolTimeout: _R.PROBE_ERROR,
        httpx.StreamError: _R.PROBE_ERROR,
        httpx.ConnectError: _R.CONNECT_FAILURE,
        httpx.NetworkError: _R.CONNECT_FAILURE,
        httpx.ProxyError: _R.CONNECT_FAILURE,  # the proxy was reached and could not connect onwards
        httpx.ProtocolError: _R.BAD_RESPONSE,  # LocalProtocolError too: it is a URL or token of theirs that cannot be sent
        httpx.UnsupportedProtocol: _R.BAD_RESPONSE,
        httpx.TransportError: _R.CONNECT_FAILURE,
        httpx.DecodingError: _R.BAD_RESPONSE,
        httpx.TooManyRedirects: _R.BAD_RESPONSE,
        httpx.HTTPStatusError: _R.BAD_RESPONSE,
        httpx.RequestError: _R.CONNECT_FAILURE,
        httpx.HTTPError: _R.BAD_RESPONSE,
        httpx.InvalidURL: _R.BAD_RESPONSE,  # URLs come from the provider's metadata; ours were read with the configuration
        httpx.CookieConflict: _R.BAD_RESPONSE,
        # httpcore, should one get past httpx.
        httpcore.TimeoutException: _R.TIMEOUT,
        httpcore.PoolTimeout: _R.PROBE_ERROR,
        httpcore.NetworkError: _R.CONNECT_FAILURE,
        httpcore.ProxyError: _R.CONNECT_FAILURE,
        httpcore.ProtocolError: _R.BAD_RESPONSE,
        httpcore.UnsupportedProtocol: _R.BAD_RESPONSE,
        httpcore.ConnectionNotAvailable: _R.PROBE_ERROR,
        # PyJWT.
        jwt_errors.InvalidSignatureError: _R.SIGNATURE_INVALID,
        jwt_errors.InvalidAlgorithmError: _R.ALG_NOT_ALLOWED,
        jwt_errors.ExpiredSignatureError: _R.TOKEN_EXPIRED,
        jwt_errors.ImmatureSignatureError: _R.TOKEN_NOT_YET_VALID,
        jwt_errors.InvalidIssuedAtError: _R.TOKEN_NOT_YET_VALID,
        jwt_errors.InvalidIssuerError: _R.ISSUER_MISMATCH,
        jwt_errors.InvalidAudienceError: _R.AUDIENCE_MISMATCH,
        jwt_errors.MissingRequiredClaimError: _R.CLAIM_INVALID,
        jwt_errors.InvalidSubjectError: _R.CLAIM_INVALID,
        jwt_errors.InvalidJTIError: _R.CLAIM_INVALID,
        jwt_errors.MissingCryptographyError: _R.PROBE_ERROR,
        jwt_errors.PyJWKClientConnectionError: _R.CONNECT_FAILURE,
        jwt_errors.PyJWKClientError: _R.KID_UNKNOWN,
        jwt_errors.InvalidKeyError: _R.JWKS_INVALID,
        jwt_errors.PyJWKError: _R.JWKS_INVALID,
        jwt_errors.PyJWKSetError: _R.JWKS_INVALID,
        jwt_errors.InvalidTokenError: _R.BAD_RESPONSE,
        jwt_errors.PyJWTError: _R.BAD_RESPONSE,
        # The operating system, should an error get past all of them.
        ssl.SSLError: _R.TLS_INVALID,
        socket.gaierror: _R.DNS_FAILURE,
        ConnectionError: _R.CONNECT_FAILURE,
    }
)

_PROXY_FOUND_NOBODY = ("5", "Proxy Server could not connect")
"""How httpcore begins when CONNECT got a 5xx or SOCKS a reply other than success; all else (401 and 407 for a wrong
password, 403, a proxy that wants another method) is between our proxy and us."""
_OUR_NETWORK = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
"""No route from here at all: it says nothing about the provider."""
_OURSELVES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC})


def classify(error: BaseException) -> ProbeFailure:
    """The failure that an exception means; what nobody knows is probe_error, our own fault until shown otherwise."""
    if isinstance(error, ProbeFailure):
        return error
    if type(error).__module__.startswith("playwright."):
        return _of_browser(error)
    reason = _by_class(error)
    if reason in (Reason.CONNECT_FAILURE, Reason.TLS_INVALID, Reason.PROBE_ERROR, Reason.DNS_FAILURE):
        reason = _by_origin(error) or reason
    return ProbeFailure(reason or Reason.PROBE_ERROR, _text(error))


def _by_class(error: BaseException) -> Reason | None:
    return next((BY_CLASS[ancestor] for ancestor in type(error).__mro__ if ancestor in BY_CLASS), None)


def _by_origin(error: BaseException) -> Reason | None:
    """What the operating system said at the bottom of the chain: httpx wraps name, TLS and socket errors alike."""
    if isinstance(error, httpx.ProxyError):
        return None if str(error).startswith(_PROXY_FOUND_NOBODY) else Reason.PROBE_ERROR
    for cause in _chain(error):
        if isinstance(cause, socket.gaierror | UnicodeError):
            return Reason.DNS_FAILURE
        if isinstance(cause, ssl.SSLError):
            return Reason.TLS_INVALID
        if isinstance(cause, OSError) and cause.errno in _OUR_NETWORK | _OURSELVES:
            return Reason.PROBE_ERROR
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _of_browser(error: BaseException) -> ProbeFailure:
    """Asks the browser's own table, loaded only now: an agent without browser checks never loads Playwright.

    The error's own text is not used: it quotes what was typed.
    """
    from playwright.async_api import Error

    from probes.browser_errors import reason_of, summary_of

    if not isinstance(error, Error):
        return ProbeFailure(Reason.PROBE_ERROR, type(error).__name__)
    return ProbeFailure(reason_of(error) or Reason.PROBE_ERROR, summary_of(error))


def _text(error: BaseException) -> str:
    described = str(error).strip() or type(error).__name__
    name = "" if isinstance(error, TimeoutError) else f"{type(error).__name__}: "
    return f"{name}{described}"[:500]
