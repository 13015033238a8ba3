"""Readings of a run, for assertions."""

from collections import Counter


def all_samples(run):
    return [(m, sample) for m in run.measurements for sample in m.samples]


def counted(run, metric):
    return Counter(m.target for m, s in all_samples(run) if m.metric == metric and not s.warmup)


def figures(run, target, **params):
    return {
        m.metric: [sample.value for sample in m.samples]
        for m in run.measurements
        if m.target == target and params.items() <= m.params.items()
    }


def in_order(run, metric):
    found = [(s.round, s.position, m.target, s.at) for m, s in all_samples(run) if m.metric == metric]
    return sorted(found)
