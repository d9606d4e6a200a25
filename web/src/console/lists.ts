/** What the server tells of itself and of whom it knows, below `/hookswitch/v1/console/`. */

import {
  type Json,
  list,
  number,
  numberOrNull,
  record,
  text,
  textOrNull,
  texts,
  timeOrNull,
} from "./json";
import { type Named, named } from "./protocol";

export interface Overview {
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly counts: { readonly [name: string]: number };
}

export interface Meeting {
  readonly id: string;
  readonly tenant: Named;
  readonly subject: string;
  readonly organizer: Named;
  readonly startsAt: number | null;
  readonly endsAt: number | null;
  readonly joinMeetingId: string;
  /** Where people join it by browser. */
  readonly joinWebUrl: string | null;
  readonly hasPasscode: boolean;
  readonly threadId: string;
  readonly isLive: boolean;
  readonly participants: number;
}

export interface Phone {
  readonly contact: string;
  readonly transport: string;
  readonly remote: string;
  readonly expiresAt: number | null;
}

export interface User {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly tenant: Named;
  readonly isAdministrator: boolean;
  readonly hasPassword: boolean;
  readonly hasScript: boolean;
  readonly phones: readonly Phone[];
  readonly pages: number;
}

export interface Trunk extends Named {
  readonly tenant: Named;
  readonly peer: string;
  readonly transport: string;
  /** `up`, `down` or `unregistered`. */
  readonly state: string;
  readonly since: number | null;
  readonly calls: number;
  readonly maxCalls: number | null;
  readonly callsPerSecond: number | null;
  readonly priority: number;
  readonly prefixes: readonly string[];
  readonly registers: boolean;
}

export interface Instance {
  readonly id: string;
  readonly tenant: Named;
  readonly numbers: readonly string[];
  readonly isWithheld: boolean;
}

/** What an application has used today of what it may use over trunks; `null` where there is no bound. */
export interface Budget {
  readonly callsUsed: number;
  readonly calls: number | null;
  readonly secondsUsed: number;
  readonly seconds: number | null;
}

export interface Application {
  readonly id: string;
  readonly name: string;
  readonly alias: string | null;
  readonly webhook: string | null;
  readonly isCallingEnabled: boolean;
  readonly calls: number;
  readonly tenants: readonly (Named & { readonly permissions: readonly string[] })[];
  readonly instances: readonly Instance[];
  readonly budget: Budget;
}

export function overview(value: Json): Overview {
  const counts = Object.entries(record(value.counts)).flatMap(([name, count]) =>
    typeof count === "number" ? [[name, count] as const] : [],
  );
  return {
    version: text(value.version),
    uptimeSeconds: number(value.uptimeSeconds),
    counts: Object.fromEntries(counts),
  };
}

/** An address that a browser may open: no script is one. */
function address(value: unknown): string | null {
  return typeof value === "string" && /^https?:\/\//i.test(value) ? value : null;
}

export function meeting(value: Json): Meeting | undefined {
  if (typeof value.id !== "string") return undefined;
  return {
    id: value.id,
    tenant: named(value.tenant),
    subject: text(value.subject),
    organizer: named(value.organizer),
    startsAt: timeOrNull(value.startsAt),
    endsAt: timeOrNull(value.endsAt),
    joinMeetingId: text(value.joinMeetingId),
    joinWebUrl: address(value.joinWebUrl),
    hasPasscode: value.hasPasscode === true,
    threadId: text(value.threadId),
    isLive: value.isLive === true,
    participants: number(value.participants),
  };
}

export function user(value: Json): User | undefined {
  if (typeof value.id !== "string") return undefined;
  return {
    id: value.id,
    name: text(value.name) || value.id,
    address: text(value.address),
    tenant: named(value.tenant),
    isAdministrator: value.administrator === true,
    hasPassword: value.hasPassword === true,
    hasScript: value.hasScript === true,
    phones: list(value.phones, phone),
    pages: number(value.pages),
  };
}

function phone(value: Json): Phone {
  return {
    contact: text(value.contact),
    transport: text(value.transport),
    remote: text(value.remote),
    expiresAt: timeOrNull(value.expiresAt),
  };
}

export function trunk(value: Json): Trunk | undefined {
  if (typeof value.id !== "string") return undefined;
  return {
    ...named(value),
    tenant: named(value.tenant),
    peer: text(value.peer),
    transport: text(value.transport),
    state: text(value.state),
    since: timeOrNull(value.since),
    calls: number(value.calls),
    maxCalls: numberOrNull(value.maxCalls),
    callsPerSecond: numberOrNull(value.callsPerSecond),
    priority: number(value.priority),
    prefixes: texts(value.prefixes),
    registers: value.registers === true,
  };
}

export function application(value: Json): Application | undefined {
  if (typeof value.id !== "string") return undefined;
  const budget = record(value.budget);
  return {
    ...named(value),
    alias: textOrNull(value.alias),
    webhook: textOrNull(value.webhook),
    isCallingEnabled: value.isCallingEnabled !== false,
    calls: number(value.calls),
    tenants: list(value.tenants, (tenant) => ({
      ...named(tenant),
      permissions: texts(tenant.permissions),
    })),
    instances: list(value.instances, instance),
    budget: {
      callsUsed: number(budget.callsUsed),
      calls: numberOrNull(budget.calls),
      secondsUsed: number(budget.secondsUsed),
      seconds: numberOrNull(budget.seconds),
    },
  };
}

function instance(value: Json): Instance | undefined {
  if (typeof value.id !== "string") return undefined;
  return {
    id: value.id,
    tenant: named(value.tenant),
    numbers: texts(value.numbers),
    isWithheld: value.isWithheld === true,
  };
}
