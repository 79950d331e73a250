#!/usr/bin/env python3
"""An RTP or SRTP endpoint on the C libsrtp (through pylibsrtp), with SDES keys on the command line.

Each packet carries 160 bytes made from its number, so that the far endpoint can prove that it came through byte for byte.
At its end it prints one line of JSON: sent, rx, rx_ok (authenticated), rx_bad, payload_ok, payload_bad, exact (the whole RTP
packet is what an endpoint with our --ssrc, --seq0 and --pt sends), uniq, first and last number, rtcp_rx, rtcp_ok, ssrcs, pts, errs.
"""
import argparse
import asyncio
import base64
import hashlib
import json
import socket
import struct
import time

PAYLOAD_MARK = b"IAGW"
SAMPLES = 160
RTCP_EVERY = 50


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", help="stands in the report")
    parser.add_argument("--bind", help="local address (default: loopback of the remote's family)")
    parser.add_argument("--local", type=int, default=0, help="local port")
    parser.add_argument("--remote", help="HOST:PORT to send to; without it only receive")
    parser.add_argument("--remote-rtcp", help="HOST:PORT for RTCP (default: the remote, as with rtcp-mux)")
    parser.add_argument("--suite", help="SDES suite; without it plain RTP")
    parser.add_argument("--tx", help="key||salt to protect with, base64 as after inline:")
    parser.add_argument("--rx", help="key||salt to unprotect with")
    parser.add_argument("--n", type=int, default=100, help="packets to send")
    parser.add_argument("--ival", type=float, default=20, help="milliseconds between packets")
    parser.add_argument("--pt", type=int, default=8)
    parser.add_argument("--ssrc", type=int, default=0x11223344)
    parser.add_argument("--seq0", type=int, default=1000)
    parser.add_argument("--rtcp", action="store_true", help="send a sender report now and then")
    parser.add_argument("--secs", type=float, default=0, help="total time (default: sending and one second)")
    parser.add_argument("--wait", action="store_true", help="send only after the first packet came")
    parser.add_argument("--lossy", type=int, default=0, metavar="K", help="leave out every K-th packet")
    parser.add_argument("--replay", type=int, default=0, metavar="K", help="send every K-th packet twice")
    parser.add_argument("--corrupt", type=int, default=0, metavar="K", help="flip a bit in every K-th packet")
    chosen = parser.parse_args()
    chosen.secs = chosen.secs or chosen.n * chosen.ival / 1000 + 1.0
    return chosen


def session(suite, key, outbound):
    if not (suite and key):
        return None
    from pylibsrtp import Policy, Session

    profile = {
        "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
        "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
        "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    }[suite]
    direction = Policy.SSRC_ANY_OUTBOUND if outbound else Policy.SSRC_ANY_INBOUND
    raw = base64.b64decode(key + "=" * (-len(key) % 4))
    return Session(Policy(key=raw, ssrc_type=direction, srtp_profile=profile))


def payload(number):
    return struct.pack(">4sI", PAYLOAD_MARK, number) + (hashlib.sha256(b"%d" % number).digest() * 5)[:152]


def rtp(chosen, number):
    sequence = (chosen.seq0 + number) & 0xFFFF
    timestamp = SAMPLES * number & 0xFFFFFFFF
    return struct.pack(">BBHII", 0x80, chosen.pt, sequence, timestamp, chosen.ssrc) + payload(number)


def sender_report(chosen, number):
    octets = SAMPLES * number
    report = struct.pack(">BBHIIIIII", 0x80, 200, 6, chosen.ssrc, 0x83AA7E80, 0, octets, number, octets)
    return report + struct.pack(">BBHIBB", 0x81, 202, 3, chosen.ssrc, 1, 4) + b"iagw\0\0"


def address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class Endpoint:
    def __init__(self, chosen):
        self.chosen = chosen
        self.protector = session(chosen.suite, chosen.tx, True)
        self.unprotector = session(chosen.suite, chosen.rx, False)
        six = (chosen.bind or chosen.remote or "").count(":") > 1
        self.socket = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((chosen.bind or ("::1" if six else "127.0.0.1"), chosen.local))
        self.socket.setblocking(False)
        self.heard = asyncio.Event()
        self.numbers = []
        counts = "sent rx rx_ok rx_bad payload_ok payload_bad exact rtcp_rx rtcp_ok".split()
        self.report = {"name": chosen.name, **dict.fromkeys(counts, 0), "errs": {}, "ssrcs": [], "pts": []}

    def failed(self, error):
        text = str(error)
        self.report["errs"][text] = self.report["errs"].get(text, 0) + 1

    def take_rtcp(self, datagram):
        self.report["rtcp_rx"] += 1
        try:
            if self.unprotector:
                self.unprotector.unprotect_rtcp(datagram)
            self.report["rtcp_ok"] += 1
        except Exception as error:
            self.failed(error)

    def take_rtp(self, datagram):
        try:
            packet = self.unprotector.unprotect(datagram) if self.unprotector else datagram
        except Exception as error:
            self.report["rx_bad"] += 1
            self.failed(error)
            return
        self.report["rx_ok"] += 1
        for key, value in (("pts", packet[1] & 127), ("ssrcs", struct.unpack(">I", packet[8:12])[0])):
            if value not in self.report[key]:
                self.report[key].append(value)
        header = 12 + 4 * (packet[0] & 15)
        if packet[0] & 16:
            header += 4 + 4 * struct.unpack(">H", packet[header + 2 : header + 4])[0]
        body = packet[header:]
        if len(body) < 8 or body[:4] != PAYLOAD_MARK:
            return
        number = struct.unpack(">I", body[4:8])[0]
        self.numbers.append(number)
        self.report["payload_ok" if body == payload(number) else "payload_bad"] += 1
        self.report["exact"] += packet == rtp(self.chosen, number)

    async def receive(self, loop):
        while True:
            datagram = await loop.sock_recv(self.socket, 2048)
            self.report["rx"] += 1
            self.heard.set()
            if len(datagram) > 1 and 192 <= datagram[1] <= 223:
                self.take_rtcp(datagram)
            elif len(datagram) >= 12:
                self.take_rtp(datagram)

    async def send(self, remote):
        chosen = self.chosen
        remote_rtcp = address(chosen.remote_rtcp) if chosen.remote_rtcp else remote
        for number in range(chosen.n):
            packet = rtp(chosen, number)
            if self.protector:
                packet = self.protector.protect(packet)
            if chosen.corrupt and number % chosen.corrupt == 0:
                packet = packet[:20] + bytes([packet[20] ^ 1]) + packet[21:]
            if not (chosen.lossy and number % chosen.lossy == 0):
                self.socket.sendto(packet, remote)
                self.report["sent"] += 1
                if chosen.replay and number % chosen.replay == 0:
                    self.socket.sendto(packet, remote)
            if chosen.rtcp and number % RTCP_EVERY == RTCP_EVERY // 2:
                report = sender_report(chosen, number)
                if self.protector:
                    report = self.protector.protect_rtcp(report)
                self.socket.sendto(report, remote_rtcp)
            await asyncio.sleep(chosen.ival / 1000)

    async def run(self):
        loop = asyncio.get_running_loop()
        receiver = loop.create_task(self.receive(loop))
        started = time.monotonic()
        if self.chosen.wait:
            await asyncio.wait_for(self.heard.wait(), self.chosen.secs)
        if self.chosen.remote:
            await self.send(address(self.chosen.remote))
        await asyncio.sleep(max(0, started + self.chosen.secs - time.monotonic()))
        receiver.cancel()
        seen = self.numbers
        self.report.update(
            first=min(seen, default=None), last=max(seen, default=None), uniq=len(set(seen))
        )
        print(json.dumps(self.report), flush=True)


async def main():
    await Endpoint(options()).run()


asyncio.run(main())
