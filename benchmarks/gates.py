"""What each row must reach, as data, and whether it does. Every figure: less is better."""

# A gate: our median may be at most `limit` times that of `than`, in the same run. `than` is a peer, "best" (the better of
# CAF and OTP), another row of ours ("pingpong on 1"), or None: the limit is an amount of the row's unit.
# Where the budget names no number of workers it is one, as for the peers' figures beside it.
GATES = {
    ("pingpong", 1): [(2.5, "floor"), (1 / 8, "caf"), (1 / 5, "otp")],
    ("ring", 1): [(1.2, "pingpong on 1")],
    ("pairs", 1): [(1 / 0.45, "floor"), (1 / 8, "best")],
    ("pairs", 2): [(1 / 0.45, "floor"), (1 / 8, "best"), (1 / 1.5, "pairs on 1")],
    ("fanin", 1): [(1 / 0.45, "floor"), (1 / 4, "otp")],
    ("fanin", 2): [(1, "floor"), (1 / 2.5, "best")],
    ("fjthroughput", 1): [(1 / 3, "otp")],
    ("fjcreate", 1): [(1 / 2.5, "otp")],
    ("spawn", 1): [(3.5, "floor"), (1 / 5, "caf")],
    ("spawn_bytes", 1): [(224, None)],
    ("spawn_bytes_named", 1): [(224 + 96, None)],
    ("bytes_coroutine", 1): [(224 + 768, None)],
    ("bytes_fiber", 1): [(224 + 8 * 1024, None)],
    ("bytes_process", 1): [(224 + 8 * 1024, None)],
    ("stop", 1): [(14, "floor"), (1 / 3, "otp")],
    ("fib", 1): [(1 / 4, "caf")],
    ("counting", 1): [(1 / 1.8, "otp")],
    ("big", 1): [(1 / 3.5, "otp")],
    ("banking", 1): [(1 / 4, "otp")],
    ("chameneos", 1): [(1 / 3, "otp")],
    ("radix", 1): [(1 / 2, "otp")],
    ("ask1", 1): [(1 / 6, "caf"), (1 / 5, "otp")],
    ("ask100", 1): [(1 / 4, "best")],
    ("outside_ask", 1): [(1.3, "floor")],
    ("restart_1k", 1): [(1 / 0.7, "caf")],
    # OTP's is slow when there are many; ours is to be the same for few and many, but for noise
    ("restart_100k", 1): [(1 / 0.7, "caf"), (1 / 20, "otp"), (1.2, "restart_1k on 1")],
    ("timers_create", 2): [(2.2, "floor")],
    ("timers_bytes", 2): [(112, None)],
    ("timers_cpu", 2): [(4.7, "floor")],
    ("remote_oneway64", 1): [(2, "asio"), (1 / 5, "otp")],
    ("remote_oneway64", 2): [(2, "asio"), (1 / 5, "otp")],
    ("remote_rt_p50", 1): [(1.5, "asio")],
    ("remote_rt_p99", 1): [(1, "otp")],
    ("remote_rt_p50", 2): [(1.5, "asio")],
    ("remote_rt_p99", 2): [(1, "otp")],
    ("load50k_p50", 2): [(1, "best")],
    ("load50k_p99", 2): [(1, "best")],
    ("load50k_p999", 2): [(1, "best")],
    ("load200k_p50", 2): [(1, "best")],
    ("load200k_p99", 2): [(1, "best")],
    ("load200k_p999", 2): [(1, "best")],
}


def compared_with(than, row, rows):
    """The median a limit is a multiple of; None when this run didn't measure it."""
    if than is None:
        return 1
    results = row["results"]
    if than == "best":
        return min(results[p]["median"] for p in ("caf", "otp")) if {"caf", "otp"} <= results.keys() else None
    if than in results:
        return results[than]["median"]
    others = [r for r in rows if f"{r['name']} on {r['workers']}" == than]
    return others[-1]["results"]["troupe"]["median"] if others else None


def in_words(limit, than, unit):
    if than is None:
        return f"<= {limit} {unit}"
    whom = "the better of caf and otp" if than == "best" else than
    return f"<= {limit:.3g}x {whom}" if limit >= 1 else f"{1 / limit:.3g}x as fast as {whom}"


def judge(row, rows):
    """For each gate of the row that this run can tell: its text, and by how much ours is above the limit (up to 1: met)."""
    verdicts = []
    for limit, than in GATES.get((row["name"], row["workers"]), []):
        other = compared_with(than, row, rows)
        if other is not None:
            verdicts.append((in_words(limit, than, row["unit"]), row["results"]["troupe"]["median"] / (limit * other)))
    return verdicts


def verdict_text(gate, excess):
    return f"{gate}: " + ("met" if excess <= 1 else f"missed by {excess:.2f}x")
