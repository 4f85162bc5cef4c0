// The forms that marks have on the wall, drawn small: a ring with a dot, a double diamond, a cross,
// frames. One file holds the forms for every page; a page takes it in once, so that a mark is drawn
// at once when it is needed.

const SVG = "http://www.w3.org/2000/svg";
const FORMS = "/kiosk-files/looks.svg";

/** Takes the forms into this page. */
export async function takeForms() {
  const answer = await fetch(FORMS);
  const forms = new DOMParser().parseFromString(await answer.text(), "image/svg+xml").documentElement;
  forms.setAttribute("width", "0");
  forms.setAttribute("height", "0");
  forms.setAttribute("aria-hidden", "true");
  forms.setAttribute("class", "unseen");
  document.body.prepend(document.importNode(forms, true));
}

const LAMPED = ["take_a", "take_b", "place"];

/** The symbol of a look; `words` is read aloud, without them it is decoration. `lamps`: lamps below
 *  a parcel shine, and no form is thrown at it. */
export function drawLook(look, words = "", lamps = false) {
  const svg = drawing("0 0 100 100", `look ${look}`);
  if (words) {
    svg.removeAttribute("aria-hidden");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", words);
  }
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#look-${look}${lamps && LAMPED.includes(look) ? "-lamps" : ""}`);
  use.setAttribute("width", "100");
  use.setAttribute("height", "100");
  svg.append(use);
  return svg;
}

/** A plain drawing of one path: what a state looks like where there is no mark on the wall. */
export function drawIcon(path, look) {
  const svg = drawing("0 0 24 24", `icon ${look}`);
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("d", path);
  svg.append(drawn);
  return svg;
}

function drawing(box, looks) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", box);
  svg.setAttribute("class", looks);
  svg.setAttribute("aria-hidden", "true");
  return svg;
}
