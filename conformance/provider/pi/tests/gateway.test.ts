/** What Pi is told of a model, listed or not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { catalogue } from "../catalogue.ts";
import { loadTables } from "../layers.ts";
import { Gateway, loadKnowledge } from "../gateway.ts";

const table = loadTables(undefined, assert.fail);
const target = { baseUrl: "https://proxy.example", apiKey: "k" };
const listed = [
  {
    id: "claude-opus-4-6",
    declared: {
      input_cost_per_token: 1e-7,
      output_cost_per_token: 2.5e-6,
      max_output_tokens: 128000,
      supports_vision: false,
    },
  },
  { id: "gpt-5.2", declared: {}, served_by: ["azure/gpt-5.2"] },
];
const gateway = new Gateway(target, loadKnowledge(table), listed, { version: "1.109.1" });
gateway.told("claude-haiku-4-5", { "x-litellm-model-name": "databricks/databricks-claude-haiku-4-5" });

test("costs are dollars for a million tokens, without dust", () => {
  assert.deepEqual(gateway.describe("claude-opus-4-6").cost, { input: 0.1, output: 2.5, cacheRead: 0, cacheWrite: 0 });
});

test("what is declared counts, but for the longest answer", () => {
  const { input, maxTokens, reasoning } = gateway.describe("claude-opus-4-6");
  assert.deepEqual({ input, maxTokens, reasoning }, { input: ["text"], maxTokens: 8192, reasoning: true });
});

test("the wire is the one that the table knows to work", () => {
  assert.equal(gateway.describe("claude-haiku-4-5").wire, "openai-completions");
  assert.equal(gateway.describe("gpt-5.2").wire, "openai-responses");
});

test("flags and thinking levels are what was measured", () => {
  const { compat, thinkingLevelMap } = gateway.describe("gpt-5.2");
  assert.equal(thinkingLevelMap?.minimal, null);
  assert.equal(thinkingLevelMap?.xhigh, "xhigh");
  assert.equal((compat as { supportsLongCacheRetention?: boolean }).supportsLongCacheRetention, true);
  const claude = gateway.describe("claude-haiku-4-5").compat as { supportsStore?: boolean };
  assert.equal(claude.supportsStore, false);
});

test("an answer tells what serves a model, and the version; a list knows it better", () => {
  const told = new Gateway(target, loadKnowledge(table), listed);
  const about = (id: string) => {
    const { servedBy, gatewayVersion } = told.asked(id, "responses");
    return [servedBy, gatewayVersion];
  };
  assert.deepEqual(about("m"), [undefined, undefined]);
  for (const name of ["azure/a", "azure/a", "openai/b", "no-route", "", "azure/ \n"]) {
    told.told("m", { "x-litellm-model-name": name, "x-litellm-version": "1.109.3" });
    told.told("gpt-5.2", { "x-litellm-model-name": name });
  }
  assert.deepEqual(about("m"), [["azure/a", "openai/b"], "1.109.3"]);
  assert.deepEqual(about("gpt-5.2"), [["azure/gpt-5.2"], "1.109.3"]);
});

test("the words of a refusal tell where nobody has told more", () => {
  const told = new Gateway(target, loadKnowledge(table), listed);
  const servedBy = (id: string) => told.asked(id, "responses").servedBy;
  told.told("m", {}, "litellm.BadRequestError: AzureException - no");
  told.told("gpt-5.2", {}, "litellm.BadRequestError: DatabricksException - no");
  assert.deepEqual([servedBy("m"), servedBy("gpt-5.2")], [["azure/"], ["azure/gpt-5.2"]]);
  told.told("n", { "x-litellm-model-name": "gpt-5.2" }, "litellm.BadRequestError: AzureException - no");
  assert.deepEqual(servedBy("n"), ["azure/"]);
  told.told("n", { "x-litellm-model-name": "gemini/gemini-2.5-flash" });
  assert.deepEqual(servedBy("n"), ["gemini/gemini-2.5-flash"]);
  told.told("m", { "x-litellm-model-name": "azure/gpt-5.2" });
  told.told("m", {}, "litellm.BadRequestError: DatabricksException - no");
  assert.deepEqual(servedBy("m"), ["azure/gpt-5.2"]);
});

const deployment = (name: string, more: object = {}, info: object = {}) => ({
  model_name: name,
  litellm_params: { model: "azure/a", ...more },
  model_info: info,
});
const group = (id: string, told: unknown = ["tools", "seed", 3, "seed"]) => ({
  model_group: id,
  providers: ["azure"],
  supported_openai_params: told,
});

test("what is declared of a model is known where one thing is behind it", () => {
  const cases: Record<string, [unknown, object[], string[] | undefined]> = {
    one: [["tools", "seed", 3, "seed"], [deployment("one"), deployment("one")], ["seed", "tools"]],
    two: [["seed"], [deployment("two"), deployment("two", { model: "azure/b" })], undefined],
    bare: [["seed"], [], undefined],
    empty: [[], [deployment("empty")], undefined],
    nonsense: ["seed", [deployment("nonsense")], undefined],
    based: [["seed"], [deployment("based", {}, { base_model: "azure/gpt-5" })], undefined],
    based_too: [["seed"], [deployment("based_too", { base_model: "azure/gpt-5" })], undefined],
    allowed: [["seed"], [deployment("allowed", { allowed_openai_params: ["tools"] })], undefined],
    none_allowed: [["seed"], [deployment("none_allowed", { allowed_openai_params: [] })], ["seed"]],
  };
  const rows = Object.keys(cases).map((id) => ({ id }));
  const groups = Object.entries(cases).map(([id, [told]]) => group(id, told));
  const behind = Object.values(cases).flatMap(([, deployments]) => deployments);
  const declaring = new Gateway(target, loadKnowledge(table), catalogue(rows, groups, behind as never));
  for (const [id, [, , expected]] of Object.entries(cases)) {
    assert.deepEqual(declaring.asked(id, "responses").declared, expected, id);
  }
  assert.equal(declaring.asked("unlisted", "responses").declared, undefined);
});

test("what a list declares holds for its release, and for what it said serves the model", () => {
  const rows = ["m", "n"].map((id) => ({ id }));
  const found = catalogue(rows, [group("m"), group("n")], [deployment("m"), deployment("n")]);
  const told = new Gateway(target, loadKnowledge(table), found, { version: "1.90.0" });
  const declared = (id: string) => told.asked(id, "responses").declared;
  told.told("m", { "x-litellm-model-name": "azure/a", "x-litellm-version": "1.90.0" });
  assert.deepEqual(["m", "n"].map(declared), [["seed", "tools"], ["seed", "tools"]]);
  told.told("m", { "x-litellm-model-name": "azure/b" });
  assert.deepEqual(["m", "n"].map(declared), [undefined, ["seed", "tools"]]);
  told.told("n", { "x-litellm-version": "1.91.0" });
  assert.deepEqual(["m", "n"].map(declared), [undefined, undefined]);
});

test("a model that is not listed is known by its name alone", () => {
  const { id, maxTokens, contextWindow, cost } = gateway.describe("claude-opus-4.6-next");
  assert.deepEqual([id, maxTokens, contextWindow], ["claude-opus-4.6-next", 8192, 200000]);
  assert.equal(cost.input, 0);
});

test("the user's own longest answer holds up to what is declared", () => {
  const generous = new Gateway(target, loadKnowledge(table), listed, { maxTokens: 200_000 });
  assert.equal(generous.describe("claude-opus-4-6").maxTokens, 128_000);
  assert.equal(generous.describe("gpt-5.2").maxTokens, 200_000);
});

test("Pi registers what is listed, under no wire's name", () => {
  const registered = gateway.models();
  assert.deepEqual(registered.map(({ id }) => id), ["claude-opus-4-6", "gpt-5.2"]);
  assert.ok(registered.every((model) => !("api" in model) && !("wire" in model)));
});
