/** What this browser remembers: devices for all pages, and which page is which. */

export interface Preferences {
  readonly microphone: string;
  readonly speaker: string;
  readonly camera: string;
}

const PREFERENCES = "hookswitch.devices";

export function preferences(): Preferences {
  const { microphone, speaker, camera } = kept(localStorage, PREFERENCES);
  return {
    microphone: String(microphone ?? ""),
    speaker: String(speaker ?? ""),
    camera: String(camera ?? ""),
  };
}

export function remember(preferred: Preferences): void {
  keep(localStorage, PREFERENCES, preferred);
}

/**
 * What a page keeps for itself while it is loaded anew; `leave` says what that is when it goes.
 *
 * A copy of the tab takes the storage along, and must not be the same page: so it is in the storage only while the page is
 * away.
 */
export function overReload(
  key: string,
  leave: () => { readonly [field: string]: unknown },
): { readonly [field: string]: unknown } {
  const found = kept(sessionStorage, key);
  keep(sessionStorage, key, {});
  addEventListener("pagehide", () => keep(sessionStorage, key, leave()));
  addEventListener("pageshow", () => keep(sessionStorage, key, {}));
  return found;
}

/** A name by which the server knows a page again, and nobody else can guess. */
export function randomName(words: number): string {
  return crypto.getRandomValues(new Uint32Array(words)).reduce(hexadecimal, "");
}

function hexadecimal(text: string, word: number): string {
  return text + word.toString(16).padStart(8, "0");
}

/** Browsers may forbid storage altogether; then nothing is remembered. */
export function kept(storage: Storage, key: string): { readonly [field: string]: unknown } {
  try {
    const value: unknown = JSON.parse(storage.getItem(key) ?? "{}");
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

export function keep(storage: Storage, key: string, value: object): void {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {}
}
