#!/usr/bin/env python3
"""A call from a browser through the gateway, for a person to try: serves the page beside it, is the gateway's controller for each call (an IMS-ALG in
small), and lets GStreamer answer with a tone and a moving ball; what GStreamer hears is printed.

    agw run &
    docs/examples/browser/call.py              # then open http://127.0.0.1:8080/

Needs Python 3 and GStreamer (gst-launch-1.0 with the base, good and bad plugins). It is an example and not a controller: one gateway that takes
anybody's orders, no registration, no authentication; it listens on loopback."""

import argparse
import functools
import http.server
import itertools
import json
import os
import re
import shutil
import socket
import subprocess

CODECS = {"audio": "opus/48000/2", "video": "VP8/90000"}
FAR_END = {
    "audio": "udpsrc port={port} caps=application/x-rtp,media=audio,payload={number},clock-rate=48000,encoding-name=OPUS ! rtpjitterbuffer ! "
             "rtpopusdepay ! opusdec ! audioconvert ! level interval=1000000000 ! fakesink async=false "
             "audiotestsrc is-live=true freq=440 volume=0.1 ! audioconvert ! audio/x-raw,rate=48000,channels=2 ! opusenc ! "
             "rtpopuspay pt={number} ! udpsink async=false host={ip} port={to}",
    "video": "udpsrc port={port} caps=application/x-rtp,media=video,payload={number},clock-rate=90000,encoding-name=VP8 ! rtpjitterbuffer ! "
             "rtpvp8depay ! vp8dec ! fakesink async=false "
             "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1 ! "
             "vp8enc deadline=1 keyframe-max-dist=15 ! rtpvp8pay pt={number} ! udpsink async=false host={ip} port={to}",
}


class Gateway:
    """H.248 text over UDP: a request is repeated until its reply comes."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((host, int(port)))
        self.socket.settimeout(1)
        self.transactions = itertools.count(int.from_bytes(os.urandom(3), "big"))

    def ask(self, action):
        number = next(self.transactions)
        for _ in range(5):
            self.socket.send(f"MEGACO/2 [127.0.0.1]:2944\nTransaction = {number} {{ {action} }}\n".encode())
            try:
                while True:
                    reply = self.socket.recv(65535).decode()
                    if f"Reply = {number} " in reply:
                        if "Error = " in reply:
                            raise RuntimeError(reply)
                        return reply
            except TimeoutError:
                continue
        raise RuntimeError("the gateway does not answer")


class Medium:
    """A medium of an offer: its lines, with those of the session that hold for it too."""

    def __init__(self, session, text):
        head, *lines = text.splitlines()
        self.kind, self.port = head.split()[:2]
        self.lines = lines + session.splitlines()
        self.number = next(number for number, name in map(str.split, self.all("rtpmap")) if name == CODECS[self.kind])

    def all(self, name):
        return [line.split(":", 1)[1] for line in self.lines if line.startswith(f"a={name}:")]

    def line(self, name):
        return f"a={name}:{self.all(name)[0]}\n"

    def address(self):
        return next(line.split()[-1] for line in self.lines if line.startswith("c="))

    def codec(self):
        parameters = [f"a=fmtp:{value}\n" for value in self.all("fmtp") if value.split()[0] == self.number]
        return f"a=rtpmap:{self.number} {CODECS[self.kind]}\n" + "".join(parameters)

    def access(self, stream):
        head = f"UDP/TLS/RTP/SAVPF {self.number}\n{self.codec()}a=rtcp-mux\n"
        candidates = "".join(f"a=candidate:{value}\n" for value in self.all("candidate"))
        return f"""Stream = {stream} {{ LocalControl {{ Mode = SendReceive }},
Local {{
v=0
c=IN IP4 $
a=ice-lite
m={self.kind} $ {head}a=setup:passive
a=fingerprint:SHA-256 $
a=ice-ufrag:$
a=ice-pwd:$
a=candidate:$
}},
Remote {{
v=0
c=IN IP4 {self.address()}
m={self.kind} {self.port} {head}a=setup:active
{self.line("fingerprint")}{self.line("ice-ufrag")}{self.line("ice-pwd")}{candidates}}} }}"""

    def core(self, stream, port):
        """The far end sends from any port of this machine."""
        return f"""Stream = {stream} {{ LocalControl {{ Mode = SendReceive,
gm/saf = ON, gm/sam = "127.0.0.0/8", gm/spf = ON, gm/spr = "1024-65535" }},
Local {{
v=0
c=IN IP4 $
m={self.kind} $ RTP/AVP {self.number}
{self.codec()}}},
Remote {{
v=0
c=IN IP4 127.0.0.1
m={self.kind} {port} RTP/AVP {self.number}
{self.codec()}}} }}"""


class Call:
    def __init__(self, gateway, offer):
        self.gateway = gateway
        session, *media = re.split(r"^m=", offer, flags=re.MULTILINE)
        media = [Medium(session, text) for text in media]
        ports = [free_port() for _ in media]
        access = ",\n".join(medium.access(stream) for stream, medium in enumerate(media, 1))
        core = ",\n".join(medium.core(stream, port) for stream, (medium, port) in enumerate(zip(media, ports), 1))
        reply = gateway.ask(f"Context = $ {{ Add = ip/1/access/$ {{ Media {{ {access} }} }}, Add = ip/1/core/$ {{ Media {{ {core} }} }} }}")
        self.context = re.search(r"Context = (\d+)", reply)[1]
        try:
            access, core = (re.split(r"^m=", side, flags=re.MULTILINE) for side in reply.split("Add = ")[1:])
            self.answer = answer(media, access)
            self.far_end = subprocess.Popen([*launch(), *" ".join(far_end(media, ports, core)).split()], stdin=subprocess.DEVNULL)
        except Exception:
            self.subtract()
            raise

    def subtract(self):
        self.gateway.ask(f"Context = {self.context} {{ Subtract = * }}")

    def end(self):
        self.far_end.kill()
        self.far_end.wait()
        self.subtract()


def launch():
    program = shutil.which("gst-launch-1.0")
    if not program:
        raise RuntimeError("gst-launch-1.0 is not installed")
    return [program, "-m"]


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def given(side):
    """Address, and for each medium its port and its lines, of what the gateway gave one side."""
    session, *media = side
    ip = re.search(r"^c=IN IP4 (\S+)", session, re.MULTILINE)[1]
    return ip, [(text.split()[1], re.findall(r"^a=(?:fingerprint|ice-ufrag|ice-pwd|candidate):.*", text, re.MULTILINE)) for text in media]


def answer(media, access):
    ip, given_media = given(access)
    text = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na=ice-lite\n"
    for medium, (port, lines) in zip(media, given_media):
        text += f"m={medium.kind} {port} UDP/TLS/RTP/SAVPF {medium.number}\nc=IN IP4 {ip}\n{medium.line('mid')}"
        text += f"a=sendrecv\na=rtcp-mux\na=setup:passive\n{medium.codec()}" + "".join(f"{line}\n" for line in lines)
    return text.replace("\n", "\r\n")


def far_end(media, ports, core):
    ip, given_media = given(core)
    for medium, port, (to, _) in zip(media, ports, given_media):
        yield FAR_END[medium.kind].format(port=port, number=medium.number, ip=ip, to=to)


class Page(http.server.SimpleHTTPRequestHandler):
    calls = {}
    gateway = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            if self.path == "/call":
                call = Call(self.gateway, body)
                self.calls[call.context] = call
                self.reply(200, json.dumps({"call": call.context, "sdp": call.answer}))
            elif self.path == "/end" and body in self.calls:
                self.calls.pop(body).end()
                self.reply(200, "")
            else:
                self.reply(404, "no such call")
        except Exception as problem:
            self.reply(500, str(problem))

    def reply(self, status, text):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iq", default="127.0.0.1:2944", help="where the gateway takes H.248 text (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="where to serve the page on loopback (default: %(default)s)")
    options = parser.parse_args()
    Page.gateway = Gateway(options.iq)
    server = http.server.HTTPServer(("127.0.0.1", options.port), functools.partial(Page, directory=os.path.dirname(os.path.abspath(__file__))))
    print(f"open http://127.0.0.1:{server.server_port}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        for call in Page.calls.values():
            call.end()


main()
