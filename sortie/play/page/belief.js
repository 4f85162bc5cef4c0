// What the hub believes of the avatar, as bars; and the receipt, line by line with its second of video.

import { h, money, put } from "./draw.js";
import { read } from "./line.js";

const FRAME_MS = 135;

const percent = (chance) => `${Math.round(100 * chance)} %`;

function bar(chance) {
  const fill = h("i");
  fill.style.width = `${100 * chance}%`;
  return h("div", { class: "pair thin" },
    h("span", { class: "bar", role: "img", "aria-label": `${percent(chance)} sure` }, fill),
    h("b", { class: "chance" }, percent(chance)));
}

/** The belief pane. */
export function showBelief(box, state) {
  const { belief, hub, world } = state;
  put(box, JSON.stringify([belief, hub.blind, hub.connected, world?.you.stage]), () => {
    if (!hub.connected) return [h("p", { class: "soft" }, `The hub is not heard: ${hub.fault || "asking it"}.`)];
    const blind = hub.blind.length
      ? h("p", { class: "note red" }, `Blind: ${hub.blind.map((one) => one.sensor_id).join(", ")}. `,
        "What cannot be judged is free.")
      : null;
    if (!belief) {
      return [blind, h("p", { class: "soft" },
        "Nobody to believe anything about. Come in: at the gate money is reserved, not charged.")];
    }
    const acts = belief.acts.map(drawAct);
    return [
      blind,
      h("p", { class: "doing" }, belief.doing),
      h("ol", { class: "acts" }, acts.length ? acts
        : h("li", { class: "soft" }, "No reach yet. Take something and watch.")),
      belief.cart.notes.map(([text, look]) => h("p", { class: `note ${look}` }, text)),
    ];
  });
}

function drawAct(row) {
  return h("li", { class: row.certain ? "sure" : "unsure" },
    h("div", { class: "pair" }, h("span", { class: "act" }, row.said),
      row.certain ? null : h("span", { class: "word amber" }, "not sure: free")),
    bar(row.chance),
    h("p", { class: "why" }, row.why),
    row.others.length
      ? h("ul", { class: "others" }, row.others.map(([said, chance]) =>
        h("li", {}, h("span", {}, said), h("span", { class: "chance" }, percent(chance)))))
      : null);
}

/** The receipt with replays in `box`; it stays after the visit until another begins. */
export function makeReplay(box) {
  let playing = null;

  const stop = () => {
    clearInterval(playing?.timer);
    playing = null;
  };

  const play = async (moment, figure, button) => {
    stop();
    for (const other of box.querySelectorAll(".clip")) other.hidden = true;
    const run = { timer: 0 };
    playing = run;
    figure.hidden = false;
    figure.replaceChildren(h("figcaption", {}, "Fetching the pictures…"));
    let clip;
    try {
      clip = await read(`api/clip?t_s=${moment.t_s}`);
    } catch (error) {
      clip = { frames: [], fault: error.message };
    }
    if (playing !== run) return;
    if (!clip.frames.length) {
      figure.replaceChildren(h("figcaption", {}, clip.fault ?? "No pictures of this second were kept."));
      return;
    }
    const picture = h("img", { alt: `Replay: ${moment.said}`, width: 384, height: 216 });
    figure.replaceChildren(picture, h("figcaption", {}, `${clip.camera_id} · ${moment.said} · ${percent(moment.chance)} sure`));
    const pictures = clip.frames.map((frame) => `data:image/jpeg;base64,${frame.jpeg}`);
    let at = 0;
    const turn = () => {
      picture.src = pictures[at];
      picture.dataset.frame = String(at);
      at = (at + 1) % pictures.length;
    };
    turn();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      button.textContent = "Next picture";
      button.onclick = turn;
    } else {
      run.timer = setInterval(turn, FRAME_MS);
    }
  };

  const row = (moment, name) => {
    const figure = h("figure", { class: "clip", hidden: "" });
    const button = h("button", {
      type: "button", class: "small", id: `replay-${moment.reach_id}-${moment.line}`,
      "aria-label": `Replay: ${moment.said}`,
    }, name);
    button.onclick = () => play(moment, figure, button);
    return { button, figure };
  };

  const line = (title, sum, found) => {
    const rows = found.map((moment, index) => row(moment, found.length > 1 ? `▶ ${index + 1}` : "▶ Replay"));
    return h("li", {},
      h("div", { class: "pair" }, h("span", { class: "act" }, title), h("span", { class: "money" }, sum)),
      h("div", { class: "replays" }, rows.map((one) => one.button)),
      rows.map((one) => one.figure));
  };

  return {
    show(state, layout) {
      const done = ["left", "final"].includes(state.hub.stage);
      box.closest("section").hidden = !done;
      if (!done) {
        stop();
        box.dataset.key = "";
        return;
      }
      const { lines, stage, total_minor } = state.hub;
      put(box, JSON.stringify([lines, stage, state.moments, total_minor]), () => {
        stop();
        const sure = state.moments.filter((one) => !one.free);
        const free = state.moments.filter((one) => one.free);
        const back = sure.filter((one) => one.quantity < 0);
        return [
          stage === "left" ? h("p", { class: "soft" }, "The receipt is being made…") : null,
          h("ul", { class: "replay-lines", "aria-label": "Lines of the receipt" },
            lines.map((one) => line(`${one.quantity} × ${one.name}`,
              money(one.total_minor, layout.currency),
              sure.filter((moment) => moment.gtin === one.gtin && moment.quantity > 0))),
            back.map((moment) => line(moment.said, "not charged", [moment])),
            free.map((moment) => line(moment.said, "free", [moment]))),
          free.length ? h("p", { class: "note amber" }, "We weren't sure, so it is free.") : null,
          h("div", { class: "pair sum" }, h("span", {}, "Total"),
            h("b", {}, money(total_minor, layout.currency))),
        ];
      });
    },
    /** Plays the first line that can be replayed, for the tour. */
    first() {
      box.querySelector(".replays button")?.click();
    },
  };
}
