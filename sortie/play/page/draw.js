// Elements and small drawings. Text is only ever set as text; sizes and colours that come from data
// are set as attributes of SVG or properties of a style, never as markup.

export { h, money } from "/phone/view.js";

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes and children. */
export function s(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child));
  return element;
}

/** Puts children in the place of others if `key` says that something changed; keeps the focus. */
export function put(box, key, make) {
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const focused = box.contains(document.activeElement) ? document.activeElement.id : "";
  box.replaceChildren(...make().flat().filter((child) => child));
  if (focused) document.getElementById(focused)?.focus();
}

const rgb = (colour) => `rgb(${colour.join(" ")})`;

/** A product's front at (x, y) in a drawing, `w` wide and `t` tall. */
export function packaging(look, x, y, w, t) {
  const base = rgb(look.base_rgb);
  const accent = rgb(look.accent_rgb);
  const g = s("g");
  if (look.shape === "bottle") {
    const neck = w * 0.42;
    g.append(
      s("rect", { x: x + (w - neck) / 2, y: y + t * 0.07, width: neck, height: t * 0.3, rx: 1, fill: base }),
      s("rect", { x, y: y + t * 0.24, width: w, height: t * 0.76, rx: w * 0.22, fill: base }),
      s("rect", { x: x + (w - neck) / 2 - 0.5, y, width: neck + 1, height: t * 0.1, rx: 1,
        fill: rgb(look.cap_rgb ?? look.accent_rgb) }),
      s("rect", { x, y: y + t * 0.48, width: w, height: t * 0.28, fill: accent }),
    );
  } else {
    const rx = look.shape === "can" ? w * 0.18 : 1;
    g.append(s("rect", { x, y, width: w, height: t, rx, fill: base }));
    if (look.cap_rgb) g.append(s("rect", { x, y, width: w, height: t * 0.16, rx, fill: rgb(look.cap_rgb) }));
    g.append(s("rect", { x, y: y + t * 0.38, width: w, height: t * 0.34, fill: accent }));
  }
  g.append(s("rect", { x, y, width: w * 0.22, height: t, rx: w * 0.1, fill: "#fff", opacity: 0.16 }));
  return g;
}

/** A picture of one product, so many pixels high. */
export function productIcon(look, height) {
  const t = look.height_m * 100;
  const w = look.width_m * 100;
  const icon = s("svg", { class: "icon", viewBox: `0 0 ${w} ${t}`, height, "aria-hidden": "true" });
  icon.append(packaging(look, 0, 0, w, t));
  return icon;
}
