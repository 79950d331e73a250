"""aiortc as a phone: ICE, DTLS (OpenSSL), SRTP (libsrtp) and codecs that share nothing with a browser's.

    aiortc_peer.py CONTROL [--media audio,video]

CONTROL is where the test listens (line.py). It sends a tone of 440 Hz and a picture whose lower half gets lighter, and decodes what it hears and sees.
Commands: `offer`, `answer`, `accept` (text: an offer; answers it), `report`, `close`."""

import argparse
import array
import asyncio
import fractions
import json
import math

import aioice.ice
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame, VideoFrame

from line import serve

RATE = 48000
SAMPLES = RATE // 50
FRAMES_PER_SECOND = 15

# aioice leaves loopback out; here it is the only address there shall be.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class Paced(MediaStreamTrack):
    """A source that gives its frames at their time."""

    def __init__(self, kind, per_second):
        self.kind = kind
        super().__init__()
        self.per_second, self.count, self.began = per_second, 0, None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.began = self.began or loop.time()
        await asyncio.sleep(max(0, self.began + self.count / self.per_second - loop.time()))
        frame = self.make()
        self.count += 1
        return frame


class Tone(Paced):
    def __init__(self):
        super().__init__("audio", 50)
        # 440 Hz does not divide the frame, so a whole second is kept.
        self.wave = array.array("h", (int(9000 * math.sin(2 * math.pi * 440 * at / RATE)) for at in range(RATE)))

    def make(self):
        frame = AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        at = self.count % 50 * SAMPLES
        frame.planes[0].update(self.wave[at:at + SAMPLES].tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.count * SAMPLES, fractions.Fraction(1, RATE)
        return frame


class Picture(Paced):
    def __init__(self):
        super().__init__("video", FRAMES_PER_SECOND)

    def make(self):
        frame = VideoFrame(320, 240, "yuv420p")
        luma, *chroma = frame.planes
        half = luma.buffer_size // 2
        luma.update(bytes([32]) * half + bytes([32 + self.count * 4 % 192]) * (luma.buffer_size - half))
        for plane in chroma:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts, frame.time_base = self.count * 90000 // FRAMES_PER_SECOND, fractions.Fraction(1, 90000)
        return frame


class Phone:
    def __init__(self, media):
        self.media = media
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.heard = {"audio_frames": 0, "audio_energy_millionths": 0, "video_frames": 0}
        self.readers = []
        self.connection.on("track", lambda track: self.readers.append(asyncio.ensure_future(self.read(track))))

    async def read(self, track):
        while True:
            frame = await track.recv()
            self.heard[f"{track.kind}_frames"] += 1
            if track.kind == "audio":
                # Of every fiftieth sample, squared, with full scale as 1: enough to tell a tone from silence.
                some = array.array("h", bytes(frame.planes[0]))[::50]
                power = sum((value / 32768) ** 2 for value in some) / max(len(some), 1)
                self.heard["audio_energy_millionths"] += int(power * frame.samples / frame.sample_rate * 1e6)

    def capture(self):
        sources = {"audio": Tone, "video": Picture}
        for kind in self.media:
            self.connection.addTrack(sources[kind]())

    async def offer(self, _):
        self.capture()
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def answer(self, sdp):
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def accept(self, sdp):
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        self.capture()
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.connection.localDescription.sdp

    async def report(self, _):
        kept = {"connection": self.connection.connectionState, "ice": self.connection.iceConnectionState} | self.heard
        names = {"inbound-rtp": ("packets", "packetsReceived"), "outbound-rtp": ("sent", "packetsSent"),
                 "remote-inbound-rtp": ("heard_of", None)}
        for item in (await self.connection.getStats()).values():
            if item.type in names:
                name, field = names[item.type]
                key = f"{item.kind}_{name}" if name == "packets" else f"{name}_{item.kind}"
                kept[key] = kept.get(key, 0) + (getattr(item, field) if field else 1)
        return json.dumps(kept)

    async def close(self, _):
        await self.connection.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("control")
    parser.add_argument("--media", default="audio,video")
    options = parser.parse_args()
    phone = Phone(options.media.split(","))
    print("ready", flush=True)
    await serve(options.control, {name: getattr(phone, name) for name in ("offer", "answer", "accept", "report", "close")})


asyncio.run(main())
