// Calls somebody and sends back what it hears. The server dials this program, in the dialect `acs`: the JSON of Azure
// Communication Services, so a bot that was written for those can be used as it is.
//
// HOOKSWITCH_URL, TOKEN and USER_ID say where, as whom and to whom; CALLBACK is where notifications come in, and sound.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const { HOOKSWITCH_URL, TOKEN, USER_ID, CALLBACK = 'http://127.0.0.1:9000/callback' } = process.env;
const callback = new URL(CALLBACK);

// Takes in notifications. A bot for others to reach verifies their tokens first.
const server = createServer(async (request, response) => {
  let text = '';
  for await (const piece of request) text += piece;
  response.writeHead(202).end();
  for (const { resourceData } of JSON.parse(text).value) {
    if (resourceData?.state) console.log('call is', resourceData.state);
    if (resourceData?.state === 'terminated') process.exit(0);
  }
});

// Nobody else knows this address, so whoever comes is the server.
const mediaPath = `/media/${randomUUID()}`;

new WebSocketServer({ server, path: mediaPath }).on('connection', (socket) => {
  socket.on('message', (data) => {
    const message = JSON.parse(data);
    if (message.kind === 'AudioData') {
      socket.send(JSON.stringify({ kind: 'AudioData', audioData: { data: message.audioData.data } }));
    } else {
      console.log('told', message.kind);
    }
  });
  socket.on('close', (code, reason) => console.log('closed', code, String(reason)));
});

server.listen(Number(callback.port), callback.hostname, async () => {
  const url = new URL(mediaPath, callback);
  url.protocol = callback.protocol === 'https:' ? 'wss:' : 'ws:';
  const response = await fetch(`${HOOKSWITCH_URL}/v1.0/communications/calls`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({
      '@odata.type': '#microsoft.graph.call',
      callbackUri: CALLBACK,
      targets: [{
        '@odata.type': '#microsoft.graph.invitationParticipantInfo',
        identity: {
          '@odata.type': '#microsoft.graph.identitySet',
          user: { '@odata.type': '#microsoft.graph.identity', id: USER_ID },
        },
      }],
      requestedModalities: ['audio'],
      mediaConfig: {
        '@odata.type': '#microsoft.graph.appHostedMediaConfig',
        blob: JSON.stringify({ transport: 'websocket', url, dialect: 'acs' }),
      },
    }),
  });
  const call = await response.json();
  if (response.status !== 201) throw new Error(JSON.stringify(call));
  console.log('created', call.id);
});
