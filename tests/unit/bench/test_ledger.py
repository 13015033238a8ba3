import mmap
import os
import threading

import pytest

from bench import ledger
from bench.ledger import Charged, Host, Processes

KIB, MIB = 1024, 1024**2
ROLLUP = """55d0a000-7ffd4000 ---p 00000000 00:00 0                          [rollup]
Rss:                2840 kB
Pss:                {pss} kB
Pss_Dirty:           100 kB
Pss_Anon:            {anon} kB
Shared_Clean:       2700 kB
Private_Clean:       {clean} kB
Private_Dirty:       {dirty} kB
"""
STATUS = "Name:\tVmPTE: 99 kB\nUmask:\t0022\nVmSize:\t    2840 kB\nVmPTE:\t      {tables} kB\nThreads:\t1\n"
V1 = """cache 5242880
rss 1048576
rss_huge 0
shmem 1048576
hierarchical_memory_limit 9223372036854771712
total_cache 6291456
total_rss 2097152
total_shmem 2097152
"""
V2 = "anon 2097152\nfile 6291456\nkernel 524288\nkernel_stack 16384\npagetables 32768\nshmem 2097152\n"


@pytest.fixture
def proc(tmp_path):
    for pid, figures in {11: (300, 200, 10, 20, 40), 12: (700, 500, 1, 2, 60)}.items():
        pss, anon, clean, dirty, tables = figures
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "smaps_rollup").write_text(ROLLUP.format(pss=pss, anon=anon, clean=clean, dirty=dirty))
        (folder / "status").write_text(STATUS.format(tables=tables))
    (tmp_path / "meminfo").write_text("MemTotal: 2000 kB\nMemFree: 5 kB\nMemAvailable:    1500 kB\n")
    return tmp_path


def group(folder, **files):
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


@pytest.fixture
def v1(tmp_path):
    return group(tmp_path / "v1", memory__stat=V1, **{"memory.kmem.usage_in_bytes": "524288\n"})


@pytest.fixture
def v2(tmp_path):
    return group(tmp_path / "v2", memory__stat=V2, memory__current="9000000\n")


def test_processes_are_summed_in_bytes(proc):
    assert ledger.processes([11, 12], proc) == Processes(
        pss=1000 * KIB, pss_anon=700 * KIB, uss=33 * KIB, page_tables=100 * KIB, rss=2 * 2840 * KIB
    )


def test_a_process_that_has_ended_counts_as_nothing(proc):
    assert ledger.processes([11, 404], proc) == ledger.processes([11], proc)
    assert ledger.processes([], proc) == Processes(0, 0, 0, 0, 0)


def test_a_kernel_that_does_not_split_pss_gives_what_is_anonymous(proc):
    rollup = (proc / "11/smaps_rollup").read_text().replace("Pss_Anon: ", "Anonymous:")
    (proc / "11/smaps_rollup").write_text(rollup)
    assert ledger.processes([11], proc).pss_anon == 200 * KIB


def test_a_kernel_thread_has_no_memory_of_its_own(proc):
    (proc / "11/smaps_rollup").write_text("")
    assert ledger.processes([11], proc) == Processes(0, 0, 0, 40 * KIB, 0)


def test_memory_that_this_process_touches_shows_in_its_own_ledger():
    before = ledger.processes([os.getpid()])
    with mmap.mmap(-1, 16 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        for offset in range(0, len(block), mmap.PAGESIZE):
            block[offset] = 1
        after = ledger.processes([os.getpid()])
    for grown in (after.uss - before.uss, after.pss - before.pss, after.pss_anon - before.pss_anon):
        assert 15 * MIB < grown < 20 * MIB
    assert after.page_tables >= before.page_tables > 0


def test_version_1_counts_the_subtree_and_takes_shmem_out_of_the_cache(v1):
    assert ledger.charged([v1]) == Charged(anon=2 * MIB, file=4 * MIB, kernel=MIB // 2, shmem=2 * MIB)


def test_version_2_gives_the_same_figures_for_the_same_use(v1, v2):
    assert ledger.charged([v2]) == ledger.charged([v1])


def test_cgroups_add_up_whatever_their_version(v1, v2):
    assert ledger.charged([v1, v2, v2]) == Charged(6 * MIB, 12 * MIB, 3 * MIB // 2, 6 * MIB)
    assert ledger.charged([]) == Charged(0, 0, 0, 0)


def test_an_old_kernel_without_a_sum_of_its_memory_gets_one(tmp_path):
    stat = (
        "anon 1\nfile 2\nkernel_stack 16384\npagetables 32768\npercpu 100\nslab 1000\nslab_reclaimable 400\n"
    )
    old = group(tmp_path / "old", memory__stat=stat + "sock 7\n", memory__current="1\n")
    assert ledger.charged([old]).kernel == 16384 + 32768 + 100 + 1000


def test_the_host_is_read_in_bytes_and_its_counters_are_folded_first(proc, tmp_path):
    ksm = group(tmp_path / "ksm", pages_sharing="3\n", pages_shared="1\n")
    assert ledger.host(proc, ksm) == Host(available=1500 * KIB, ksm_shared=3 * 4096)
    assert ledger.host(proc, tmp_path / "nothing") == Host(1500 * KIB, 0)


def test_the_counters_are_folded_before_the_figures_are_read(proc, tmp_path):
    trigger = proc / "sys/vm/stat_refresh"
    trigger.parent.mkdir(parents=True)
    os.mkfifo(trigger)  # whoever reads it waits until the writer below has closed it

    def fold():
        with trigger.open("w"):
            (proc / "meminfo").write_text("MemAvailable: 77 kB\n")

    kernel = threading.Thread(target=fold, daemon=True)
    kernel.start()
    assert ledger.host(proc, tmp_path).available == 77 * KIB
    kernel.join()


def test_this_host_can_be_read():
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < ledger.host().available <= total


@pytest.mark.parametrize(("available", "rest"), [(100, 0), (90, 10), (130, -30)])
def test_what_no_cgroup_accounts_for_leaves_page_cache_out(available, rest):
    cost = Charged(anon=50, file=10**9, kernel=30, shmem=20)
    assert ledger.unexplained(Host(200, 0), Host(available, 0), cost) == rest
