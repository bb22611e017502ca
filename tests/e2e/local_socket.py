"""Questions to an agent over its local socket (ZMTP 3.0, NULL) without a process per question."""
import json
import os
import socket


def _exactly(link, size):
    data = b""
    while len(data) < size:
        part = link.recv(size - len(data))
        if not part:
            raise ConnectionError("the agent closed its local socket")
        data += part
    return data


def _frame(link):
    """(is a command, body) of the next frame."""
    flags = _exactly(link, 1)[0]
    size = int.from_bytes(_exactly(link, 8 if flags & 2 else 1), "big")
    return bool(flags & 4), _exactly(link, size)


def _text(value):
    data = str(value).encode()
    assert len(data) < 256
    return b"\xd9" + bytes([len(data)]) + data


def ask(path, question, file=None, timeout_s=5):
    """The answer's JSON. `file`: of the question "deliver"."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(timeout_s)
        # A path in a socket's address has at most 107 bytes.
        os_path = os.path.relpath(path) if len(str(path)) > 100 else str(path)
        link.connect(os_path)
        link.sendall(b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0")
                     + bytes(32))
        _exactly(link, 64)
        ready = (b"\x05READY" + b"\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER"
                 + b"\x08Identity" + bytes(4))
        link.sendall(b"\x04" + bytes([len(ready)]) + ready)
        body = b"q" + (b"\x82" if file else b"\x81") + _text("query") + _text(question)
        if file:
            body += _text("path") + _text(file)
        link.sendall(b"\x02" + len(body).to_bytes(8, "big") + body)
        while True:
            command, answer = _frame(link)
            if not command:
                return json.loads(answer[1:])
