/** The signs of the console, drawn like those that all pages have. */

import type { Section } from "../route";

const DRAWN = {
  calls:
    "M6.5 3.5 9 3l2 4.5-2 1.5c.9 2.1 2.4 3.6 4.5 4.5l1.5-2 4.5 2-.5 2.5c-.2 1.2-1.2 2-2.4 2C10.2 18 4.5 12.3 4.5 5.9c0-1.2.8-2.2 2-2.4z",
  meetings: "M5 5.5h14v14H5zM5 10h14M9 3.5v4M15 3.5v4",
  users:
    "M12 12a3.8 3.8 0 1 0 0-7.6 3.8 3.8 0 0 0 0 7.6zM4.5 20c.8-3.6 3.8-5.4 7.5-5.4s6.7 1.8 7.5 5.4",
  trunks: "M4 12h5M15 12h5M9 8v8M15 8v8M12 8v8M6 5v14M18 5v14",
  applications: "M5 5h6v6H5zM13 5h6v6h-6zM5 13h6v6H5zM16 13.5v5M13.5 16h5",
  "test-call": "M8 5.5v13l10.5-6.5z",
  requests: "M9 7 4 12l5 5M15 7l5 5-5 5",
  back: "M14.5 6 8.5 12l6 6",
  copy: "M9 9h10v10H9zM5 15V5h10",
  download: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14",
  again: "M19 6v5h-5M19 11a7 7 0 1 0-1.6 5.5",
  closer: "M12 6v12M6 12h12",
  farther: "M6 12h12",
} as const;

export type SignName = keyof typeof DRAWN;

/** Each section has the sign of its name. */
export const SIGN_OF_SECTION: { readonly [section in Section]: SignName } = {
  calls: "calls",
  meetings: "meetings",
  users: "users",
  trunks: "trunks",
  applications: "applications",
  "test-call": "test-call",
  requests: "requests",
};

export function Sign({ name }: { name: SignName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={DRAWN[name]} />
    </svg>
  );
}
