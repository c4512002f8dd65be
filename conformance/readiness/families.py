"""Which of a client's requests it would send to a model. Clients send other fields for other names. Pure."""

from __future__ import annotations

from conformance.schemas.documents import ClientProfile, ClientRequest, ProfilesDocument

#: The family of models that a client knows nothing about.
UNKNOWN = "unknown"


def family_of(document: ProfilesDocument, model: str) -> str:
    """The family that a model's name belongs to, or `unknown`."""
    return next((family for family in document["families"] if family in model), UNKNOWN)


def requests_for(profile: ClientProfile, family: str) -> tuple[str, list[ClientRequest]]:
    """A client's requests for a family, and the family that they were captured for.

    That is `unknown` where the client was not seen to ask this family: it treats such models as any other.
    """
    for name in dict.fromkeys((family, UNKNOWN)):
        if found := [each for each in profile["requests"] if name in each["families"]]:
            return name, found
    return family, []
