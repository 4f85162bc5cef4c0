// From a phone's orders to elements: no transport, no clock of its own. Text is only ever set as text.

import { isDark } from "/kiosk-files/dark.js";
import { drawLook } from "/kiosk-files/looks.js";
import { h } from "./element.js";
import { clock } from "./view.js";
import { money } from "./words.js";

const LOOKS = { take_a: "green ring", take_b: "blue double diamond" };
const LAMPS = { take_a: "green lamps below", take_b: "blinking blue lamps below" };
const PARCEL = {
  expected: ["on its way to the store", ""], stowed: ["in the store", ""], ready: ["ready for you", "good"],
  cued: ["lit for you", "good"], taken: ["in your hands", "good"], handed_over: ["picked up", ""],
  returned: ["sent back", ""], missing: ["we look for it", "amber"],
};
const ORDER = {
  collected: "Picked up", expired: "The time to pick it up is over; please ask our staff.",
  cancelled: "This order was cancelled.",
};
const REFUSED = {
  busy: "Two people are being served. Try again in a moment.",
  not_ready: "Nothing of yours is at this wall yet.", elsewhere: "Your parcel is at another wall.",
  unpaid: "Your wallet could not pay what is due. Please pay at the desk.",
  blind: "The wall does not see now. Please ask our staff.",
  cancelled: "This order was cancelled. Please ask our staff.",
  order_expired: "The time to pick it up is over. Please ask our staff.",
  collected: "This order was picked up already.",
};

const parcels = (count) => (count === 1 ? "1 parcel" : `${count} parcels`);

/** Without anything that names a customer. */
export function noToken() {
  return [
    h("h1", {}, "Your parcels"),
    h("p", { class: "card", id: "nobody" },
      "Orders belong to the wallet or to the link they were made with. Open that link, or your wallet, in this browser."),
    h("a", { class: "wallet", href: "wallet.html" }, "Your wallet"),
  ];
}

/** The whole page. `act.open` opens a wall; `qr` is the picture of the code, null without one;
 *  nothing shines of the sessions in `unlit`. */
export function parcelsView(state, { now_s, qr, turns_s, unlit, act }) {
  const open = state.orders.filter((order) => order.state === "open");
  const closed = state.orders.filter((order) => order.state !== "open");
  const walls = [...new Set(open.flatMap((order) => order.walls))];
  return [
    h("h1", {}, "Your parcels"),
    state.sessions.map((session) => atWall(session, unlit.has(session.session_id))),
    walls.length ? codeCard({ now_s, qr, turns_s, walls, act }) : null,
    open.length ? null : h("p", { class: "card empty", id: "none" }, "No parcel waits for you."),
    open.map((order) => orderCard(order, state.currency, now_s)),
    closed.length ? h("details", { class: "card" }, h("summary", {}, "Earlier orders"),
      closed.map((order) => h("p", { class: "soft" }, `${order.order_id}: ${ORDER[order.state] ?? order.state} `,
        receipts(order)))) : null,
  ];
}

/** What the wall shows for this phone now. */
function atWall(session, unlit) {
  const left = session.lit || session.parcels - session.taken;
  const look = (session.lamps ? LAMPS : LOOKS)[session.look];
  const card = (tone, head, text, drawn = null) =>
    h("section", { class: `card at-wall ${tone}`, "data-state": session.state, role: "status" },
      drawn ? drawLook(drawn, look, session.lamps) : null, h("div", {}, h("h2", {}, head), text ? h("p", {}, text) : null));
  const rest = session.elsewhere ? `${parcels(session.elsewhere)} at another wall.` : "";
  if (session.state === "wrong") return card("red", "Please put it back", `That parcel is not yours.${session.taken < session.parcels ? ` Yours has the ${look}.` : ""}`);
  if (REFUSED[session.reason]) return card("amber", "The wall shows nothing", REFUSED[session.reason]);
  if (session.away && !isDark(session) && ["showing", "taken"].includes(session.state)) {
    return card("amber", "The light waits for you", "Step up to the wall, and it shines again.");
  }
  const dark = isDark(session) || unlit;
  if (dark && ["reading", "showing", "taken"].includes(session.state)) {
    return card("amber", "The wall shows nothing now", "Please ask our staff. They hand it over.");
  }
  switch (session.state) {
    case "showing":
      return card("", `Take the ${left === 1 ? "parcel" : parcels(left)} with the ${look}`, rest, session.look);
    case "taken":
      return card("", `${session.taken} of ${session.parcels} taken`,
        session.taken < session.parcels ? `Now the ${left === 1 ? "next one" : `${left} others`} with the ${look}.` : rest, session.taken < session.parcels ? session.look : null);
    case "done":
      return card("", "Done, thank you", rest);
    case "ended":
      if (session.left) return card("amber", `${parcels(session.left)} still at the wall`, "Open it again if you want to take more.");
      return session.taken ? card("", "Done, thank you", rest) : null;
    case "refused":
      return card("amber", "The wall shows nothing", "Please ask our staff.");
    default:
      return card("", "One moment", "Your parcel is looked for.");
  }
}

function codeCard({ now_s, qr, turns_s, walls, act }) {
  return h("section", { class: "card", id: "code" },
    h("h2", {}, "Scan this at the wall"),
    h("div", { class: "qr" }, qr && h("img", { id: "qr", src: qr, alt: "Your pick-up code as a QR code", width: 300, height: 300 })),
    turns_s ? h("p", { class: "soft", id: "left" },
      `It changes by itself in ${clock(Math.max(0, Math.ceil(turns_s - now_s)))}; a picture of it is no use.`) : null,
    act.open ? walls.map((wall) => h("button", { type: "button", id: `open-${wall}`, class: "open", onclick: () => act.open(wall) },
      walls.length > 1 ? `I stand at ${wall}: show my parcels` : "I stand at the wall: show my parcels")) : null);
}

function orderCard(order, currency, now_s) {
  return h("section", { class: "card ordered", "data-order": order.order_id },
    h("div", { class: "sum" }, h("h2", {}, order.order_id),
      order.due_minor ? h("strong", { class: "due" }, `${money(order.due_minor, currency)} to pay`) : null),
    h("p", { class: "soft" }, [where(order), deadline(order, now_s)].filter(Boolean).join(" · ")),
    order.due_minor ? h("p", { class: "soft" }, "Your wallet pays it when you take the parcel.") : null,
    h("ul", { class: "moves" }, order.parcels.map((parcel) => {
      const [words, tone] = PARCEL[parcel.state] ?? [parcel.state, ""];
      const goods = parcel.items.map((item) => `${item.quantity} × ${item.name}`).join(", ");
      return h("li", {}, h("span", {}, `Parcel …${parcel.label.slice(-4)}`, goods ? h("small", {}, goods) : null),
        h("span", { class: `word ${tone}`, "data-tone": tone === "amber" ? "amber" : null }, words));
    })),
    receipts(order));
}

/** What was paid at pick-up, as receipts to open or print. */
const receipts = (order) => (order.receipt_paths ?? []).map((path) =>
  h("a", { class: "receipt", href: path, target: "_blank", rel: "noreferrer" }, "Receipt"));

const where = (order) => order.walls.length ? `at ${order.walls.join(" and ")}` : "";

function deadline(order, now_s) {
  if (order.deadline_s === null) return "";
  const hours = (order.deadline_s - now_s) / 3600;
  if (hours <= 0) return "its time is over";
  const day = new Date(1000 * order.deadline_s).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
  return hours < 24 ? `until ${day}, ${Math.ceil(hours)} h left` : `until ${day}`;
}
