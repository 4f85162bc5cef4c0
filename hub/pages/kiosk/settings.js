// The buttons every page at a wall has: language and sound. The language of whoever used the page last
// is not the next one's, so it lives no longer than the page lets it.

import { kept } from "/phone/asking.js";
import { h } from "/phone/element.js";
import { makeVoice } from "./voice.js";
import { LANGUAGES, ownLanguage, wordsOf } from "./words.js";

/** Language and sound of a page; `changed` is called after each change. */
export function makeSettings(changed) {
  const own = ownLanguage(location.search, navigator.languages ?? []);
  const muted = kept("sortie.kiosk.muted");
  const languages = document.getElementById("languages");
  const mute = document.getElementById("mute");
  let language = own;
  const voice = makeVoice(() => language);
  voice.mute(muted.recall() === "yes");

  const draw = () => {
    const words = wordsOf(language);
    document.documentElement.lang = language;
    languages.setAttribute("aria-label", words.language);
    languages.replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) => h("button", {
      type: "button", lang: code, "aria-label": name, "aria-pressed": String(code === language),
      onclick: () => speak(code),
    }, code.toUpperCase())));
    mute.textContent = voice.muted ? words.unmute : words.mute;
    mute.setAttribute("aria-pressed", String(voice.muted));
  };
  const speak = (code) => {
    if (code === language) return;
    const focused = document.activeElement?.lang;
    language = code;
    draw();
    if (focused) languages.querySelector(`[lang="${focused}"]`)?.focus();
    changed();
  };
  mute.addEventListener("click", () => {
    voice.mute(!voice.muted);
    muted.remember(voice.muted ? "yes" : "");
    draw();
  });
  for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, () => voice.wake());
  draw();
  return {
    voice,
    get language() {
      return language;
    },
    /** The page's own language again. */
    reset: () => speak(own),
  };
}
