"""The MUSTs for which there is no test, each with the reason."""

NOT_TESTED: tuple[tuple[str, str, str], ...] = (
    (
        "config.md#annotations",
        "keys of org.opencontainers are reserved",
        "binds specifications, not runtimes",
    ),
    (
        "glossary.md#json",
        "JSON objects MUST NOT include duplicate names",
        "binds who writes them: crun takes the first of two, runc and Tare the last",
    ),
    ("config.md#mounts", "windows, solaris, vm, zos", "other platforms"),
    (
        "config-linux.md#cgroup-ownership",
        "MUST fall back to a list of files, MUST NOT fail for missing ones",
        "the change of ownership itself is a MAY; cgroup version 2 only",
    ),
    (
        "config-linux.md#control-groups",
        "a runtime MAY check whether a cgroup is fit, and MUST then generate an error",
        "the check is a MAY; a frozen cgroup is a case of the torture tests",
    ),
    (
        "config-linux.md#memory",
        "checkBeforeUpdate: MUST reject a limit below the usage",
        "on version 1 the kernel rejects it; version 2 only",
    ),
    (
        "config-linux.md#huge-page-limits",
        "limit of a page size",
        "the host's version 1 has no hugetlb controller",
    ),
    ("config-linux.md#network", "classID, priorities", "the host has neither net_cls nor net_prio"),
    ("config-linux.md#rdma", "hcaHandles, hcaObjects", "the host has no rdma controller"),
    (
        "config-linux.md#intelrdt",
        "closID, schemata, monitoring groups",
        "the host has no resctrl: only the error is tested",
    ),
    ("config-linux.md#mount-label", "mountLabel sets the SELinux context", "the host has no SELinux"),
    (
        "config.md#linux-process",
        "a label of SELinux is applied",
        "the host has no SELinux: only the error is tested",
    ),
    ("config.md#linux-process", "execCPUAffinity (1.2.1)", "after 1.1"),
    ("config-linux.md#netdevices", "netDevices (1.3)", "after 1.1"),
    ("config-linux.md#memory-policy", "memoryPolicy (1.3)", "after 1.1"),
    (
        "runtime.md#state",
        "the ID MUST be unique across all containers on this host",
        "of the caller's scope; within one root it is tested with create",
    ),
)
