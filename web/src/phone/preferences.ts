/** What this browser remembers: devices, and which phone a page is. */

export interface Preferences {
  readonly microphone: string;
  readonly speaker: string;
}

const PREFERENCES = "hookswitch.phone.devices";
const PHONE = "hookswitch.phone.id";

export function preferences(): Preferences {
  const kept = read(localStorage, PREFERENCES);
  try {
    const { microphone, speaker } = JSON.parse(kept || "{}");
    return { microphone: String(microphone ?? ""), speaker: String(speaker ?? "") };
  } catch {
    return { microphone: "", speaker: "" };
  }
}

export function remember(preferred: Preferences): void {
  write(localStorage, PREFERENCES, JSON.stringify(preferred));
}

/**
 * The name by which the server knows this page again, also after it was loaded anew.
 *
 * A copy of the tab takes the storage along, and must not be the same phone: so the name is in the storage only while the
 * page is away.
 */
export function phoneName(): string {
  const kept = read(sessionStorage, PHONE);
  write(sessionStorage, PHONE, "");
  const name = kept || crypto.getRandomValues(new Uint32Array(4)).reduce(hexadecimal, "");
  addEventListener("pagehide", () => write(sessionStorage, PHONE, name));
  addEventListener("pageshow", () => write(sessionStorage, PHONE, ""));
  return name;
}

export function hexadecimal(text: string, word: number): string {
  return text + word.toString(16).padStart(8, "0");
}

/** Browsers may forbid storage altogether; then nothing is remembered. */
function read(storage: Storage, key: string): string {
  try {
    return storage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

function write(storage: Storage, key: string, value: string): void {
  try {
    storage.setItem(key, value);
  } catch {}
}
