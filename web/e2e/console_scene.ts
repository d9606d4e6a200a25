/** What goes on at the stand-in of a server: a day's calls, and whom it knows. */

import { BOT, CONTOSO, type ConsoleStandIn, iso, type Note, type Wire } from "./console_standin";

export const LIVE = "57dab8b1-894c-409a-b240-bd8beae78896";
export const FAILED = "2e1a0b00-2db4-4022-9570-243709c565ab";
const JOHN_ID = "112f7296-5fa4-42ca-bae8-6a692b15d4b8";
const PHONE = "udp:127.0.0.1:40000";
const CARRIER = "tls:198.51.100.17:5061";

/** How far the live call has come at the beginning. */
const AGE_MS = 26_000;

/** Puts everything there, so that the live call is 26 s old. */
export function scene(server: ConsoleStandIn): void {
  lists(server);
  const now = Date.now();
  liveCall(server, now - AGE_MS);
  failedCall(server, now - 400_000);
  otherCalls(server, now);
}

function liveCall(server: ConsoleStandIn, began: number): void {
  server.begin(LIVE, began, { subject: "Delivery at the door", notifications: 6 });
  const at = (milliseconds: number) => began + milliseconds;
  const enter = (when: number, ...[lane, what, text, ref]: string[]) =>
    server.enter(LIVE, at(when), lane ?? "", what ?? "", text, ref);
  enter(0, "state", "establishing");
  enter(4, "leg", "calling");
  enter(180, "leg", "ringing");
  enter(4200, "leg", "answered");
  enter(4230, "state", "established");
  enter(4300, "operation", "running", "subscribeToTone", "op1");
  enter(4310, "operation", "completed", "subscribeToTone", "op1");
  enter(4400, "operation", "running", "playPrompt", "op2");
  enter(9100, "operation", "completed", "playPrompt", "op2");
  for (const [when, key] of [
    [10_400, "4"],
    [10_800, "2"],
    [11_500, "#"],
  ] as const) {
    enter(when, "tone", "heard", key);
  }
  enter(12_000, "operation", "running", "recordResponse", "op3");
  enter(14_000, "state", "held");
  enter(17_500, "state", "resumed");
  enter(19_000, "operation", "failed", "recordResponse: nobody said anything", "op3");
  enter(20_000, "operation", "running", "playPrompt", "op4");
  server.change(LIVE, { state: "established", answered: iso(at(4200)) });
  operations(server);
  notifications(server, at);
  johnsPhone(server, at);
  server.measure(LIVE, at(AGE_MS), sounds(0));
}

/** How the sound of the live call is; it changes with `turn`. */
export function sounds(turn: number): readonly Wire[] {
  const swing = 12 * Math.sin(turn);
  return [
    {
      id: "p1",
      name: "John",
      role: "phone",
      codec: "PCMU",
      levelIn: -24.5 + swing,
      levelOut: -31,
      lossIn: 0,
      lossOut: 1.6,
      jitterInMs: 1.2,
      jitterOutMs: 72,
      roundTripMs: 38.4,
      packetsIn: 1090,
      packetsOut: 1101,
      isFlowing: true,
    },
    {
      id: "p2",
      name: BOT.name,
      role: "application",
      codec: "",
      levelIn: -31,
      levelOut: null,
      lossIn: null,
      lossOut: null,
      jitterInMs: null,
      jitterOutMs: null,
      roundTripMs: null,
      packetsIn: 0,
      packetsOut: 0,
      isFlowing: true,
    },
  ];
}

function operations(server: ConsoleStandIn): void {
  const type = (kind: string) => `#microsoft.graph.${kind}Operation`;
  const done = { code: 200, subcode: 0, message: "Action completed successfully." };
  const silent = { code: 400, subcode: 8510, message: "Maximum initial silence was reached." };
  for (const [id, kind, status, resultInfo] of [
    ["op1", "subscribeToTone", "completed", done],
    ["op2", "playPrompt", "completed", done],
    ["op3", "record", "failed", silent],
    ["op4", "playPrompt", "running", null],
  ] as const) {
    const context = "d45324c1-fcb5-430a-902c-f20af696537c";
    const operation = { id, status, clientContext: context, resultInfo };
    server.operate(LIVE, { "@odata.type": type(kind), ...operation });
  }
}

function notifications(server: ConsoleStandIn, at: (milliseconds: number) => number): void {
  const notes = [
    [1, 10, "updated", "call", [[0, 202]], { state: "establishing" }],
    [
      2,
      4240,
      "updated",
      "call",
      [
        [2, 503],
        [1000, null],
        [3010, 202],
      ],
      { state: "established" },
    ],
    [3, 9110, "deleted", "operation", [[4, 202]], { status: "completed" }],
    [4, 10_410, "updated", "call", [[3, 202]], { toneInfo: { tone: "tone4" } }],
    [5, 10_810, "updated", "call", [[3, 202]], { toneInfo: { tone: "tone2" } }],
    [6, 19_010, "deleted", "operation", [], { status: "failed" }],
  ] as const;
  for (const [sequence, when, change, about, tries, data] of notes) {
    server.notify(LIVE, note(sequence, at(when), { change, about, tries, data }));
  }
}

interface Told {
  readonly change: string;
  readonly about: string;
  /** Milliseconds after it was made, and the status of each answer. */
  readonly tries: readonly (readonly [number, number | null])[];
  readonly data: Wire;
}

export function note(sequence: number, at: number, { change, about, tries, data }: Told): Note {
  const resource = `/communications/calls/${LIVE}`;
  const value = { changeType: change, resourceUrl: resource, resourceData: data };
  const delivered = tries.at(-1)?.[1] === 202;
  return {
    id: `n${sequence}`,
    sequence,
    state: delivered ? "delivered" : "pending",
    createdAt: iso(at),
    callbackUri: "http://127.0.0.1:9000/callback",
    change,
    about,
    body: { "@odata.type": "#microsoft.graph.commsNotifications", value: [value] },
    attempts: tries.map(([after, status], index) => ({
      number: index + 1,
      at: iso(at + after),
      durationMs: 12 + index,
      status,
      error: status === null ? "connection refused" : null,
      resend: false,
    })),
  };
}

function johnsPhone(server: ConsoleStandIn, at: (milliseconds: number) => number): void {
  const lines: readonly (readonly [number, string, string, string])[] = [
    [10, "sent", "INVITE", "INVITE sip:john@127.0.0.1:40000 SIP/2.0"],
    [14, "received", "INVITE", "SIP/2.0 100 Trying"],
    [180, "received", "INVITE", "SIP/2.0 180 Ringing"],
    [4190, "received", "INVITE", "SIP/2.0 200 OK"],
    [4195, "sent", "ACK", "ACK sip:john@127.0.0.1:40000 SIP/2.0"],
    [13_990, "received", "INVITE", "INVITE sip:hookswitch@127.0.0.1:5060 SIP/2.0"],
    [13_995, "sent", "INVITE", "SIP/2.0 200 OK"],
    [14_010, "received", "ACK", "ACK sip:hookswitch@127.0.0.1:5060 SIP/2.0"],
  ];
  for (const [when, direction, method, startLine] of lines) {
    server.say(LIVE, at(when), message(startLine, { direction, method, peer: PHONE }));
  }
}

function message(startLine: string, more: Wire & { readonly method: string }): Wire {
  const status = /^SIP\/2\.0 (\d+)/.exec(startLine)?.[1];
  const cseq = `1 ${more.method}`;
  const headers = [
    "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKnashds8;rport",
    'From: "Calling Bot" <sip:calling-bot@localhost>;tag=456248',
    'To: "<b>John</b>" <sip:john@localhost>',
    "Call-ID: 843817637684230@998sdasdh09",
    `CSeq: ${cseq}`,
    "Authorization: (redacted)",
  ];
  return {
    dialog: "d1",
    isRequest: status === undefined,
    status: status === undefined ? null : Number(status),
    cseq,
    startLine,
    text: [startLine, ...headers, "", "v=0", "m=audio 49170 RTP/AVP 0", ""].join("\r\n"),
    ...more,
  };
}

/** A call over a trunk that was busy, and of which the application could not be told. */
function failedCall(server: ConsoleStandIn, began: number): void {
  server.begin(FAILED, began, { who: "+12015550123", notifications: 2 });
  const at = (milliseconds: number) => began + milliseconds;
  server.enter(FAILED, at(0), "state", "establishing");
  server.enter(FAILED, at(900), "leg", "calling");
  server.enter(FAILED, at(2295), "leg", "left", "Busy");
  server.enter(FAILED, at(2300), "state", "terminated", "Busy here");
  const told = { change: "deleted", about: "call", data: { state: "terminated" } };
  const gaveUp = note(1, at(2310), {
    ...told,
    tries: [
      [1, null],
      [1000, 500],
      [3000, 500],
    ],
  });
  server.notify(FAILED, { ...gaveUp, state: "abandoned" });
  for (const [when, direction, method, startLine] of [
    [905, "sent", "INVITE", "INVITE sip:+12015550123@198.51.100.17 SIP/2.0"],
    [960, "received", "INVITE", "SIP/2.0 407 Proxy Authentication Required"],
    [961, "sent", "ACK", "ACK sip:+12015550123@198.51.100.17 SIP/2.0"],
    [965, "sent", "INVITE", "INVITE sip:+12015550123@198.51.100.17 SIP/2.0"],
    [2290, "received", "INVITE", "SIP/2.0 486 Busy Here"],
  ] as const) {
    server.say(FAILED, at(when), message(startLine, { direction, method, peer: CARRIER }));
  }
  server.change(FAILED, {
    state: "terminated",
    ended: iso(at(2300)),
    result: { code: 486, subcode: 560486, message: "Busy here. The called number is in use." },
  });
}

function otherCalls(server: ConsoleStandIn, now: number): void {
  server.begin("c2", now - 95_000, {
    who: '<img src=x onerror="alert(1)">Alice Adams-Featherstonehaugh',
    direction: "incoming",
    state: "established",
    held: true,
  });
  server.begin("c3", now - 700_000, { who: "Weekly sync", kind: "meeting", state: "established" });
  server.begin("c4", now - 3000, { who: "3 people", kind: "group" });
  server.begin("c5", now - 3_600_000, {
    who: "user1",
    state: "terminated",
    ended: iso(now - 3_500_000),
    result: { code: 200, subcode: 7000, message: "The call was ended by the application." },
  });
  server.forgetDetails("c5");
}

function lists(server: ConsoleStandIn): void {
  const user = { tenant: CONTOSO, administrator: false, hasPassword: true, hasScript: true };
  server.lists["users"] = [
    { ...user, id: "bob", name: "Bob", address: "bob@localhost", phones: [], pages: 0 },
    {
      ...user,
      id: JOHN_ID,
      name: "John",
      address: "john@localhost",
      administrator: true,
      phones: [
        {
          contact: "sip:john@127.0.0.1:40000",
          transport: "udp",
          remote: "127.0.0.1:40000",
          expiresAt: iso(Date.now() + 270_000),
        },
      ],
      pages: 1,
    },
    {
      ...user,
      id: "user1",
      name: "user1",
      address: "user1@localhost",
      hasPassword: false,
      phones: [],
      pages: 0,
    },
  ];
  const meeting = {
    tenant: CONTOSO,
    organizer: { id: "bob", name: "Bob" },
    startsAt: "2026-01-05T09:00:00.000Z",
    endsAt: "2126-01-05T09:00:00.000Z",
    threadId: "19:meeting_Win6Ydo4wsMijFjZS00ZGVjLTk5MGUtOTRjNWY2NmNkYTFm@thread.v2",
    hasPasscode: false,
    isLive: false,
    participants: 0,
  };
  server.lists["meetings"] = [
    {
      ...meeting,
      id: "m1",
      subject: "Weekly sync",
      joinMeetingId: "2026111",
      joinWebUrl: "https://calls.contoso.example/l/meetup-join/19%3ameeting_Win6/0?context=%7b%7d",
      isLive: true,
      participants: 3,
    },
    {
      ...meeting,
      id: "m2",
      subject: "With a passcode",
      joinMeetingId: "1",
      hasPasscode: true,
      joinWebUrl: "javascript:alert(1)",
    },
  ];
  const trunk = { tenant: CONTOSO, transport: "tls", maxCalls: 30, callsPerSecond: 5, priority: 0 };
  server.lists["trunks"] = [
    {
      ...trunk,
      id: "carrier",
      name: "Carrier of Contoso",
      peer: "sip.carrier.example",
      state: "up",
      since: iso(Date.now() - 900_000),
      calls: 3,
      prefixes: ["+1", "+44"],
      registers: true,
    },
    {
      ...trunk,
      id: "spare",
      peer: "192.0.2.30:5060",
      transport: "udp",
      state: "down",
      since: null,
      calls: 0,
      prefixes: [],
      registers: false,
    },
  ];
  const permissions = [
    "Calls.Initiate.All",
    "Calls.InitiateGroupCall.All",
    "Calls.AccessMedia.All",
  ];
  const budget = { callsUsed: 12, calls: 200, secondsUsed: 754, seconds: 36_000 };
  server.lists["applications"] = [
    {
      ...BOT,
      alias: "calling-bot",
      webhook: "http://127.0.0.1:9000/callback",
      isCallingEnabled: true,
      calls: 2,
      tenants: [{ ...CONTOSO, permissions }],
      instances: [
        {
          id: "3d913abb-aec0-4964-8fa6-3c6850c4f278",
          tenant: CONTOSO,
          numbers: ["+12345678900"],
          isWithheld: false,
        },
      ],
      budget,
    },
    {
      id: "0d2d1e2f-0000-4000-8000-000000000001",
      name: "No Rights",
      alias: null,
      webhook: null,
      isCallingEnabled: false,
      calls: 0,
      tenants: [{ ...CONTOSO, permissions: [] }],
      instances: [],
      budget: { callsUsed: 0, calls: null, secondsUsed: 0, seconds: null },
    },
  ];
}
