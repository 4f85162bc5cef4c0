// The display at a gate: the signs of whoever leaves now, gone by themselves after seconds. The
// display's token stands in the address after the #, which no server ever sees in a log.

import { ANSWER_MS } from "/phone/asking.js";
import { h } from "/phone/element.js";
import { read } from "/phone/live.js";
import { drawMark } from "/phone/marks.js";
import { bearing } from "/phone/mine.js";

const gate = location.pathname.replace(/\/+$/, "").split("/").pop();
const token = decodeURIComponent(location.hash.slice(1));
const url = `/api/v1/exits/${encodeURIComponent(gate)}`;
const headers = bearing(token);
const WAIT_MS = [500, 1000, 2000, 5000];
const view = document.getElementById("signs");
const more = document.getElementById("more");
const link = document.getElementById("link");
let offset_s = 0;
let shown = { signs: [], waiting: 0 };
let drawn = "";

function draw() {
  const now_s = Date.now() / 1000 + offset_s;
  const signs = shown.signs.filter((sign) => sign.until_s > now_s);
  const text = JSON.stringify([signs, signs.length ? shown.waiting : 0]);
  if (text === drawn) return;
  drawn = text;
  view.dataset.count = String(signs.length);
  view.replaceChildren(...(signs.length
    ? signs.map((sign) => h("section", { class: `sign ${sign.state}` }, drawMark(sign.mark),
        h("div", {}, h("b", {}, sign.words), sign.more ? h("span", {}, sign.more) : null)))
    : [h("p", { class: "rest" }, "Just walk out")]));
  more.textContent = signs.length && shown.waiting ? `and ${shown.waiting} more` : "";
}

/** Shows what there is now, and what comes, until the stream ends. */
async function show() {
  const first = await fetch(url, { headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
  if (!first.ok) throw new Error(String(first.status));
  const now = await first.json();
  offset_s = now.now_s - Date.now() / 1000;
  shown = now;
  draw();
  const answer = await fetch(`${url}/events`, { headers, cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  link.hidden = true;
  await read(answer.body, "signs", (said) => {
    shown = JSON.parse(said);
    draw();
  });
}

async function follow() {
  for (let tries = 0; ; tries += 1) {
    try {
      await show();
      tries = 0;
    } catch {
      link.hidden = false;
    }
    await new Promise((done) => { setTimeout(done, WAIT_MS[Math.min(tries, WAIT_MS.length - 1)]); });
  }
}

draw();
setInterval(draw, 250);
follow();
