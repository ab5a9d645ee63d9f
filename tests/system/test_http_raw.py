"""Hand-made bytes on a socket: what the request gate lets through and what it does not.

Each row is one request and its verdict. Two promises are behind every row: no answer is a
5xx (but for 505, which is about the client's version), and nothing hangs: the server
answers or closes. Requests that two parsers could read differently must end the
connection, so that no second request hides behind the first.
"""

import contextlib
import json
import re
import socket

import pytest

from intake import server  # noqa: F401  (a fixture)

OK, CREATED = 200, 201
BAD, UNAUTHENTICATED, DENIED, MISSING, METHOD = 400, 401, 403, 404, 405
LARGE, MEDIA, INVALID, MISDIRECTED, HEADERS = 413, 415, 422, 421, 431
VERSION = 505
CLOSED = 0  # closed without an answer

H = b"Host: {host}\r\n"
A = b"Authorization: Bearer {token}\r\n"
J = b"Content-Type: application/json\r\n"
END = b"Connection: close\r\n\r\n"
LIVE = b"GET /healthz/live HTTP/1.1\r\n"
WHO = b"GET /v1/whoami HTTP/1.1\r\n"
POST = b"POST /v1/jobs?dry_run=1 HTTP/1.1\r\n"
JOB = b'{"command":"true"}'
SEARCH = b"/v1/jobs/aaaaaaaa/output/search"
LEN = b"Content-Length: %d\r\n" % len(JOB)


def get(target, *headers):
    return b"GET " + target + b" HTTP/1.1\r\n" + H + A + b"".join(headers) + END


def post(*headers, body=JOB, length=True):
    head = POST + H + A + b"".join(headers)
    if length:
        head += b"Content-Length: %d\r\n" % len(body)
    return head + END + body


def chunked(body, *headers):
    return (POST + H + A + J + b"Transfer-Encoding: chunked\r\n" + b"".join(headers)
            + END + body)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n"

# name, bytes, the verdicts that are right
CASES = [
    # --- plain ones, so that a gate that refuses everything is seen
    ("live", LIVE + H + END, OK),
    ("live without a token", LIVE + H + END, OK),
    ("whoami", WHO + H + A + END, OK),
    ("HEAD", b"HEAD /v1/whoami HTTP/1.1\r\n" + H + A + END, OK),
    ("HTTP/1.0", b"GET /v1/whoami HTTP/1.0\r\n" + H + A + b"\r\n", OK),
    ("localhost", LIVE + b"Host: localhost:{port}\r\n" + END, OK),
    ("Host in capitals", LIVE + b"HOST: LOCALHOST:{port}\r\n" + END, OK),
    ("dry run", post(J), OK),
    ("charset", post(b"Content-Type: application/json; charset=utf-8\r\n"), OK),
    ("charset quoted", post(b'Content-Type: application/json;charset="UTF-8"\r\n'), OK),
    ("content type in capitals", post(b"Content-Type: APPLICATION/JSON\r\n"), OK),
    ("chunks", chunked(b"9\r\n" + JOB[:9] + b"\r\n9\r\n" + JOB[9:] + b"\r\n0\r\n\r\n"), OK),
    ("chunk extension", chunked(b"12;a=b\r\n" + JOB + b"\r\n0\r\n\r\n"), (OK, BAD)),
    ("chunk trailer", chunked(b"12\r\n" + JOB + b"\r\n0\r\nX-A: b\r\n\r\n"), OK),
    ("chunk size with zeros", chunked(b"0012\r\n" + JOB + b"\r\n0\r\n\r\n"), (OK, BAD)),
    ("same origin", post(J, b"Origin: http://{host}\r\n"), OK),
    ("Sec-Fetch-Site same-origin", post(J, b"Sec-Fetch-Site: same-origin\r\n"), OK),
    ("Expect", post(J, b"Expect: 100-continue\r\n"), OK),
    ("query with escapes", get(b"/v1/jobs?owner=uid%3A0"), OK),
    ("escaped letter in a segment", get(b"/v1/whoam%69"), OK),
    ("empty query", get(b"/v1/whoami?"), OK),
    ("empty parameters", get(b"/v1/whoami?&&"), OK),
    ("other methods of HTTP", b"PUT /v1/jobs/aaaaaaaa HTTP/1.1\r\n" + H + A + END, METHOD),
    # --- lengths: two readers must not cut the bytes differently
    ("two Content-Lengths", post(J, LEN), BAD),
    ("two different Content-Lengths", post(J, b"Content-Length: 3\r\n"), BAD),
    ("Content-Length list", POST + H + A + J + b"Content-Length: 18, 18\r\n" + END + JOB, BAD),
    ("Content-Length and chunked", POST + H + A + J + LEN + b"Transfer-Encoding: chunked\r\n"
     + END + b"0\r\n\r\n" + SMUGGLED, BAD),
    ("chunked and Content-Length", POST + H + A + J + b"Transfer-Encoding: chunked\r\n" + LEN
     + END + b"0\r\n\r\n" + SMUGGLED, BAD),
    ("Content-Length +18", POST + H + A + J + b"Content-Length: +18\r\n" + END + JOB, BAD),
    ("Content-Length -1", POST + H + A + J + b"Content-Length: -1\r\n" + END + JOB, BAD),
    ("Content-Length 0x12", POST + H + A + J + b"Content-Length: 0x12\r\n" + END + JOB, BAD),
    ("Content-Length 18 18", POST + H + A + J + b"Content-Length: 18 18\r\n" + END + JOB, BAD),
    ("Content-Length 18a", POST + H + A + J + b"Content-Length: 18a\r\n" + END + JOB, BAD),
    ("Content-Length empty", POST + H + A + J + b"Content-Length:\r\n" + END + JOB, BAD),
    ("Content-Length over 64 bits", POST + H + A + J + b"Content-Length: 99999999999999999999\r\n"
     + END + JOB, (BAD, LARGE)),
    ("Content-Length over the limit", POST + H + A + J + b"Content-Length: 99999999\r\n" + END
     + JOB, LARGE),
    ("name with a blank before the colon", POST + H + A + J + b"Content-Length : 18\r\n" + END
     + JOB, BAD),
    ("Transfer-Encoding with a blank before the colon", POST + H + A + J + LEN
     + b"Transfer-Encoding : chunked\r\n" + END + JOB, BAD),
    ("Transfer-Encoding gzip", POST + H + A + J + b"Transfer-Encoding: gzip\r\n" + END + JOB, BAD),
    ("Transfer-Encoding gzip, chunked", POST + H + A + J + b"Transfer-Encoding: gzip, chunked\r\n"
     + END + JOB, BAD),
    ("Transfer-Encoding chunked, chunked", POST + H + A + J
     + b"Transfer-Encoding: chunked, chunked\r\n" + END + b"0\r\n\r\n", BAD),
    ("Transfer-Encoding identity", POST + H + A + J + LEN + b"Transfer-Encoding: identity\r\n"
     + END + JOB, BAD),
    ("Transfer-Encoding xchunked", POST + H + A + J + b"Transfer-Encoding: xchunked\r\n" + END
     + b"0\r\n\r\n", BAD),
    ("Transfer-Encoding in quotes", POST + H + A + J + b'Transfer-Encoding: "chunked"\r\n' + END
     + b"0\r\n\r\n", BAD),
    ("Transfer-Encoding twice", POST + H + A + J + b"Transfer-Encoding: chunked\r\n" * 2 + END
     + b"0\r\n\r\n", BAD),
    ("Transfer-Encoding empty", POST + H + A + J + b"Transfer-Encoding:\r\n" + END + JOB, BAD),
    ("chunk size no number", chunked(b"zz\r\n" + JOB + b"\r\n0\r\n\r\n"), (BAD, CLOSED)),
    ("chunk size negative", chunked(b"-1\r\n" + JOB + b"\r\n0\r\n\r\n"), (BAD, CLOSED)),
    ("chunk size huge", chunked(b"ffffffffffffffffff\r\n" + JOB), (BAD, LARGE, CLOSED)),
    ("chunk size with 0x", chunked(b"0x12\r\n" + JOB + b"\r\n0\r\n\r\n"), (BAD, CLOSED)),
    ("chunk size with a plus", chunked(b"+12\r\n" + JOB + b"\r\n0\r\n\r\n"), (BAD, CLOSED)),
    ("chunk without its end", chunked(b"12\r\n" + JOB + b"XX0\r\n\r\n"), (BAD, CLOSED)),
    ("chunk too short", chunked(b"3\r\n" + JOB + b"\r\n0\r\n\r\n"), (BAD, CLOSED)),
    ("empty chunk size", chunked(b"\r\n" + JOB + b"\r\n0\r\n\r\n"), (BAD, CLOSED)),
    ("body of a GET", WHO + H + A + b"Content-Length: 18\r\n" + END + JOB, BAD),
    ("chunked body of a GET", WHO + H + A + b"Transfer-Encoding: chunked\r\n" + END
     + b"0\r\n\r\n", BAD),
    ("GET with a request as its body", LIVE + H + b"Content-Length: %d\r\n" % len(SMUGGLED) + END
     + SMUGGLED, BAD),
    ("POST without a length", POST + H + A + J + END, (BAD,)),
    # --- headers twice
    ("two Hosts", LIVE + H + H + END, BAD),
    ("two different Hosts", LIVE + H + b"Host: evil.example\r\n" + END, BAD),
    ("evil Host first", LIVE + b"Host: evil.example\r\n" + H + END, BAD),
    ("two Authorizations", WHO + H + A + A + END, BAD),
    ("wrong Authorization then right", WHO + H + b"Authorization: Bearer x\r\n" + A + END, BAD),
    ("two Content-Types", post(J, J), BAD),
    ("two different Content-Types", post(J, b"Content-Type: text/plain\r\n"), BAD),
    ("two Origins", post(J, b"Origin: http://{host}\r\n" * 2), BAD),
    ("two Security-Tokens", post(J, b"Security-Token: a\r\n" * 2), BAD),
    ("two Idempotency-Keys", post(J, b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n"), BAD),
    ("two Ranges", get(b"/v1/jobs/aaaaaaaa/output", b"Range: bytes=0-1\r\n" * 2), BAD),
    # --- Host
    ("no Host", LIVE + END, BAD),
    ("no Host in 1.0", b"GET /healthz/live HTTP/1.0\r\n\r\n", BAD),
    ("empty Host", LIVE + b"Host:\r\n" + END, BAD),
    ("foreign Host", LIVE + b"Host: evil.example\r\n" + END, MISDIRECTED),
    ("foreign Host with our port", LIVE + b"Host: evil.example:{port}\r\n" + END, MISDIRECTED),
    ("our Host without the port", LIVE + b"Host: 127.0.0.1\r\n" + END, MISDIRECTED),
    ("our Host, another port", LIVE + b"Host: 127.0.0.1:1\r\n" + END, MISDIRECTED),
    ("Host with a trailing dot", LIVE + b"Host: localhost.:{port}\r\n" + END, MISDIRECTED),
    ("Host with our name in front", LIVE + b"Host: localhost.evil.example:{port}\r\n" + END,
     MISDIRECTED),
    ("Host with a user", LIVE + b"Host: evil@127.0.0.1:{port}\r\n" + END, MISDIRECTED),
    ("Host as a number", LIVE + b"Host: 2130706433:{port}\r\n" + END, MISDIRECTED),
    ("another loopback address", LIVE + b"Host: 127.0.0.2:{port}\r\n" + END, MISDIRECTED),
    ("foreign Host and a token", WHO + b"Host: evil.example\r\n" + A + END, MISDIRECTED),
    # --- the target
    ("absolute form", b"GET http://{host}/healthz/live HTTP/1.1\r\n" + H + END, BAD),
    ("absolute form of another", b"GET http://evil.example/healthz/live HTTP/1.1\r\n" + H + END,
     BAD),
    ("authority form", b"CONNECT evil.example:443 HTTP/1.1\r\n" + H + END, BAD),
    ("asterisk form", b"OPTIONS * HTTP/1.1\r\n" + H + END, BAD),
    ("no slash", get(b"healthz/live"), BAD),
    ("%00 in the path", get(b"/v1/jobs/aaaaaaaa%00"), BAD),
    ("%00 in the query", get(b"/v1/jobs?owner=a%00b"), BAD),
    ("%2F in a segment", get(b"/v1%2Fwhoami"), BAD),
    ("%2f in an id", get(b"/v1/jobs/..%2f..%2fetc%2fpasswd"), BAD),
    ("%0a in the path", get(b"/v1/jobs/a%0ab"), BAD),
    ("%0d%0a in the query", get(b"/v1/jobs?owner=a%0d%0aX:%20y"), BAD),
    ("a tab in a value", get(b"/v1/jobs?owner=a%09b"), BAD),
    ("a tab in a value that may repeat", get(b"/v1/jobs?q=a%09b"), BAD),
    ("no UTF-8 in a value", get(b"/v1/jobs?owner=%ff"), BAD),
    ("no UTF-8 in an unknown parameter", get(b"/v1/jobs?color=%ff"), BAD),
    ("a tab in a name", get(b"/v1/jobs?own%09er=a"), BAD),
    ("a tab in the place of a search", get(SEARCH + b"?q=a&cursor=%09"), BAD),
    ("NUL in what is searched", get(SEARCH + b"?q=a%00"), BAD),
    ("newline in what is searched", get(SEARCH + b"?q=a%0ab"), BAD),
    ("what is searched in a path", get(b"/v1/jobs/aaaaaaaa%09/output/search?q=a"), BAD),
    ("what is searched twice", get(SEARCH + b"?q=%ff&q=%ff"), BAD),
    ("what is searched on another route", get(b"/v1/jobs/aaaaaaaa?q=%ff"), BAD),
    ("any byte may be searched", get(SEARCH + b"?q=%01%09%1b%0d%7f%ff%c0%af"), MISSING),
    ("%7f", get(b"/v1/jobs/%7f"), BAD),
    ("half an escape", get(b"/v1/jobs/%2"), BAD),
    ("an escape of no digits", get(b"/v1/jobs/%zz"), BAD),
    ("a lone percent", get(b"/v1/jobs?owner=%"), BAD),
    ("overlong UTF-8", get(b"/v1/jobs/%c0%af"), BAD),
    ("half a character", get(b"/v1/jobs/%e2%82"), BAD),
    ("a surrogate", get(b"/v1/jobs/%ed%a0%80"), BAD),
    ("raw bytes over 127", get(b"/v1/jobs/\xc3\xa4"), BAD),
    ("raw control character", get(b"/v1/jobs/\x01"), BAD),
    ("raw NUL", get(b"/v1/whoami\x00x"), (OK, BAD, CLOSED)),
    ("raw tab", get(b"/v1/whoami\tx"), (BAD, CLOSED)),
    ("backslash", get(b"/v1\\whoami"), BAD),
    ("quote", get(b'/v1/"whoami'), BAD),
    ("brackets", get(b"/v1/[whoami]"), BAD),
    ("braces", get(b"/v1/jobs/{{id}}"), BAD),
    ("caret and bar", get(b"/v1/who^a|mi"), BAD),
    ("fragment", get(b"/v1/whoami#x"), BAD),
    ("blank in the target", b"GET /v1/who ami HTTP/1.1\r\n" + H + A + END, (BAD, CLOSED)),
    ("dots", get(b"/v1/../v1/whoami"), MISSING),
    ("escaped dots", get(b"/v1/%2e%2e/v1/whoami"), MISSING),
    ("double slash", get(b"//v1/whoami"), MISSING),
    ("double slash inside", get(b"/v1//whoami"), MISSING),
    ("slash at the end", get(b"/v1/whoami/"), MISSING),
    ("path in capitals", get(b"/V1/whoami"), MISSING),
    ("root", get(b"/"), MISSING),
    ("deep", get(b"/a" * 50), MISSING),
    ("target over the limit", get(b"/v1/jobs?owner=" + b"a" * 9000), BAD),
    ("target over everything", get(b"/" + b"a" * 200000), (BAD, 414, 413, HEADERS, CLOSED)),
    ("many parameters", get(b"/v1/jobs?" + b"&".join(b"a%d=1" % i for i in range(100))), BAD),
    ("unknown parameter", get(b"/v1/jobs?color=red"), BAD),
    ("a parameter twice", get(b"/v1/jobs?limit=1&limit=2"), BAD),
    ("a parameter in capitals", get(b"/v1/jobs?LIMIT=1"), BAD),
    ("an escaped parameter twice", get(b"/v1/jobs?limit=1&l%69mit=2"), BAD),
    ("limit no number", get(b"/v1/jobs?limit=1x"), BAD),
    ("limit zero", get(b"/v1/jobs?limit=0"), BAD),
    ("limit too large", get(b"/v1/jobs?limit=501"), BAD),
    ("limit negative", get(b"/v1/jobs?limit=-1"), BAD),
    ("unknown state", get(b"/v1/jobs?state=done"), BAD),
    ("cursor of nobody", get(b"/v1/jobs?cursor=" + b"00" * 16), BAD),
    ("cursor no cursor", get(b"/v1/jobs?cursor=%27%20OR%201=1"), BAD),
    ("id that is SQL", get(b"/v1/jobs/'%20OR%201=1--"), MISSING),
    ("id with a wildcard", get(b"/v1/jobs/aaaa%25"), MISSING),
    ("wait no number", get(b"/v1/jobs/aaaaaaaa?wait=x"), BAD),
    ("wait too long", get(b"/v1/jobs/aaaaaaaa?wait=61"), BAD),
    ("wait negative", get(b"/v1/jobs/aaaaaaaa?wait=-1"), BAD),
    # --- lines
    ("bare LF", LIVE.replace(b"\r\n", b"\n") + H.replace(b"\r\n", b"\n") + b"Connection: close\n\n",
     (OK, BAD, CLOSED)),
    ("bare CR", b"GET /healthz/live HTTP/1.1\rHost: {host}\r\r\n\r\n", (BAD, CLOSED)),
    ("folded header", LIVE + H + b"X-A: b\r\n c\r\n" + END, (OK, BAD, CLOSED)),
    ("folded Content-Length", POST + H + A + J + b"Content-Length:\r\n 18\r\n" + END + JOB,
     (OK, BAD, CLOSED)),
    ("header begins with a blank", LIVE + b" X-A: b\r\n" + H + END, (BAD, CLOSED)),
    ("header without a colon", LIVE + H + b"nothing\r\n" + END, (BAD, CLOSED)),
    # The library takes a line without a name for the end of the headers; what follows is no
    # request line, so it ends the connection.
    ("header without a name", LIVE + H + b": x\r\n" + END, (OK, BAD, CLOSED)),
    # The library ends a text at NUL. What it drops stays part of the same line, so nothing
    # hides behind it.
    ("NUL in a header's value", LIVE + H + b"X-A: a\x00b\r\n" + END, (OK, BAD, CLOSED)),
    ("NUL in a header's name", LIVE + H + b"X\x00A: b\r\n" + END, (BAD, CLOSED)),
    ("NUL in Host", LIVE + b"Host: {host}\x00.evil.example\r\n" + END, (OK, BAD, CLOSED)),
    ("NUL in Authorization", WHO + H + b"Authorization: Bearer {half}\x00{token}\r\n" + END,
     (UNAUTHENTICATED, BAD, CLOSED)),
    ("control character in a value", LIVE + H + b"X-A: a\x01b\r\n" + END, BAD),
    ("DEL in a value", LIVE + H + b"X-A: a\x7fb\r\n" + END, BAD),
    ("brackets in a header's name", LIVE + H + b"X(A): b\r\n" + END, BAD),
    ("bytes over 127 in a name", LIVE + H + b"X\xc3\xa4: b\r\n" + END, BAD),
    ("empty line first", b"\r\n" + LIVE + H + END, (OK, BAD, CLOSED)),
    ("many headers", LIVE + H + b"X-A: b\r\n" * 300 + END, OK),
    ("headers over the limit", LIVE + H + b"X-A: " + b"b" * 40000 + b"\r\n" + END,
     (HEADERS, LARGE)),
    ("headers over everything", LIVE + H + b"X-A: " + b"b" * 400000 + b"\r\n" + END,
     (HEADERS, LARGE, CLOSED)),
    ("very many headers", LIVE + H + b"X: y\r\n" * 20000 + END, (HEADERS, LARGE, CLOSED)),
    # --- the request line
    ("HTTP/2.0", b"GET /healthz/live HTTP/2.0\r\n" + H + END, (VERSION, BAD, CLOSED)),
    ("HTTP/9.9", b"GET /healthz/live HTTP/9.9\r\n" + H + END, (VERSION, BAD, CLOSED)),
    ("HTTP/0.9", b"GET /healthz/live\r\n\r\n", (VERSION, BAD, CLOSED)),
    ("http in small letters", b"GET /healthz/live http/1.1\r\n" + H + END, (VERSION, BAD, CLOSED)),
    ("no version number", b"GET /healthz/live HTTP/\r\n" + H + END, (VERSION, BAD, CLOSED)),
    ("HTTP/1.1 and more", b"GET /healthz/live HTTP/1.1 x\r\n" + H + END, (VERSION, BAD, CLOSED)),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (VERSION, BAD, CLOSED)),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
     (BAD, CLOSED, VERSION)),
    ("garbage", b"\xff\xfe\xfd\r\n\r\n", (BAD, CLOSED, VERSION)),
    ("only a method", b"GET\r\n\r\n", (BAD, CLOSED, VERSION)),
    ("method in small letters", b"get /healthz/live HTTP/1.1\r\n" + H + A + END, METHOD),
    ("method of no standard", b"BREW /healthz/live HTTP/1.1\r\n" + H + A + END, METHOD),
    ("TRACE", b"TRACE /healthz/live HTTP/1.1\r\n" + H + A + END, METHOD),
    ("OPTIONS", b"OPTIONS /v1/jobs HTTP/1.1\r\n" + H + A + END, METHOD),
    ("POST to a GET", b"POST /v1/whoami HTTP/1.1\r\n" + H + A + J + LEN + END + JOB, METHOD),
    ("GET of a POST", b"GET /v1/jobs/aaaaaaaa/cancel HTTP/1.1\r\n" + H + A + END, METHOD),
    ("method override is not listened to", get(b"/v1/whoami", b"X-HTTP-Method-Override: POST\r\n"),
     OK),
    ("upgrade is not listened to", get(b"/v1/whoami", b"Upgrade: websocket\r\n"), OK),
    # --- who asks
    ("no token", WHO + H + END, UNAUTHENTICATED),
    ("no token, no such path", b"GET /nothing HTTP/1.1\r\n" + H + END, UNAUTHENTICATED),
    ("no token, POST", POST + H + J + LEN + END + JOB, UNAUTHENTICATED),
    ("wrong token", WHO + H + b"Authorization: Bearer nonsense\r\n" + END, UNAUTHENTICATED),
    ("half the token", WHO + H + b"Authorization: Bearer {half}\r\n" + END, UNAUTHENTICATED),
    ("the token and more", WHO + H + b"Authorization: Bearer {token}0\r\n" + END,
     UNAUTHENTICATED),
    ("empty token", WHO + H + b"Authorization: Bearer\r\n" + END, UNAUTHENTICATED),
    ("Basic", WHO + H + b"Authorization: Basic dG9rZW46e3Rva2VufQ==\r\n" + END, UNAUTHENTICATED),
    ("the token without its scheme", WHO + H + b"Authorization: {token}\r\n" + END,
     UNAUTHENTICATED),
    ("a token in the query", b"GET /v1/whoami?token={token} HTTP/1.1\r\n" + H + END,
     UNAUTHENTICATED),
    ("a token in a cookie", WHO + H + b"Cookie: token={token}\r\n" + END, UNAUTHENTICATED),
    ("scheme in small letters", WHO + H + b"Authorization: bearer {token}\r\n" + END, OK),
    # --- browsers
    ("foreign Origin", post(J, b"Origin: http://evil.example\r\n"), DENIED),
    ("Origin null", post(J, b"Origin: null\r\n"), DENIED),
    ("Origin of another port", post(J, b"Origin: http://127.0.0.1:1\r\n"), DENIED),
    ("Origin with https", post(J, b"Origin: https://{host}\r\n"), DENIED),
    ("Origin with our name in front", post(J, b"Origin: http://{host}.evil.example\r\n"), DENIED),
    ("Origin empty", post(J, b"Origin:\r\n"), DENIED),
    ("cross-site", post(J, b"Sec-Fetch-Site: cross-site\r\n"), DENIED),
    ("same-site", post(J, b"Sec-Fetch-Site: same-site\r\n"), DENIED),
    ("text/plain", post(b"Content-Type: text/plain\r\n"), MEDIA),
    ("a form", post(b"Content-Type: application/x-www-form-urlencoded\r\n"), MEDIA),
    ("multipart", post(b"Content-Type: multipart/form-data; boundary=x\r\n"), MEDIA),
    ("no content type", post(), MEDIA),
    ("application/jsonx", post(b"Content-Type: application/jsonx\r\n"), MEDIA),
    ("another charset", post(b"Content-Type: application/json; charset=utf-16\r\n"), MEDIA),
    ("text/plain that names JSON", post(b"Content-Type: text/plain; application/json\r\n"), MEDIA),
    ("compressed", post(J, b"Content-Encoding: gzip\r\n"), MEDIA),
    ("compressed twice", post(J, b"Content-Encoding: identity, gzip\r\n"), MEDIA),
    ("a coding that is none", post(J, b"Content-Encoding: Identity\r\n"), OK),
    ("cancel from a form", b"POST /v1/jobs/aaaaaaaa/cancel HTTP/1.1\r\n" + H + A
     + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n" + END, MEDIA),
    # --- bodies
    ("empty body", post(J, body=b""), BAD),
    ("body with a mark of its order", post(J, body=b"\xef\xbb\xbf" + JOB), BAD),
    ("body with a NUL", post(J, body=JOB + b"\x00"), BAD),
    ("two values", post(J, body=JOB + JOB), BAD),
    ("an array", post(J, body=b"[]"), INVALID),
    ("a wrong key of idempotency", post(J, b"Idempotency-Key: \x80\r\n"), (BAD, OK)),
    ("an empty key of idempotency", post(J, b'Idempotency-Key: ""\r\n'), BAD),
    ("a long key of idempotency", post(J, b"Idempotency-Key: " + b"k" * 256 + b"\r\n"), BAD),
]


def fill(data, server):
    host, port = server.address
    token = server.token
    for name, value in (("host", f"{host}:{port}"), ("port", str(port)), ("token", token),
                        ("half", token[:32])):
        data = data.replace(b"{" + name.encode() + b"}", value.encode())
    return data


def exchange(server, data, via="tcp"):
    """Sends it all, says that this was all, and takes what comes until the server closes."""
    with server.raw_socket(via) as sock:
        with contextlib.suppress(OSError):  # it may answer and close before it has read all
            sock.sendall(fill(data, server))
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := sock.recv(65536):
                answer += chunk
        return answer


def statuses(answer):
    """Of every response in these bytes (bodies of ours never contain such a line)."""
    return [int(n) for n in re.findall(rb"(?:^|\n)HTTP/1\.[01] (\d\d\d)", answer) if n != b"100"]


def test_there_are_enough_cases():
    assert len(CASES) >= 120
    assert len({name for name, _, _ in CASES}) == len(CASES)


@pytest.mark.parametrize("name, data, verdict", CASES, ids=[c[0].replace(" ", "-") for c in CASES])
def test_verdict(server, name, data, verdict):
    right = verdict if isinstance(verdict, tuple) else (verdict,)
    got = statuses(exchange(server, data))
    # The library repeats the head of an error of its own; and after an answered request only
    # a refusal may follow.
    assert (got[0] if got else CLOSED) in right, (name, got)
    assert all(status == BAD or status == got[0] and status >= 400 for status in got[1:]), (name, got)
    assert server.httpapi.is_running


@pytest.mark.parametrize("via", ["tcp", "unix"])
def test_a_refusal_that_may_hide_a_request_ends_the_connection(server, via):
    for name, data, verdict in CASES:
        if SMUGGLED not in data:
            continue
        answer = exchange(server, data.replace(b"Connection: close\r\n", b""), via)
        assert statuses(answer) == [BAD], (name, answer)
        assert b"onnection: close" in answer, (name, answer)


def test_our_refusals_are_problem_documents(server):
    """Where the gate speaks, and not the library underneath, there is a whole document."""
    for data, status, code in [
            (LIVE + H + H + END, 400, "invalid_argument"),
            (WHO + H + END, 401, "unauthenticated"),
            (get(b"/nothing"), 404, "not_found"),
            (b"PUT /v1/jobs HTTP/1.1\r\n" + H + A + END, 405, "method_not_allowed"),
            (post(b"Content-Type: text/plain\r\n"), 415, "unsupported_media_type"),
            (LIVE + b"Host: evil.example\r\n" + END, 421, "misdirected"),
            (post(J, b"Origin: null\r\n"), 403, "permission_denied")]:
        head, _, body = exchange(server, data).partition(b"\r\n\r\n")
        problem = json.loads(body)
        assert (problem["status"], problem["code"]) == (status, code)
        assert problem["type"].startswith("/problems/") and problem["request_id"]
        assert b"Content-Type: application/problem+json" in head
        assert b"X-Content-Type-Options: nosniff" in head
        assert b"Cache-Control: no-store" in head
        assert b"Content-Security-Policy: default-src 'none'" in head
        assert b"Access-Control" not in head
        assert (status == 401) == (b"WWW-Authenticate: Bearer" in head)
        assert (status == 405) == (b"Allow: POST, GET, HEAD" in head)


def test_the_connection_lives_on_after_an_ordinary_refusal(server):
    """A refused body is read to its end, so the next request on the connection is its own."""
    first = POST + H + A + b"Content-Type: text/plain\r\n" + LEN + b"\r\n" + JOB
    second = WHO + H + A + END
    assert statuses(exchange(server, first + second)) == [415, 200]


def test_pipelined_requests_are_answered_in_order(server):
    data = (WHO + H + A + b"\r\n") * 3 + get(b"/nothing")
    assert statuses(exchange(server, data)) == [200, 200, 200, 404]


def test_a_body_over_the_limit_in_chunks(new_reeve):
    one = new_reeve()
    one.write_config(limits={"body_bytes": 65536, "stdin_bytes": 1024})
    one.start_httpapi()
    body = b"".join(b"8000\r\n" + b"x" * 0x8000 + b"\r\n" for _ in range(8)) + b"0\r\n\r\n"
    assert statuses(exchange(one, chunked(body))) == [413]
    assert one.request("GET", "/healthz/live").status == 200


def test_the_listener_serves_after_all_of_that(server):
    assert server.request("GET", "/v1/whoami", via="tcp").json() == {
        "principal": "token:local", "role": "admin"}
    assert server.sql("SELECT count(*) FROM jobs") == [(0,)]


@pytest.mark.parametrize("via", ["tcp", "unix"])
@pytest.mark.parametrize("path, accept", [
    ("/v1/jobs/JOB/output?follow=1", "*/*"), ("/v1/jobs/JOB/output?timestamps=1", "*/*"),
    ("/v1/jobs/JOB/output/events", "*/*"), ("/v1/events", "text/event-stream"),
    ("/v1/jobs/JOB/events", "text/event-stream")])
def test_head_of_what_has_no_length_is_headers_alone(server, path, accept, via):
    """Not one byte behind them that a client would take for its next answer; so the next
    request on the connection is answered as well, or the connection is said to end."""
    path = path.replace("JOB", server.submit("true", hold=True)["id"])
    head = f"HEAD {path} HTTP/1.1\r\nAccept: {accept}\r\n".encode() + H + A + b"\r\n"
    answer = exchange(server, head + WHO + H + A + END, via)
    first, _, rest = answer.partition(b"\r\n\r\n")
    assert statuses(first) == [200] and b"Content-Length" not in first, answer
    if rest:
        assert rest.startswith(b"HTTP/1.1 200") and statuses(answer) == [200, 200], answer
    else:
        assert b"onnection: close" in first, answer
