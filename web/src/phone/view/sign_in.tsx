import { useEffect, useRef, useState } from "preact/hooks";
import type { Phone } from "../phone";

export function SignIn({ phone, problem }: { phone: Phone; problem: string }) {
  const [isBusy, setBusy] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    await phone.signIn(String(form.get("user")).trim(), String(form.get("password")));
    setBusy(false);
  };

  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <Mark />
        <h1>Phone</h1>
        <p class="quiet">Sign in with the name and password of your phone.</p>
        <label for="user">Name or address</label>
        <input
          id="user"
          name="user"
          ref={first}
          required
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          aria-describedby={problem ? "problem" : undefined}
        />
        <label for="password">Password</label>
        <input
          id="password"
          name="password"
          type="password"
          required
          autocomplete="current-password"
          aria-describedby={problem ? "problem" : undefined}
        />
        <p id="problem" role="alert" class={problem ? "notice notice-problem" : "unseen"}>
          {problem}
        </p>
        <button type="submit" class="primary" disabled={isBusy}>
          {isBusy ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </main>
  );
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="9" />
      <path d="M7.5 13.8c0-3.2 3.8-5.3 8.5-5.3s8.5 2.1 8.5 5.3V16c0 .7-.6 1.3-1.3 1.3h-2.5c-.7 0-1.3-.6-1.3-1.3v-1.9c-1.1-.3-2.2-.4-3.4-.4s-2.3.1-3.4.4V16c0 .7-.6 1.3-1.3 1.3H8.8c-.7 0-1.3-.6-1.3-1.3z" />
      <path class="mark-base" d="M10.5 20.5h11v3h-11z" />
    </svg>
  );
}
