/* cgroup.c - cgroup v2 directories of shims. */
#include "worker/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* cgroup2 mount points may be anywhere ("unified" on hybrid systems). */
static char *find_mount(void)
{
	FILE *file = fopen("/proc/self/mounts", "re");
	char line[4096];
	char *found = NULL;

	while (file != NULL && found == NULL && fgets(line, sizeof(line), file) != NULL) {
		char *rest = line;
		const char *mount = NULL;

		strsep(&rest, " ");
		mount = strsep(&rest, " ");
		if (rest != NULL && text_has_prefix(rest, "cgroup2 "))
			found = mem_strdup(mount);
	}
	if (file != NULL)
		fclose(file);
	return found;
}

/* Our own cgroup within the hierarchy: the line "0::/path". Heap or NULL. */
static char *find_own(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096];
	char *found = NULL;

	while (file != NULL && found == NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (text_has_prefix(line, "0::/"))
			found = mem_strdup(line + 3);
	}
	if (file != NULL)
		fclose(file);
	return found;
}

/* systemd marks what it has handed over (Delegate=yes) with an extended attribute; the
 * root of the hierarchy that we see is nobody else's. */
static bool is_delegated(const char *dir, const char *own)
{
	static const char *const MARKS[] = {"trusted.delegate", "user.delegate"};
	char value[2] = "";

	if (text_equal(own, "/"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(MARKS); i++) {
		if (getxattr(dir, MARKS[i], value, sizeof(value)) == 1 && value[0] == '1')
			return true;
	}
	return false;
}

static char *find_auto(void)
{
	AUTO_FREE char *mount = find_mount();
	AUTO_FREE char *own = find_own();
	char *dir = NULL;

	if (mount == NULL || own == NULL)
		return NULL;
	dir = text_equal(own, "/") ? mem_strdup(mount) : mem_printf("%s%s", mount, own);
	if (is_delegated(dir, own))
		return dir;
	free(dir);
	return NULL;
}

/* "<parent>/reeve-<8 hex of the state directory's digest>", so that two services share
 * a parent without meeting. */
static char *make_below(const char *parent, const char *state_dir)
{
	uint8_t digest[DIGEST_BYTES];
	char hex[DIGEST_HEX_BYTES];
	char *dir = NULL;
	AUTO_FREE char *probe = NULL;

	digest_of(state_dir, strlen(state_dir), digest);
	text_hex(digest, 4, hex);
	dir = mem_printf("%s/reeve-%s", parent, hex);
	probe = mem_printf("%s/cgroup.kill", dir);
	if ((mkdir(dir, 0755) == 0 || errno == EEXIST) && access(probe, W_OK) == 0)
		return dir;
	free(dir);
	return NULL;
}

int cgroup_find(const char *setting, const char *state_dir, char **ret_dir,
		struct err *err)
{
	const bool is_auto = setting == NULL || text_equal(setting, "auto");
	AUTO_FREE char *parent = NULL;
	char *dir = NULL;

	if (text_equal(setting, "off")) {
		*ret_dir = NULL;
		return 0;
	}
	parent = is_auto ? find_auto() : mem_strdup(setting);
	dir = parent != NULL ? make_below(parent, state_dir) : NULL;
	if (dir == NULL && !is_auto)
		return err_set(err, ERR_INVALID,
			       "cgroup: %s is no cgroup v2 directory that can be used",
			       setting);
	*ret_dir = dir;
	return 0;
}

static int write_file(const char *dir, const char *name, const char *text)
{
	AUTO_FREE char *path = mem_printf("%s/%s", dir, name);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 ? file_write_all(fd, text, strlen(text)) : -1;
}

int cgroup_enter(const char *dir, pid_t pid, char **ret, struct err *err)
{
	/* With the time, since a process id comes again and a journal names the path. */
	char *path = mem_printf("%s/shim-%d-%" PRId64, dir, (int)pid, clock_boot_us());
	char number[16];

	snprintf(number, sizeof(number), "%d\n", (int)pid);
	/* The last shim that left has taken the directory along. */
	(void)mkdir(dir, 0755);
	if (mkdir(path, 0755) != 0 || write_file(path, "cgroup.procs", number) != 0) {
		err_sys(err, ERR_UNAVAILABLE, errno, "cgroup %s", path);
		(void)rmdir(path);
		free(path);
		return -1;
	}
	*ret = path;
	return 0;
}

static bool is_populated(const char *path)
{
	AUTO_FREE char *events = mem_printf("%s/cgroup.events", path);
	AUTO_BUF struct buf text = BUF_INIT(4096);

	return file_read(AT_FDCWD, events, &text, NULL) == 0 &&
	       strstr(buf_text(&text), "populated 1") != NULL;
}

bool cgroup_kill(const char *path, int64_t wait_us)
{
	const int64_t until = clock_boot_us() + wait_us;
	AUTO_FREE char *events = mem_printf("%s/cgroup.events", path);
	AUTO_CLOSE int fd = open(events, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return true;
	while (is_populated(path)) {
		struct pollfd change = {.fd = fd, .events = POLLPRI};

		if (clock_boot_us() >= until ||
		    write_file(path, "cgroup.kill", "1\n") != 0)
			return false;
		(void)poll(&change, 1, 20);
	}
	return true;
}

int cgroup_kill_others(const char *path)
{
	int result = 0;

	/* "0" is the writer itself. */
	if (write_file(path, "../cgroup.procs", "0\n") != 0)
		return -1;
	result = write_file(path, "cgroup.kill", "1\n");
	(void)write_file(path, "cgroup.procs", "0\n");
	return result;
}

void cgroup_remove(const char *path)
{
	AUTO_FREE char *above = mem_strdup(path);
	char *slash = strrchr(above, '/');

	if (rmdir(path) != 0 || slash == NULL)
		return;
	*slash = '\0';
	(void)rmdir(above);
}

void cgroup_leave(const char *path)
{
	if (write_file(path, "../../cgroup.procs", "0\n") == 0)
		cgroup_remove(path);
}

void cgroup_sweep(const char *dir)
{
	DIR *stream = opendir(dir);
	const struct dirent *entry = NULL;

	while (stream != NULL && (entry = readdir(stream)) != NULL) {
		AUTO_FREE char *path = mem_printf("%s/%s", dir, entry->d_name);

		if (text_has_prefix(entry->d_name, "shim-") && !is_populated(path))
			cgroup_remove(path);
	}
	if (stream != NULL)
		closedir(stream);
}
