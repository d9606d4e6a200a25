/** Whether keys that are pressed there are text. */
export function isTyping(element: Element | null): boolean {
  return element?.matches("input, textarea, select, [contenteditable]") ?? false;
}
