"""`profiles.json`: what each client was seen to send, as a document. Pure but for reading and writing it."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from conformance.errors import ClientError
from conformance.files import write_atomically
from conformance.schemas import first_error
from conformance.schemas.documents import ClientProfile, ClientRequest, ProfilesDocument

SCHEMA_VERSION = 1
#: Where the captured profiles lie in a checkout.
FILE = Path(str(resources.files("conformance.clients"))) / "profiles.json"

_MEND = "restore the file, or delete it and capture the clients anew"


def load_profiles(path: Path = FILE) -> ProfilesDocument:
    """The captured profiles. Raises `ClientError` where the file cannot be read or is no such document."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ClientError(f"cannot read the profiles {path} ({why}); {_MEND}") from None
    wrong = first_error("profiles", document)
    if wrong:
        raise ClientError(f"{path} is no file of profiles ({wrong}); {_MEND}")
    found: ProfilesDocument = document
    return found


def profiles_before(path: Path) -> ProfilesDocument:
    """The profiles that a capture into `path` renews: those that are there, or the shipped ones in a new file.

    Raises `ClientError` where a file cannot be read.
    """
    return load_profiles(path if path.exists() else FILE)


@functools.cache
def shipped_profiles() -> ProfilesDocument:
    """The captured profiles that come with the package, read once."""
    return load_profiles()


def write_profiles(path: Path, document: ProfilesDocument) -> None:
    """Write the profiles, a request on each line, so that a difference between two captures can be read.

    Raises `ClientError` where they cannot be written.
    """
    wrong = first_error("profiles", document)
    if wrong:
        raise ClientError(f"the capture makes no valid profiles: {wrong}")
    try:
        write_atomically(path, as_text(document))
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> ClientError:
    """Profiles that cannot be written, as one line."""
    return ClientError(f"cannot write the profiles to {path} ({error.strerror}); name another file with --out")


def as_text(document: ProfilesDocument) -> str:
    """The document as it is written."""
    profiles = ",\n".join(map(_profile_text, document["profiles"]))
    head = {name: document[name] for name in ("schema_version", "families")}
    return f'{json.dumps(head)[:-1]}, "profiles": [\n{profiles}\n]}}\n'


def _profile_text(profile: ClientProfile) -> str:
    head = {name: value for name, value in profile.items() if name != "requests"}
    requests = ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in profile["requests"])
    return f' {json.dumps(head, ensure_ascii=False)[:-1]}, "requests": [\n  {requests}\n ]}}'


def joined(requests: Iterable[ClientRequest]) -> list[ClientRequest]:
    """Requests that differ in nothing but the family, as one that names all of their families."""
    found: dict[str, ClientRequest] = {}
    for each in requests:
        same = json.dumps({name: value for name, value in each.items() if name not in ("families", "turn")})
        if same in found:
            families = found[same]["families"]
            families += [family for family in each["families"] if family not in families]
        else:
            found[same] = each
    return list(found.values())


def renewed(
    old: ProfilesDocument | None, new: Sequence[ClientProfile], *, order: Sequence[str], families: Mapping[str, str]
) -> ProfilesDocument:
    """The document with these profiles in place of older ones of the same clients, in the order of the recipes."""
    profiles = {each["client"]: each for each in (*(old["profiles"] if old else ()), *new)}
    kept = [profiles[name] for name in order if name in profiles]
    return {"schema_version": SCHEMA_VERSION, "families": dict(families), "profiles": kept}
