/** Which screen a page shows, by the part of its address behind `#`; so a screen can be linked to, and gone back to. */

/** The screens of the list at the left, in its order, each with its name there. */
export const SECTIONS = {
  calls: "Calls",
  meetings: "Meetings",
  users: "Users",
  trunks: "Trunks",
  applications: "Applications",
  "test-call": "Test call",
  requests: "Requests",
} as const;

export type Section = keyof typeof SECTIONS;

export type Route =
  | { readonly section: Section }
  /** One call, on a page of its own. */
  | { readonly section: "calls"; readonly call: string };

/** Longer than any id of a call. */
const MAX_ID_LENGTH = 200;

/** Reads `location.hash`. What names no screen is the first one. */
export function route(hash: string): Route {
  const [first = "", second = ""] = hash.replace(/^#\/?/, "").split("/");
  if (first === "calls" && second !== "") {
    const call = decoded(second);
    return call ? { section: "calls", call } : { section: "calls" };
  }
  return { section: isSection(first) ? first : "calls" };
}

/** The address of a screen, to link to. */
export function address(to: Route): string {
  return "call" in to ? `#/calls/${encodeURIComponent(to.call)}` : `#/${to.section}`;
}

export function callAddress(call: string): string {
  return address({ section: "calls", call });
}

function isSection(name: string): name is Section {
  return Object.hasOwn(SECTIONS, name);
}

/** An id as it was before it became a part of an address; none for what nobody encoded so. */
function decoded(part: string): string | undefined {
  try {
    const id = decodeURIComponent(part);
    return id.length <= MAX_ID_LENGTH ? id : undefined;
  } catch {
    return undefined;
  }
}
