/** The ten documented requests that create a call, written with whom this server knows. */

import type { Application, Meeting, User } from "./lists";

/** Whom a server knows, as its lists tell it. */
export interface Known {
  readonly application: Application | undefined;
  /** The tenant in which the application acts. */
  readonly tenant: string;
  readonly users: readonly User[];
  readonly meetings: readonly Meeting[];
}

export interface Example {
  readonly id: string;
  readonly name: string;
  /** What has to be written in by hand, or is worth knowing. */
  readonly hint: string;
  readonly body: (known: Known) => object;
}

/** Where notifications go that no webhook of the application takes: where a bot listens while it is written. */
const CALLBACK = "http://127.0.0.1:9000/callback";
const NO_ID = "00000000-0000-0000-0000-000000000000";
const NUMBER = "+12015550123";

const SERVICE = { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" };
const APPLICATION = { "@odata.type": "#microsoft.graph.appHostedMediaConfig" };

const OWN_MEDIA =
  "The application's own program has to fetch the sound: its address is in mediaConfig.blob of the answer.";
const PASSCODE = "The console is not told passcodes: write the meeting's own in.";
const INSTANCE = "It takes an instance of the application with a number, and a way to the number.";

export const EXAMPLES: readonly Example[] = [
  {
    id: "1",
    name: "1 · Call a person",
    hint: "The server plays and records for the application.",
    body: (known) => ({
      ...beginning(known),
      targets: people(known, 1),
      callOptions: {
        "@odata.type": "#microsoft.graph.outgoingCallOptions",
        isContentSharingNotificationEnabled: true,
      },
      mediaConfig: SERVICE,
    }),
  },
  {
    id: "2",
    name: "2 · Call a person, with the application's own media",
    hint: OWN_MEDIA,
    body: (known) => ({
      ...beginning(known),
      source: caller(known),
      targets: people(known, 1),
      mediaConfig: APPLICATION,
    }),
  },
  {
    id: "3",
    name: "3 · Call several people",
    hint: "They meet in a conference of their own.",
    body: (known) => ({ ...group(known), mediaConfig: SERVICE }),
  },
  {
    id: "4",
    name: "4 · Call several people, with the application's own media",
    hint: OWN_MEDIA,
    body: (known) => ({ ...group(known), mediaConfig: APPLICATION }),
  },
  {
    id: "5",
    name: "5 · Join a meeting",
    hint: "The meeting is named by its thread and its organizer. Sounds to fetch beforehand can be added to mediaConfig.preFetchMedia.",
    body: (known) => ({
      ...beginning(known),
      mediaConfig: { ...SERVICE, preFetchMedia: [] },
      ...meeting(known),
    }),
  },
  {
    id: "6",
    name: "6 · Join a meeting, with the application's own media",
    hint: OWN_MEDIA,
    body: (known) => ({
      ...beginning(known),
      direction: "outgoing",
      mediaConfig: APPLICATION,
      ...meeting(known),
    }),
  },
  {
    id: "7",
    name: "7 · Join a meeting by its id and passcode",
    hint: PASSCODE,
    body: (known) => byMeetingId(known, true),
  },
  {
    id: "8",
    name: "8 · Join a meeting by its id",
    hint: "The meeting must be one that asks for no passcode.",
    body: (known) => byMeetingId(known, false),
  },
  {
    id: "9",
    name: "9 · Call a phone number",
    hint: INSTANCE,
    body: (known) => ({ ...number(known), mediaConfig: SERVICE }),
  },
  {
    id: "10",
    name: "10 · Call a phone number, with the application's own media",
    hint: `${INSTANCE} ${OWN_MEDIA}`,
    body: (known) => ({ ...number(known), mediaConfig: APPLICATION }),
  },
];

/** A request as it is edited. */
export function written(example: Example, known: Known): string {
  return JSON.stringify(example.body(known), null, 2);
}

/** Why a body cannot be sent; empty for one that can. Everything else the API itself finds. */
export function bodyProblem(body: string): string {
  try {
    JSON.parse(body);
    return "";
  } catch (error) {
    return `This is no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The id of the call that an answer tells of. */
export function createdCall(status: number, body: string): string | undefined {
  if (status !== 201) return undefined;
  try {
    const { id } = JSON.parse(body);
    return typeof id === "string" && id !== "" ? id : undefined;
  } catch {
    return undefined;
  }
}

function beginning({ application }: Known) {
  return {
    "@odata.type": "#microsoft.graph.call",
    callbackUri: application?.webhook ?? CALLBACK,
    requestedModalities: ["audio"],
  };
}

function caller({ application }: Known) {
  return participant("application", {
    displayName: application?.name ?? "",
    id: application?.id ?? NO_ID,
  });
}

function participant(role: string, identity: object) {
  return {
    "@odata.type": "#microsoft.graph.participantInfo",
    identity: identitySet(role, identity),
  };
}

function identitySet(role: string, identity: object) {
  return {
    "@odata.type": "#microsoft.graph.identitySet",
    [role]: { "@odata.type": "#microsoft.graph.identity", ...identity },
  };
}

function target(role: string, identity: object) {
  return {
    "@odata.type": "#microsoft.graph.invitationParticipantInfo",
    identity: identitySet(role, identity),
  };
}

/** The first so many users of the tenant: those who can be reached before those who cannot. */
function people({ users, tenant }: Known, count: number): readonly object[] {
  const reachable = ({ phones, pages, hasScript }: User) =>
    phones.length > 0 || pages > 0 ? 2 : hasScript ? 1 : 0;
  const found = users
    .filter((user) => user.tenant.id === tenant)
    .toSorted((a, b) => reachable(b) - reachable(a))
    .slice(0, count)
    .map(({ id, name }) => target("user", { displayName: name, id }));
  return found.length > 0 ? found : [target("user", { displayName: "", id: NO_ID })];
}

function group(known: Known) {
  return {
    ...beginning(known),
    direction: "outgoing",
    subject: "Several people at once",
    source: caller(known),
    targets: people(known, 2),
  };
}

/** The first meeting of the tenant that fits, those that are held before those that are not. */
function found(known: Known, fits: (meeting: Meeting) => boolean): Meeting | undefined {
  const own = known.meetings.filter(({ tenant }) => tenant.id === known.tenant).filter(fits);
  return own.find(({ isLive }) => isLive) ?? own[0];
}

function meeting(known: Known) {
  const meeting = found(known, () => true);
  const organizer = meeting?.organizer ?? { id: NO_ID, name: "" };
  return {
    chatInfo: {
      "@odata.type": "#microsoft.graph.chatInfo",
      threadId: meeting?.threadId ?? "19:meeting_…@thread.v2",
      messageId: "0",
    },
    meetingInfo: {
      "@odata.type": "#microsoft.graph.organizerMeetingInfo",
      organizer: identitySet("user", {
        id: organizer.id,
        displayName: organizer.name,
        tenantId: known.tenant,
      }),
      allowConversationWithoutHost: true,
    },
    tenantId: known.tenant,
  };
}

function byMeetingId(known: Known, hasPasscode: boolean) {
  const meeting = found(known, (meeting) => meeting.hasPasscode === hasPasscode);
  return {
    ...beginning(known),
    mediaConfig: { ...SERVICE, preFetchMedia: [] },
    meetingInfo: {
      "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
      joinMeetingId: meeting?.joinMeetingId ?? "",
      passcode: hasPasscode ? "" : null,
    },
    tenantId: known.tenant,
  };
}

function number(known: Known) {
  const { application, tenant } = known;
  const instances = application?.instances ?? [];
  const instance = instances.find((one) => one.tenant.id === tenant) ?? instances[0];
  const identity = { displayName: application?.name ?? "", id: instance?.id ?? NO_ID };
  return {
    ...beginning(known),
    source: participant("applicationInstance", identity),
    targets: [target("phone", { id: NUMBER })],
    tenantId: tenant,
  };
}
