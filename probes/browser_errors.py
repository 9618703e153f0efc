"""The one table from what Chromium and Playwright report to why a run failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from playwright.async_api import Error, TimeoutError

from probes.model import Reason

_R = Reason

# Names are those of Chromium's net/base/net_error_list.h. A name that ends in `*` stands for every code with that start.
NET_ERRORS: Mapping[str, Reason] = MappingProxyType(
    {
        "ERR_NAME_NOT_RESOLVED": _R.DNS_FAILURE,
        "ERR_NAME_RESOLUTION_FAILED": _R.DNS_FAILURE,
        "ERR_DNS_*": _R.DNS_FAILURE,
        "ERR_ICANN_NAME_COLLISION": _R.DNS_FAILURE,
        "ERR_CONNECTION_REFUSED": _R.CONNECT_FAILURE,
        "ERR_CONNECTION_RESET": _R.CONNECT_FAILURE,
        "ERR_CONNECTION_CLOSED": _R.CONNECT_FAILURE,
        "ERR_CONNECTION_ABORTED": _R.CONNECT_FAILURE,
        "ERR_CONNECTION_FAILED": _R.CONNECT_FAILURE,
        "ERR_ADDRESS_UNREACHABLE": _R.CONNECT_FAILURE,
        "ERR_ADDRESS_INVALID": _R.CONNECT_FAILURE,
        "ERR_SOCKET_NOT_CONNECTED": _R.CONNECT_FAILURE,
        # The proxy stands where the provider would: it was reached and could not connect onwards.
        "ERR_TUNNEL_CONNECTION_FAILED": _R.CONNECT_FAILURE,
        "ERR_SOCKS_CONNECTION_FAILED": _R.CONNECT_FAILURE,
        "ERR_SOCKS_CONNECTION_HOST_UNREACHABLE": _R.CONNECT_FAILURE,
        "ERR_TIMED_OUT": _R.TIMEOUT,
        "ERR_CONNECTION_TIMED_OUT": _R.TIMEOUT,
        "ERR_CERT_*": _R.TLS_INVALID,
        "ERR_CERTIFICATE_*": _R.TLS_INVALID,
        "ERR_SSL_*": _R.TLS_INVALID,
        "ERR_BAD_SSL_CLIENT_AUTH_CERT": _R.TLS_INVALID,
        "ERR_ECH_*": _R.TLS_INVALID,
        "ERR_EMPTY_RESPONSE": _R.BAD_RESPONSE,
        "ERR_INVALID_RESPONSE": _R.BAD_RESPONSE,
        "ERR_INVALID_HTTP_RESPONSE": _R.BAD_RESPONSE,
        "ERR_INVALID_CHUNKED_ENCODING": _R.BAD_RESPONSE,
        "ERR_INCOMPLETE_CHUNKED_ENCODING": _R.BAD_RESPONSE,
        "ERR_CONTENT_LENGTH_MISMATCH": _R.BAD_RESPONSE,
        "ERR_CONTENT_DECODING_FAILED": _R.BAD_RESPONSE,
        "ERR_RESPONSE_*": _R.BAD_RESPONSE,
        "ERR_HTTP_RESPONSE_CODE_FAILURE": _R.BAD_RESPONSE,
        "ERR_HTTP2_*": _R.BAD_RESPONSE,
        "ERR_QUIC_*": _R.BAD_RESPONSE,
        "ERR_TOO_MANY_REDIRECTS": _R.BAD_RESPONSE,
        "ERR_INVALID_REDIRECT": _R.BAD_RESPONSE,
        "ERR_UNSAFE_REDIRECT": _R.BAD_RESPONSE,
        "ERR_UNKNOWN_URL_SCHEME": _R.BAD_RESPONSE,
        "ERR_DISALLOWED_URL_SCHEME": _R.BAD_RESPONSE,
        "ERR_UNSAFE_PORT": _R.BAD_RESPONSE,
        "ERR_BLOCKED_BY_CSP": _R.BAD_RESPONSE,
        "ERR_BLOCKED_BY_RESPONSE": _R.BAD_RESPONSE,
        # The guard refused a host that the check does not allow: the provider sent the browser somewhere else.
        "ERR_BLOCKED_BY_CLIENT": _R.BAD_RESPONSE,
        "ERR_FAILED": _R.BAD_RESPONSE,
        # From here on it is our own machine, network, proxy or browser.
        "ERR_INTERNET_DISCONNECTED": _R.PROBE_ERROR,
        "ERR_NETWORK_CHANGED": _R.PROBE_ERROR,
        "ERR_NETWORK_ACCESS_DENIED": _R.PROBE_ERROR,
        "ERR_NETWORK_IO_SUSPENDED": _R.PROBE_ERROR,
        "ERR_PROXY_*": _R.PROBE_ERROR,
        "ERR_NO_SUPPORTED_PROXIES": _R.PROBE_ERROR,
        "ERR_MANDATORY_PROXY_CONFIGURATION_FAILED": _R.PROBE_ERROR,
        "ERR_INSUFFICIENT_RESOURCES": _R.PROBE_ERROR,
        "ERR_OUT_OF_MEMORY": _R.PROBE_ERROR,
        "ERR_ACCESS_DENIED": _R.PROBE_ERROR,
        "ERR_INVALID_URL": _R.PROBE_ERROR,
        "ERR_ABORTED": _R.PROBE_ERROR,
    }
)

# What Playwright says when the browser, the tab or its own driver is gone.
_OURS = re.compile(
    r"target (?:page, context or browser )?(?:has been )?(?:closed|crashed)|page crashed|"
    r"browser (?:has been )?(?:closed|disconnected)|"
    r"connection closed|failed to launch|executable doesn't exist|websocket (?:error|closed)",
    re.IGNORECASE,
)
_AFTER_PATH = re.compile(r"(?<=\S)[?#][^\s\"']+")
_CODE = re.compile(r"net::(ERR_[A-Z0-9_]+)")


def reason_of_code(code: str) -> Reason | None:
    """The reason of a code such as `ERR_CERT_DATE_INVALID` (with or without `net::`), or None when it is unknown."""
    code = code.removeprefix("net::")
    if code in NET_ERRORS:
        return NET_ERRORS[code]
    starts = (reason for name, reason in NET_ERRORS.items() if name.endswith("*") and code.startswith(name[:-1]))
    return next(starts, None)


def reason_of(error: Error) -> Reason | None:
    """Why a run fails that ended in this Playwright error; None when the message says nothing that is known."""
    message = error.message
    if found := _CODE.search(message):
        return reason_of_code(found[1])
    if _OURS.search(message):
        return Reason.PROBE_ERROR
    if isinstance(error, TimeoutError):
        return Reason.TIMEOUT
    return None


def summary_of(error: Error) -> str:
    """The first line of the message, its URLs without query and fragment.

    What follows the first line is Playwright's call log, which quotes what was typed; a URL may hold a code.
    """
    line = error.message.partition("\n")[0].strip()
    return _AFTER_PATH.sub("", line)[:300] or type(error).__name__
