// The shelf before the avatar as products to click, and what the avatar carries.

import { h, money, packaging, productIcon, put, s } from "./draw.js";
import { bayName } from "./floor.js";

const PX_A_CM = 2.6;
const GHOST = 1.6;

/** The shelf in `box`. `choose(slot_id)` hears clicks; `armed` says what a click would do. */
export function makeShelf(box, { choose }) {
  return {
    show(world, layout, armed) {
      const bay_id = world.you.near_bay;
      const can = world.mine && world.you.stage === "inside";
      const key = JSON.stringify([bay_id, world.shelf, armed, can]);
      put(box, key, () => {
        if (!bay_id) {
          return [h("p", { class: "soft" },
            "No shelf within reach. Click a shelf on the plan, or walk up to one.")];
        }
        const bay = layout.bays.find((one) => one.bay_id === bay_id);
        return [h("div", { class: "boards", role: "group", "aria-label": `Shelf ${bayName(bay_id)}` },
          [...bay.boards].reverse().map((board) =>
            drawBoard(board, bay, world.shelf, layout, { armed, can, choose })))];
      });
    },
  };
}

function drawBoard(board, bay, shelf, layout, doing) {
  const slots = layout.slots.filter((slot) => slot.board_id === board.board_id);
  const tallest = Math.max(0.08, ...slots.map((slot) => layout.products[slot.gtin].packaging.height_m));
  return h("div", { class: "board" }, slots.map((slot) => {
    const button = drawSlot(slot, tallest, shelf[slot.slot_id] ?? [], layout, doing);
    button.style.flexGrow = (slot.u1_m - slot.u0_m) / bay.width_m * 100;
    return button;
  }));
}

function drawSlot(slot, tallest, columns, layout, { armed, can, choose }) {
  const product = layout.products[slot.gtin];
  const left = columns.reduce((sum, [, count]) => sum + count, 0);
  const price = money(product.price_minor, layout.currency);
  const empty = left === 0 && armed?.act !== "put";
  return h("button", {
    type: "button", class: "slot", id: `slot-${slot.slot_id}`,
    "aria-label": `${verb(armed, layout)} ${product.name}, ${product.size}, ${price}; ${left} left`,
    disabled: can && !empty ? null : "",
    onclick: () => choose(slot.slot_id),
  },
  drawFacings(slot, tallest, columns, layout),
  h("span", { class: "label" },
    h("span", { class: "name" }, product.name),
    h("span", { class: "price" }, price)));
}

/** What a click on a place of the shelf does, in words before the product's name. */
export function verb(armed, layout) {
  if (armed?.act === "put") return `Put ${layout.products[armed.gtin]?.name ?? "it"} in the place of`;
  if (armed?.act === "hide") return "Slip under the jacket, straight from the shelf:";
  if (armed?.act === "take_two") return "Take two at once, one behind the other:";
  return "Take one";
}

function drawFacings(slot, tallest, columns, layout) {
  const wide = (slot.u1_m - slot.u0_m) * 100;
  const high = tallest * 100 + 2;
  const pitch = wide / slot.facings;
  const drawing = s("svg", { class: "facings", viewBox: `0 0 ${wide} ${high}`, "aria-hidden": "true",
    height: high * PX_A_CM * 0.62, preserveAspectRatio: "xMidYMax meet" });
  columns.forEach(([gtin, count], column) => {
    const look = (layout.products[gtin] ?? layout.products[slot.gtin]).packaging;
    const w = look.width_m * 100;
    const t = look.height_m * 100;
    const x = pitch * (column + 0.5) - w / 2;
    if (!count) {
      drawing.append(s("rect", { class: "gap", x: x + 1, y: high - t, width: w - 2, height: t - 1, rx: 1 }));
      return;
    }
    for (let behind = Math.min(count - 1, 2); behind > 0; behind -= 1) {
      const ghost = packaging(look, x + behind * 0.5, high - t - behind * GHOST * 0.6, w, t);
      ghost.setAttribute("class", "ghost");
      drawing.append(ghost);
    }
    drawing.append(packaging(look, x, high - t, w, t));
  });
  return drawing;
}

/** What is carried, in `list`, with a button to put each back. */
export function showHands(list, world, layout, { putBack, elsewhere }) {
  const can = world.mine && world.you.stage === "inside";
  put(list, JSON.stringify([world.you.carried, can]), () => {
    if (!world.you.carried.length) return [h("li", { class: "soft" }, "nothing")];
    return world.you.carried.map((one) => {
      const product = layout.products[one.gtin];
      return h("li", {},
        product ? productIcon(product.packaging, 30) : null,
        h("span", { class: "name" }, one.name, one.where === "bag" ? h("small", {}, " out of sight") : null),
        h("span", { class: "backs" },
          h("button", {
            type: "button", class: "small", id: `back-${one.item}`, disabled: can ? null : "",
            "aria-label": `Put ${one.name} back`, onclick: () => putBack(one.gtin),
          }, "Put back"),
          h("button", {
            type: "button", class: "small quiet", id: `else-${one.item}`, disabled: can ? null : "",
            "aria-label": `Put ${one.name} in a wrong place`, onclick: () => elsewhere(one.gtin),
          }, "Elsewhere")));
    });
  });
}
