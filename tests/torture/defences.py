"""T9 turned round: take each defence away in a copy of the sources, and see its test fail.

    python -m tests.torture.defences [WORD]      those whose weakness has the WORD, else all

Exit 1 if a test passes without its defence, or fails with it.
"""

# It talks to whoever runs it:
# ruff: noqa: T201

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parents[2]
ESCAPES, LIFE = "tests/torture/test_escapes.py", "tests/privileged/test_oci_lifecycle.py"
BOX = "tests/privileged/test_container.py"
CONFINED, ENGINE = "tests/torture/test_confined.py", "tests/privileged/test_engine_options.py"
COPY = "tests/privileged/test_engine_copy.py"
CRASH = "tests/privileged/test_engine_crash.py"
ALONE = "tests/unit/runtime_oci/test_child_alone.py"
STARTER = "tests/privileged/test_starter.py"
UNWANTED = "tests/unit/runtime/test_child_unwanted.py"
BUILDS = "tests/torture/test_build_escapes.py"
# What is no link is found as ever without them: or every container would fail, and every test tell of it.
_OPENED = "            return syscalls.openat2(root, path, os.O_PATH, rules)\n"
_OPENED_OUTSIDE, _OPENED_ANYHOW = (
    _OPENED.replace("path,", 'path.lstrip("/") or ".",').replace("rules", f"rules & {kept}")
    for kept in ("~syscalls.RESOLVE_IN_ROOT", "syscalls.RESOLVE_NO_SYMLINKS")
)


@dataclass(frozen=True)
class Defence:
    """What `file` says against a weakness, what it says without the defence, and the test that tells."""

    weakness: str
    file: str
    text: str
    without: str
    test: str


DEFENCES = (
    Defence("CVE-2019-5736, a descriptor that can be written", "runtime/oci/airlock.py",
            "    fcntl.fcntl(fd, _ADD_SEALS, _SEAL_ALL)\n", "",
            f"{LIFE}::test_the_interpreter_is_out_of_reach"),
    Defence("CVE-2024-21626, a working directory through a descriptor", "runtime/oci/init.py",
            "        where = os.getcwd()\n", '        where = "/"\n',
            f"{LIFE}::test_a_working_directory_through_a_descriptor_is_refused"),
    Defence("CVE-2024-21626, leaked descriptors", "runtime/oci/init.py",
            '    syscalls.cloexec_from(3 + launch["keep"])\n', "",
            f"{LIFE}::test_only_the_asked_descriptors_arrive"),
    Defence("CVE-2019-19921, /proc and /sys as links", "runtime/rootfs/room.py",
            "        if not follow:\n", "        if not self.path:\n",
            f"{ESCAPES}::test_kernel_file_systems_behind_a_link"),
    Defence("CVE-2023-27561, /proc behind a link further up", "runtime/rootfs/room.py",
            "        if not follow:\n", "        if not self.path:\n",
            f"{ESCAPES}::test_proc_behind_a_link_further_up"),
    Defence("CVE-2019-16884, a volume over /proc", "runtime/rootfs/room.py",
            "and inside not in _COVERED:", "and not inside:", f"{ESCAPES}::test_volumes_over_proc"),
    Defence("CVE-2025-52881, a second procfs", "runtime/rootfs/room.py",
            "(in_proc or syscalls.filesystem_magic(fd) == resolve.PROC_MAGIC)", "in_proc",
            f"{ESCAPES}::test_a_second_proc_is_no_way_in"),
    Defence("a volume over the root itself", "runtime/rootfs/room.py",
            'if real == self.path or not real.startswith(base + "/"):', "if not real.startswith(base):",
            f"{ESCAPES}::test_the_root_itself_is_no_target"),
    Defence("CVE-2021-30465, links out of the root", "runtime/rootfs/resolve.py",
            _OPENED, _OPENED_OUTSIDE,
            f"{ESCAPES}::test_volumes_with_links_in_their_targets"),
    Defence("CVE-2021-30465, a path swapped meanwhile", "runtime/rootfs/room.py",
            "fd = resolve.make(self.root, target, directory=directory)",
            "os.close(resolve.make(self.root, target, directory=directory))\n"
            "        fd = os.open(self.path + target, os.O_PATH | os.O_CLOEXEC)\n"
            "        return fd", f"{ESCAPES}::test_300_starts_while_a_volume_path_is_swapped"),
    Defence("links in a walk by hand", "runtime/rootfs/resolve.py",
            "            while len(self.here) > 1:\n                os.close(self.here.pop())\n"
            "        self.todo",
            '            self.here.append(os.open("/", _STEP))\n        self.todo',
            f"{ESCAPES}::test_the_walk_by_hand_agrees_and_stays_inside"),
    Defence("/dev as a link to the host", "runtime/rootfs/resolve.py",
            _OPENED, _OPENED_OUTSIDE,
            f"{ESCAPES}::test_mount_on_dev_as_a_link_to_the_host"),
    Defence("CVE-2025-31133, /dev/null swapped before masking", "runtime/rootfs/shield.py",
            "    found = os.fstat(room.null)\n",
            '    room.null = syscalls.open_tree("/dev/null", recursive=False)\n'
            "    found = os.fstat(room.null)\n",
            f"{ESCAPES}::test_dev_null_swapped_before_masking"),
    Defence("CVE-2025-31133, a null device that is another file", "runtime/rootfs/shield.py",
            "    if not stat.S_ISCHR(found.st_mode) or found.st_rdev != _NULL:\n",
            "    if not found.st_mode:\n",
            f"{ESCAPES}::test_a_null_device_that_is_another_file"),
    Defence("CVE-2025-31133, a borrowed device that is another file", "runtime/rootfs/nodes.py",
            "    if stat.S_IFMT(found.st_mode) != kind or found.st_rdev != number:\n",
            "    if not found.st_mode:\n",
            f"{ESCAPES}::test_a_borrowed_device_that_is_another_file"),
    Defence("a device in the place of a link", "runtime/rootfs/nodes.py",
            "        _same(folder, name, path, KINDS[kind], device)\n", "        return\n",
            f"{ESCAPES}::test_device_in_the_place_of_a_link"),
    Defence("magic links of /proc", "runtime/rootfs/resolve.py",
            _OPENED, _OPENED_ANYHOW,
            f"{ESCAPES}::test_magic_links_lead_nowhere"),
    Defence("copying up through a link", "runtime/rootfs/copyup.py",
            "found = os.stat(name, dir_fd=source, follow_symlinks=False)",
            "found = os.stat(name, dir_fd=source, follow_symlinks=True)",
            f"{ESCAPES}::test_copying_up_follows_no_link"),
    Defence("masked paths", "runtime/rootfs/plan.py", "*map(Mask, MASKED)", "*map(Mask, ())",
            f"{BOX}::test_kernel_paths_are_masked_and_readonly"),
    Defence("read-only paths", "runtime/rootfs/plan.py", "*map(Readonly, READONLY)", "*map(Readonly, ())",
            f"{BOX}::test_kernel_paths_are_masked_and_readonly"),
    Defence("capabilities", "runtime/process/identity.py",
            '                call("prctl", _PRCTL, syscalls.PR_CAPBSET_DROP, number)\n',
            "                pass\n",
            f"{BOX}::test_capabilities_and_no_new_privileges"),
    Defence("no new privileges", "runtime/process/identity.py",
            '            call("prctl", _PRCTL, syscalls.PR_SET_NO_NEW_PRIVS, 1)\n', "            pass\n",
            f"{BOX}::test_capabilities_and_no_new_privileges"),
    Defence("a filter of system calls", "runtime/process/init.py",
            "        work.kind.filter.load()", "        pass",
            f"{BOX}::test_a_filter_of_system_calls_is_there_from_the_first_instruction_on"),
    Defence("CVE-2024-21626, a working directory through a preserved descriptor", "runtime/oci/init.py",
            "        where = os.getcwd()\n", '        where = "/"\n',
            f"{CONFINED}::test_no_working_directory_through_a_preserved_descriptor"),
    Defence("CVE-2024-21626, an exec's working directory through one", "runtime/oci/init.py",
            "        where = os.getcwd()\n", '        where = "/"\n',
            f"{CONFINED}::test_no_working_directory_of_an_exec_through_one"),
    Defence("leaked descriptors beside preserved ones", "runtime/oci/init.py",
            '    syscalls.cloexec_from(3 + launch["keep"])\n', "",
            f"{CONFINED}::test_as_many_descriptors_arrive_as_were_asked_for"),
    Defence("leaked descriptors of an exec", "runtime/oci/init.py",
            '    syscalls.cloexec_from(3 + launch["keep"])\n', "",
            f"{CONFINED}::test_a_further_process_gets_no_more_of_them"),
    Defence("mknod with the capability", "runtime/cgroups/devices.py",
            'steps(room.spot("devices", WHERE), [*before, *rules, *DEFAULTS])', "[]",
            f"{CONFINED}::test_a_node_that_was_made_opens_no_device"),
    Defence("mknod where no rule is", "runtime/cgroups/devices.py",
            "before = () if rules and rules[0].everything else (CLOSED,)", "before = ()",
            f"{CONFINED}::test_a_node_opens_no_device_where_no_rule_is_either"),
    Defence("mknod by an exec", "runtime/oci/exec.py",
            "(_born_in(held), _joined(held))", "(_born_in(held), [])",
            f"{CONFINED}::test_a_further_process_opens_no_device_either"),
    Defence("mknod without the capability", "runtime/oci/init.py",
            '    capabilities.prepare(launch["last"], sets)\n', "",
            f"{CONFINED}::test_no_node_without_its_capability"),
    Defence("capabilities that were not given", "runtime/oci/init.py",
            '    capabilities.prepare(launch["last"], sets)\n', "",
            f"{CONFINED}::test_no_capability_but_the_given_ones"),
    Defence("capabilities of an exec", "runtime/oci/init.py",
            '    capabilities.prepare(launch["last"], sets)\n', "",
            f"{CONFINED}::test_an_exec_gets_no_capability_more"),
    Defence("no new privileges, by the specification", "runtime/oci/init.py",
            "        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)\n", "",
            f"{CONFINED}::test_a_set_user_id_program_gives_nothing"),
    Defence("seccomp, with no-new-privs", "runtime/oci/init.py",
            "        if filtered:\n            _load(launch, line)\n", "",
            f"{CONFINED}::test_a_filtered_call_fails"),
    Defence("seccomp, without no-new-privs", "runtime/oci/init.py",
            "        capabilities.regain()\n        _load(launch, line)\n", "        pass\n",
            f"{CONFINED}::test_a_filtered_call_fails"),
    Defence("seccomp of an exec", "runtime/oci/exec.py",
            '{"seccomp": linux.get("seccomp"), ', '{',
            f"{CONFINED}::test_a_further_process_has_the_filter"),
    Defence("masked paths, by the specification", "runtime/rootfs/oci_plan.py",
            '("cover", "maskedPaths")', '("cover", "none")',
            f"{CONFINED}::test_masked_and_readonly_paths"),
    Defence("read-only paths, by the specification", "runtime/rootfs/oci_plan.py",
            '("shield", "readonlyPaths")', '("shield", "none")',
            f"{CONFINED}::test_masked_and_readonly_paths"),
    Defence("seccomp, docker's profile", "runtime/engine/bundle.py",
            '{**found, "seccomp": seccomp} if seccomp else found', "found",
            f"{ENGINE}::test_the_default_profile_and_what_lifts_it"),
    Defence("a device that was not given", "runtime/engine/bundle.py",
            "    found = [_DENY]\n", "    found = [_ALLOW]\n",
            f"{ENGINE}::test_a_device_that_was_not_given"),
    Defence("volumes through links", "runtime/rootfs/plan.py",
            "    outside = Sequence.of(steps.Private(), overlay, *held, steps.Pivot(ROOT))\n",
            "    binds = [one for one in mounts if isinstance(one, Bind)]\n"
            "    early = [Attach(str(one.source), ROOT + one.target) for one in binds]\n"
            "    mounts = tuple(one for one in mounts if isinstance(one, Tmpfs))\n"
            "    outside = Sequence.of(steps.Private(), overlay, *held, *early, steps.Pivot(ROOT))\n",
            f"{BOX}::test_a_hostile_link_in_the_image_cannot_redirect_a_mount"),
    Defence("a read-only volume", "runtime/rootfs/assemble.py",
            "        _check(mounts.seal(target), target)\n\n\ndef _device", "        pass\n\n\ndef _device",
            f"{BOX}::test_binds_stay_inside_and_obey_readonly"),
    Defence("CVE-2018-15664, copying through a link", "runtime/engine/copying.py",
            '    os.chroot(".")\n', "", f"{COPY}::test_no_link_of_the_container_leads_out"),
    Defence("child killed with a lock that its starter waits for", "runtime/process/spawner.py",
            "            if self.watch.due():\n                self._look()\n", "",
            f"{STARTER}::test_a_starter_that_does_not_go_on_after_its_childs_death_is_replaced"),
    Defence("starter killed twice", "runtime/process/client.py", "_STARTERS = 3 ", "_STARTERS = 1 ",
            f"{STARTER}::test_an_idle_starter_that_is_killed_is_replaced"),
    Defence("zombies of refused starts", "runtime/process/spawner.py",
            '            os.waitpid(note["ended"], 0)\n', "            pass\n",
            f"{STARTER}::test_a_refused_start_leaves_no_zombie"),
    Defence("keeper killed in a start", "runtime/engine/keeper.py",
            "        record.sweep(self.places.oci)\n", "        return\n",
            f"{CRASH}::test_a_keeper_killed_during_a_start_leaves_a_container_that_starts"),
    Defence("keeper killed in a restart", "runtime/engine/restarts.py",
            '    return policy["Name"] in _ALWAYS\n', "    return False\n",
            f"{CRASH}::test_a_keeper_killed_in_a_restart_starts_it_again"),
    Defence("keeper killed beside a network", "runtime/engine/worker.py",
            "        network.detach(places.run, container)\n", "        pass\n",
            f"{CRASH}::test_a_keeper_killed_beside_published_ports_leaves_no_network"),
    Defence("keeper killed before a removal", "runtime/engine/ward.py",
            '        self.take_down(remove=self._settings()["AutoRemove"] and not self._again())\n',
            "        self.take_down(remove=False)\n", f"{CRASH}::test_what_had_ended_keeps_its_code"),
    Defence("client killed in a creation", "runtime/engine/documents.py",
            "        if abandoned(places, holder):\n", "        if not holder:\n",
            f"{CRASH}::test_a_client_killed_at_any_step_of_a_creation_takes_no_name"),
    Defence("keeper killed in a removal", "runtime/engine/keeper.py",
            "        documents.sweep(self.places)\n", "",
            f"{CRASH}::test_half_a_removal_is_finished_by_the_next_keeper"),
    Defence("client killed before it is answered", "runtime/engine/keeper.py",
            "        except OSError:  # it has gone, or reads nothing\n", "        except TimeoutError:\n",
            f"{CRASH}::test_a_client_that_goes_before_it_is_greeted_is_dropped"),
    Defence("client slow in a creation", "runtime/engine/documents.py",
            "    except BlockingIOError:\n        return False\n",
            "    except BlockingIOError:\n        return True\n",
            f"{CRASH}::test_a_client_that_is_still_at_it_keeps_its_name"),
    Defence("reader killed", "runtime/engine/streams.py",
            '                self.pending = b""\n                return False\n', "                raise\n",
            f"{CRASH}::test_a_reader_that_goes_while_there_is_something_to_tell_it_is_dropped"),
    Defence("parent killed before its child looks", "runtime/oci/init.py",
            '    for fd in launch["close"]:  # first: only so does the wait end if the parent has died '
            'before that\n        os.close(fd)\n    launch["state"]["pid"] = line.begin()\n',
            '    launch["state"]["pid"] = line.begin()\n'
            '    for fd in launch["close"]:\n        os.close(fd)\n',
            f"{ALONE}::test_a_child_whose_parent_has_died_before_it_looked_ends"),
    Defence("spawner killed before its child looks", "runtime/process/init.py",
            "    _while_wanted(work.sync, inherited.spawner)  # or a prune may have been there\n",
            "    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)\n",
            f"{UNWANTED}::test_a_child_whose_makers_died_first_makes_no_record"),
    Defence("keeper killed under a client", "runtime/engine/client.py",
            '            raise RuntimeFault(f"the keeper (process {self.keeper}) has died", hint=hint)\n',
            '            return {"exit": {"ExitCode": 0, "OOMKilled": False}}, []\n',
            f"{CRASH}::test_a_client_whose_keeper_is_killed_ends"),
    Defence("half a container", "runtime/engine/keeper.py",
            '            documents.remove(self.places, message["id"])\n', "",
            f"{CRASH}::test_a_container_that_was_half_made_is_removed_by_force"),
    Defence("CVE-2024-9675, a build's cache mount named after a directory", "runtime/builder/mounted.py",
            'hashlib.sha256(f"{mount.id}{seed}{private}".encode(errors="surrogateescape")).hexdigest()',
            'f"{mount.id}{seed}{private}"', f"{BUILDS}::test_a_cache_mount_stays_in_its_place"),
    Defence("a build's context with links out of it", "runtime/builder/context.py",
            "    mode = member.stat(follow_symlinks=False).st_mode\n",
            "    mode = member.stat(follow_symlinks=True).st_mode\n",
            f"{BUILDS}::test_links_out_of_the_context_are_copied_as_links"),
    Defence("a build's context walked through links", "runtime/builder/context.py",
            "is_directory = member.is_dir(follow_symlinks=False)", "is_directory = member.is_dir()",
            f"{BUILDS}::test_links_out_of_the_context_are_copied_as_links"),
    Defence("a build's context that changes meanwhile", "runtime/builder/context.py",
            "place = resolve.find(root, entry.path, follow=False)",
            "place = os.open(self.root / entry.path, os.O_PATH)",
            f"{BUILDS}::test_a_context_that_changes_once_it_is_listed"),
    Defence("a build's sources behind a link of a stage", "runtime/builder/context.py",
            '            if entry.kind == "link":\n', "            if not entry:\n",
            f"{BUILDS}::test_links_of_a_stage_lead_nowhere_else"),
    Defence("a build's bind mount that writes to the context", "runtime/builder/mounted.py",
            "self._bind(self._taken(mount, context), target", "self._bind(context.root, target",
            f"{BUILDS}::test_a_bind_mount_leaves_the_context_alone"),
    Defence("a build's files put through a link of the image", "runtime/builder/tree.py",
            "elif node and node[0].is_symlink():", "elif not self:",
            f"{BUILDS}::test_what_is_copied_through_a_link_of_the_image"),
    Defence("a build's Dockerfile behind a link of a packed context", "bench/cli/build_input.py",
            'else _inside(tree, name)\n', "else _read(tree / name)\n",
            f"{BUILDS}::test_links_of_a_packed_context_lead_nowhere_else"),
    Defence("a build's .dockerignore behind a link of a packed context", "bench/cli/build_input.py",
            "    _refuse_links(tree, name)\n", "",
            f"{BUILDS}::test_links_of_a_packed_context_lead_nowhere_else"),
)  # fmt: skip


def main(words: list[str]) -> int:
    """Try each; return 1 if any test does not tell."""
    wanted = [one for one in DEFENCES if not words or words[0] in one.weakness]
    with tempfile.TemporaryDirectory(prefix="defences-", ignore_cleanup_errors=True) as folder:
        copy = _copy(Path(folder))
        bad = [one for one in wanted if not _tells(one, copy)]
    print(f"{len(wanted) - len(bad)} of {len(wanted)} defences have a test that fails without them")
    return 1 if bad else 0


def _copy(folder: Path) -> Path:
    folder.chmod(0o755)  # ordinary users run a part of it
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=SOURCES, capture_output=True, check=True, text=True
    ).stdout
    for name in filter(None, names.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(SOURCES / name, folder / name, follow_symlinks=False)
    return folder


def _tells(defence: Defence, copy: Path) -> bool:
    file = copy / defence.file
    whole = file.read_text()
    if whole.count(defence.text) != 1:
        print(f"{defence.weakness}: {defence.file} does not say {defence.text!r} once")
        return False
    passed, last = _passes(defence.test, copy)
    if not passed:
        print(f"{defence.weakness}: {defence.test} fails with its defence: {last}")
        return False
    file.write_text(whole.replace(defence.text, defence.without))
    try:
        still, last = _passes(defence.test, copy)
    finally:
        file.write_text(whole)
    print(f"{defence.weakness}: {'STILL PASSES' if still else 'fails as it must'}: {last}", flush=True)
    return not still and "failed" in last


def _passes(test: str, copy: Path) -> tuple[bool, str]:
    """Whether the test passes, and the last line of its output."""
    words = [sys.executable, "-B", "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", test]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            words, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
    except subprocess.TimeoutExpired:
        return False, "it hangs"
    return done.returncode == 0, (done.stdout.splitlines() or [done.stderr[-200:]])[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
