/** What single keys do in a meeting. */

import { isTyping } from "../../common/view/typing";
import { habits } from "../habits";
import type { Meeting } from "../meeting";

/** Listens to keys outside of fields and dialogs, unless somebody does not want them. */
export function onKey(meeting: Meeting, togglePeople: () => void): (event: KeyboardEvent) => void {
  const keys: { readonly [key: string]: () => void } = {
    m: () => void meeting.mute(!meeting.equipment.muted.value),
    c: () => void meeting.turnCamera(meeting.equipment.camera.value === null),
    s: () => void meeting.shareScreen(meeting.visit.value.screen === "off"),
    h: () => meeting.feed({ type: "hand", raised: (meeting.you.value?.hand ?? null) === null }),
    p: togglePeople,
  };
  return (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const act = keys[event.key.toLowerCase()];
    const focused = document.activeElement;
    if (!act || isTyping(focused) || document.querySelector("dialog[open]")) return;
    if (!habits().keys) return;
    event.preventDefault();
    act();
  };
}
