/** What the keyboard does outside of fields. */

import { isTyping } from "../../common/view/typing";
import type { Phone } from "../phone";
import { isKey } from "./keypad";

/** Whether somebody is in the middle of something there, which a call that comes in must not take away. */
export function isBusy(element: Element | null): boolean {
  if (element?.id === "dial" && element instanceof HTMLInputElement) return element.value !== "";
  return isTyping(element) || (element?.closest("#call, dialog") ?? null) !== null;
}

/**
 * Sends digits as keys of the call while the focus is in the call, or nowhere: so speech and other software that types
 * does not send keys by accident.
 */
export function sendKeys(phone: Phone, event: KeyboardEvent): void {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !isKey(event.key)) return;
  const focused = document.activeElement;
  const isInCall = focused === document.body || (focused?.closest("#call") ?? null) !== null;
  const call = phone.shown.value;
  if (!isInCall || isTyping(focused) || call?.state !== "connected" || call.held) return;
  event.preventDefault();
  phone.press(event.key);
}
