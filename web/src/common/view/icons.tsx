/** The signs on buttons, drawn for 24 by 24. They say nothing that the button's name does not say. */

const DRAWN = {
  answer:
    "M6.5 3.5 9 3l2 4.5-2 1.5c.9 2.1 2.4 3.6 4.5 4.5l1.5-2 4.5 2-.5 2.5c-.2 1.2-1.2 2-2.4 2C10.2 18 4.5 12.3 4.5 5.9c0-1.2.8-2.2 2-2.4z",
  hangUp:
    "M2.5 14.5c-.6-.7-.6-1.7 0-2.4C4.7 9.7 8.2 8.3 12 8.3s7.3 1.4 9.5 3.8c.6.7.6 1.7 0 2.4l-1.8 1.6-4.2-1.7-.2-2.5c-2.1-.7-4.5-.7-6.6 0l-.2 2.5-4.2 1.7z",
  close: "M6 6l12 12M18 6 6 18",
  hold: "M9 6v12M15 6v12",
  resume: "M8 5.5v13l10.5-6.5z",
  keypad:
    "M6 5.5h.01M12 5.5h.01M18 5.5h.01M6 12h.01M12 12h.01M18 12h.01M6 18.5h.01M12 18.5h.01M18 18.5h.01",
  microphone:
    "M12 3.5a2.8 2.8 0 0 1 2.8 2.8v5.4a2.8 2.8 0 0 1-5.6 0V6.3A2.8 2.8 0 0 1 12 3.5zM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3",
  microphoneOff:
    "M14.8 10.5V6.3a2.8 2.8 0 0 0-5.2-1.4M9.2 9.2v2.5a2.8 2.8 0 0 0 4.6 2.1M5.5 11.5a6.5 6.5 0 0 0 10.6 5M18.5 11.5c0 .9-.2 1.7-.5 2.5M12 18v3M4 4l16 16",
  settings: "M4 7h9M19 7h1M4 17h1M11 17h9M16 4.8v4.4M8 14.8v4.4",
  signOut: "M10 4.5H6.5a2 2 0 0 0-2 2v11a2 2 0 0 0 2 2H10M14.5 8l4 4-4 4M18 12H9.5",
  transfer: "M4 9h13M13.5 5l4 4-4 4M20 15.5H8",
  back: "M20 6.5H10l-6 5.5 6 5.5h10zM12.5 9.5l4 5M16.5 9.5l-4 5",
  incoming: "M18 6 7 17M7 9v8h8",
  camera:
    "M4.5 6.5h9a1.5 1.5 0 0 1 1.5 1.5v8a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 3 16V8a1.5 1.5 0 0 1 1.5-1.5zM15 10.5l6-3v9l-6-3",
  cameraOff:
    "M9 6.5h4.5A1.5 1.5 0 0 1 15 8v4M15 15.5v.5a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 3 16V8a1.5 1.5 0 0 1 1.5-1.5H5M15 10.5l6-3v9l-3.5-1.8M3.5 3.5l17 17",
  screen:
    "M4 5h16a1 1 0 0 1 1 1v9.5a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zM8.5 20h7M12 13.5v-5M9.5 10.5 12 8l2.5 2.5",
  hand: "M8 12.5V6a1.3 1.3 0 0 1 2.6 0v5M10.6 11V4.5a1.3 1.3 0 0 1 2.6 0V11M13.2 11V5.5a1.3 1.3 0 0 1 2.6 0V13M15.8 12V8.5a1.3 1.3 0 0 1 2.6 0V15a6 6 0 0 1-6 6c-2.6 0-4-1.1-5.3-3.3L4.4 13.4a1.3 1.3 0 0 1 2.2-1.4L8 14",
  people:
    "M9 11.5a3.3 3.3 0 1 0 0-6.6 3.3 3.3 0 0 0 0 6.6zM3 19.5c0-3 2.7-5 6-5s6 2 6 5M15.5 5.3a3.3 3.3 0 0 1 0 5.9M17 14.9c2.3.6 4 2.3 4 4.6",
  admit: "M5 12.5 10 17.5 19.5 7",
  remove: "M6 6l12 12M18 6 6 18",
  outgoing: "M6 18 17 7M9 7h8v8",
} as const;

/** Those that are areas rather than lines. */
const FILLED: ReadonlySet<string> = new Set(["answer", "hangUp", "resume"]);

export type IconName = keyof typeof DRAWN;

export function Icon({ name }: { name: IconName }) {
  const kind = FILLED.has(name) ? "icon icon-filled" : "icon";
  return (
    <svg class={kind} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={DRAWN[name]} />
    </svg>
  );
}
