// Puts a state on the page and keeps what must live between two states: focus, the words that are
// read aloud, and which lines have been shown before.

import { change, keyOf, tone, viewOf } from "./view.js";
import { afterOpen, afterRestore } from "./after.js";
import { put as putIn } from "./element.js";

/** The screen of one page. `parts` gives qr address, renew and again, and now_s. */
export function makeScreen(parts) {
  const word = document.getElementById("word");
  const link = document.getElementById("link");
  const view = document.getElementById("view");
  const said = document.getElementById("said");
  let last = null;
  let drawn = "";

  const put = (elements) => {
    const kept = afterOpen(view);
    putIn(view, elements);
    afterRestore(view, kept);
  };

  const draw = () => {
    const seen = new Set((last?.lines ?? []).map(keyOf));
    put(viewOf(last, { ...parts(last), seen }));
  };

  return {
    /** Shows a state of the hub, if it differs from what is shown. */
    show(state) {
      const text = JSON.stringify(state);
      if (text === drawn) return;
      const seen = new Set((last?.lines ?? []).map(keyOf));
      const sentence = change(last, state);
      if (word.textContent !== state.state) word.textContent = state.state;
      word.dataset.tone = tone(state.state);
      word.hidden = false;
      document.documentElement.dataset.stage = state.stage;
      put(viewOf(state, { ...parts(state), seen }));
      if (sentence) said.textContent = sentence;
      last = state;
      drawn = text;
    },
    /** Draws again what has not changed but for the time. */
    tick() {
      if (last?.code) draw();
    },
    /** Draws the state again with what is known besides. */
    again() {
      if (last) draw();
    },
    /** Shows something that is no state of the hub. */
    plain(elements) {
      last = null;
      drawn = "";
      word.hidden = true;
      delete document.documentElement.dataset.stage;
      put(elements);
    },
    /** Whether the line to the hub stands. */
    linked(up) {
      link.hidden = up;
      link.textContent = up ? "" : "No connection to the store. Your cart is safe; trying again…";
    },
  };
}
