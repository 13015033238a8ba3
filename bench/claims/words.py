"""Verdicts in words, English and Chinese."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Any, Literal

from bench.claims import part_names

if TYPE_CHECKING:
    from collections.abc import Mapping

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

SAYINGS: Mapping[str, tuple[str, str]] = {
    "supported": ("supported", "成立"),
    "refuted": ("refuted", "不成立"),
    "partly": ("partly", "部分成立"),
    "not evaluable here": ("not evaluable here", "此处无法评估"),
    "preliminary": ("(preliminary)", "(初步)"),
    "a-fortiori": ("a fortiori, since emulation only slows down", "仿真只会更慢, 故更加如此"),
    "control": ("control", "对照"),
    "claim": ("CLAIM", "论断"),
    "verdict": ("VERDICT", "结论"),
    "evidence": ("EVIDENCE", "证据"),
    "flip": ("WOULD FLIP IT", "何种结果会改变结论"),
    "data": ("SHA-256 OF THE RAW DATA", "原始数据的 SHA-256"),
    "repeat": ("REPEAT WITH", "重复命令"),
    "ready": (
        "ready: the first correct reply of the workload, time-stamped when the host reads it",
        "就绪: 工作负载的首次正确应答, 以主机读到它的时刻为准",
    ),
    "median": ("median", "中位数"),
    "p95": ("p95", "p95"),
    "slope": ("cost per instance", "每实例开销"),
    "slope-size": ("cost per byte", "每字节开销"),
    "slope-layers": ("cost per layer", "每层开销"),
    "share": ("share of the runs in which it holds", "成立的运行所占比例"),
    "ratio": ("ratio of medians", "中位数之比"),
    "to": ("to", "至"),
    "flips-at": ("flips at", "界限"),
    "below": ("{} orders of magnitude below that", "低于界限 {} 个数量级"),
    "above": ("{} orders of magnitude above that", "高于界限 {} 个数量级"),
    "and": ("and", "与"),
    "excluded": ("{} samples were disturbed and are set aside", "{} 个受干扰的样本已排除"),
    "no-scenario": ("Tare has no scenario for it yet", "Tare 尚无相应的场景"),
    "no-target": ("a target is missing: {}", "缺少目标: {}"),
    "failed": ("it could not be measured: {}", "测量失败: {}"),
    "not-measured": ("there are no samples of {}", "没有 {} 的样本"),
    "few-runs": ("too few runs for an interval of the {}", "运行次数太少, 无法得到{}的区间"),
    "few-occasions": (
        "it held, on {} occasions: fewer than were fixed beforehand",
        "成立, 但只有 {} 次, 少于预先规定的次数",
    ),
    "few-counted": (
        "it held, but of the runs that were fixed beforehand only {} count, less than three quarters",
        "成立, 但预先规定的运行中只有 {} 计入, 不足四分之三",
    ),
    "low-level": ("more runs are needed: the interval has only {}", "需要更多次运行: 区间的置信水平仅为 {}"),
    "undecided": (
        "the interval reaches the limit or clears it by a tenth of its width at most: repeat on a quiet host",
        "区间跨越界限, 或与界限的距离不超过其宽度的十分之一: 请在更安静的主机上重复",
    ),
    "undecided-jointly": (
        "beyond the limit alone; judged with all parts {}, which reaches it or all but: more runs are needed",
        "单独看已超出界限; 与各部分一并判定时为 {}, 跨越界限或过于接近: 需要更多次运行",
    ),
    "not-by-few": (
        "within the limit, which so few runs may be by luck: only the full evaluation, no --fast, decides it",
        "在界限之内, 但运行次数太少, 可能出于偶然: 只有不带 --fast 的完整评估才能支持它",
    ),
    "beyond-by-few": (
        "beyond the limit, which so few runs may be by luck: only the full evaluation, no --fast, decides it",
        "超出界限, 但运行次数太少, 可能出于偶然: 只有不带 --fast 的完整评估才能判定",
    ),
    "beyond": (
        "faster in the box by more than the margin, so the comparison itself is in doubt",
        "容器内快出界限以上, 比较本身可疑",
    ),
    "emulated": (
        "hardware virtualization is missing, the samples are of {}: a host whose KVM boots a guest is needed",
        "缺少硬件虚拟化, 样本来自 {}: 需要 KVM 能启动虚拟机的主机",
    ),
    "unshown": (
        "hardware virtualization is missing, and a run under {} would decide nothing: none was taken",
        "缺少硬件虚拟化, {} 下的运行无法作出判断, 故未进行",
    ),
    "unlike-itself": (
        "A/A gate: {} is not like itself in this run; a quieter host is needed",
        "A/A 检验: {} 在本次运行中与自身不一致; 需要更安静的主机",
    ),
}


def say(code: str, lang: Language) -> str:
    """Return a word or sentence in one of the languages."""
    return SAYINGS[code][LANGUAGES.index(lang)]


def heading(record: Mapping[str, Any], lang: Language) -> str:
    """Return the verdict in words, marked when it is preliminary."""
    words = say(record["verdict"], lang)
    return f"{words} {say('preliminary', lang)}" if record["preliminary"] else words


def evidence(part: Mapping[str, Any], lang: Language) -> str:
    """Return one line on a part: what was found, how well it is known, where it flips, what is missing."""
    name = part_names.in_(part["part"], lang)
    if part["role"] == "control":
        name += f" [{say('control', lang)}]"
    pieces = [piece for piece in (_figure(part, lang), _why(part, lang)) if piece]
    if part["excluded"]:
        pieces.append(say("excluded", lang).format(part["excluded"]))
    if part["a_fortiori"]:
        pieces.append(say("a-fortiori", lang))
    return f"{name}: {say(part['verdict'], lang)}; {'; '.join(pieces)}"


def _why(part: Mapping[str, Any], lang: Language) -> str:
    if not part["why"]:
        return ""
    detail = part["detail"]
    return say(part["why"], lang).format(say(detail, lang) if detail in SAYINGS else detail)


def _figure(part: Mapping[str, Any], lang: Language) -> str:
    if part["value"] is None:
        return ""
    unit = "" if part["unit"] in {"1", "count"} else part["unit"]
    if (part["of"], part.get("over")) == ("slope", "size"):
        unit += "/B"
    box = "/".join(filter(None, (part["target"], part["baseline"])))
    accelerators = "".join(f" ({one})" for one in part["accelerators"])
    of = say(named(part["of"], part.get("over", "n")), lang)
    what = f"{part['scenario']} {part['metric']} {box}{accelerators}: {of}"
    limits = f" {say('and', lang)} ".join(amount(one, unit) for one in part["flips_at"])
    found = f"{amount(part['value'], unit)} {_interval(part, unit, lang)}"
    return ", ".join(filter(None, (f"{what} {found}", f"{say('flips-at', lang)} {limits}", _far(part, lang))))


def _far(part: Mapping[str, Any], lang: Language) -> str:
    """Return how far a figure is from its limit, where that is an order of magnitude or more."""
    value, limits = part["value"], part["flips_at"]
    if part["of"] == "share" or len(limits) != 1 or min(value, *limits) <= 0:
        return ""
    orders = log10(value / limits[0])
    code = "below" if orders < 0 else "above"
    return say(code, lang).format(f"{abs(orders):.1f}") if abs(orders) >= 1 else ""


def named(of: str, over: str) -> str:
    """Return the code of what a figure is: a slope is named after what it is over."""
    return of if of != "slope" or over == "n" else f"slope-{over}"


def _interval(part: Mapping[str, Any], unit: str, lang: Language) -> str:
    if part["low"] is None or part["of"] == "share":
        return f"(n = {part['n']})"
    ends = f"{amount(part['low'], unit)} {say('to', lang)} {amount(part['high'], unit)}"
    return f"({ends}, {part['level']:.0%}, n = {part['n']})"


def amount(value: float, unit: str) -> str:
    """Return a figure with its unit; bytes as MiB."""
    if unit == "B":
        return f"{value / 2**20:.4g} MiB"
    return f"{value:.4g} {unit}".strip()
