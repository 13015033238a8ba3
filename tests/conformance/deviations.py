"""What a runtime is known not to meet, by test.

The marks are strict: a deviation that is gone has to go from here too.
"""

LATER = "of 1.1 or later: ignored by a runtime of 1.0"

_RUNC = {
    "test_lifecycle.py::test_delete_a_created_container": "kills and deletes it, exit code 0",
    "test_config.py::test_an_invalid_version": "takes any string",
    "test_config.py::test_no_version": "takes it",
    "test_config.py::test_a_configuration_that_is_not_utf_8": "puts another character in its place",
    "test_config.py::test_the_domainname": LATER,
    "test_process.py::test_duplicated_rlimits": "the last one counts",
    "test_process.py::test_io_priority": LATER,
    "test_process.py::test_an_unknown_io_priority": LATER,
    "test_process.py::test_scheduler": LATER,
    "test_process.py::test_an_unknown_scheduler": LATER,
    "test_mounts.py::test_defaults": "given to the file system as an option of its own, which refuses it",
    "test_mounts.py::test_an_idmapped_mount": LATER,
    "test_mounts.py::test_rootfs_propagation[shared]": "the root's mount is private",
    "test_mounts.py::test_rootfs_propagation[unbindable]": "made unbindable before it is bound: an error",
    "test_mounts.py::test_relative_paths": "takes them and masks nothing",
    "test_namespaces.py::test_mappings_without_namespace": "ignores the mappings",
    "test_namespaces.py::test_a_mapping_that_lacks_a_number[containerID]": "takes 0 for it",
    "test_namespaces.py::test_a_mapping_that_lacks_a_number[hostID]": "takes 0 for it",
    "test_namespaces.py::test_time_offsets": LATER.replace("ignored", "time is refused"),
    "test_namespaces.py::test_personality[LINUX32-i686]": LATER,
    "test_namespaces.py::test_an_unknown_personality": LATER,
    "test_devices.py::test_another_file_at_the_path": "leaves the file that is there",
    "test_devices.py::test_an_invalid_device[no path]": "takes it",
    "test_devices.py::test_a_device_without_numbers": "makes device 0:0",
    "test_cgroups.py::test_kernel_tcp": "ignores it",
    "test_cgroups.py::test_cpu_burst": LATER,
    "test_cgroups.py::test_cpu_idle": LATER,
    "test_seccomp.py::test_flags": "refuses flags as not yet supported",
    "test_seccomp.py::test_an_errno_for_allow": "ignores the errno",
    "test_seccomp.py::test_a_rule_without_names": "ignores the rule",
    "test_seccomp.py::test_metadata_without_listener": "ignores it",
    "test_hooks.py::test_the_operation_that_calls_a_hook[poststart]": "called by create",
    "test_hooks.py::test_order": "poststart comes before startContainer",
    "test_hooks.py::test_the_status_in_a_hook[poststart-statuses3]": "poststart is told created",
    "test_hooks.py::test_a_failing_hook_of_start": "start has ended before the hook has: exit code 0",
    "test_hooks.py::test_a_failing_poststart_hook": "create fails",
    "test_hooks.py::test_a_failing_poststop_hook": "the next hook is not called",
    "test_hooks.py::test_poststart_comes_after_the_program": "called by create",
}

DEVIATIONS: dict[str, dict[str, str]] = {"runc": _RUNC, "crun": {}, "tare-oci": {}}
