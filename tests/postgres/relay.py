# SPDX-License-Identifier: Apache-2.0
"""A relay in front of PostgreSQL whose wire can be cut like a network's: bytes are swallowed in both directions and nobody is told."""
import select
import socket
import threading


class Relay:
    def __init__(self, port):
        self.server = port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.cut, self.ended = threading.Event(), threading.Event()
        self.threads = []
        self.run(self.accept)

    def run(self, work, *arguments):
        thread = threading.Thread(target=work, args=arguments)
        self.threads.append(thread)
        thread.start()

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        self.listener.close()

    def ready(self, ends):
        return select.select(ends, [], [], 0.05)[0]

    def accept(self):
        while not self.ended.is_set():
            if self.ready([self.listener]):
                self.run(self.pass_on, self.listener.accept()[0])

    def pass_on(self, client):
        with client, socket.create_connection(("127.0.0.1", self.server)) as server:
            while not self.ended.is_set():
                if self.cut.is_set():
                    self.ended.wait(0.05)
                    continue
                for end in self.ready([client, server]):
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    (server if end is client else client).sendall(data)
