"""A voice agent without a brain: it hears when somebody has finished speaking, answers with a spoken file, and stops at
once when it is interrupted. Put speech recognition, a model and speech synthesis where it says so.

HOOKSWITCH_URL, TOKEN and USER_ID say where, as whom and to whom; CALLBACK is where notifications come in, ANSWER is a
WAV file, 16 bit, mono, 16 kHz.
"""

import array
import asyncio
import json
import os
import sys
import threading
import urllib.parse
import urllib.request
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from websockets.asyncio.client import connect

CALLBACK = os.environ.get("CALLBACK", "http://127.0.0.1:9000/callback")
ANSWER = os.environ.get("ANSWER", Path(__file__).with_name("answer.wav"))
HEADER_OCTETS = 32  # Before the samples of every piece: whose they are, and when they were heard.

LOUD = 500  # Mean amplitude of a piece with voice in it; a quiet line has less than 100.
STARTS_AFTER = 3  # Loud pieces of 20 ms in a row: a click is shorter.
STOPS_AFTER = 35  # Quiet ones: a pause between words is shorter.


class VoiceActivity:
    """Tells from how loud it is when somebody starts and stops speaking."""

    def __init__(self):
        self.is_speaking, self.count = False, 0

    def hear(self, pcm):
        """Takes 20 ms; gives back "started", "stopped" or nothing."""
        samples = array.array("h", pcm)
        if sys.byteorder == "big":
            samples.byteswap()
        is_loud = sum(map(abs, samples)) > LOUD * len(samples)
        self.count = self.count + 1 if is_loud != self.is_speaking else 0
        if self.count < (STOPS_AFTER if self.is_speaking else STARTS_AFTER):
            return None
        self.is_speaking, self.count = not self.is_speaking, 0
        return "started" if self.is_speaking else "stopped"


class Agent:
    """Listens, answers, and lets itself be interrupted."""

    def __init__(self, socket):
        self.socket, self.voice = socket, VoiceActivity()
        self.said = bytearray()  # What the caller has said in this turn.
        self.answers, self.is_answering = 0, False

    async def run(self):
        async for message in self.socket:
            if isinstance(message, bytes):
                await self.hear(message[HEADER_OCTETS:])
            else:
                self.handle(json.loads(message))

    async def hear(self, pcm):
        change = self.voice.hear(pcm)
        if self.voice.is_speaking:
            self.said += pcm
        if change == "started" and self.is_answering:
            # Barge-in: what has not been heard yet is dropped.
            await self.socket.send(json.dumps({"kind": "Clear"}))
        if change == "stopped":
            await self.answer()

    async def answer(self):
        """Here the recording in `self.said` would be understood and an answer be made."""
        print(f"heard {len(self.said) / 32000:.1f} s", flush=True)
        self.said.clear()
        self.answers, self.is_answering = self.answers + 1, True
        # It may be sent faster than it is spoken, and in any pieces; the server keeps the time.
        with wave.open(str(ANSWER)) as file:
            while pcm := file.readframes(16000):
                await self.socket.send(pcm)
        await self.socket.send(json.dumps({"kind": "Mark", "name": f"answer {self.answers}"}))

    def handle(self, event):
        if event["kind"] == "MarkReached":
            print("said", event["name"], flush=True)
            self.is_answering = False
        elif event["kind"] == "Cleared":
            print(f"interrupted after {event['heardMs']} ms, {event['droppedMs']} ms unsaid", flush=True)
            self.is_answering = False
        elif event["kind"] == "DtmfData":
            print("key", event["dtmfData"]["data"], flush=True)


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


async def main():
    ended = asyncio.Event()
    listen(ended)
    # Without a url the answer tells where to dial in.
    call = await asyncio.to_thread(create_call, {"transport": "websocket", "dialect": "hookswitch"})
    print("created", call["id"], flush=True)
    async with connect(json.loads(call["mediaConfig"]["blob"])["websocket"]["url"]) as socket:
        await Agent(socket).run()
    await ended.wait()


asyncio.run(main())
