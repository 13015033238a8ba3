/* The floor: Tare's container start in C, with nothing around it.
 *
 *   floor PLAN            carry the plan out once; exit with the status of its program
 *   floor PLAN --serve    once for each byte on standard input, and answer each with a byte
 *
 * The plan is Tare's own (tests/peers/floor.py writes it from the request that the spawner would get), so both
 * make the same cgroup directories with the same limits, the same overlay from the same layers, the same
 * mounts, binds, masks, links and capability sets, in the same order. What Tare does beyond it is not here:
 * the record on disk before each step, the messages between client, spawner and child, the look-up of a user
 * in /etc/passwd, the reading of the out-of-memory count, and Python. So the quotient Tare / floor is the
 * price of these.
 *
 * Order: mkdir + write (cgroups, overlay directories) - clone3 with CLONE_PIDFD, and into the cgroup where it
 * is v2 - let the child go - [child: write tasks (v1), unshare, lo up, host name, mounts, pivot_root,
 * capabilities, execve] - poll the pidfd - waitpid - rmdir of the cgroups - removal of the overlay's files.
 *
 * A line of the plan is a verb and its arguments, separated by tabs. Numbers are decimal.
 * Build: cc -O2 -o floor floor.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_STEPS = 400, MOST_FIELDS = 12, MOST_ARGS = 64 };
enum { ABOVE = 0x80, GROUP_PATIENCE = 50000, TARE_FAILED = 125 };

struct step {
	int count;
	char *field[MOST_FIELDS];
};

static struct step steps[MOST_STEPS];
static int step_count;
static char *args[MOST_ARGS], *environment[MOST_ARGS];
static int held[MOST_STEPS];

static void fail(const char *what, const char *on)
{
	dprintf(2, "floor: %s %s: %s\n", what, on ? on : "", strerror(errno));
	_exit(TARE_FAILED);
}

/* ---- the plan ---- */

static int is(const struct step *step, const char *verb)
{
	return strcmp(step->field[0], verb) == 0;
}

static void append(char **list, char *text)
{
	int count = 0;
	while (list[count])
		if (++count == MOST_ARGS - 1)
			fail("too long", text);
	list[count] = text;
}

static void parse(char *line)
{
	struct step *step = &steps[step_count];
	step->count = 0;
	for (char *at = line; at && step->count < MOST_FIELDS;)
		step->field[step->count++] = strsep(&at, "\t");
	if (is(step, "arg"))
		append(args, step->field[1]);
	else if (is(step, "env"))
		append(environment, step->field[1]);
	else if (++step_count == MOST_STEPS)
		fail("too many steps", line);
}

static void load(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	if (!file)
		fail("open", path);
	while ((length = getline(&line, &size, file)) > 0) {
		line[length - 1] = 0;
		parse(strdup(line));
	}
	fclose(file);
}

static const char *value(const char *verb, const char *otherwise)
{
	for (int i = 0; i < step_count; i++)
		if (is(&steps[i], verb))
			return steps[i].field[1];
	return otherwise;
}

static unsigned long number(const char *verb)
{
	return strtoul(value(verb, "0"), NULL, 10);
}

/* ---- the parent's side ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail("write", path);
	close(fd);
}

static void prepare(void)
{
	for (int i = 0; i < step_count; i++) {
		struct step *step = &steps[i];
		if (is(step, "mkdir") && mkdir(step->field[1], 0755) < 0 && errno != EEXIST)
			fail("mkdir", step->field[1]);
		if (is(step, "write"))
			write_file(step->field[1], step->field[2]);
		if (is(step, "try") && access(step->field[1], W_OK) == 0)
			write_file(step->field[1], step->field[2]);
	}
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)at;
	return kind == FTW_DP ? rmdir(path) : unlink(path);
}

static void leave(const char *group)
{
	/* A process leaves its cgroup a moment after its parent could reap it: EBUSY until then. */
	for (int tries = 0; rmdir(group) < 0 && errno != ENOENT; tries++) {
		if (errno != EBUSY || tries == GROUP_PATIENCE)
			fail("rmdir", group);
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	}
}

static void tear_down(void)
{
	for (int i = 0; i < step_count; i++) {
		if (is(&steps[i], "rmdir"))
			leave(steps[i].field[1]);
		if (is(&steps[i], "remove") && nftw(steps[i].field[1], drop, 16, FTW_DEPTH | FTW_PHYS) < 0)
			fail("remove", steps[i].field[1]);
	}
}

/* ---- the child's side ---- */

/* A thread moves itself without the grace period that a write to cgroup.procs takes. */
static void enter(void)
{
	char path[4096];
	for (int i = 0; i < step_count; i++)
		if (is(&steps[i], "join")) {
			snprintf(path, sizeof path, "%s/tasks", steps[i].field[1]);
			write_file(path, "0");
		}
}

static void raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		fail("raise", "lo");
	close(fd);
}

static void attach(int fd, const char *target)
{
	if (syscall(SYS_move_mount, fd, "", AT_FDCWD, target, 4 /* MOVE_MOUNT_F_EMPTY_PATH */) < 0)
		fail("attach", target);
	close(fd);
}

static void configure(int fd, unsigned command, const char *key, const char *text)
{
	if (syscall(SYS_fsconfig, fd, command, key, text, 0) < 0)
		fail("configure the overlay", text);
}

/* overlay UPPER WORK TARGET LAYER... (top first) */
static void overlay(struct step *step)
{
	int fd = syscall(SYS_fsopen, "overlay", 1);
	if (fd < 0)
		fail("fsopen", "overlay");
	for (int i = 4; i < step->count; i++)
		configure(fd, 1, "lowerdir+", step->field[i]);
	configure(fd, 1, "upperdir", step->field[1]);
	configure(fd, 1, "workdir", step->field[2]);
	configure(fd, 6, NULL, NULL);
	attach(syscall(SYS_fsmount, fd, 1, 4 /* MOUNT_ATTR_NODEV */), step->field[3]);
	close(fd);
}

static void make_readonly(const char *target)
{
	struct statvfs now;
	if (statvfs(target, &now) < 0)
		fail("statvfs", target);
	unsigned long kept = now.f_flag & (ST_NOSUID | ST_NODEV | ST_NOEXEC); /* same bits as MS_ */
	if (mount("", target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | kept, NULL) < 0)
		fail("remount", target);
}

static void readonly(const char *path)
{
	int own = !strcmp(path, "/") || !strcmp(path, "/sys") || !strcmp(path, "/sys/fs/cgroup");
	if (!own && mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0) {
		if (errno == ENOENT)
			return;
		fail("bind", path);
	}
	make_readonly(path);
}

static void mask(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode) ? mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0")
				: mount("/dev/null", path, NULL, MS_BIND, NULL))
		fail("mask", path);
}

static void hold(int at, struct step *step)
{
	unsigned flags = 1 | O_CLOEXEC | (step->field[2][0] == '1' ? 0x8000 /* AT_RECURSIVE */ : 0);
	held[at] = syscall(SYS_open_tree, AT_FDCWD, step->field[1], flags);
	if (held[at] < 0)
		fail("open_tree", step->field[1]);
}

/* bind INDEX-OF-HOLD TARGET: devices only, so a mount point is a file. */
static void bind_held(struct step *step)
{
	struct stat st;
	if (lstat(step->field[2], &st) < 0)
		close(open(step->field[2], O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	attach(held[atoi(step->field[1])], step->field[2]);
}

static void new_mount(struct step *step)
{
	struct stat st;
	if (stat(step->field[2], &st) < 0 && mkdir(step->field[2], 0755) < 0)
		fail("mkdir", step->field[2]);
	const char *data = step->field[4][0] ? step->field[4] : NULL;
	if (mount(step->field[1], step->field[2], step->field[1], strtoul(step->field[3], NULL, 10), data) < 0)
		fail("mount", step->field[2]);
}

static void pivot(const char *root)
{
	if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0
	    || chdir("/") < 0)
		fail("pivot", root);
}

static void assemble(void)
{
	int holds = 0;
	for (int i = 0; i < step_count; i++) {
		struct step *step = &steps[i];
		if (is(step, "private") && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			fail("make private", "/");
		if (is(step, "overlay"))
			overlay(step);
		if (is(step, "hold"))
			hold(holds++, step);
		if (is(step, "pivot"))
			pivot(step->field[1]);
		if (is(step, "mount"))
			new_mount(step);
		if (is(step, "bind"))
			bind_held(step);
		if (is(step, "link") && symlink(step->field[1], step->field[2]) < 0)
			fail("link", step->field[2]);
		if (is(step, "readonly"))
			readonly(step->field[1]);
		if (is(step, "mask"))
			mask(step->field[1]);
	}
}

static int last_capability(void)
{
	char text[8] = "";
	int fd = open("/proc/sys/kernel/cap_last_cap", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
		fail("read", "cap_last_cap");
	close(fd);
	return atoi(text);
}

static void confine(int last)
{
	uint64_t kept = strtoull(value("caps", "0"), NULL, 10);
	uint32_t low = (uint32_t)kept, high = (uint32_t)(kept >> 32);
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{low, low, 0}, {high, high, 0}};
	for (int number = 0; number <= last; number++)
		if (!(kept >> number & 1) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0)
			fail("drop", "a capability");
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		fail("change", "user");
	if (syscall(SYS_capset, &header, data) < 0)
		fail("capset", NULL);
}

static void reset_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become(int sync, int stdio)
{
	char go;
	const char *name = value("hostname", "");
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (read(sync, &go, 1) != 1)
		_exit(1);
	enter();
	setsid();
	if (unshare(number("unshare")) < 0)
		fail("unshare", NULL);
	if (number("lo"))
		raise_loopback();
	if (name[0] && sethostname(name, strlen(name)) < 0)
		fail("name", name);
	int last = last_capability();
	assemble();
	for (int fd = 0; stdio >= 0 && fd < 3; fd++)
		dup2(stdio, fd);
	syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
	reset_signals();
	umask(022);
	if (chdir(value("cwd", "/")) < 0)
		fail("enter", value("cwd", "/"));
	confine(last);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	execve(args[0], args, environment);
	fail("execute", args[0]);
}

/* ---- one container ---- */

static pid_t start(int *pidfd, int *sync, int stdio)
{
	int pair[2], group = -1;
	const char *born_in = value("born_in", NULL);
	struct clone_args how = {.flags = number("clone") | CLONE_PIDFD, .exit_signal = SIGCHLD};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		fail("socketpair", NULL);
	if (born_in) {
		group = open(born_in, O_PATH | O_CLOEXEC);
		how.flags |= CLONE_INTO_CGROUP;
		how.cgroup = group;
	}
	how.pidfd = (uintptr_t)pidfd;
	pid_t pid = syscall(SYS_clone3, &how, sizeof how);
	if (pid < 0)
		fail("clone3", NULL);
	if (pid == 0) {
		close(pair[0]);
		become(pair[1], stdio);
	}
	close(pair[1]);
	if (group >= 0)
		close(group);
	*sync = pair[0];
	return pid;
}

static int once(int stdio)
{
	int pidfd = -1, sync, status = 0;
	char end;
	prepare();
	pid_t pid = start(&pidfd, &sync, stdio);
	if (write(sync, "g", 1) != 1)
		fail("tell", "the child");
	while (read(sync, &end, 1) > 0) /* closed by the exec */
		;
	close(sync);
	poll(&(struct pollfd){pidfd, POLLIN, 0}, 1, -1);
	waitpid(pid, &status, 0);
	close(pidfd);
	tear_down();
	return WIFSIGNALED(status) ? ABOVE + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	char byte;
	if (argc < 2)
		return 2;
	load(argv[1]);
	if (argc == 2)
		return once(-1);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (read(0, &byte, 1) == 1) {
		byte = (char)once(null);
		if (write(1, &byte, 1) != 1)
			return 1;
	}
	return 0;
}
