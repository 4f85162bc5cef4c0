// From a wallet's state to elements: no transport, no clock. Text is only ever set as text.

import { h, money } from "./view.js";

const AMOUNTS_MINOR = [1000, 2500, 5000];
const WORDS = {
  topup: "Topped up", topup_refused: "Top-up refused by your card", redeemed: "Gift card redeemed",
  visit: "Visit", refund: "Refund", tip: "Tip", debt_paid: "Debt paid", tab: "Small charges, collected",
  tab_refused: "Small charges refused by your card",
};

/** Before there is a wallet: what it is, and the one button. */
export function noWallet({ open, busy, error }) {
  return [
    h("h1", {}, "A wallet of your own"),
    h("p", { class: "soft" }, "A balance and gift cards that pay before your card does, in the order you like."),
    error ? h("p", { class: "card red", role: "alert" }, error) : null,
    h("div", { class: "card" },
      h("ul", { class: "soft plain" },
        h("li", {}, "No name, no address, no sign-up."),
        h("li", {}, "Its key stays in this browser. Whoever has it can spend, so clear it on a phone that is not yours."))),
    h("button", { type: "button", id: "open", onclick: open, disabled: busy ? "" : null },
      busy ? "Opening…" : "Open a wallet"),
  ];
}

/** A key that belongs to no wallet of this store. */
export function unknownWallet({ forget }) {
  return [
    h("h1", {}, "No such wallet"),
    h("p", { class: "card" }, "The store does not know the wallet in this browser. It may belong to another store."),
    h("button", { type: "button", class: "quiet", id: "forget", onclick: forget }, "Remove its key"),
  ];
}

/** The whole view of a wallet. `act` does what its buttons say. */
export function walletView(state, act) {
  return [
    balance(state),
    state.debt_minor ? debts(state, act) : null,
    state.visits.length ? visits(state) : null,
    topUp(state, act),
    giftCard(act),
    order(state, act),
    movements(state),
    h("button", { type: "button", class: "quiet", id: "forget", onclick: act.forget },
      "Remove the wallet from this browser"),
  ];
}

function balance(state) {
  const more = [];
  if (state.held_minor) more.push(`${money(state.held_minor, state.currency)} reserved for a visit`);
  if (state.coming_minor) more.push(`${money(state.coming_minor, state.currency)} on the way`);
  if (state.tab_minor) more.push(`${money(state.tab_minor, state.currency)} of small charges wait to be collected`);
  return h("section", { class: "balance", "aria-label": "Balance" },
    h("span", { class: "name" }, `Balance at ${state.store}`),
    h("strong", { id: "balance" }, money(state.balance_minor, state.currency)),
    more.map((text) => h("span", { class: "more" }, text)));
}

function debts(state, act) {
  const blocked = state.debt_block_minor !== null && state.debt_minor > state.debt_block_minor;
  return h("section", { class: "card red", id: "debts" },
    h("h2", {}, `You owe ${money(state.debt_minor, state.currency)}`),
    h("p", {}, blocked ? "The gate opens again when it is paid." : "It was above what was reserved."),
    state.debts.map((debt) => debt.paying
      ? h("p", { class: "soft" }, "Being paid…")
      : h("div", { class: "two field" },
          h("button", { type: "button", id: `pay-${debt.visit_id}`, onclick: () => act.pay(debt, "card") },
            `Pay ${money(debt.amount_minor, state.currency)}`),
          h("button", { type: "button", class: "quiet", disabled: state.free_minor < debt.amount_minor ? "" : null,
            onclick: () => act.pay(debt, "stored") }, "From balance"))));
}

function visits(state) {
  return h("section", { class: "card" }, h("h2", {}, "In the store now"),
    h("ul", { class: "moves" }, state.visits.map((visit) => h("li", {},
      h("span", {}, "Reserved, not charged",
        h("small", {}, visit.sources.map((part) =>
          `${money(part.amount_minor, state.currency)} ${nameOf(part.source)}`).join(" · "))),
      h("span", { class: "money" }, money(visit.held_minor, state.currency))))));
}

function topUp(state, act) {
  return h("section", { class: "card" }, h("h2", {}, "Top up from your card"),
    h("div", { class: "pick" }, AMOUNTS_MINOR.map((minor) =>
      h("button", { type: "button", id: `top-${minor}`, onclick: () => act.topUp(minor) },
        money(minor, state.currency)))));
}

function giftCard(act) {
  const code = h("input", {
    id: "code", name: "code", autocomplete: "off", autocapitalize: "characters", spellcheck: "false",
    placeholder: "XXXX-XXXX-XXXX-XXXX", "aria-label": "Gift card code", maxlength: 60,
  });
  return h("section", { class: "card" }, h("h2", {}, "Add a gift card"),
    h("div", { class: "field" }, code,
      h("div", { class: "two" },
        h("button", { type: "button", id: "redeem", onclick: () => act.card(code, true) }, "To balance"),
        h("button", { type: "button", class: "quiet", id: "claim", onclick: () => act.card(code, false) }, "Keep as card"))));
}

const nameOf = (source) => ({ card: "card", stored: "balance" })[source] ?? "gift card";

function order(state, act) {
  const cards = new Map(state.cards.map((card) => [`gift:${card.card_id}`, card]));
  const all = [...state.order];
  for (const source of ["stored", "card", ...cards.keys()]) if (!all.includes(source)) all.push(source);
  const label = (source) => {
    const card = cards.get(source);
    if (card) return ["Gift card", card.refusal || money(card.left_minor, state.currency)];
    if (source === "stored") return ["Balance", money(state.free_minor, state.currency)];
    return ["Your card", "pays whatever is left"];
  };
  return h("section", { class: "card" }, h("h2", {}, "What pays first"),
    h("ol", { class: "order", id: "order" }, all.map((source) => {
      const at = state.order.indexOf(source);
      const [name, more] = label(source);
      return h("li", { class: at < 0 ? "off" : null, "data-source": source },
        h("span", { class: "rank" }, at < 0 ? "–" : `${at + 1}`),
        h("span", {}, name, h("small", {}, more)),
        h("button", { type: "button", class: "small", id: `up-${source}`, "aria-label": at < 0 ? `Use ${name}` : `${name} earlier`,
          disabled: at === 0 ? "" : null, onclick: () => act.order(moved(state.order, source)) }, at < 0 ? "+" : "↑"),
        h("button", { type: "button", class: "small", id: `off-${source}`, "aria-label": `Do not use ${name}`,
          disabled: at < 0 || state.order.length === 1 ? "" : null,
          onclick: () => act.order(state.order.filter((other) => other !== source)) }, "×"));
    })));
}

/** An order with one source a place earlier, or added at the end. */
export function moved(before, source) {
  const at = before.indexOf(source);
  if (at < 0) return [...before, source];
  if (at === 0) return before;
  const after = [...before];
  [after[at - 1], after[at]] = [after[at], after[at - 1]];
  return after;
}

function movements(state) {
  return h("section", { class: "card" }, h("h2", {}, "Latest"),
    state.movements.length
      ? h("ul", { class: "moves", id: "moves" }, state.movements.map((move) => h("li", {},
          h("span", {}, WORDS[move.kind] ?? move.kind,
            h("small", {}, new Date(1000 * move.at_s).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" }))),
          h("span", { class: move.amount_minor > 0 ? "money in" : "money" },
            move.amount_minor ? money(move.amount_minor, state.currency) : ""))))
      : h("p", { class: "soft" }, "Nothing yet."));
}
