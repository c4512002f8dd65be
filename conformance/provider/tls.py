"""Whom to trust: the private authority that a setting names, in place of the public ones."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from conformance.provider.errors import TargetError

#: Variables that name a file or a folder of certificates, the first that is set wins. httpx reads the first two alone,
#: and neither for an address on this machine.
VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


def verification(ca_bundle: str | None = None, environ: Mapping[str, str] | None = None) -> ssl.SSLContext | bool:
    """What an HTTP client takes for `verify`: a context with the authorities named, or True for its own.

    `ca_bundle` goes before the environment. Raises `TargetError` for a file that holds no certificates.
    """
    environ = os.environ if environ is None else environ
    named = ((name, environ.get(name, "")) for name in VARIABLES)
    for name, path in (("--ca-bundle", ca_bundle or ""), *named):
        if path:
            return _trusting(name, path)
    return True


def _trusting(name: str, path: str) -> ssl.SSLContext:
    folder = Path(path).is_dir()
    try:
        return ssl.create_default_context(capath=path) if folder else ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise TargetError(f"{name} names {path}, which holds no certificate; give a PEM file") from None
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is not a path"
        raise TargetError(f"{name} names {path}, which cannot be read ({why}); give a PEM file") from None
