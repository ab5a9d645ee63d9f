/* libnames.c - a resolver that a test needs, preloaded into the programs under test.
 *
 * hang.test is asked for and never answered, as with a name server that is gone.
 * loopback.test, mapped.test and link-local.test resolve to what their names say. All
 * other names are the real resolver's. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name, *address;
} NAMES[] = {
	{"loopback.test", "127.0.0.1"},
	{"mapped.test", "::ffff:127.0.0.1"},
	{"link-local.test", "169.254.169.254"},
};

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *,
			   struct addrinfo **);

/* glibc's declaration has names of its own for the parameters */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	getaddrinfo_fn *real;
	/* POSIX says that this is how a function comes out of dlsym(3). */
	*(void **)(&real) = dlsym(RTLD_NEXT, "getaddrinfo");
	while (node != NULL && strcmp(node, "hang.test") == 0)
		(void)pause();
	for (size_t i = 0; node != NULL && i < sizeof NAMES / sizeof *NAMES; i++)
		if (strcmp(node, NAMES[i].name) == 0)
			node = NAMES[i].address;
	return real(node, service, hints, ret);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
