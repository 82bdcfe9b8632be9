# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy that knows CONNECT and Basic credentials and nothing else, as a network's only way out. It counts what it is asked for, and can
go, with every tunnel through it, and come back at the same place."""
import base64
import collections
import socket
import threading


class ConnectProxy:
    def __init__(self, user="", password=""):
        self.credentials = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else None
        self.tunnels, self.refused = collections.Counter(), collections.Counter()  # by target
        self.lock = threading.Lock()
        self.port = 0
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        self.listener.listen(128)
        self.ends, self.threads, self.stopping = set(), [], False
        self.run(self.accept)

    def stop(self):
        """Every tunnel is cut, and nobody listens any more."""
        with self.lock:
            self.stopping = True
            for end in self.ends | {self.listener}:
                self.shut(end)
        for thread in self.threads:
            thread.join()
        self.listener.close()

    def run(self, work, *arguments):
        thread = threading.Thread(target=work, args=arguments)
        self.threads.append(thread)
        thread.start()

    @staticmethod
    def shut(end):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it went by itself

    def keep(self, end):
        """False if it is too late for it."""
        with self.lock:
            if not self.stopping:
                self.ends.add(end)
            return not self.stopping

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            if self.keep(client):
                self.run(self.serve, client)

    def serve(self, client):
        try:
            with client, client.makefile("rb", buffering=0) as lines:
                head = [line.decode().strip() for line in iter(lines.readline, b"\r\n") if line]
                if head:
                    self.answer(client, head)
        except OSError:
            pass  # either side may go at any time
        with self.lock:
            self.ends.discard(client)

    def answer(self, client, head):
        method, target, _ = head[0].split(" ")
        fields = dict(line.split(": ", 1) for line in head[1:])
        if method != "CONNECT" or fields.get("host") != target:
            return client.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        if self.credentials is not None and fields.get("proxy-authorization") != self.credentials:
            self.refused[target] += 1
            return client.sendall(b'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="out"\r\n'
                                  b"connection: close\r\ncontent-length: 0\r\n\r\n")
        host, port = target.rsplit(":", 1)
        try:
            origin = socket.create_connection((host.strip("[]"), int(port)), timeout=10)
        except OSError:
            return client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        origin.settimeout(None)
        with origin:
            if not self.keep(origin):
                return None
            self.tunnels[target] += 1
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self.copy, args=(origin, client))
            back.start()
            self.copy(client, origin)
            back.join()
            with self.lock:
                self.ends.discard(origin)
        return None

    def copy(self, source, sink):
        try:
            while part := source.recv(65536):
                sink.sendall(part)
        except OSError:
            pass
        self.shut(source)
        self.shut(sink)
