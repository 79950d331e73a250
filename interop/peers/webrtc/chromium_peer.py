"""Headless Chromium as a phone: the page of docs/examples/browser, driven over the pipe of the DevTools protocol.

    chromium_peer.py CONTROL PAGE_FOLDER [--page URL] [--media audio,video] [--policy max-compat] [--trial NAME/Group/]

CONTROL is where the test listens (line.py). Its camera and microphone are Chromium's own test pattern and beeps. Commands: `offer` (text: empty or
`restart`), `answer`, `accept` (text: an offer; answers it), `report`, `close`; and `run` (text: a script for the page, which gives a text). With a
URL it is that page, served by somebody else."""

import argparse
import asyncio
import fcntl
import functools
import http.server
import json
import os
import shutil
import tempfile
import threading

from line import serve

PROGRAMS = ["chromium-headless-shell", "chromium"]
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--mute-audio", "--remote-debugging-pipe",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required",
    # All traffic stays on loopback, and candidates have addresses in place of mDNS names.
    "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns",
]


class Pipe:
    """The DevTools protocol: objects of JSON, each ended by a zero byte, on descriptors 3 and 4 of the browser."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.last = reader, writer, 0

    async def call(self, method, session=None, **parameters):
        self.last += 1
        request = {"id": self.last, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self.writer.write(json.dumps(request).encode() + b"\0")
        while True:
            message = json.loads((await self.reader.readuntil(b"\0"))[:-1])
            if message.get("id") == self.last:
                if "error" in message:
                    raise RuntimeError(message["error"])
                return message["result"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve_page(folder):
    """Only a page from localhost may use a camera without TLS."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def high_pipe():
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 16) for end in ends]
    for end in ends:
        os.close(end)
    return high


async def start(profile, trial):
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if not program:
        raise SystemExit("no Chromium")
    flags = FLAGS + [f"--user-data-dir={profile}"] + ([f"--force-fieldtrials={trial}"] if trial else [])
    # The browser looks for them at 3 and 4, where others stand now.
    (theirs_in, ours_out), (ours_in, theirs_out) = (high_pipe() for _ in range(2))
    process = await asyncio.create_subprocess_exec(
        program, *flags, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, pass_fds=(3, 4),
        preexec_fn=lambda: (os.dup2(theirs_in, 3), os.dup2(theirs_out, 4)))
    os.close(theirs_in)
    os.close(theirs_out)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours_in, "rb"))
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(ours_out, "wb"))
    return process, Pipe(reader, asyncio.StreamWriter(transport, protocol, None, loop))


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("control")
    parser.add_argument("folder")
    parser.add_argument("--page")
    parser.add_argument("--media", default="audio,video")
    parser.add_argument("--policy", default="max-compat")
    parser.add_argument("--trial")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process, pipe = await start(profile, options.trial)
        target = (await pipe.call("Target.createTarget", url=options.page or serve_page(options.folder)))["targetId"]
        session = (await pipe.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]

        async def run(script):
            result = await pipe.call("Runtime.evaluate", session, expression=script, awaitPromise=True, returnByValue=True)
            if "exceptionDetails" in result:
                details = result["exceptionDetails"]
                raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
            return result["result"].get("value")

        async def loaded():
            for _ in range(200):
                if await run("document.readyState === 'complete' && typeof Phone === 'function'"):
                    return
                await asyncio.sleep(0.05)
            raise RuntimeError("the page does not load")

        await loaded()
        settings = json.dumps({"media": options.media, "policy": options.policy})
        await run(f"globalThis.tested = new Phone({settings}); 0")

        async def report(_):
            return json.dumps(await run("tested.report()"))

        print("ready", flush=True)
        await serve(options.control, {
            "offer": lambda text: run(f"tested.offer({{ restart: {json.dumps(text == 'restart')} }})"),
            "answer": lambda text: run(f"tested.answer({json.dumps(text)})"),
            "accept": lambda text: run(f"tested.accept({json.dumps(text)})"),
            "run": run,
            "report": report,
            "close": lambda _: run("tested.close()"),
        })
        process.kill()
        await process.wait()


asyncio.run(main())
