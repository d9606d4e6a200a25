import { useRef } from "preact/hooks";
import { Icon } from "../../common/view/icons";
import type { Phone } from "../phone";
import { Keypad } from "./keypad";

/** Where calls begin. The keypad is that of an idle phone; in a call, its own one is meant. */
export function Dialer({ phone, isIdle }: { phone: Phone; isIdle: boolean }) {
  const field = useRef<HTMLInputElement>(null);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (field.current && phone.dial(field.current.value)) field.current.value = "";
  };
  const press = (key: string) => {
    if (field.current) field.current.value += key;
  };
  return (
    <section class="card dialer" aria-labelledby="dialer">
      <h2 id="dialer" class="small">
        {isIdle ? "New call" : "Another call"}
      </h2>
      <form onSubmit={submit}>
        <label for="dial">Name, address or number</label>
        <div class="field">
          <input
            id="dial"
            ref={field}
            required
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            enterkeyhint="go"
            placeholder="john or +1 500 555 0005"
          />
          <button type="submit" class="go">
            <Icon name="answer" />
            Call
          </button>
        </div>
        {isIdle && <Keypad label="Number" press={press} />}
      </form>
    </section>
  );
}
