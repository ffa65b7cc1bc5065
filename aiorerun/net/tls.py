"""TLS settings for the client's and the server's side of a connection."""

from __future__ import annotations

import ssl
from os import PathLike, fspath
from typing import Final, TypeAlias

ClientTls: TypeAlias = "ssl.SSLContext | str | PathLike[str] | None"
"""A context, or a file with certificates to trust (PEM), or ``None`` for those that the system trusts."""

ServerTls: TypeAlias = "ssl.SSLContext | tuple[str | PathLike[str], str | PathLike[str]] | None"
"""A context, or the files with the certificate and its key (PEM), or ``None`` for no TLS."""

_HTTP2: Final = "h2"
_HTTP1: Final = "http/1.1"


def client_context(tls: ClientTls = None) -> ssl.SSLContext:
    """The context that servers are connected to with.

    A context that is passed in is set to offer HTTP/2, and otherwise left as it is. Reads files, so it does
    not belong on the event loop.

    Raises:
        OSError: A file is missing or holds no certificate.
    """
    if isinstance(tls, ssl.SSLContext):
        context = tls
    else:
        context = ssl.create_default_context(cafile=None if tls is None else fspath(tls))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([_HTTP2])
    return context


def server_context(tls: ServerTls) -> ssl.SSLContext | None:
    """The context that clients are served with; ``None`` for no TLS.

    A context that is passed in is set to accept HTTP/2 and HTTP/1.1, and otherwise left as it is. Reads
    files, so it does not belong on the event loop.

    Raises:
        OSError: A file is missing or holds no certificate or key.
    """
    if tls is None:
        return None
    if isinstance(tls, ssl.SSLContext):
        context = tls
    else:
        certificate, key = tls
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(fspath(certificate), fspath(key))
    context.set_alpn_protocols([_HTTP2, _HTTP1])
    return context
