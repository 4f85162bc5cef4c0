// The neutral mark of somebody who leaves: a colour and a symbol, the same at the gate's display
// and on the phone. The shapes differ, so that no colour has to be seen.

const SHAPES = {
  circle: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18Z",
  square: "M4 4h16v16H4Z",
  triangle: "M12 3l9.5 17.5h-19Z",
  star: "M12 2l3 6.6 7.2.8-5.4 4.8 1.5 7.1L12 17.7l-6.3 3.6 1.5-7.1L1.8 9.4 9 8.6Z",
  diamond: "M12 1.5L21 12l-9 10.5L3 12Z",
  cross: "M8.5 2h7v6.5H22v7h-6.5V22h-7v-6.5H2v-7h6.5Z",
  moon: "M20.5 15.5A9 9 0 0 1 9 3.2 9.3 9.3 0 1 0 20.5 15.5Z",
  ring: "M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20Zm0 5.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Z",
};

/** The mark as a drawing; its words are read aloud. */
export function drawMark({ colour, symbol }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${colour} ${symbol}`);
  svg.setAttribute("class", `mark ${colour}`);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[symbol] ?? SHAPES.circle);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}
