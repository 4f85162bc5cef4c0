// A shopper's phone as staff may see it: the phone's own view, fed by the pages' process, without
// the entry code and without a button. The visit is named in the address, after the #.

import { follow } from "./phone/live.js";
import { makeScreen } from "./phone/screen.js";
import { h, startView } from "./phone/view.js";

const screen = makeScreen(() => ({ now_s: Date.now() / 1000, qr: null, renew: null, again: null }));
let stream = null;

/** Before anybody is followed, the page a newcomer's phone shows; its button is only a picture. */
function waiting() {
  screen.plain(startView({ begin: () => undefined, busy: false }));
  document.getElementById("begin").disabled = true;
}

function show() {
  stream?.close();
  stream = null;
  screen.linked(true);
  const visit = decodeURIComponent(location.hash.slice(1));
  if (!visit) {
    waiting();
    return;
  }
  stream = follow(`/mirrored/${encodeURIComponent(visit)}/events`, {
    state: (state) => screen.show(state),
    link: (up) => screen.linked(up),
    gone: () => screen.plain([h("p", { class: "card" }, "This visit is no longer in memory.")]),
  });
}

addEventListener("hashchange", show);
show();
