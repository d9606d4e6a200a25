const KEYS = [
  ["1", ""],
  ["2", "ABC"],
  ["3", "DEF"],
  ["4", "GHI"],
  ["5", "JKL"],
  ["6", "MNO"],
  ["7", "PQRS"],
  ["8", "TUV"],
  ["9", "WXYZ"],
  ["*", ""],
  ["0", "+"],
  ["#", ""],
] as const;

const SPOKEN: { readonly [key: string]: string } = { "*": "star", "#": "hash" };

/** The keys that can be sent in a call. */
export function isKey(key: string): boolean {
  return /^[0-9*#]$/.test(key);
}

export function Keypad({ label, press }: { label: string; press: (key: string) => void }) {
  return (
    <fieldset class="keypad" aria-label={label}>
      {KEYS.map(([key, letters]) => (
        <button
          type="button"
          key={key}
          aria-label={SPOKEN[key]}
          data-letters={letters}
          onClick={() => press(key)}
        >
          {key}
        </button>
      ))}
    </fieldset>
  );
}
