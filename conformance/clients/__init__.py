"""What real clients put on the wire: the recipes to run them, and the profiles captured from them.

`clients.toml` says how each client is installed and run. `profiles.json` holds what each was seen to
send. `python -m conformance clients capture` makes the second from the first.
"""

from conformance.clients.profiles import load_profiles

__all__ = ["load_profiles"]
