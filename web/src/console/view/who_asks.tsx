import type { Chosen } from "../asking";
import type { Application } from "../lists";

interface Props {
  readonly applications: readonly Application[];
  readonly application: Application | undefined;
  readonly tenant: string;
  readonly choose: (chosen: Chosen) => void;
}

/** Lets one choose which application asks, and in which tenant. */
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
