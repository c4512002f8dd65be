/**
 * One request to the gateway: Pi's own OpenAI streams, filtered on the way out, mended where they are refused,
 * explained on the way back.
 *
 * Pi knows our models by an api name of our own, so that no other provider's streams change. Each
 * request is handed on with the api of the wire that is known to work for its model.
 */

import {
  createAssistantMessageEventStream,
  streamSimpleOpenAICompletions,
  streamSimpleOpenAIResponses,
} from "@mariozechner/pi-ai";
import type {
  Api,
  AssistantMessage,
  AssistantMessageEventStream,
  Context,
  Model,
  SimpleStreamOptions,
} from "@mariozechner/pi-ai";
import { tidied } from "./endings.ts";
import { explain } from "./errors.ts";
import type { Gateway } from "./gateway.ts";
import { isObject } from "./json.ts";
import type { Ledger } from "./ledger.ts";
import { Outgoing } from "./mending.ts";
import { withoutSecrets } from "./target.ts";
import { withoutLostThoughts } from "./thinking.ts";

/** Pi's type for the function that answers a request. */
export type StreamSimple = (
  model: Model<Api>,
  context: Context,
  options?: SimpleStreamOptions,
) => AssistantMessageEventStream;

/** Stands in Pi's registry for the key: Pi would take some keys for a command to run or a variable's name. */
export const KEY_PLACEHOLDER = "litellm-key-from-the-environment";

/** Where headers alone open the gateway, the SDK's own header is taken away: null does that, which Pi's type forbids. */
const NO_KEY = { authorization: null } as unknown as Record<string, string>;

/** The function that Pi calls for every model of ours, and for every model id that it does not know. */
export function makeStreamSimple(gateway: Gateway, ledger: Ledger): StreamSimple {
  return (known, context, options) => {
    // Pi gives an unknown model the traits of some known one: what counts is the id.
    const { wire, endpoint, ...model } = gateway.describe(known.id);
    // Where no rule knows how a model is told not to think, it is told nothing.
    const thinkingLevelMap = { off: null, ...model.thinkingLevelMap };
    const baseUrl = `${gateway.target.baseUrl}/v1`;
    const request = { ...model, thinkingLevelMap, provider: known.provider, baseUrl };
    const outgoing = new Outgoing(ledger, `${baseUrl}/`);
    const given = options?.apiKey;
    const { target } = gateway;
    const apiKey = given && given !== KEY_PLACEHOLDER ? given : target.apiKey;
    const handedOn: SimpleStreamOptions = {
      ...options,
      apiKey: apiKey || KEY_PLACEHOLDER,
      // Pi repeats what is worth repeating; the SDK below would multiply that by three.
      maxRetries: 0,
      headers: { ...options?.headers, ...(apiKey ? {} : NO_KEY), ...target.headers },
      ...mendingFetch(options, outgoing),
      onPayload: async (payload, sent) => {
        const body = (await options?.onPayload?.(payload, sent)) ?? payload;
        if (!isObject(body)) return body;
        const meant = endpoint === "chat_completions" ? withoutLostThoughts(body, known.id) : body;
        outgoing.sent = ledger.ready(meant, gateway.asked(known.id, endpoint));
        return outgoing.sent.body;
      },
    };
    try {
      const stream = outgoing.run(() =>
        wire === "openai-responses"
          ? streamSimpleOpenAIResponses({ ...request, api: wire }, context, handedOn)
          : streamSimpleOpenAICompletions({ ...request, api: wire }, context, handedOn),
      );
      void stream.result().finally(() => outgoing.over());
      const { limits, repair } = gateway.knowledge;
      return tidied(stream, (text) => {
        const { headers, note, refusal } = outgoing;
        const words = refusal === undefined ? undefined : repair.dialects.summary(refusal);
        return withoutSecrets(explain(text, known.id, limits, headers, { note, words }), target);
      });
    } catch (error) {
      return failed(known, error);
    }
  };
}

/** Newer releases of Pi take a `fetch`; where somebody gives one, it is the one that sends. */
function mendingFetch(options: SimpleStreamOptions | undefined, outgoing: Outgoing): object {
  const { fetch } = (options ?? {}) as { fetch?: typeof globalThis.fetch };
  if (!fetch) return {};
  return { fetch: (...request: Parameters<typeof fetch>) => outgoing.fetch(fetch, ...request) };
}

function failed(model: Model<Api>, error: unknown): AssistantMessageEventStream {
  const stream = createAssistantMessageEventStream();
  const nothing = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  const message: AssistantMessage = {
    role: "assistant",
    content: [],
    api: model.api,
    provider: model.provider,
    model: model.id,
    usage: { ...nothing, totalTokens: 0, cost: { ...nothing, total: 0 } },
    stopReason: "error",
    errorMessage: error instanceof Error ? error.message : String(error),
    timestamp: Date.now(),
  };
  stream.push({ type: "error", reason: "error", error: message });
  return stream;
}
