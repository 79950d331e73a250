#!/usr/bin/env python3
"""An MSRP endpoint (RFC 4975) over TCP or TLS, with a parser of its own.

  msrp_peer.py tcp|tls listen|connect HOST:PORT --me URI --to 'URI [URI..]' [--messages N] [--size BYTES] [--chunk BYTES]

It sends N messages in chunks, each with the SHA-256 of its body before the body, asks for success reports, answers every SEND with
200 and reports where asked. It prints one line of JSON and exits with 1 when anything is missing or wrong.
"""
import argparse
import hashlib
import json
import re
import secrets
import sys
import threading
import time

from stream import open_stream

options = argparse.ArgumentParser()
for name in ("kind", "how", "address"):
    options.add_argument(name)
options.add_argument("--me", required=True)
options.add_argument("--to", required=True)
options.add_argument("--messages", type=int, default=5)
options.add_argument("--expect", type=int, default=5, help="how many messages shall come")
options.add_argument("--size", type=int, default=200)
options.add_argument("--chunk", type=int, default=2048)
options.add_argument("--binary", action="store_true")
options.add_argument("--certificate", help="base name of a .pem and a .key file")
options.add_argument("--fingerprint", help="SHA-256 of the peer's certificate")
options.add_argument("--tls-role", choices=("client", "server"))
options.add_argument("--tls-version", choices=("1.2", "1.3"))
options.add_argument("--seconds", type=float, default=20)
options.add_argument("--local-port", type=int, help="connect from there")
options.add_argument("--answering", action="store_true", help="send nothing before a message has come")
options.add_argument("--linger", action="store_true", help="wait for the other end to close")
asked = options.parse_args()

report = {"sent": 0, "chunks": 0, "answers": 0, "reports": 0, "received": 0, "bytes": 0, "intact": 0, "errors": []}
finished, closed, spoken_to, writing = threading.Event(), threading.Event(), threading.Event(), threading.Lock()


def end_with(code):
    print(json.dumps(report), flush=True)
    sys.exit(code)


try:
    stream = open_stream(asked.kind, asked.how, asked.address, asked.tls_role, asked.certificate, asked.fingerprint,
                         asked.tls_version, timeout=asked.seconds, local_port=asked.local_port)
except Exception as error:  # Whatever it was, it is the result.
    report["fatal"] = repr(error)
    end_with(2)
report.update(stream.about)


def write(data):
    with writing:
        stream.send(data)


def message(tid, method, to, headers, body, flag):
    head = f"MSRP {tid} {method}\r\nTo-Path: {to}\r\nFrom-Path: {asked.me}\r\n" + "".join(line + "\r\n" for line in headers)
    middle = b"\r\n" + body + b"\r\n" if body is not None else b""
    return head.encode() + middle + f"-------{tid}{flag}\r\n".encode()


def send(body):
    identifier, total, position = secrets.token_hex(6), len(body), 0
    kind = "application/octet-stream" if asked.binary else "text/plain"
    while position < total:
        part = body[position:position + asked.chunk]
        last = position + len(part) == total
        headers = [f"Message-ID: {identifier}", "Success-Report: yes", "Failure-Report: yes",
                   f"Byte-Range: {position + 1}-{position + len(part)}/{total}", f"Content-Type: {kind}"]
        write(message(secrets.token_hex(8), "SEND", asked.to, headers, part, "$" if last else "+"))
        report["chunks"] += 1
        position += len(part)
    report["sent"] += 1


def next_message():
    """Transaction, method or status, headers, body, flag."""
    while b"\r\n" not in stream.buffer:
        stream.more()
    first = stream.buffer.split(b"\r\n", 1)[0]
    start = re.match(rb"MSRP (\S+) (\S+)", first)
    if not start:
        raise ValueError(f"no start line: {first[:60]!r}")
    end = b"-------" + start[1]
    while True:
        at = stream.buffer.find(end)
        if at >= 0 and len(stream.buffer) >= at + len(end) + 3:
            break
        stream.more()
    whole, flag = stream.buffer[:at], stream.buffer[at + len(end):at + len(end) + 1]
    stream.buffer = stream.buffer[at + len(end) + 3:]
    head, _, body = whole.partition(b"\r\n\r\n")
    headers = {}
    for line in head.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            headers[name.strip().lower().decode()] = value.strip().decode()
    return start[1].decode(), start[2].decode(), headers, body.removesuffix(b"\r\n"), flag


def check_paths(headers):
    if headers.get("to-path") != asked.me:
        report["errors"].append(f"To-Path is {headers.get('to-path')}")
    if headers.get("from-path", "").split()[:1] != asked.to.split()[:1]:
        report["errors"].append(f"From-Path is {headers.get('from-path')}")


parts = {}


def handle_send(tid, headers, body, flag):
    report["bytes"] += len(body)
    back = headers["from-path"].split()[0]
    write(message(tid, "200 OK", back, [], None, "$"))
    held = parts.setdefault(headers["message-id"], bytearray())
    held += body
    if flag != b"$":
        return
    whole = bytes(parts.pop(headers["message-id"]))
    report["received"] += 1
    spoken_to.set()
    report["intact"] += whole[:64] == hashlib.sha256(whole[64:]).hexdigest().encode()
    if headers.get("success-report") == "yes":
        lines = [f"Message-ID: {headers['message-id']}", f"Byte-Range: 1-{len(whole)}/{len(whole)}", "Status: 000 200 OK"]
        write(message(secrets.token_hex(8), "REPORT", headers["from-path"], lines, None, "$"))


def read():
    try:
        while True:
            tid, method, headers, body, flag = next_message()
            check_paths(headers)
            if method == "SEND":
                handle_send(tid, headers, body, flag)
            elif method == "REPORT":
                report["reports"] += 1
            elif method == "200":
                report["answers"] += 1
            else:
                report["errors"].append(f"{method} came")
            settled = report["answers"] >= report["chunks"] and report["reports"] >= asked.messages
            if report["sent"] == asked.messages and settled and report["received"] >= asked.expect:
                finished.set()
    except EOFError:
        report["eof"] = True
    except Exception as error:
        report["errors"].append(repr(error))
    closed.set()
    spoken_to.set()
    finished.set()


threading.Thread(target=read, daemon=True).start()
if asked.answering:
    spoken_to.wait(asked.seconds)
try:
    for number in range(asked.messages):
        text = (f"message {number} ".encode() * (asked.size // 8 + 1))[:asked.size]
        payload = secrets.token_bytes(asked.size) if asked.binary else text
        send(hashlib.sha256(payload).hexdigest().encode() + payload)
except Exception as error:
    report["errors"].append("sending: " + repr(error))
finished.wait(asked.seconds)
# What this side still owes the other (its last answers) is on its way before the end is.
time.sleep(0.3)
if asked.linger:
    closed.wait(asked.seconds)
stream.close()
report.update(stream.about)
complete = report["answers"] >= report["chunks"] and report["reports"] >= asked.messages
sound = report["received"] == report["intact"] == asked.expect and not report["errors"]
end_with(0 if complete and sound else 1)
