// A customer's own parcels: known by the wallet in this browser, by the visit in it, or by the token
// in the address after the #. Asked for again and again while somebody looks; oftener at a wall.

import { ANSWER_MS, failure, kept, reason, wallet } from "./asking.js";
import { makeUnlit } from "/kiosk-files/dark.js";
import { takeForms } from "/kiosk-files/looks.js";
import { put } from "./element.js";
import { bearing, turning } from "./mine.js";
import { noToken, parcelsView } from "./parcels-view.js";

const MINE = "/api/v1/phones/me";
const LOOK_MS = 4000;
const AT_WALL_MS = 700;
const view = document.getElementById("view");
const link = document.getElementById("link");
const told = document.getElementById("told");
const said = document.getElementById("said");
const fragment = decodeURIComponent(location.hash.slice(1));
const tokens = [...new Set([fragment, wallet.recall(), kept("sortie.visit").recall()].filter(Boolean))];
const codes = turning(() => draw());
const unlitOf = makeUnlit();
let token = null;
let state = null;
let offset_s = 0;
let drawn = "";

function draw() {
  if (state === null) return;
  const now_s = Date.now() / 1000 + offset_s;
  const qr = state.code ? codes.of(state.code, `${MINE}/parcels/qr.svg`, token) : null;
  const parts = { now_s, qr, turns_s: state.code_turns_s,
    unlit: unlitOf(state.sessions), act: { open: openWall } };
  const text = JSON.stringify([state.orders, state.sessions, [...parts.unlit], parts.qr, Math.ceil((state.code_turns_s ?? now_s) - now_s)]);
  if (text === drawn) return;
  drawn = text;
  put(view, parcelsView(state, parts));
  const words = view.querySelector(".at-wall")?.textContent ?? "";
  if (said.textContent !== words) said.textContent = words;
}

/** The first token that has orders is this phone's. */
async function ask() {
  for (const one of token ? [token] : tokens) {
    const answer = await fetch(`${MINE}/parcels`, {
      headers: bearing(one), cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (answer.ok) {
      token = one;
      state = await answer.json();
      offset_s = state.now_s - Date.now() / 1000;
      return true;
    }
    if (![401, 404].includes(answer.status)) throw new Error(await reason(answer));
  }
  return false;
}

async function look() {
  try {
    if (!await ask()) put(view, noToken());
    link.hidden = true;
    draw();
  } catch {
    link.hidden = false;
    link.textContent = "No connection to the store. Trying again…";
    // What the wall shows is not known now: nothing old may send anybody to a parcel.
    if (state) state = { ...state, sessions: [] };
    draw();
  }
  setTimeout(look, state?.sessions.length ? AT_WALL_MS : LOOK_MS);
}

async function openWall(wall) {
  told.hidden = true;
  try {
    const answer = await fetch(`${MINE}/walls/${encodeURIComponent(wall)}/open`, {
      method: "POST", headers: bearing(token),
    });
    if (!answer.ok) throw new Error(await reason(answer));
    state = { ...state, ...await answer.json() };
    draw();
  } catch (error) {
    told.textContent = failure(error);
    told.hidden = false;
  }
}

await takeForms().catch(() => undefined);
look();
setInterval(draw, 1000);
addEventListener("hashchange", () => location.reload());
