/** The sign of Hookswitch: a handset on its cradle. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="9" />
      <path d="M7.5 13.8c0-3.2 3.8-5.3 8.5-5.3s8.5 2.1 8.5 5.3V16c0 .7-.6 1.3-1.3 1.3h-2.5c-.7 0-1.3-.6-1.3-1.3v-1.9c-1.1-.3-2.2-.4-3.4-.4s-2.3.1-3.4.4V16c0 .7-.6 1.3-1.3 1.3H8.8c-.7 0-1.3-.6-1.3-1.3z" />
      <path class="mark-base" d="M10.5 20.5h11v3h-11z" />
    </svg>
  );
}
