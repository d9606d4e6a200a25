import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Mark } from "./mark";

interface Props {
  readonly title: string;
  readonly hint: string;
  /** What went wrong last; empty for nothing. */
  readonly problem: string;
  readonly signIn: (name: string, password: string) => Promise<void>;
  /** What else can be done. */
  readonly children?: ComponentChildren;
}

/** Asks for a name and a password. */
export function SignInForm({ title, hint, problem, signIn, children }: Props) {
  const [isBusy, setBusy] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    await signIn(String(form.get("user")).trim(), String(form.get("password")));
    setBusy(false);
  };

  return (
    <form class="sheet" onSubmit={submit}>
      <Mark />
      <h1>{title}</h1>
      <p class="quiet">{hint}</p>
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
      {children}
    </form>
  );
}
