import { initials, named, type Person } from "../people";

/** How many colours the style sheet has for people. */
const COLOURS = 6;

/** The sign of a person: letters on a colour that stays the same for the same address. */
export function Avatar({ person, large = false }: { person: Person; large?: boolean }) {
  const key = person.address || person.name;
  const sum = [...key].reduce((sum, letter) => sum + (letter.codePointAt(0) ?? 0), 0);
  return (
    <span
      class={`avatar avatar-${sum % COLOURS}${large ? " avatar-large" : ""}`}
      aria-hidden="true"
    >
      {initials(named(person))}
    </span>
  );
}
