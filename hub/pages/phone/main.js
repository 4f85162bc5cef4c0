// A shopper's own phone: starts visits, keeps the token of the latest one in this browser, and
// shows it live. An address with #TOKEN shows that visit instead and starts or changes nothing.

import { AWAY, failure, kept, once, reason, wallet } from "./asking.js";
import { follow } from "./live.js";
import { bearing, pictures as picturesOf, turning } from "./mine.js";
import { makeScreen } from "./screen.js";
import { h, startView } from "./view.js";

const visit = kept("sortie.visit");
const API = "/api/v1/phones";
const MINE = `${API}/me`;
const WALLET = "wallet.html";
const fragment = decodeURIComponent(location.hash.slice(1));
const visitor = fragment === "";
let token = fragment || visit.recall();
let offset_ms = 0;
let stream = null;
let mails = false;
let evidence = [];
const images = picturesOf(() => screen.again());
const codes = turning(() => screen.again());

const screen = makeScreen((state) => ({
  now_s: (Date.now() + offset_ms) / 1000,
  qr: state?.code ? codes.of(state.code, `${MINE}/qr.svg`, token) : null,
  renew: visitor ? renew : null,
  group: visitor ? group : null,
  tip: (minor) => ask("tip", { tip_id: once(), amount_minor: minor }),
  pay: () => ask("debt", { pay_id: once() }),
  card: visitor ? useCard : null,
  receipt: state?.receipt_path ?? null,
  dispute: token ? dispute : null,
  mail: token && mails ? mail : null,
  pictures: new Map(evidence.map((row) => [row.dispute_id, row.evidence
    .filter((one) => one.state === "here")
    .map((one) => images.of(one.sha256, `${MINE}/evidence/${one.sha256}`, token))
    .filter((url) => url)])),
  again: visitor ? h("button", { type: "button", class: "quiet", id: "again", onclick: forget },
    "Start another visit") : null,
}));

/** The hub's clock is the one the code's end is told in. */
function setClock(answer) {
  const date = Date.parse(answer.headers.get("date") ?? "");
  if (date) offset_ms = date - Date.now();
}

async function begin() {
  screen.plain(startView({ begin, busy: true, wallet: WALLET }));
  try {
    const key = wallet.recall();
    const answer = await fetch(`${API}/visits`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(key ? { wallet: key } : {}),
    });
    if (answer.status === 404 && key) {
      throw new Error("This store does not know the wallet in this browser. Look at it, or remove it.");
    }
    if (!answer.ok) throw new Error(await reason(answer));
    setClock(answer);
    token = (await answer.json()).token;
    visit.remember(token);
    open();
  } catch (error) {
    screen.plain(startView({ begin, error: failure(error), wallet: WALLET }));
  }
}

async function renew() {
  try {
    const answer = await fetch(`${MINE}/code`, { method: "POST", headers: bearing(token) });
    if (!answer.ok) throw new Error(await reason(answer));
    setClock(answer);
  } catch {
    screen.linked(false);
  }
}

/** So many people come in on this wallet, one after another, each with a code of their own. */
async function group(entries) {
  try {
    const answer = await fetch(`${MINE}/group`, {
      method: "POST",
      headers: bearing(token, { "content-type": "application/json" }),
      body: JSON.stringify({ entries }),
    });
    if (!answer.ok) throw new Error(await reason(answer));
  } catch {
    screen.linked(false);
  }
}

/** One tap: this line is wrong. The name is drawn once, so that a second tap changes nothing. */
async function dispute({ line, quantity, words, name }) {
  return post("disputes", { dispute_id: name, line, quantity, words });
}

/** Sends the receipt; the address leaves this page once and is kept nowhere in it. */
async function mail(address) {
  return post("receipt/mails", { address });
}

/** Asks something about this visit; what the hub answered, as {ok, said}. */
async function post(path, body) {
  try {
    const answer = await fetch(`${MINE}/${path}`, {
      method: "POST",
      headers: bearing(token, { "Content-Type": "application/json" }),
      body: JSON.stringify(body),
    });
    return answer.ok ? { ok: true, said: await answer.json() } : { ok: false, said: await reason(answer) };
  } catch {
    return { ok: false, said: AWAY };
  }
}

/** Whether the store sends e-mail, and the pictures of what is disputed; asked for when needed. */
async function after(state) {
  if (state.stage !== "final") return;
  const asked = async (path) => {
    const answer = await fetch(`${MINE}/${path}`, { headers: bearing(token), cache: "no-store" });
    if (!answer.ok) throw new Error(await reason(answer));
    return answer.json();
  };
  try {
    const known = await asked("receipt/mails");
    evidence = state.disputes.length ? await asked("disputes") : [];
    mails = known.available;
    screen.again();
  } catch {
    // The receipt is shown all the same.
  }
}

const useCard = async (code) => await ask("card", { code }) || "It pays first. What is left stays on the card.";

/** The same, but only the store's own words if it says no. */
async function ask(path, body) {
  const { ok, said } = await post(path, body);
  return ok ? "" : said;
}

function forget() {
  stream?.close();
  visit.remember("");
  token = "";
  codes.forget();
  evidence = [];
  images.keep(() => false);
  screen.linked(true);
  screen.plain(startView({ begin, wallet: WALLET }));
  document.getElementById("view").focus();
}

function open() {
  stream?.close();
  stream = follow(`${MINE}/events`, {
    token,
    answered: setClock,
    state: (state) => {
      screen.show(state);
      after(state);
    },
    link: (up) => screen.linked(up),
    gone: () => (visitor ? forget() : screen.plain([
      h("h1", {}, "No such visit"),
      h("p", { class: "card" }, "This link belongs to a visit the store does not know."),
    ])),
  });
}

if (token) open();
else screen.plain(startView({ begin, wallet: WALLET }));
setInterval(() => screen.tick(), 1000);
addEventListener("hashchange", () => location.reload());
