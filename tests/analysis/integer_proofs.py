"""Proofs over the integers of what bit-vector solvers cannot do in reasonable time: products and quotients of unknowns.

The formulas are those of `StreamMath` and of `Generator.accumulate`. They carry over to the EVM because nothing there
reaches 2^256, which is proven here as well; that the formulas are the code's own is for the reader to see, and for
halmos and the tests to check. Prints a line for each statement; fails unless z3 proves them all.
"""

from __future__ import annotations

import sys

from z3 import And, ArithRef, BoolRef, Implies, Int, IntVal, Not, Solver, Sum, unsat

SCALE = 10**18
WORD = 2**256


def quotient(name: str, numerator: ArithRef, denominator: ArithRef) -> tuple[ArithRef, BoolRef]:
    """⌊numerator / denominator⌋ as a new unknown, and what defines it."""
    q = Int(name)
    return q, And(q >= 0, q * denominator <= numerator, numerator < (q + 1) * denominator)


def proven(what: str, claim: BoolRef, *given: BoolRef) -> bool:
    solver = Solver()
    solver.set("timeout", 60_000)
    solver.add(*given, Not(claim))
    holds = solver.check() == unsat
    print(f"{'proven' if holds else 'NOT PROVEN'}: {what}", flush=True)
    return holds


def stream_proofs() -> list[bool]:
    rate, less, more, amount = Int("rate"), Int("less"), Int("more"), Int("amount")
    natural = And(rate >= 0, less >= 0, more >= less, amount >= 0)
    low, low_is = quotient("low", rate * less, IntVal(SCALE))
    high, high_is = quotient("high", rate * more, IntVal(SCALE))
    x, y = Int("x"), Int("y")
    qx, qx_is = quotient("qx", x, IntVal(SCALE))
    qy, qy_is = quotient("qy", y, IntVal(SCALE))
    up, up_is = quotient("up", rate * more + SCALE - 1, IntVal(SCALE))
    paid, paid_is = quotient("paid", amount * SCALE, rate)
    spent, spent_is = quotient("spent", rate * paid, IntVal(SCALE))
    bond, served, least = Int("bond"), Int("served"), Int("least")
    part, part_is = quotient("part", bond * (least - served) + least - 1, least)
    return [
        proven("a longer time gives no smaller product", rate * less <= rate * more, natural),
        proven("a quotient keeps the order of its numerators", qx <= qy, x >= 0, x <= y, qx_is, qy_is),
        proven("streamed: what has streamed never falls", low <= high, natural, low_is, high_is,
               rate * less <= rate * more),
        proven("cost: what has streamed, or one unit more", And(up >= high, up <= high + 1), natural, high_is, up_is),
        proven("duration: what streams in the time paid for is never more than was paid", spent <= amount, natural,
               rate > 0, paid_is, spent_is),
        proven("unserved: never more than the bond, and something where something is missing",
               And(part <= bond, Implies(bond > 0, part > 0)),
               bond >= 0, served >= 0, served < least, part_is, bond * (least - served) <= bond * least,
               Implies(bond > 0, bond * (least - served) >= bond)),
        proven("rate · time of the widest lease stays in a word", IntVal(WORD) > (2**128 - 1) * (2**40 - 1) + SCALE),
        proven("amount · scale of the largest deposit stays within a word", IntVal(WORD) > (2**128 - 1) * SCALE),
    ]  # fmt: skip


def word_proofs() -> list[bool]:
    """Words of eight lanes, a signed byte in each; those of B have their lanes in reverse order."""
    y = [Int(f"y{i}") for i in range(8)]
    z = [Int(f"z{i}") for i in range(8)]
    packed_y = Sum([y[i] * 2 ** (32 * i) for i in range(8)])
    packed_z = Sum([z[i] * 2 ** (32 * i) for i in range(8)])
    columns = [Sum([y[i] * z[c - i] for i in range(8) if 0 <= c - i < 8]) for c in range(15)]

    products = [Int(f"p{k}") for k in range(8)]
    bytes_multiplied = And(*(And(p >= -(2**14), p <= 2**14) for p in products))
    a, b, words, column, more, most = Int("a"), Int("b"), Int("words"), Int("column"), Int("more"), 8 * 2**14
    low = [Int(f"low{c}") for c in range(7)]
    below = 2**223 + Sum([low[c] * 2 ** (32 * c) for c in range(7)])
    top = Int("top")
    return [
        proven("two packed words multiplied are their columns, each in its place; from the 8th on multiples of 2^256",
               packed_y * packed_z == Sum([columns[c] * 2 ** (32 * c) for c in range(15)])),
        proven("a product of two signed bytes is within 2^14", And(a * b >= -(2**14), a * b <= 2**14),
               And(a >= -128, a <= 127, b >= -128, b <= 127)),
        proven("a column of one word is within 8 products", And(Sum(products) <= most, Sum(products) >= -most),
               bytes_multiplied),
        proven("columns after one word more are within one word more",
               And(column + more <= (words + 1) * most, column + more >= -(words + 1) * most), words >= 0,
               column <= words * most, column >= -words * most, more <= most, more >= -most),
        proven("after any number of words up to 8,192 a column is within 2^30, for every K up to 65,536",
               And(column <= 2**30, column >= -(2**30)), words >= 0, words <= 8_192, column <= words * most,
               column >= -words * most),
        proven("with 2^223 added the lower columns neither borrow from the top one nor reach it",
               And(below >= 0, below < 2**224), And(*(And(c >= -(2**30), c <= 2**30) for c in low))),
        proven("so that the top 32 bits, signed, are the top column, and the sum fits a signed word",
               And(top * 2**224 <= top * 2**224 + below, top * 2**224 + below < (top + 1) * 2**224,
                   top * 2**224 + below < 2**255, top * 2**224 + below >= -(2**255)),
               And(*(And(c >= -(2**30), c <= 2**30) for c in low)), top >= -(2**30), top <= 2**30),
    ]  # fmt: skip


if __name__ == "__main__":
    results = stream_proofs() + word_proofs()
    print(f"{sum(results)} of {len(results)} proven")
    sys.exit(0 if all(results) else 1)
