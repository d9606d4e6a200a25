import type { ComponentChildren } from "preact";
import { Icon } from "./icons";

/** Something that went otherwise than wanted, or that somebody waits for. */
export interface Notice {
  readonly text: string;
  readonly tone: "problem" | "remark";
}

interface Props extends Notice {
  /** What closes it, where it does not go by itself. */
  readonly close?: () => void;
  /** What can be done about it. */
  readonly children?: ComponentChildren;
}

export function NoticeLine({ text, tone, close, children }: Props) {
  return (
    <div class={`notice notice-${tone}`}>
      <p>{text}</p>
      {children}
      {close && (
        <button type="button" class="square" aria-label="Close the message" onClick={close}>
          <Icon name="close" />
        </button>
      )}
    </div>
  );
}
