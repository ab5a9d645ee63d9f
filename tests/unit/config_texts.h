/* config_texts.h - mistakes in a configuration, and the words about each: the tables
 * behind test_config.c. */
#ifndef REEVE_TESTS_CONFIG_TEXTS_H
#define REEVE_TESTS_CONFIG_TEXTS_H

struct complaint {
	const char *text, *words;
};

/* clang-format off */
/* The file reeve.json -> the whole complaint. */
static const struct complaint FILES[] = {
	/* not JSON, or not an object */
	{"{\n\"slots\": 1,,\n}", "reeve.json:2:12: expected a key in double quotes, found ','"},
	{"", "reeve.json:1:1: expected a value, found the end"},
	{"[]", "reeve.json:1:1: expected an object"},
	{"{\"slots\":1,\"slots\":2}", "reeve.json:1:12: a key that is there twice"},
	/* keys that nobody knows */
	{"{\n  \"slotz\": 1}", "reeve.json:2:3: slotz: unknown; did you mean slots?"},
	{"{\"limits\": {\n\t\"body_byte\": 1}}",
	 "reeve.json:2:2: limits.body_byte: unknown; did you mean limits.body_bytes?"},
	{"{\"body_bytes\": 1}", "reeve.json:1:2: body_bytes: unknown; did you mean limits.body_bytes?"},
	{"{\"limits.args\": 1}", "reeve.json:1:2: limits.args: write it as an object in an object"},
	{"{\"Slots\": 1}", "reeve.json:1:2: Slots: unknown; did you mean slots?"},
	{"{\"zzzzzzzz\": 1}", "reeve.json:1:2: zzzzzzzz: unknown"},
	{"{\"limits\": 1}", "reeve.json:1:2: limits: expected an object"},
	{"{\"listeners\": [{\"adress\": \"unix:a\", \"address\": \"unix:b\"}]}",
	 "reeve.json:1:17: listeners.0.adress: unknown; did you mean address?"},
	{"{\"exec_roots\": [\"/a\", {\"path\": \"/b\", \"links\": true}]}",
	 "reeve.json:1:38: exec_roots.1.links: unknown"},
	/* numbers */
	{"{\"slots\": -1}", "reeve.json:1:2: slots: too small: expected 0 to 10000"},
	{"{\"slots\": 10001}", "reeve.json:1:2: slots: too large: expected 0 to 10000"},
	{"{\"slots\": 1.5}", "reeve.json:1:2: slots: expected a whole number"},
	{"{\"slots\": \"1\"}", "reeve.json:1:2: slots: expected a number"},
	{"{\"slots\": null}", "reeve.json:1:2: slots: expected a number"},
	{"{\"slots\": true}", "reeve.json:1:2: slots: expected a number"},
	{"{\"wal_bytes\": 1}",
	 "reeve.json:1:2: wal_bytes: too small: expected 65536 to 1073741824 bytes"},
	{"{\"kill_grace_s\": 86400.1}",
	 "reeve.json:1:2: kill_grace_s: too large: expected 0 to 86400 seconds"},
	{"{\"limits\": {\"output_bytes\": 2, \"output_bytes_max\": 1}}",
	 "limits.output_bytes: larger than limits.output_bytes_max"},
	/* texts */
	{"{\"state_dir\": \"\"}",
	 "reeve.json:1:2: state_dir: expected something, found an empty string"},
	{"{\"state_dir\": 1}", "reeve.json:1:2: state_dir: expected a string"},
	{"{\"state_dir\": \"a\\nb\"}",
	 "reeve.json:1:2: state_dir: control characters are not allowed"},
	{"{\"log_level\": \"loud\"}",
	 "reeve.json:1:2: log_level: expected debug, info, warn or error"},
	{"{\"working_directory\": \"a\"}",
	 "reeve.json:1:2: working_directory: expected an absolute path"},
	{"{\"path\": \"/bin::/usr/bin\"}",
	 "reeve.json:1:2: path: expected absolute paths with ':' between them"},
	{"{\"path\": \"/bin:.\"}",
	 "reeve.json:1:2: path: expected absolute paths with ':' between them"},
	{"{\"cgroup\": \"on\"}",
	 "reeve.json:1:2: cgroup: expected auto, off or an absolute path"},
	/* lists */
	{"{\"exec_roots\": \"/bin\"}", "reeve.json:1:2: exec_roots: expected a list"},
	{"{\"exec_roots\": [\"bin\"]}",
	 "reeve.json:1:17: exec_roots.0: expected an absolute path"},
	{"{\"exec_roots\": [\"/\"]}", "reeve.json:1:17: exec_roots.0: "
	 "/ would allow every program there is: name the directories"},
	{"{\"exec_roots\": [\"/bin/../etc\"]}",
	 "reeve.json:1:17: exec_roots.0: \"..\" is not allowed"},
	{"{\"exec_roots\": [\"/bin/..\"]}",
	 "reeve.json:1:17: exec_roots.0: \"..\" is not allowed"},
	{"{\"exec_roots\": [1]}", "reeve.json:1:17: exec_roots.0: "
	 "expected a string, or an object with a string \"path\""},
	{"{\"exec_roots\": [{\"path\": \"/a\", \"follow_links\": 1}]}",
	 "reeve.json:1:17: exec_roots.0: follow_links: expected true or false"},
	{"{\"allow_environment\": [\"LANG\", \"A=B\"]}", "reeve.json:1:32: "
	 "allow_environment.1: expected the name of an environment variable, or *"},
	{"{\"allow_environment\": [\"1A\"]}", "reeve.json:1:24: "
	 "allow_environment.0: expected the name of an environment variable, or *"},
	{"{\"listeners\": []}", "reeve.json:1:2: listeners: expected at least one listener"},
	{"{\"listeners\": [{\"address\": \"127.0.0.1:1\", \"mode\": \"0600\"}]}",
	 "reeve.json:1:16: listeners.0: mode: only a Unix socket has one"},
	{"{\"listeners\": [{\"address\": \"unix:a\", \"mode\": \"0999\"}]}", "reeve.json:1:16: "
	 "listeners.0: mode: expected a string of octal digits such as \"0660\""},
	{"{\"listeners\": [{\"address\": \"unix:a\", \"mode\": 384}]}", "reeve.json:1:16: "
	 "listeners.0: mode: expected a string of octal digits such as \"0660\""},
	{"{\"listeners\": [{\"address\": \"unix:a\", \"mode\": \"1777\"}]}", "reeve.json:1:16: "
	 "listeners.0: mode: expected a string of octal digits such as \"0660\""},
	{"{\"listeners\": [\"unix:a\", \"unix:a\"]}",
	 "reeve.json:1:26: listeners.1: unix:a is there twice"},
	/* callbacks */
	{"{\"callbacks\": {\"allowed_hosts\": [\"app.example\"]}}", "reeve.json:1:34: "
	 "callbacks.allowed_hosts.0: must have a port from 1 to 65535 behind a ':'"},
	{"{\"callbacks\": {\"allowed_hosts\": [\"a:1\", \"127.1:80\"]}}", "reeve.json:1:41: "
	 "callbacks.allowed_hosts.1: "
	 "must write an IPv4 address as four decimal numbers without leading zeros"},
	{"{\"callbacks\": {\"allowed_hosts\": [\"[::0]:80\"]}}", "reeve.json:1:34: "
	 "callbacks.allowed_hosts.0: "
	 "must be in small letters, and an IPv6 address in its shortest form"},
	{"{\"callbacks\": {\"allowed_hosts\": [\"a:1\"], \"internal_hosts\": [\"a:1\", \"b:1\"]}}",
	 "callbacks.internal_hosts: b:1 is not in callbacks.allowed_hosts as well"},
	/* queues */
	{"{\"queues\": []}", "reeve.json:1:2: queues: expected an object, queues by their names"},
	{"{\"queues\": {\n\"a b\": {}}}", "reeve.json:2:1: queues.a b: "
	 "the name of a queue is 1 to 64 letters (A to Z), digits, _, . or -"},
	{"{\"queues\": {\"\": {}}}", "reeve.json: queues.: "
	 "the name of a queue is 1 to 64 letters (A to Z), digits, _, . or -"},
	{"{\"queues\": {\"a\": 2}}", "reeve.json:1:13: queues.a: "
	 "expected an object of max_running, default_timeout_s"},
	{"{\"queues\": {\"a\": {\"max_runing\": 2}}}",
	 "reeve.json:1:19: queues.a.max_runing: unknown; did you mean max_running?"},
	{"{\"queues\": {\"a.b\": {\"max_running\": -1}}}", "reeve.json:1:13: queues.a.b: "
	 "max_running: expected a whole number from 0 to 1000000; without it there is no limit"},
	{"{\"queues\": {\"a\": {\"max_running\": 1.5}}}", "reeve.json:1:13: queues.a: "
	 "max_running: expected a whole number from 0 to 1000000; without it there is no limit"},
	{"{\"queues\": {\"a\": {\"default_timeout_s\": \"1\"}}}", "reeve.json:1:13: queues.a: "
	 "default_timeout_s: expected a number from 0 to 31622400; without it timeout_s holds"},
};

/* One listener -> what the complaint contains. */
static const struct complaint ADDRESSES[] = {
	{"8080", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{"127.0.0.1", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{"127.0.0.1:", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{"127.0.0.1:65536", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{"127.0.0.1:-1", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{"127.0.0.1:http", "expected unix:PATH or ADDRESS:PORT, port 0 to 65535"},
	{":8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"localhost:8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"127.1:8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"::1:8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"[127.0.0.1]:8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"[]:8080", "expected a numeric address such as 127.0.0.1 or [::1]"},
	{"0.0.0.0:8080", "is not a loopback address"},
	{"10.0.0.1:8080", "is not a loopback address"},
	{"126.255.255.255:8080", "is not a loopback address"},
	{"128.0.0.1:8080", "is not a loopback address"},
	{"[::]:8080", "is not a loopback address"},
	{"[::2]:8080", "is not a loopback address"},
	{"[fe80::1]:8080", "is not a loopback address"},
	{"[::ffff:127.0.0.1]:80", "is not a loopback address"},
	{"unix:", "unix: needs the path of a socket"},
	{"unix:run/", "unix: needs the path of a socket"},
};

/* NAME=value -> the whole complaint. */
static const struct complaint VARIABLES[] = {
	{"REEVE_SLOT=1", "REEVE_SLOT: unknown; did you mean REEVE_SLOTS?"},
	{"REEVE_=1", "REEVE_: unknown"},
	{"REEVE_SLOTS=", "REEVE_SLOTS: expected integer in JSON: "
	 "line 1, column 1: expected a value, found the end"},
	{"REEVE_SLOTS=-1", "REEVE_SLOTS: too small: expected 0 to 10000"},
	{"REEVE_CALLBACKS_ALLOWED_HOSTS=app.example:443", "REEVE_CALLBACKS_ALLOWED_HOSTS: "
	 "expected list of HOST:PORT in JSON: line 1, column 1: expected a value, found 'a'"},
	{"REEVE_LOG_LEVEL=loud", "REEVE_LOG_LEVEL: expected debug, info, warn or error"},
	{"REEVE_STATE_DIR=\xff", "REEVE_STATE_DIR: expected UTF-8"},
	{"REEVE_EXEC_ROOTS=/bin:x", "REEVE_EXEC_ROOTS: exec_roots.1: expected an absolute path"},
	{"REEVE_LISTENERS=unix:a", "REEVE_LISTENERS: expected list of {\"address\", \"mode\"} "
	 "in JSON: line 1, column 1: expected a value, found 'u'"},
};
/* clang-format on */

#endif
