/**
 * One request to the gateway: Pi's own OpenAI streams, filtered on the way out, explained on the way back.
 *
 * Pi knows our models by an api name of our own, so that no other provider's streams change. Each
 * request is handed on with the api of the wire that is known to work for its model.
 */

import { randomUUID } from "node:crypto";
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
import { MARK, watchHeaders } from "./headers.ts";
import { isObject } from "./json.ts";
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
export function makeStreamSimple(gateway: Gateway): StreamSimple {
  return (known, context, options) => {
    // Pi gives an unknown model the traits of some known one: what counts is the id.
    const { wire, endpoint, ...model } = gateway.describe(known.id);
    // Where no rule knows how a model is told not to think, it is told nothing.
    const thinkingLevelMap = { off: null, ...model.thinkingLevelMap };
    const baseUrl = `${gateway.target.baseUrl}/v1`;
    const request = { ...model, thinkingLevelMap, provider: known.provider, baseUrl };
    const mark = randomUUID();
    const failedHeaders = watchHeaders(mark);
    const given = options?.apiKey;
    const { target } = gateway;
    const apiKey = given && given !== KEY_PLACEHOLDER ? given : target.apiKey;
    const handedOn: SimpleStreamOptions = {
      ...options,
      apiKey: apiKey || KEY_PLACEHOLDER,
      // Pi repeats what is worth repeating; the SDK below would multiply that by three.
      maxRetries: 0,
      headers: { ...options?.headers, ...(apiKey ? {} : NO_KEY), ...target.headers, [MARK]: mark },
      onPayload: async (payload, sent) => {
        const body = (await options?.onPayload?.(payload, sent)) ?? payload;
        if (!isObject(body)) return body;
        const sendable = gateway.filter(body, known.id, endpoint).body;
        return endpoint === "chat_completions" ? withoutLostThoughts(sendable, known.id) : sendable;
      },
    };
    try {
      const stream =
        wire === "openai-responses"
          ? streamSimpleOpenAIResponses({ ...request, api: wire }, context, handedOn)
          : streamSimpleOpenAICompletions({ ...request, api: wire }, context, handedOn);
      const explained = (text: string) => explain(text, known.id, gateway.knowledge.limits, failedHeaders());
      return tidied(stream, (text) => withoutSecrets(explained(text), target));
    } catch (error) {
      return failed(known, error);
    }
  };
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
