import type { Console } from "../console";
import type { Application } from "../lists";

/** Which application asks, and in which tenant. */
export interface Asker {
  readonly app: string;
  readonly tenant: string;
}

/** What was chosen, or else the first that there is. */
export function asker(desk: Console, chosen: Partial<Asker>) {
  const applications = desk.applications.shown.value.items;
  const usable = applications.find(({ isCallingEnabled }) => isCallingEnabled) ?? applications[0];
  const application = applications.find(({ id }) => id === chosen.app) ?? usable;
  const tenants = application?.tenants ?? [];
  const tenant = tenants.find(({ id }) => id === chosen.tenant) ?? tenants[0];
  return { applications, application, tenant: tenant?.id ?? "" };
}

interface Props {
  readonly applications: readonly Application[];
  readonly application: Application | undefined;
  readonly tenant: string;
  readonly choose: (chosen: Partial<Asker>) => void;
}

/** Lets one choose it. */
export function WhoAsks({ applications, application, tenant, choose }: Props) {
  const tenants = application?.tenants ?? [];
  return (
    <div class="pair">
      <div>
        <label for="app">Application</label>
        <select
          id="app"
          value={application?.id ?? ""}
          onChange={(event) => choose({ app: event.currentTarget.value })}
        >
          {applications.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <div>
        <label for="tenant">Tenant</label>
        <select
          id="tenant"
          value={tenant}
          onChange={(event) =>
            choose({ app: application?.id ?? "", tenant: event.currentTarget.value })
          }
        >
          {tenants.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}
