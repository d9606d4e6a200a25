/** Signing in and out, over HTTP. */

import { type User, user } from "./people";

const SESSION = "/hookswitch/v1/web/session";

/** Why there is no session, as a sentence with its remedy. */
export type SignIn = { readonly user: User } | { readonly problem: string };

export const SERVER_GONE =
  "The server does not answer. Check that it runs and that this computer has a network.";

export async function signIn(name: string, password: string): Promise<SignIn> {
  const response = await ask("POST", { user: name, password });
  if (!response) return { problem: SERVER_GONE };
  if (response.ok) return signedIn(response);
  if (response.status === 429) return { problem: tooMany(response.headers.get("Retry-After")) };
  if (response.status === 401) {
    return {
      problem:
        "The name or the password is wrong. They are those of your SIP phone; mind capital letters.",
    };
  }
  return { problem: await told(response) };
}

/** Who is signed in; `null` for nobody, `undefined` where the server does not answer. */
export async function current(): Promise<User | null | undefined> {
  const response = await ask("GET");
  if (!response || response.status >= 500) return undefined;
  if (!response.ok) return null;
  const found = await signedIn(response);
  return "user" in found ? found.user : null;
}

export async function signOut(): Promise<void> {
  await ask("DELETE");
}

async function ask(method: string, body?: object): Promise<Response | undefined> {
  const options: RequestInit = { method, credentials: "same-origin", cache: "no-store" };
  if (body) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  try {
    return await fetch(SESSION, options);
  } catch {
    return undefined;
  }
}

async function signedIn(response: Response): Promise<SignIn> {
  const body = await json(response);
  const found = user(body.user);
  return found ? { user: found } : { problem: "The server answered something else than expected." };
}

async function told(response: Response): Promise<string> {
  const { error } = await json(response);
  const message =
    typeof error === "object" && error !== null && "message" in error && error.message;
  const fallback = `The server answered ${response.status}. Try again in a while.`;
  return typeof message === "string" && message ? message : fallback;
}

async function json(response: Response): Promise<{ readonly [key: string]: unknown }> {
  try {
    const body: unknown = await response.json();
    return typeof body === "object" && body !== null ? { ...body } : {};
  } catch {
    return {};
  }
}

function tooMany(retryAfter: string | null): string {
  const seconds = Number(retryAfter);
  const wait = seconds > 0 ? `${seconds} seconds` : "a while";
  return `There were too many tries. Wait ${wait}, then try again.`;
}
