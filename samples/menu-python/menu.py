"""A bot that is called: it answers, says a tone, prints the keys that it is sent, and hangs up at a pound sign.

The server plays and records for it, so that it needs nothing but Python. HOOKSWITCH_URL and TOKEN say where and as whom;
CALLBACK is where it is told of calls, and where the server fetches what it says. It ends with its first call.
"""

import array
import io
import json
import math
import os
import queue
import threading
import urllib.error
import urllib.parse
import urllib.request
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CALLBACK = os.environ.get("CALLBACK", "http://127.0.0.1:9000/callback")
PROMPT = urllib.parse.urljoin(CALLBACK, "/tone.wav")
TONE_HZ, RATE_HZ, SECONDS = 440, 16000, 5
KEYS = {"star": "*", "pound": "#", "flash": "!"} | {f"tone{n}": str(n) for n in range(10)}


def tone():
    """The sound that it says, as the file that is fetched: 16 bit, mono, 16 kHz."""
    step = 2 * math.pi * TONE_HZ / RATE_HZ
    samples = array.array("h", (int(8000 * math.sin(step * n)) for n in range(SECONDS * RATE_HZ)))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE_HZ)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


def ask(method, path, body=None):
    request = urllib.request.Request(
        os.environ["HOOKSWITCH_URL"] + "/v1.0/communications/calls/" + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"},
        method=method,
    )
    try:
        urllib.request.urlopen(request).close()
    except urllib.error.HTTPError as error:
        if error.code not in (404, 409):
            raise
        # The caller has hung up meanwhile, of which we are about to be told.


class Menu:
    """One call, from its beginning to its end."""

    def __init__(self):
        self.call, self.has_spoken = None, False

    def told(self, change, call):
        """Takes one notification; `True` once the call is over."""
        if self.call is None and change == "created":
            self.answer(call)
        if call.get("id", self.call) != self.call:
            return False  # One call at a time: another one rings until it is given up.
        if call.get("state") == "established" and not self.has_spoken:
            self.speak()
        if tone_info := call.get("toneInfo"):
            self.pressed(KEYS.get(tone_info["tone"], tone_info["tone"]))
        return change == "deleted" and self.call is not None

    def answer(self, call):
        self.call = call["id"]
        caller = call["source"]["identity"]["user"]
        print("called by", caller.get("displayName", caller["id"]), flush=True)
        media = {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": []}
        body = {"callbackUri": CALLBACK, "acceptedModalities": ["audio"], "mediaConfig": media}
        ask("POST", self.call + "/answer", body)

    def speak(self):
        self.has_spoken = True
        ask("POST", self.call + "/subscribeToTone", {"clientContext": "keys"})
        media = {"@odata.type": "#microsoft.graph.mediaInfo", "uri": PROMPT}
        prompt = {"@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": media}
        ask("POST", self.call + "/playPrompt", {"clientContext": "tone", "prompts": [prompt]})
        print("speaking", flush=True)

    def pressed(self, key):
        print("key", key, flush=True)
        if key == "#":
            ask("DELETE", self.call)


def listen(told):
    """Puts notifications into a queue, and serves what is said. A bot for others to reach verifies tokens first."""
    sound = tone()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(202)
            self.end_headers()
            for change in body["value"]:
                resource = change.get("resourceData")
                # Operations and rosters are told, too.
                if isinstance(resource, dict) and resource.get("@odata.type") == "#microsoft.graph.call":
                    told.put((change["changeType"], resource))

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "audio/wav")
            self.send_header("Content-Length", str(len(sound)))
            self.end_headers()
            self.wfile.write(sound)

        def log_message(self, *_):
            pass

    address = urllib.parse.urlsplit(CALLBACK)
    server = ThreadingHTTPServer((address.hostname, address.port), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    told, menu = queue.Queue(), Menu()
    listen(told)
    print("waits for a call", flush=True)
    while not menu.told(*told.get()):
        pass
    print("call is over", flush=True)


main()
