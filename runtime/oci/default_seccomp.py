"""The filter of a container that names none: what moby's default profile lets through, and no more.

Source: docs.docker.com/engine/security/seccomp, moby's profiles/seccomp. What is refused is EPERM. A system
call of a kernel newer than this list does not exist (ENOSYS), so that a C library falls back to an older one;
nor do clone3 and odd personalities, of which a filter can't see enough.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_ALLOWED = """
    _llseek _newselect accept accept4 access adjtimex alarm arch_prctl arm_sync_file_range bind brk
    cachestat capget capset chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres
    clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close
    close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
    epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat
    faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown
    fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr
    fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue
    futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu
    getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32
    getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32
    getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid
    getuid32 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
    io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc
    kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link
    linkat listen listxattr llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise
    map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock
    mlock2 mlockall mmap mmap2 modify_ldt mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
    mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap msgctl msgget msgrcv msgsnd
    msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat nice oldfstat oldlstat
    oldolduname oldstat olduname open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2
    pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64
    process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev
    pwritev2 read readahead readdir readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64
    recvmsg remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir rseq
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
    sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler
    sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64
    sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid
    setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32
    setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid
    setuid32 setxattr sgetmask shmat shmctl shmdt shmget shutdown sigaction sigaltstack signal signalfd
    signalfd4 sigpending sigprocmask sigreturn sigsuspend socketcall socketpair splice ssetmask stat
    stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time
    timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime
    timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
    times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat utime utimensat
    utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
"""

# With a capability that the kernel asks for anyway; without it, the code behind is out of reach.
_WITH = {
    "BPF": "bpf",
    "DAC_READ_SEARCH": "open_by_handle_at",
    "PERFMON": "perf_event_open",
    "SYS_ADMIN": (
        "bpf clone fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
        "mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname "
        "sethostname setns umount umount2 unshare"
    ),
    "SYS_BOOT": "reboot",
    "SYS_CHROOT": "chroot",
    "SYS_MODULE": "delete_module finit_module init_module",
    "SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "SYS_PACCT": "acct",
    "SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "SYS_RAWIO": "ioperm iopl",
    "SYS_TIME": "clock_settime clock_settime64 settimeofday stime",
    "SYS_TTY_CONFIG": "vhangup",
    "SYSLOG": "syslog",
}

_REFUSED = """
    _sysctl add_key clock_settime clock_settime64 create_module get_kernel_syms io_uring_enter
    io_uring_register io_uring_setup kexec_file_load kexec_load keyctl migrate_pages move_pages
    nfsservctl pivot_root query_module request_key swapoff swapon sysfs userfaultfd ustat uselib vm86
    vm86old
"""

_ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
}
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET
_NEW_NAMESPACES = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
_AF_VSOCK = 40
_PERSONALITIES = (0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)  # Linux, 32 bits, old uname, both, and the question


def profile(capabilities: Iterable[str]) -> dict[str, Any]:
    """Return `linux.seccomp` of a config.json for a container that holds `capabilities` ("CAP_KILL", …)."""
    held = {name.removeprefix("CAP_") for name in capabilities}
    allowed, refused = set(_ALLOWED.split()), set(_REFUSED.split())
    for capability, names in _WITH.items():
        (allowed if capability in held else refused).update(names.split())
    rules = [
        _rule(sorted(allowed)),
        _rule(sorted(refused - allowed - {"clone"}), allow=False),
        _rule(["socket"], (0, "SCMP_CMP_NE", _AF_VSOCK, 0)),
        _rule(["socket"], (0, "SCMP_CMP_EQ", _AF_VSOCK, 0), allow=False),
        *(_rule(["personality"], (0, "SCMP_CMP_EQ", number, 0)) for number in _PERSONALITIES),
        *_births(new_namespaces="SYS_ADMIN" in held),
    ]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.ENOSYS,
        "architectures": _ARCHITECTURES.get(os.uname().machine, []),
        "syscalls": rules,
    }


def _births(*, new_namespaces: bool) -> list[dict[str, Any]]:
    if new_namespaces:
        return [_rule(["clone3"])]
    # The flags of clone3 are in memory, which a filter can't read.
    refusals = [
        _rule(["clone"], (0, "SCMP_CMP_MASKED_EQ", flag, flag), allow=False) for flag in _NEW_NAMESPACES
    ]
    return [_rule(["clone"], (0, "SCMP_CMP_MASKED_EQ", sum(_NEW_NAMESPACES), 0)), *refusals]


def _rule(names: list[str], *comparisons: tuple[int, str, int, int], allow: bool = True) -> dict[str, Any]:
    keys = ("index", "op", "value", "valueTwo")
    args = [dict(zip(keys, comparison, strict=True)) for comparison in comparisons]
    verdict = {"action": "SCMP_ACT_ALLOW"} if allow else {"action": "SCMP_ACT_ERRNO", "errnoRet": errno.EPERM}
    return {"names": names, "args": args, **verdict}
