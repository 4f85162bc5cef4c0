// A shopper's wallet: its key is kept in this browser and nowhere else, and is shown live.

import { failure, once, reason, wallet } from "./asking.js";
import { put as putIn } from "./element.js";
import { follow } from "./live.js";
import { bearing } from "./mine.js";
import { noWallet, unknownWallet, walletView } from "./wallet-view.js";

const API = "/api/v1/wallets";
const view = document.getElementById("view");
const link = document.getElementById("link");
const told = document.getElementById("told");
const said = document.getElementById("said");
let token = wallet.recall();
let stream = null;
let drawn = "";

const MINE = `${API}/me`;

function put(elements) {
  const typed = document.getElementById("code")?.value;
  putIn(view, elements);
  const code = document.getElementById("code");
  if (code && typed) code.value = typed;
}

function tell(text, good = false) {
  told.hidden = text === "";
  told.className = `told card ${good ? "" : "red"}`;
  told.textContent = text;
}

/** Asks the store; what it refuses is told in its own words. */
async function ask(path, method, body, done) {
  tell("");
  try {
    const answer = await fetch(MINE + path, {
      method,
      headers: bearing(token, { "Content-Type": "application/json" }),
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(await reason(answer));
    if (done) {
      tell(done, true);
      said.textContent = done;
    }
    return true;
  } catch (error) {
    tell(failure(error));
    return false;
  }
}

const act = {
  topUp: (minor) => ask("/topups", "POST", { topup_id: once(), amount_minor: minor }, "Your card is asked."),
  order: (order) => ask("/order", "PUT", { order }),
  pay: (debt, source) => ask("/debts", "POST", { pay_id: once(), visit_id: debt.visit_id, source }, "Thank you."),
  card: async (input, redeem) => {
    const done = redeem ? "The gift card is on your balance." : "The gift card pays first from now on.";
    if (await ask("/cards", "POST", { code: input.value.trim(), redeem }, done)) {
      const code = document.getElementById("code");
      if (code) code.value = "";
    }
  },
  forget: () => {
    if (!confirm("Without its key nobody can use this wallet any more, you included. Remove it?")) return;
    gone();
  },
};

function gone() {
  stream?.close();
  wallet.remember("");
  token = "";
  drawn = "";
  put(noWallet({ open }));
}

async function open() {
  put(noWallet({ open, busy: true }));
  try {
    const answer = await fetch(API, { method: "POST" });
    if (!answer.ok) throw new Error(await reason(answer));
    token = (await answer.json()).token;
    wallet.remember(token);
    show();
  } catch (error) {
    put(noWallet({ open, error: failure(error) }));
  }
}

function show() {
  stream?.close();
  stream = follow(`${MINE}/events`, {
    token,
    event: "wallet",
    state: (state) => {
      const text = JSON.stringify(state);
      if (text === drawn) return;
      drawn = text;
      put(walletView(state, act));
    },
    link: (up) => {
      link.hidden = up;
      link.textContent = up ? "" : "No connection to the store. Your money is safe; trying again…";
    },
    gone: () => put(unknownWallet({ forget: gone })),
  });
}

if (token) show();
else put(noWallet({ open }));
