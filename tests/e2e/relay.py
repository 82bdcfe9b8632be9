# SPDX-License-Identifier: Apache-2.0
"""A wire that can be cut: TCP to a port of the loopback, by way of another one. While it is cut bytes go nowhere and
nobody is told, as behind a switch that lost its power."""
import selectors
import socket
import threading

PIECE = 65536


class Relay:
    def __init__(self, port):
        """To `port`; the way leads through `self.port`."""
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.cut = threading.Event()
        self.ends = threading.Event()
        self.peer = {}
        self.ready = selectors.DefaultSelector()
        self.ready.register(self.listener, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def stop(self):
        self.ends.set()
        self.thread.join()
        for one in [*self.peer, self.listener]:
            one.close()

    def run(self):
        while not self.ends.is_set():
            if self.cut.is_set():
                self.ends.wait(0.02)
                continue
            for key, _ in self.ready.select(0.05):
                if self.cut.is_set():
                    break
                if key.fileobj is self.listener:
                    self.take_in()
                elif key.fileobj in self.peer:
                    self.pass_on(key.fileobj)

    def take_in(self):
        client, _ = self.listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peer[one] = other
            self.ready.register(one, selectors.EVENT_READ)

    def pass_on(self, source):
        try:
            piece = source.recv(PIECE)
            if piece:
                self.peer[source].sendall(piece)
                return
        except OSError:
            pass
        for one in (source, self.peer[source]):
            self.ready.unregister(one)
            del self.peer[one]
            one.close()
