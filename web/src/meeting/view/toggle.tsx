import { Icon, type IconName } from "../../common/view/icons";

interface Props {
  readonly id?: string;
  readonly icon: IconName;
  readonly label: string;
  readonly pressed?: boolean;
  readonly expanded?: boolean;
  /** What the key of the keyboard is, if it has one. */
  readonly shortcut?: string;
  /** How much waits behind it. */
  readonly badge?: number;
  /** `off` marks something that is shut, and `leave` the way out. */
  readonly mood?: "off" | "leave";
  readonly press: () => void;
}

/** A round button with its name below. */
export function Toggle({
  id,
  icon,
  label,
  pressed,
  expanded,
  shortcut,
  badge,
  mood,
  press,
}: Props) {
  return (
    <button
      type="button"
      id={id}
      class={mood ? `round round-${mood}` : "round"}
      aria-pressed={pressed}
      aria-expanded={expanded}
      aria-keyshortcuts={shortcut}
      onClick={press}
    >
      <span class="round-face">
        <Icon name={icon} />
        {badge ? (
          <span class="badge" aria-hidden="true">
            {badge}
          </span>
        ) : null}
      </span>
      <span class="round-name">{label}</span>
    </button>
  );
}
