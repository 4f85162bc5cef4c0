// From a route and its van's wall to elements: the stop the driver is at, what to take there, what was
// left behind. No transport, no clock. Text is only ever set as text.

import { h } from "/phone/element.js";
import { isDark } from "./dark.js";
import { drawIcon, drawLook } from "./looks.js";

const ICONS = {
  begin: "M5 3l14 9-14 9Z",
  done: "M3 12.5l6 6L21 6",
  stop: "M12 3 22.5 21h-21ZM12 10v5M12 18v.1",
};
const HERE = ["stowed", "ready", "cued"];
const GIVEN = ["taken", "handed_over"];

/** What the page shows of a route, the wall being as `wall` says (null: not known); nothing shines
 *  of the sessions in `unlit`. */
export function shownOf(route, wall, words, { linked, unlit }) {
  const last = route.stops.length;
  const stop = route.stops[route.at] ?? null;
  const parcels = stop?.parcels ?? [];
  const taken = parcels.filter((one) => GIVEN.includes(one.state)).length;
  const off = parcels.filter((one) => one.off).length;
  const waits = parcels.filter((one) => HERE.includes(one.state) && !one.off).length;
  const gone = parcels.length - taken - waits - off;
  const session = wall?.sessions.find((one) => one.who === "route") ?? null;
  const dark = !linked || wall === null || isDark(wall) || unlit.has(session?.session_id);
  const base = { state: "", look: null, icon: "begin", head: "", text: "", parcels, waits };
  if (route.at < 0) return { ...base, state: "begin", head: words.begin, text: words.stops(last) };
  if (route.at >= last) return { ...base, state: "done", icon: "done", head: words.over, text: leftWords(route, words) };
  const made = { ...base, head: stop.name, text: words.taken(taken, parcels.length) };
  if (session?.state === "wrong") return { ...made, state: "wrong", icon: "stop", text: words.wrong };
  if (!waits && off) return { ...made, state: "refused", icon: "stop", text: words.off(off) };
  if (!waits) {
    return gone
      ? { ...made, state: "refused", icon: "stop", text: words.missing(gone) }
      : { ...made, state: "done", icon: "done", text: words.all };
  }
  if (dark) return { ...made, state: "out", icon: "stop", text: linked ? words.dark : words.away };
  return { ...made, state: "showing", look: "take_a", text: words.take(session?.lit || waits, taken, parcels.length) };
}

function leftWords(route, words) {
  const count = route.stops.reduce((sum, stop) => sum + stop.left.length, 0);
  return count ? words.left(count) : words.none_left;
}

/** The whole page of a route. */
export function drawRoute(route, shown, words) {
  const picture = shown.look ? drawLook(shown.look, words.look) : drawIcon(ICONS[shown.icon], shown.state);
  const behind = route.stops.slice(0, Math.max(0, route.at)).filter((stop) => stop.left.length);
  const here = route.stops[route.at];
  return [
    h("section", { class: `card ${shown.state}`, "data-state": shown.state, "data-look": shown.look ?? "" },
      h("div", { class: "picture" }, picture),
      h("div", { class: "words" },
        here ? h("p", { class: "order" }, words.stop(route.at + 1, route.stops.length)) : null,
        h("h1", {}, shown.head),
        shown.text ? h("p", { id: "how-far" }, shown.text) : null,
        shown.parcels.length ? h("ul", { class: "parcels" }, shown.parcels.map((one) =>
          h("li", { class: GIVEN.includes(one.state) ? "given" : null },
            h("b", {}, `…${one.key.slice(-4)}`),
            h("span", {}, one.off ? words.is_off : words.states[one.state] ?? one.state)))) : null)),
    behind.length ? h("section", { class: "behind", role: "alert" },
      h("h2", {}, words.behind),
      h("ul", {}, behind.map((stop) => h("li", {}, `${stop.name}: ${words.count(stop.left.length)}`)))) : null,
  ];
}
