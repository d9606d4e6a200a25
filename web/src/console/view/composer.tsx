import { useEffect, useRef, useState } from "preact/hooks";
import { asker, type Chosen } from "../asking";
import type { Console } from "../console";
import { bodyProblem, createdCall, EXAMPLES, type Known, written } from "../requests";
import { callAddress } from "../route";
import { createCall, getToken, type Sent } from "../server";
import { prettyText } from "../wording";
import { Badge, Text } from "./parts";
import { WhoAsks } from "./who_asks";

/** Writes the documented requests with whom this server knows, lets one change them, and sends them as an application. */
export function Composer({ desk }: { desk: Console }) {
  const [chosen, choose] = useState<Chosen>({});
  const [example, setExample] = useState(EXAMPLES[0]);
  const [body, setBody] = useState("");
  const [isTouched, setTouched] = useState(false);
  const [sent, setSent] = useState<Sent | null>(null);
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const applications = desk.applications.shown.value.items;
  const users = desk.users.shown.value.items;
  const { application, tenant } = asker(applications, users, chosen);
  const known: Known = {
    application,
    tenant,
    users,
    meetings: desk.meetings.shown.value.items,
  };
  const fresh = example ? written(example, known) : "";
  // What somebody has written is not taken away because a list has come, or come again.
  const shown = isTouched ? body : fresh;
  const wrong = bodyProblem(shown);

  const send = async () => {
    setBusy(true);
    setProblem("");
    setSent(null);
    const token = await getToken(application?.id ?? "", tenant);
    const answer = "value" in token ? await createCall(token.value.token, shown) : token;
    setBusy(false);
    if ("value" in answer) {
      setSent(answer.value);
      desk.say(`The API answered ${answer.value.status}`);
    } else if (!desk.refused(answer)) {
      setProblem(answer.problem);
    }
  };

  return (
    <>
      <div class="title">
        <h1>Requests</h1>
      </div>
      <section class="card form" aria-labelledby="compose">
        <h2 id="compose">Create call</h2>
        <WhoAsks
          applications={applications}
          application={application}
          tenant={tenant}
          choose={(chosen) => {
            choose(chosen);
            setTouched(false);
          }}
        />
        <div>
          <label for="example">Request</label>
          <select
            id="example"
            value={example?.id ?? ""}
            aria-describedby="example-hint"
            onChange={(event) => {
              const { value } = event.currentTarget;
              setExample(EXAMPLES.find(({ id }) => id === value));
              setTouched(false);
            }}
          >
            {EXAMPLES.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
          <p id="example-hint" class="quiet hint">
            {example?.hint}
          </p>
        </div>
        <div>
          <label for="body">
            Body <span class="quiet">of POST /v1.0/communications/calls</span>
          </label>
          <textarea
            id="body"
            rows={18}
            spellcheck={false}
            autocapitalize="none"
            autocomplete="off"
            value={shown}
            aria-invalid={wrong !== ""}
            aria-describedby="body-problem"
            onInput={(event) => {
              setBody(event.currentTarget.value);
              setTouched(true);
            }}
          />
          <p id="body-problem" role="status" class={wrong ? "bad hint" : "unseen"}>
            {wrong}
          </p>
        </div>
        <p role="alert" class={problem ? "notice notice-problem" : "unseen"}>
          {problem}
        </p>
        <div class="actions">
          <button
            type="button"
            class="primary"
            disabled={isBusy || wrong !== "" || !application}
            onClick={() => void send()}
          >
            {isBusy ? "Sending…" : "Send"}
          </button>
          <button
            type="button"
            class="plain"
            disabled={!isTouched}
            onClick={() => setTouched(false)}
          >
            As it was
          </button>
        </div>
      </section>
      {sent && <Answer sent={sent} />}
    </>
  );
}

function Answer({ sent }: { sent: Sent }) {
  const { status, statusText, headers, body, milliseconds } = sent;
  const call = createdCall(status, body);
  const card = useRef<HTMLElement>(null);
  useEffect(() => card.current?.scrollIntoView({ block: "nearest" }), [sent]);
  return (
    <section class="card form" aria-labelledby="answer" ref={card}>
      <h2 id="answer">
        Answer{" "}
        <Badge kind={status < 300 ? "done" : "failed"}>
          {status} {statusText}
        </Badge>{" "}
        <span class="quiet small">in {Math.round(milliseconds)} ms</span>
      </h2>
      {call && (
        <p>
          <a class="primary button" href={callAddress(call)}>
            Look at the call
          </a>
        </p>
      )}
      <dl class="facts headers">
        {headers.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="break">
              <code>{value}</code>
            </dd>
          </div>
        ))}
      </dl>
      {body && <Text label="Body of the answer" text={prettyText(body)} />}
    </section>
  );
}
