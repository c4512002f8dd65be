"""The shim: the provider's filter and repair between any client and any gateway, on loopback.

For those who can change neither. `python -m conformance shim` runs it. What decides is `provider.transport`; here
bytes are passed on, as they came. `command` can be imported without the extra `shim`; the rest needs it.
"""
