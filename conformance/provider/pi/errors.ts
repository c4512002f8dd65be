/** What the user reads, and what Pi decides by, when a request fails. */

import {
  cut,
  formatRateLimitError,
  has,
  parseRateLimitError,
  type RateLimitRules,
  statedStatus,
} from "./rate_limits.ts";

/** The longest error text that is shown; a proxy may answer with a page. */
const MAX_SHOWN = 2_000;

/** What vendors and LiteLLM say of a prompt that is too long, and the word by which Pi compacts. */
const TOO_LONG = anyOf(
  "ContextWindowExceeded",
  "context.?(?:length|window)",
  "maximum.{0,20}context",
  "(?:prompt|input) is too long",
  "too many (?:input )?tokens",
  "token count.{0,40}exceeds",
);
const OVERFLOW = "context_length_exceeded";

/** What they say of a parameter; here of one that no rule knew of. */
const REFUSED = anyOf(
  "extra inputs are not permitted",
  "UnsupportedParamsError",
  "unknown (?:parameter|field|name)",
  "unsupported (?:parameter|value)",
  "unrecognized request argument",
);
const MEASURE =
  "The support table does not know this refusal. Measure it: " +
  "pytest --live --models='MODEL' --update-table --table=FILE, then set LITELLM_SUPPORT_TABLE=FILE.";

/** Refusals that stay refusals, by the names they have where no status is told. */
const FINAL = anyOf(
  "(?:BadRequest|Authentication|PermissionDenied|NotFound|UnprocessableEntity)Error",
  "(?:ContextWindowExceeded|UnsupportedParams|ContentPolicyViolation)Error",
  "invalid_request_error",
);
/** The SDK's words for an empty body; Pi takes them for a prompt that is too long, as one vendor means them. */
const NO_BODY = /^(4(?!13)[0-9]{2}) status code \(no body\)$/;
const MAY_PASS: readonly number[] = [408, 409, 425, 429];

/** Words by which Pi repeats a request, anywhere in the text: also the 500 in "at most 15000 tokens". */
const REPEATS = anyOf(
  "429|50[0234]|overloaded|rate.?limit|too many requests|timed? out|timeout|terminated|retry delay",
  "(?:provider.?returned|server|internal|network|connection|websocket).?error|service.?unavailable",
  "connection.?(?:refused|lost)|websocket.?closed|other side closed|socket hang up|ended without",
  "fetch failed|upstream.?connect|reset before headers|http2 request did not",
);
const JOINER = "\u2060"; // takes no room: the text looks the same, and is no longer the word

function anyOf(...patterns: string[]): RegExp {
  return new RegExp(patterns.join("|"), "i");
}

/** What is known of a refusal beside the text of its error: why it was not mended, and its own words. */
interface Untold {
  readonly note?: string | undefined;
  readonly words?: string | undefined;
}

/**
 * The text of an error, for the user and for Pi's own rules about repeating and compacting.
 *
 * `headers` are those of the refusal, where they are known.
 */
export function explain(
  error: string,
  model: string,
  rules: RateLimitRules,
  headers: Readonly<Record<string, string>> = {},
  { note, words }: Untold = {},
): string {
  const limit = parseRateLimitError(error, rules, { headers });
  if (limit) return formatRateLimitError(limit, rules, model);
  const text = cut(error, rules);
  const status = statedStatus(text, rules);
  const refused = status === undefined ? FINAL.test(text) : status >= 400 && status < 500 && !MAY_PASS.includes(status);
  const stays = refused || has(rules.never, text); // a budget that is spent is no limit that passes
  const shown = error.length > MAX_SHOWN ? `${error.slice(0, MAX_SHOWN)} … (${error.length} characters)` : error;
  if (!stays) return shown || "The gateway ended the request without saying why.";
  const [, empty] = NO_BODY.exec(error) ?? [];
  if (empty && words) return explain(`${empty} ${words}`, model, rules, headers, { note });
  if (empty) return `The gateway refused the request (${empty}) and gave no reason; its log may have one.`;
  const quiet = hushed(shown);
  if (TOO_LONG.test(text)) return quiet.includes(OVERFLOW) ? quiet : `${quiet} (${OVERFLOW})`;
  if (note) return `${quiet}\n${hushed(note)}.`;
  return REFUSED.test(text) ? `${quiet}\n${MEASURE.replace("MODEL", () => model)}` : quiet;
}

/** A text without the words by which Pi repeats a request. */
function hushed(text: string): string {
  return text.replace(new RegExp(REPEATS, "gi"), (word) => word[0] + JOINER + word.slice(1));
}
