"""Calls somebody and sends back what it hears: 20 ms of sound by WebSocket, in the dialect `hookswitch`.

HOOKSWITCH_URL, TOKEN and USER_ID say where, as whom and to whom; CALLBACK is where notifications come in.
"""

import asyncio
import json
import os
import threading
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK

CALLBACK = os.environ.get("CALLBACK", "http://127.0.0.1:9000/callback")
HEADER_OCTETS = 32  # Before the samples of every piece: whose they are, and when they were heard.


def create_call(blob):
    """Asks for a call whose sound is ours, and gives back its answer."""
    user = {"@odata.type": "#microsoft.graph.identity", "id": os.environ["USER_ID"]}
    call = {
        "@odata.type": "#microsoft.graph.call",
        "callbackUri": CALLBACK,
        "targets": [{
            "@odata.type": "#microsoft.graph.invitationParticipantInfo",
            "identity": {"@odata.type": "#microsoft.graph.identitySet", "user": user},
        }],
        "requestedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": json.dumps(blob)},
    }
    request = urllib.request.Request(
        os.environ["HOOKSWITCH_URL"] + "/v1.0/communications/calls",
        json.dumps(call).encode(),
        {"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def listen(ended):
    """Takes in notifications until the call is over. A bot for others to reach verifies their tokens first."""
    loop = asyncio.get_running_loop()

    def changed(state):
        print("call is", state, flush=True)
        if state == "terminated":
            ended.set()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(202)
            self.end_headers()
            for change in body["value"]:
                resource = change.get("resourceData")
                state = resource.get("state") if isinstance(resource, dict) else None
                if state:
                    loop.call_soon_threadsafe(changed, state)

        def log_message(self, *_):
            pass

    address = urllib.parse.urlsplit(CALLBACK)
    server = ThreadingHTTPServer((address.hostname, address.port), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()


async def echo(url):
    """Echoes until the server closes the socket. A socket that breaks is opened anew; the call waits for it."""
    while True:
        try:
            async with connect(url) as socket:
                async for message in socket:
                    if isinstance(message, bytes):
                        await socket.send(message[HEADER_OCTETS:])
                    else:
                        event = json.loads(message)
                        print("told", event["kind"], flush=True)
                        url = event.get("hookswitch", {}).get("resumeUrl", url)
            return
        except ConnectionClosedOK:
            return
        except ConnectionClosedError as broken:
            if broken.rcvd:  # It was closed on purpose, and the reason says why.
                raise


async def main():
    ended = asyncio.Event()
    listen(ended)
    # Without a url the answer tells where to dial in.
    call = await asyncio.to_thread(create_call, {"transport": "websocket", "dialect": "hookswitch"})
    print("created", call["id"], flush=True)
    await echo(json.loads(call["mediaConfig"]["blob"])["websocket"]["url"])
    await ended.wait()


asyncio.run(main())
