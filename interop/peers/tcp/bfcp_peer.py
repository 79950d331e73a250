#!/usr/bin/env python3
"""A BFCP endpoint over TCP or TLS (RFC 8855, version 1) whose messages are written and read by libre, through ctypes.

  bfcp_peer.py client|server tcp|tls listen|connect HOST:PORT

The client says Hello, asks for a floor, gives it back and asks how it stands, as often as it is told; the server grants at once. It prints one
line of JSON and exits with 1 when anything is missing or wrong.
"""
import argparse
import ctypes
import json
import struct
import sys

from stream import open_stream

options = argparse.ArgumentParser()
options.add_argument("role", choices=("client", "server"))
for name in ("kind", "how", "address"):
    options.add_argument(name)
options.add_argument("--rounds", type=int, default=3)
options.add_argument("--conference", type=int, default=0x01020304)
options.add_argument("--user", type=int, default=0x0506)
options.add_argument("--floor", type=int, default=7)
options.add_argument("--certificate", help="base name of a .pem and a .key file")
options.add_argument("--fingerprint", help="SHA-256 of the peer's certificate")
options.add_argument("--tls-role", choices=("client", "server"))
options.add_argument("--seconds", type=float, default=20)
asked = options.parse_args()

# enum bfcp_prim and enum bfcp_attrib of re_bfcp.h, which are the numbers of RFC 8855 section 5.1 and 5.2.
FLOOR_REQUEST, FLOOR_RELEASE, FLOOR_REQUEST_STATUS, FLOOR_QUERY, FLOOR_STATUS, HELLO, HELLO_ACK = 1, 2, 4, 7, 8, 11, 12
FLOOR_ID, FLOOR_REQUEST_ID, REQUEST_STATUS = 2, 3, 5
FLOOR_REQUEST_INFORMATION, FLOOR_REQUEST_STATUS_OF_FLOOR, OVERALL_REQUEST_STATUS = 15, 17, 18
GRANTED, RELEASED = 3, 6
COMMON_HEADER_BYTES = 12

library = ctypes.CDLL("libre.so.0")


class Mbuf(ctypes.Structure):
    _fields_ = [("buf", ctypes.POINTER(ctypes.c_uint8))] + [(name, ctypes.c_size_t) for name in ("size", "pos", "end")]


class RequestStatus(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("queue_position", ctypes.c_uint8)]


library.mbuf_alloc.restype = ctypes.POINTER(Mbuf)
library.mbuf_alloc.argtypes = [ctypes.c_size_t]
library.bfcp_prim_name.restype = ctypes.c_char_p
library.bfcp_msg_attr.restype = ctypes.c_void_p

report = {"role": asked.role, "messages": 0, "primitives": [], "errors": []}


def end_with(code):
    print(json.dumps(report), flush=True)
    sys.exit(code)


def encode(primitive, transaction, count=0, *attributes):
    buffer = library.mbuf_alloc(512)
    error = library.bfcp_msg_encode(
        buffer, ctypes.c_uint8(1), ctypes.c_bool(False), ctypes.c_int(primitive), ctypes.c_uint32(asked.conference),
        ctypes.c_uint16(transaction), ctypes.c_uint16(asked.user), ctypes.c_uint(count), *attributes)
    if error:
        raise RuntimeError(f"libre cannot encode primitive {primitive}: {error}")
    return bytes(buffer.contents.buf[:buffer.contents.end])


def attribute(kind, value):
    return ctypes.c_int(kind), ctypes.c_uint(0), ctypes.byref(value)


def number(kind, value):
    return attribute(kind, ctypes.c_uint16(value))


def request_information(identifier, status):
    """FLOOR-REQUEST-INFORMATION with what became of the request as a whole, and of its floor."""
    return (ctypes.c_int(FLOOR_REQUEST_INFORMATION), ctypes.c_uint(2), ctypes.byref(ctypes.c_uint16(identifier)),
            ctypes.c_int(OVERALL_REQUEST_STATUS), ctypes.c_uint(1), ctypes.byref(ctypes.c_uint16(identifier)),
            *attribute(REQUEST_STATUS, RequestStatus(status, 0)), *number(FLOOR_REQUEST_STATUS_OF_FLOOR, asked.floor))


def receive():
    """The next message: primitive, transaction, libre's view of it, and its payload."""
    head = stream.take(COMMON_HEADER_BYTES)
    _, primitive, words, conference, transaction, user = struct.unpack(">BBHIHH", head)
    whole = head + stream.take(words * 4)
    buffer, message = library.mbuf_alloc(len(whole)), ctypes.c_void_p()
    ctypes.memmove(buffer.contents.buf, whole, len(whole))
    buffer.contents.end = len(whole)
    error = library.bfcp_msg_decode(ctypes.byref(message), buffer)
    report["messages"] += 1
    report["primitives"].append(library.bfcp_prim_name(primitive).decode())
    if error or buffer.contents.pos != len(whole):
        report["errors"].append(f"libre reads {buffer.contents.pos} of {len(whole)} bytes: {error}")
    if (conference, user) != (asked.conference, asked.user):
        report["errors"].append(f"conference {conference} and user {user} came")
    return primitive, transaction, message, whole[COMMON_HEADER_BYTES:]


def ask(transaction, primitive, expected, *attributes):
    stream.send(encode(primitive, transaction, 1 if attributes else 0, *attributes))
    came, answered, message, payload = receive()
    if (came, answered) != (expected, transaction):
        report["errors"].append(f"to {primitive}/{transaction} came {came}/{answered}")
    return message, payload


def identifier_in(payload):
    """The first attribute begins with its type and length, and the identifier follows (RFC 8855 section 5.2)."""
    return struct.unpack(">H", payload[2:4])[0]


def take_part():
    transaction = 0
    for _ in range(asked.rounds):
        ask(transaction + 1, HELLO, HELLO_ACK)
        message, payload = ask(transaction + 2, FLOOR_REQUEST, FLOOR_REQUEST_STATUS, *number(FLOOR_ID, asked.floor))
        if not library.bfcp_msg_attr(message, FLOOR_REQUEST_INFORMATION):
            report["errors"].append("no FLOOR-REQUEST-INFORMATION came")
        request = identifier_in(payload)
        ask(transaction + 3, FLOOR_RELEASE, FLOOR_REQUEST_STATUS, *number(FLOOR_REQUEST_ID, request))
        ask(transaction + 4, FLOOR_QUERY, FLOOR_STATUS, *number(FLOOR_ID, asked.floor))
        transaction += 4


def serve():
    request = 100
    while True:
        primitive, transaction, _, payload = receive()
        if primitive == HELLO:
            stream.send(encode(HELLO_ACK, transaction))
        elif primitive == FLOOR_REQUEST:
            request += 1
            stream.send(encode(FLOOR_REQUEST_STATUS, transaction, 1, *request_information(request, GRANTED)))
        elif primitive == FLOOR_RELEASE:
            given_back = request_information(identifier_in(payload), RELEASED)
            stream.send(encode(FLOOR_REQUEST_STATUS, transaction, 1, *given_back))
        elif primitive == FLOOR_QUERY:
            stream.send(encode(FLOOR_STATUS, transaction, 1, *number(FLOOR_ID, asked.floor)))
        else:
            report["errors"].append(f"primitive {primitive} came")


try:
    stream = open_stream(asked.kind, asked.how, asked.address, asked.tls_role, asked.certificate, asked.fingerprint,
                         timeout=asked.seconds)
    report.update(stream.about)
    take_part() if asked.role == "client" else serve()
except EOFError:
    report["eof"] = True
except Exception as error:  # Whatever it was, it is the result.
    report["errors"].append(repr(error))
if "stream" in globals():
    stream.close()
complete = report["messages"] == 4 * asked.rounds
end_with(0 if complete and not report["errors"] else 1)
