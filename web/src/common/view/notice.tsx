import type { Signal } from "@preact/signals";
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

interface NoticesProps {
  readonly notice: Signal<Notice | null>;
  readonly isConnected: boolean;
  /** What is to be read while the page is not connected. */
  readonly lost: string;
  /** Looks for the server at once. */
  readonly retry: () => void;
  /** What a page has to say besides. */
  readonly children?: ComponentChildren;
}

/** What went wrong, and whether there is a server. */
export function Notices({ notice, isConnected, lost, retry, children }: NoticesProps) {
  const close = () => {
    notice.value = null;
  };
  return (
    <section class="notices" aria-label="Messages">
      <div role="alert">{notice.value && <NoticeLine {...notice.value} close={close} />}</div>
      {!isConnected && (
        <NoticeLine tone="remark" text={lost}>
          <button type="button" class="plain" onClick={retry}>
            Try now
          </button>
        </NoticeLine>
      )}
      {children}
    </section>
  );
}
