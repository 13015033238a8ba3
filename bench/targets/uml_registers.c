/*
 * ptrace(2) as User-mode Linux before 6.13 needs it where a processor has more state than that knows of (AMX).
 *
 * It keeps a process's registers in a buffer of fixed size. Reading gives it as much as fits; but what is written
 * has to be whole (Linux, arch/x86/kernel/fpu/regset.c, xstateregs_set), so its first write is refused. Here a
 * write is completed with what the process has beyond the buffer. Loaded by LD_PRELOAD; nothing is allocated, for
 * the kernel inside has an allocator of its own, and little is put on its small stack.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEADER 512 /* XSTATE_BV, which says what of the state is not initial (Intel SDM 1, 13.4.2) */
#define EXTENDED 0xd /* the leaf of CPUID that tells where each component lies */

static char whole[1 << 16];

/* The components that lie wholly in the first `size` bytes; x87 and SSE always do. */
static uint64_t within(size_t size)
{
	uint64_t found = 3;
	unsigned int has, length, offset, c, d;

	if (!__get_cpuid_count(EXTENDED, 0, &has, &offset, &c, &d))
		return found;
	for (unsigned int component = 2; component < 32; component++)
		if (has >> component & 1 && __get_cpuid_count(EXTENDED, component, &length, &offset, &c, &d) &&
		    (size_t)offset + length <= size)
			found |= UINT64_C(1) << component;
	return found;
}

static long complete(pid_t pid, const struct iovec *given)
{
	static uint64_t known;
	static size_t size;
	struct iovec all = {whole, sizeof whole};
	uint64_t theirs, own;

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all))
		return -1;
	if (all.iov_len <= given->iov_len || given->iov_len < HEADER + sizeof theirs)
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, given);
	if (size != given->iov_len)
		known = within(size = given->iov_len);
	memcpy(&own, whole + HEADER, sizeof own);
	memcpy(whole, given->iov_base, given->iov_len);
	memcpy(&theirs, whole + HEADER, sizeof theirs);
	theirs = (theirs & known) | (own & ~known);
	memcpy(whole + HEADER, &theirs, sizeof theirs);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list rest;
	pid_t pid;
	void *address, *data;
	long word, done;

	va_start(rest, request);
	pid = va_arg(rest, pid_t);
	address = va_arg(rest, void *);
	data = va_arg(rest, void *);
	va_end(rest);
	if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE)
		return complete(pid, data);
	if (request != PTRACE_PEEKTEXT && request != PTRACE_PEEKDATA && request != PTRACE_PEEKUSER)
		return syscall(SYS_ptrace, request, pid, address, data);
	done = syscall(SYS_ptrace, request, pid, address, &word); /* the call stores it, the function returns it */
	if (done < 0)
		return done;
	errno = 0;
	return word;
}
