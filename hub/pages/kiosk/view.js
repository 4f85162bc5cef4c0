// From what a bystander may know of a wall to elements and to the sentence that is spoken: no
// transport, no clock. Text is only ever set as text.

import { h } from "/phone/element.js";
import { isDark } from "./dark.js";
import { drawIcon, drawLook } from "./looks.js";
import { lookIn } from "./words.js";

const ICONS = {
  scan: "M3 8V4a1 1 0 0 1 1-1h4M16 3h4a1 1 0 0 1 1 1v4M21 16v4a1 1 0 0 1-1 1h-4M8 21H4a1 1 0 0 1-1-1v-4M7 7h4v4H7ZM13 7h4v4h-4ZM7 13h4v4H7ZM14 14h3v3h-3Z",
  wait: "M6 2h12M6 22h12M7 2v4l5 6-5 6v4M17 2v4l-5 6 5 6v4",
  done: "M3 12.5l6 6L21 6",
  stop: "M12 3 22.5 21h-21ZM12 10v5M12 18v.1",
};

/** What the whole screen shows: cards in order. Without a line to the hub, or while the wall has no
 *  light or does not see, no card invites anybody to take something; nor does the card of a session
 *  in `unlit`, of which nothing shines. */
export function cardsOf(state, { words, linked, unlit = new Set(), notice = null, warned = false }) {
  if (!linked) return [card("out", "stop", words.away)];
  if (state === null) return [card("reading", "wait", words.reading)];
  const dark = isDark(state);
  const cards = state.sessions
    .map((one) => unlit.has(one.session_id) && !dark
      ? { ...card("refused", "stop", words.unsure), key: one.session_id } : sessionCard(one, words))
    .filter((one) => !(dark && one.open));
  if (warned && !cards.some((one) => one.state === "wrong")) cards.push(card("wrong", "stop", words.nobody));
  if (notice) cards.push(card("refused", "stop", notice.words));
  if (dark && !cards.length) return [card("out", "stop", words.out)];
  return cards.length ? cards : [card("idle", "scan", state.kind === "van" ? words.van : words.idle)];
}

function card(state, icon, [head, text]) {
  return { key: state, state, head, text, icon, look: null, open: false, taken: 0, of: 0 };
}

const ICON_OF = { reading: "wait", waiting: "wait", away: "wait", done: "done" };

/** One person's card; `open`: it asks for something to be done at the wall. */
export function sessionCard(session, words) {
  const [state, [head, text]] = told(session, words);
  const shown = session.state === state && ["showing", "taken"].includes(state);
  const look = shown ? session.look : state === "staff" && session.stowing ? "place" : null;
  return {
    key: session.session_id, state, head, text, look, lamps: !!session.lamps,
    icon: ICON_OF[state] ?? (session.who === "staff" ? "scan" : "stop"),
    open: look !== null || ["reading", "staff", "away"].includes(state),
    taken: session.taken, of: session.parcels,
  };
}

/** The state that is shown, its headline and what to do. */
function told(session, words) {
  const { state, parcels, taken, reason } = session;
  const look = lookIn(words, session.look, session.lamps);
  // What is not lit now is not asked for: a label may be there twice, a hand may hide it.
  const left = session.lit || parcels - taken;
  if (state === "wrong") return [state, [words.wrong[0], `${words.wrong[1]} ${look && taken < parcels ? words.right(look) : ""}`.trim()]];
  if (state === "refused" && reason === "busy") return ["waiting", words.waiting];
  if (words.reasons[reason]) return ["refused", words.reasons[reason]];
  if (session.who === "staff") return ["staff", session.stowing ? (session.lamps ? words.place_lamps : words.place) : words.stow];
  if (state === "refused") return [state, words.refused];
  if (session.away && ["showing", "taken"].includes(state)) return ["away", words.waits];
  if (state === "showing") return [state, [words.show(look, left), more(session, words) || words.count(parcels)]];
  if (state === "taken") {
    return [state, [words.taken(taken, parcels), taken < parcels ? words.next(look, left) : more(session, words)]];
  }
  if (state === "done" || (state === "ended" && taken && !session.left)) return ["done", [words.done[0], more(session, words) || words.done[1]]];
  if (state === "ended") return ["ended", session.left ? [words.left(session.left), words.ended[1]] : words.ended];
  return ["reading", words.reading];
}

/** What of an order is not to be had here. */
function more(session, words) {
  return [
    session.elsewhere ? words.elsewhere(session.elsewhere) : "",
    session.unpaid ? words.unpaid : "",
  ].filter(Boolean).join(" ");
}

/** A card as an element. */
export function drawCard(one, words) {
  const picture = one.look
    ? drawLook(one.look, (one.lamps ? words.lamps : words.looks)[one.look] ?? "", one.lamps)
    : drawIcon(ICONS[one.icon], one.state);
  return h("section", { class: `card ${one.state}`, "data-state": one.state, "data-look": one.look ?? "" },
    h("div", { class: "picture" }, picture),
    h("div", { class: "words" },
      h("h1", {}, one.head),
      one.text ? h("p", {}, one.text) : null,
      one.of > 1 && one.look ? pips(one) : null));
}

/** Parcels as boxes, those that were taken filled: decoration, the words say it too. */
function pips({ taken, of }) {
  return h("p", { class: "pips", "aria-hidden": "true" },
    Array.from({ length: Math.min(of, 12) }, (_, at) => h("i", { class: at < taken ? "full" : null })));
}

/** What must be said, and which sound goes before it, when one set of cards follows another. */
export function heard(before, after) {
  const was = new Map(before.map((one) => [one.key, one]));
  for (const one of after) {
    const old = was.get(one.key);
    if (old && old.state === one.state && old.taken === one.taken && old.head === one.head) continue;
    // A kiosk that has just begun has nothing to say.
    if (!before.length && ["idle", "reading"].includes(one.state)) continue;
    return { sound: soundOf(one, old), text: one.state === "idle" ? "" : `${one.head}. ${one.text}` };
  }
  return null;
}

function soundOf(one, old) {
  if (["wrong", "refused", "out", "ended"].includes(one.state)) return "warning";
  if (["showing", "done"].includes(one.state)) return "confirm";
  return one.state === "taken" && one.taken > (old?.taken ?? 0) ? "confirm" : null;
}
