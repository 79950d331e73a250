"""The line between a test and a browser: the test sends a word and a text, the peer answers with a text.

Both are written as `WORD LENGTH` and a newline, then LENGTH bytes of UTF-8; the word of an answer is `ok` or `error`."""

import asyncio


async def serve(address, commands):
    """Connects to the test and carries out what it asks for, until it hangs up."""
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    while line := await reader.readline():
        word, length = line.decode().split()
        text = (await reader.readexactly(int(length))).decode()
        try:
            result, answer = "ok", await commands[word](text) or ""
        except Exception as problem:  # whatever it is, the test is to hear of it
            result, answer = "error", f"{word}: {problem!r}"
        body = answer.encode()
        writer.write(f"{result} {len(body)}\n".encode() + body)
        await writer.drain()
    writer.close()
