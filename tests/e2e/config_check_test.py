# SPDX-License-Identifier: Apache-2.0
"""`belfry config check` on provider sections, credentials, certificates and folders that cannot work: each has a finding that says where and what to
do."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["BELFRY_BUILD"])
SECRET, SUBJECT = 'client_secret = "x"', 'subject = "mailto:ops@example.org"'
KEY = 'key = { file = "apple.p8" }\nkey_id = "ABCDE12345"\nteam_id = "TEAM123456"'
# plugin, section, words of its finding behind "[providers.NAME]"; none: it is good.
CASES = (
    ("hms", f'app_id = "1"\n{SECRET}', None),
    ("hms", "", "/client_secret: missing: AppGallery Connect"),
    ("hms", SECRET, "/app_id: missing: v1 names the app by it"),
    ("hms", f"app_id = 1\n{SECRET}", "/app_id: must be of type string (The app's id"),
    ("hms", f'app_id = "1/2"\n{SECRET}', "/app_id: does not match the pattern"),
    ("hms", f'app_id = ""\n{SECRET}', "/app_id: must not be empty (The app's id"),
    ("hms", f'generation = "v4"\napp_id = "1"\n{SECRET}', '/generation: must be one of "v1", "v2", "v3" (Of the send API'),
    ("hms", f'generation = "v2"\nclient_id = "1"\n{SECRET}', "/project_id: missing: v2 names the project by it"),
    ("hms", f'generation = "v2"\nproject_id = "1"\n{SECRET}', "/client_id: missing: the client_secret belongs to it"),
    ("hms", 'generation = "v3"', "/service_account: missing: v3 knows only"),
    ("hms", f'generation = "v3"\n{SECRET}', "/service_account: missing: v3 knows only"),
    ("hms", f'app_id = "1"\n{SECRET}\nservice_account = "{{}}"', "/service_account: give either"),
    ("hms", f'app_id = "1"\n{SECRET}\nendpoint = "http://x"', "/endpoint: does not match the pattern"),
    ("hms", f'app_id = "1"\n{SECRET}\nendpoint = "https://x/y"', "(Where messages are sent)"),
    ("hms", f'app_id = "1"\n{SECRET}\ntoken_endpoint = "oauth"', "(Where access tokens are fetched)"),
    ("hms", f'app_id = "1"\n{SECRET}\ntoken_endpoint = "https:///x"', "/token_endpoint: must be https://host"),
    ("hms", f'app_id = "1"\n{SECRET}\nap_id = "2"', '/ap_id: is not a known key; did you mean "app_id"?'),
    ("hms", f'app_id = "1"\n{SECRET}\nrate = {{ per_minut = 5 }}', '/rate/per_minut: is not a known key; did you mean "per_minute"?'),
    ("webpush", SUBJECT, None),
    ("webpush", "", 'the key "subject" is missing; add it (Whom push services may ask'),
    ("webpush", 'subject = "ops@example.org"', "/subject: does not match the pattern"),
    ("webpush", 'subject = "mailto: a@example.org"', "/subject: must be mailto:name@host"),
    ("webpush", 'subject = "mailto:a@localhost"', "with a real host"),
    ("webpush", 'subject = "mailto:<a@example.org>"', "/subject: must be"),
    ("webpush", 'subject = "https://"', "/subject: must be"),
    ("webpush", "subject = 5", "/subject: must be of type string"),
    ("webpush", f'{SUBJECT}\nvapid_public_key = "abc"', "/vapid_public_key: is shorter than 87 characters"),
    ("webpush", f'{SUBJECT}\nvapid_public_key = "{"B" * 87}"', "/vapid_public_key: give vapid_private_key, too"),
    ("webpush", f'{SUBJECT}\nvapid_private_key = "x"\nvapid_public_key = "{"!" * 87}"', "/vapid_public_key: is no base64url"),
    ("webpush", f'{SUBJECT}\nvapid_previous_keys = "x"', "/vapid_previous_keys: must be of type array"),
    ("webpush", f'{SUBJECT}\nextra_allowed_origins = ["http://x"]', '/extra_allowed_origins: "http://x" is not a host'),
    ("webpush", f'{SUBJECT}\nallowed_origins = ["*push.apple.com"]', "/allowed_origins: "),
    ("webpush", f'{SUBJECT}\nallowed_origins = "*"', "/allowed_origins: must be of type array"),
    ("webpush", f'{SUBJECT}\nallowed_origins = ["a b"]', '/allowed_origins: "a b" is not a host'),
    ("webpush", f'{SUBJECT}\nextra_allowed_origins = ["h:99999"]', "/extra_allowed_origins: "),
    ("webpush", f"{SUBJECT}\nallowed_origins = []", "/allowed_origins: is empty"),
    ("webpush", f"{SUBJECT}\nallow_private_network = true", 'did you mean "allow_private_networks"?'),
    ("webpush", f'{SUBJECT}\nallow_private_networks = "yes"', "/allow_private_networks: must be of type boolean"),
    ("fcm", 'credentials = { file = "google.json" }', None),
    ("fcm", "", 'the key "credentials" is missing; add it (The service account'),
    ("fcm", 'credentails = "x"', 'did you mean "credentials"?'),
    ("fcm", 'credentials = "{}"\nproject_id = "My Project"', "/project_id: does not match the pattern"),
    ("fcm", 'credentials = "{}"\nproject_id = ""', "/project_id: must not be empty (The project to send for"),
    ("fcm", 'credentials = "{}"\nendpoint = "http://x"', "/endpoint: does not match"),
    ("fcm", 'credentials = "{}"\nendpoint = "https://x/v1"', "/endpoint: does not match"),
    ("fcm", 'credentials = "{}"\nendpoint = "https://u@x"', "/endpoint: must be https://host"),
    ("fcm", 'credentials = "{}"\ntoken_endpoint = "https://a b"', "/token_endpoint: does not match"),
    ("fcm", 'credentials = "{}"\nscope = ""', "/scope: must not be empty"),
    ("apns", KEY, None),
    ("apns", "", "/key: give either key"),
    ("apns", 'key = "x"', "/key_id: missing"),
    ("apns", 'key = "x"\nkey_id = "ABCDE12345"', "/team_id: missing"),
    ("apns", 'key = "x"\ncertificate = "y"', "/key: give either key"),
    ("apns", KEY.replace("ABCDE12345", "abc"), "/key_id: does not match"),
    ("apns", f'{KEY}\nenvironment = "dev"', '/environment: must be one of "production", "sandbox", "both"'),
    ("apns", f'{KEY}\ntopic = "com example"', "/topic: does not match"),
    ("apns", f"{KEY}\nserver_error_retry_s = 0", "/server_error_retry_s: must be at least 1"),
)
CREDENTIALS = {
    "fcm": "credentials = {{ file = '{}' }}",
    "apns": KEY.replace("{", "{{").replace("}", "}}").replace("apple.p8", "{}"),
    "apns certificate": "certificate = {{ file = '{}' }}",
    "hms v3": "generation = 'v3'\nservice_account = {{ file = '{}' }}",
    "hms": "app_id = '1'\nclient_secret = {{ file = '{}' }}",
    "webpush": SUBJECT + "\nvapid_private_key = {{ file = '{}' }}",
}
# What is given where something else belongs, and what is said of it; none: it is what belongs there.
KINDS = (
    ("fcm", "huawei.json", '/credentials: is no service account\'s key file (its type is ""); create one in Firebase'),
    ("fcm", "apple.p8", "/credentials: is not a JSON key file; create one in Firebase"),
    ("fcm", "secret.txt", "/credentials: is not a JSON key file"),
    ("fcm", "none", "p{}.credentials: cannot read the secret's file"),
    ("apns", "google.json", "/key: no PEM private key without passphrase: unsupported; is it the .p8 file of Apple Developer, Keys?"),
    ("apns", "rsa.pem", "/key: ES256 needs an EC key on P-256; is it the .p8"),
    ("apns certificate", "apple.p8", "/certificate: there is no certificate of the private key in it; give a .p12"),
    ("apns certificate", "google.json", "/certificate: no private key that the password opens"),
    ("hms v3", "huawei.json", None),
    ("hms v3", "google.json", "/service_account.sub_account: missing: download the key file of Huawei's service account"),
    ("hms v3", "secret.txt", "/service_account: is not a JSON key file; create one for a service account in AppGallery Connect"),
    ("hms v3", "apple.p8", "/service_account: is not a JSON key file"),
    ("hms", "secret.txt", None),
    ("hms", "huawei.json", "/client_secret: is a key file, no OAuth client's secret"),
    ("hms", "rsa.pem", "/client_secret: is a key file"),
    ("webpush", "apple.p8", None),  # a key on P-256, which may be anybody's
    ("webpush", "rsa.pem", "/vapid_private_key: must be an EC key on P-256"),
    ("webpush", "google.json", "/vapid_private_key: "),
)
TLS = (
    ("cert.pem", "key.pem", ""),
    ("none", "key.pem", "http.tls.cert: {}/none is no PEM certificate that can be read, the server's own first (No such file or directory)"),
    ("google.json", "key.pem", "http.tls.cert: {}/google.json is no PEM certificate that can be read, the server's own first (no start line)"),
    ("cert.pem", "none", "http.tls.key: {}/none is no PEM key without a password, of this certificate (No such file or directory)"),
    ("cert.pem", "apple.p8", "http.tls.key: {}/apple.p8 is no PEM key without a password, of this certificate (key values mismatch)"),
    ("cert.pem", "rsa.pem", "http.tls.key: {}/rsa.pem is no key of the kind that the certificate has"),
    ("over.pem", "key.pem", "http.tls.cert: {}/over.pem has expired on 20"),
)


def write_credentials(folder):
    """Google's and Huawei's service accounts, Apple's key, an RSA key, an OAuth secret; a server's certificate, its key, and one that is over."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa.pem")
    for key in ("apple.p8", "key.pem"):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    openssl("req", "-new", "-key", "key.pem", "-subj", "/CN=x", "-out", "request")
    for cert, days in (("cert.pem", "2"), ("over.pem", "-1")):
        openssl("x509", "-req", "-in", "request", "-signkey", "key.pem", "-days", days, "-out", cert)
    rsa = (folder / "rsa.pem").read_text()
    (folder / "google.json").write_text(json.dumps({"type": "service_account", "project_id": "p", "client_email": "a@b", "private_key": rsa}))
    (folder / "huawei.json").write_text(json.dumps({"project_id": "1", "key_id": "k", "sub_account": "s", "private_key": rsa}))
    (folder / "secret.txt").write_text("5d0f3c\n")


def check(file, folder=None, arguments=()):
    """What `config check` says of a file."""
    ran = subprocess.run([BUILD / "host/belfry", "config", "check", "--config", file, *arguments], cwd=folder, capture_output=True, text=True, timeout=60,
                         check=False)
    return ran.returncode, ran.stdout + ran.stderr


class ConfigCheck(unittest.TestCase):
    def test_each_wrong_section_has_its_finding(self):
        with tempfile.TemporaryDirectory() as folder:
            text = f'plugin_dirs = ["{BUILD / "plugins"}"]\ndata_dir = "data"\ndev = true\n[api]\nkeys = [{{ name = "k", key = "{"k" * 32}" }}]\n'
            for number, (plugin, section, _) in enumerate(CASES):
                text += f'[providers.p{number}]\nplugin = "{plugin}"\n{section}\n'
            first = {plugin: number for number, (plugin, _, _) in reversed(list(enumerate(CASES)))}
            text += "[apps.default]\nproviders = { " + ", ".join(f'{plugin} = "p{number}"' for plugin, number in first.items()) + " }\n"
            file = pathlib.Path(folder) / "belfry.toml"
            file.write_text(text)
            write_credentials(file.parent)
            code, said = check(file)
            self.assertEqual(code, 1, said)
            self.assertFalse((file.parent / "data").exists(), "nothing is made")
        findings = dict(re.findall(r"\[providers\.p(\d+)\](.*)", said))
        for number, (plugin, section, words) in enumerate(CASES):
            with self.subTest(plugin=plugin, section=section):
                said = findings.get(str(number))
                if words is None:
                    self.assertIsNone(said)
                else:
                    self.assertIn(words, said or "no finding")

    def test_a_credential_of_the_wrong_kind_is_named(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write_credentials(folder)
            text = f'plugin_dirs = ["{BUILD / "plugins"}"]\ndev = true\n[api]\nkeys = [{{ name = "k", key = "{"k" * 32}" }}]\n'
            for number, (kind, file, _) in enumerate(KINDS):
                text += f'[providers.p{number}]\nplugin = "{kind.split()[0]}"\n{CREDENTIALS[kind].format(file)}\n'
            text += "[apps.default]\nproviders = { fcm = \"p0\" }\n"
            (folder / "belfry.toml").write_text(text)
            code, said = check(folder / "belfry.toml")
        self.assertEqual(code, 1, said)
        lines = said.splitlines()
        for number, (kind, file, words) in enumerate(KINDS):
            with self.subTest(kind=kind, file=file):
                about = [line for line in lines if re.search(rf"providers\.p{number}\b", line)]
                self.assertEqual(len(about), 0 if words is None else 1, about)
                if words:
                    self.assertIn(words.format(number), about[0])
        self.assertEqual(len(lines), sum(words is not None for _, _, words in KINDS), said)

    def test_files_of_http_tls_are_read_as_the_server_would(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name).resolve()
            write_credentials(folder)
            file = folder / "belfry.toml"
            for cert, key, words in TLS:
                with self.subTest(cert=cert, key=key):
                    file.write_text(f'plugin_dirs = ["{BUILD / "plugins"}"]\ndev = true\n[http]\ntls = {{ cert = "{cert}", key = "{key}" }}\n'
                                    f'[api]\nkeys = [{{ name = "k", key = "{"k" * 32}" }}]\n')
                    code, said = check(file)
                    self.assertEqual(code, 1 if words else 0, said)
                    self.assertTrue(said.startswith(f"{file}: " + words.format(folder)), said)
                    self.assertEqual(len(said.splitlines()), 1, said)
            file.write_text(file.read_text().replace("[http]\n", '[http]\nlisten = "unix:/run/belfry/api.sock"\n'))
            self.assertIn("http.tls has no use on a unix socket; remove it", check(file)[1])

    def test_a_data_dir_that_cannot_be_made_is_named(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name).resolve()
            (folder / "file").write_text("")
            file = folder / "belfry.toml"
            file.write_text(f'plugin_dirs = ["{BUILD / "plugins"}"]\ndata_dir = "file/data"\ndev = true\n'
                            f'[api]\nkeys = [{{ name = "k", key = "{"k" * 32}" }}]\n')
            why = f"{folder}/file/data: cannot be made: Not a directory; choose another data_dir"
            self.assertEqual(check(file), (1, f"{file}: {why}\n"))
            served = subprocess.run([BUILD / "host/belfry", "serve", "--config", file], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((served.returncode, served.stderr.splitlines()[-1]), (1, f"belfry: {why}"))

    def test_a_plugin_that_falls_over_its_section_takes_no_other_finding_with_it(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "belfry.toml")
            file.write_text(f'plugin_dirs = ["{BUILD / "plugins"}", "{BUILD / "tests/e2e/plugins"}"]\ndata_dir = "data"\ndev = true\n'
                            f'[api]\nkeys = [{{ name = "k", key = "{"k" * 32}" }}]\n'
                            '[providers.a]\nplugin = "fragile"\nfile = "abort"\n[providers.b]\nplugin = "fragile"\nfile = "exit"\n'
                            '[providers.c]\nplugin = "fragile"\nfile = "fine"\n[providers.webpush]\nsubject = "mailto:a@localhost"\n'
                            '[apps.default]\nproviders = { fragile = "a" }\n')
            ran = subprocess.run([BUILD / "host/belfry", "config", "check", "--config", file], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(ran.returncode, 1, ran)
        for words in ('[providers.a]: plugin "fragile" crashed (SIGABRT) over this section', "[providers.b]: plugin \"fragile\" ended the process (exit code 7)",
                      "with a real host"):
            self.assertIn(words, ran.stderr)
        self.assertNotIn("[providers.c]", ran.stderr)

    def test_temporary_files_need_not_be_executable(self):
        """The usual hardening: /tmp is mounted noexec. The private copies lie in data_dir then, as the server's own."""
        with tempfile.TemporaryDirectory(prefix="belfry-check-") as folder:
            file, temporary = pathlib.Path(folder, "belfry.toml"), pathlib.Path(folder, "tmp")
            temporary.mkdir()
            file.write_text(f'plugin_dirs = ["{BUILD.resolve() / "plugins"}"]\ndev = true\n[api]\nkeys = [{{ name = "k", key = "{"k" * 32}" }}]\n'
                            f'[providers.webpush]\n{SUBJECT}\n')
            script = 'mount -t tmpfs -o noexec belfry "$2" && TMPDIR="$2" exec "$0" config check --config "$1"'
            check = ["unshare", "--mount", "--map-root-user", "bash", "-c", script, BUILD.resolve() / "host/belfry", file, temporary]
            ran = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(ran.returncode, 1)
            self.assertIn("lies on a file system mounted noexec; mount that without noexec", ran.stdout + ran.stderr)
            data = pathlib.Path(folder, "belfry-data")
            data.mkdir()
            file.write_text(f'data_dir = "{data}"\n' + file.read_text())
            ran = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
            self.assertEqual(list(data.iterdir()), [], "nothing is left")


if __name__ == "__main__":
    unittest.main()
