"""One certificate instead of the authorities: how a node is recognised, whatever is asked of it."""

import ssl


def pinned(certificate: str) -> ssl.SSLContext:
    """Trusts exactly this one certificate, whatever name it bears. Raises ValueError for anything but one PEM."""
    if certificate.count("-----BEGIN CERTIFICATE-----") != 1:
        raise ValueError("exactly one certificate in PEM is needed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Whoever holds the key of this one certificate is the node; its name or address may change.
    context.check_hostname = False
    # The pinned certificate may be a leaf: it need not be able to sign itself.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=certificate)
    except ssl.SSLError as error:
        raise ValueError("the certificate is no valid PEM") from error
    return context
