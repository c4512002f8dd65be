"""The atlas: what each LiteLLM release does with each parameter, by route and upstream model.

`releases` finds the releases, `measuring` measures one of them over the wide fleet, `history` keeps what was
measured as ranges of releases, and `evidence` the exchanges behind each change.
"""

from __future__ import annotations

from pathlib import Path

#: Where the shipped atlas lies.
SHIPPED = Path(__file__).parent / "data"
