/** Which application asks for something, and in which tenant, until somebody says otherwise. */

import type { Application, User } from "./lists";

export interface Chosen {
  readonly app?: string;
  readonly tenant?: string;
}

export interface Asker {
  readonly application: Application | undefined;
  readonly tenant: string;
}

/** What was chosen, as far as it is there, and for the rest whatever is likeliest to be of use. */
export function asker(
  applications: readonly Application[],
  users: readonly User[],
  { app, tenant }: Chosen,
): Asker {
  const peopled = new Set(users.map((user) => user.tenant.id));
  const application =
    applications.find(({ id }) => id === app) ?? best(applications, (one) => usefulness(one));
  const tenants = application?.tenants ?? [];
  const found =
    tenants.find(({ id }) => id === tenant) ??
    best(
      tenants,
      ({ id, permissions }) => (peopled.has(id) ? 2 : 0) + (permissions.length ? 1 : 0),
    );
  return { application, tenant: found?.id ?? "" };
}

/** One that may call, and can be called, and has a number. */
function usefulness({ isCallingEnabled, tenants, webhook, instances }: Application): number {
  const mayDoSomething = tenants.some(({ permissions }) => permissions.length > 0);
  return (
    (isCallingEnabled ? 8 : 0) +
    (mayDoSomething ? 4 : 0) +
    (webhook ? 2 : 0) +
    (instances.length > 0 ? 1 : 0)
  );
}

/** The first of the best. */
function best<T>(items: readonly T[], worth: (item: T) => number): T | undefined {
  return items.reduce<T | undefined>(
    (found, item) => (found === undefined || worth(item) > worth(found) ? item : found),
    undefined,
  );
}
