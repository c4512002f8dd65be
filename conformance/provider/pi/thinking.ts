/**
 * Models that think within a budget of tokens, and what LiteLLM makes of an effort for them.
 *
 * It turns `reasoning_effort` into such a budget, and does not look whether the answer's cap leaves
 * room for it, nor whether the thoughts of a replayed turn are still there. The backends do.
 */

import { isObject } from "./json.ts";

type Body = Record<string, unknown>;
type Levels = Readonly<Record<string, string | null>>;

const CLAUDE = /(?<![a-z])(?:claude|opus|sonnet|haiku)(?![a-z])/i;
/** From 4.6 on Claude decides itself how much to think. */
const DECIDES_ITSELF = /(?:opus|sonnet|haiku)-(?:4[.-](?:[6-9]|[1-9][0-9])(?![0-9])|[5-9](?![0-9]))/i;
const GEMINI = /(?<![a-z])gemini/i;

/** Tokens to think with, as LiteLLM has them for each effort; those below always fit. */
const BUDGETS: Readonly<Record<string, number>> = { medium: 2048, high: 4096, xhigh: 8192 };

const isBudgetedClaude = (model: string): boolean => CLAUDE.test(model) && !DECIDES_ITSELF.test(model);

/**
 * The levels without those whose budget would take all of the longest answer.
 *
 * Claude refuses them (`max_tokens` must be greater than `thinking.budget_tokens`), and Gemini would
 * have nothing left to answer with.
 */
export function levelsThatFit(levels: Levels, model: string, maxTokens: number): Levels {
  if (!isBudgetedClaude(model) && !GEMINI.test(model)) return levels;
  const fits = ([level, effort]: [string, string | null]): [string, string | null] =>
    (BUDGETS[effort ?? ""] ?? 0) < maxTokens ? [level, effort] : [level, null];
  return Object.fromEntries(Object.entries(levels).map(fits));
}

/**
 * A chat body without `reasoning_effort` where it stands in the middle of a turn whose thoughts are lost.
 *
 * Claude wants each tool call back behind the signed thoughts that led to it: "Expected `thinking` or
 * `redacted_thinking`, but found `tool_use`" is a 400. Pi's chat stream keeps the text of the thoughts
 * and not LiteLLM's `thinking_blocks` with their signature, so the rest of the turn goes without.
 */
export function withoutLostThoughts(body: Body, model: string): Body {
  if (!isBudgetedClaude(model) || !Array.isArray(body.messages)) return body;
  const messages = body.messages.filter(isObject);
  if (messages.at(-1)?.role !== "tool") return body;
  const call = messages.findLast((message) => message.role === "assistant");
  if (!call || (Array.isArray(call.thinking_blocks) && call.thinking_blocks.length)) return body;
  const { reasoning_effort: _effort, ...rest } = body;
  return rest;
}
