import { useState } from "preact/hooks";
import { asker, type Chosen } from "../asking";
import type { Console } from "../console";
import { callAddress } from "../route";
import { testCall } from "../server";
import { WhoAsks } from "./who_asks";

/** Places a call by an application, with a greeting of the server. */
export function TestCall({ desk }: { desk: Console }) {
  const [chosen, choose] = useState<Chosen>({});
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const applications = desk.applications.shown.value.items;
  const everybody = desk.users.shown.value.items;
  const { application, tenant } = asker(applications, everybody, chosen);
  const users = everybody.filter((user) => user.tenant.id === tenant);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setProblem("");
    const to = String(form.get("to")).trim();
    const answer = await testCall(application?.id ?? "", tenant, to);
    setBusy(false);
    if ("value" in answer) location.hash = callAddress(answer.value);
    else if (!desk.refused(answer)) setProblem(answer.problem);
  };

  return (
    <>
      <div class="title">
        <h1>Test call</h1>
      </div>
      <form class="card form" onSubmit={(event) => void submit(event)}>
        <p class="quiet">
          The server calls in the name of an application, plays a short greeting once somebody
          answers, and hangs up. Notifications of the call go to the server itself, so no bot is
          needed.
        </p>
        <WhoAsks
          applications={applications}
          application={application}
          tenant={tenant}
          choose={choose}
        />
        <div>
          <label for="to">Whom to call</label>
          <input
            id="to"
            name="to"
            required
            maxLength={256}
            list="users"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            placeholder="john@localhost or +1 201 555 0123"
            aria-describedby="to-hint"
          />
          <p id="to-hint" class="quiet hint">
            A user's address or id, or a number where the application has one of its own.
          </p>
          <datalist id="users">
            {users.map(({ id, name, address }) => (
              <option key={id} value={address || id}>
                {name}
              </option>
            ))}
          </datalist>
        </div>
        <p role="alert" class={problem ? "notice notice-problem" : "unseen"}>
          {problem}
        </p>
        <button type="submit" class="primary" disabled={isBusy || !application}>
          {isBusy ? "Calling…" : "Call"}
        </button>
      </form>
    </>
  );
}
