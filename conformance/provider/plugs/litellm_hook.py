"""The name under which `config.yaml` switches the hook on: `conformance.provider.plugs.litellm_hook.hook`."""

from conformance.provider.integrations.litellm_hook import ConformanceHook, hook

__all__ = ["ConformanceHook", "hook"]
