// From the hub's phone state to elements: no transport, no clock of its own. Text is only ever set
// as text, so that nothing a product or a store is called can become markup.

import { afterView, markView, reviewNote } from "./after.js";
import { h } from "./element.js";
import { items, money } from "./words.js";

export { h, money };

/** Which colour the state's words have. */
export function tone(word) {
  if (word.startsWith("checking")) return "amber";
  return word === "refused" || word === "expired" ? "red" : "plain";
}

const percent = (rate) => `${+(100 * Number(rate)).toFixed(2)} %`;

/** The whole view of a state. `seen` holds keys of lines that were shown before. */
export function viewOf(state, parts) {
  const { now_s, qr, renew, group, seen, again, card } = parts;
  switch (state.stage) {
    case "issued":
      return codeView(state, { now_s, qr, renew, group, card });
    case "entering":
    case "binding":
      return [...enteringView(state), ...nextView(state, { now_s, qr })];
    case "shopping":
    case "left":
      return [...nextView(state, { now_s, qr }), ...cartView(state, seen, now_s)];
    case "final":
      return [...receiptView(state, parts), again];
    default:
      return [...refusedView(state), again];
  }
}

/** Before anything: what this is, and the one button. */
export function startView({ begin, busy, error, wallet }) {
  return [
    h("h1", {}, "Take what you like and walk out"),
    h("p", { class: "soft" }, "No checkout. Your cart is here, live, while you shop."),
    error ? h("p", { class: "card red", role: "alert" }, error) : null,
    h("div", { class: "card" },
      h("ol", { class: "steps" },
        h("li", {}, "Get a code and show it at the gate"),
        h("li", {}, "Take things, put things back"),
        h("li", {}, "Walk out: the receipt comes here"))),
    h("button", { type: "button", id: "begin", onclick: begin, disabled: busy ? "" : null },
      busy ? "Getting your code…" : "Start a visit"),
    wallet ? h("a", { class: "wallet", id: "wallet", href: wallet },
      "Your wallet: balance, gift cards, what pays first") : null,
    wallet ? h("a", { class: "wallet", id: "parcels", href: "parcels.html" },
      "Your parcels: what waits for you, and its code") : null,
    h("div", { class: "foot" }, privacyNote()),
  ];
}

/** What the store knows of a shopper, in the shopper's words. */
export function privacyNote() {
  return h("details", { class: "card privacy" },
    h("summary", {}, "What the store knows about you"),
    h("p", { class: "soft" },
      "No face recognition and no body template: your cart has a random id, made new for every visit."),
    h("p", { class: "soft" },
      "Cameras film hands and shelves. Frames stay in the store's own machine, pictures kept as " +
      "evidence are blurred and expire. You are filmed, so we do not call this anonymous."),
    h("p", { class: "soft" },
      "Software never accuses anyone. What it is not sure of is free, unless a person looked."));
}

function codeView(state, { now_s, qr, renew, group, card }) {
  const left_s = Math.ceil(state.code_expires_s - now_s);
  if (left_s <= 0) {
    return [
      h("h1", {}, "This code has run out"),
      h("p", { class: "soft" }, "A code waits for its gate so long only. Nothing was charged."),
      renew ? h("button", { type: "button", id: "renew", onclick: renew }, "Get a new code") : null,
    ];
  }
  return [
    h("h1", {}, "Scan this at the gate"),
    picture(qr),
    h("p", { class: "soft", id: "left" }, turning(state, now_s)),
    group ? groupSize(state, group) : null,
    h("p", { class: "card" },
      `At the gate ${money(state.hold_minor, state.currency)} are reserved, not charged. ` +
      "You pay for what you take, once, when you leave."),
    card ? giftCard(card) : null,
    h("div", { class: "foot" }, privacyNote()),
  ];
}

const picture = (qr) => qr !== null
  ? h("div", { class: "qr" }, qr && h("img",
      { id: "qr", src: qr, alt: "Your entry code as a QR code", width: 300, height: 300 }))
  : h("p", { class: "card empty" }, "The entry code is on the shopper's own phone only.");

function turning(state, now_s) {
  if (!state.code_turns_s) return "Good for one entry.";
  const left_s = Math.max(0, Math.ceil(state.code_turns_s - now_s));
  return `Good for one entry. It changes by itself in ${clock(left_s)}; a picture of it is no use.`;
}

/** The code of the next one who comes in on the same wallet; nothing when everybody is in. */
function nextView(state, { now_s, qr }) {
  if (!state.code) return [];
  return [
    h("h2", {}, `Next one in: ${state.entered + 1} of ${state.entries}`),
    picture(qr),
    h("p", { class: "soft", id: "left" }, turning(state, now_s)),
  ];
}

/** How many people come in on this wallet. */
function groupSize(state, group) {
  const button = (id, label, text, entries) => h("button", {
    type: "button", class: "quiet", id, "aria-label": label, onclick: () => group(entries),
    disabled: entries < 1 || entries > 20 ? "" : null,
  }, text);
  return h("div", { class: "card sum", role: "group", "aria-label": "People who come in" },
    button("fewer", "One person less", "−", state.entries - 1),
    h("span", { id: "people" }, state.entries === 1
      ? "Just me" : `${state.entries} people, on my wallet`),
    button("more", "One person more", "+", state.entries + 1));
}

/** A gift card that pays first for this visit; made once, so that a code is not lost in redrawing. */
let giftForm = null;
function giftCard(card) {
  if (giftForm?.card === card) return giftForm.element;
  const input = h("input", {
    id: "gift-code", autocomplete: "off", autocapitalize: "characters", spellcheck: "false",
    placeholder: "XXXX-XXXX-XXXX-XXXX", "aria-label": "Gift card code", maxlength: 60,
  });
  const told = h("p", { class: "soft", role: "alert", id: "gift-told" });
  const use = async () => { told.textContent = await card(input.value.trim()); };
  const element = h("details", { class: "card" },
    h("summary", {}, "Pay with a gift card"),
    input, h("button", { type: "button", id: "gift-use", class: "quiet", onclick: use }, "Use it for this visit"), told);
  giftForm = { card, element };
  return element;
}

/** Seconds as m:ss. */
export function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function enteringView(state) {
  return [
    h("h1", {}, "Welcome in"),
    h("p", { class: "soft" }, state.held
      ? `${money(state.hold_minor, state.currency)} are reserved, not charged. Walk on in.`
      : "One moment, the gate is opening."),
    emptyCart("Your cart will fill here."),
  ];
}

function cartView(state, seen, now_s) {
  const left = state.stage === "left";
  return [
    h("h1", {}, left ? "Thank you, that was it" : "Your cart"),
    left ? h("p", { class: "soft" }, "You have left the store. The receipt is being made.") : null,
    markView(state),
    left && state.review_until_s ? reviewNote(state, now_s) : null,
    noticeCards(state.notices),
    state.lines.length
      ? h("ul", { class: "card lines", id: "cart", "aria-label": "Your cart" },
          state.lines.map((line) => lineItem(line, state.currency, { seen })))
      : emptyCart(left ? "You took nothing." : "Nothing in it yet. Take what you like."),
    state.unclear
      ? h("p", { class: "card amber", id: "unclear" },
          `We are checking ${items(state.unclear)}. If we cannot be sure, it is free.`)
      : null,
    state.saved_minor ? h("div", { class: "card" }, savedSum(state)) : null,
    state.money?.refused_extra
      ? h("p", { class: "card amber", id: "no-more" },
          `Your card reserves no more than ${money(state.hold_minor, state.currency)}. ` +
          "What you take above that you will owe.")
      : null,
    h("div", { class: "card sum" }, h("span", {}, left ? "Total" : "So far"),
      h("strong", { id: "total" }, money(state.total_minor, state.currency))),
    left ? null : h("p", { class: "soft" },
      `${money(state.hold_minor, state.currency)} are reserved, not charged. ` +
      "Put something back and it leaves your cart. To pay, just walk out."),
  ];
}

function emptyCart(text) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M6 8h12l1 12H5L6 8Zm3 0V6a3 3 0 0 1 6 0v2");
  path.setAttribute("fill", "none");
  path.setAttribute("stroke", "currentColor");
  path.setAttribute("stroke-width", "1.6");
  path.setAttribute("stroke-linejoin", "round");
  drawing.append(path);
  return h("div", { class: "card empty", id: "empty" }, drawing, text);
}

/** What makes a line the same one as before. */
export const keyOf = (line) => `${line.gtin}:${line.unit_price_minor}:${line.quantity}`;

function lineItem(line, currency, { seen = null, refunded = 0 } = {}) {
  const total = money(line.total_minor, currency);
  const under = [];
  if (line.quantity > 1) under.push(`${money(line.unit_price_minor, currency)} each`);
  if (line.discount_minor) {
    under.push(`${(line.offers ?? []).join(", ")}: −${money(line.discount_minor, currency)}`);
  }
  if (refunded) {
    under.push(`${items(refunded)} given back: −${money(givenBack(line, refunded), currency)}`);
  }
  return h("li", { class: seen && !seen.has(keyOf(line)) ? "fresh" : null },
    h("span", { class: "count" }, `${line.quantity}×`),
    h("span", {}, line.name),
    h("span", { class: "money" }, refunded >= line.quantity ? h("s", {}, total) : total),
    under.length ? h("span", { class: "under" }, under.join(" · ")) : null);
}

/** What so many pieces of a line brought back: their share of what was paid, rounded half up. */
export function givenBack(line, count) {
  const left = line.quantity - count;
  return line.total_minor - Math.floor(
    (2 * line.total_minor * left + line.quantity) / (2 * line.quantity));
}

/** Goods that are not simply sold, each as a card; `name` and `reason` are only ever text. */
export function noticeCards(notices) {
  const words = {
    id: (row) => ["amber", `${row.name} is sold from ${row.age_min} on. Please show an ID to the staff.`],
    closed: (row) => ["red", `${row.name} is not for sale now${because(row)}. Please put it back; it is not charged.`],
    recalled: (row) => ["red", `${row.name} was called back${because(row)}. Please put it back; it is not charged.`],
    hand_back: (row) => ["red", `${count(row)}${row.name} could not be sold and was not charged. Please hand it back.`],
    recalled_bought: (row) => ["red", `${row.name} was called back${because(row)}. Do not use it; bring it back to us.`],
  };
  return (notices ?? []).filter((row) => words[row.kind]).map((row) => {
    const [look, text] = words[row.kind](row);
    return h("p", { class: `card ${look} notice`, role: "alert", "data-kind": row.kind }, text);
  });
}

const count = (row) => (row.quantity > 1 ? `${row.quantity} × ` : "");
const because = (row) =>
  [row.reason ? `: ${row.reason}` : "", row.batch ? ` (batch ${row.batch})` : ""].join("");

function savedSum(state) {
  return state.saved_minor
    ? h("div", { class: "sum" }, h("span", {}, "Saved"),
        h("span", { class: "money", id: "saved" }, money(state.saved_minor, state.currency)))
    : null;
}

function receiptView(state, parts) {
  const { now_s = 0, tip = null, pay = null } = parts;
  const { receipt, currency } = state;
  const back = new Map(receipt.refunded.map((row) => [row.line, row.quantity]));
  const due_minor = receipt.total_minor - receipt.refunded_minor;
  const sums = (id, text, minor) => h("div", { class: "sum" },
    h("span", {}, text), h("span", { class: "money", id }, money(minor, currency)));
  return [
    h("h1", {}, state.lines.length ? "Your receipt" : "Nothing taken, nothing charged"),
    h("p", { class: "soft" }, `${receipt.store} · ${new Date(1000 * receipt.settled_s).toLocaleString("en",
      { dateStyle: "medium", timeStyle: "short" })}`),
    markView(state),
    noticeCards(state.notices),
    receipt.not_charged
      ? h("p", { class: "card amber", id: "free" }, "We weren't sure, so it is free: ",
          `${items(receipt.not_charged)} not charged.`)
      : null,
    state.lines.length
      ? h("div", { class: "card", id: "receipt" },
          h("ul", { class: "lines", "aria-label": "Receipt lines" }, state.lines.map((line) =>
            lineItem(line, currency, { refunded: back.get(line.line) ?? 0 }))))
      : null,
    h("div", { class: "card" },
      savedSum(state),
      receipt.refunded_minor ? sums("given-back", "Given back", -receipt.refunded_minor) : null,
      h("div", { class: "sum" }, h("span", {}, "Total"),
        h("strong", { id: "total" }, money(due_minor, currency))),
      receipt.captured_minor ? sums("paid", "Charged to your wallet", receipt.captured_minor) : null,
      split(state),
      state.money?.on_tab_minor
        ? sums("on-tab", "Collected later, with other small visits", state.money.on_tab_minor) : null,
      !receipt.paid && !state.money?.on_tab_minor && due_minor > receipt.debt_minor
        ? h("p", { class: "soft" }, "The charge is on its way to your wallet.") : null),
    receipt.debt_minor ? debtCard(state, pay) : null,
    tipCard(state, { now_s, tip }),
    receipt.vat.length ? vatTable(receipt, currency) : null,
    ...afterView(state, parts),
    h("p", { class: "soft" }, "After this receipt corrections only go down."),
  ];
}

/** Which sources paid, if it was not the card alone. */
function split(state) {
  const names = { card: "your card", stored: "your balance", gift: "a gift card" };
  const paid = (state.money?.sources ?? []).filter((part) => part.captured_minor && part.purpose !== "tip");
  if (!paid.some((part) => part.source !== "card")) return null;
  return h("p", { class: "soft", id: "split" }, paid.map((part) =>
    `${money(part.captured_minor, state.currency)} from ${names[part.source]}`).join(" · "));
}

/** A button that asks the store once and says what it answered. */
function asking(id, text, ask) {
  const told = h("p", { class: "soft", role: "alert" });
  const button = h("button", { type: "button", id }, text);
  button.addEventListener("click", async () => {
    button.disabled = true;
    told.textContent = await ask();
    button.disabled = told.textContent === "";
  });
  return [button, told];
}

function debtCard(state, pay) {
  const { receipt, currency } = state;
  const amount = money(receipt.debt_minor, currency);
  return h("div", { class: "card red", id: "debt" },
    h("p", {}, `${amount} were above what was reserved. ` + (state.money?.paying
      ? "They are being charged." : "You owe this amount; it was not charged.")),
    pay && !state.money?.paying ? asking("pay-debt", `Pay ${amount} now`, pay) : null);
}

const TIPS_MINOR = [50, 100, 200];

function tipCard(state, { now_s, tip }) {
  const paid = state.money ?? {};
  if (paid.tip_minor) {
    return h("p", { class: "card", id: "tipped" }, paid.tip_paid_minor
      ? `Thank you for the tip: ${money(paid.tip_paid_minor, state.currency)}.`
      : paid.tip_open ? "Your tip is on its way." : "Your card refused the tip. Nothing was charged for it.");
  }
  if (!tip || !paid.tip_minor_max || now_s > paid.tip_until_s) return null;
  return h("div", { class: "card", id: "tips" },
    h("h2", {}, "Something for the staff?"),
    h("div", { class: "tips" }, TIPS_MINOR.filter((minor) => minor <= paid.tip_minor_max).map((minor) =>
      h("div", {}, asking(`tip-${minor}`, money(minor, state.currency), () => tip(minor))))));
}

function vatTable(receipt, currency) {
  const cells = (row) => [row.gross_minor - row.vat_minor, row.vat_minor, row.gross_minor]
    .map((minor) => h("td", {}, money(minor, currency)));
  return h("div", { class: "card" },
    h("table", { id: "vat" },
      h("thead", {}, h("tr", {},
        ["VAT", "net", "tax", "gross"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, receipt.vat.map((row) => h("tr", {},
        h("td", {}, percent(row.rate)), cells(row))))));
}

function refusedView(state) {
  const expired = state.stage === "expired";
  return [
    h("h1", {}, expired ? "Nobody used this code" : "The gate could not let you in"),
    h("p", { class: "card" }, expired
      ? "It was never scanned in time. Nothing was reserved or charged."
      : `Your wallet said no${state.refusal ? ` (${state.refusal})` : ""}. Nothing was charged.`),
  ];
}

/** One sentence for screen readers when the cart changed; empty if it did not. */
export function change(before, after) {
  if (!before || before.visit_id !== after.visit_id) return "";
  if (before.stage !== "final" && after.stage === "final") {
    return `Your receipt is here: ${money(after.total_minor, after.currency)}.`;
  }
  const count = (state) => new Map(state.lines.map((line) => [line.gtin, line]));
  const [was, is] = [count(before), count(after)];
  const said = [];
  for (const [gtin, line] of is) {
    const more = line.quantity - (was.get(gtin)?.quantity ?? 0);
    if (more > 0) said.push(`${line.name} added`);
    if (more < 0) said.push(`${line.name} taken out`);
  }
  for (const [gtin, line] of was) if (!is.has(gtin)) said.push(`${line.name} taken out`);
  return said.length ? `${said.join(", ")}. ${money(after.total_minor, after.currency)} so far.` : "";
}
