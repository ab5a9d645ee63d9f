"""What the judge of callback URLs takes, libcurl and Python read the same way.

The judge stands in the intake, and whoever connects is libcurl: where the two disagree
about the host, an allowed name can stand in front of a forbidden one. So both get the
same texts, among them the classics that confused real parsers, and whatever the judge
accepts must mean the same to all three."""

import ctypes
import random
import subprocess
import urllib.parse

import harness

TOOL = harness.TESTS + "/url"
DEFAULT_PORT = 1 << 0  # CURLU_DEFAULT_PORT
PARTS = {"scheme": 1, "user": 2, "password": 3, "host": 5, "port": 6, "path": 7, "query": 8,
         "fragment": 9, "zoneid": 10}

CONFUSING = [
    "http://a@b", "http://allowed:80@evil", "http://allowed\\@evil", "http://evil#@allowed",
    "http://allowed#@evil", "http://allowed?@evil", "http://evil/@allowed", "http:///x", "http:/x",
    "http://[::1", "//x", "http://a:80:90", "http://a:80@b:90/", "http://[::1]@evil/",
    "http://127.0.0.1\t/", "\thttp://a/", "http://a\n.b/", "http://a\x0b/", "http://a b/",
    "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/",
    "http://127.0.0.1./", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]:80/",
    "http://%31%32%37.0.0.1/", "http://ⓔvil/", "http://127。0。0。1/", "http://a:0/",
    "http://a:65536/", "http://a:/", "http://a:080/", "http://0/", "http://a/../b", "http://a/%2e%2e/b",
    "HTTP://A.b/", "hTTps://A:443/?q", "http://a.example?x=y", "http://[2001:DB8::0:1]/",
    "http://[fe80::1%25eth0]/", "http://1.example/", "http://0x7f.example", "file:///etc/passwd",
    "http://a;b/", "http://a,b/", "http://a&b/", "http://a_b:1/", "http://-a/", "http://a-/",
    "http://xn--bcher-kva.example/", "http://localhost:8080//x", "http://a/b@c:d", "http://a/?b#c",
]


class Curl:
    """The library that sends callbacks, asked how it understands a URL."""

    def __init__(self):
        self.lib = ctypes.CDLL("libcurl-gnutls.so.4")
        self.lib.curl_url.restype = ctypes.c_void_p
        self.lib.curl_url_cleanup.argtypes = [ctypes.c_void_p]
        self.lib.curl_url_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p,
                                          ctypes.c_uint]
        self.lib.curl_url_get.argtypes = [ctypes.c_void_p, ctypes.c_int,
                                          ctypes.POINTER(ctypes.c_void_p), ctypes.c_uint]
        self.lib.curl_free.argtypes = [ctypes.c_void_p]

    def read(self, text):
        handle = self.lib.curl_url()
        try:
            assert self.lib.curl_url_set(handle, 0, text.encode(), 0) == 0, f"libcurl refuses {text}"
            return {name: self.part(handle, number) for name, number in PARTS.items()}
        finally:
            self.lib.curl_url_cleanup(handle)

    def part(self, handle, number):
        found = ctypes.c_void_p()
        if self.lib.curl_url_get(handle, number, ctypes.byref(found), DEFAULT_PORT) != 0:
            return None
        value = ctypes.string_at(found).decode()
        self.lib.curl_free(found)
        return value


def judge(texts):
    """text -> (host:port, what is stored) of those that are taken."""
    taken = {}
    for at in range(0, len(texts), 200):
        part = texts[at:at + 200]
        lines = subprocess.run([TOOL, *part], check=True, capture_output=True).stdout
        lines = lines.decode().splitlines()
        assert len(lines) == len(part)
        for text, line in zip(part, lines):
            key, _, rest = line.partition(" ")
            if key != "-":
                taken[text] = (key, rest)
    return taken


def compare(taken):
    curl = Curl()
    for text, (key, written) in taken.items():
        host, _, port = key.rpartition(":")
        # What came, and what is stored and called in its stead.
        for one in (text, written):
            seen = curl.read(one)
            if one == written or "[" not in host:  # which has many forms
                assert seen["host"].lower() == host, (text, one, seen)
            assert seen["port"] == port, (text, one, seen)
            assert [seen[name] for name in ("user", "password", "fragment", "zoneid")] == [None] * 4
        parts = urllib.parse.urlsplit(written)
        seen = curl.read(written)
        default = {"http": 80, "https": 443}[parts.scheme]
        assert parts.hostname == host.strip("[]") and (parts.port or default) == int(port), text
        assert parts.username is None and parts.password is None and parts.fragment == "", text
        assert (seen["scheme"], seen["path"], seen["query"] or "") == (
            parts.scheme, parts.path, parts.query), text


def test_the_classics_are_refused_or_read_alike():
    taken = judge(CONFUSING)
    compare(taken)
    assert "http://[::ffff:7f00:1]:80/" in taken and "http://a_b:1/" in taken
    for text in CONFUSING[:6]:
        assert (text in taken) == ("?" in text or "/@" in text), text


def test_whatever_is_taken_is_read_alike():
    """Texts glued from pieces that parsers quarrel about, and one character changed."""
    pieces = ["http", "https", "HTTP", ":", "//", "/", "\\", "@", "#", "?", "[", "]", "::1", "%",
              "%2e", "%40", "%00", ".", "..", "-", "_", "a", "B", "evil.example", "allowed", "127",
              "127.0.0.1", "0x7f", "0177", "2130706433", "80", "443", "0", "65536", " ", "\t", "\r",
              "é", "。", "xn--a", "&", ";", ",", "=", "|", "^", "`", "{", "\"", "[::1]", "[::ffff:1.2.3.4]"]
    dice = random.Random(20261121)
    texts = []
    for _ in range(6000):
        glued = "".join(dice.choice(pieces) for _ in range(dice.randint(1, 7)))
        texts.append(dice.choice(("http://", "https://", "http://", "")) + glued)
    for _ in range(4000):
        text = list(dice.choice(CONFUSING))
        text[dice.randrange(len(text))] = dice.choice(pieces)
        texts.append("".join(text))
    taken = judge(texts)
    assert len(taken) > 300, "too few to say anything"
    compare(taken)
