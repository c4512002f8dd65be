"""Which of a client's requests it would send to a model. Clients send other fields for other names. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from conformance.schemas.documents import ClientProfile, ClientRequest, ProfilesDocument

#: The family of models that a client knows nothing about.
UNKNOWN = "unknown"


def families_of(document: ProfilesDocument, model: str) -> tuple[str, ...]:
    """The families that a model's name belongs to, the narrowest first and `unknown` last."""
    return (*(family for family in document["families"] if family in model), UNKNOWN)


def family_of(document: ProfilesDocument, model: str) -> str:
    """The narrowest family that a model's name belongs to, or `unknown`."""
    return families_of(document, model)[0]


def requests_for(profile: ClientProfile, families: Sequence[str]) -> tuple[str, list[ClientRequest]]:
    """A client's requests for the first of these families that it was captured for, and that family.

    A client that was not seen to ask a family treats its models as those of the wider one, or as any other.
    """
    for name in families:
        if found := [each for each in profile["requests"] if name in each["families"]]:
            return name, found
    return families[0], []


def requests_to(document: ProfilesDocument, model: str) -> Iterator[ClientRequest]:
    """What all clients send to a model of this name, each request once."""
    families, seen = families_of(document, model), set()
    for profile in document["profiles"]:
        for each in requests_for(profile, families)[1]:
            text = json.dumps([each["endpoint"], each["body"]], sort_keys=True)
            if text not in seen:
                seen.add(text)
                yield each
