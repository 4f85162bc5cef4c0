// Elements without markup: text is only ever set as text.

/** An element with attributes and children; a child that is null or false is left out. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

/** Puts elements in place of what a view shows; which folds are open and what has the focus stays. */
export function put(view, elements) {
  const focused = document.activeElement?.id;
  const words = (fold) => fold.querySelector("summary")?.textContent;
  const open = new Set([...view.querySelectorAll("details[open]")].map(words));
  view.replaceChildren(...elements.flat().filter((child) => child));
  for (const fold of view.querySelectorAll("details")) if (open.has(words(fold))) fold.open = true;
  if (focused) document.getElementById(focused)?.focus();
}
