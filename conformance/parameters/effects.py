"""Observable effects by name: what an answer shows of a parameter. Pure.

An observer compares the probe's answer with its baseline's, in the light of what the probe sent
besides. It returns whether the effect was seen (True), must have shown and did not (False), or
cannot be told from these two (None), and a clause that says what was looked at. What the baseline
shows as well proves nothing. No observer raises, whatever JSON an answer holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from conformance.answers.reading import Answer
from conformance.parameters import _reading as reading
from conformance.parameters._reading import Json


class Observation(NamedTuple):
    """Whether an effect was seen, and what was looked at to tell."""

    seen: bool | None
    what: str


class Echoed(Observation):
    """An observation of what the answer repeats of the request, which a gateway can write by itself."""


#: Takes the parameter's body on its endpoint, the probe's answer and the baseline's.
Observer = Callable[[Json, Answer, Answer], Observation]


def echo(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """A Responses object repeats the request's settings: the values sent, others, or none.

    A setting that is left out says nothing, and neither does a null that is there unasked as well:
    LiteLLM writes one wherever an upstream says nothing.
    """
    if probe.result is None:
        return Echoed(None, "the answer holds no object to look at")
    leaves = list(reading.leaves(sent))
    shown = [(path, value, reading.shown(probe.result, path)) for path, value in leaves]
    for path, value, found in shown:
        if found is None and reading.shown(baseline.result, path) in (None, reading.ABSENT):
            return Echoed(None, f"the answer shows {reading.quoted(path, found)}, as it does unasked")
        if found is not reading.ABSENT and not reading.same(found, value):
            return Echoed(False, f"the answer shows {reading.quoted(path, found)}")
    for path, _, found in shown:
        if found is reading.ABSENT:
            return Echoed(None, f"the answer does not show `{reading.dotted(path)}`")
    what = "the answer shows " + " and ".join(reading.quoted(path, found) for path, _, found in shown)
    if all(reading.same(reading.shown(baseline.result, path), value) for path, value in leaves):
        return Echoed(None, f"{what}, as it does unasked")
    return Echoed(True, what)


def kept(sent: Json, fetched: Answer, baseline: Answer) -> Observation:
    """What was asked to be stored can be fetched by its id, and what was asked not to be cannot."""
    wanted, there, before = sent.get("store") is not False, fetched.ok, baseline.ok
    if not there and fetched.status != NOT_FOUND:
        return Observation(None, "whether it was stored cannot be told")
    what = f"the answer can{'' if there else 'not'} be fetched by its id"
    if there is not wanted:
        return Observation(False if before else None, what)
    return Observation(None, f"{what}, as it can unasked") if there is before else Observation(True, what)


NOT_FOUND = 404


def recalled(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """What was said before counts as input again."""
    counts = [reading.count(reading.usage(answer), ("input_tokens",)) for answer in (probe, baseline)]
    told, before = counts
    if told is None or before is None:
        return Observation(None, "the answer does not count its input")
    what = f"the answer counts {told} tokens of input, and {before} without an answer before it"
    return Observation(told > before, what)


def looked_up(_sent: Json, _probe: Answer, _baseline: Answer) -> Observation:
    """Whoever looks for an id that nothing has cannot answer."""
    return Observation(False, "there is an answer, though nothing has the id that was sent: nobody looked for it")


def strict(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """A Responses object repeats its tools, and whether their arguments have to fit the schema."""
    path = ("tools", 0, "strict")
    wanted, shown, before = (reading.dig(value, path) for value in (sent, probe.result, baseline.result))
    if not isinstance(shown, bool):
        return Echoed(None, "the answer does not show how strictly its tools were taken")
    what = f"the answer shows {reading.quoted(('strict',), shown)} for the tool"
    if shown is not wanted:
        return Echoed(False, what)
    return Echoed(None, f"{what}, as it does unasked") if before is wanted else Echoed(True, what)


def tier(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """An answer names the service tier that gave it, where its vendor has tiers."""
    wanted, shown, before = (reading.dig(value, ("service_tier",)) for value in (sent, probe.result, baseline.result))
    if not isinstance(shown, str):
        return Observation(None, "the answer does not say which service tier gave it")
    what = f"the answer came from the service tier {reading.short(shown)}"
    if shown != wanted:
        return Observation(False, what)
    return Observation(None, f"{what}, as it does unasked") if before == wanted else Observation(True, what)


def usage(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """A stream ends with its token counts, where they are asked for."""
    if not reading.usage(probe):
        return Observation(False, "the stream holds no token counts")
    if reading.usage(baseline):
        return Observation(None, "the stream holds token counts, as it does unasked")
    return Observation(True, "the stream holds token counts")


def cap(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """An answer that would be longer ends at the cap, and says so."""
    limit = reading.count(sent, tuple(sent))
    words = max((len(text.split()) for text in reading.texts(probe)), default=0)
    if limit is None:
        return Observation(None, "no cap was sent")
    if words > limit:  # a word is at least a token
        return Observation(False, f"the answer runs on to {words} words, past a cap of {limit} tokens")
    if not reading.cut(probe):
        return Observation(None, "the answer ended by itself")
    spent, before = reading.spent(probe), reading.spent(baseline)
    if not reading.cut(baseline) or (spent is not None and before is not None and spent <= limit < before):
        return Observation(True, f"the answer was cut at the cap of {limit} tokens")
    return Observation(None, "the answer was cut, as it is without this cap")


def choices(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """As many choices as were asked for."""
    wanted, count, before = sent.get("n"), len(reading.choices(probe)), len(reading.choices(baseline))
    what = f"the answer holds {count} choice{'' if count == 1 else 's'}"
    if count != wanted and not any(reading.texts(probe)) and not reading.calls(probe):
        return Observation(None, f"{what}, and no word in it")
    if count != wanted:
        return Observation(False, f"{what}, not {reading.short(wanted)}")
    return Observation(None, f"{what}, as it does unasked") if before == wanted else Observation(True, what)


def logprobs(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """Every token of the text comes with its log probability."""
    if reading.logprobs(probe):
        seen = None if reading.logprobs(baseline) else True
        return Observation(seen, f"the answer holds log probabilities{', as it does unasked' if seen is None else ''}")
    if not any(reading.texts(probe)):
        return Observation(None, "the answer holds no text to have log probabilities")
    return Observation(False, "the answer holds text without log probabilities")


def top_logprobs(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """Log probabilities come with as many alternatives as were asked for."""
    wanted, shown, before = (
        reading.count(sent, ("top_logprobs",)),
        reading.alternatives(probe),
        reading.alternatives(baseline),
    )
    if not reading.logprobs(probe) or wanted is None:
        return Observation(None, "the answer holds no log probabilities")
    what = f"the log probabilities come with {shown} alternatives"
    if shown == 0:
        return Observation(False, "the log probabilities come without alternatives")
    if shown < wanted:
        return Observation(None, f"{what}, not {wanted}")
    return Observation(None, f"{what}, as they do unasked") if before >= wanted else Observation(True, what)


def stop(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """The text ends where it would have come to a stop sequence. Some vendors keep the sequence itself."""
    given = sent.get("stop", sent.get("stop_sequences"))
    sequences = [each for each in (given if isinstance(given, list) else [given]) if isinstance(each, str) and each]
    text, before = next(iter(reading.texts(probe)), ""), next(iter(reading.texts(baseline)), "")
    name = " or ".join(reading.short(each) for each in sequences)
    rest = min((text[text.find(each) + len(each) :] for each in sequences if each in text), key=len, default="")
    if rest.strip():
        return Observation(False, f"the answer goes on after {name}")
    if reading.cut(probe) or not any(each in before for each in sequences):
        return Observation(None, f"the answer does not come to {name}, asked or unasked")
    return Observation(True, f"the answer ends before {name}")


def json_text(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """The text is a JSON object, and fits the schema where one was sent."""
    schema = reading.schema(sent)
    kind = "JSON object" if schema is None else "JSON value of the schema"
    text, before = next(iter(reading.texts(probe)), ""), next(iter(reading.texts(baseline)), "")
    if reading.cut(probe) or not text:
        return Observation(None, "the answer holds no whole text")
    if not reading.fits(text, schema):
        return Observation(False, f"the answer is no {kind}")
    return Observation(None if reading.fits(before, schema) else True, f"the answer is a {kind}")


def call(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """A tool is called because it has to be: any, or the one named."""
    choice = sent.get("tool_choice")
    names = [reading.dig(choice, path) for path in (("name",), ("function", "name"))]
    named = next((name for name in names if isinstance(name, str)), None)
    called, before = ([n for n in reading.calls(answer) if named in (None, n)] for answer in (probe, baseline))
    what = "a tool" if named is None else f"`{named}`"
    if called:
        return Observation(None if before else True, f"the answer calls {what}{', as it does unasked' * bool(before)}")
    if reading.cut(probe):
        return Observation(None, "the answer was cut before it could call a tool")
    return Observation(False, f"the answer does not call {what}")


def call_unasked(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """A tool is called, though it need not be."""
    if not reading.calls(probe):
        return Observation(None, "the answer calls no tool, nor does it have to")
    return Observation(None if reading.calls(baseline) else True, "the answer calls a tool")


def one_call(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """One tool call at most, where the baseline makes several."""
    count, before = len(reading.calls(probe)), len(reading.calls(baseline))
    if count > 1:
        return Observation(False, f"the answer makes {count} tool calls at once")
    if count == 1 and before > 1:
        return Observation(True, f"the answer makes 1 tool call, and {before} unasked")
    return Observation(None, f"the answer makes {count} tool calls, and {before} unasked")


def reasoning_on(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """Reasoning shows, as content or as tokens, where the baseline has none. A short prompt may need none."""
    content, before = reading.reasoning(probe), reading.reasoning(baseline)
    tokens, tokens_before = reading.reasoning_tokens(probe), reading.reasoning_tokens(baseline)
    if not content and not tokens:
        return Observation(None, "the answer shows no reasoning")
    if before or tokens_before:
        return Observation(None, "the answer shows reasoning, as it does unasked")
    if content or tokens_before == 0:
        return Observation(True, "the answer shows reasoning, and none unasked")
    return Observation(None, "the answer counts reasoning tokens, and unasked it counts none")


def reasoning_off(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """No reasoning shows where the baseline has some."""
    tokens, tokens_before = reading.reasoning_tokens(probe), reading.reasoning_tokens(baseline)
    if reading.reasoning(probe) or tokens:
        return Observation(False, "the answer shows reasoning all the same")
    if reading.reasoning(baseline) or (tokens == 0 and tokens_before):
        return Observation(True, "the answer shows no reasoning, and some unasked")
    return Observation(None, "the answer shows no reasoning, asked or unasked")


def effort(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """The reasoning level, as a Responses object repeats it, and reasoning itself.

    Some LiteLLM versions write `reasoning: null` and forward the level, so null says nothing here.
    """
    path = ("reasoning", "effort")
    level, shown, before = (reading.dig(value, path) for value in (sent, probe.result, baseline.result))
    itself = (reasoning_off if level == "none" else reasoning_on)(sent, probe, baseline)
    if itself.seen is not None or not isinstance(shown, str):
        return itself
    what = f"the answer shows {reading.quoted(path, shown)}"
    if shown != level:
        return Echoed(False, what)
    return Echoed(None, f"{what}, as it does unasked") if before == level else Echoed(True, what)


def display(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """Thinking comes with its text, or, where it is to be omitted, with none."""
    wanted = reading.dig(sent, ("thinking", "display")) != "omitted"
    shown, before = (
        [bool(block.get("thinking")) for block in reading.blocks(answer, "thinking")] for answer in (probe, baseline)
    )
    if not shown:
        return Observation(None, "the answer holds no thinking")
    what = f"the answer holds thinking {'with' if any(shown) else 'without'} its text"
    if any(shown) is not wanted:
        return Observation(False, what)
    if before and any(before) is wanted:
        return Observation(None, f"{what}, as it does unasked")
    return Observation(True, what)


def edits(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """A message says which edits its context went through, be it none, where it was to be managed."""
    there, before = (isinstance(reading.at(a.result, "context_management"), dict) for a in (probe, baseline))
    if not there:
        return Observation(None, "the answer does not say how its context was managed")
    what = "the answer says how its context was managed"
    return Observation(None, f"{what}, as it does unasked") if before else Observation(True, what)


def counted(_sent: Json, probe: Answer, _baseline: Answer) -> Observation:
    """An answer that counts the tokens of the input, and says nothing else."""
    count = reading.count(probe.result or {}, ("input_tokens",))
    return Observation(
        count is not None, f"the answer counts {count} tokens" if count else "the answer counts no tokens"
    )


def summary(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """Reasoning comes with a summary, or the Responses object says what kind was asked for (`auto` becomes one)."""
    path = ("reasoning", "summary")
    if any(item.get("summary") for item in reading.reasoning_items(probe)):
        seen = not any(item.get("summary") for item in reading.reasoning_items(baseline))
        return Observation(seen or None, f"the answer holds a reasoning summary{', as it does unasked' * (not seen)}")
    shown, before = (reading.dig(answer.result, path) for answer in (probe, baseline))
    if shown is None:
        return Echoed(False, f"the answer shows {reading.quoted(path, shown)}")
    if isinstance(shown, str) and not isinstance(before, str):
        return Echoed(True, f"the answer shows {reading.quoted(path, shown)}")
    return Observation(None, "the answer holds no reasoning summary")


def encrypted_reasoning(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """Each reasoning item comes with its encrypted content."""
    items = reading.reasoning_items(probe)
    if not items:
        return Observation(None, "the answer holds no reasoning to encrypt")
    if not any(item.get("encrypted_content") for item in items):
        return Observation(False, "the answer holds reasoning without its encrypted content")
    before = any(item.get("encrypted_content") for item in reading.reasoning_items(baseline))
    return Observation(None if before else True, "the answer holds reasoning with its encrypted content")


OBSERVERS: Mapping[str, Observer] = {
    "call": call,
    "call_unasked": call_unasked,
    "cap": cap,
    "counted": counted,
    "choices": choices,
    "display": display,
    "echo": echo,
    "edits": edits,
    "effort": effort,
    "encrypted_reasoning": encrypted_reasoning,
    "json": json_text,
    "logprobs": logprobs,
    "one_call": one_call,
    "reasoning_off": reasoning_off,
    "reasoning_on": reasoning_on,
    "recalled": recalled,
    "looked_up": looked_up,
    "stop": stop,
    "stored": echo,
    "strict": strict,
    "summary": summary,
    "tier": tier,
    "top_logprobs": top_logprobs,
    "usage": usage,
}

#: What shows only in answers that are fetched once more; where it does not, the observer above looks.
FETCHED: Mapping[str, Observer] = {"stored": kept}
