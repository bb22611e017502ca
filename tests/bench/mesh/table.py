"""The figures to reach, and what was measured, as one markdown table."""
import statistics

MISSED = " ✗"
NONE = "—"


class Row:
    """One measure. `of(result)`: its number or None. `target`: (text, number, sizes it holds for;
    none = all) or None; a number above it is missed."""

    def __init__(self, title, of, form, target=None):
        self.title = title
        self.of = of
        self.form = form
        self.target = target

    def value(self, result):
        try:
            return self.of(result)
        except KeyError:
            return None

    def missed(self, result):
        if self.target is None or result["system"] != "clarity":
            return False
        sizes, value = self.target[2], self.value(result)
        return value is not None and value > self.target[1] and \
            (not sizes or result["nodes"] in sizes)

    def cell(self, result):
        value = self.value(result)
        if value is None:
            return NONE
        if value == float("inf"):
            text = f"> {result['limit_s']:.0f}"
        else:
            text = self.form.format(value)
        return text + (MISSED if self.missed(result) else "")


def _each(key, pick):
    """A list's slowest or middle; one that was not within the limit counts as endless."""
    def of(result):
        values = [float("inf") if each is None else each for each in result[key]]
        return pick(values) if values else None
    return of


def _key(key, scale=1.0):
    def of(result):
        value = result[key]
        return None if value is None else value * scale
    return of


ROWS = [
    Row("start after a power cut, all see all: slowest, s", _each("start_s", max), "{:.1f}",
        ("< 5 (64, 128)", 5, (64, 128))),
    Row("the same: median, s", _each("start_s", statistics.median), "{:.1f}"),
    Row("an update reaches all: slowest, s", _each("update_s", max), "{:.2f}",
        ("< 0.6 (128)", 0.6, (16, 64, 128))),
    Row("the same: median, s", _each("update_s", statistics.median), "{:.2f}"),
    Row("`kill -9` seen by all: slowest, s", _each("kill_s", max), "{:.1f}", ("≤ 6", 6, ())),
    Row("the same: median, s", _each("kill_s", statistics.median), "{:.1f}"),
    Row("started again, alive to all: slowest, s", _each("back_s", max), "{:.1f}"),
    Row("idle LAN traffic per node, kbit/s", _key("lan_kbit_s"), "{:.1f}", ("≤ 8", 8, ())),
    Row("the same: packets/s", _key("lan_packets_s"), "{:.1f}"),
    Row("idle: CPU, % of a core, mean", _key("cpu_percent"), "{:.2f}", ("≤ 0.3 (64)", 0.3, (64,))),
    Row("idle: CPU, % of a core, worst", _key("cpu_percent_max"), "{:.2f}"),
    Row("idle: wake-ups/s", _key("wakeups_s"), "{:.0f}"),
    Row("idle: resident, mean, MB", _key("rss", 1 / 1024), "{:.1f}"),
    Row("idle: resident, worst, MB", _key("rss_max", 1 / 1024), "{:.1f}",
        ("≤ 32 (64)", 32, (64,))),
    Row("idle: resident and not shared, mean, MB", _key("private", 1 / 1024), "{:.1f}"),
    Row("idle: TCP connections per node", _key("connections"), "{:.1f}"),
    Row("20 % loss, a plan reaches 99 %: slowest, s", _each("plan_99_s", max), "{:.2f}",
        ("≤ 2 (10,000)", 2, (10_000,))),
    Row("20 % loss, a plan reaches all: slowest, s", _each("plan_all_s", max), "{:.2f}",
        ("≤ 3 (10,000)", 3, (10_000,))),
]


def heading(result):
    name = {"clarity": "Clarity"}.get(result["system"], result["system"])
    simulated = ", simulated" if result.get("simulated") else ""
    return f"{name}, N = {result['nodes']:,}{simulated}"


def markdown(results):
    rows = [row for row in ROWS if any(row.value(each) is not None for each in results)]
    lines = ["| measure | target | " + " | ".join(map(heading, results)) + " |",
             "| --- | --- " + "| --- " * len(results) + "|"]
    for row in rows:
        target = row.target[0] if row.target else ""
        lines.append(f"| {row.title} | {target} | "
                     + " | ".join(row.cell(each) for each in results) + " |")
    return "\n".join(lines)


def misses(results):
    """One line per target missed."""
    return [f"{row.title}: {row.cell(each).removesuffix(MISSED)} at {heading(each)}, "
            f"target {row.target[0]}"
            for row in ROWS for each in results if row.missed(each)]
