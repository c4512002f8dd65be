/** How a stream ends: its errors explained, and a cut connection never taken for an end. */

import type { AssistantMessage, AssistantMessageEvent, AssistantMessageEventStream } from "@mariozechner/pi-ai";

const CUT = "The stream ended before the model had finished (connection lost).";

/**
 * The same stream with `explained` applied to its errors.
 *
 * Events are looked at as they are pushed: none is delayed, lost or doubled.
 */
export function tidied(
  stream: AssistantMessageEventStream,
  explained: (text: string) => string,
): AssistantMessageEventStream {
  const push = stream.push.bind(stream);
  const open = new Set<number>();
  stream.push = (event) => {
    if (event.type === "start") markUnfinished(event.partial);
    else if ("contentIndex" in event && event.type.endsWith("_start")) open.add(event.contentIndex);
    else if ("contentIndex" in event && event.type.endsWith("_end")) open.delete(event.contentIndex);
    push(ended(event, open.size > 0, explained));
  };
  return stream;
}

/**
 * Take back the stop reason that Pi's streams presume at their start.
 *
 * They set it again when the gateway says how the answer ended, so where it is still missing at the
 * end, the connection was cut. Once anything has arrived it may be the gateway's word: left alone.
 */
function markUnfinished(message: AssistantMessage): void {
  if (!message.responseId && !message.content.length && message.stopReason === "stop") {
    delete (message as Partial<AssistantMessage>).stopReason;
  }
}

function ended(
  event: AssistantMessageEvent,
  inBlock: boolean,
  explained: (text: string) => string,
): AssistantMessageEvent {
  if (event.type === "error") {
    if (event.error.stopReason === "error") event.error.errorMessage = explained(event.error.errorMessage ?? "");
    return event;
  }
  if (event.type !== "done" || event.message.stopReason !== undefined) return event;
  const { message } = event;
  if (message.api === "openai-responses" && message.content.length && !inBlock) {
    // Whole blocks and no end: how Pi's Responses stream sees `response.incomplete`, a length limit.
    message.stopReason = "length";
    return { type: "done", reason: "length", message };
  }
  message.stopReason = "error";
  message.errorMessage = CUT;
  return { type: "error", reason: "error", error: message };
}
