"""The provider without any of the packages that it plugs into, as a bare install has it."""

from __future__ import annotations

import json
import subprocess
import sys

ABSENT = ("httpx", "httpx2", "llm", "openai", "pydantic_ai")
#: What the suite needs, and LiteLLM.
SUITES = ("allure_commons", "click", "filelock", "jinja2", "jsonschema_rs", "litellm", "pytest", "rich", "vcr", "xdist")
PROGRAM = f"""
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
import conformance.provider as provider

told = [[name for name in (*{ABSENT}, "asyncio", "pytest") if name in sys.modules]]
ours = provider.LiteLLMProvider("http://127.0.0.1:1", "sk-key")
told.append(ours.model("claude-haiku-4-5").max_tokens)
for ask in (provider.http_client, ours.models, lambda: ours.stream("m", [])):
    try:
        ask()
    except provider.ConformanceError as error:
        told.append(str(error))
print(json.dumps(told))
"""


def test_a_bare_install() -> None:
    """Given no package but the provider, when it is used, then models are known, and one line says what is missing."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)

    loaded, max_tokens, client, models, stream = json.loads(ran.stdout)
    assert loaded == []
    assert max_tokens == 4096
    assert client == models == "neither httpx2 nor httpx is installed; install `litellm-conformance[provider]`"
    assert stream == "streaming needs the OpenAI SDK 3; install `litellm-conformance[provider]`"


HOOKED = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT + SUITES}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
from conformance.provider.plugs.litellm_hook import hook

print(type(hook).__name__)
"""


def test_the_hook_needs_no_package_of_the_suite() -> None:
    """Given an environment with none of the suite's packages, when LiteLLM looks the hook up, then it is there."""
    ran = subprocess.run([sys.executable, "-c", HOOKED], capture_output=True, text=True, timeout=60, check=True)

    assert (ran.stdout, ran.stderr) == ("ConformanceHook\n", "")
