// What a phone shows after the exit beside the receipt: the mark at the gate, disputes with one tap,
// the page to print, the e-mail. What was typed stays while the view is drawn anew.

import { once } from "./asking.js";
import { h } from "./element.js";
import { drawMark } from "./marks.js";
import { money } from "./words.js";

const SAID = {
  refunded: "given back",
  rejected: "looked at: stays as it is",
  open: "our staff look at it",
};

/** The neutral mark that stands beside this visit's words on the display at the gate. */
export function markView(state) {
  if (!state.mark) return null;
  return h("p", { class: "soft at-gate", id: "mark" }, drawMark(state.mark),
    `Your sign at the gate is the ${state.mark.colour} ${state.mark.symbol}.`);
}

/** Staff look at what was unclear; how long at most. */
export function reviewNote(state, now_s) {
  const minutes = Math.max(1, Math.ceil((state.review_until_s - now_s) / 60));
  return h("p", { class: "card amber", id: "in-review" },
    `Our staff look at it, for at most ${minutes} min. What nobody confirms is free.`);
}

/** Everything below the receipt. */
export function afterView(state, { receipt, dispute, mail, pictures }) {
  return [
    state.disputes.length ? disputesView(state, pictures ?? new Map()) : null,
    dispute && state.lines.length ? disputeForm(state, dispute) : null,
    receipt ? h("p", { class: "pairs" },
      h("a", { href: receipt, id: "print", target: "_blank", rel: "noreferrer" }, "Print or save"),
    ) : null,
    mail ? mailForm(mail) : null,
  ];
}

function disputesView(state, pictures) {
  const names = new Map(state.lines.map((line) => [line.line, line.name]));
  return h("div", { class: "card", id: "disputes" }, h("h2", {}, "What you said is wrong"),
    h("ul", { class: "lines" }, state.disputes.map((row) => h("li", {},
      h("span", { class: "count" }, `${row.quantity}×`),
      h("span", {}, names.get(row.line) ?? `line ${row.line}`),
      h("span", { class: "money" }, money(row.amount_minor, state.currency)),
      h("span", { class: "under" }, SAID[row.state] ?? row.state,
        row.state === "rejected" && row.reason ? `: ${row.reason}` : ""),
      (pictures.get(row.dispute_id) ?? []).map((src) =>
        h("img", { class: "strip", src, alt: "the shelf before, during and after, blurred" }))))));
}

/** How many pieces of a line may still be disputed. */
export function disputable(state, line) {
  const back = state.receipt.refunded.find((row) => row.line === line.line)?.quantity ?? 0;
  const said = state.disputes
    .filter((row) => row.line === line.line && row.state !== "refunded")
    .reduce((sum, row) => sum + row.quantity, 0);
  return Math.max(0, line.quantity - back - said);
}

function disputeForm(state, dispute) {
  const rows = state.lines.filter((line) => disputable(state, line) > 0);
  if (!rows.length) return null;
  const said = h("p", { class: "soft", id: "dispute-said", role: "status" });
  const words = h("input", {
    id: "dispute-words", type: "text", maxlength: 200, autocomplete: "off",
    placeholder: "What happened? (if you want)", "aria-label": "What happened, if you want to say",
  });
  const button = (line) => {
    const name = once();
    const tap = async () => {
      element.disabled = true;
      const answer = await dispute({ line: line.line, quantity: 1, words: words.value, name });
      said.textContent = answer.ok
        ? (answer.said.refunded_minor
          ? `${money(answer.said.refunded_minor, state.currency)} are given back.`
          : "Thank you. Our staff look at it.")
        : answer.said;
      if (answer.ok) words.value = "";
      else element.disabled = false;
    };
    const element = h("button", { type: "button", class: "quiet tap", id: `wrong-${line.line}`,
      onclick: tap, "aria-label": `1 of ${line.name} is not mine` }, "Not mine");
    return element;
  };
  return h("details", { class: "card", id: "wrong" },
    h("summary", {}, "Something is wrong?"),
    h("p", { class: "soft" }, "One tap for each piece that is not yours. Nobody is accused."),
    words,
    h("ul", { class: "lines" }, rows.map((line) => h("li", {},
      h("span", { class: "count" }, `${disputable(state, line)}×`), h("span", {}, line.name),
      button(line)))),
    said);
}

function mailForm(mail) {
  const said = h("p", { class: "soft", id: "mail-said", role: "status" });
  const address = h("input", { id: "mail-address", type: "email", maxlength: 254,
    autocomplete: "email", placeholder: "name@example.org", "aria-label": "Your e-mail address" });
  const send = async () => {
    const answer = await mail(address.value);
    said.textContent = answer.ok ? "It is on its way." : answer.said;
    if (answer.ok) address.value = "";
  };
  return h("details", { class: "card", id: "mail" },
    h("summary", {}, "Receipt by e-mail"),
    h("p", { class: "soft" }, "Your address is used for this one mail and then erased."),
    address,
    h("button", { type: "button", id: "mail-send", class: "quiet", onclick: send }, "Send"),
    said);
}

const FIELDS = ["dispute-words", "mail-address"];
const WORDS = ["dispute-said", "mail-said"];
const FOLDS = ["wrong", "mail"];

/** What was opened, typed and said, before the view is drawn anew. */
export function afterOpen(view) {
  const of = (id, read) => {
    const found = view.querySelector(`#${id}`);
    return found ? [id, read(found)] : null;
  };
  return {
    fields: FIELDS.map((id) => of(id, (field) => field.value)).filter(Boolean),
    words: WORDS.map((id) => of(id, (element) => element.textContent)).filter(Boolean),
    folds: FOLDS.map((id) => of(id, (fold) => fold.open)).filter(Boolean),
  };
}

/** Puts it back. */
export function afterRestore(view, kept) {
  const set = (rows, write) => rows.forEach(([id, value]) => {
    const found = view.querySelector(`#${id}`);
    if (found) write(found, value);
  });
  set(kept.fields, (field, value) => { field.value = value; });
  set(kept.words, (element, value) => { element.textContent = value; });
  set(kept.folds, (fold, value) => { fold.open = value; });
}

