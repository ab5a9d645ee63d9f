/* main.c - reeve-httpapi: the intake, from its arguments to its exit code. */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>

#include "httpapi/routes.h"
#include "httpapi/server.h"

struct options {
	const char *config_path, *port_file;
};

static void usage(FILE *out)
{
	fputs("Usage: reeve-httpapi [--config FILE] [--port-file FILE]\n"
	      "\n"
	      "Takes jobs over HTTP and answers questions about them.\n"
	      "\n"
	      "  --config FILE     the settings (else $REEVE_CONFIG, else the defaults)\n"
	      "  --port-file FILE  written once it listens: ADDRESS:PORT, one a line\n"
	      "  --routes          print the table of routes, as in docs/api.md\n"
	      "  --version         print the version\n"
	      "  --help            print this\n",
	      out);
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, struct options *ret)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"port-file", required_argument, NULL, 'p'},
		{"routes", no_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'c') {
			ret->config_path = optarg;
		} else if (option == 'p') {
			ret->port_file = optarg;
		} else if (option == 'r') {
			route_print(stdout);
			return 0;
		} else if (option == 'v') {
			puts("reeve-httpapi " REEVE_VERSION);
			return 0;
		} else {
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : EXIT_PERMANENT;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return EXIT_PERMANENT;
	}
	return -1;
}

static int fail(const struct err *err)
{
	log_event(LOG_ERROR, "failed", LOG_TEXT("code", err_word(err->code)),
		  LOG_TEXT("error", err->text), LOG_END);
	return err_is_retryable(err->code) ? EXIT_TEMPORARY : EXIT_PERMANENT;
}

static int write_port_file(const struct server *server, const char *path, struct err *err)
{
	AUTO_BUF struct buf text = BUF_INIT(65536);
	for (size_t i = 0; i < server->front_count; i++)
		if (server->fronts[i].port != 0)
			buf_printf(&text, "%s\n", server->fronts[i].address);
	return file_write_atomic(AT_FDCWD, path, buf_text(&text), text.length, 0644, err);
}

static void log_ready(const struct server *server)
{
	AUTO_BUF struct buf addresses = BUF_INIT(65536);
	for (size_t i = 0; i < server->front_count; i++)
		buf_printf(&addresses, "%s%s", i ? " " : "", server->fronts[i].address);
	log_event(LOG_INFO, "ready", LOG_TEXT("version", REEVE_VERSION),
		  LOG_TEXT("listeners", buf_text(&addresses)),
		  LOG_TEXT("state_dir", server->started_with->state_dir), LOG_END);
}

/* Until SIGTERM or SIGINT. Threads inherit the mask, so only this one gets signals. */
static void serve(struct server *server, const struct options *options,
		  const sigset_t *signals)
{
	int number = 0;
	while (number != SIGTERM && number != SIGINT) {
		if (sigwait(signals, &number) != 0)
			number = 0;
		if (number == SIGHUP)
			server_reload(server, options->config_path);
	}
	log_event(LOG_INFO, "stopping", LOG_INT("signal", number), LOG_END);
}

/* From before the settings are read: a signal that comes too early waits. */
static void block_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGHUP);
	pthread_sigmask(SIG_BLOCK, ret, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int run(struct settings *settings, const struct options *options,
	       const sigset_t *signals)
{
	struct err err = ERR_INIT;
	struct server server;
	if (server_open(&server, settings, &err) < 0)
		return fail(&err);
	if (options->port_file &&
	    write_port_file(&server, options->port_file, &err) < 0) {
		server_close(&server);
		return fail(&err);
	}
	log_ready(&server);
	serve(&server, options, signals);
	server_close(&server);
	log_event(LOG_INFO, "stopped", LOG_END);
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct err err = ERR_INIT;
	struct settings *settings;
	sigset_t signals;
	log_init("reeve-httpapi", LOG_INFO);
	int code = read_options(argc, argv, &options);
	if (code >= 0)
		return code;
	block_signals(&signals);
	if (settings_load(&settings, options.config_path, &err) < 0)
		return fail(&err);
	log_set_least(settings->config.log_level);
	code = run(settings, &options, &signals);
	settings_give(settings);
	return code;
}
