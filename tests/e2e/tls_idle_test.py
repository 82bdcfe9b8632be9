# SPDX-License-Identifier: Apache-2.0
"""Ten thousand idle TLS clients: what each costs the server, and that a new one is still served."""
import pathlib
import resource
import ssl
import time
import unittest

import tls_test

CLIENTS = 9_900  # the server ends the longest idle ones from 10,000 on
KIB_PER_CLIENT = 48


class TlsIdle(tls_test.OverTls):
    http_extra = "idle_timeout_s = 3600\n"

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    def test_ten_thousand_idle_clients_are_cheap_and_keep_nobody_out(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < CLIENTS + 1000:
            self.skipTest(f"needs {CLIENTS + 1000} open files, the limit is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        context, clients = ssl.create_default_context(), []
        self.connect(context).close()
        before = self.resident_kib()
        try:
            for _ in range(CLIENTS):
                clients.append(self.connect(context))
            each = (self.resident_kib() - before) / CLIENTS
            print(f"{each:.1f} KiB of the server's memory per idle client", flush=True)
            self.assertLess(each, KIB_PER_CLIENT)
            began = time.monotonic()
            with self.connect(context) as fresh:
                fresh.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(fresh.recv(100).startswith(b"HTTP/1.1 200"))
            self.assertLess(time.monotonic() - began, 10)
            for client in (clients[0], clients[CLIENTS // 2], clients[-1]):
                client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200"), "an idle one is there still")
        finally:
            for client in clients:
                client.close()


if __name__ == "__main__":
    unittest.main()
