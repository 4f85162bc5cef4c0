// Codes come to a kiosk by a scanner that types them (characters, then Enter), by the browser's
// camera where it can read codes, or typed by hand.

const CODE_CHARS_MAX = 512;
/** A scanner types without a pause; what came before a pause belongs to nothing. */
const PAUSE_MS = 2000;
const LOOK_MS = 200;
/** The same code in view of the camera is one scan for so long. */
const SAME_MS = 5000;
const FORMATS = ["qr_code", "code_128", "data_matrix"];

/** Listens for a scanner that types; `heard` gets each code. Keys in fields and on buttons are theirs. */
export function listen(target, heard, now_ms = () => performance.now()) {
  let typed = "";
  let last_ms = 0;
  target.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target instanceof HTMLInputElement) return;
    if (now_ms() - last_ms > PAUSE_MS) typed = "";
    last_ms = now_ms();
    if (event.key === "Enter") {
      if (!typed) return;
      // A button that has the focus is not pressed by a scanner's Enter.
      event.preventDefault();
      const code = typed.trim();
      typed = "";
      if (code) heard(code);
    } else if ([...event.key].length === 1 && typed.length < CODE_CHARS_MAX) {
      if (event.key === " " && typed === "") return;
      typed += event.key;
      event.preventDefault();
    }
  });
}

/** Whether this browser can read codes by a camera. */
export const hasCamera = () => "BarcodeDetector" in globalThis && !!navigator.mediaDevices?.getUserMedia;

/** Shows the camera in `video` and gives each code it sees to `heard`, until `stop` is called.
 *  Throws if there is no camera or if nobody may use it. */
export async function watch(video, heard) {
  const known = await BarcodeDetector.getSupportedFormats();
  const formats = FORMATS.filter((one) => known.includes(one));
  const detector = new BarcodeDetector({ formats });
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  video.srcObject = stream;
  // A picture that does not come yet is no code yet: detecting waits for it, nobody else does.
  video.play().catch(() => undefined);
  let before = "";
  let before_ms = 0;
  let timer = null;
  const look = async () => {
    const found = await detector.detect(video).catch(() => []);
    const code = found[0]?.rawValue ?? "";
    const now_ms = performance.now();
    if (code && (code !== before || now_ms - before_ms > SAME_MS)) {
      before = code;
      before_ms = now_ms;
      heard(code.slice(0, CODE_CHARS_MAX));
    }
    if (timer !== null) timer = setTimeout(look, LOOK_MS);
  };
  timer = setTimeout(look, 0);
  return {
    stop() {
      clearTimeout(timer);
      timer = null;
      stream.getTracks().forEach((track) => track.stop());
      video.srcObject = null;
    },
  };
}
