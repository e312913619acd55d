"""A TCP connection to PostgreSQL that can be cut: what is sent then arrives when it heals.

A script: it takes the descriptor of a listening socket and the path of the server's. SIGUSR1
cuts, SIGUSR2 heals.
"""

import asyncio
import contextlib
import signal
import socket
import sys

CHUNK = 65536


async def serve(descriptor: int, path: str) -> None:
    whole = asyncio.Event()
    whole.set()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, whole.clear)
    loop.add_signal_handler(signal.SIGUSR2, whole.set)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while sent := await reader.read(CHUNK):
                await whole.wait()
                writer.write(sent)
                await writer.drain()
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await whole.wait()
            to_server = await asyncio.open_unix_connection(path)
        except OSError:  # the server is down just now
            writer.close()
            return
        await asyncio.gather(pump(reader, to_server[1]), pump(to_server[0], writer))

    server = await asyncio.start_server(join, sock=socket.socket(fileno=descriptor))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
