// Server-sent events that come back: after a lost network, and after a hub that restarted and
// answered with an error meanwhile. Read by hand, because an EventSource can send no token.

import { bearing } from "./mine.js";

const WAIT_MS = [500, 1000, 2000, 4000, 8000];
const UNKNOWN = [401, 404, 422];
/** The hub sends a sign of life every ten seconds: a stream that is silent for longer is none. */
const SILENT_MS = 30_000;

/** Follows a stream of JSON states, sent as `event`, until `close` is called; with a token where
 *  one is needed. `silent_ms`: nothing at all for so long, not even the answer's beginning, and it
 *  stands no more. `state` gets every state, `link` whether the stream stands, `gone` that there is
 *  no such thing, `answered` each answer when it begins. */
export function follow(url, {
  event = "visit", token = "", silent_ms = SILENT_MS, state, link, gone, answered,
}) {
  let ending = null;
  let closed = false;
  let timer = null;
  let tries = 0;

  const open = async () => {
    const attempt = ending = new AbortController();
    const late = setTimeout(() => attempt.abort(), silent_ms);
    try {
      const answer = await fetch(url, {
        headers: bearing(token), cache: "no-store", signal: attempt.signal,
      });
      clearTimeout(late);
      if (UNKNOWN.includes(answer.status)) {
        gone();
        return;
      }
      if (answer.ok) {
        answered?.(answer);
        await read(answer.body, event, (said) => {
          tries = 0;
          link(true);
          state(JSON.parse(said));
        }, silent_ms);
      }
    } catch (error) {
      if (!(error instanceof TypeError) && error.name !== "AbortError") console.error(error);
    } finally {
      clearTimeout(late);
    }
    if (closed) return;
    link(false);
    timer = setTimeout(open, WAIT_MS[Math.min(tries, WAIT_MS.length - 1)]);
    tries += 1;
  };

  open();
  return {
    close() {
      closed = true;
      ending.abort();
      clearTimeout(timer);
    },
  };
}

/** Reads a body of server-sent events until it ends or is silent; `heard` gets the data of each
 *  named `event`. */
export async function read(body, event, heard, silent_ms = SILENT_MS) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const silent = setTimeout(() => reader.cancel().catch(() => undefined), silent_ms);
    const { value, done } = await reader.read();
    clearTimeout(silent);
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n");
      if (!lines.includes(`event: ${event}`)) continue;
      heard(lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n"));
    }
  }
}
