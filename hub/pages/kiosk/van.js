// The driver's page of a route: where the van stands, what to take there, and on to the next stop.
// Drivers sign in here as staff; a tablet that stays in the van may have an API key in its address
// after the #, which no server ever sees in a log.

import { ANSWER_MS, once, reason } from "/phone/asking.js";
import { h } from "/phone/element.js";
import { follow } from "/phone/live.js";
import { bearing } from "/phone/mine.js";
import { makeUnlit } from "./dark.js";
import { takeForms } from "./looks.js";
import { makeSettings } from "./settings.js";
import { drawRoute, shownOf } from "./van-view.js";
import { vanWords } from "./van-words.js";

const LOOK_MS = 1000;
const name = location.pathname.replace(/\/+$/, "").split("/").pop();
const token = decodeURIComponent(location.hash.slice(1));
const url = `/api/v1/routes/${encodeURIComponent(name)}`;
const stage = document.getElementById("stage");
const ways = document.getElementById("ways");
const told = document.getElementById("told");
const said = document.getElementById("said");
let route = null;
let wall = null;
let linked = true;
let stream = null;
let drawn = "";
let spoken = "";
let asking = false;
let outside = false;

const unlitOf = makeUnlit();
const settings = makeSettings(() => draw());

function draw() {
  const words = vanWords(settings.language);
  document.title = `Sortie: ${words.title(name)}`;
  document.getElementById("route").textContent = words.title(name);
  if (outside || route === null) return;
  const shown = shownOf(route, wall, words, { linked, unlit: unlitOf(wall?.sessions ?? []) });
  const text = JSON.stringify([route, shown, settings.language, asking]);
  if (text === drawn) return;
  drawn = text;
  stage.replaceChildren(...drawRoute(route, shown, words).filter(Boolean));
  buttons(shown, words);
  speak(shown);
}

function speak(shown) {
  const text = `${shown.head}. ${shown.text}`;
  if (text === spoken) return;
  if (spoken) settings.voice.sound(["wrong", "refused", "out"].includes(shown.state) ? "warning" : "confirm");
  spoken = text;
  said.textContent = text;
  settings.voice.say(text);
}

function buttons(shown, words) {
  const last = route.stops.length - 1;
  const button = (id, label, done, quiet = false) =>
    h("button", { type: "button", id, class: quiet ? "quiet" : "big", onclick: done }, label);
  if (route.at > last) {
    ways.replaceChildren();
  } else if (asking) {
    ways.replaceChildren(
      h("p", { class: "sure", role: "alert" }, words.sure(shown.waits)),
      button("stay", words.no, () => { asking = false; draw(); }, true),
      button("go", words.yes, () => move(false)));
  } else {
    const onward = route.at < 0 ? words.start : route.at === last ? words.finish : words.next;
    ways.replaceChildren(...[
      route.at > 0 ? button("back", words.back, () => move(true), true) : null,
      button("next", onward, () => {
        if (!shown.waits) return move(false);
        asking = true;
        return draw();
      }),
    ].filter(Boolean));
  }
}

async function move(back) {
  asking = false;
  told.textContent = "";
  try {
    const answer = await fetch(`${url}/next`, {
      method: "POST",
      headers: bearing(token, { "Content-Type": "application/json", "Idempotency-Key": once() }),
      body: JSON.stringify({ at: route.at, back }),
    });
    if (!answer.ok) throw new Error(await reason(answer));
  } catch (error) {
    told.textContent = error instanceof TypeError ? vanWords(settings.language).away : error.message;
  }
  await look();
}

async function look() {
  try {
    const answer = await fetch(url, {
      headers: bearing(token), cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (answer.status === 404) told.textContent = vanWords(settings.language).unknown;
    if ([401, 403].includes(answer.status)) signIn();
    if (answer.ok) {
      route = await answer.json();
      outside = false;
    }
    linked = answer.ok;
  } catch {
    linked = false;
  }
  if (route !== null && stream === null && !outside) watch();
  draw();
}

/** One question at a time: a hub that is slow is not asked a second one meanwhile. */
async function keepLooking() {
  if (!outside) await look();
  setTimeout(keepLooking, LOOK_MS);
}

/** Asks who drives; what was shown is for those who are signed in. */
function signIn() {
  if (outside) return;
  outside = true;
  drawn = "";
  const words = vanWords(settings.language);
  const field = (name, label, type, complete) => h("label", {}, label,
    h("input", { name, type, autocomplete: complete, maxlength: 256 }));
  const enter = async (event) => {
    event.preventDefault();
    const typed = Object.fromEntries(new FormData(event.target));
    const answer = await fetch("/api/v1/staff/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(typed),
    }).catch(() => null);
    told.textContent = answer?.ok ? "" : answer ? await reason(answer) : words.away;
    if (answer?.ok) await look();
  };
  ways.replaceChildren();
  stage.replaceChildren(h("form", { class: "enter", onsubmit: enter },
    h("h1", {}, words.enter),
    field("name", words.name, "text", "username"),
    field("password", words.password, "password", "current-password"),
    field("code", words.code, "text", "one-time-code"),
    h("button", { type: "submit", class: "big" }, words.enter)));
}

function watch() {
  stream = follow(`/api/v1/walls/${encodeURIComponent(route.wall_id)}/kiosk/live`, {
    token,
    event: "kiosk",
    state: (news) => {
      wall = news;
      draw();
    },
    link: (up) => {
      if (!up) wall = null;
      draw();
    },
    gone: () => {
      // Nobody is signed in any more: whoever signs in next follows it anew.
      stream = null;
      wall = null;
      draw();
    },
  });
}

await takeForms().catch(() => undefined);
keepLooking();
