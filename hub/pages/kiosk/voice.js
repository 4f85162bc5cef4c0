// What a kiosk lets be heard: sentences by the browser's own voices, and two sounds. A browser without
// voices or without sound loses nothing but that: all of it is on the screen too.

const TONES = {
  confirm: [[660, 0, 0.12], [990, 0.12, 0.2]],
  warning: [[220, 0, 0.22], [180, 0.28, 0.22], [220, 0.56, 0.3]],
};
const LOUDNESS = 0.25;

/** A voice that can be muted. `language` gives the one that is spoken now. */
export function makeVoice(language) {
  let muted = false;
  let context = null;

  const tone = ([hertz, from_s, for_s]) => {
    const at_s = context.currentTime + from_s;
    const source = context.createOscillator();
    const gain = context.createGain();
    source.frequency.value = hertz;
    gain.gain.setValueAtTime(0, at_s);
    gain.gain.linearRampToValueAtTime(LOUDNESS, at_s + 0.02);
    gain.gain.setValueAtTime(LOUDNESS, at_s + for_s - 0.04);
    gain.gain.linearRampToValueAtTime(0, at_s + for_s);
    source.connect(gain).connect(context.destination);
    source.start(at_s);
    source.stop(at_s + for_s);
  };

  return {
    get muted() {
      return muted;
    },
    /** Turns all of it off or on; what is being said stops. */
    mute(off) {
      muted = off;
      if (off) globalThis.speechSynthesis?.cancel();
    },
    /** Browsers let a page sound only after somebody touched it: any key or touch is one. */
    wake() {
      if (!globalThis.AudioContext) return;
      context ??= new AudioContext();
      if (context.state === "suspended") context.resume().catch(() => undefined);
    },
    /** One of the sounds, `confirm` or `warning`. */
    sound(name) {
      if (muted || context?.state !== "running") return;
      TONES[name].forEach(tone);
    },
    /** Says a sentence in place of what is being said. */
    say(text) {
      const voices = globalThis.speechSynthesis;
      if (muted || !text || !voices) return;
      voices.cancel();
      const sentence = new SpeechSynthesisUtterance(text);
      sentence.lang = language();
      voices.speak(sentence);
    },
  };
}
