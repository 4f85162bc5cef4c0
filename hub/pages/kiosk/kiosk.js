// The kiosk at a pick-up wall: scan in, see and hear what to take. The kiosk's token stands in the
// address after the #, which no server ever sees in a log; ?lang= is its own language.

import { h } from "/phone/element.js";
import { follow } from "/phone/live.js";
import { bearing } from "/phone/mine.js";
import { reason } from "/phone/asking.js";
import { makeUnlit } from "./dark.js";
import { takeForms } from "./looks.js";
import { hasCamera, listen, watch } from "./scan.js";
import { makeSettings } from "./settings.js";
import { cardsOf, drawCard, heard } from "./view.js";
import { wordsOf } from "./words.js";

const NOTICE_MS = 8000;
/** Whoever took something without a code is asked to put it back for so long; staff know it longer. */
const WARNED_MS = 15_000;
/** So long after the last person the kiosk speaks its own language again. */
const OWN_MS = 45_000;
/** The hub gives a kiosk a sign of life every two seconds: what it said last is old after three of
 *  them, and may send nobody to a parcel. */
const SILENT_MS = 6000;
const wall = location.pathname.replace(/\/+$/, "").split("/").pop();
const token = decodeURIComponent(location.hash.slice(1));
const url = `/api/v1/walls/${encodeURIComponent(wall)}`;
const scanner = new URLSearchParams(location.search).get("scanner");
const stage = document.getElementById("stage");
const ways = document.getElementById("ways");
const said = document.getElementById("said");

let words = null;
let state = null;
let linked = true;
let notice = null;
let camera = null;
let cards = [];
let drawn = "";
let idle_since_ms = performance.now();
let alarm_ms = null;
let alarm_number = 0;

const unlitOf = makeUnlit();
const settings = makeSettings(() => {
  idle_since_ms = performance.now();
  frame();
  draw();
});

function draw() {
  if (notice && performance.now() > notice.until_ms) notice = null;
  const warned = alarm_ms !== null && performance.now() - alarm_ms < WARNED_MS;
  const unlit = unlitOf(state?.sessions ?? []);
  const next = cardsOf(state, { words, linked, unlit, notice, warned });
  if (next[0].state !== "idle") idle_since_ms = performance.now();
  const text = JSON.stringify([next, settings.language]);
  if (text === drawn) return;
  drawn = text;
  stage.dataset.count = String(next.length);
  stage.replaceChildren(...next.map((one) => drawCard(one, words)));
  const news = heard(cards, next);
  if (news?.sound) settings.voice.sound(news.sound);
  if (news?.text) {
    said.textContent = news.text;
    settings.voice.say(news.text);
  }
  cards = next;
}

/** The words around the stage: they change with the language alone. */
function frame() {
  words = wordsOf(settings.language);
  document.title = `Sortie: ${words.title}`;
  ways.replaceChildren(...[
    hasCamera() ? h("button", { type: "button", id: "camera", onclick: lookOrStop },
      camera ? words.camera_off : words.camera) : null,
    typing(),
  ].filter(Boolean));
}

function typing() {
  const field = h("input", { id: "code", name: "code", autocomplete: "off", autocapitalize: "none",
    spellcheck: "false", maxlength: 512, "aria-label": words.type_label });
  const send = (event) => {
    event.preventDefault();
    const code = field.value.trim();
    field.value = "";
    field.blur();
    if (code) scanned(code);
  };
  return h("details", { class: "typing" }, h("summary", {}, words.type),
    h("form", { onsubmit: send }, field, h("button", { type: "submit" }, words.type_send)));
}

async function lookOrStop() {
  if (camera) {
    camera.watched.stop();
    camera.video.remove();
    camera = null;
  } else {
    const video = h("video", { id: "view", muted: "", playsinline: "", "aria-hidden": "true" });
    stage.after(video);
    try {
      camera = { video, watched: await watch(video, scanned) };
    } catch {
      video.remove();
      tell([words.camera_no, ""]);
    }
  }
  frame();
}

function tell(two) {
  notice = { words: two, until_ms: performance.now() + NOTICE_MS };
  draw();
}

/** A code goes to the hub; what comes of it is in the wall's state. */
async function scanned(code) {
  settings.voice.wake();
  try {
    const answer = await fetch(`${url}/scans`, {
      method: "POST",
      headers: bearing(token, { "Content-Type": "application/json" }),
      body: JSON.stringify(scanner ? { code, scanner_id: scanner } : { code }),
    });
    if (!answer.ok) throw new Error(await reason(answer));
  } catch {
    tell([words.unsent, ""]);
  }
}

listen(document, scanned);
setInterval(() => {
  draw();
  if (performance.now() - idle_since_ms > OWN_MS) settings.reset();
}, 250);
frame();
draw();
await takeForms().catch(() => undefined);
follow(`${url}/kiosk/live`, {
  token,
  event: "kiosk",
  silent_ms: SILENT_MS,
  state: (news) => {
    state = news;
    // Staff may not have looked at the last one yet when the next parcel is taken.
    if (!news.alarm || news.alarm_number > alarm_number) alarm_ms = null;
    if (news.alarm) alarm_ms ??= performance.now();
    alarm_number = Math.max(alarm_number, news.alarm_number ?? 0);
    document.getElementById("store").textContent = news.store;
    draw();
  },
  link: (up) => {
    linked = up;
    draw();
  },
  gone: () => {
    linked = false;
    draw();
  },
});
