"""The public addresses of the portal's tree, in the order in which they are tried."""

from __future__ import annotations

from urllib.parse import quote

#: The public copy of the tree (AWS open data), then the portal itself, whose project has ended.
#: Each is (base of the tree, base of paths that begin with ``public/``): the portal served
#: these from its host's root, not from below ``nmc-portal``.
PORTAL_MIRRORS = (
    (
        "https://openbluebrain.s3.amazonaws.com/Portals/nmc-portal/",
        "https://openbluebrain.s3.amazonaws.com/Portals/nmc-portal/",
    ),
    ("https://bbp.epfl.ch/nmc-portal/", "https://bbp.epfl.ch/"),
)


def portal_addresses(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses of a file under every mirror, given its paths in the tree."""
    return tuple(
        join(public if path.startswith("public/") else base, path)
        for base, public in PORTAL_MIRRORS
        for path in paths
    )


def join(base: str, path: str) -> str:
    """Return the address of a path below a base, percent-encoded where it must be."""
    return f"{base.rstrip('/')}/{quote(path, safe='/:-_.~')}"
