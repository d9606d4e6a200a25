"""Calls somebody and sends back what it hears, over WebRTC: the blob is an SDP offer, and the answer comes back in it.

HOOKSWITCH_URL, TOKEN and USER_ID say where, as whom and to whom; CALLBACK is where notifications come in. With MEETING_ID
and PASSCODE in the place of USER_ID it joins that meeting.
"""

import asyncio
import json
import os
import threading
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

CALLBACK = os.environ.get("CALLBACK", "http://127.0.0.1:9000/callback")


class Echo(MediaStreamTrack):
    """What comes from the far end, once it comes."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.heard = asyncio.get_running_loop().create_future()

    async def recv(self):
        track = await asyncio.shield(self.heard)
        return await track.recv()


def destination():
    """Whom to call, or what to join."""
    if "MEETING_ID" in os.environ:
        return {"meetingInfo": {
            "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
            "joinMeetingId": os.environ["MEETING_ID"],
            "passcode": os.environ.get("PASSCODE"),
        }}
    user = {"@odata.type": "#microsoft.graph.identity", "id": os.environ["USER_ID"]}
    return {"targets": [{
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": {"@odata.type": "#microsoft.graph.identitySet", "user": user},
    }]}


def create_call(offer):
    """Asks for a call whose sound is ours, and gives back its answer."""
    call = {
        "@odata.type": "#microsoft.graph.call",
        "callbackUri": CALLBACK,
        **destination(),
        "requestedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": offer},
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


async def main():
    ended = asyncio.Event()
    listen(ended)
    # The server is the one to be reached, so this side needs no help by STUN or TURN.
    peer, echo = RTCPeerConnection(RTCConfiguration(iceServers=[])), Echo()
    peer.addTrack(echo)
    peer.on("track", echo.heard.set_result)
    peer.on("connectionstatechange", lambda: print("media is", peer.connectionState, flush=True))
    # Candidates are in the offer once this is done, so there is nothing to trickle.
    await peer.setLocalDescription(await peer.createOffer())
    call = await asyncio.to_thread(create_call, peer.localDescription.sdp)
    print("created", call["id"], flush=True)
    answer = call["mediaConfig"]["blob"]
    await peer.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await ended.wait()
    await peer.close()


asyncio.run(main())
