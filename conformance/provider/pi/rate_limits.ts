/**
 * Read a rate limit out of an error, and say what to do about it: the twin of
 * `conformance/provider/rate_limits`. The patterns and words are data, in `rate_limits.json`.
 *
 * An error is read as text in which all quotes are unescaped, however often they were escaped: so
 * JSON inside a message inside JSON looks alike at any depth.
 */

/** `rate_limits.json`. */
export interface RateLimitRules {
  readonly read: { readonly first: number; readonly last: number };
  readonly unescape: readonly { readonly pattern: string; readonly with: string }[];
  readonly status: { readonly leading: string; readonly own_code: string };
  readonly never: readonly string[];
  readonly vendor: readonly string[];
  readonly cooldown: readonly string[];
  readonly overloaded: readonly string[];
  readonly evidence: readonly string[];
  readonly other_errors: readonly string[];
  readonly fields: Readonly<Record<"limit_type" | "limit" | "current" | "retry_after" | "model", readonly string[]>>;
  readonly limit_types: readonly { readonly pattern: string; readonly limit_type: string }[];
  readonly counters: readonly { readonly limit_type: string; readonly current: string; readonly limit: string }[];
  readonly headers: {
    readonly prefixes: readonly string[];
    readonly retry_after_ms: readonly string[];
    readonly retry_after: readonly string[];
    readonly families: readonly { limit: string; remaining: string; reset: string; limit_type: string }[];
  };
  readonly durations: {
    readonly pattern: string;
    readonly units: Readonly<Record<string, number>>;
    readonly longest: number;
    readonly date: string;
    readonly timestamp: string;
    readonly epoch: number;
    readonly epoch_ms: number;
    readonly months: readonly string[];
  };
  readonly message: {
    readonly told_wait: number;
    readonly no_model: string;
    readonly detail: Readonly<Record<string, string>>;
    readonly details: string;
    readonly what_to_do: string;
    readonly limit: string;
    readonly cooldown: string;
    readonly overloaded: string;
    readonly retry_after: string;
    readonly retry_unknown: string;
    readonly advice: readonly string[];
    readonly cooldown_advice: readonly string[];
    readonly overloaded_advice: readonly string[];
    readonly spelled: Readonly<Record<string, string>>;
  };
}

/** What an error tells of a rate limit; null where it does not tell. Times are in seconds. */
export interface RateLimit {
  readonly model: string | null;
  readonly limit_type: string | null;
  readonly limit: number | null;
  readonly current: number | null;
  readonly retry_after: number | null;
  /** LiteLLM's own refusal while it lets a deployment rest after failures: no limit of the vendor. */
  readonly cooldown: boolean;
  /** A vendor who has no room for anybody (529): no limit of the user's. */
  readonly overloaded: boolean;
}

/** The status by which Anthropic says that its servers have no room. */
const OVERLOADED = 529;

type Headers = Readonly<Record<string, string>>;

/** The rate limit that an error's text tells of, or null where it is another error. */
export function parseRateLimitError(
  error: string,
  rules: RateLimitRules,
  options: { readonly headers?: Headers | undefined; readonly status?: number | undefined } = {},
): RateLimit | null {
  const text = cut(error, rules);
  const flat = rules.unescape.reduce((left, row) => left.replace(regex(row.pattern, "gi"), row.with), text);
  const status = options.status ?? statedStatus(text, rules);
  if (!isLimit(flat, status, rules)) return null;
  const headers = lowered(options.headers ?? {});
  const cooldown = has(rules.cooldown, flat) && !has(rules.vendor, flat);
  const overloaded = !cooldown && (status === OVERLOADED || (status !== 429 && has(rules.overloaded, flat)));
  const found = (name: keyof RateLimitRules["fields"]): string | null => first(rules.fields[name], flat);
  const retryAfter = duration(found("retry_after"), rules) ?? retryAfterOf(headers, rules);
  const limit: RateLimit = {
    model: found("model"),
    limit_type: null,
    limit: null,
    current: null,
    retry_after: retryAfter,
    cooldown,
    overloaded,
  };
  if (cooldown || overloaded) return limit;
  const named = rules.limit_types.find((row) => regex(row.pattern).test(flat));
  const type = found("limit_type") ?? named?.limit_type ?? null;
  const told = exhausted(flat, rules) ?? {
    limit_type: type,
    limit: figure(found("limit")),
    current: figure(found("current")),
  };
  return withHeaders({ ...limit, ...told }, headers, rules);
}

/** One line for a user; it keeps the words "rate limit", by which Pi knows that trying again helps. */
export function formatRateLimitError(limit: RateLimit, rules: RateLimitRules, model?: string): string {
  const words = rules.message;
  const show = (value: number): string => shown(value, rules);
  const name = printable(model || limit.model || "") || words.no_model;
  const details = (["limit_type", "limit", "current"] as const).flatMap((key) => {
    const value = limit[key];
    if (value === null || value === "") return [];
    const text = typeof value === "number" ? show(value) : value.replaceAll("_", " ");
    return [put(words.detail[key] ?? "", key, text)];
  });
  const wait = limit.retry_after === null ? words.told_wait : Math.max(1, Math.ceil(limit.retry_after));
  const [begin, advised] = limit.cooldown
    ? [words.cooldown, words.cooldown_advice]
    : limit.overloaded
      ? [words.overloaded, words.overloaded_advice]
      : [words.limit, words.advice];
  let said = put(begin, "model", name);
  if (details.length && begin === words.limit) said += put(words.details, "details", details.join(", "));
  const advice = advised.join("; ");
  const retry = limit.retry_after === null ? words.retry_unknown : words.retry_after;
  return said + put(retry + put(words.what_to_do, "advice", advice), "seconds", show(wait));
}

/** Replace `{name}`, as text: what is put in may hold anything. */
function put(text: string, name: string, value: string): string {
  return text.replaceAll(`{${name}}`, () => value);
}

const compiled = new Map<string, RegExp>();

/** Patterns mean the same in Python and here: ASCII, and capitals do not matter. */
function regex(pattern: string, flags = "i"): RegExp {
  const key = `${flags}/${pattern}`;
  const known = compiled.get(key) ?? new RegExp(pattern, flags);
  compiled.set(key, known);
  return known;
}

/** True where one of the patterns is found. */
export function has(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => regex(pattern).test(text));
}

function first(patterns: readonly string[], text: string): string | null {
  for (const pattern of patterns) {
    const match = regex(pattern).exec(text);
    if (match) return match[1] ?? null;
  }
  return null;
}

/** Of an error that tells several counters, the one that is used up; null where it tells none. */
function exhausted(flat: string, rules: RateLimitRules): Pick<RateLimit, "limit_type" | "limit" | "current"> | null {
  let counted = false;
  for (const row of rules.counters) {
    const current = first([row.current], flat);
    const limit = first([row.limit], flat);
    if (current === null || limit === null) continue;
    counted = true;
    if (BigInt(current) < BigInt(limit)) continue;
    return { limit_type: row.limit_type, limit: Number(limit), current: Number(current) };
  }
  return counted ? { limit_type: null, limit: null, current: null } : null;
}

/**
 * Whether an error is a rate limit: by its status, else by words that only a rate limit has.
 *
 * A refusal of another kind may repeat any words, its prompt's above all; its status counts.
 */
function isLimit(flat: string, status: number | undefined, rules: RateLimitRules): boolean {
  if (has(rules.never, flat)) return false;
  if (status === 429 || status === OVERLOADED) return true;
  if (status !== undefined && status >= 400 && status < 500) return false;
  let told = [rules.vendor, rules.cooldown, rules.overloaded].some((patterns) => has(patterns, flat));
  // An error inside a stream comes with a 200.
  if (status === undefined || status < 400) told ||= has(rules.evidence, flat);
  return told && !has(rules.other_errors, flat);
}

/** The status that an error states itself, before its text or as its own `code`. */
export function statedStatus(text: string, rules: RateLimitRules): number | undefined {
  const leading = regex(rules.status.leading).exec(text);
  if (leading) return Number(leading[1]);
  const codes = [...text.matchAll(regex(rules.status.own_code, "gi"))];
  return codes.length ? Number(codes.at(-1)?.[1]) : undefined; // LiteLLM writes its own after what it wraps
}

/** The beginning and the end of a long text; a body may have any length. */
export function cut(text: string, rules: RateLimitRules): string {
  const { first: head, last: tail } = rules.read;
  return text.length <= head + tail ? text : `${text.slice(0, head)}\n${text.slice(-tail)}`;
}

/** A figure as errors write it, `30,000` or `0.5`. */
function figure(text: string | null): number | null {
  return text ? Number(text.replaceAll(",", "")) : null;
}

function headerFigure(text: string | undefined): number | null {
  return text && /^[0-9]{1,15}(?:[.][0-9]{1,6})?$/.test(text) ? Number(text) : null;
}

/** Seconds, of a text that begins with a time such as `15`, `1.5s`, `6m0s` or `2 minutes`. */
function duration(text: string | null | undefined, rules: RateLimitRules): number | null {
  const { pattern, units } = rules.durations;
  let total: number | null = null;
  let rest = text ?? "";
  for (let match = regex(pattern).exec(rest); match; match = regex(pattern).exec(rest)) {
    const unit = match[2];
    if (total !== null && unit === undefined) break;
    total = (total ?? 0) + Number(match[1]) * (units[(unit ?? "s").toLowerCase()] ?? 1);
    rest = rest.slice(match.index + match[0].length);
    if (unit === undefined) break;
  }
  return seconds(total, rules);
}

/** Rounded to the millisecond; null for what nobody would wait for. */
function seconds(value: number | null, rules: RateLimitRules): number | null {
  if (value === null || !(value >= 0 && value <= rules.durations.longest)) return null;
  return Math.floor(value * 1000 + 0.5) / 1000;
}

function lowered(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.slice(0, 200)]));
}

function retryAfterOf(headers: Headers, rules: RateLimitRules): number | null {
  const { prefixes, retry_after_ms, retry_after } = rules.headers;
  for (const prefix of prefixes) {
    for (const name of retry_after_ms) {
      const milliseconds = headerFigure(headers[prefix + name]);
      if (milliseconds !== null) return seconds(milliseconds / 1000, rules);
    }
    for (const name of retry_after) {
      const wait = until(headers[prefix + name], headers, rules);
      if (wait !== null) return wait;
    }
  }
  return null;
}

/** Seconds, of a header that holds a time to wait, or the point in time until when. */
function until(header: string | undefined, headers: Headers, rules: RateLimitRules): number | null {
  const text = (header ?? "").trim();
  const { epoch, epoch_ms } = rules.durations;
  const number = headerFigure(text);
  let then = dateOf(text, rules);
  if (then === null && number !== null && number >= epoch) then = number >= epoch_ms ? number / 1000 : number;
  const now = dateOf((headers.date ?? "").trim(), rules) ?? Date.now() / 1000;
  return then === null ? duration(text, rules) : seconds(Math.max(0, then - now), rules);
}

/** A date of HTTP's or of RFC 3339's as seconds since 1970. */
function dateOf(text: string, rules: RateLimitRules): number | null {
  const http = new RegExp(rules.durations.date).exec(text);
  const match = http ?? new RegExp(rules.durations.timestamp).exec(text);
  if (!match) return null;
  const [year, day] = (http ? [3, 1] : [1, 3]).map((group) => Number(match[group]));
  const month = http ? rules.durations.months.indexOf(http[2]?.toLowerCase() ?? "") : Number(match[2]) - 1;
  if (month < 0) return null;
  const [hour, minute, second] = [4, 5, 6].map((group) => Number(match[group]));
  return Date.UTC(year ?? 0, month, day, hour, minute, second) / 1000;
}

/** What the body did not say, from the first budget of the headers that is used up. */
function withHeaders(limit: RateLimit, headers: Headers, rules: RateLimitRules): RateLimit {
  for (const prefix of rules.headers.prefixes) {
    for (const family of rules.headers.families) {
      if (headerFigure(headers[prefix + family.remaining]) !== 0) continue;
      if (limit.limit_type !== null && limit.limit_type !== family.limit_type) continue;
      const most = limit.limit ?? headerFigure(headers[prefix + family.limit]);
      return {
        ...limit,
        limit_type: family.limit_type,
        limit: most,
        current: limit.current ?? most,
        retry_after: limit.retry_after ?? until(headers[prefix + family.reset], headers, rules),
      };
    }
  }
  return limit;
}

/** A figure in a message: whole, or with two decimals at most; none that reads as a server's status. */
function shown(value: number, rules: RateLimitRules): string {
  const text = String(value < 100 ? Math.floor(value * 100 + 0.5) / 100 : Math.floor(value + 0.5));
  return rules.message.spelled[text] ?? text;
}

function printable(name: string): string {
  return [...name.slice(0, 200)].slice(0, 100).join("").replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, "?");
}
